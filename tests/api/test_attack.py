"""What a hostile HTTP client may try: heads and bodies that no library would send."""
import json
import select
import socket

import pytest

from conftest import Caller
from tasks import SEO


def address(server):
    host, _, port = server.http.removeprefix("http://").rpartition(":")
    return host, int(port)


def sent(server, data, within_s=60):
    """Everything that comes back until the server closes or has nothing more to say."""
    with socket.create_connection(address(server), timeout=within_s) as connection:
        heard = b""
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(65536):
                heard += chunk
        except OSError:
            pass
        return heard


def status(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else None


@pytest.fixture(autouse=True)
def still_there(relais):
    yield
    assert Caller(relais.http).get("/healthz").status_code == 200


def head(relais, brand, line, *lines):
    token = relais.token("user", "martin", brand)
    return "\r\n".join([line, "Host: x", f"Authorization: Bearer {token}", *lines, "", ""]).encode()


def test_a_query_takes_no_memory_of_the_connection(relais, brand):
    for query in ("a=1&" * 300, "a&" * 1500, "&" * 5000, "x" * 5000, "=", "%"):
        assert status(sent(relais, head(relais, brand, f"GET /tasks/1/?{query} HTTP/1.1"))) == 404


def test_a_query_that_is_read_is_read_whole(relais, brand, user):
    made = user.post("/tasks/", SEO).json()
    padding = "a=1&" * 300
    answer = user.get(f"/tasks/{made['id']}/?{padding}x=%20#")
    assert answer.status_code == 200 and answer.json()["id"] == made["id"]


def test_heads_beyond_the_limit(relais, brand):
    plain = "GET /healthz HTTP/1.1"
    for line, lines in ((plain, ["X: y"] * 400), (plain, ["Cookie: " + "a=1; " * 800]),
                        (plain, ["X: " + "y" * 9000]), (f"GET /{'a' * 9000} HTTP/1.1", [])):
        said = sent(relais, head(relais, brand, line, *lines))
        assert status(said) in (None, 400, 414, 431), said[:200]  # None: reset before it was read


@pytest.mark.parametrize("lines,rest", [
    (["Content-Length: 5", "Transfer-Encoding: chunked"],
     b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"),
    (["Content-Length: 5", "Content-Length: 6"], b"helloX"), (["Content-Length: -1"], b""),
    (["Content-Length: +5"], b"hello"), (["Transfer-Encoding: xchunked"], b"0\r\n\r\n"),
    (["Transfer-Encoding: chunked, identity"], b"0\r\n\r\n"), (["X : y"], b""), (["X: a\0b"], b""),
    (["X: y", " folded"], b""), (["Expect: 200-ok", "Content-Length: 2"], b"{}")])
def test_what_proxies_read_differently_is_refused(relais, brand, lines, rest):
    said = sent(relais, head(relais, brand, "POST /tasks/ HTTP/1.1", *lines) + rest)
    assert status(said) == 400 and b"200 OK" not in said


def test_a_body_is_never_the_next_request(relais, brand):
    inner = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    asked = head(relais, brand, "GET /tasks/1/ HTTP/1.1", f"Content-Length: {len(inner)}")
    assert sent(relais, asked + inner).count(b"HTTP/1.1 ") == 1


BODY = json.dumps(SEO).encode()[:-1]


BODIES = [
    b"[" * 100000, b'{"a":' * 50000 + b"1" + b"}" * 50000, BODY + b',"task_type":"x"}',
    BODY + b',"x":NaN}', BODY + b',"x":1e999}', BODY + b',"x":' + b"9" * 5000 + b"}",
    BODY + b',"x":"\\u0000"}', BODY + b',"x":"\0"}', BODY + b',"x":"\\ud800"}',
    BODY + b',"x":"\xff"}', b"\xef\xbb\xbf" + BODY + b"}", BODY + b"} x", b"", b"[]", b"null"]


def test_json_that_is_none(user):
    for body in BODIES:
        answer = user.call("POST", "/tasks/", data=body,
                           headers={"Content-Type": "application/json"})
        assert answer.status_code == 400, body[:80]
        assert answer.json()["error_code"] == "VALIDATION_ERROR", body[:80]


def test_a_stranger_cannot_tell_a_task_from_none(user, stranger):
    made = user.post("/tasks/", SEO).json()["id"]
    for method, end in [("GET", ""), ("POST", "cancel/"), ("POST", "retry/"), ("GET", "logs/"),
                        ("POST", "checkpoint/"), ("GET", "stream/"), ("POST", "complete/")]:
        body = {} if method == "POST" else None
        told = [stranger.call(method, f"/tasks/{number}/{end}", json=body)
                for number in (made, 2**53 - 1)]
        assert told[0].status_code == told[1].status_code and told[0].text == told[1].text


def test_slow_writers_do_not_slow_others(relais, user):
    """Others are served while the heads of twenty come byte by byte, and before any of those is
    told that it takes too long."""
    made, count = user.post("/tasks/", SEO).json()["id"], 0
    slow = [socket.create_connection(address(relais)) for _ in range(20)]
    for byte in b"POST /tasks/ HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 10:
        for connection in slow:
            connection.send(bytes([byte]))
        assert user.get(f"/tasks/{made}/").status_code == 200
        if select.select(slow, [], [], 0)[0]:
            break
        count += 1
    for connection in slow:
        connection.close()
    assert count > 10


def test_a_worker_of_another_brand_cannot_tell_a_task_from_none(relais, user, worker, stranger):
    made = user.post("/tasks/", SEO).json()["id"]
    foreign = relais.caller("worker", "foreign", 99999)
    bodies = {"heartbeat": {}, "progress": {"progress": 5}, "complete": {"result": {}},
              "fail": {"error_message": "x"}}
    for when in ("waiting", "claimed"):
        for end, body in bodies.items():
            told = [foreign.post(f"/tasks/{number}/{end}/", body) for number in (made, 2**53 - 1)]
            assert told[0].status_code == told[1].status_code, (when, end, told[0].text)
            assert told[0].text == told[1].text
        if when == "waiting":
            assert worker.post("/tasks/claim/", {"wait": 5}).json()["count"] == 1
    assert worker.post(f"/tasks/{made}/complete/", {"result": {}}).status_code == 200
