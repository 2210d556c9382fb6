"""Workers of dialect 000: how one is made, gets its tokens, is seen, and goes."""
import concurrent.futures
import time

import pytest

from conftest import TIME, Caller
from films import BASE, CUID, UUID
from films import (created, enrolled, good, handed, parked, patched, pending, read, refused, taken,
                   until)
from rows import row


@pytest.fixture
def admin(relais, brand):
    return relais.caller("admin", "root", brand)


def make(admin, **fields):
    return good(admin.post(BASE + "/worker", {"name": "Worker", **fields}), 201)


def register(relais, token, **rest):
    return Caller(relais.http).post(BASE + "/worker/register", {"token": token}, **rest)


# ---- create ----

@row("POST /api/v1/worker")
def test_a_worker_is_made_with_its_capabilities(admin):
    made = make(admin, capabilities=["video", "audio", "video"])
    assert made["capabilities"] == ["video", "audio"] and made["status"] == "offline"
    assert CUID.fullmatch(made["id"]) and UUID.fullmatch(made["token"])
    assert TIME.fullmatch(made["createdAt"]) and made["updated_at"] == made["updatedAt"]
    assert make(admin)["capabilities"] == []


@row("POST /api/v1/worker", error=400)
@pytest.mark.parametrize("body", [
    {}, {"name": ""}, {"name": None}, {"name": 7}, {"name": "x" * 129}, {"name": ["a"]},
    {"name": "a", "capabilities": 7}, {"name": "a", "capabilities": [7]},
    {"name": "a", "capabilities": [""]}, {"name": "a", "capabilities": ["x" * 129]},
    {"name": "a", "capabilities": [str(n) for n in range(17)]}, []])
def test_a_wrong_worker_is_400(admin, body):
    refused(admin.post(BASE + "/worker", json=body), 400)


@row("POST /api/v1/worker", error=401)
@row("POST /api/v1/worker", error=403)
@row("GET /api/v1/worker", error=401)
@row("GET /api/v1/worker", error=403)
@row("GET /api/v1/worker/{cuid}", error=403)
@row("DELETE /api/v1/worker/{cuid}", error=403)
@row("POST /api/v1/worker/{cuid}/token", error=403)
def test_only_admins_handle_workers(relais, admin, user, nobody):
    made, worker = enrolled(relais, admin)
    path = f"{BASE}/worker/{made['id']}"
    for caller, status in ((nobody, 401), (user, 403), (worker, 403)):
        refused(caller.post(BASE + "/worker", {"name": "a"}), status)
        refused(caller.get(BASE + "/worker"), status)
        refused(caller.get(path), status)
        refused(caller.delete(path), status)
        refused(caller.post(path + "/token"), status)


def test_a_repeated_key_makes_one_worker_and_says_its_token_again(admin):
    key = {"Idempotency-Key": "w"}
    first = good(admin.post(BASE + "/worker", {"name": "W"}, headers=key), 201)
    assert good(admin.post(BASE + "/worker", {"name": "W"}, headers=key), 201) == first
    refused(admin.post(BASE + "/worker", {"name": "V"}, headers=key), 409, "IDEMPOTENCY_CONFLICT")
    assert len(good(admin.get(BASE + "/worker"))) == 1


# ---- register ----

@row("POST /api/v1/worker/register")
def test_the_answer_of_register_is_nested_for_clients_that_unwrap_twice(relais, admin):
    made = make(admin)
    data = good(register(relais, made["token"]), 200, "Worker authenticated successfully")
    assert data["token"] == data["data"]["token"] and data["success"] is True
    assert data["refreshToken"] == data["data"]["refreshToken"]


