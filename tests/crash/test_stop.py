"""SIGSTOP. A worker that is stopped past its lease and continued finds that its attempt was
superseded, whatever it reports, over ZeroMQ and over HTTP, and changes nothing. A server that is
stopped (60 s at full length), or whose disk stands still, takes nothing from anybody when it goes
on."""
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from ground import CHAOS, HERE, RELEASE, Server, tasks_at_the_end
from conftest import RELAIS, Caller, end, first_line
from peer import BEAT, CHECKPOINT, DONE, GET, OK, START, SUPERSEDED
from recordings import BASE, created, good, result

pytest_plugins = ["stage"]  # server, load, say

STOP_S = 60 if CHAOS else 7
LEASES_S = 18 if CHAOS else 4  # longer than lost_ms
RESULT, ATTEMPTS, LOG = 2, 4, 8
# A disk that is quick, but for the one sync after the file named by STALL was made.
STALLING = """
#include <stdlib.h>
#include <unistd.h>
int fdatasync(int fd)
{ (void)fd; if (unlink(getenv("STALL")) == 0) sleep(atoi(getenv("STALL_S"))); return 0; }
"""


@pytest.fixture
def stopped(server):
    """Starts stopped.py; gives the process and what it said first."""
    started = []

    def start(*words):
        process = subprocess.Popen([sys.executable, "-B", str(HERE / "stopped.py"), *words],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.append(process)
        return process, json.loads(first_line(process, 60))

    yield start
    for process in started:
        process.stdin.close()
        end(process, signal.SIGKILL)


def state(server, task):
    """All of it that a late report could change, read over a link of its own."""
    peer = server.peer()
    try:
        return peer.ask(GET, [task, RESULT | ATTEMPTS | LOG])[1][2]
    finally:
        peer.close()


def files_port(server):
    head, port = server.native.rsplit(":", 1)
    return f"{head}:{int(port) + 1}"


def taken(peer, within_s):
    """The task that another worker gets; it beats while it waits, as workers do."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        peer.say(BEAT, [])
        task = peer.task(0.1)
        if task:
            return task
    raise AssertionError("no other worker got the task")


def test_a_stopped_native_worker_is_superseded(server, stopped, say):
    client = server.peer()
    task = client.submit("stop", retries=3)
    process, first = stopped("native", server.native, files_port(server), "stop")
    assert first["start"] == OK
    time.sleep(LEASES_S)
    view = state(server, task)
    assert (view[1], view[13], view[21]) == (4, 1, first["epoch"]), "its beats keep the lease"
    os.kill(process.pid, signal.SIGSTOP)
    begun = time.monotonic()
    rival = server.peer("worker", queues=["stop"], slots=1)
    again = taken(rival, 90)
    moved_s = time.monotonic() - begun
    assert again[0] == task and again[1] > first["epoch"] and again[4] == 2, again
    assert rival.code(START, again[:2]) == OK
    assert rival.ask(CHECKPOINT, [*again[:2], 0, "mine", b"1"])[1][3] == OK
    before = state(server, task)
    os.kill(process.pid, signal.SIGCONT)
    process.stdin.write(b"report\n")
    process.stdin.flush()
    verdict = json.loads(first_line(process, 60))["verdict"]
    assert verdict == [[task, first["epoch"], 1]], "its HELLO is told to stop"
    answers = json.loads(first_line(process, 60))
    assert set(answers.values()) == {SUPERSEDED}, answers
    assert state(server, task) == before, "nothing changed"
    assert rival.code(DONE, [*again[:2], b"mine"]) == OK
    assert state(server, task)[37][1] == b"mine"
    say(f"native: another worker had the task {moved_s:.1f} s after SIGSTOP; then {answers}")


def test_a_stopped_http_worker_is_superseded(server, stopped, say):
    user = Caller(server.http, server.token("user", "u"))
    rival = Caller(server.http, server.token("worker", "rival"))
    job = created(user)
    process, first = stopped("http", server.http, server.token("worker", "stopped"))
    assert first["start"] == 200
    time.sleep(4)
    assert good(rival.post(BASE + "/claim", {}))["task"] is None, "its progress keeps the lease"
    os.kill(process.pid, signal.SIGSTOP)
    begun = time.monotonic()
    again = good(rival.post(BASE + "/claim", {"wait": 60}, timeout=120))["task"]
    moved_s = time.monotonic() - begun
    assert again["job_uuid"] == job and again["lease_epoch"] > first["epoch"], again
    lease = {"X-Lease": str(again["lease_epoch"])}
    good(rival.post(f"{BASE}/{job}/progress", {"progress": 42}, headers=lease))
    good(rival.post(f"{BASE}/{job}/checkpoint", {"data": {"at": 1}}, headers=lease))
    before = result(user, job)
    os.kill(process.pid, signal.SIGCONT)
    process.stdin.write(b"report\n")
    process.stdin.flush()
    answers = json.loads(first_line(process, 60))
    assert all(answer == [409, "ATTEMPT_SUPERSEDED"] for answer in answers.values()), answers
    assert result(user, job) == before, "nothing changed"
    good(rival.post(f"{BASE}/{job}/complete", {"full_text": "mine"}, headers=lease))
    assert result(user, job)["transcription"] == "mine"
    say(f"HTTP: another worker had the task {moved_s:.1f} s after SIGSTOP; then {answers}")


def test_a_stopped_relais_work_changes_nothing(server):
    """The program that librelais is in, stopped while its command ends."""
    client = server.peer()
    task = client.submit("exec", retries=3)
    with open(server.folder + "/work.log", "ab") as log:
        process = subprocess.Popen([RELAIS, "work", "--data", server.data, "--broker",
                                    server.native, "--queue", "exec", "--", "sh", "-c",
                                    "sleep 1; echo late"], stdout=log, stderr=log)
    try:
        while state(server, task)[1] != 4:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGSTOP)
        rival = server.peer("worker", queues=["exec"], slots=1)
        again = taken(rival, 90)
        assert rival.code(START, again[:2]) == OK
        os.kill(process.pid, signal.SIGCONT)
        for _ in range(20):
            rival.beat()
            time.sleep(0.05)
        assert state(server, task)[1] == 4 and state(server, task)[21] == again[1]
        assert rival.code(DONE, [*again[:2], b"mine"]) == OK
        assert state(server, task)[37][1] == b"mine"
    finally:
        end(process)


class HttpWorker(threading.Thread):
    """Claims one task with a lease far shorter than the stop, and completes it after."""

    def __init__(self, server):
        super().__init__()
        self.caller = Caller(server.http, server.token("worker", "web"))
        self.task = self.caller.post("/tasks/claim/", {"queues": ["web"], "wait": 60,
                                                       "lease_seconds": 5}).json()["tasks"][0]
        self.path, self.on, self.answer = f"/tasks/{self.task['id']}/", True, None
        self.start()

    def run(self):
        while self.on:
            self.caller.post(self.path + "heartbeat/", {}, timeout=STOP_S + 60)
            time.sleep(0.2)
        self.answer = self.caller.post(self.path + "complete/", {
            "result_data": {"by": "web"}, "lease_epoch": self.task["lease_epoch"]})


def exec_workers(server, lines, count):
    """Their commands write one line at each start, and outlast the stop or not."""
    command = f"echo started >> {lines}; sleep {STOP_S * 0.8}; echo done"
    with open(server.folder + "/work.log", "ab") as log:
        return [subprocess.Popen([RELAIS, "work", "--data", server.data, "--broker", server.native,
                                  "--queue", "exec", "--concurrency", "2", "--", "sh", "-c",
                                  command], stdout=log, stderr=log) for _ in range(count)]


def test_a_stopped_server_takes_nothing_from_anybody(server, load, say):
    client = server.peer()
    user = Caller(server.http, server.token("user", "u"))
    web = user.post("/tasks/", {"task_type": "t", "queue_name": "web", "context_data": {}}).json()
    lines = server.folder + "/starts"
    load.board.set("pace_ms", int(STOP_S * 600))
    load.begin("worker", "native-a", 16)
    load.begin("worker", "native-b", 16)
    mine = [client.submit("load", str(n).encode(), retries=3) for n in range(32)]
    execs = [client.submit("exec", retries=3) for _ in range(4)]
    others = exec_workers(server, lines, 2)
    worker = HttpWorker(server)
    try:
        load.wait_for(lambda: all_begun(server, lines, len(execs)), 60, "all of them run")
        before = server.stats()
        server.signal(signal.SIGSTOP)
        time.sleep(STOP_S)
        server.signal(signal.SIGCONT)
        begun = time.monotonic()
        worker.on = False
        worker.join(60)
        load.wait_for(lambda: server.unended() == 0, STOP_S + 60, "everything ends")
        after, drained_s = server.stats(), time.monotonic() - begun
        load.finish()
        starts = open(lines, encoding="utf-8").read().split()
    finally:
        worker.on = False
        server.signal(signal.SIGCONT)
        for process in others:
            end(process)
    say(f"server stopped for {STOP_S} s with {before['tasks_running']} tasks running: requeued"
        f" {after['requeued'] - before['requeued']}, superseded"
        f" {after['superseded'] - before['superseded']}, drained {drained_s:.1f} s after")
    assert after["requeued"] == before["requeued"]
    assert worker.answer.status_code == 200, worker.answer.text
    assert len(starts) == len(execs), "a command ran twice"
    for task in [*mine, *execs, web["id"]]:
        view = state(server, task)
        assert (view[1], view[13]) == (6, 1), f"task {task}: status, attempt {view[:14]}"
    one_run_each(load.read(), tasks_at_the_end(server, mine), mine)


def all_begun(server, lines, execs):
    stats = server.stats()
    return stats["tasks_queued"] + stats["tasks_delivered"] == 0 and os.path.exists(lines) and \
        len(open(lines, encoding="utf-8").read().split()) == execs


def one_run_each(histories, final, mine):
    """Each began once, and was completed by the worker with which it began."""
    begun, ended = {}, {}
    for process, lines in histories:
        for words in map(str.split, lines):
            if words[1] == "run":
                begun.setdefault(int(words[2]), []).append((process, int(words[3])))
            elif words[1:3] == ["ok", "done"] and words[5] == "0":
                ended[int(words[3])] = (process, int(words[4]))
    for task in mine:
        assert begun[task] == [ended[task]], (begun[task], ended[task])
        assert final[task][2] == "%s %d" % ended[task]


@pytest.mark.skipif(not RELEASE, reason="a sanitizer is preloaded itself")
def test_a_disk_that_stands_still_takes_nothing_from_anybody(tmp_path, monkeypatch, say):
    """Nothing else happens then: the broker's own thread writes, and stands still with the disk."""
    source, library, stall = tmp_path / "stall.c", tmp_path / "stall.so", tmp_path / "stall"
    source.write_text(STALLING)
    subprocess.run([os.environ.get("CC", "gcc").split()[-1], "-shared", "-fPIC", "-o",
                    str(library), str(source)], check=True)
    monkeypatch.setenv("STALL", str(stall))
    monkeypatch.setenv("STALL_S", str(LEASES_S))
    server = Server(preload=str(library))
    others = []
    try:
        client, lines = server.peer(), server.folder + "/starts"
        mine = [client.submit("exec", retries=3) for _ in range(2)]
        others = exec_workers(server, lines, 1)
        while not all_begun(server, lines, len(mine)):
            time.sleep(0.02)
        before = server.stats()
        stall.touch()
        begun = time.monotonic()
        waits = client.submit("nobody")
        took_s = time.monotonic() - begun
        while any(state(server, task)[1] != 6 for task in mine):
            time.sleep(0.02)
        after = server.stats()
        say(f"the disk stood still: an acknowledgement took {took_s:.1f} s; requeued"
            f" {after['requeued'] - before['requeued']}")
        assert took_s >= LEASES_S and state(server, waits)[1] == 2
        assert "this process stood still" in server.log(), "the store's own thread wrote it"
        assert after["requeued"] == before["requeued"]
        assert len(open(lines, encoding="utf-8").read().split()) == len(mine)
        assert [state(server, task)[13] for task in mine] == [1] * len(mine)
    finally:
        for process in others:
            end(process)
        server.stop()
