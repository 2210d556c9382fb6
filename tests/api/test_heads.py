"""Heads of requests: those that other software reads differently, those that are malformed, and
those that must be taken however they arrive. Raw sockets against the real binary.
"""
import json
import random
import socket
import threading
import time

import pytest

from wire import FORMS, GET, HOST, POST, connect, read_all, read_answer, refusal_of, said

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

TO = b"POST %s HTTP/1.1\r\n" + HOST
CHUNKED = TO + b"Transfer-Encoding: chunked\r\n\r\n"
MALFORMED = { # %s is the path
    "a long target": (b"GET %s" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    "a target without an end": (b"GET %s" + b"a" * 9000, 414),
    "a long header": (b"GET %s HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 9000 + b"\r\n\r\n", 431),
    "headers without an end": (b"GET %s HTTP/1.1\r\n" + b"X: abcdefgh\r\n" * 900, 431),
    "many cookies": (b"GET %s HTTP/1.1\r\n" + HOST + b"Cookie: " + b"a=b; " * 200 + b"\r\n\r\n",
                     431),
    "HTTP/2.0": (b"GET %s HTTP/2.0\r\n" + HOST + b"\r\n", 505),
    "HTTP/0.9": (b"GET %s HTTP/0.9\r\n" + HOST + b"\r\n", 505),
    "no version": (b"GET %s\r\n" + HOST + b"\r\n", 400),
    "another protocol": (b"GET %s HTCPCP/1.0\r\n" + HOST + b"\r\n", 400),
    "no colon": (b"GET %s HTTP/1.1\r\n" + HOST + b"Xab\r\n\r\n", 400),
    "no colon in the first header": (b"GET %s HTTP/1.1\r\nXab\r\n" + HOST + b"\r\n", 400),
    "a length that is none": (TO + b"Content-Length: 1a\r\n\r\n", 400),
    "no length": (TO + b"Content-Length:\r\n\r\n", 400),
    "a length over all": (TO + b"Content-Length: 99999999999999999999\r\n\r\n", 413),
    "a bare line feed": (b"GET %s HTTP/1.1\n" + HOST + b"\n", 400),
    "NUL": (b"GET %s HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n", 400),
    "no chunk": (CHUNKED + b"xyz\r\n", None),
    "a chunk over all": (CHUNKED + b"ffffffffffffffffff\r\n", None),
    "a chunk without an end": (CHUNKED + b"3\r\nabcdef\r\n", None),
    "a trailer without a colon": (CHUNKED + b"0\r\nabc\r\n\r\n", None),
}


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
    # so at once: what waits for the rest of its head gets 408
    assert refusal_of(said(relais, data), {"error", "code"}) in (400, 505)


def test_no_mutation_of_a_request_gets_another_page(relais, user):
    """Whatever one changed byte makes of requests in a row, what answers is a dialect."""
    dice = random.Random(3)
    token = b"Authorization: Bearer " + user.token.encode()
    sound = [b"GET /tasks/1/?a=b HTTP/1.1\r\n" + HOST + token + b"\r\n\r\n",
             POST + HOST + token + b"\r\nContent-Length: 2\r\n\r\n{}",
             POST + HOST + b"Cookie: a=b; c\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
             b"X: y\r\n\r\n", GET + HOST + b"X:\r\n\r\n"]
    for _ in range(400):
        data = bytearray(b"".join(dice.choices(sound, k=3)))
        for _ in range(dice.randrange(1, 3)):
            at = dice.randrange(len(data))
            kind = dice.randrange(3)
            if kind == 0:
                data[at] = dice.choice(b"\r\n :\0\t,;0Ha/%\xff")
            elif kind == 1:
                del data[at:at + dice.randrange(1, 4)]
            else:
                data[at:at] = dice.choice([b"\r\n", b"\n", b" ", b"\0", b":", b"0", b"\r\n\r\n"])
        with connect(relais) as link:
            try:
                cut = dice.randrange(len(data))
                link.sendall(data[:cut])
                link.sendall(data[cut:])
                link.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            answer = read_all(link)
        assert b"<" not in answer, (bytes(data), answer)


def test_a_malformed_chunk_of_a_taken_body_is_refused(relais, user):
    head = POST + HOST + b"Authorization: Bearer %s\r\nContent-Type: application/json\r\n" \
        b"Transfer-Encoding: chunked\r\n\r\n" % user.token.encode()
    for pieces in ([b"5\r\n{\"tas\r\n", b"oops\r\n"], [b"5\r\n{\"tas\r\noops\r\n"],
                   [b"5\r\n{\"tasXX"]):
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
        for at in range(0, len(data), 3):
            link.sendall(data[at:at + 3])
        assert read_answer(link)[0] == 201
        link.sendall(data * 2 + GET + HOST + b"Connection: close\r\n\r\n")
        assert read_all(link).count(b"HTTP/1.1 201 ") == 2


def test_heads_up_to_the_limit_are_answered(relais):
    """No size in between falls to libmicrohttpd: every head is taken, or refused as too large."""
    taken = refused = 0
    with connect(relais) as link:
        for size in range(4400, 6000, 50):
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
