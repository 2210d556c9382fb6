"""`relais bench`: the scenarios that check what they measure, small. Figures are not judged here,
but for those that no load of this machine excuses.
"""
import json
import os
import signal
import subprocess
import time

import pytest

from conftest import RELAIS, SEEN_S

QUICK = ["--seconds=300ms"]


def lines(*command):
    run = subprocess.run([RELAIS, "bench", *command], capture_output=True, text=True, timeout=120,
                         check=False)
    assert run.returncode == 0, (command, run.stdout, run.stderr)
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_a_task_finds_one_of_those_that_wait():
    (line,) = lines("pending", "--workers=40", "--count=30")
    assert (line["jobs"], line["twice"]) == (30, 0)
    assert 0 <= line["p50_us"] <= line["p99_us"]
    assert "waiting_kb" in line  # of 40 workers it is noise


def once(holds, *command):
    """Measures until it holds. What else the machine does only adds to a time, or leaves none to
    do anything in; what the server waits for each time is there each time."""
    until = time.monotonic() + 90
    while not holds(*(found := lines(*command))):
        assert time.monotonic() < until, found
    return found


@pytest.mark.parametrize("scenario", ["native", "latency", "enqueue", "http"])
def test_a_scenario_prints_one_line(scenario):
    (line,) = once(lambda line: line["jobs"] > 0, scenario, *QUICK)
    assert line["scenario"] == scenario and line["rate"] > 0


def test_a_new_connection_is_served_at_once_whichever_thread_it_is_given_to():
    """Not at that thread's next tick, in 100 ms."""
    once(lambda line: line["first_p95_us"] < 50e3, "pending", "--workers=300", "--count=1")


def test_who_left_strands_nothing():
    (line,) = once(lambda line: line["max_us"] < 900e3,  # no lease had to end: the connection had
                   "pending", "--workers=60", "--gone=40", "--count=20")
    assert (line["jobs"], line["twice"], line["gone"]) == (20, 0, 40)


def test_who_stands_still_keeps_a_task_no_longer_than_its_lease():
    (line,) = lines("pending", "--workers=8", "--silent=2", "--count=8")
    assert (line["jobs"], line["twice"]) == (8, 0)
    assert line["max_us"] > 900e3, "one of them was given a task"


def test_the_sessions_of_the_dead_go_to_the_living():
    life, death = once(lambda life, death: life["jobs"] > 8, "fleet", "--stations=8",
                       "--sessions=80", "--dead=2s", "--seconds=1")
    assert (life["stations"], life["sessions"]) == (8, 80)
    assert (death["dead"], death["jobs"], death["commands"]) == (2, 20, 20)
    assert 2.0 <= death["marked_max_s"] <= death["moved_max_s"] <= death["connected_s"]


@pytest.mark.parametrize("scenario", ["pending", "fleet", "idle", "overload"])
def test_what_reads_the_servers_memory_has_its_own(scenario, relais):
    run = subprocess.run([RELAIS, "bench", scenario, "--broker", relais.native, "--http",
                          relais.http.split("//")[1], "--token", relais.token("user", "u", 1)],
                         capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 1 and "server of its own" in run.stderr and not run.stdout


def test_what_is_accepted_under_overload_is_done_and_the_rest_is_refused_with_a_time():
    """That each accepted one is settled, and no answer is another, is the scenario's own check."""
    found = once(lambda *found: all(line["jobs"] > 0 for line in found), "overload",
                 "--seconds=700ms", "--connections=16", "--batch=16")
    assert [line["load"] for line in found] == [1.0, 0.7, 3.0]
    for line in found:
        assert line["without_retry_after"] == 0, line
        assert line["rss_peak_mb"] < line["memory_max_mb"], line


def test_a_server_that_takes_too_much_memory_fails_the_overload():
    run = subprocess.run([RELAIS, "bench", "overload", "--seconds=200ms", "--memory-max=1M"],
                         capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 1 and "the server took" in run.stderr


def test_tasks_that_run_are_held_over_a_kill():
    filled, line = lines("restart", "--count=2000", "--running=300")
    assert filled["jobs"] == 2000
    assert (line["found"], line["held"]) == (2000, 300) and line["ready_ms"] > 0


def test_files_are_carried_alone_and_beside_tasks():
    (line,) = lines("files", "--size=2M", *QUICK)
    assert line["jobs"] > 0 and line["mb_s"] > 0
    assert line["before_p99_us"] > 0 and line["meanwhile_p99_us"] > 0


def seen(holds):
    until = time.monotonic() + SEEN_S
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_stays_of_a_bench_that_is_ended(number, tmp_path):
    bench = subprocess.Popen([RELAIS, "bench", "native", "--seconds=60"], start_new_session=True,
                             env=dict(os.environ, TMPDIR=str(tmp_path)),
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seen(lambda: list(tmp_path.glob("*/data/journal")))
    os.killpg(bench.pid, number)
    bench.wait(SEEN_S)
    seen(lambda: not list(tmp_path.iterdir()))


def test_who_keeps_tasks_is_told_how_far_the_table_is_behind():
    (kept,) = lines("native", "--keep=7d", *QUICK)
    (forgot,) = lines("native", *QUICK)
    assert 0 <= kept["behind_max_s"] < 60 and kept["rss_peak_mb"] > 0
    assert "behind_max_s" not in forgot


def test_lists_are_what_was_submitted():
    """While tasks come, run and are settled beside."""
    found = lines("lists", "--count=600", "--rate=300", "--asks=60", "--seconds=1")
    assert len(found) == 15 and all(line["jobs"] > 0 for line in found)
    assert [line["question"] for line in found if line["wrong"]] == []
    assert all(line["through"] > 0 for line in found)
    for line in found:
        assert line["incomplete"] == 0 and line["count_inexact"] == 0, line


def test_lists_need_tasks():
    run = subprocess.run([RELAIS, "bench", "lists", "--count=5"], capture_output=True, text=True,
                         timeout=60, check=False)
    assert run.returncode == 1 and "--count from" in run.stderr
