"""A worker of dialect 003 as its backend sees it, and servers that take its token."""
import base64
import datetime
import json
import os
import queue
import socket
import threading

import pytest
import requests

from conftest import Caller, Relais

TOKENS = 32
FLAGS = ["--worker-tokens=" + ",".join(f"{n}=token-{n},{n + 100}=token-{n + 100}"
                                      for n in range(2, TOKENS)),
         "--command-repeat-ms=400"]


class Ground:
    """Servers one after the other: each fleet has a brand to itself, and tokens are few."""

    def __init__(self):
        self.started, self.numbers = None, iter(())

    def number(self):
        found = next(self.numbers, None)
        if found is None:
            self.stop()
            self.started = Relais(*FLAGS)
            self.numbers = iter(range(2, TOKENS))
            found = next(self.numbers)
        return found

    def stop(self):
        if self.started:
            assert self.started.process.poll() is None, "the server ended during the tests"
            assert self.started.stop() == 0
        self.started = None


@pytest.fixture(scope="module")
def ground():
    made = Ground()
    yield made
    made.stop()


class Fleet:
    """One brand: its token, its administrator and its users."""

    def __init__(self, relais, number):
        self.relais, self.number, self.token = relais, number, f"token-{number}"
        self.worker = Caller(relais.http, self.token)
        self.admin = relais.caller("admin", f"chief-{number}", number)
        self.user_name = f"ann-{number}"
        self.user = relais.caller("user", self.user_name, number)
        self.other = relais.caller("user", f"ben-{number}", number)
        self.service = relais.caller("service", f"key-{number}", number)

    def station(self, name, base="/api/v1", **rest):
        return Station(self, name, base, **rest)

    @staticmethod
    def later(work):
        """Does the work on another thread; what it gives comes from calling what is returned."""
        found = queue.Queue()
        threading.Thread(target=lambda: found.put(work()), daemon=True).start()
        return lambda within_s: found.get(timeout=within_s)


@pytest.fixture
def fleet(ground):
    number = ground.number()
    return Fleet(ground.started, number)


@pytest.fixture
def rival(fleet):
    """Another brand of the same server: none of the tests has it."""
    return Fleet(fleet.relais, fleet.number + 100)


def now(shift_s=0):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=shift_s)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def good(answer, status=200):
    assert answer.status_code == status, (answer.status_code, answer.text)
    body = answer.json()
    assert body["success"] is True
    return body.get("data", body)


def refused(answer, status, code):
    """The document's error: a text, a code, and nothing else that a client reads."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    body = answer.json()
    assert body["success"] is False
    assert isinstance(body["error"], str) and body["error"]
    assert body["code"] == code, body
    return body


QR = "data:image/png;base64," + base64.b64encode(bytes(range(256)) * 4).decode()


class Station:
    """What a worker calls, as it calls it."""

    def __init__(self, fleet, name, base="/api/v1", endpoint=None, sessions_max=50):
        self.fleet, self.name, self.base = fleet, name, base
        self.endpoint = endpoint or f"http://10.0.0.{fleet.number}:8001/{name}"
        self.sessions_max = sessions_max
        self.call = fleet.worker

    def at(self, path=""):
        return f"{self.base}/workers/{self.name}{path}"

    def register(self, **rest):
        body = {"workerId": self.name, "endpoint": self.endpoint,
                "maxSessions": self.sessions_max, "description": "a test", "status": "ONLINE",
                "version": "1.0.0", "environment": "PRODUCTION", "timestamp": now()}
        return self.call.post(f"{self.base}/workers/register", {**body, **rest})

    def beat(self, sessions=None, **rest):
        """The form of the later client when sessions are listed, else the document's."""
        if sessions is None:
            body = {"status": "ONLINE", "cpuUsage": 1.5, "memoryUsage": 2.5, "uptime": 10,
                    "messageCount": 3, "timestamp": now(),
                    "sessions": {"total": 0, "connected": 0, "disconnected": 0,
                                 "qr_required": 0, "reconnecting": 0, "error": 0}}
        else:
            body = {"sessions": sessions, "capabilities": {}, "lastActivity": now(),
                    "metrics": {"cpuUsage": 1, "memoryUsage": 2, "uptime": 3.5,
                                "messageCount": 4, "totalSessions": len(sessions),
                                "activeSessions": len(sessions)}}
        return self.call.put(self.at("/heartbeat"), json={**body, **rest})

    def session(self, session, event=None, status=None, **data):
        """The document's webhook; `at` is its time."""
        at = data.pop("at", now())
        inner = {**({"status": status} if status else {}), **data}
        return self.call.post(f"{self.base}/webhooks/session-status",
                              {"event": event or "status", "sessionId": session,
                               "workerId": self.name, "data": inner, "timestamp": at})

    def message(self, message, status, session, **data):
        at = data.pop("at", now())
        return self.call.post(f"{self.base}/webhooks/message-status",
                              {"event": "message_status", "sessionId": session,
                               "workerId": self.name, "timestamp": at,
                               "data": {"messageId": message, "status": status, **data}})

    def event(self, event, session=None, **data):
        return self.call.post(self.at("/events"),
                              {"event": event, "sessionId": session, "workerId": self.name,
                               "data": data, "timestamp": now()})

    def commands(self, wait=0, kind=None):
        found = good(self.call.get(self.at(f"/commands?wait={wait}")))["commands"]
        return [c for c in found if kind is None or c["type"] == kind]

    def ack(self, command):
        return self.call.post(self.at(f"/commands/{command['id']}/ack"), {})

    def assigned(self):
        return good(self.call.get(self.at("/sessions/assigned")))["sessions"]

    def connected(self, session, phone="+6281234567890"):
        """The way of a session from its command to its login."""
        good(self.session(session, "qr_ready", "qr_required", qrCode=QR, qrString="1@ABC"))
        return good(self.session(session, "connected", "connected", phoneNumber=phone))


