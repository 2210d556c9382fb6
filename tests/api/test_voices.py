"""The speech workers, on real sound: words while they are spoken, each part once whatever dies,
and who speaks when. Natively; what the dialect makes of it is in test_speech_*.py.

Sound is sent a few times as fast as it was spoken: the workers keep up with that.
"""
import array
import json
import os
import signal
import struct
import subprocess
import threading
import time

import msgpack
import pytest
from conftest import RELAIS, end
from peer import (CHECKPOINT, FILE_CREATE, FILE_SEAL, FILE_WRITE, LOG, OK, Peer)
from spoken import (ATTEMPT, BUILD, CANCELLED, COMPLETED, FAILED, PART_COUNT, PLAYER,
                    PROGRESS_TEXT, RATE, READER, STATUS, WORKER, Jobs, Stream, diarization_error,
                    joined, said, samples, wav, words_wrong, worker_start)

pytestmark = [
    pytest.mark.skipif(not (BUILD / "relais-listen").exists(),
                       reason="relais-listen is not built: libpocketsphinx-dev is not there"),
    pytest.mark.skipif(not READER or not PLAYER, reason="pocketsphinx-testdata is not there")]
METER = BUILD / "example/meter"

PART = 10
SPEECH, PLACES = joined(READER[:2])
WORDS = [word for path in READER[:2] for word in said(path)]


@pytest.fixture
def jobs(relais):
    jobs = Jobs(relais.native)
    yield jobs
    jobs.close()


@pytest.fixture
def start(relais, jobs):
    """Starts a speech worker: start("relais-listen", "ada", "--batch")."""
    started = []

    def begin(program, name, *flags):
        log = os.path.join(relais.data, f"{name}.log")
        started.append(worker_start(program, relais.native, name, log, *flags))
        return started[-1]

    yield begin
    jobs.cancel_all()
    for process in started:
        end(process)


def whole(parts, result):
    """Parts are numbered without a gap, follow each other in time, and are the result."""
    assert [number for number, _ in parts] == list(range(1, len(parts) + 1))
    segments = [segment for _, segment in parts]
    assert [segment["id"] for segment in segments] == list(range(len(parts)))
    for before, after in zip(segments, segments[1:]):
        assert before["start"] < before["end"] <= after["start"] + 0.05, (before, after)
    assert result["segments"] == segments
    assert result["full_text"] == " ".join(segment["text"] for segment in segments)


def error_rate(reference, text):
    return words_wrong(reference, text.split()) / len(reference)


def test_words_come_while_the_speaker_speaks(jobs, start):
    start("relais-listen", "ada")
    stream = Stream(jobs, wav(SPEECH), format="wav")
    jobs.until(stream.job, lambda row: row[WORKER] == "ada")
    guesses = []

    def look():
        row = jobs.view(stream.job, 16)
        if row[PROGRESS_TEXT] and (not guesses or guesses[-1] != row[PROGRESS_TEXT]):
            guesses.append(row[PROGRESS_TEXT])

    stream.speak(each=look)
    jobs.until(stream.job, lambda row: row[PART_COUNT])  # before anybody said that it ends
    assert len(guesses) >= 3, "and guesses before it"
    assert all(set(json.loads(guess)) == {"id", "text"} for guess in guesses)
    stream.end()
    assert jobs.ended(stream.job)[STATUS] == COMPLETED
    result = jobs.result(stream.job)
    parts = jobs.parts(stream.job)
    assert len(parts) >= 2
    whole(parts, result)
    assert error_rate(WORDS, result["full_text"]) < 0.5, result["full_text"]
    assert result["language"] == "en"


def test_the_command_line_follows_the_parts(relais, jobs, start):
    start("relais-listen", "ada")
    stream = Stream(jobs, SPEECH)
    follow = subprocess.Popen([RELAIS, "get", "--broker", relais.native, str(stream.job),
                               "--parts", "--wait", "60s"], stdout=subprocess.PIPE, text=True)
    stream.speak()
    first = follow.stdout.readline()  # the stream has not ended
    stream.end()
    heard = [json.loads(line) for line in [first, *follow.stdout]]
    assert follow.wait(10) == 0
    follow.stdout.close()
    assert heard == [segment for _, segment in jobs.parts(stream.job)] and len(heard) > 1


