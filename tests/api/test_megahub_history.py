"""What dialect 002 tells of a task's past, queues and types that an administrator sets up, and the
people and brands that tasks name."""
import time

from conftest import TIME
from jobs import failed, job, numbers
from people import Person
from rows import row
from tasks import claimed, created, one, refused


def done(answer, status=200):
    assert answer.status_code == status, answer.text
    return answer.json()


@row("GET /tasks/{id}/events")
def test_the_past_of_a_task_is_told(user, worker):
    task = created(user)
    events = f"/tasks/{task['id']}/events/"
    body = done(user.get(events))
    assert body["count"] == 1 and body["next"] is body["previous"] is None
    assert [one["event"] for one in body["results"]] == ["created"]
    one(worker)
    done(worker.post(f"/tasks/{task['id']}/fail/", {"error_message": "no disk"}))
    done(user.post(f"/tasks/{task['id']}/retry/", {}))
    one(worker)
    assert [e["event"] for e in done(user.get(events))["results"]][-1] != "completed"
    done(worker.post(f"/tasks/{task['id']}/complete/", {"result_data": {}}))
    told = done(user.get(events))["results"]
    assert [e["event"] for e in told] == ["created", "attempt_started", "attempt_ended",
                                          "attempt_started", "completed"]
    assert told[2]["reason"] == "permanent" and told[2]["message"] == "no disk"
    assert told[2]["worker_name"].startswith("worker-") and told[3]["run"] == 2
    assert [e["created_at"] for e in told] == sorted(e["created_at"] for e in told)
    assert all(TIME.fullmatch(e["created_at"]) for e in told)


@row("GET /tasks/{id}/logs")
def test_the_log_of_a_task_is_told(user, work, brand, worker):
    task = created(user, queue_name="logs", max_retries=0)
    work("logs", "sh", "-c", "echo '{\"log\":\"first\"}' >&3; echo '{\"log\":\"second\"}' >&3; "
         "echo broken >&2; exit 3", brand=brand)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if user.get(f"/tasks/{task['id']}/").json()["status"] == "failed":
            break
        time.sleep(0.05)
    body = done(user.get(f"/tasks/{task['id']}/logs/"))
    texts = [line["message"] for line in body["results"]]
    assert "exit 3: broken" in texts[-1] and body["results"][-1]["level"] == "error"
    assert body["count"] == len(texts) and all(TIME.fullmatch(line["created_at"])
                                               for line in body["results"])


@row("GET /tasks/{id}/events", error=404)
@row("GET /tasks/{id}/logs", error=404)
def test_the_past_of_others_is_not_told(user, stranger):
    task = created(user)
    for what in ("events", "logs"):
        refused(stranger.get(f"/tasks/{task['id']}/{what}/"), 404, "TASK_NOT_FOUND")
        refused(user.get(f"/tasks/5/{what}/"), 404, "TASK_NOT_FOUND")


def test_a_pause_is_part_of_the_past(user, worker):
    made = failed(user, worker, "one")
    waits = job(user)
    done(user.post(f"/tasks/persistent-jobs/{waits['id']}/pause/", {}))
    told = done(user.get(f"/tasks/{waits['id']}/events/"))["results"]
    assert told[-1]["event"] == "paused" and told[-1]["reason"] == "paused"
    told = done(user.get(f"/tasks/{made['id']}/events/"))["results"]
    assert told[-1]["event"] == "failed" and told[-1]["message"] == "no disk"


def test_an_attempt_that_a_cancel_stopped_is_part_of_the_past(user, worker):
    task = created(user)
    one(worker)
    done(user.post(f"/tasks/{task['id']}/cancel/", {"reason": "not needed"}))
    told = done(user.get(f"/tasks/{task['id']}/events/"))["results"]
    assert [e["event"] for e in told] == ["created", "attempt_started", "attempt_ended",
                                          "cancelled"]
    assert told[2]["reason"] == "cancelled" and told[2]["message"] == "not needed"
    assert told[2]["status"] == "cancelled" and told[1]["worker_name"] == told[2]["worker_name"]
    line = done(user.get(f"/tasks/{task['id']}/logs/"))["results"][-1]
    assert "not needed" in line["message"] and line["level"] == "info"


