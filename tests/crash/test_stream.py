"""A voice that is heard while it speaks, and kill -9 of whoever hears it and of the server: the
segments are told once each, and are the transcript.

Short: ten seconds of speech, four times as fast, two kills. At full length a minute at the pace it
was spoken, six kills.
"""
import os

import pytest
from ground import CHAOS, end
from spoken import (BUILD, COMPLETED, PART_COUNT, PLAYER, READER, STATUS, WORKER, Jobs, Stream,
                    joined, said, words_wrong, worker_start)

pytest_plugins = ["stage"]  # server, say
pytestmark = [
    pytest.mark.skipif(not (BUILD / "relais-listen").exists(),
                       reason="relais-listen is not built: libpocketsphinx-dev is not there"),
    pytest.mark.skipif(not READER, reason="pocketsphinx-testdata is not there")]

PATHS = (READER + PLAYER) * 2 if CHAOS else READER[:2]
KILLS = 6 if CHAOS else 2
PACE = 1 if CHAOS else 4
LOST_S = 40  # the longest that the lease of a killed worker, or a quiet period, takes


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
        row = jobs.ended(stream.job, within_s=120)
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
