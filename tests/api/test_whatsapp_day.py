"""Whole days of dialect 003: a worker as the real client behaves, its death, the recovery of its
sessions by another, and the same with curl alone. Dead times are short here."""
import os
import pathlib
import re
import subprocess
import threading
import time

import pytest

from conftest import Relais
from station import Fleet, Listener, good, log_of, now, refused

DEAD_S, RECOVERY_S = 4, 0.3
SCRIPT = pathlib.Path(__file__).with_name("workflow_whatsapp.sh")


@pytest.fixture(scope="module")
def server():
    brands = ",".join(f"{n}=token-{n}" for n in range(1, 20))
    started = Relais(f"--worker-tokens={brands}", f"--station-dead-ms={int(DEAD_S * 1000)}",
                     f"--recovery-ms={int(RECOVERY_S * 1000)}", "--command-repeat-ms=400")
    yield started
    assert started.stop() == 0


numbers = iter(range(2, 20))


@pytest.fixture
def fleet(server):
    return Fleet(server, next(numbers))


class Client(threading.Thread):
    """The later real client: it beats with its whole list and does what it is told, on time."""

    def __init__(self, fleet, name, every_s=0.2, **rest):
        super().__init__(daemon=True)
        self.w, self.every_s = fleet.station(name, **rest), every_s
        self.sessions, self.seen, self.failed = {}, [], None
        self.dead = threading.Event()
        for session in good(self.w.register())["assignedSessions"]:
            self.open(session["sessionId"])
        self.start()

    def open(self, session):
        self.sessions[session] = "CONNECTED"
        self.w.connected(session)

    def obey(self, command):
        self.seen.append((command["type"], command["sessionId"]))
        if command["type"] == "create_session":
            self.open(command["sessionId"])
        elif command["type"] in ("disconnect_session", "logout_session"):
            self.sessions[command["sessionId"]] = "DISCONNECTED"
            good(self.w.session(command["sessionId"], "disconnected"))
        elif command["type"] == "delete_session":
            self.sessions.pop(command["sessionId"], None)
            good(self.w.event("session_deleted", command["sessionId"]))
        elif command["type"] == "send_message":
            message = command["payload"]["messageId"]
            for status in ("delivered", "sent", "read"):
                good(self.w.message(message, status, command["sessionId"]))
        good(self.w.ack(command))

    def run(self):
        try:
            while not self.dead.wait(self.every_s):
                listed = [{"sessionId": s, "status": status, "phoneNumber": "6281234567890"}
                          for s, status in self.sessions.items()]
                for command in good(self.w.beat(listed))["commands"]:
                    self.obey(command)
        except Exception as error:  # pylint: disable=broad-except
            self.failed = error

    def die(self):
        self.dead.set()
        self.join(60)
        assert self.failed is None, self.failed


def until(found, within_s=60):
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        value = found()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def session_of(fleet, session):
    return good(fleet.user.get(f"/api/v1/sessions/{session}"))


def connect(fleet, session):
    good(fleet.user.post("/api/v1/sessions", {"name": session, "sessionId": session}), 201)
    good(fleet.user.post(f"/api/v1/sessions/{session}/connect", {}))


def is_connected(fleet, session, at=None):
    def look():
        seen = session_of(fleet, session)
        return seen["status"] == "CONNECTED" and at in (None, seen["workerId"])
    return look


def test_a_day_of_a_real_client(fleet):
    listener = Listener(fleet.user)
    client = Client(fleet, "worker-1")
    for session in ("s-1", "s-2"):
        connect(fleet, session)
    for session in ("s-1", "s-2"):
        until(is_connected(fleet, session, "worker-1"))
    sent = good(fleet.user.post("/api/v1/sessions/s-1/messages",
                                {"to": "62811", "type": "text", "message": "x"}), 202)
    until(lambda: good(fleet.user.get("/api/v1/messages/" + sent["messageId"]))["status"] ==
          "READ")
    good(fleet.user.post("/api/v1/sessions/s-2/disconnect", {}))
    until(lambda: session_of(fleet, "s-2")["status"] == "DISCONNECTED")
    good(fleet.user.delete("/api/v1/sessions/s-2"))
    until(lambda: ("delete_session", "s-2") in client.seen)
    client.die()
    assert [c for c in client.seen if c[1] == "s-1"] == [("create_session", "s-1"),
                                                        ("send_message", "s-1")]
    listener.wait(lambda name, data: name == "message_status_updated" and
                  data["status"] == "READ")
    listener.close()


def test_the_sessions_of_a_dead_worker_go_to_one_that_lives(fleet):
    first = Client(fleet, "worker-1")
    for n in range(3):
        connect(fleet, f"s-{n}")
    for n in range(3):
        until(is_connected(fleet, f"s-{n}", "worker-1"))
    second = Client(fleet, "worker-2")
    died = time.monotonic()
    first.die()
    until(lambda: session_of(fleet, "s-0")["status"] == "DISCONNECTED" or
          session_of(fleet, "s-0")["workerId"] == "worker-2")
    for n in range(3):
        until(is_connected(fleet, f"s-{n}", "worker-2"))
    assert time.monotonic() - died > DEAD_S * 0.7  # not before it could be known
    assert sorted(c for c in second.seen if c[0] == "create_session") == \
        [("create_session", f"s-{n}") for n in range(3)]
    seen = good(fleet.admin.get("/api/v1/workers/worker-1"))
    assert (seen["status"], seen["currentSessions"]) == ("OFFLINE", 0)
    back = Client(fleet, "worker-1")  # it rises, and has nothing
    assert back.sessions == {}
    sent = good(fleet.user.post("/api/v1/sessions/s-0/messages",
                                {"to": "62811", "type": "text", "message": "x"}), 202)
    until(lambda: good(fleet.user.get("/api/v1/messages/" + sent["messageId"]))["status"] ==
          "READ")
    assert ("send_message", "s-0") in second.seen and back.seen == []
    for client in (second, back):
        client.die()


