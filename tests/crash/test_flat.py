"""Memory is flat: what waits in a queue waits on disk, however much it is.

Two servers are filled at the same time, one with few tasks, one with many, and left to come to
rest. The difference is what a waiting task costs in memory. Its header alone has 168 bytes, an
entry in any index over all tasks more than 64; the limit is below both. Full length: a million.
"""
import json
import subprocess

import pytest

from ground import CHAOS, RELAIS, RELEASE

FEW, MANY = 20_000, 1_000_000 if CHAOS else 200_000
BYTES_MAX = 16 if CHAOS else 64  # of a task: windows and caches fill up once


def fill(count):
    return subprocess.Popen([RELAIS, "bench", "fill", f"--count={count}"], text=True,
                            stdout=subprocess.PIPE)


@pytest.mark.skipif(not RELEASE, reason="sanitizers keep what was freed")
def test_a_task_that_waits_costs_no_memory():
    runs = [fill(FEW), fill(MANY)]
    lines = [json.loads(run.communicate(timeout=550)[0]) for run in runs]
    assert [line["jobs"] for line in lines] == [FEW, MANY]
    few, many = [line["rss_mb"] * 2**20 for line in lines]
    assert (many - few) / (MANY - FEW) < BYTES_MAX, lines
