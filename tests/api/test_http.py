"""What the gateway does with any request, whatever its dialect: bodies, limits, deadlines, slow and
leaving clients. Raw sockets against the real binary.
"""
import concurrent.futures
import os
import re
import select
import signal
import socket
import struct
import threading
import time

import pytest
import requests

from conftest import Relais, end
from wire import FORMS, GET, HOST, POST, connect, read_all, read_answer, refusal_of

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
    allowed = answer.headers["Access-Control-Allow-Headers"].split(", ")
    assert {"Authorization", "Content-Type", "X-API-KEY", "X-Brand-ID", "X-Lease", "X-Seq",
            "Idempotency-Key", "Last-Event-ID", "Range"} == set(allowed)
    refused = nobody.post("/tasks/", {}, headers={"Origin": "https://app.example"})
    assert refused.status_code == 401 and refused.headers["Access-Control-Allow-Origin"] == "*"
    assert "X-Total-Count" in refused.headers["Access-Control-Expose-Headers"]


# ---- deadlines ----

HEADER_S, IDLE_S = 0.4, 0.8
SLOW = (f"--header-ms={int(HEADER_S * 1000)}", "--request-ms=1500",
        f"--idle-ms={int(IDLE_S * 1000)}", "--body-rate-min=1000")


@pytest.fixture(scope="module")
def impatient():
    server = Relais(*SLOW, "--http-threads=1")
    yield server
    assert server.process.poll() is None
    assert server.stop() == 0


@pytest.fixture(scope="module")
def patient():
    """Nothing ends here but a request that takes longer than request_ms."""
    server = Relais("--request-ms=1000", "--http-threads=1")
    yield server
    assert server.stop() == 0


class Closing:
    """A connection that the server must close: what came until it did, and not before its time."""

    def __init__(self, server, *pieces):
        self.begun = time.monotonic()
        self.link = connect(server)
        if pieces:
            self.link.sendall(b"".join(pieces))  # in one piece: nothing comes between

    def closed(self, least_s):
        with self.link:
            data = b""
            try:
                while chunk := self.link.recv(65536):
                    data += chunk
            except ConnectionResetError:
                pass
        assert time.monotonic() - self.begun >= 0.75 * least_s, "its clock may be a tick behind"
        return data


def test_a_connection_that_says_nothing_is_closed(impatient):
    assert Closing(impatient).closed(HEADER_S) == b""


def test_a_head_that_is_dripped_is_closed(impatient):
    closing = Closing(impatient, GET)
    drip = threading.Thread(target=drip_into, args=(closing.link, b"X-%d: a\r\n"))
    drip.start()
    data = closing.closed(HEADER_S)
    drip.join()
    assert refusal_of(data, {"error", "code"}) == 408


@pytest.mark.parametrize("form", FORMS)
def test_what_comes_too_late_is_told_so_in_the_form_of_its_dialect(impatient, form):
    path, members = FORMS[form]
    for data in (b"GET %s HTTP/1.1\r\nHos" % path, b"POST %s HTTP/1.1\r\n" % path + HOST):
        told = Closing(impatient, GET + HOST + b"\r\n" + data).closed(HEADER_S)
        first, mark, late = told.partition(b'{"status":"ok"}')
        assert first.startswith(b"HTTP/1.1 200 ") and mark, told
        assert refusal_of(late, members) == 408


def drip_into(link, form):
    try:
        for n in range(1200):
            link.sendall(form % n)
            time.sleep(0.05)
    except OSError:
        pass


def test_what_came_while_the_server_stood_still_is_answered(impatient):
    with connect(impatient) as link:
        for stands_s in (0, 2 * IDLE_S):
            if stands_s:
                impatient.process.send_signal(signal.SIGSTOP)
            link.sendall(GET + HOST + b"\r\n")
            time.sleep(stands_s)  # there is nothing to see of a process that stands
            impatient.process.send_signal(signal.SIGCONT)
            told = b""
            while not told.endswith(b'{"status":"ok"}'):
                piece = link.recv(65536)
                assert piece, "it was closed as idle, though it had asked"
                told += piece


