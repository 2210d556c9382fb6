"""Accounts under attack, on several gateways, and from the command line: nothing secret is stored
or logged in clear, what is revoked is dead everywhere, every administrative act is in the log."""
import base64
import concurrent.futures
import hashlib
import hmac
import itertools
import json
import os
import pathlib
import re
import select
import time

import pytest
import requests

from conftest import Caller, end
from peer import ASK, DROP, FETCH, FORBIDDEN, PUT, REFUSED, Peer
from people import (BASE, PASSWORD, Person, alive, dead, good, name, refresh, refused, relais_ok,
                    relais_run)
from wire import connect, read_answer


@pytest.fixture
def person(relais):
    return Person(relais)


# ---- forged tokens ----

def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def forged(server, header, claims, secret=None):
    lines = pathlib.Path(server.data, "secret/jwt").read_text().split()
    text = f"{part(header)}.{part(claims)}"
    mac = hmac.new(secret or bytes.fromhex(lines[0]), text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


HEADER = {"alg": "HS256", "typ": "JWT"}


def claims(**more):
    now = int(time.time())
    return {"role": "user", "sub": "mallory", "brands": [1], "iat": now, "exp": now + 600,
            "jti": os.urandom(8).hex(), "typ": "access", **more}


def test_a_token_signed_with_the_secret_is_the_yardstick(relais):
    assert alive(Caller(relais.http, forged(relais, HEADER, claims())))


@pytest.mark.parametrize("header", [{"alg": "none", "typ": "JWT"}, {"alg": "RS256", "typ": "JWT"},
                                    {"alg": "HS512", "typ": "JWT"}, {"typ": "JWT"}, {},
                                    {"alg": ["HS256"]}, {**HEADER, "crit": ["x"]}])
def test_another_algorithm_is_refused(relais, header):
    assert dead(Caller(relais.http, forged(relais, header, claims())))
    bare = f"{part(header)}.{part(claims())}."
    assert dead(Caller(relais.http, bare))


@pytest.mark.parametrize("change", [
    {"exp": int(time.time()) - 3600}, {"exp": None}, {"exp": "never"}, {"role": "root"},
    {"role": None}, {"sub": ""}, {"sub": "x" * 64}, {"brands": [0]}, {"brands": "all"},
    {"iat": int(time.time()) + 3600}, {"nbf": int(time.time()) + 3600}, {"typ": "refresh"}])
def test_wrong_claims_are_refused(relais, change):
    assert dead(Caller(relais.http, forged(relais, HEADER, claims(**change))))


def test_another_secret_is_refused(relais):
    assert dead(Caller(relais.http, forged(relais, HEADER, claims(), b"secret")))
    assert dead(Caller(relais.http, forged(relais, HEADER, claims(), bytes(32))))


def test_a_login_is_no_credential_of_another_role(person):
    mine = person.caller()
    assert mine.get(BASE + "/worker").status_code == 403
    assert mine.get(BASE + "/tasks/pending").status_code == 403
    bearer = Caller(person.server.http, person.refresh)
    assert dead(bearer), "a refresh token is no access token"


# ---- refresh ----

def test_a_token_that_was_used_before_ends_the_login(person):
    first = person.refresh
    second = good(refresh(person.server, first))
    assert alive(Caller(person.server.http, second["token"]))
    refused(refresh(person.server, first), 401, "UNAUTHORIZED")
    refused(refresh(person.server, second["refreshToken"]), 401, "UNAUTHORIZED")
    assert dead(Caller(person.server.http, second["token"])), "the thief's token is dead"
    assert dead(person.caller()), "and the first one's"
    good(person.login())


def test_of_many_at_once_one_wins(person):
    for _ in range(3):
        token = good(person.login())["refreshToken"]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: refresh(person.server, token), range(8)))
        assert sorted(a.status_code for a in answers) == [200] + [401] * 7


def test_a_family_of_another_is_not_opened_by_its_name(person):
    family = person.refresh.split("-")[0]
    refused(refresh(person.server, f"{family}-{'A' * 43}"), 401, "UNAUTHORIZED")