@row("POST /api/v1/worker/register", error=400)
@row("POST /api/v1/worker/register", error=401)
def test_wrong_registration_tokens(relais, admin, nobody):
    path = BASE + "/worker/register"
    for body in ({}, {"token": 7}, {"token": ""}, {"token": None}, {"token": "x" * 257}, []):
        refused(nobody.post(path, json=body), 400)
    refused(nobody.post(path), 400)
    for text in ("nonsense", "a1b2c3d4-e5f6-7890-1234-567890abcdef", "é", "t:"):
        refused(nobody.post(path, {"token": text}), 401)
    made = make(admin)
    good(register(relais, made["token"]))
    refused(register(relais, made["token"]), 401)
    refused(register(relais, made["id"]), 401)


@row("POST /api/v1/worker/register", error=401)
def test_an_expired_registration_token_is_401(relais_with):
    server = relais_with("--registration-ms=1000")
    made = make(server.caller("admin", "root", 1))
    time.sleep(1.2)  # the token's time
    refused(register(server, made["token"]), 401)


def test_of_twenty_threads_exactly_one_gets_the_token(relais, admin):
    made = make(admin)
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: register(relais, made["token"]), range(20)))
    won = [answer for answer in answers if answer.status_code == 200]
    assert len(won) == 1, [answer.status_code for answer in answers]
    for answer in answers:
        if answer not in won:
            refused(answer, 401)
    refused(pending(Caller(relais.http, good(won[0])["token"])), 404)


def test_a_lost_answer_is_said_again_under_the_same_key_alone(relais, admin):
    made, key = make(admin), {"Idempotency-Key": "boot-1"}
    first = good(register(relais, made["token"], headers=key))
    assert good(register(relais, made["token"], headers=key)) == first
    refused(register(relais, made["token"], headers={"Idempotency-Key": "boot-2"}), 401)
    refused(register(relais, made["token"]), 401)


@row("POST /api/v1/worker/{cuid}/token")
@row("POST /api/v1/worker/{cuid}/token", error=404)
def test_a_new_registration_token_replaces_the_old_and_ends_the_incarnation(relais, admin):
    made, old = enrolled(relais, admin)
    path = f"{BASE}/worker/{made['id']}/token"
    first, second = (good(admin.post(path), 201)["token"] for _ in range(2))
    assert UUID.fullmatch(second) and first != second
    refused(register(relais, first), 401)
    refused(pending(old), 401)
    fresh = Caller(relais.http, good(register(relais, second))["token"])
    refused(pending(fresh), 404)
    refused(pending(old), 401)
    refused(admin.post(f"{BASE}/worker/c{'0' * 24}/token"), 404)


# ---- refresh ----

@row("POST /api/v1/worker/refresh-auth")
@row("POST /api/v1/worker/refresh-auth", error=401)
@row("POST /api/v1/worker/refresh-auth", error=400)
def test_refresh_tokens_rotate(relais, admin, nobody):
    made, path = make(admin), BASE + "/worker/refresh-auth"
    first = good(register(relais, made["token"]))
    second = good(nobody.post(path, {"refreshToken": first["refreshToken"]}))
    assert second["refreshToken"] != first["refreshToken"]
    assert second["data"]["token"] == second["token"]
    refused(pending(Caller(relais.http, second["token"])), 404)
    refused(nobody.post(path, {"refreshToken": first["refreshToken"]}), 401)
    third = good(nobody.post(path, {"refresh_token": second["refreshToken"]}))
    assert third["refreshToken"] != second["refreshToken"]
    for bad in ("x", made["id"], made["id"] + ".", made["id"] + "." + "0" * 64, "." * 25,
                "c" + "0" * 24 + "." + "0" * 64, third["token"][:200]):
        refused(nobody.post(path, {"refreshToken": bad}), 401)
    for body in ({}, {"refreshToken": 1}, {"refreshToken": ""}, []):
        refused(nobody.post(path, json=body), 400)


def test_of_twenty_threads_exactly_one_refreshes(relais, admin, nobody):
    token = good(register(relais, make(admin)["token"]))["refreshToken"]
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        codes = list(pool.map(lambda _: Caller(relais.http).post(
            BASE + "/worker/refresh-auth", {"refreshToken": token}).status_code, range(20)))
    assert sorted(codes) == [200] + [401] * 19


