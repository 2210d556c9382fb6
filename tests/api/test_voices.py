"""The speech workers, on real sound: words while they are spoken, and each part once whatever dies.
Natively; what the dialect makes of it is in test_speech_*.py.

Sound is sent a few times as fast as it was spoken: the workers keep up with that.
"""
import json
import os
import signal
import struct
import subprocess

import pytest
from conftest import SHORT, Relais, end
from ears import (PLACES, SPEECH, WORDS, error_rate, jobs, marks, start,  # noqa: F401 - fixtures
                  whole)
from peer import CHECKPOINT, LOG, Peer
from spoken import (ATTEMPT, BUILD, CANCELLED, COMPLETED, PART_COUNT, PROGRESS_TEXT, RATE, READER,
                    STATUS, WHOLE, WORKER, Stream, said, samples, wav)

pytestmark = marks
METER = BUILD / "example/meter"
PART = 10


@pytest.fixture(scope="module", name="relais")
def server():
    """Who is killed here is missed soon."""
    server = Relais(*SHORT)
    yield server
    assert server.stop() == 0


def test_words_come_while_the_speaker_speaks(jobs, start):
    start("relais-listen", "ada")
    stream = Stream(jobs, wav(SPEECH), format="wav")
    jobs.until(stream.job, lambda row: row[WORKER] == "ada")
    guesses = []

    def look():
        guess = jobs.view(stream.job)[PROGRESS_TEXT]
        if guess and guess not in guesses:
            guesses.append(guess)
        return len(guesses) >= 3

    stream.speak(pace=1, each=look)
    stream.speak()
    jobs.until(stream.job, lambda row: row[PART_COUNT] and look())
    # a part and guesses, before anybody said that it ends
    assert all(set(json.loads(guess)) == {"id", "text"} for guess in guesses)
    stream.end()
    assert jobs.ended(stream.job)[STATUS] == COMPLETED
    result = jobs.result(stream.job)
    parts = jobs.parts(stream.job)
    assert len(parts) >= 2
    whole(parts, result)
    assert error_rate(WORDS, result["full_text"]) < 0.5, result["full_text"]
    assert result["language"] == "en"


def cpu_s(process):
    """What it has had of one core."""
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_it_is_faster_than_the_speaker(jobs, start):
    """With all its words, on one core that it has to itself, however busy this machine is."""
    ada = start("relais-listen", "ada", all_words=True)
    paths = READER if WHOLE else READER[:2]
    sound = b"".join(samples(path) for path in paths)
    stream = Stream(jobs, sound)
    jobs.until(stream.job, lambda row: row[WORKER])
    began = cpu_s(ada)
    stream.speak(pace=1e9)
    stream.end()
    jobs.ended(stream.job)
    took, length = cpu_s(ada) - began, len(sound) / 2 / RATE
    print(f"{length:.1f} s of speech in {took:.1f} s, {length / took:.1f} times as fast")
    words = [word for path in paths for word in said(path)]
    assert error_rate(words, jobs.result(stream.job)["full_text"]) < 0.5
    assert took < length


def test_another_goes_on_when_a_listener_is_killed(jobs, start):
    first = start("relais-listen", "ada")
    stream = Stream(jobs, SPEECH)
    jobs.until(stream.job, lambda row: row[WORKER] == "ada")
    stream.speak(each=lambda: jobs.view(stream.job, 16)[PART_COUNT] >= 1)
    jobs.until(stream.job, lambda row: row[PART_COUNT] >= 1)  # though it may be late
    told = jobs.parts(stream.job)
    first.send_signal(signal.SIGKILL)
    first.wait()
    start("relais-listen", "bob")
    stream.speak()
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
    assert first.wait(60) == 0
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
    assert jobs.ended(stream.job)[STATUS] == CANCELLED
    second = Stream(jobs, SPEECH[:2 * RATE * 2])
    second.speak(pace=1e9)
    second.end()
    assert jobs.ended(second.job)[STATUS] == COMPLETED


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