# ---- queues ----

QUEUES, TYPES = "/tasks/queues/", "/tasks/types/"


def boss_of(relais, brand):
    return relais.caller("admin", "boss", brand)


@row("GET /tasks/queues")
@row("POST /tasks/queues")
@row("GET /tasks/queues/{id}")
@row("PATCH /tasks/queues/{id}")
@row("PUT /tasks/queues/{id}")
@row("DELETE /tasks/queues/{id}")
def test_a_queue_is_set_up_and_obeyed(relais, brand, user, worker, rival, stranger):
    boss = boss_of(relais, brand)
    made = done(boss.post(QUEUES, {"name": "heavy", "concurrency": 1, "max_memory_mb": 512}), 201)
    assert made["name"] == "heavy" and made["concurrency"] == 1 and made["is_active"] is True
    assert made["max_memory_mb"] == 512 and TIME.fullmatch(made["created_at"])
    path = f"{QUEUES}{made['id']}/"
    assert done(user.get(path)) == made and numbers(user.get(QUEUES)) == [made["id"]]
    first, second = created(user, queue_name="heavy"), created(user, queue_name="heavy")
    assert one(worker, queues=["heavy"])["id"] == first["id"]
    assert claimed(rival, queues=["heavy"], wait=0)["count"] == 0      # one at a time
    assert done(boss.call("PATCH", path, json={"concurrency": 2}))["max_memory_mb"] == 512
    assert one(rival, queues=["heavy"])["id"] == second["id"]
    created(user, queue_name="heavy")
    body = done(boss.put(path, json={"is_active": False}))
    assert body["concurrency"] == 0 and body["max_memory_mb"] is None
    assert claimed(worker, queues=["heavy"], wait=0)["count"] == 0     # paused
    assert numbers(user.get(QUEUES + "?is_active=false&search=hea")) == [made["id"]]
    assert numbers(user.get(QUEUES + "?concurrency__gt=0")) == numbers(stranger.get(QUEUES)) == []
    assert boss.delete(path).status_code == 204
    assert claimed(worker, queues=["heavy"], wait=0)["count"] == 1
    refused(user.get(path), 404, "NOT_FOUND")


@row("POST /tasks/queues", error=403)
@row("PATCH /tasks/queues/{id}", error=403)
@row("PUT /tasks/queues/{id}", error=400)
@row("DELETE /tasks/queues/{id}", error=404)
@row("GET /tasks/queues/{id}", error=404)
@row("GET /tasks/queues", error=401)
def test_who_may_not_set_up_a_queue(relais, brand, user, stranger, nobody):
    boss = boss_of(relais, brand)
    made = done(boss.post(QUEUES, {"name": "heavy"}), 201)
    path = f"{QUEUES}{made['id']}/"
    assert user.post(QUEUES, {"name": "x"}).status_code == 403
    assert user.call("PATCH", path, json={}).status_code == user.delete(path).status_code == 403
    assert stranger.get(path).status_code == boss.delete(QUEUES + "7/").status_code == 404
    assert nobody.get(QUEUES).status_code == 401
    for body, field in (({"name": "heavy"}, "name"), ({}, "name"), ({"name": ""}, "name"),
                        ({"name": "y", "concurrency": -1}, "concurrency"),
                        ({"name": "y", "max_memory_mb": 0}, "max_memory_mb")):
        answer = boss.post(QUEUES, body)
        assert answer.status_code == 400 and field in answer.json()["field_errors"], answer.text
    assert "name" in boss.put(path, json={"name": "other"}).json()["field_errors"]
    assert "is_active" in boss.put(path, json={"is_active": "x"}).json()["field_errors"]


# ---- types ----

