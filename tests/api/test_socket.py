"""WebSockets of the gateway, whatever the route: the handshake, frames that are none, bounds,
pings, closes. Raw sockets against the real binary.
"""
import random
import re
import signal
import socket
import time

import pytest

import bareframes
from bareframes import BINARY, CLOSE, PING, PONG, TEXT, Frames, closing, frame
from station import Fleet, good, log_of
from wire import connect, read_all, read_answer, refusal_of

PATH = "/api/v1/events/ws"


def bearer(caller):
    return b"Authorization: Bearer " + caller.token.encode()


def opened(server, caller, extra=b""):
    return Frames(server, PATH, bearer(caller), extra=extra)


def sockets_of(server):
    from conftest import Caller
    return int(re.search(r"^relais_http_sockets (\d+)", Caller(server.http).get("/metrics").text,
                         re.M)[1])


def soon(check, within_s=60):
    deadline = time.monotonic() + within_s
    while not check() and time.monotonic() < deadline:
        time.sleep(0.02)
    return check()


# ---- the handshake ----

def test_the_handshake_is_answered(relais, user):
    with opened(relais, user) as link:
        assert link.headers["sec-websocket-accept"] == bareframes.accept_of(bareframes.KEY)
        assert link.headers["upgrade"] == "websocket"
        assert link.headers["connection"].lower() == "upgrade"
        assert "sec-websocket-extensions" not in link.headers
        assert "content-length" not in link.headers and "content-type" not in link.headers


def test_the_documents_own_key_is_answered_as_it_says(relais, user):
    key = b"dGhlIHNhbXBsZSBub25jZQ=="
    with connect(relais) as link:
        link.sendall(bareframes.request(PATH, bearer(user), key=key))
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in link.recv(4096)


@pytest.mark.parametrize("what,status", [
    ({"upgrade": None}, 426), ({"upgrade": b"h2c"}, 426), ({"upgrade": b"websocket, h2c"}, 426),
    ({"version": b"8"}, 426), ({"version": None}, 426), ({"version": b"13, 8"}, 426),
    ({"connection": None}, 400), ({"connection": b"keep-alive"}, 400),
    ({"connection": b"upgraded"}, 400),
    ({"key": None}, 400), ({"key": b"short"}, 400), ({"key": b"!" * 24}, 400),
    ({"key": bareframes.KEY[:-2]}, 400),
    ({"lines": [b"Sec-WebSocket-Key: " + bareframes.KEY]}, 400),
], ids=str)
def test_a_handshake_that_is_none_is_refused(relais, user, what, status):
    lines = what.pop("lines", [])
    with connect(relais) as link:
        link.sendall(bareframes.request(PATH, bearer(user), b"Connection: close", *lines, **what)
                     if what.get("connection", b"") is None
                     else bareframes.request(PATH, bearer(user), *lines, **what))
        got, headers, _ = read_answer(link)
    assert got == status
    if status == 426:
        assert headers["upgrade"] == "websocket" and headers["sec-websocket-version"] == "13"


def test_a_plain_get_of_a_sockets_path_keeps_the_connection(relais, user):
    with connect(relais) as link:
        for _ in range(2):
            link.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n"
                         % (PATH.encode(), bearer(user)))
            assert read_answer(link)[0] == 426


def test_the_steps_of_the_route_come_first(relais):
    with connect(relais) as link:
        link.sendall(bareframes.request(PATH) + frame(TEXT, b"early"))
        assert refusal_of(read_all(link), set()) == 401


def test_an_upgrade_of_another_path_is_an_ordinary_request(relais):
    with connect(relais) as link:
        link.sendall(bareframes.request("/health") + frame(TEXT, b"early") * 100)
        answer = read_all(link)
    assert answer.startswith(b"HTTP/1.1 200 ") and answer.count(b"HTTP/1.1") == 1
    assert b"connection: close" in answer.lower()


# ---- frames ----

def test_a_ping_is_answered_and_a_close_too(relais, user):
    with opened(relais, user) as link:
        for payload in (b"", b"x", b"y" * 125):
            link.send(frame(PING, payload))
            assert link.next() == (PONG, payload)
        link.send(frame(PONG, b"nobody asked"), closing(1000, b"done"))
        assert link.next() == (CLOSE, b"\x03\xe8done")
        assert link.next() == (None, None)


def test_what_comes_in_one_piece_with_the_request_is_read(relais, user):
    with opened(relais, user, frame(TEXT, b"early") * 20 + frame(PING, b"1")) as link:
        assert link.next() == (PONG, b"1")


