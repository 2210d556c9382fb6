"""Commands of dialect 003 pushed to the workers' own endpoints, as the real workers expect it: to
allowed addresses only, with the brand's token, tried again where that may help."""
import http.server
import json
import threading
import time

import pytest

from conftest import Caller, Relais
from station import Fleet, good, log_of

BRANDS = 40
TOKENS = "--worker-tokens=" + ",".join(f"{n}=token-{n}" for n in range(1, BRANDS))


class Endpoint(http.server.ThreadingHTTPServer):
    """A worker's own HTTP server: it notes what it is asked and answers as it is told."""

    def __init__(self, answer=lambda method, path, count: 200):
        self.asked, self.answered, self.answer = [], [], answer
        super().__init__(("127.0.0.1", 0), Handler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def wait(self, count, within_s=60):
        end = time.monotonic() + within_s
        while len(self.asked) < count and time.monotonic() < end:
            time.sleep(0.02)
        assert len(self.asked) >= count, self.asked
        return self.asked

    def close(self):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path, self.headers.get("Authorization"),
                                  json.loads(body or b"null")))
        status = self.server.answer(self.command, self.path, len(self.server.asked))
        self.server.answered.append(status)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_POST = do_DELETE = do_GET = handle_any

    def log_message(self, *_):
        pass


@pytest.fixture
def endpoint():
    made = []

    def make(*rest):
        made.append(Endpoint(*rest))
        return made[-1]

    yield make
    for server in made:
        server.close()


@pytest.fixture(scope="module")
def pushing():
    tokens = ",".join(f"{n}=secret-{n}" for n in range(1, BRANDS))
    server = Relais(TOKENS, "--push-endpoints=127.0.0.1", f"--push-tokens={tokens}",
                    "--command-repeat-ms=60000")
    yield server
    assert server.stop() == 0


numbers = iter(range(1, BRANDS))


class Owner(Fleet):
    """A brand of a pushing server, with one worker and one session."""

    def __init__(self, relais, number=None):
        super().__init__(relais, number or next(numbers))
        self.session = "s-1"

    def worker_at(self, url):
        w = self.station("worker-1", endpoint=url)
        good(w.register())
        return w

    def connect(self):
        good(self.user.post("/api/v1/sessions", {"name": "Sales", "sessionId": self.session}),
             201)
        good(self.user.post(f"/api/v1/sessions/{self.session}/connect", {}))

    def state(self):
        return good(self.user.get(f"/api/v1/sessions/{self.session}"))

    def until(self, found, within_s=60):
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            if found():
                return
            time.sleep(0.05)
        raise AssertionError("it did not happen in time")


@pytest.fixture
def owner(pushing):
    return Owner(pushing)


def test_a_session_and_its_messages_are_brought_to_the_worker(owner, endpoint):
    server = endpoint()
    w = owner.worker_at(f"http://127.0.0.1:{server.port}/")
    s = owner.session
    owner.connect()
    assert server.wait(1)[0] == ("POST", "/api/sessions/start", f"Bearer secret-{owner.number}",
                                 {"sessionId": s, "userId": owner.user_name,
                                  "sessionName": "Sales"})
    w.connected(s)
    sent = good(owner.user.post(f"/api/v1/sessions/{s}/messages",
                                {"to": "62811", "type": "text", "message": "x"}), 202)
    method, path, _, body = server.wait(2)[1]
    assert (method, path) == ("POST", f"/api/{s}/send")
    assert body == {"messageId": sent["messageId"], "sessionId": s, "to": "62811",
                    "type": "text", "message": "x"}
    good(owner.user.post(f"/api/v1/sessions/{s}/restart", {}))
    assert server.wait(3)[2][:2] == ("POST", f"/api/sessions/{s}/restart")
    w.connected(s)
    good(owner.user.delete(f"/api/v1/sessions/{s}"))
    assert server.wait(4)[3][:2] == ("DELETE", f"/api/sessions/{s}")
    owner.until(lambda: good(owner.admin.get(w.at()))["pendingCommands"] == 0)
    assert len(server.asked) == 4


@pytest.mark.parametrize("act", ["disconnect", "logout"])
def test_a_session_is_ended_at_the_worker(owner, endpoint, act):
    server = endpoint()
    w = owner.worker_at(f"http://127.0.0.1:{server.port}")
    owner.connect()
    server.wait(1)
    w.connected(owner.session)
    good(owner.user.post(f"/api/v1/sessions/{owner.session}/{act}", {}))
    assert server.wait(2)[1][:2] == ("POST", f"/api/sessions/{owner.session}/{act}")


def test_a_worker_of_the_documents_time_is_found_by_its_other_path(owner, endpoint):
    server = endpoint(lambda method, path, count: 404 if path == "/api/sessions/start" else 201)
    owner.worker_at(f"http://127.0.0.1:{server.port}")
    owner.connect()
    assert [a[1] for a in server.wait(2)] == ["/api/sessions/start", "/api/sessions/create"]