def test_it_is_faster_than_the_speaker(jobs, start):
    start("relais-listen", "ada")
    sound = b"".join(samples(path) for path in READER)
    stream = Stream(jobs, sound)
    jobs.until(stream.job, lambda row: row[WORKER])
    began = time.monotonic()
    stream.speak(pace=1e9)
    stream.end()
    jobs.ended(stream.job)
    took, length = time.monotonic() - began, len(sound) / 2 / RATE
    print(f"{length:.1f} s of speech in {took:.1f} s, {length / took:.1f} times as fast")
    words = [word for path in READER for word in said(path)]
    assert error_rate(words, jobs.result(stream.job)["full_text"]) < 0.5
    assert took < length


def test_another_goes_on_when_a_listener_is_killed(jobs, start):
    first = start("relais-listen", "ada")
    stream = Stream(jobs, SPEECH)
    jobs.until(stream.job, lambda row: row[WORKER] == "ada")
    stream.speak(each=lambda: jobs.view(stream.job, 16)[PART_COUNT] >= 1, pace=3)
    assert jobs.view(stream.job, 16)[PART_COUNT] >= 1, "there is a part before the kill"
    told = jobs.parts(stream.job)
    first.send_signal(signal.SIGKILL)
    first.wait()
    start("relais-listen", "bob")
    stream.speak(pace=8)
    stream.end()
    row = jobs.ended(stream.job)
    assert (row[STATUS], row[WORKER], row[ATTEMPT]) == (COMPLETED, "bob", 2)
    parts, result = jobs.parts(stream.job), jobs.result(stream.job)
    assert parts[:len(told)] == told, "what was told is not told anew"
    whole(parts, result)
    assert error_rate(WORDS, result["full_text"]) < 0.5, result["full_text"]


@pytest.mark.parametrize("was_sent", [False, True])
def test_a_death_between_checkpoint_and_part_repeats_nothing(relais, jobs, start, was_sent):
    """A worker that stored its checkpoint, with the part in it, and died before, or after, the
    broker had the part."""
    stream = Stream(jobs, SPEECH)
    stream.speak(pace=1e9)
    dying = Peer(relais.native, "worker", queues=["streaming_queue"], slots=1)
    ref = dying.task()[:2]
    at_s = PLACES[0][1]  # behind the first recording
    segment = {"id": 0, "start": 0.1, "end": 5.5, "text": "planted words"}
    saved = {"offset": int(at_s * RATE) * 2, "until": -1, "rate": RATE, "channels": 1,
             "at_ms": int(at_s * 1000), "segments": [segment]}
    assert dying.code(CHECKPOINT, [*ref, 0, "heard", json.dumps(saved).encode()]) == 0
    if was_sent:
        assert dying.code(LOG, [*ref, PART, json.dumps(segment), 1]) == 0
    dying.close()
    start("relais-listen", "bob")
    stream.end()
    jobs.ended(stream.job)
    parts, result = jobs.parts(stream.job), jobs.result(stream.job)
    whole(parts, result)
    assert parts[0][1] == segment and "planted" not in json.dumps(parts[1:])
    assert all(part["start"] >= at_s - 0.1 for _, part in parts[1:]), "and goes on behind it"
    words = [word for path in READER[1:2] for word in said(path)]
    assert error_rate(words, " ".join(part["text"] for _, part in parts[1:])) < 0.5


def test_a_drained_listener_finishes_and_a_stopped_one_hands_over(jobs, start):
    first = start("relais-listen", "ada")
    stream = Stream(jobs, SPEECH)
    jobs.until(stream.job, lambda row: row[WORKER] == "ada")
    stream.speak(until_s=3)
    first.send_signal(signal.SIGTERM)
    start("relais-listen", "bob")
    stream.speak(until_s=6)
    assert jobs.view(stream.job)[WORKER] == "ada", "one TERM lets it finish"
    assert first.poll() is None
    first.send_signal(signal.SIGTERM)
    assert first.wait(10) == 0
    stream.speak()
    stream.end()
    assert jobs.ended(stream.job)[WORKER] == "bob"
    whole(jobs.parts(stream.job), jobs.result(stream.job))


def test_a_cancelled_stream_frees_its_listener(jobs, start):
    start("relais-listen", "ada")
    stream = Stream(jobs, SPEECH)
    jobs.until(stream.job, lambda row: row[WORKER] == "ada")
    stream.speak(until_s=1)
    jobs.cancel(stream.job)
    assert jobs.ended(stream.job, 10)[STATUS] == CANCELLED
    second = Stream(jobs, SPEECH[:2 * RATE * 2])
    second.speak(pace=1e9)
    second.end()
    assert jobs.ended(second.job)[STATUS] == COMPLETED


