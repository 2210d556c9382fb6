"""kill -9 of the server and of workers under load from native and HTTP producers, and what is left
of it: nothing acknowledged is lost, nothing ends twice, no fence breaks, and the server is ready
again within a second each time.

Short: 3 kills of the server over 3,000 tasks in flight. At full length 25, over 100,000. Every
second kill of the server comes with one of a worker, some with one of a producer. RELAIS_SEED
repeats the times between kills.
"""
import statistics
import time

from ground import CHAOS, READY_S_MAX, ids_acknowledged, tasks_at_the_end
from history import check, report

pytest_plugins = ["stage"]  # server, load, say

KILLS, LEVEL = (25, 100000) if CHAOS else (3, 3000)
PACE_MS = 200 if CHAOS else 100
BETWEEN_S = (0.2, 1.5) if CHAOS else (0.2, 0.8)
WORKERS = ("native-a", "library", "native-b", "http")
PRODUCERS = ("native-producer", "http-producer")


def begin_all(load):
    load.board.set("level", LEVEL)
    load.board.set("pace_ms", PACE_MS)
    for role, name in zip(("producer", "http-producer"), PRODUCERS):
        load.begin(role, name)
    for name in WORKERS:
        load.begin({"library": "library", "http": "http-worker"}.get(name, "worker"), name)


def kill_all(server, load):
    """The kills, and the least that was in flight at one."""
    least = LEVEL
    for number in range(KILLS):
        time.sleep(load.random.uniform(*BETWEEN_S))
        load.wait_for(lambda: load.board.in_flight() >= LEVEL * 0.8, 90, "enough in flight")
        least = min(least, load.board.in_flight())
        server.kill()
        if number % 2:
            load.kill(WORKERS[number // 2 % len(WORKERS)])
        elif number % 8 == 2:
            load.kill(PRODUCERS[number // 8 % len(PRODUCERS)])
        server.start()
    return least


def test_nothing_is_lost_when_server_and_workers_are_killed(server, load, say):
    begin_all(load)
    load.wait_for(lambda: load.board.in_flight() >= LEVEL * 0.98, 60, "tasks in flight")
    begun = time.monotonic()
    least = kill_all(server, load)
    killed = time.monotonic()
    load.board.set("level", 0)
    load.board.set("pace_ms", 0)
    load.wait_for(lambda: server.unended() == 0, 240 if CHAOS else 90, "everything ends")
    load.finish()
    drained = time.monotonic()
    assert server.unended() == 0
    histories = load.read()
    final = tasks_at_the_end(server, ids_acknowledged(histories))
    found, counts = check(histories, final)
    web = sum(key.startswith("http") for _, key, _, _ in final.values())
    say(f"seed {load.seed}: {KILLS} kills of the server in {killed - begun:.1f} s, at least"
        f" {least} tasks in flight, drained in {drained - killed:.1f} s; ready again after"
        f" {min(server.ready_s[1:]) * 1000:.0f} to {max(server.ready_s[1:]) * 1000:.0f} ms;"
        f" {web} tasks came over HTTP\n{report(found, counts)}")
    assert not any(found.values()), "\n" + report(found, counts)
    assert web > 0 and counts["submit acknowledged"] >= LEVEL and \
        counts["done accepted"] > LEVEL / 4
    assert statistics.median(server.ready_s[1:]) < READY_S_MAX, server.ready_s