def test_frames_may_come_byte_by_byte_and_in_fragments(relais, user):
    data = frame(TEXT, "h\u00e9".encode()[:2], fin=0) + frame(PING, b"between") \
        + frame(0, "h\u00e9".encode()[2:], fin=0) + frame(0, b"", fin=1) \
        + frame(TEXT, b"a" * 70000) + frame(PING, b"end")
    with opened(relais, user) as link:
        link.link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(40):
            link.link.sendall(data[at:at + 1])
        link.link.sendall(data[40:])
        assert link.next() == (PONG, b"between") and link.next() == (PONG, b"end")


BAD = {
    "a reserved bit": (frame(TEXT, b"a", rsv=4), 1002),
    "another reserved bit": (frame(PING, b"a", rsv=1), 1002),
    "a reserved kind": (frame(3, b"a"), 1002),
    "a reserved control": (frame(11, b"a"), 1002),
    "no mask": (frame(TEXT, b"a", mask=None), 1002),
    "a control in fragments": (frame(PING, b"a", fin=0), 1002),
    "a long control": (frame(PING, b"a" * 126), 1002),
    "a long close": (frame(CLOSE, b"\x03\xe8" + b"a" * 124), 1002),
    "a rest of nothing": (frame(0, b"a"), 1002),
    "a message within another": (frame(TEXT, b"a", fin=0) + frame(TEXT, b"b"), 1002),
    "a close of one byte": (frame(CLOSE, b"\x03"), None),
    "a code that nobody sends": (closing(1005), 1002),
    "a code of none": (closing(999), 1002),
    "a length above all": (frame(TEXT, b"a", size=1 << 63), 1002),
    "text that is none": (frame(TEXT, b"\xff\xfe"), 1007),
    "a surrogate": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "half a letter": (frame(TEXT, b"\xc3"), 1007),
    "half a letter in fragments": (frame(TEXT, b"\xc3", fin=0) + frame(0, b"a"), 1007),
    "a reason that is no text": (closing(1000, b"\xff"), 1007),
    "a kind that is not taken": (frame(BINARY, b"a"), 1003),
    "a message too long": (frame(TEXT, b"a" * ((1 << 20) + 1)), 1009),
    "a message too long by what it says": (frame(TEXT, b"a", size=1 << 40), 1009),
    "fragments without end": (frame(TEXT, fin=0) + frame(0, fin=0) * 5000, 1008),
    "a length in more bytes than it needs": (b"\x81\xfe\0\x05maskabcde", 1002),
    "too long in fragments": (frame(TEXT, b"a" * 700000, fin=0) + frame(0, b"a" * 700000), 1009),
}


@pytest.mark.parametrize("name", BAD)
def test_a_frame_that_is_none_closes_with_the_code_that_says_why(relais, user, name):
    data, code = BAD[name]
    with opened(relais, user) as link:
        try:
            link.send(data)
        except OSError:
            pass # it was closed before all of it was sent
        assert link.closed() == code
    with opened(relais, user) as link:
        link.send(frame(PING))
        assert link.next() == (PONG, b"")


def test_any_bytes_leave_the_server_whole(relais, user):
    dice = random.Random(7)
    for _ in range(150):
        with opened(relais, user) as link:
            data = dice.randbytes(dice.randrange(1, 300))
            if dice.random() < 0.5: # something of the right shape, with one byte changed
                data = bytearray(b"".join(frame(dice.choice([0, 1, 2, 8, 9, 10]),
                                                dice.randbytes(dice.randrange(0, 140)),
                                                fin=dice.randrange(2)) for _ in range(4)))
                data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
            try:
                link.send(bytes(data))
                if dice.random() < 0.5:
                    link.link.shutdown(socket.SHUT_WR)
                    link.closed()
            except OSError:
                pass
    assert soon(lambda: sockets_of(relais) == 0), "every socket has ended"


# ---- bounds, deadlines, ends ----

def test_pings_that_are_sent_without_end_are_held_back(relais, user):
    with opened(relais, user) as link:
        link.link.settimeout(0.5)
        many = frame(PING, b"a" * 125) * 500
        sent = 0
        try:
            while sent < 400:
                link.link.sendall(many)
                sent += 1
        except (socket.timeout, OSError):
            pass
        assert sent < 400, "26 MB of pings were taken though no pong was read"
        with opened(relais, user) as other:
            other.send(frame(PING))
            assert other.next() == (PONG, b"")


