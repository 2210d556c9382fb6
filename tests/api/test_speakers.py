"""Who speaks when: relais-speakers on real recordings, natively and through the dialect."""
import pytest
from ears import error_rate, jobs, marks, start, submitted  # noqa: F401 - fixtures
from spoken import FAILED, PLAYER, READER, WHOLE, diarization_error, joined, said, wav

pytestmark = marks


@pytest.fixture
def eva(start):
    return start("relais-speakers", "eva")


TURNS = READER[:1] + PLAYER[4:] + READER[1:2]
if WHOLE:
    TURNS += PLAYER[:2] + READER[2:3] + PLAYER[2:4] + READER[3:4]


def test_speakers_are_told_apart(relais, jobs, start):
    start("relais-speakers", "eva", all_words=True)
    sound, places = joined(TURNS)
    job = submitted(relais, jobs, "diarization_queue", "diarization", wav(sound))
    segments = jobs.result(job)["segments"]
    assert {segment["speaker"] for segment in segments} == {"SPEAKER_00", "SPEAKER_01"}
    who = [(begin, finish, path.parent.name) for (begin, finish), path in zip(places, TURNS)]
    missed, wrong, total = diarization_error(who, segments)
    print(f"diarization error {100 * (missed + wrong) / total:.1f} % of {total:.1f} s: pauses and "
          f"speech missed {missed:.1f} s, wrong speaker {wrong:.1f} s")
    assert wrong < 0.05 * total and missed < 0.15 * total
    starts = [segment["start"] for before, segment in zip([None, *segments], segments)
              if before and before["speaker"] != segment["speaker"]]
    changes = [place[0] for place, before in zip(who[1:], who) if place[2] != before[2]]
    assert len(starts) == len(changes)
    assert all(abs(a - b) < 0.6 for a, b in zip(starts, changes)), (starts, changes)
    words = [word for path in TURNS for word in said(path)]
    assert error_rate(words, " ".join(segment["text"] for segment in segments)) < 0.5


@pytest.mark.parametrize("paths", [READER[:3] if WHOLE else READER[1:3], PLAYER],
                         ids=["reader", "player"])
@pytest.mark.usefixtures("eva")
def test_one_speaker_is_one(relais, jobs, paths):
    sound, _ = joined(paths)
    job = submitted(relais, jobs, "diarization_queue", "diarization", wav(sound))
    assert {segment["speaker"] for segment in jobs.result(job)["segments"]} == {"SPEAKER_00"}


@pytest.mark.usefixtures("eva")
def test_the_job_bounds_the_speakers(relais, jobs):
    sound = wav(joined([READER[1], PLAYER[4]])[0])
    for bounds, count in (({"max_speakers": 1}, 1), ({"min_speakers": 2, "max_speakers": 2}, 2)):
        job = submitted(relais, jobs, "diarization_queue", "diarization", sound, **bounds)
        assert len({segment["speaker"] for segment in jobs.result(job)["segments"]}) == count


@pytest.mark.usefixtures("eva")
def test_what_is_no_recording_has_no_speakers(relais, jobs):
    job = submitted(relais, jobs, "diarization_queue", "diarization", b"no sound " * 500)
    status, message = jobs.message(job)
    assert status == FAILED and message.startswith("not a recording: "), message


@pytest.mark.usefixtures("eva")
def test_voices_are_told_apart_over_http(user):
    base = "/api/diarizationTranscription"
    sound = wav(joined([READER[1], PLAYER[4]])[0])
    answer = user.post(base + "/createJob", files={"audioFile": ("two.wav", sound, "audio/wav")},
                       data={"language": "en", "min_speakers": "2", "max_speakers": "2"})
    job = answer.json()["data"]["job_uuid"]
    result = user.get(f"{base}/result", params={"job_uuid": job, "wait": 60}).json()["data"]
    assert result["status"] == "COMPLETED", result
    segments = result["result"]["segments"]
    assert [segment["speaker"] for segment in segments] == ["SPEAKER_00", "SPEAKER_01"]
    assert abs(segments[1]["start"] - 3.0) < 0.6, segments
    assert result["transcription"] == " ".join(segment["text"] for segment in segments)