def at_rate(sound, rate):
    """Between two samples lies a straight line: good enough to be understood."""
    ours = array.array("h", sound)
    count = len(ours) * rate // RATE - 2
    return array.array("h", (
        int(ours[i * RATE // rate] + (ours[i * RATE // rate + 1] - ours[i * RATE // rate]) *
            (i * RATE % rate) / rate) for i in range(count))).tobytes()


# of telephone sound the model understands nothing: it was made from 16 kHz
@pytest.mark.parametrize("rate, wrong_max", [(8000, 2), (22050, 0.6), (44100, 0.6)])
def test_other_rates_are_heard_too(jobs, start, rate, wrong_max):
    start("relais-listen", "ada")
    sound = at_rate(samples(READER[1]), rate)
    stream = Stream(jobs, sound, sampleRate=rate, format="s16le")
    stream.speak(pace=1e9, rate=rate)
    stream.end()
    jobs.ended(stream.job)
    result = jobs.result(stream.job)
    length_s = len(samples(READER[1])) / 2 / RATE
    assert error_rate(said(READER[1]), result["full_text"]) < wrong_max, result
    assert length_s - 1 < result["segments"][-1]["end"] <= length_s


@pytest.mark.parametrize("sound, payload, why", [
    (SPEECH, {"format": "mp3"}, "a stream is s16le or wav"),
    (SPEECH, {"format": "wav"}, "the sound is no WAV"),
    (SPEECH, {"sampleRate": 1000}, "sample rates from 4000 to 192000 Hz"),
    (wav(SPEECH[:8000], width=1), {"format": "wav"}, "only 16-bit PCM"),
    (wav(SPEECH)[:20], {"format": "wav"}, "ends within its head"),
    (b"", {}, "there is no sound")], ids=["format", "raw", "rate", "width", "cut", "nothing"])
def test_what_it_cannot_hear_fails_with_the_reason(jobs, start, sound, payload, why):
    start("relais-listen", "ada")
    stream = Stream(jobs, sound, **payload)
    stream.speak(pace=1e9)
    stream.end()
    jobs.ended(stream.job)
    status, message = jobs.message(stream.job)
    assert status == FAILED and why in message, message


def test_silence_is_an_empty_transcript(jobs, start):
    start("relais-listen", "ada")
    stream = Stream(jobs, bytes(2 * RATE * 2))
    stream.speak(pace=1e9)
    stream.end()
    jobs.ended(stream.job)
    assert jobs.result(stream.job) == {"full_text": "", "segments": [], "language": "en"}


@pytest.mark.skipif(not METER.exists(), reason="the examples are not built")
def test_the_example_measures_each_second_once(relais, jobs):
    sound = b"".join(struct.pack("<h", 1000 * second) * RATE for second in range(1, 6)) + b"\7\0"
    stream = Stream(jobs, sound)
    workers = []
    for until_s in (2.5, 4.2, None):
        if workers:
            workers[-1].kill()
            workers[-1].wait()
        workers.append(subprocess.Popen([METER], env={**os.environ,
                                                      "RELAIS_BROKER": relais.native}))
        stream.speak(until_s=until_s, pace=1e9)
        if until_s:
            jobs.until(stream.job, lambda row, n=int(until_s): row[PART_COUNT] == n)
    stream.end()
    assert jobs.ended(stream.job)[STATUS] == COMPLETED
    end(workers[-1])
    assert [(number, part["text"]) for number, part in jobs.parts(stream.job)] == [
        (1, "1000"), (2, "2000"), (3, "3000"), (4, "4000"), (5, "5000"), (6, "7")]
    assert jobs.result(stream.job) == {"full_text": "6 seconds"}


def submitted(relais, jobs, queue, kind, sound, **payload):
    """A job on a whole recording; its number once it has ended."""
    host, port = relais.native.rsplit(":", 1)
    files = Peer(f"{host}:{int(port) + 1}")
    file = msgpack.unpackb(files.ask(FILE_CREATE, ["whole.wav"])[1][2])[0]
    for at in range(0, len(sound), 1 << 18):
        assert files.code(FILE_WRITE, [file, at, sound[at:at + (1 << 18)]]) == OK
    assert files.code(FILE_SEAL, [file]) == OK
    files.close()
    job = jobs.submit(queue, kind, {"language": "en", **payload}, source=file)
    jobs.ended(job)
    return job


def test_whole_recordings_are_heard_with_batch(relais, jobs, start):
    start("relais-listen", "ada", "--batch")
    job = submitted(relais, jobs, "batch_queue", "transcription", wav(samples(READER[1])))
    result = jobs.result(job)
    assert error_rate(said(READER[1]), result["full_text"]) < 0.5, result["full_text"]
    job = submitted(relais, jobs, "batch_queue", "transcription", b"no sound " * 500)
    status, message = jobs.message(job)
    assert status == FAILED and message.startswith("not a recording: "), message


TURNS = [READER[0], PLAYER[4], READER[1], PLAYER[0], PLAYER[1], READER[2], PLAYER[2], PLAYER[3],
         READER[3]]


def test_speakers_are_told_apart(relais, jobs, start):
    start("relais-speakers", "eva")
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


@pytest.mark.parametrize("paths", [READER[:3], PLAYER], ids=["reader", "player"])
def test_one_speaker_is_one(relais, jobs, start, paths):
    start("relais-speakers", "eva")
    sound, _ = joined(paths)
    job = submitted(relais, jobs, "diarization_queue", "diarization", wav(sound))
    assert {segment["speaker"] for segment in jobs.result(job)["segments"]} == {"SPEAKER_00"}


def test_the_job_bounds_the_speakers(relais, jobs, start):
    start("relais-speakers", "eva")
    sound = wav(joined([READER[1], PLAYER[4]])[0])
    for bounds, count in (({"max_speakers": 1}, 1), ({"min_speakers": 2, "max_speakers": 2}, 2)):
        job = submitted(relais, jobs, "diarization_queue", "diarization", sound, **bounds)
        assert len({segment["speaker"] for segment in jobs.result(job)["segments"]}) == count


def test_what_is_no_recording_has_no_speakers(relais, jobs, start):
    start("relais-speakers", "eva")
    job = submitted(relais, jobs, "diarization_queue", "diarization", b"no sound " * 500)
    status, message = jobs.message(job)
    assert status == FAILED and message.startswith("not a recording: "), message


# ---- through the dialect: what a browser or curl sees of it ----

def events(answer):
    """(event, data) of server-sent events, as they come."""
    kind = None
    for line in answer.iter_lines(chunk_size=1, decode_unicode=True):
        if line.startswith("event:"):
            kind = line[6:].strip()
        elif line.startswith("data:"):
            yield kind, json.loads(line[5:])


def test_a_voice_is_heard_over_http(user, start):
    start("relais-listen", "ada")
    base = "/api/streamingTranscription"
    job = user.post(base + "/createJob", {"language": "en", "format": "wav"}).json()["data"]
    job = job["job_uuid"]
    sound, seen = wav(samples(READER[1])), []
    stream = user.get(f"{base}/events", params={"job_uuid": job}, stream=True)
    listener = threading.Thread(target=lambda: seen.extend(events(stream)))
    listener.start()
    for number, at in enumerate(range(0, len(sound), 8000)):
        answer = user.post(f"{base}/{job}/audio", data=sound[at:at + 8000],
                           headers={"X-Seq": str(number)})
        assert answer.status_code == 200, answer.text
        time.sleep(0.05)
    assert user.post(f"{base}/{job}/end").status_code == 200
    result = user.get(f"{base}/result", params={"job_uuid": job, "wait": 30}).json()["data"]
    listener.join(20)
    assert result["status"] == "COMPLETED", result
    finals = [data for kind, data in seen if kind == "final"]
    assert len(finals) == len(result["result"]["segments"]) >= 1
    assert " ".join(data["segment"]["text"] for data in finals) == result["transcription"]
    assert any(kind == "partial" for kind, _ in seen), seen
    assert error_rate(said(READER[1]), result["transcription"]) < 0.6


def test_voices_are_told_apart_over_http(user, start):
    start("relais-speakers", "eva")
    base = "/api/diarizationTranscription"
    sound = wav(joined([READER[1], PLAYER[4]])[0])
    answer = user.post(base + "/createJob", files={"audioFile": ("two.wav", sound, "audio/wav")},
                       data={"language": "en", "min_speakers": "2", "max_speakers": "2"})
    job = answer.json()["data"]["job_uuid"]
    result = user.get(f"{base}/result", params={"job_uuid": job, "wait": 40}).json()["data"]
    assert result["status"] == "COMPLETED", result
    segments = result["result"]["segments"]
    assert [segment["speaker"] for segment in segments] == ["SPEAKER_00", "SPEAKER_01"]
    assert abs(segments[1]["start"] - 3.0) < 0.6, segments
    assert result["transcription"] == " ".join(segment["text"] for segment in segments)
