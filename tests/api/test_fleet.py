"""Stations, sessions and commands as a native peer sees them: PROTOCOL.md section 10, and kills."""
import signal
import subprocess
import threading
import time

import msgpack
import pytest

from conftest import RELAIS, Relais, end
from peer import ANSWER, ASK, CONFLICT, NOT_FOUND, OK, ROWS, STATS, VALIDATION_ERROR, Peer

(STATION_PUT, STATION_BEAT, STATION_LEAVE, STATION_GET, STATION_LIST, SESSION_PUT, SESSION_REPORT,
 SESSION_DO, SESSION_GET, COMMANDS, FLEET_STATS) = range(50, 61)
NO_ROOM, NOT_CONNECTED, TAKEN, NO_STATION = 29, 30, 31, 32
ONLINE, OFFLINE = 1, 2
INIT, QR, CONNECTED, DISCONNECTED = 1, 2, 3, 4
CONNECT, END, DELETE, SEND = 1, 3, 5, 6
STATION = ["id", "brand", "name", "endpoint", "description", "version", "status", "environment",
           "sessions_max", "sessions", "commands", "heard", "created", "updated", "draining",
           "shadow", "left", "beat"]
SESSION = ["id", "brand", "name", "owner", "title", "station", "status", "phone", "display",
           "reason", "version", "created", "updated", "seen", "reported", "wanted", "recovering"]
COMMAND = ["id", "type", "session", "station", "created", "deliveries", "payload", "key", "owner",
           "title", "endpoint"]


def rows(blob, names):
    unpacker = msgpack.Unpacker(strict_map_key=False)
    unpacker.feed(blob)
    return [dict(zip(names, row)) for row in unpacker]


def session_row(name, status):
    return msgpack.packb([0, 0, name, "", "", "", status, "", "", "", 0, 0, 0, 0, 0, False, False])


class Fleet(Peer):
    """Each call gives what the answer holds, or its code."""

    def fleet(self, verb, name, within_s=60, **options):
        heard, item = self.ask(verb, [name, options], within_s=within_s)
        assert heard == ANSWER, (heard, item)
        if item[1] != OK:
            return item[1]
        body = msgpack.unpackb(item[2], strict_map_key=False)
        station, session, _, sessions, _, commands, lost, changed, command = body
        return {"station": station and dict(zip(STATION, station)), "lost": lost,
                "session": session and dict(zip(SESSION, session)), "changed": changed,
                "sessions": rows(sessions, SESSION), "commands": rows(commands, COMMAND),
                "command": command}

    def register(self, name, **more):
        return self.fleet(STATION_PUT, name, endpoint=f"http://{name}", **more)

    def beat_with(self, name, sessions=(), whole=True, **more):
        blob = b"".join(session_row(*session) for session in sessions)
        return self.fleet(STATION_BEAT, name, sessions=blob, whole=whole, **more)

    def do(self, name, act, **more):
        return self.fleet(SESSION_DO, name, act=act, **more)

    def stats(self):
        return msgpack.unpackb(self.ask(STATS, [])[1][2])

    def status(self, name):
        answer = self.fleet(SESSION_GET, name)
        return answer if isinstance(answer, int) else answer["session"]["status"]

    def listed(self, **options):
        heard, item = self.ask(ASK, ["sessions", options])
        assert heard == ROWS
        return item[1] if item[1] != OK else [row["name"] for row in rows(item[2], SESSION)]


@pytest.fixture
def server(request):
    """With other options where a test's mark `options` names them."""
    mark = request.node.get_closest_marker("options")
    running = Relais("--command-repeat-ms=500", *(mark.args if mark else ()), role="broker")
    yield running
    running.stop()


@pytest.fixture
def fleet(server):
    peer = Fleet(server.native, kind="client")
    yield peer
    peer.close()


def test_a_session_is_connected_sends_and_ends(fleet):
    assert fleet.fleet(SESSION_PUT, "s", owner="ann", title="first")["session"]["status"] == \
        DISCONNECTED
    assert fleet.fleet(SESSION_PUT, "s") == CONFLICT
    assert fleet.do("s", CONNECT) == NO_ROOM
    assert fleet.register("w", sessions_max=3)["station"]["status"] == ONLINE
    begun = fleet.do("s", CONNECT)
    assert (begun["session"]["status"], begun["session"]["station"]) == (INIT, "w")
    told = fleet.beat_with("w", commands=9)["commands"]
    assert [(c["id"], c["type"], c["session"], c["owner"], c["title"]) for c in told] == \
        [(begun["command"], 1, "s", "ann", "first")]
    assert fleet.do("s", SEND, payload=b"{}", key="m") == NOT_CONNECTED
    report = fleet.fleet(SESSION_REPORT, "s", station="w", status=CONNECTED, phone="+62811")
    assert report["changed"] and report["session"]["phone"] == "+62811"
    assert fleet.do("s", CONNECT) == CONFLICT
    sent = fleet.do("s", SEND, payload=b'{"to": 1}', key="m")
    assert fleet.do("s", SEND, payload=b'{"to": 1}', key="m")["command"] == sent["command"]
    given = fleet.fleet(COMMANDS, "w")["commands"]
    assert [(c["id"], c["payload"], c["endpoint"]) for c in given] == \
        [(sent["command"], b'{"to": 1}', "http://w")]
    fleet.fleet(COMMANDS, "w", ack=sent["command"])
    assert fleet.do("s", END)["session"]["status"] == DISCONNECTED
    assert [c["type"] for c in fleet.beat_with("w", [("s", CONNECTED)], commands=9)["commands"]] \
        == [3]
    assert fleet.beat_with("w")["station"]["sessions"] == 0
    assert fleet.do("s", DELETE)["session"]["name"] == "s"
    assert fleet.status("s") == NOT_FOUND


