"""A voice that is heard while it speaks, and kill -9 of whoever hears it and of the server: the
segments are told once each, and are the transcript. The same over HTTP, for a listener that leaves
and comes back.

Short: ten seconds of speech, four times as fast, two kills. At full length a minute at the pace it
was spoken, six kills.
"""
import os
import threading
import time

import pytest
from ground import CHAOS, end
from conftest import Caller
from modes import STREAMING, events_of
from recordings import good
from spoken import (BUILD, CHUNK_MS, COMPLETED, PART_COUNT, PLAYER, RATE, READER, STATUS, WORKER,
                    Jobs, Stream, joined, said, words_wrong, worker_start)

pytest_plugins = ["stage"]  # server, say
pytestmark = [
    pytest.mark.skipif(not (BUILD / "relais-listen").exists(),
                       reason="relais-listen is not built: libpocketsphinx-dev is not there"),
    pytest.mark.skipif(not READER, reason="pocketsphinx-testdata is not there")]

PATHS = (READER + PLAYER) * 2 if CHAOS else READER[:2]
KILLS = 6 if CHAOS else 2
PACE = 1 if CHAOS else 4
VISITS = 5  # of a listener that leaves again
HEARD = 12 if CHAOS else 3  # what it waits for before it does
LOST_S = 90  # the longest that the lease of a killed worker, or a quiet period, takes


class Listeners:
    """Always one that is alive."""

    def __init__(self, server):
        self.server, self.count, self.process = server, 0, None
        self.start()

    def start(self):
        self.count += 1
        log = os.path.join(self.server.folder, "listen.log")
        self.process = worker_start("relais-listen", self.server.native, f"ear-{self.count}", log)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.start()


def test_segments_are_told_once_whoever_dies(server, say):
    sound, _ = joined(PATHS)
    jobs, listeners = Jobs(server.native), Listeners(server)
    try:
        stream = Stream(jobs, sound)
        jobs.until(stream.job, lambda row: row[WORKER], within_s=LOST_S)
        told = []
        for number in range(KILLS):
            before = len(told)
            stream.speak(until_s=len(sound) / 32000 * (number + 1) / (KILLS + 1), pace=PACE)
            jobs.until(stream.job, lambda row, n=before: row[PART_COUNT] > n or not CHAOS, LOST_S)
            if number % 2 == 0:
                listeners.kill()
            else:
                server.kill()
                server.start()
            now = jobs.parts(stream.job)
            assert now[:len(told)] == told, "what was told stays told"
            told = now
        stream.speak(pace=PACE)
        stream.end()
        row = jobs.ended(stream.job, within_s=240)
        assert row[STATUS] == COMPLETED, row
        parts, result = jobs.parts(stream.job), jobs.result(stream.job)
    finally:
        end(listeners.process)
        jobs.close()
    assert parts[:len(told)] == told
    assert [number for number, _ in parts] == list(range(1, len(parts) + 1))
    segments = [segment for _, segment in parts]
    assert segments == result["segments"]
    for first, second in zip(segments, segments[1:]):
        assert first["end"] <= second["start"] + 0.05, (first, second)
    words = [word for path in PATHS for word in said(path)]
    wrong = words_wrong(words, result["full_text"].split())
    say(f"{len(sound) / 32000:.0f} s of speech, {KILLS} kills: {len(parts)} segments, each told "
        f"once; {wrong} of {len(words)} words wrong")
    assert wrong < 0.6 * len(words), result["full_text"]


class Ear(threading.Thread):
    """Listens to a job's events; leaves VISITS times in the middle and comes back."""

    def __init__(self, user, job):
        super().__init__(daemon=True)
        self.user, self.job = user, job
        self.heard, self.visits, self.last = [], 0, None
        self.start()

    def visit(self, enough):
        self.visits += 1
        events, told = events_of(self.user, STREAMING, self.job, self.last), 0
        for event in events:
            self.heard.append((time.monotonic(), event))
            self.last = event.number or self.last
            told += event.name != "state"
            if told == enough:
                break
        events.close()

    def run(self):
        for _ in range(VISITS):
            self.visit(HEARD)
        self.visit(None)

    def named(self, name):
        return [(at, event) for at, event in self.heard if event.name == name]


def speak(user, job, sound, pace):
    """The moments of the first chunk and of the last."""
    step, began = RATE * 2 * CHUNK_MS // 1000, time.monotonic()
    for number, at in enumerate(range(0, len(sound), step)):
        good(user.post(f"{STREAMING.base}/{job}/audio", data=sound[at:at + step],
                       headers={"X-Seq": str(number)}))
        ahead = (at + step) / (2 * RATE) / pace - (time.monotonic() - began)
        if ahead > 0:
            time.sleep(ahead)  # the pace is what is tested
    return began, time.monotonic()


def test_who_comes_back_over_http_misses_nothing_and_hears_nothing_twice(server, say):
    sound, _ = joined(PATHS)
    user, listeners = Caller(server.http, server.token("user", "ear")), Listeners(server)
    try:
        job = STREAMING.create(user, language="en")["job_uuid"]
        ear = Ear(user, job)
        deadline = time.monotonic() + LOST_S
        while STREAMING.result(user, job)["status"] != "PROCESSING":
            assert time.monotonic() < deadline, "nobody listens"
            time.sleep(0.05)
        began, over = speak(user, job, sound, min(PACE, 2))
        deadline = time.monotonic() + LOST_S
        while not ear.named("partial"):
            assert time.monotonic() < deadline, "a guess comes before the end was said"
            time.sleep(0.05)
        good(user.post(f"{STREAMING.base}/{job}/end"))
        data = STREAMING.result(user, job, wait=60)
        ear.join(90)
    finally:
        end(listeners.process)
    assert data["status"] == "COMPLETED", data
    assert ear.visits == VISITS + 1 and not ear.is_alive()
    guesses, finals = ear.named("partial"), ear.named("final")
    assert [event.number for _, event in finals] == list(range(1, len(finals) + 1)) and finals
    assert [event.data["segment"] for _, event in finals] == data["result"]["segments"]
    assert ear.heard[-1][1].data["status"] == "COMPLETED"
    say(f"{len(sound) / 32000:.0f} s of speech over HTTP: the first guess after "
        f"{guesses[0][0] - began:.2f} s, the first segment after {finals[0][0] - began:.2f} s, the "
        f"end {over - began:.1f} s; {len(finals)} segments, once each, in {ear.visits} visits")