def test_what_a_worker_refuses_is_not_tried_again(owner, endpoint):
    server = endpoint(lambda method, path, count: 422 if "send" in path else 200)
    w = owner.worker_at(f"http://127.0.0.1:{server.port}")
    owner.connect()
    server.wait(1)
    w.connected(owner.session)
    sent = good(owner.user.post(f"/api/v1/sessions/{owner.session}/messages",
                                {"to": "62811", "type": "text", "message": "x"}), 202)
    seen = "/api/v1/messages/" + sent["messageId"]
    owner.until(lambda: good(owner.user.get(seen))["status"] == "FAILED")
    assert good(owner.user.get(seen))["errorMessage"] == "the worker answered 422"
    owner.until(lambda: good(owner.admin.get(w.at()))["pendingCommands"] == 0)
    assert len(server.asked) == 2


def test_a_session_that_a_worker_refuses_is_in_error(owner, endpoint):
    server = endpoint(lambda method, path, count: 400)
    owner.worker_at(f"http://127.0.0.1:{server.port}")
    owner.connect()
    owner.until(lambda: owner.state()["status"] == "ERROR")
    assert owner.state()["reason"] == "the worker answered 400" and len(server.asked) == 1


def test_a_worker_that_stumbles_is_asked_again(owner, endpoint):
    server = endpoint(lambda method, path, count: [500, 302, 200][min(count, 3) - 1])
    w = owner.worker_at(f"http://127.0.0.1:{server.port}")
    begun = time.monotonic()
    owner.connect()
    assert [a[1] for a in server.wait(3)] == ["/api/sessions/start"] * 3
    assert time.monotonic() - begun >= 3  # 1 s, then 2 s; a redirect leads nowhere
    owner.until(lambda: good(owner.admin.get(w.at()))["pendingCommands"] == 0)


ELSEWHERE = ["http://127.0.0.2:{}", "ftp://127.0.0.1:{}", "not a url", "http://u:p@127.0.0.1:{}",
             "http://[::1]:{}"]


def test_nobody_else_is_called_and_gets_the_command_as_always(pushing, endpoint):
    server, called = endpoint(), endpoint()
    owners = [Owner(pushing) for _ in ELSEWHERE]
    stations = [owner.worker_at(url.format(server.port)) for owner, url in zip(owners, ELSEWHERE)]
    for owner in owners:
        owner.connect()
    last = Owner(pushing)
    last.worker_at(f"http://127.0.0.1:{called.port}")
    last.connect()
    called.wait(1)  # whoever came before it has been looked at
    time.sleep(1)
    assert server.asked == []
    for w in stations:
        assert [c["type"] for c in w.commands()] == ["create_session"]


def test_a_name_that_is_listed_does_not_open_a_private_address(relais_with, endpoint):
    server = endpoint()
    relais = relais_with(TOKENS, "--push-endpoints=localhost,*", "--push-tokens=secret-1")
    owner = Owner(relais, 1)
    owner.worker_at(f"http://localhost:{server.port}")
    owner.connect()
    owner.until(lambda: "endpoint is not allowed" in log_of(relais))
    assert server.asked == []


def test_nothing_is_pushed_unless_it_is_asked_for(relais_with, endpoint):
    server = endpoint()
    relais = relais_with(TOKENS)
    owner = Owner(relais, 1)
    owner.worker_at(f"http://127.0.0.1:{server.port}")
    owner.connect()
    time.sleep(1)
    assert server.asked == []


def test_a_brand_without_a_token_pushes_nothing(endpoint, relais_with):
    server = endpoint()
    relais = relais_with(TOKENS, "--push-endpoints=127.0.0.1", "--push-tokens=2=secret-2")
    owner = Owner(relais, 1)
    owner.worker_at(f"http://127.0.0.1:{server.port}")
    owner.connect()
    time.sleep(1)
    assert server.asked == []


@pytest.mark.parametrize("flags", [["--push-endpoints=10.0.0.0/99", "--push-tokens=x"],
                                   ["--push-endpoints=*"],
                                   ["--push-endpoints=*", "--push-tokens=0=x"],
                                   ["--push-endpoints=*", "--push-tokens=1=x,1=y"]])
def test_a_list_that_makes_no_sense_stops_the_start(flags):
    with pytest.raises(AssertionError, match="push_|allow-list"):
        Relais(*flags)


def test_the_server_answers_while_a_worker_hangs(pushing, endpoint):
    hang = threading.Event()

    def answer(*_):
        hang.wait(25)  # less than a push may take
        return 200
    server = endpoint(answer)
    owner = Owner(pushing)
    owner.worker_at(f"http://127.0.0.1:{server.port}")
    owner.connect()
    server.wait(1)
    for _ in range(10):
        good(owner.user.get("/api/v1/sessions"))
        assert Caller(pushing.http).get("/health").status_code == 200
    assert not server.answered, "before the worker said anything"
    hang.set()