def test_those_who_take_nothing_of_what_lies_ready_are_cut(relais_with):
    """Nobody reads what a worker's codes make the gateway say: it does not keep that for ever."""
    server = relais_with("--worker-tokens=2=token-2", "--idle-ms=1000", "--log-level=info")
    here = Fleet(server, 2)
    station = here.station("worker-1")
    good(station.register())
    with opened(server, here.admin) as deaf, opened(server, here.admin) as good_one, \
            connect(server) as stream:
        for link in (deaf.link, stream):
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stream.sendall(b"GET /api/v1/events/stream HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n" %
                       bearer(here.admin))
        assert stream.recv(12) == b"HTTP/1.1 200"
        assert soon(lambda: sockets_of(server) == 2)
        for n in range(300):
            good(station.session("s-1", "qr_ready", "qr_required", qrString=f"{n}@x",
                                 qrCode="data:image/png;base64," + "A" * 3900))
            while b'"%d@x"' % n not in good_one.next()[1]:
                pass
        assert soon(lambda: sockets_of(server) == 1), "the deaf one is cut, and it alone"
        assert soon(lambda: "/api/v1/events/stream" in log_of(server)), "the stream is, too"
        assert len(read_all(stream)) < 300 * 3900
        good_one.send(frame(PING, b"still there"))
        while good_one.next() != (PONG, b"still there"):
            pass
    assert soon(lambda: sockets_of(server) == 0)


def test_the_token_of_a_browser_stands_in_the_query(relais, user):
    for name in ("token", "access_token"):
        with Frames(relais, f"{PATH}?{name}={user.token}") as link:
            link.send(frame(PING))
            assert link.next() == (PONG, b"")
    with connect(relais) as link:
        link.sendall(bareframes.request(f"{PATH}?token={user.token}x") + frame(PING))
        assert refusal_of(read_all(link), set()) == 401
    with connect(relais) as link:
        link.sendall(b"GET /tasks/1/?token=%s HTTP/1.1\r\nHost: a\r\n\r\n" % user.token.encode())
        assert read_answer(link)[0] == 401, "another route takes none from there"


def test_a_silent_peer_is_pinged_and_then_cut(relais_with):
    server = relais_with("--socket-ping-ms=4000")
    user = server.caller("user", "silent", 1)
    with opened(server, user) as link:
        assert link.next() == (PING, b"")
        link.send(frame(PONG))
        assert link.next() == (PING, b""), "who answers stays"
        assert link.closed() is None
    assert soon(lambda: sockets_of(server) == 0)


def test_sockets_are_bounded(relais_with):
    server = relais_with("--sockets-max=2")
    user = server.caller("user", "many", 1)
    with opened(server, user), opened(server, user):
        with connect(server) as link:
            link.sendall(bareframes.request(PATH, bearer(user)))
            assert read_answer(link)[0] == 429
    assert soon(lambda: sockets_of(server) == 0)
    opened(server, user).link.close()


def test_a_socket_whose_peer_left_ends(relais, user):
    links = [opened(relais, user) for _ in range(20)]
    assert soon(lambda: sockets_of(relais) == 20)
    for number, link in enumerate(links):
        if number % 2:
            link.link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        link.link.close()
    assert soon(lambda: sockets_of(relais) == 0)


def test_a_stopping_gateway_closes_its_sockets(relais_with):
    server = relais_with()
    with opened(server, server.caller("user", "stopped", 1)) as link:
        link.send(frame(PING))
        assert link.next() == (PONG, b"")
        server.process.terminate()
        opcode, payload = link.next()
        assert opcode == CLOSE and payload[:2] == b"\x03\xe9"
        link.send(closing(1001))
        assert link.next() == (None, None)
        assert server.process.wait(60) == 0


def test_a_stopping_gateway_waits_for_no_close(relais_with):
    server = relais_with("--drain-ms=3600000")
    with opened(server, server.caller("user", "deaf", 1)):
        server.process.terminate()
        assert server.process.wait(60) == 0


def test_a_broker_that_is_gone_closes_the_sockets(relais_with):
    from conftest import end
    broker = relais_with(role="broker")
    gateway = relais_with("--silence-ms=5000", role="gateway", data=broker.data)
    with opened(gateway, gateway.caller("user", "apart", 1)) as link:
        link.send(frame(PING))
        assert link.next() == (PONG, b"")
        end(broker.process, signal.SIGKILL)
        opcode, payload = link.next()
        assert opcode == CLOSE and payload[:2] == b"\x03\xe9"
        link.send(closing(1001))
        assert link.next() == (None, None)