def test_what_a_dead_worker_still_says_of_a_moved_session_is_not_believed(fleet):
    first = Client(fleet, "worker-1")
    connect(fleet, "s-1")
    until(is_connected(fleet, "s-1", "worker-1"))
    second = Client(fleet, "worker-2")
    first.die()
    until(is_connected(fleet, "s-1", "worker-2"))
    good(first.w.session("s-1", "disconnected", "DISCONNECTED"))
    seen = session_of(fleet, "s-1")
    assert (seen["status"], seen["workerId"]) == ("CONNECTED", "worker-2")
    good(first.w.beat([{"sessionId": "s-1", "status": "DISCONNECTED"}]))
    seen = session_of(fleet, "s-1")
    assert (seen["status"], seen["workerId"]) == ("CONNECTED", "worker-2")
    second.die()


def test_a_worker_that_restarts_in_time_keeps_its_sessions(fleet):
    first = Client(fleet, "worker-1")
    connect(fleet, "s-1")
    until(is_connected(fleet, "s-1", "worker-1"))
    other = Client(fleet, "worker-2")
    first.die()
    again = Client(fleet, "worker-1")
    assert list(again.sessions) == ["s-1"]
    time.sleep(DEAD_S + RECOVERY_S + 0.5)
    assert session_of(fleet, "s-1")["workerId"] == "worker-1"
    assert other.seen == []
    for client in (again, other):
        client.die()


def test_a_dead_workers_name_and_endpoint_are_free(fleet):
    first = fleet.station("worker-1", endpoint="http://10.0.0.1:1")
    good(first.register())
    moved = fleet.station("worker-1", endpoint="http://10.0.0.2:1")
    taken = fleet.station("worker-2", endpoint="http://10.0.0.1:1")
    refused(moved.register(), 409, "WORKER_ALREADY_REGISTERED")
    refused(taken.register(), 409, "WORKER_ALREADY_REGISTERED")
    until(lambda: good(fleet.admin.get("/api/v1/workers/worker-1"))["status"] == "OFFLINE")
    good(moved.register())
    good(taken.register())


def test_a_worker_that_leaves_hands_its_sessions_over(fleet):
    first = Client(fleet, "worker-1")
    connect(fleet, "s-1")
    until(is_connected(fleet, "s-1", "worker-1"))
    second = Client(fleet, "worker-2")
    first.die()
    assert good(fleet.worker.delete(first.w.at()))["migratedSessions"] == 1
    until(is_connected(fleet, "s-1", "worker-2"))
    second.die()


def test_a_dead_workers_sessions_are_told_and_health_is(fleet):
    listener = Listener(fleet.admin)
    first = Client(fleet, "worker-1")
    connect(fleet, "s-1")
    until(is_connected(fleet, "s-1"))
    first.die()
    listener.wait(lambda name, data: name == "worker_status_updated" and
                  data["status"] == "OFFLINE")
    listener.wait(lambda name, data: name == "session_status_changed" and
                  data["status"] == "DISCONNECTED")
    listener.close()
    seen = good(fleet.admin.post("/api/v1/workers/health-check", {}))
    assert (seen["healthy"], seen["unhealthy"]) == (0, 1)
    assert seen["workers"][0]["silentMs"] >= DEAD_S * 1000


def test_a_clock_that_runs_late_does_not_undo_what_is_known(fleet):
    w = fleet.station("worker-1")
    good(w.register(timestamp="2001-01-01T00:00:00Z"))
    good(w.beat(timestamp="2001-01-01T00:00:00Z"))
    assert good(fleet.admin.get("/api/v1/workers/worker-1"))["status"] == "ONLINE"
    good(w.session("s-1", "connected", "CONNECTED", at=now()))
    for shift in (-1, -3600):
        good(w.session("s-1", "disconnected", "DISCONNECTED", at=now(shift)))
    assert good(fleet.admin.get("/api/v1/sessions/s-1"))["status"] == "CONNECTED"
    good(w.session("s-1", "disconnected", "DISCONNECTED", at=now(1)))
    assert good(fleet.admin.get("/api/v1/sessions/s-1"))["status"] == "DISCONNECTED"


def test_the_day_with_curl_alone(tmp_path):
    """On a server of its own: the script begins with the first login of a new installation."""
    day = Relais("--worker-tokens=fleet-token", "--station-dead-ms=4000", "--recovery-ms=300",
                 first=True)
    try:
        found = until(lambda: re.search(r"one-time password (\S+)", log_of(day)))
        run = subprocess.run(["sh", str(SCRIPT), day.http, "fleet-token", found[1], "90"],
                             capture_output=True, text=True, timeout=300, check=False,
                             env={**os.environ, "TMPDIR": str(tmp_path)})
        assert run.returncode == 0, run.stdout + run.stderr
        assert run.stdout.rstrip().endswith("All went as it should.")
        wrong = subprocess.run(["sh", str(SCRIPT), day.http, "fleet-token", "wrong", "90"],
                               capture_output=True, text=True, timeout=120, check=False)
        assert wrong.returncode == 1 and "FAILED" in wrong.stdout
    finally:
        assert day.stop() == 0