def test_a_user_has_few_logins_at_once(relais_with):
    server = relais_with("--logins-max=3", "--logins-per-min=0")
    person = Person(server)
    others = [person.session() for _ in range(4)]
    assert dead(person.caller()) and dead(others[0][0]), "the oldest have ended"
    assert all(alive(caller) for caller, _ in others[1:])
    refused(refresh(server, person.refresh), 401, "UNAUTHORIZED")
    good(refresh(server, others[1][1]))


def test_one_address_makes_one_account_however_many_ask(relais):
    who = name()

    def register(i):
        while True:  # the hasher takes three at once
            email = f"{who}@example.org"
            answer = Caller(relais.http).post(BASE + "/register", {
                "username": f"{who}-{i}", "email": email.upper() if i % 2 else email,
                "password": PASSWORD})
            if answer.status_code != 429:
                return answer.status_code

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(register, range(6))) == [201] + [409] * 5


# ---- guessing ----

def test_brute_force_gets_429(relais_with):
    server = relais_with("--failures-per-min=5", "--logins-per-min=0")
    caller = Caller(server.http)
    answers = [caller.post(BASE + "/login", {"email": f"u{i}@x.org", "password": "guess"})
               for i in range(9)]
    assert [a.status_code for a in answers] == [401] * 5 + [429] * 4
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60


def test_unknown_users_cost_the_same_time(person, relais_with):
    server = relais_with("--logins-per-min=0")
    Person(server, "known")
    caller = Caller(server.http)
    least = {"known": 60, "unknown": 60}  # what else the machine does only adds to it
    until_s = time.monotonic() + 60
    for turn in itertools.count(1):
        for who in least:
            start = time.perf_counter()
            answer = caller.post(BASE + "/login", {"email": who, "password": "wrong password"})
            least[who] = min(least[who], time.perf_counter() - start)
            assert answer.status_code == 401
        if turn >= 5 and 0.5 < least["known"] / least["unknown"] < 2:
            break
        assert time.monotonic() < until_s, least
    assert min(least.values()) > 0.01, "both are hashed"


def test_the_hashing_thread_is_bounded_and_serves_nobody_else(relais_with):
    server = relais_with("--logins-per-min=0", "--http-threads=1")
    person = Person(server)

    def login(_):
        return requests.post(server.http + BASE + "/login", timeout=30, json={
            "email": person.email, "password": PASSWORD})

    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(login, range(48)))
    statuses = {a.status_code for a in answers}
    assert statuses == {200, 429}, statuses
    assert all(int(a.headers["Retry-After"]) >= 1 for a in answers if a.status_code == 429)
    caller, until_s = person.caller(), time.monotonic() + 60
    assert alive(caller)
    while served_during_a_login(server, person, caller) < 3:
        assert time.monotonic() < until_s, "other requests pass while passwords are hashed"
    assert server.process.poll() is None