def test_a_worker_waits_for_its_commands(server, fleet):
    fleet.register("w")
    fleet.beat_with("w", [("s", CONNECTED)])
    waiting, heard = Fleet(server.native, kind="client"), []
    thread = threading.Thread(target=lambda: heard.append(
        waiting.fleet(COMMANDS, "w", within_s=120, wait_ms=60000)))
    thread.start()
    until = time.monotonic() + 60
    while fleet.stats()["parked"] == 0:
        assert time.monotonic() < until
        time.sleep(0.02)
    fleet.do("s", SEND, payload=b"x", key="m")
    thread.join(120)
    assert [c["key"] for c in heard[0]["commands"]] == ["m"]
    again = waiting.fleet(COMMANDS, "w", wait_ms=60000)["commands"]
    assert [(c["key"], c["deliveries"]) for c in again] == [("m", 2)]
    waiting.fleet(COMMANDS, "w", key="m")
    assert waiting.fleet(COMMANDS, "w", wait_ms=700)["commands"] == []
    waiting.close()


@pytest.mark.options("--station-dead-ms=1500", "--recovery-ms=300")
def test_a_dead_worker_s_sessions_move(fleet):
    fleet.register("dead")
    fleet.beat_with("dead", [("a", CONNECTED), ("b", QR)])
    fleet.register("live")
    deadline = time.monotonic() + 60
    while fleet.fleet(STATION_BEAT, "live")["station"]["sessions"] < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert fleet.fleet(STATION_GET, "dead")["station"]["status"] == OFFLINE
    moved = fleet.fleet(STATION_BEAT, "live", commands=9)["commands"]
    assert sorted((c["type"], c["session"]) for c in moved) == [(1, "a"), (1, "b")]
    back = fleet.beat_with("dead", [("a", CONNECTED)], commands=9)["commands"]
    assert [(c["type"], c["session"]) for c in back] == [(3, "a")], "it is told to stop it"


def test_what_was_acknowledged_survives_kills(server, fleet):
    for i in range(20):
        fleet.register(f"w{i}", sessions_max=60)
        fleet.beat_with(f"w{i}", [(f"s{i}-{k}", CONNECTED) for k in range(50)])
    sent = [fleet.do(f"s{i}-0", SEND, payload=b"x", key=f"m{i}")["command"] for i in range(20)]
    fleet.do("s3-1", END)
    fleet.do("s3-2", DELETE)
    fleet.fleet(STATION_LEAVE, "w19")
    end(server.process, signal.SIGKILL)
    again = Relais("--recovery-ms=100000", role="broker", data=server.data)
    try:
        peer = Fleet(again.native, kind="client")
        seen = peer.fleet(STATION_GET, "w3", commands=99)
        assert seen["station"]["sessions"] == 50 and len(seen["sessions"]) == 49
        assert sorted(c["type"] for c in seen["commands"]) == [3, 5, 6]
        assert peer.status("s3-1") == DISCONNECTED and peer.status("s3-2") == NOT_FOUND
        assert peer.status("s4-2") == CONNECTED
        assert [c["id"] for i in range(19) for c in peer.fleet(STATION_BEAT, f"w{i}", commands=9)
                ["commands"] if c["type"] == 6] == sent[:19]
        assert peer.fleet(STATION_GET, "w19")["station"]["left"]
        assert len(peer.listed(worker="w5", limit=100)) == 50
        assert peer.listed(status=[DISCONNECTED], limit=100) == \
            ["s19-0"] + sorted(f"s19-{k}" for k in range(1, 50)) + ["s3-1"]
        assert peer.listed(search="s7-33") == ["s7-33"]
        assert peer.listed(owner="nobody") == []
        peer.close()
    finally:
        again.stop()
    subprocess.run([RELAIS, "check", "--data", server.data], check=True, capture_output=True)


def test_what_is_not_in_order_is_refused(fleet):
    assert fleet.fleet(STATION_GET, "none") == NO_STATION
    assert fleet.fleet(STATION_LEAVE, "none") == NO_STATION
    assert fleet.fleet(COMMANDS, "none") == NO_STATION
    assert fleet.fleet(STATION_BEAT, "w", sessions=b"\x91\x01") == VALIDATION_ERROR
    assert fleet.fleet(STATION_BEAT, "w", status=9) == VALIDATION_ERROR
    assert fleet.fleet(SESSION_REPORT, "s", status=200) == VALIDATION_ERROR
    assert fleet.fleet(SESSION_PUT, "s" * 101) == VALIDATION_ERROR
    fleet.register("w")
    assert fleet.fleet(STATION_PUT, "w", endpoint="http://other") == TAKEN
    fleet.beat_with("w", [("s", CONNECTED)])
    assert fleet.do("s", 99) == VALIDATION_ERROR
    assert fleet.ask(FLEET_STATS, [])[1][1] == OK
