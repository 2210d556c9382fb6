"""What the gateway does with any request, whatever its dialect: heads that other software reads
differently, limits, deadlines, slow and leaving clients. Raw sockets against the real binary.
"""
import concurrent.futures
import json
import os
import re
import signal
import socket
import struct
import threading
import time

import pytest

HOST = b"Host: a\r\n"
GET = b"GET /health HTTP/1.1\r\n"
POST = b"POST /tasks/ HTTP/1.1\r\n"


def connect(server):
    host, port = server.http.split("//")[1].rsplit(":", 1)
    link = socket.create_connection((host, int(port)))
    link.settimeout(10)
    return link


def read_all(link):
    """Everything until the server closes; what was read when it resets."""
    data = b""
    try:
        while chunk := link.recv(65536):
            data += chunk
    except (ConnectionResetError, socket.timeout):
        pass
    return data


def read_answer(link):
    """One answer: status, headers (lower case), body by Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = link.recv(65536)
        assert chunk, f"closed after {data!r}"
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}
    while len(body) < int(headers["content-length"]):
        body += link.recv(65536)
    return int(lines[0].split()[1]), headers, body


def said(server, data):
    with connect(server) as link:
        link.sendall(data)
        return read_all(link)


SMUGGLED = b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
REFUSED = {
    "length beside coding": POST + HOST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
                            b"0\r\n\r\n" + SMUGGLED,
    "two lengths": POST + HOST + b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + SMUGGLED,
    "two equal lengths": POST + HOST + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n" + SMUGGLED,
    "two codings": POST + HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
                   b"0\r\n\r\n" + SMUGGLED,
    "another coding": POST + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "an unknown coding": POST + HOST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunked in 1.0": b"POST /tasks/ HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
                      b"0\r\n\r\n" + SMUGGLED,
    "a blank before the colon": POST + HOST + b"Content-Length : 44\r\n\r\n" + SMUGGLED,
    "a tab before the colon": GET + b"Host\t: a\r\n\r\n" + SMUGGLED,
    "bare line feeds": b"GET /health HTTP/1.1\nHost: a\n\n" + SMUGGLED,
    "one bare line feed": GET + b"Host: a\nX: b\r\n\r\n" + SMUGGLED,
    "a bare line feed at the end": GET + HOST + b"\n" + SMUGGLED,
    "a bare carriage return": GET + HOST + b"X: a\rY: b\r\n\r\n" + SMUGGLED,
    "a folded line": GET + HOST + b"X: a\r\n b\r\n\r\n" + SMUGGLED,
    "a line without a colon": GET + HOST + b"Xab\r\n\r\n" + SMUGGLED,
    "an empty name": GET + HOST + b": b\r\n\r\n" + SMUGGLED,
    "two hosts": GET + HOST + b"Host: b\r\n\r\n" + SMUGGLED,
    "two equal hosts": GET + HOST + HOST + b"\r\n" + SMUGGLED,
    "no host": GET + b"\r\n" + SMUGGLED,
    "a host with a path": GET + b"Host: a/b\r\n\r\n" + SMUGGLED,
    "NUL in the target": b"GET /health\0/x HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED,
    "NUL in a value": GET + HOST + b"X: a\0b\r\n\r\n" + SMUGGLED,
    "NUL in a name": GET + HOST + b"X\0Y: b\r\n\r\n" + SMUGGLED,
    "NUL in the version": b"GET /health HTTP/1.1\0\r\n" + HOST + b"\r\n" + SMUGGLED,
    "a control byte in a value": GET + HOST + b"X: a\x01b\r\n\r\n" + SMUGGLED,
    "TRACE": b"TRACE /health HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED,
    "CONNECT": b"CONNECT a:80 HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED,
    "an unknown method": b"BREW /health HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED,
    "a lower-case method": b"get /health HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED,
    "absolute-form": b"GET http://a/health HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED,
    "asterisk-form": b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED,
    "two blanks": b"GET  /health HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED,
    "a blank in the target": b"GET /hea lth HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED,
    "a raw byte in the target": b"GET /h\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED,
    "a fragment": b"GET /health#x HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED,
    "HTTP/1.2": b"GET /health HTTP/1.2\r\n" + HOST + b"\r\n" + SMUGGLED,
    "a signed length": POST + HOST + b"Content-Length: +5\r\n\r\nabcde" + SMUGGLED,
    "a negative length": POST + HOST + b"Content-Length: -5\r\n\r\nabcde" + SMUGGLED,
    "a hexadecimal length": POST + HOST + b"Content-Length: 0x5\r\n\r\nabcde" + SMUGGLED,
    "a list of lengths": POST + HOST + b"Content-Length: 5, 5\r\n\r\nabcde" + SMUGGLED,
    "a length with a blank": POST + HOST + b"Content-Length: 5 \r\n\r\nabcde" + SMUGGLED,
    "too many headers": GET + HOST + b"".join(b"X%d: a\r\n" % n for n in range(80)) + b"\r\n"
                        + SMUGGLED,
    "another expectation": POST + HOST + b"Expect: a miracle\r\nContent-Length: 0\r\n\r\n"
                           + SMUGGLED,
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_head_that_others_read_differently_is_refused(relais, name):
    answer = said(relais, REFUSED[name])
    assert answer.startswith(b"HTTP/1.1 400 "), answer[:300]
    assert b"connection: close" in answer.lower()
    assert b"smuggled" not in answer and b"NOT_FOUND" not in answer, "the second request ran"


# ---- whose form a malformed request is answered in ----

# a path of each dialect, and the members of its errors
FORMS = {
    "megahub": (b"/tasks/", {"detail", "error_code", "field_errors"}),
    "speech": (b"/api/batchTranscription/result", {"status", "message", "code"}),
    "house": (b"/health", {"error", "code"}),
}
MALFORMED = { # %s is the path
    "a long target": (b"GET %s" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    "a target without an end": (b"GET %s" + b"a" * 9000, 414),
    "a long header": (b"GET %s HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 9000 + b"\r\n\r\n", 431),
    "headers without an end": (b"GET %s HTTP/1.1\r\n" + b"X: abcdefgh\r\n" * 900, 431),
    "many cookies": (b"GET %s HTTP/1.1\r\n" + HOST + b"Cookie: " + b"a=b; " * 200 + b"\r\n\r\n", 431),
    "HTTP/2.0": (b"GET %s HTTP/2.0\r\n" + HOST + b"\r\n", 505),
    "HTTP/0.9": (b"GET %s HTTP/0.9\r\n" + HOST + b"\r\n", 505),
    "no version": (b"GET %s\r\n" + HOST + b"\r\n", 400),
    "another protocol": (b"GET %s HTCPCP/1.0\r\n" + HOST + b"\r\n", 400),
    "no colon": (b"GET %s HTTP/1.1\r\n" + HOST + b"Xab\r\n\r\n", 400),
    "no colon in the first header": (b"GET %s HTTP/1.1\r\nXab\r\n" + HOST + b"\r\n", 400),
    "a length that is none": (b"POST %s HTTP/1.1\r\n" + HOST + b"Content-Length: 1a\r\n\r\n", 400),
    "no length": (b"POST %s HTTP/1.1\r\n" + HOST + b"Content-Length:\r\n\r\n", 400),
    "a length over all": (b"POST %s HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999999999999999\r\n\r\n",
                          413),
    "a bare line feed": (b"GET %s HTTP/1.1\n" + HOST + b"\n", 400),
    "NUL": (b"GET %s HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n", 400),
    "no chunk": (b"POST %s HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", None),
    "a chunk over all": (b"POST %s HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
                         b"ffffffffffffffffff\r\n", None),
    "a chunk without an end": (b"POST %s HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
                               b"3\r\nabcdef\r\n", None),
    "a trailer without a colon": (b"POST %s HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
                                  b"0\r\nabc\r\n\r\n", None),
}


def refusal_of(answer, members):
    """The status of one error that closes its connection, in the form of its dialect."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"<html" not in answer.lower() and b"<" not in body, "libmicrohttpd's own page"
    assert b"connection: close" in head.lower() and b"application/json" in head.lower(), head
    found = json.loads(body)
    assert members <= set(found), found
    return int(head.split()[1])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.parametrize("before", ["first", "later", "pipelined"])
