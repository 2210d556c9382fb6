"""A user who is disabled is out at once: every credential of that name, whenever and however it was
made, and everything that is under way with one of them."""
import socket
import threading
import time
import urllib.parse

import pytest

from conftest import Caller
from frames import Socket
from people import BASE, PASSWORD, good, name, relais_ok

DEADLINE_S = 50


@pytest.fixture
def ann(relais):
    """A user with an account: name and password."""
    who = name()
    relais_ok(relais, "user", "add", who, "--password-stdin", "--brand=1", input=PASSWORD + "\n")
    return who


def token_of(relais, who):
    return relais_ok(relais, "token", "--role=user", "--user", who, "--brand=1").strip()


def key_of(relais, who, role="user"):
    return relais_ok(relais, "key", "api", who, "--role", role, "--brand=1").strip()


def login(relais, who):
    return Caller(relais.http).post(BASE + "/login", {"email": who, "password": PASSWORD})


def status(relais, credential):
    return Caller(relais.http, credential).get(BASE + "/tasks").status_code


def works_again(relais, make):
    """True once what is made now is taken: what was made in the second of a change is not."""
    until = time.monotonic() + DEADLINE_S
    while status(relais, make()) != 200:
        assert time.monotonic() < until
    return True


def disable(relais, who, how):
    if how == "command":
        relais_ok(relais, "user", "disable", who)
    else:
        change(relais, who, True)


def change(relais, who, disabled):
    admin = relais.caller("admin", "root")
    found = good(admin.get(BASE + "/users/search", params={"q": who}))
    good(admin.put(f"{BASE}/users/{found[0]['id']}", json={"disabled": disabled}))


@pytest.mark.parametrize("how", ["command", "api"])
def test_every_credential_of_a_disabled_user_is_refused_at_once(relais, ann, how):
    made = [token_of(relais, ann), key_of(relais, ann), good(login(relais, ann))["token"]]
    service = key_of(relais, ann, "service")
    assert [status(relais, x) for x in made] == [200] * 3
    assert status(relais, service) == 403, "taken, though not for this"
    disable(relais, ann, how)
    assert [status(relais, x) for x in made] == [401] * 3
    assert login(relais, ann).status_code == 401
    assert status(relais, service) == 403  # a program's, that only happens to bear that name
    later = [token_of(relais, ann), key_of(relais, ann)]
    assert [status(relais, x) for x in later] == [401] * 2, "nor what is made while it is disabled"
    relais_ok(relais, "key", "revoke", f"user:{ann}")
    assert status(relais, token_of(relais, ann)) == 401
    if how == "command":
        relais_ok(relais, "user", "enable", ann)
    else:
        change(relais, ann, False)
    assert [status(relais, x) for x in made + later] == [401] * 5, "what ended does not come back"
    assert works_again(relais, lambda: token_of(relais, ann))
    assert works_again(relais, lambda: key_of(relais, ann))
    good(login(relais, ann))


def test_a_disabled_user_stays_out_over_a_restart(relais_with):
    first = relais_with()
    who = name()
    relais_ok(first, "user", "add", who, "--password-stdin", "--brand=1", input=PASSWORD + "\n")
    made = [token_of(first, who), key_of(first, who)]
    relais_ok(first, "user", "disable", who)
    first.process.kill()
    first.process.wait()
    second = relais_with(data=first.data)
    assert [status(second, x) for x in made + [token_of(second, who)]] == [401] * 3
    relais_ok(second, "user", "enable", who)
    assert works_again(second, lambda: token_of(second, who))


def waiting(server, credential):
    """A request that waits a minute for a recording; its answer comes into the list."""
    job = Caller(server.http, credential).post(
        "/api/streamingTranscription/createJob", {}).json()["data"]["job_uuid"]
    answers = []
    thread = threading.Thread(target=lambda: answers.append(
        Caller(server.http, credential).get("/api/streamingTranscription/result",
                                            params={"job_uuid": job, "wait": 60}, timeout=90)))
    thread.start()
    return thread, answers


def uploading(server, credential):
    """A connection in the middle of an upload."""
    where = urllib.parse.urlsplit(server.http)
    link = socket.create_connection((where.hostname, where.port), timeout=DEADLINE_S)
    link.sendall(f"POST /api/batchTranscription/createJob HTTP/1.1\r\nHost: x\r\n"
                 f"Authorization: Bearer {credential}\r\n"
                 f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 9000000\r\n"
                 f"\r\n--b\r\nContent-Disposition: form-data; name=\"audioFile\"; "
                 f"filename=\"a.wav\"\r\n\r\n".encode() + bytes(70000))
    return link


@pytest.mark.parametrize("make", [token_of, key_of])
def test_what_is_open_ends_at_the_next_look_and_others_go_on(relais, ann, make):
    credential, ben = make(relais, ann), relais.caller("user", name(), 1)
    events = Caller(relais.http, credential).get(BASE + "/events/stream", stream=True)
    others = ben.get(BASE + "/events/stream", stream=True)
    assert events.status_code == others.status_code == 200
    mine, bens = (Socket(relais.http, BASE + "/events/ws", x) for x in (credential, ben.token))
    wait, answers = waiting(relais, credential)
    upload = uploading(relais, credential)
    relais_ok(relais, "user", "disable", ann)
    wait.join(DEADLINE_S)
    assert [x.status_code for x in answers] == [401]
    assert upload.recv(65536).startswith(b"HTTP/1.1 401 ")
    upload.close()
    assert mine.closed() == 1008
    events.raw.read()  # it ends
    session = f"s-{ann}"
    good(ben.post(BASE + "/sessions", {"name": "x", "sessionId": session}), 201)
    assert any(session in line for line in others.iter_lines(decode_unicode=True))
    while session not in str(bens.receive()):
        pass
    others.close()
    bens.close()