class Listener:
    """Reads server-sent events on a thread of its own until enough came."""

    def __init__(self, caller, path="/api/v1/events/stream", last=None, begin=True):
        headers = {"Last-Event-ID": last} if last else {}
        self.answer = caller.call("GET", path, headers=headers, stream=True, timeout=60)
        assert self.answer.status_code == 200, self.answer.text
        assert self.answer.headers["Content-Type"].startswith("text/event-stream")
        self.events, self.more = [], threading.Condition()
        if begin:
            self.begin()

    def begin(self):
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        found = {}
        try:
            for line in self.answer.iter_lines(chunk_size=None, decode_unicode=True):
                if line:
                    key, _, value = line.partition(":")
                    found[key] = value.strip()
                elif "event" in found:
                    with self.more:
                        self.events.append((found["event"], found.get("id"),
                                            json.loads(found.get("data", "{}"))))
                        self.more.notify_all()
                    found = {}
        except (requests.RequestException, AttributeError, OSError, ValueError):
            pass  # closed by the test

    def wait(self, wanted, within_s=60):
        """The first event for which wanted(name, data) holds."""
        def find():
            return next((e for e in self.events if wanted(e[0], e[2])), None)
        with self.more:
            assert self.more.wait_for(find, within_s), self.events
            return find()

    def close(self):
        """The connection ends; what still reads from it sees that."""
        with socket.socket(fileno=os.dup(self.answer.raw.fileno())) as connection:
            connection.shutdown(socket.SHUT_RDWR)


def log_of(relais):
    with open(os.path.join(relais.data, "serve.log"), encoding="utf-8") as log:
        return log.read()


class Socket:
    """A WebSocket, as much of it as listening takes (RFC 6455)."""

    def __init__(self, relais, path, token=None):
        host, port = relais.http.removeprefix("http://").split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=60)
        head = [f"GET {path} HTTP/1.1", f"Host: {host}:{port}", "Upgrade: websocket",
                "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: " + base64.b64encode(os.urandom(16)).decode()]
        head += [f"Authorization: Bearer {token}"] if token else []
        self.socket.sendall(("\r\n".join(head) + "\r\n\r\n").encode())
        self.file = self.socket.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        while self.file.readline().strip():
            pass

    def send(self, kind, data=b""):
        mask = os.urandom(4)
        self.socket.sendall(bytes([0x80 | kind, 0x80 | len(data)]) + mask +
                            bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def frame(self):
        """(kind, data) of the next frame; the server's are short and whole."""
        first, second = self.file.read(2)
        assert first & 0x80 and not second & 0x80, "whole and without a mask"
        size = second
        if second in (126, 127):
            size = int.from_bytes(self.file.read(2 if second == 126 else 8), "big")
        return first & 0x0f, self.file.read(size)

    def wait(self, wanted):
        """The first message for which wanted(message) holds; pings are answered."""
        while True:
            kind, data = self.frame()
            if kind == 9:
                self.send(10, data)
            elif kind == 8:
                raise AssertionError(f"closed: {data!r}")
            elif kind == 1 and wanted(json.loads(data)):
                return json.loads(data)

    def close(self):
        self.send(8, (1000).to_bytes(2, "big"))
        kind = 1
        while kind != 8:
            kind, data = self.frame()
        self.socket.close()
        return int.from_bytes(data[:2], "big")