def test_a_malformed_request_is_refused_in_the_form_of_its_dialect(relais, name, form, before):
    path, members = FORMS[form]
    data, status = MALFORMED[name]
    data = data.replace(b"%s", path)
    sound = GET + HOST + b"\r\n"
    with connect(relais) as link:
        answers = 0
        if before == "later":
            for answers in (1, 2):
                link.sendall(sound)
                assert read_answer(link)[0] == 200
        link.sendall(sound * 2 + data if before == "pipelined" else data)
        answer = read_all(link)
    if before == "pipelined":
        parts = answer.split(b'{"status":"ok"}')
        assert len(parts) == 3, "the sound ones before it are answered"
        answer = parts[2]
    got = refusal_of(answer, members)
    # a body is looked at last: the refusal that the request gets anyway goes before
    assert got == status if status else got in (400, 401, 404, 405, 413), answer


@pytest.mark.parametrize("data", [
    b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + b"a" * 500,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"hello\r\n", b"\0\0\0\0", b" GET / HTTP/1.1\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n",
], ids=["TLS", "HTTP/2", "a word", "zeros", "a blank first", "SSH"])
def test_what_is_no_http_is_refused_at_once(relais, data):
    start = time.monotonic()
    assert refusal_of(said(relais, data), {"error", "code"}) in (400, 505)
    assert time.monotonic() - start < 3