@row("GET /tasks/types")
@row("POST /tasks/types")
@row("GET /tasks/types/{id}")
@row("PATCH /tasks/types/{id}")
@row("PUT /tasks/types/{id}")
@row("DELETE /tasks/types/{id}")
def test_a_type_gives_what_a_task_does_not_say(relais, brand, user, stranger):
    boss = boss_of(relais, brand)
    made = done(boss.post(TYPES, {"name": "render", "default_queue": "gpu", "max_retries": 7,
                                  "default_priority": "high", "timeout_seconds": 600}), 201)
    path = f"{TYPES}{made['id']}/"
    assert done(user.get(path)) == made and numbers(user.get(TYPES)) == [made["id"]]
    task = done(user.post("/tasks/", {"task_type": "render"}), 201)
    assert (task["queue_name"], task["priority"]) == ("gpu", "high")
    assert (task["max_retries"], task["timeout_minutes"]) == (7, 10)
    assert done(user.get(f"/tasks/{task['id']}/"))["queue_name"] == "gpu"
    task = done(user.post("/tasks/", {"task_type": "render", "priority": "low", "max_retries": 1,
                                      "queue_name": "cpu", "timeout_minutes": 2}), 201)
    assert (task["queue_name"], task["priority"], task["max_retries"]) == ("cpu", "low", 1)
    assert task["timeout_minutes"] == 2
    assert done(stranger.post("/tasks/", {"task_type": "render"}), 201)["queue_name"] == "normal"
    body = done(boss.call("PATCH", path, json={"default_queue": None}))
    assert body["default_queue"] is None and body["max_retries"] == 7
    until = time.monotonic() + 60
    while time.monotonic() < until:                          # known for a second
        task = done(user.post("/tasks/", {"task_type": "render"}), 201)
        if task["queue_name"] == "high_priority":
            break
        time.sleep(0.05)
    assert task["queue_name"] == "high_priority"
    body = done(boss.put(path, json={"name": "render"}))
    assert (body["timeout_seconds"], body["max_retries"], body["default_priority"]) == (
        3600, 3, "normal")
    assert boss.delete(path).status_code == 204 and numbers(user.get(TYPES)) == []


@row("POST /tasks/types", error=400)
@row("PATCH /tasks/types/{id}", error=400)
@row("PUT /tasks/types/{id}", error=403)
@row("DELETE /tasks/types/{id}", error=403)
@row("GET /tasks/types/{id}", error=404)
@row("GET /tasks/types", error=400)
def test_what_is_no_type(relais, brand, user, stranger):
    boss = boss_of(relais, brand)
    made = done(boss.post(TYPES, {"name": "render"}), 201)
    path = f"{TYPES}{made['id']}/"
    for body, field in (({"name": "render"}, "name"), ({}, "name"),
                        ({"name": "y", "default_priority": "x"}, "default_priority"),
                        ({"name": "y", "timeout_seconds": 0}, "timeout_seconds"),
                        ({"name": "y", "max_retries": 5000}, "max_retries")):
        answer = boss.post(TYPES, body)
        assert answer.status_code == 400 and field in answer.json()["field_errors"], answer.text
    assert boss.call("PATCH", path, json={"max_retries": "x"}).status_code == 400
    assert user.put(path, json={}).status_code == user.delete(path).status_code == 403
    assert stranger.get(path).status_code == 404
    assert user.get(TYPES + "?max_retries=x").status_code == 400


# ---- people and brands ----

def test_tasks_name_real_people_and_brands(relais_with):
    server = relais_with("--register-open=true")
    person = Person(server)
    user = person.caller()
    me = done(user.get("/auth/me/"))
    first = created(user)
    assert first["created_by"] == {"id": me["id"], "username": first["created_by"]["username"]}
    brand = first["brand"]["id"]
    boss = server.caller("admin", "boss")
    done(boss.put(f"/brands/{brand}/", json={"name": "Humari"}))
    until = time.monotonic() + 60
    while time.monotonic() < until:
        read = done(user.get(f"/tasks/{first['id']}/"))
        if read["brand_name"] == "Humari":
            break
        time.sleep(0.05)
    assert read["brand"] == {"id": brand, "name": "Humari"} and read["brand_name"] == "Humari"
    other = created(server.caller("user", "somebody", brand))
    assert other["created_by"]["id"] != me["id"]
    found = user.get(f"/tasks/?created_by={me['id']}")
    assert numbers(found) == [first["id"]]
    assert found.json()["results"][0]["created_by"]["id"] == me["id"]
    assert numbers(user.get("/tasks/?created_by=somebody")) == [other["id"]]
    assert numbers(user.get("/tasks/?created_by=999999999")) == []
