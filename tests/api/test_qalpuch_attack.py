"""Every row of dialect 000 under nonsense: whatever is sent, by whomever, the answer has the
envelope and is no fault of the server's."""
import itertools
import json
import pathlib
import random
import re

import pytest

from conftest import Caller
from films import BASE, FILM
from films import created, enrolled, good, handed, read, refused, taken, uploaded

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "gateway/dialect/qalpuch.md"
ROWS = [line.split() for line in re.findall(r"(?m)^    (\S+ /api/v1/\S*)$",
                                            DOCUMENT.read_text(encoding="utf-8"))]
DEEP = "[" * 100 + "]" * 100
BODIES = [b"", b"null", b"[]", b"{}", b"7", b'"x"', b"{", b"\xff\xfe", b"\0", DEEP.encode(),
          b'{"a":' * 70 + b"1" + b"}" * 70, b'{"status":{}}', b'{"token":[]}', b'{"name":{}}',
          b'{"name":"\\u0000"}', b'{"config":1e999}', b'{"fileId":-1,"config":""}',
          b'{"name":"' + b"x" * 5000 + b'"}', b'{"status":"failed","status_message":false}',
          b'{"capabilities":{"a":1},"name":"n"}', b'{"id":' + b"9" * 400 + b"}"]
IDS = ["c" + "0" * 24, "0", "-1", "c" * 400, "%ff", "%00", "'%20or%201=1", "9" * 30, "null", "me"]


@pytest.fixture
def admin(relais, brand):
    return relais.caller("admin", "root", brand)


@pytest.fixture
def callers(relais, admin, user, nobody):
    return {"admin": admin, "user": user, "worker": enrolled(relais, admin)[1], "nobody": nobody}


def sane(answer):
    """In the envelope, and not a fault of ours."""
    assert answer.status_code < 500, (answer.request.method, answer.request.url, answer.text)
    if answer.headers["Content-Type"].startswith("application/json"):
        body = answer.json()
        assert body["success"] is (answer.status_code < 400), body
        assert isinstance(body["message"], str) and body["message"], body


def path_of(pattern, ids):
    return re.sub(r"\{\w+\}", lambda _: next(ids), pattern)


@pytest.mark.parametrize("method, pattern", ROWS)
def test_nonsense_is_answered_in_the_envelope(callers, method, pattern):
    ids = itertools.cycle(IDS)
    for caller, body in itertools.product(callers.values(), BODIES):
        path = path_of(pattern, ids)
        if path.endswith("/logout"):  # it would end the login that the next row needs
            continue
        sane(caller.call(method, path, data=body, headers={"Content-Type": "application/json"}))
    for kind in ("text/plain", "multipart/form-data; boundary=b", "multipart/form-data", "x"):
        sane(callers["user"].call(method, path_of(pattern, ids), data=b"--b--\r\n",
                                  headers={"Content-Type": kind}))


def test_queries_of_nonsense(callers, user):
    created(user)
    words = ["page", "limit", "status", "type", "wait", "capabilities", "empty", "q", "search"]
    values = ["", "0", "-1", "1e3", "9" * 30, "x", "%00", "%ff", "a,b,,", "processing", "../..",
              "x" * 3000]
    for word, value in itertools.product(words, values):
        if word == "wait" and value.strip("0") and value.isdigit():
            continue  # a wait is a wait
        for path in ("/tasks", "/files", "/worker", "/predefined-tasks", "/tasks/pending"):
            for caller in callers.values():
                sane(caller.get(f"{BASE}{path}?{word}={value}"))


def mutated(value, chance):
    """The value with members gone, doubled or of another type."""
    if isinstance(value, dict):
        return {key: mutated(part, chance) for key, part in value.items()
                if chance.random() > 0.1}
    return chance.choice([value, value, value, None, 7, -1.5, "", "x" * 300, [], {}, True,
                          [value], {"a": value}])


def test_mutated_requests_never_break_what_is_there(relais, admin, callers, user):
    chance, worker = random.Random(7), callers["worker"]
    file, task = uploaded(user)["id"], created(user, {"n": 1})
    taken(worker)
    shapes = [(user, "POST", "/tasks", {"fileId": file, "config": {"type": "a"}, "type": "b",
                                        "priority": "low", "predefinedTaskId": "c"}),
              (worker, "PATCH", f"/tasks/{task['id']}",
               {"status": "processing", "status_message": "5%", "progress": 5, "level": "info"}),
              (admin, "POST", "/worker", {"name": "w", "capabilities": ["a", "b"]}),
              (worker, "POST", "/worker/heartbeat", {"status": "busy", "load": 1}),
              (admin, "POST", "/predefined-tasks", {"name": "p", "config": {"a": 1},
                                                    "description": "d"}),
              (user, "PUT", f"/files/{file}", {"name": "n"})]
    for _ in range(40):
        for caller, method, path, body in shapes:
            sane(caller.call(method, BASE + path, json=mutated(body, chance)))
    assert good(worker.get(f"{BASE}/tasks/{task['id']}"))["status"] == "processing"
    assert user.get(f"{BASE}/files/{file}/download").content == FILM
    good(handed(worker, task))
    assert read(user, task)["status"] == "completed"


def test_ids_of_one_installation_mean_nothing_to_another(relais_with):
    first, second = relais_with(), relais_with()
    task = created(first.caller("user", "martin", 1))
    user = second.caller("user", "martin", 1)
    refused(user.get(f"{BASE}/tasks/{task['id']}"), 404)
    refused(Caller(second.http, first.token("user", "martin", 1)).get(BASE + "/tasks"), 401)


def test_texts_come_back_as_json_whatever_they_hold(admin, user):
    text = "\"\\\u2028\u0007</script>\ud7ff é"
    made = good(admin.post(BASE + "/worker", data=json.dumps({"name": text}),
                           headers={"Content-Type": "application/json"}), 201)
    assert good(admin.get(f"{BASE}/worker/{made['id']}"))["name"] == text
    assert read(user, created(user, {"note": text}))["config"] == {"note": text}
