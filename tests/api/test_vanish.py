"""A worker whose machine vanishes without a word while it waits for a task: no task goes to it.

It lives in a network namespace that is unplugged, which takes root; elsewhere this is skipped, and
says so.
"""
import json
import os
import re
import subprocess
import time

import pytest

DEADLINE_S = 40
HERE, THERE = "10.213.77.1", "10.213.77.2"


def run(*words):
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.fixture
def elsewhere():
    """The name of a namespace with a cable to this one."""
    name, plug = f"relais{os.getpid()}", f"r{os.getpid()}"[:14]
    steps = [("netns", "add", name),
             ("link", "add", plug, "type", "veth", "peer", "name", "plug", "netns", name),
             ("addr", "add", f"{HERE}/30", "dev", plug), ("link", "set", plug, "up"),
             ("-n", name, "addr", "add", f"{THERE}/30", "dev", "plug"),
             ("-n", name, "link", "set", "plug", "up")]
    try:
        for step in steps:
            done = run("ip", *step)
            if done.returncode != 0:
                pytest.skip(f"no right to make a network: {done.stderr.strip()}")
        yield name
    finally:
        run("ip", "netns", "del", name)
        run("ip", "link", "del", plug)


def connections(caller):
    return int(re.search(r"^relais_http_connections (\d+)", caller.get("/metrics").text,
                         re.M)[1])


def until(wanted, what):
    end = time.monotonic() + DEADLINE_S
    while not wanted():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def test_a_worker_that_vanished_while_it_waited_gets_no_task(relais_with, elsewhere):
    server = relais_with(f"--http={HERE}:0", "--http-dead-ms=3000")
    user, rival = server.caller("user", "ann", 1), server.caller("worker", "w2", 1)
    before = connections(user)
    waits = subprocess.Popen(
        ["ip", "netns", "exec", elsewhere, "curl", "-s", "-m", "120", "-H",
         f"Authorization: Bearer {server.token('worker', 'w1', 1)}", "-H",
         "Content-Type: application/json", "-d", json.dumps({"wait": 55}),
         f"{server.http}/tasks/claim/"], stdout=subprocess.DEVNULL)
    try:
        until(lambda: connections(user) == before + 1, "it is there")
        assert run("ip", "-n", elsewhere, "link", "set", "plug", "down").returncode == 0
        until(lambda: connections(user) == before, "its connection ends long before its wait")
        task = user.post("/tasks/", {"task_type": "t"}).json()
        assert rival.post("/tasks/claim/", {}).json()["tasks"][0]["task_id"] == task["task_id"]
    finally:
        waits.kill()
        waits.wait()