# ---- being seen ----

@row("POST /api/v1/worker/heartbeat")
@row("POST /api/v1/worker/heartbeat", error=400)
@row("POST /api/v1/worker/heartbeat", error=401)
@row("POST /api/v1/worker/heartbeat", error=403)
@row("GET /api/v1/worker/{cuid}")
def test_a_heartbeat_shows_in_the_record(relais, admin, user, nobody):
    made, worker = enrolled(relais, admin)
    path = BASE + "/worker/heartbeat"
    data = good(worker.post(path, {"status": "BUSY", "load": 0.5}))
    assert data["id"] == made["id"] and data["status"] == "busy"
    shown = good(admin.get(f"{BASE}/worker/{made['id']}"))
    assert (shown["status"], shown["load"], shown["tasks"]) == ("busy", 0.5, [])
    assert "token" not in shown and TIME.fullmatch(shown["lastSeenAt"])
    good(worker.post(path, {"status": "online"}))
    assert good(admin.get(f"{BASE}/worker/{made['id']}"))["status"] == "online"
    good(worker.post(path))
    for body in ({"status": "asleep"}, {"status": 7}, {"load": "high"}, {"load": -1}):
        refused(worker.post(path, body), 400)
    refused(nobody.post(path), 401)
    refused(user.post(path), 403)


@row("GET /api/v1/worker")
@row("GET /api/v1/worker/{cuid}")
@row("GET /api/v1/worker/{cuid}", error=404)
def test_workers_are_listed_with_what_they_hold_and_without_tokens(relais, admin, user):
    idle, _ = enrolled(relais, admin, "Idle")
    made, worker = enrolled(relais, admin, "Busy")
    make(admin, name="New")
    task = created(user)
    taken(worker)
    answer = admin.get(BASE + "/worker")
    listed = {entry["name"]: entry for entry in good(answer)}
    assert answer.headers["X-Total-Count"] == "3"
    assert {name: entry["status"] for name, entry in listed.items()} == {
        "Idle": "online", "Busy": "busy", "New": "offline"}
    assert all("token" not in entry for entry in listed.values())
    shown = good(admin.get(f"{BASE}/worker/{made['id']}"))
    assert [held["id"] for held in shown["tasks"]] == [task["id"]]
    assert good(admin.get(f"{BASE}/worker/{idle['id']}"))["tasks"] == []
    for missing in ("c" + "0" * 24, "7", task["id"]):
        refused(admin.get(f"{BASE}/worker/{missing}"), 404)


@row("GET /api/v1/worker/{cuid}", error=404)
@row("DELETE /api/v1/worker/{cuid}", error=404)
def test_workers_of_another_brand_are_not_found(relais, admin):
    made = make(relais.caller("admin", "root", 99))
    refused(admin.get(f"{BASE}/worker/{made['id']}"), 404)
    refused(admin.delete(f"{BASE}/worker/{made['id']}"), 404)
    refused(admin.post(f"{BASE}/worker/{made['id']}/token"), 404)
    assert good(admin.get(BASE + "/worker")) == []


# ---- the end ----

@row("DELETE /api/v1/worker/{cuid}")
def test_a_deleted_workers_tokens_die_and_its_tasks_go_back(relais, admin, user, nobody):
    made = make(admin)
    tokens = good(register(relais, made["token"]))
    worker, rival = Caller(relais.http, tokens["token"]), enrolled(relais, admin)[1]
    started, waiting = created(user, {"n": 1}), created(user, {"n": 2})
    taken(worker)
    good(patched(worker, started, status="processing"))
    assert taken(worker)["id"] == waiting["id"]
    good(admin.delete(f"{BASE}/worker/{made['id']}"))
    refused(admin.delete(f"{BASE}/worker/{made['id']}"), 404)
    refused(nobody.post(BASE + "/worker/refresh-auth", {"refreshToken": tokens["refreshToken"]}),
            401)
    for answer in (pending(worker), patched(worker, started, status="processing"),
                   handed(worker, started), worker.post(BASE + "/worker/heartbeat")):
        refused(answer, 401)
    got = [taken(rival)["id"]]
    good(patched(rival, {"id": got[0]}, status="processing"))
    got.append(taken(rival)["id"])
    assert set(got) == {started["id"], waiting["id"]}
    assert read(user, started)["workerId"] != made["id"]