def test_a_malformed_chunk_of_a_taken_body_is_refused(relais, user):
    head = POST + HOST + b"Authorization: Bearer %s\r\nContent-Type: application/json\r\n" \
        b"Transfer-Encoding: chunked\r\n\r\n" % user.token.encode()
    for pieces in ([b"5\r\n{\"tas\r\n", b"oops\r\n"], [b"5\r\n{\"tas\r\noops\r\n"], [b"5\r\n{\"tasXX"]):
        with connect(relais) as link:
            link.sendall(head)
            for piece in pieces:
                link.sendall(piece)
                time.sleep(0.02) # apart on the wire
            answer = read_all(link)
        assert refusal_of(answer, {"detail", "error_code"}) == 400


def test_a_chunked_body_may_have_extensions_and_trailers(relais, user):
    head = POST + HOST + b"Authorization: Bearer %s\r\nContent-Type: application/json\r\n" \
        b"Transfer-Encoding: chunked\r\n\r\n" % user.token.encode()
    body = b'{"task_type":"x"}'
    data = head + b"%X;a=b\r\n%s\r\n0;last\r\nX-Sum: 1\r\nY:\r\n\r\n" % (len(body), body)
    with connect(relais) as link:
        link.sendall(data * 2)
        assert read_answer(link)[0] == 201 and read_answer(link)[0] == 201
        for at in range(0, len(data), 3):
            link.sendall(data[at:at + 3])
        assert read_answer(link)[0] == 201