def test_an_idle_connection_is_closed(impatient):
    told = Closing(impatient, GET + HOST + b"\r\n").closed(IDLE_S)
    assert told.startswith(b"HTTP/1.1 200 ") and told.endswith(b'{"status":"ok"}')


def test_a_body_that_is_dripped_is_closed(impatient):
    token = impatient.token("user", "slow", 1).encode()
    closing = Closing(impatient, POST + HOST + b"Authorization: Bearer %s\r\nContent-Type: "
                      b"application/json\r\nContent-Length: 100000\r\n\r\n{" % token)
    drip = threading.Thread(target=drip_into, args=(closing.link, b" %d"))
    drip.start()
    assert closing.closed(HEADER_S).startswith(b"HTTP/1.1 408 ")
    drip.join()


def job_of(server, sound):
    answer = server.caller("user", "slow", 1).post(
        "/api/batchTranscription/createJob", files={"audioFile": ("a.wav", sound, "audio/wav")})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["job_uuid"]


def test_a_slow_reader_gets_a_long_answer_whole(patient):
    sound = bytes(range(256)) * 40000
    job = job_of(patient, sound)
    worker = patient.caller("worker", "slow-w", 1)
    assert worker.post("/api/batchTranscription/claim", {}).json()["data"]["task"]
    answer = worker.get(f"/api/batchTranscription/{job}/audio", stream=True)
    body, start = b"", time.monotonic()
    for chunk in answer.iter_content(512 << 10):
        body += chunk
        time.sleep(0.08)
    assert body == sound and time.monotonic() - start > 1.5, "longer than request_ms"


def test_a_reader_that_stops_is_closed(relais_with):
    impatient = relais_with("--header-ms=4000", "--body-rate-min=1000")

    def killed(server):
        said = requests.get(server.http + "/metrics", timeout=60).text
        return int(re.search(r"^relais_http_late_total (\d+)", said, re.M)[1])

    job, before = job_of(impatient, bytes(30_000_000)), killed(impatient)
    worker = impatient.caller("worker", "slow-w", 1)
    assert worker.post("/api/batchTranscription/claim", {}).json()["data"]["task"]
    with connect(impatient) as link:
        link.sendall(b"GET /api/batchTranscription/%s/audio HTTP/1.1\r\nHost: a\r\n"
                     b"Authorization: Bearer %s\r\n\r\n" % (job.encode(), worker.token.encode()))
        assert link.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert soon(lambda: killed(impatient) > before), "it is closed though it does not read"
        assert len(read_all(link)) < 30_000_000


def test_events_go_on_beyond_the_deadline_of_requests(patient):
    job = job_of(patient, b"RIFF")
    user = patient.caller("user", "slow", 1)
    events = user.get(f"/api/batchTranscription/events?job_uuid={job}", stream=True)
    assert events.headers["Content-Type"].startswith("text/event-stream")
    lines = events.iter_lines(chunk_size=None)
    assert any(line.startswith(b"data: ") for line in lines)
    time.sleep(1.5)  # longer than request_ms
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
    assert soon(lambda: len(os.listdir(incoming)) >= 8)
    for number, link in enumerate(links):
        (reset if number % 2 else socket.socket.close)(link)
    assert soon(lambda: os.listdir(incoming) == [])


def test_drip_feeders_do_not_hurt_a_good_client(relais_with):
    """It is served again and again before any of them is told that it takes too long."""
    server = relais_with("--header-ms=60000", "--http-threads=1")
    feeders = [connect(server) for _ in range(500)]
    try:
        for link in feeders:
            link.sendall(b"GET /hea")
        with connect(server) as good:
            for turn in range(200):
                for link in feeders[turn::200]:
                    link.sendall(b"l")
                good.sendall(GET + HOST + b"\r\n")
                assert read_answer(good)[0] == 200
        assert select.select(feeders, [], [], 0)[0] == []
    finally:
        for link in feeders:
            link.close()


