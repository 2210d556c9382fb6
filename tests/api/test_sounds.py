"""What relais-listen makes of sound of many kinds: one listener hears all of it."""
import array
import json
import subprocess
import threading
import time

import pytest
from conftest import RELAIS
from ears import SPEECH, error_rate, jobs, keep, marks, submitted  # noqa: F401 - fixtures
from spoken import FAILED, RATE, READER, Stream, said, samples, wav

pytestmark = marks


@pytest.fixture(scope="module", autouse=True)
def ada(keep):
    return keep("relais-listen", "ada")


def test_the_command_line_follows_the_parts(relais, jobs):
    stream = Stream(jobs, SPEECH)
    follow = subprocess.Popen([RELAIS, "get", "--broker", relais.native, str(stream.job),
                               "--parts", "--wait", "60s"], stdout=subprocess.PIPE, text=True)
    stream.speak()
    first = follow.stdout.readline()  # the stream has not ended
    stream.end()
    heard = [json.loads(line) for line in [first, *follow.stdout]]
    assert follow.wait(60) == 0
    follow.stdout.close()
    assert heard == [segment for _, segment in jobs.parts(stream.job)] and len(heard) > 1


def at_rate(sound, rate):
    """Between two samples lies a straight line: good enough to be understood."""
    ours = array.array("h", sound)
    count = len(ours) * rate // RATE - 2
    return array.array("h", (
        int(ours[i * RATE // rate] + (ours[i * RATE // rate + 1] - ours[i * RATE // rate]) *
            (i * RATE % rate) / rate) for i in range(count))).tobytes()


# of telephone sound the model understands nothing: it was made from 16 kHz
@pytest.mark.parametrize("rate, wrong_max", [(8000, 2), (22050, 0.6), (44100, 0.6)])
def test_other_rates_are_heard_too(jobs, rate, wrong_max):
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
def test_what_it_cannot_hear_fails_with_the_reason(jobs, sound, payload, why):
    stream = Stream(jobs, sound, **payload)
    stream.speak(pace=1e9)
    stream.end()
    jobs.ended(stream.job)
    status, message = jobs.message(stream.job)
    assert status == FAILED and why in message, message


def test_silence_is_an_empty_transcript(jobs):
    stream = Stream(jobs, bytes(2 * RATE * 2))
    stream.speak(pace=1e9)
    stream.end()
    jobs.ended(stream.job)
    assert jobs.result(stream.job) == {"full_text": "", "segments": [], "language": "en"}


def test_whole_recordings_are_heard_with_batch(relais, jobs, keep):
    keep("relais-listen", "bob", "--batch")
    job = submitted(relais, jobs, "batch_queue", "transcription", wav(samples(READER[1])))
    result = jobs.result(job)
    assert error_rate(said(READER[1]), result["full_text"]) < 0.5, result["full_text"]
    job = submitted(relais, jobs, "batch_queue", "transcription", b"no sound " * 500)
    status, message = jobs.message(job)
    assert status == FAILED and message.startswith("not a recording: "), message


# ---- through the dialect: what a browser or curl sees of it ----

def events(answer):
    """(event, data) of server-sent events, as they come."""
    kind = None
    for line in answer.iter_lines(chunk_size=None, decode_unicode=True):
        if line.startswith("event:"):
            kind = line[6:].strip()
        elif line.startswith("data:"):
            yield kind, json.loads(line[5:])


def test_a_voice_is_heard_over_http(user):
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
    result = user.get(f"{base}/result", params={"job_uuid": job, "wait": 60}).json()["data"]
    listener.join(60)
    assert result["status"] == "COMPLETED", result
    finals = [data for kind, data in seen if kind == "final"]
    assert len(finals) == len(result["result"]["segments"]) >= 1
    assert " ".join(data["segment"]["text"] for data in finals) == result["transcription"]
    assert any(kind == "partial" for kind, _ in seen), seen
    assert error_rate(said(READER[1]), result["transcription"]) < 0.6