def test_heads_up_to_the_limit_are_answered(relais):
    """No size in between falls to libmicrohttpd: every head is taken, or refused as too large."""
    taken = refused = 0
    with connect(relais) as link:
        for size in range(4000, 5600, 50):
            for headers in (1, 10):
                each = b"a" * (size // headers)
                data = GET + HOST + b"".join(b"X%d: %s\r\n" % (n, each) for n in range(headers))
                link.sendall(data + b"\r\n")
                status, _, _ = read_answer(link)
                taken, refused = taken + (status == 200), refused + (status == 431)
                if status != 200:
                    assert status == 431
                    link.close()
                    link = connect(relais)
        link.close()
    assert taken > 10 and refused > 10


def test_a_head_may_come_in_any_two_pieces(relais):
    data = b"GET /health?a=b HTTP/1.1\r\n" + HOST + b"X: y\r\n\r\n"
    with connect(relais) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for cut in range(1, len(data)):
            link.sendall(data[:cut])
            time.sleep(0.001) # apart on the wire
            link.sendall(data[cut:])
            assert read_answer(link)[0] == 200


def test_a_large_pipeline_is_answered_whole(relais):
    """More than libmicrohttpd reads at once, cut anywhere."""
    one = b"GET /health?%s HTTP/1.1\r\n" + HOST + b"\r\n"
    data = b"".join(one % (b"a" * (n * 37 % 1500)) for n in range(300))
    with connect(relais) as link:
        sender = threading.Thread(target=link.sendall, args=(data,))
        sender.start()
        read, text = 0, b""
        while read < 300:
            chunk = link.recv(65536)
            assert chunk, f"closed after {read}"
            text += chunk
            read = text.count(b'{"status":"ok"}')
        sender.join()


@pytest.mark.parametrize("data", [
    GET + HOST + b"\r\n",
    b"\r\n" + GET + HOST + b"\r\n",
    GET + b"Host:a\r\nX:\r\nY:b\r\n\r\n",
    GET + b"Host: a\r\nX: \t b \r\n\r\n",
    GET + b"host: a:8000\r\n\r\n",
    b"GET /health?a=1&b=%20&&c HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /health/ HTTP/1.1\r\n" + HOST + b"\r\n",
], ids=["plain", "empty line first", "no blanks", "blanks", "lower case", "query", "slash"])
def test_sound_heads_are_taken(relais, data):
    with connect(relais) as link:
        for _ in range(2):
            link.sendall(data)
            status, headers, body = read_answer(link)
            assert status == 200 and json.loads(body) == {"status": "ok"}
            assert "connection" not in headers, "the connection stays open"


def test_requests_may_be_pipelined(relais):
    with connect(relais) as link:
        link.sendall((GET + HOST + b"\r\n") * 20 + b"GET /health HTTP/1.1\r\n" + HOST
                     + b"Connection: close\r\n\r\n")
        assert read_all(link).count(b'{"status":"ok"}') == 21


def test_a_head_may_come_byte_by_byte(relais):
    with connect(relais) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in GET + HOST + b"\r\n":
            link.sendall(bytes([byte]))
        assert read_answer(link)[0] == 200


def test_a_refusal_with_a_body_keeps_the_connection(relais):
    with connect(relais) as link:
        for _ in range(2):
            link.sendall(POST + HOST + b"Content-Length: 5\r\n\r\nabcde")
            assert read_answer(link)[0] == 401
        link.sendall(POST + HOST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n")
        assert read_answer(link)[0] == 401
        link.sendall(GET + HOST + b"\r\n")
        assert read_answer(link)[0] == 200


def test_a_large_refused_body_still_gets_its_answer(relais):
    with connect(relais) as link:
        link.sendall(POST + HOST + b"Content-Length: 3000000\r\n\r\n" + b"a" * 3000000)
        assert read_all(link).startswith(b"HTTP/1.1 401 ")


def test_continue_is_not_said_to_a_body_that_is_refused(relais, user):
    head = POST + HOST + b"Authorization: Bearer %s\r\nContent-Type: application/json\r\n" \
        b"Expect: 100-continue\r\n" % user.token.encode()
    with connect(relais) as link:
        link.sendall(head + b"Content-Length: 20000000\r\n\r\n")
        assert read_all(link).startswith(b"HTTP/1.1 413 ")
    with connect(relais) as link:
        body = b'{"task_type":"x"}'
        link.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body))
        assert link.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        link.sendall(body)
        assert read_answer(link)[0] == 201


def test_a_chunked_body_is_bounded_too(relais, user):
    head = POST + HOST + b"Authorization: Bearer %s\r\nContent-Type: application/json\r\n" \
        b"Transfer-Encoding: chunked\r\n\r\n" % user.token.encode()
    with connect(relais) as link:
        link.sendall(head)
        chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
        try:
            for _ in range(40):
                link.sendall(chunk)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert read_all(link).startswith(b"HTTP/1.1 413 ")


def test_framework_errors_have_the_dialects_shape(relais, nobody):
    for path, keys in [("/tasks/", {"detail", "error_code", "field_errors"}),
                       ("/api/batchTranscription/result", {"status", "message", "code"}),
                       ("/nowhere", {"error", "code"})]:
        answer = nobody.delete(path + "a/b/c/d/e") if path != "/nowhere" else nobody.get(path)
        assert answer.status_code == 404 and keys <= set(answer.json()), answer.text
    answer = nobody.delete("/tasks/")
    assert answer.status_code == 405 and answer.json()["error_code"] == "METHOD_NOT_ALLOWED"
    assert set(answer.headers["Allow"].replace(" ", "").split(",")) >= {"POST", "OPTIONS"}
    answer = nobody.get("/tasks/%2e%00/")
    assert answer.status_code == 400 and "error_code" in answer.json()