def test_connections_are_bounded(relais_with):
    server = relais_with("--connections-max=8", "--http-threads=1", "--header-ms=1000")
    crowd = [connect(server) for _ in range(30)]
    with connect(server) as link: # served once the crowd has been thrown out
        link.sendall(GET + HOST + b"Connection: close\r\n\r\n")
        assert read_all(link).startswith(b"HTTP/1.1 200 ")
    for one in crowd:
        one.close()


# ---- clients that leave ----

def reset(link):
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    link.close()


def parked(server):
    said = requests.get(server.http + "/metrics", timeout=60).text
    return int(re.search(r"^relais_core_parked (\d+)", said, re.M)[1])


@pytest.mark.parametrize("leave", [socket.socket.close, reset])
def test_a_claim_whose_client_left_takes_nothing(relais, user, worker, leave):
    head = b"POST /tasks/claim/ HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n" \
        b"Content-Type: application/json\r\n" % worker.token.encode()
    body, before = b'{"wait": 60}', parked(relais)
    for _ in range(5):
        link = connect(relais)
        link.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert soon(lambda: parked(relais) > before)
        leave(link)
        assert soon(lambda: parked(relais) <= before)
    task = user.post("/tasks/", {"task_type": "left"}).json()
    answer = worker.post("/tasks/claim/", {"wait": 30}).json()
    assert answer["count"] == 1 and answer["tasks"][0]["id"] == task["id"]
    assert answer["tasks"][0]["attempt"] == 1, "nothing was spent on those who left"


def test_a_thousand_waits_that_are_left_leave_nothing(relais, worker):
    head = b"POST /tasks/claim/ HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n" \
        b"Content-Type: application/json\r\nContent-Length: 12\r\n\r\n" % worker.token.encode()
    before = parked(relais)  # the server's own
    for _ in range(4):
        links = [connect(relais) for _ in range(250)]
        for link in links:
            link.sendall(head + b'{"wait": 30}')
        for link in links:
            link.close()
    assert soon(lambda: parked(relais) <= before), "waits are still parked"


def test_a_stopping_gateway_ends_its_waits(relais_with):
    server = relais_with()
    worker = server.caller("worker", "waits", 1)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        before = parked(server)
        waiting = pool.submit(worker.post, "/tasks/claim/", {"wait": 60})
        assert soon(lambda: parked(server) > before)
        server.process.terminate()
        answer = waiting.result()
        assert answer.status_code == 503 and answer.json()["error_code"] == "UNAVAILABLE"
        assert int(answer.headers["Retry-After"]) >= 1
        assert server.process.wait(60) == 0


def soon(check, within_s=60):
    deadline = time.monotonic() + within_s
    while not (found := check()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def test_a_gateway_apart_outlives_its_broker(relais_with):
    broker = relais_with(role="broker")
    gateway = relais_with("--answer-ms=1000", role="gateway", data=broker.data)
    user = gateway.caller("user", "apart", 1)
    assert soon(lambda: user.post("/tasks/", {"task_type": "x"}).status_code == 201)
    end(broker.process, signal.SIGKILL)
    refused = user.post("/tasks/", {"task_type": "x"})
    assert refused.status_code == 503 and int(refused.headers["Retry-After"]) >= 1
    assert user.get("/health").status_code == 200
    again = relais_with(role="broker", data=broker.data)
    assert soon(lambda: user.post("/tasks/", {"task_type": "x"}).status_code == 201)
    assert soon(lambda: user.get("/ready").status_code == 200)
    again.process.send_signal(signal.SIGSTOP)
    answer = user.post("/tasks/", {"task_type": "x"})
    again.process.send_signal(signal.SIGCONT)
    assert answer.status_code in (503, 504) and int(answer.headers["Retry-After"]) >= 1
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
    begun, taken = time.monotonic(), 0
    while (answer := caller.post("/tasks/", {"task_type": "x"})).status_code == 201:
        taken += 1
    assert 30 <= taken <= 31 + (time.monotonic() - begun) / 2, "thirty, and one in two seconds"
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.json()["error_code"] == "THROTTLED"
    assert server.caller("user", "calm", 1).post("/tasks/", {"task_type": "x"}).status_code == 201