def test_a_deleted_worker_that_waits_is_answered_and_gets_nothing(relais, admin, user):
    made, worker = enrolled(relais, admin)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        before = parked(relais)
        waiting = pool.submit(pending, worker, wait=60)
        until(lambda: parked(relais) > before)
        begin = time.monotonic()
        good(admin.delete(f"{BASE}/worker/{made['id']}"))
        task = created(user)
        refused(waiting.result(120), 404)
    assert time.monotonic() - begin < 50, "not at the end of its wait"
    assert read(user, task)["status"] == "pending"


@row("POST /api/v1/worker/register", error=429)
@row("POST /api/v1/worker/refresh-auth", error=429)
def test_guessing_tokens_is_slowed_down(relais_with):
    server = relais_with("--failures-per-min=5")
    nobody = Caller(server.http)
    for path, body in (("register", {"token": "x"}), ("refresh-auth", {"refreshToken": "x.y"})):
        answers = [nobody.post(f"{BASE}/worker/{path}", body) for _ in range(10)]
        assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 5
        refused(answers[-1], 429)
        assert int(answers[-1].headers["Retry-After"]) >= 1


def test_an_admin_of_all_brands_sees_all_and_must_choose_to_make(relais, admin, user):
    everywhere = relais.caller("admin", "root")
    everywhere.session.headers["X-Brand-ID"] = "all"
    made, task = make(admin, name="Here"), created(user)
    listed = good(everywhere.get(BASE + "/worker?limit=100"))
    assert made["id"] in [worker["id"] for worker in listed]
    assert good(everywhere.get(f"{BASE}/worker/{made['id']}"))["name"] == "Here"
    assert task["id"] in [entry["id"] for entry in good(everywhere.get(BASE + "/tasks"))]
    assert good(everywhere.get(BASE + "/files"))
    assert everywhere.get(BASE + "/predefined-tasks").status_code == 200
    for answer in (everywhere.post(BASE + "/worker", {"name": "w"}),
                   everywhere.post(BASE + "/tasks", {"fileId": "c", "config": {}}),
                   everywhere.post(BASE + "/files/upload", files={"file": ("a", b"x")}),
                   everywhere.post(BASE + "/predefined-tasks", {"name": "p", "config": {}})):
        refused(answer, 400, text="brand")


def test_deleting_a_worker_again_and_again_fails_no_task(relais, admin, user):
    task = created(user)
    for _ in range(4):
        made, worker = enrolled(relais, admin)
        assert taken(worker)["id"] == task["id"]
        good(patched(worker, task, status="processing"))
        good(admin.delete(f"{BASE}/worker/{made['id']}"))
    assert read(user, task)["status"] == "pending"


def test_a_worker_that_registers_anew_loses_what_it_held_to_the_queue(relais, admin, user):
    made, old = enrolled(relais, admin)
    task = created(user)
    taken(old)
    token = good(admin.post(f"{BASE}/worker/{made['id']}/token"), 201)["token"]
    fresh = Caller(relais.http, good(register(relais, token))["token"])
    assert taken(fresh)["id"] == task["id"]
    refused(handed(old, task), 409, "ATTEMPT_SUPERSEDED")
    good(handed(fresh, task, b"new"))
    assert user.get(f"{BASE}/tasks/{task['id']}/result").content == b"new"