def test_health_readiness_and_metrics_are_open(relais, nobody):
    for path in ("/health", "/healthz", "/live", "/ready", "/readyz"):
        assert nobody.get(path).status_code == 200
    assert nobody.call("HEAD", "/health").text == ""
    metrics = nobody.get("/metrics")
    assert metrics.headers["Content-Type"].startswith("text/plain")
    for line in metrics.text.splitlines():
        assert re.fullmatch(r"# (HELP|TYPE) relais_\w+ .+|relais_\w+({\w+=\"[^\"]+\"})? \d+", line)
    assert re.search(r'^relais_http_requests_total{class="2xx"} [1-9]', metrics.text, re.M)
    assert re.search(r"^relais_core_submitted_total \d", metrics.text, re.M)


def test_every_answer_carries_a_request_id(relais, nobody):
    ids = {nobody.get("/health").headers["X-Request-Id"] for _ in range(50)}
    assert len(ids) == 50
    assert nobody.get("/health", headers={"X-Request-Id": "mine-1"}).headers["X-Request-Id"] \
        == "mine-1"
    assert nobody.get("/health", headers={"X-Request-Id": "a b\"c"}).headers["X-Request-Id"] \
        != "a b\"c"


def test_browsers_are_answered(relais, nobody):
    answer = nobody.call("OPTIONS", "/tasks/", headers={
        "Origin": "https://app.example", "Access-Control-Request-Method": "POST"})
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    refused = nobody.post("/tasks/", {}, headers={"Origin": "https://app.example"})
    assert refused.status_code == 401 and refused.headers["Access-Control-Allow-Origin"] == "*"


# ---- deadlines ----

SLOW = ("--header-ms=400", "--request-ms=1500", "--idle-ms=800", "--body-rate-min=1000")


@pytest.fixture(scope="module")
def impatient():
    from conftest import Relais
    server = Relais(*SLOW, "--http-threads=1")
    yield server
    assert server.process.poll() is None
    assert server.stop() == 0


def closed_within(link, least_s, most_s):
    start = time.monotonic()
    data = read_all(link)
    took = time.monotonic() - start
    assert least_s <= took <= most_s, took
    return data


def test_a_connection_that_says_nothing_is_closed(impatient):
    with connect(impatient) as link:
        assert closed_within(link, 0.2, 2) == b""


def test_a_head_that_is_dripped_is_closed(impatient):
    with connect(impatient) as link:
        link.sendall(GET)
        drip = threading.Thread(target=drip_into, args=(link, b"X-%d: a\r\n"))
        drip.start()
        data = closed_within(link, 0.2, 2)
        drip.join()
        assert refusal_of(data, {"error", "code"}) == 408


@pytest.mark.parametrize("form", FORMS)
def test_what_comes_too_late_is_told_so_in_the_form_of_its_dialect(impatient, form):
    path, members = FORMS[form]
    for data in (b"GET %s HTTP/1.1\r\nHos" % path, b"POST %s HTTP/1.1\r\n" % path + HOST):
        with connect(impatient) as link:
            link.sendall(GET + HOST + b"\r\n")
            assert read_answer(link)[0] == 200
            link.sendall(data)
            assert refusal_of(closed_within(link, 0.2, 2), members) == 408


def drip_into(link, form):
    try:
        for n in range(60):
            link.sendall(form % n)
            time.sleep(0.05)
    except OSError:
        pass


def test_an_idle_connection_is_closed(impatient):
    with connect(impatient) as link:
        link.sendall(GET + HOST + b"\r\n")
        assert read_answer(link)[0] == 200
        assert closed_within(link, 0.4, 3) == b""


def test_a_body_that_is_dripped_is_closed(impatient):
    token = impatient.token("user", "slow", 1).encode()
    with connect(impatient) as link:
        link.sendall(POST + HOST + b"Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
                     b"Content-Length: 100000\r\n\r\n{" % token)
        drip = threading.Thread(target=drip_into, args=(link, b" %d"))
        drip.start()
        assert closed_within(link, 0.3, 3).startswith(b"HTTP/1.1 408 ")
        drip.join()


