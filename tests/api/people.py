"""What the tests of accounts share: people with names of their own, and `relais user` and the
like on the server's data folder."""
import itertools
import os
import re
import subprocess
import time

from conftest import RELAIS, Caller

BASE = "/api/v1"
numbers = itertools.count(1)
REFRESH = re.compile(r"[0-9a-f]{32}-[\w-]{43}")
JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")
PASSWORD = "correct horse battery"


def name():
    return f"person-{os.getpid()}-{next(numbers)}"


def good(answer, status=200):
    """The data of an answer of dialect 000."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["success"] is True and isinstance(body["message"], str), body
    return body["data"]


def refused(answer, status, code):
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["success"] is False and body["code"] == code, body
    assert body["message"] == body["error"] != "", body
    return body["message"]


class Person:
    """An account made by registration, and a caller with its token."""

    def __init__(self, server, who=None, password=PASSWORD):
        self.server, self.password = server, password
        self.name = who or name()
        self.email = f"{self.name}@example.org".replace(" ", ".")
        data = good(Caller(server.http).post(BASE + "/register", {
            "username": self.name, "email": self.email, "password": password}), 201)
        self.id, self.token, self.refresh = data["id"], data["token"], data["refreshToken"]

    def caller(self):
        return Caller(self.server.http, self.token)

    def login(self, password=None, handle=None):
        return Caller(self.server.http).post(BASE + "/login", {
            "email": handle or self.email, "password": password or self.password})

    def session(self):
        """Another login: (caller, refresh token)."""
        data = good(self.login())
        return Caller(self.server.http, data["token"]), data["refreshToken"]


def refresh(server, token):
    return Caller(server.http).post(BASE + "/refresh", {"refreshToken": token})


def alive(caller):
    """True when the token is taken: a user may read his own tasks."""
    status = caller.get(BASE + "/tasks").status_code
    assert status in (200, 401), status
    return status == 200


def dead(caller, within_s=60):
    """True once the token is taken no more: a revocation reaches all threads and gateways soon."""
    until = time.monotonic() + within_s
    while alive(caller):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def relais_run(server, *words, **rest):
    rest.setdefault("timeout", 120)
    rest.setdefault("text", True)
    return subprocess.run([RELAIS, *words, "--data", server.data], capture_output=True, **rest)


def relais_ok(server, *words, **rest):
    done = relais_run(server, *words, **rest)
    assert done.returncode == 0, (words, done)
    return done.stdout