def login_bytes(person):
    body = json.dumps({"email": person.email, "password": PASSWORD})
    return (f"POST {BASE}/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


def served_during_a_login(server, person, caller):
    """Requests that were answered, one after the other, before a login that was sent first."""
    with connect(server) as link:
        link.sendall(login_bytes(person))
        count = 0
        while not select.select([link], [], [], 0)[0]:
            assert alive(caller)
            count += 1
        assert read_answer(link)[0] == 200
    return count - 1  # the last may have been behind it


def test_a_client_that_leaves_during_its_hash_harms_nothing(relais_with):
    server = relais_with("--logins-per-min=0")
    person = Person(server)
    for _ in range(6):
        with connect(server) as gone:
            gone.sendall(login_bytes(person))
    until(lambda: person.login().status_code != 429)
    assert alive(person.caller())


# ---- several gateways ----

def test_what_one_gateway_gives_and_takes_counts_at_the_other(relais_with):
    one = relais_with("--logins-per-min=0")
    two = relais_with(role="gateway", data=one.data)
    person = Person(one)
    there = Caller(two.http, person.token)
    assert alive(there)
    good(there.post(BASE + "/logout"))
    assert dead(there) and dead(person.caller())
    caller, token = person.session()
    there = Caller(two.http, caller.token)
    assert alive(there)
    good(refresh(two, token))
    refused(refresh(one, token), 401, "UNAUTHORIZED")
    assert dead(there), "what is revoked is dead everywhere"


def test_revocations_survive_a_restart(relais_with):
    server = relais_with()
    person = Person(server)
    caller, _ = person.session()
    good(caller.post(BASE + "/logout"))
    assert end(server.process) == 0
    again = relais_with(data=server.data)
    assert dead(Caller(again.http, caller.token)), "also in the first moment"
    assert alive(Caller(again.http, person.token))


# ---- first sight, and the command line ----

def until(what, within_s=60):
    deadline = time.monotonic() + within_s
    while not (got := what()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return got


def user_of(server, who):
    done = relais_run(server, "user", "show", who, "--json")
    return json.loads(done.stdout) if done.returncode == 0 else None


def test_a_token_of_the_command_line_makes_its_user_and_brands(relais, brand):
    who = name()
    caller = relais.caller("user", who, (brand, brand + 5000))
    assert user_of(relais, who) is None
    assert alive(caller)
    user = until(lambda: user_of(relais, who))
    assert user["role"] == "user" and user["brands"] == [brand, brand + 5000]
    assert user["has_password"] is False
    refused(Caller(relais.http).post(BASE + "/login", {"email": who, "password": ""}), 400,
            "VALIDATION_ERROR")
    listed = until(lambda: [b for b in relais_ok(relais, "brand", "list", "--json").splitlines()
                            if json.loads(b)["id"] == brand + 5000])
    assert json.loads(listed[0])["name"] == f"brand-{brand + 5000}"


def test_the_first_start_says_a_password_once(relais_with):
    server = relais_with(first=True)
    log = pathlib.Path(server.log.name)
    said = until(lambda: re.search(r"account admin, one-time password (\S+) ", log.read_text()))
    data = good(Caller(server.http).post(BASE + "/login", {
        "email": "admin", "password": said[1]}))
    assert data["user"]["role"] == "admin" and data["user"]["mustChangePassword"] is True
    caller = Caller(server.http, data["token"])
    refused(caller.get(BASE + "/users"), 403, "FORBIDDEN")
    good(caller.post(BASE + "/change-password", {"oldPassword": said[1],
                                                 "newPassword": PASSWORD}))
    assert end(server.process) == 0
    again = relais_with(data=server.data)
    good(Caller(again.http).post(BASE + "/login", {"email": "admin", "password": PASSWORD}))
    assert log.read_text().count("one-time password") == 1
    relais_ok(again, "user", "delete", "admin")
    assert end(again.process) == 0
    relais_with(data=server.data)
    assert log.read_text().count("one-time password") == 1, "a deleted admin stays deleted"


def test_relais_user_adds_and_shows_and_ends(relais):
    who = name()
    password = relais_ok(relais, "user", "add", who, "--email", f"{who}@x.org", "--brand=7",
                         "--brand", "8").strip()
    assert user_of(relais, who) == {**user_of(relais, who), "brands": [7, 8], "role": "user",
                                    "email": f"{who}@x.org", "must_change_password": True}
    assert who in relais_ok(relais, "user", "list")
    login = {"email": who, "password": password}
    token = good(Caller(relais.http).post(BASE + "/login", login))["token"]
    second = relais_ok(relais, "user", "passwd", who).strip()
    assert second != password
    refused(Caller(relais.http).post(BASE + "/login", login), 401, "UNAUTHORIZED")
    refused(Caller(relais.http, token).post(BASE + "/logout"), 401, "UNAUTHORIZED")
    relais_ok(relais, "user", "passwd", who, "--password-stdin", input=PASSWORD + "\n")
    data = good(Caller(relais.http).post(BASE + "/login", {"email": who, "password": PASSWORD}))
    assert data["user"]["mustChangePassword"] is False
    caller = Caller(relais.http, data["token"])
    assert alive(caller)
    relais_ok(relais, "user", "disable", who)
    assert dead(caller) and user_of(relais, who)["disabled"] is True
    relais_ok(relais, "user", "enable", who)
    good(Caller(relais.http).post(BASE + "/login", {"email": who, "password": PASSWORD}))
    relais_ok(relais, "user", "delete", who)
    assert user_of(relais, who) is None


@pytest.mark.parametrize("words", [
    ["user"], ["user", "add"], ["user", "add", "a", "b"], ["user", "add", "a/b"],
    ["user", "frob", "x"], ["user", "list", "x"], ["user", "add", "x", "--role=worker"],
    ["user", "add", "x", "--brand=0"], ["user", "add", "x", "--email=y"], ["user", "--nothing"],
    ["brand"], ["brand", "add"], ["brand", "rename", "x", "y"], ["brand", "add", ""],
    ["brand", "rename", "0", "y"], ["key"], ["key", "revoke"], ["key", "revoke", "x"],
    ["key", "revoke", "user:"], ["key", "curve", "a/b"], ["key", "api", "x", "--role=gateway"]])
def test_what_is_not_understood_is_exit_2(relais, words):
    done = relais_run(relais, *words)
    assert done.returncode == 2 and done.stdout == "", done
    assert done.stderr.startswith(f"relais {words[0]}: "), done.stderr


@pytest.mark.parametrize("words", [["user", "list"], ["brand", "list"],
                                   ["key", "revoke", "jti:x"]])
def test_without_a_server_they_say_so(tmp_path, words, relais):
    class Nowhere:
        data = str(tmp_path / "none")
    done = relais_run(Nowhere, *words)
    assert done.returncode == 1 and "no server runs" in done.stderr, done
    assert not os.path.exists(Nowhere.data), "and make no folder"
    assert relais_run(relais, words[0], "--help").returncode == 0


def test_refusals_of_the_server_are_exit_1(relais):
    who = name()
    relais_ok(relais, "user", "add", who)
    for words in (["user", "add", who], ["user", "show", "nobody-" + who],
                  ["user", "delete", "nobody-" + who], ["brand", "rename", "4000000", "x"]):
        done = relais_run(relais, *words)
        assert done.returncode == 1 and done.stderr.startswith("relais "), done


def test_relais_brand_adds_lists_and_renames(relais):
    first, second = name(), name()
    number = int(relais_ok(relais, "brand", "add", first))
    assert relais_run(relais, "brand", "add", first).returncode == 1, "a name is taken once"
    assert relais_run(relais, "brand", "add", first.upper()).returncode == 1, "in any case"
    relais_ok(relais, "brand", "rename", str(number), second)
    listed = [json.loads(line) for line in
              relais_ok(relais, "brand", "list", "--json").splitlines()]
    assert {"id": number, "name": second} in listed
    assert int(relais_ok(relais, "brand", "add", name())) != number


def test_relais_key_revokes_by_jti_and_by_user(relais, brand):
    who = name()
    token = relais.token("user", who, brand)
    caller = Caller(relais.http, token)
    assert alive(caller)
    body = token.split(".")[1]
    jti = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["jti"]
    relais_ok(relais, "key", "revoke", f"jti:{jti}")
    assert dead(caller)
    assert f"jti:{jti}" in relais_ok(relais, "key", "list")
    other = Person(relais)
    assert alive(other.caller())
    relais_ok(relais, "key", "revoke", f"user:{other.name}")
    assert dead(other.caller())
    assert alive(other.session()[0]), "a new login counts"


# ---- past the gateway ----

def test_a_native_client_gets_no_account_and_makes_none(relais, person):
    peer = Peer(relais.native, "client")
    body = b"\x81\xa4role\x01"
    for kind, who in (("user", person.name), ("grant", person.refresh.split("-")[0]),
                      ("revocation", f"user:{person.name}"), ("brand", "1")):
        for brand in ([], [0], [1]):
            assert peer.code(FETCH, [kind, who, *brand]) == FORBIDDEN
            assert peer.code(DROP, [kind, who, *brand]) == FORBIDDEN
            assert peer.code(PUT, [kind, who, body, 2, *brand]) == FORBIDDEN
        for brand in ({}, {"brand": 0}, {"brand": 1}):
            verb, item = peer.ask(ASK, ["objects", {"object": kind, **brand}])
            assert verb == REFUSED or (item[1] != 0 or item[3] == 0), (verb, item)
    claimed = peer.code(FETCH, ["user", person.name], who=[1, 0, "gateway"])
    assert claimed == FORBIDDEN, "who is not taken from somebody who is no gateway"
    peer.close()
    assert alive(person.caller())


# ---- what is written down ----

def test_nothing_secret_is_stored_or_logged_in_clear(relais_with):
    server = relais_with()
    password, changed = "Tr0ub4dor&3-" + os.urandom(6).hex(), "N3w-" + os.urandom(9).hex()
    person = Person(server, password=password)
    wrong = "wr0ng-" + os.urandom(9).hex()
    refused(person.login(wrong), 401, "UNAUTHORIZED")
    rotated = good(refresh(server, person.refresh))
    caller = Caller(server.http, rotated["token"])
    good(caller.post(BASE + "/change-password", {"oldPassword": password,
                                                 "newPassword": changed}))
    made = relais_ok(server, "user", "add", name()).strip()
    assert end(server.process) == 0
    secrets = [password, changed, wrong, made, person.refresh, person.refresh.split("-", 1)[1],
               rotated["refreshToken"].split("-", 1)[1], person.token, rotated["token"]]
    files = [path for path in pathlib.Path(server.data).rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        content = path.read_bytes()
        for secret in secrets:
            assert secret.encode() not in content, path
    stored = b"".join(path.read_bytes() for path in files)
    assert b"$argon2id$" in stored


def test_the_audit_log_says_who_did_what_and_is_chained(relais_with):
    server = relais_with()
    who = name()
    root = server.caller("admin", "root")
    made = good(root.post(BASE + "/users", {"name": who, "email": f"{who}@x.org"}), 201)
    good(root.put(f"{BASE}/users/{made['id']}", json={"role": "admin"}))
    refused(root.post(BASE + "/users", {"name": who, "email": f"{who}@x.org"}), 409, "CONFLICT")
    good(root.delete(f"{BASE}/users/{made['id']}"))
    relais_ok(server, "brand", "add", "Acme %")
    Person(server)
    lines = [line.split("\t") for line in
             pathlib.Path(server.data, "audit.log").read_text().splitlines()]
    acts = [line[2:9] for line in lines]
    assert ["root", "admin", "create", "user", who, "0", "OK"] in acts
    assert ["root", "admin", "change", "user", who, "0", "OK"] in acts
    assert any(act[:4] == ["root", "admin", "create", "user"] and act[6] == "CONFLICT"
               for act in acts), "a refusal is an act too"
    assert ["root", "admin", "drop", "user", who, "0", "OK"] in acts
    assert ["root", "admin", "change", "revocation", f"user:{who}", "0", "OK"] in acts
    assert any(act[:4] == ["local", "admin", "create", "brand"] for act in acts)
    assert not any(act[0] == "gateway" for act in acts), "logins are nobody's administration"
    assert [line[0] for line in lines] == [str(i + 1) for i in range(len(lines))]
    before = bytes(32)
    for line in pathlib.Path(server.data, "audit.log").read_bytes().splitlines():
        text, digest = line.rsplit(b"\t", 1)
        before = hashlib.blake2b(before + text, digest_size=32).digest()
        assert digest.decode() == before.hex()
    assert end(server.process) == 0
    checked = relais_ok(server, "check")
    assert f"audit log: {len(lines)} acts, newest hash {before.hex()}" in checked
    log = pathlib.Path(server.data, "audit.log")
    log.write_text(log.read_text().replace("root", "ruth", 1))
    done = relais_run(server, "check")
    assert done.returncode == 1 and "does not continue the chain" in done.stdout


def test_a_full_audit_log_is_put_away_and_the_chain_goes_on(relais_with):
    server = relais_with("--audit-bytes-max=4096", "--audit-files-max=2")
    root, person = server.caller("admin", "root"), Person(server)
    for i in range(60):
        good(root.put(f"{BASE}/users/{person.id}", json={"name": f"called {i}"}))
    put_away = list(pathlib.Path(server.data).glob("audit.log.*"))
    assert 0 < len(put_away) <= 2
    assert end(server.process) == 0
    again = relais_with("--audit-bytes-max=4096", data=server.data)
    relais_ok(again, "brand", "add", name())
    assert end(again.process) == 0
    assert re.search(r"audit log: \d+ acts in \d+ files.*, newest hash [0-9a-f]{64}\n",
                     relais_ok(server, "check"))