def job_of(server, sound):
    answer = server.caller("user", "slow", 1).post(
        "/api/batchTranscription/createJob", files={"audioFile": ("a.wav", sound, "audio/wav")})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["job_uuid"]


def test_a_slow_reader_gets_a_long_answer_whole(impatient):
    sound = bytes(range(256)) * 40000
    job = job_of(impatient, sound)
    worker = impatient.caller("worker", "slow-w", 1)
    assert worker.post("/api/batchTranscription/claim", {}).json()["data"]["task"]
    answer = worker.get(f"/api/batchTranscription/{job}/audio", stream=True)
    body, start = b"", time.monotonic()
    for chunk in answer.iter_content(512 << 10):
        body += chunk
        time.sleep(0.13)
    assert body == sound and time.monotonic() - start > 2, "longer than request_ms"


def test_a_reader_that_stops_is_closed(impatient):
    job = job_of(impatient, bytes(30_000_000))
    worker = impatient.caller("worker", "slow-w", 1)
    assert worker.post("/api/batchTranscription/claim", {}).json()["data"]["task"]
    with connect(impatient) as link:
        link.sendall(b"GET /api/batchTranscription/%s/audio HTTP/1.1\r\nHost: a\r\n"
                     b"Authorization: Bearer %s\r\n\r\n" % (job.encode(), worker.token.encode()))
        assert link.recv(1000).startswith(b"HTTP/1.1 200 ")
        time.sleep(2)
        assert len(read_all(link)) < 30_000_000


def test_events_go_on_beyond_the_deadline_of_requests(impatient):
    job = job_of(impatient, b"RIFF")
    user = impatient.caller("user", "slow", 1)
    events = user.get(f"/api/batchTranscription/events?job_uuid={job}", stream=True)
    assert events.headers["Content-Type"].startswith("text/event-stream")
    lines = events.iter_lines()
    assert any(line.startswith(b"data: ") for line in lines)
    time.sleep(2)
    assert user.delete(f"/api/batchTranscription/cancel?job_uuid={job}").status_code == 200
    assert any(b"cancelled" in line.lower() for line in lines)


def test_an_upload_that_breaks_off_leaves_nothing(relais, user):
    incoming = os.path.join(relais.data, "files", "incoming")
    head = b"POST /api/batchTranscription/createJob HTTP/1.1\r\nHost: a\r\n" \
        b"Authorization: Bearer %s\r\nContent-Type: multipart/form-data; boundary=XX\r\n" \
        b"Content-Length: 50000000\r\n\r\n--XX\r\nContent-Disposition: form-data; " \
        b"name=\"audioFile\"; filename=\"a.wav\"\r\n\r\n" % user.token.encode()
    links = [connect(relais) for _ in range(8)]
    for number, link in enumerate(links):
        link.sendall(head + b"x" * (300_000 * number))
    deadline = time.monotonic() + 10
    while len(os.listdir(incoming)) < 8 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(os.listdir(incoming)) >= 8
    for number, link in enumerate(links):
        (reset if number % 2 else socket.socket.close)(link)
    while os.listdir(incoming) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert os.listdir(incoming) == []


def test_drip_feeders_do_not_hurt_a_good_client(impatient):
    feeders = [connect(impatient) for _ in range(500)]
    try:
        for link in feeders:
            link.sendall(b"GET /hea")
        took = []
        with connect(impatient) as good:
            for turn in range(200):
                for link in feeders[turn::200]:
                    try:
                        link.sendall(b"l")
                    except OSError:
                        pass
                start = time.monotonic()
                good.sendall(GET + HOST + b"\r\n")
                assert read_answer(good)[0] == 200
                took.append(time.monotonic() - start)
        assert sorted(took)[int(len(took) * 0.99)] < 0.1
    finally:
        for link in feeders:
            link.close()


def test_connections_are_bounded(relais_with):
    server = relais_with("--connections-max=8", "--http-threads=1", "--header-ms=1000")
    crowd = [connect(server) for _ in range(30)]
    start = time.monotonic()
    with connect(server) as link: # served once the crowd has been thrown out
        link.sendall(GET + HOST + b"Connection: close\r\n\r\n")
        link.settimeout(15)
        assert read_all(link).startswith(b"HTTP/1.1 200 ")
    assert time.monotonic() - start < 12
    for one in crowd:
        one.close()


# ---- clients that leave ----

def reset(link):
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    link.close()


@pytest.mark.parametrize("leave", [socket.socket.close, reset])
def test_a_claim_whose_client_left_takes_nothing(relais, user, worker, leave):
    head = b"POST /tasks/claim/ HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n" \
        b"Content-Type: application/json\r\n" % worker.token.encode()
    body = b'{"wait": 20}'
    for _ in range(5):
        link = connect(relais)
        link.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        time.sleep(0.05)
        leave(link)
    time.sleep(0.1)
    task = user.post("/tasks/", {"task_type": "left"}).json()
    answer = worker.post("/tasks/claim/", {"wait": 5}).json()
    assert answer["count"] == 1 and answer["tasks"][0]["id"] == task["id"]
    assert answer["tasks"][0]["attempt"] == 1, "nothing was spent on those who left"


def test_a_thousand_waits_that_are_left_leave_nothing(relais, worker, nobody):
    head = b"POST /tasks/claim/ HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n" \
        b"Content-Type: application/json\r\nContent-Length: 12\r\n\r\n" % worker.token.encode()
    for _ in range(4):
        links = [connect(relais) for _ in range(250)]
        for link in links:
            link.sendall(head + b'{"wait": 30}')
        for link in links:
            link.close()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = re.search(r"^relais_core_parked (\d+)", nobody.get("/metrics").text, re.M)
        if int(found[1]) == 0:
            return
        time.sleep(0.05)
    pytest.fail(f"{found[1]} waits are still parked")


def test_a_stopping_gateway_ends_its_waits(relais_with):
    server = relais_with()
    worker = server.caller("worker", "waits", 1)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(worker.post, "/tasks/claim/", {"wait": 30})
        time.sleep(0.5)
        start = time.monotonic()
        server.process.terminate()
        answer = waiting.result()
        assert answer.status_code == 503 and answer.json()["error_code"] == "UNAVAILABLE"
        assert int(answer.headers["Retry-After"]) >= 1
        assert server.process.wait(10) == 0 and time.monotonic() - start < 5


def soon(check, within_s=10):
    deadline = time.monotonic() + within_s
    while not (found := check()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def test_a_gateway_apart_outlives_its_broker(relais_with):
    from conftest import end
    broker = relais_with(role="broker")
    gateway = relais_with("--answer-ms=1000", role="gateway", data=broker.data)
    user = gateway.caller("user", "apart", 1)
    assert user.post("/tasks/", {"task_type": "x"}).status_code == 201
    end(broker.process, signal.SIGKILL)
    refused = user.post("/tasks/", {"task_type": "x"})
    assert refused.status_code == 503 and int(refused.headers["Retry-After"]) >= 1
    assert user.get("/health").status_code == 200
    again = relais_with(role="broker", data=broker.data)
    assert soon(lambda: user.post("/tasks/", {"task_type": "x"}).status_code == 201)
    assert user.get("/ready").status_code == 200
    again.process.send_signal(signal.SIGSTOP)
    start = time.monotonic()
    answer = user.post("/tasks/", {"task_type": "x"})
    again.process.send_signal(signal.SIGCONT)
    assert answer.status_code in (503, 504) and time.monotonic() - start < 16
    assert soon(lambda: user.post("/tasks/", {"task_type": "x"}).status_code == 201)


def test_many_clients_at_once(relais, user):
    def create(n):
        return user.post("/tasks/", {"task_type": f"crowd-{n % 7}"},
                         headers={"Connection": "close"}).json()["id"]
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        ids = list(pool.map(create, range(600)))
    assert len(set(ids)) == 600


def test_too_many_requests_of_one_principal_are_refused(relais_with):
    server = relais_with("--rate-per-min=30")
    caller = server.caller("user", "busy", 1)
    codes = [caller.post("/tasks/", {"task_type": "x"}).status_code for _ in range(40)]
    assert codes.count(201) in (30, 31) and set(codes) == {201, 429}
    answer = caller.post("/tasks/", {"task_type": "x"})
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.json()["error_code"] == "THROTTLED"
    assert server.caller("user", "calm", 1).post("/tasks/", {"task_type": "x"}).status_code == 201
