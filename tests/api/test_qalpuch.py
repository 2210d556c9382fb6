"""Dialect 000 as its document tells it: the four steps, then the client side of tasks, predefined
tasks, and every refusal in the envelope. Examples of the document stand in examples/000_*.json."""
import json
import os
import pathlib
import subprocess

import pytest

from conftest import RELAIS, TIME, Caller, alike, example
from films import BASE, CONFIG, CUID, TASK_KEYS, UUID
from films import created, enrolled, good, handed, patched, pending, read, refused, taken, uploaded
from rows import row


@pytest.fixture
def admin(relais, brand):
    return relais.caller("admin", "root", brand)


@pytest.fixture
def other(relais, brand):
    """Another user of the same brand."""
    return relais.caller("user", "anna", brand)


# ---- the document's four steps ----

@row("POST /api/v1/worker")
@row("POST /api/v1/worker/register")
@row("GET /api/v1/tasks/pending")
@row("PATCH /api/v1/tasks/{cuid}")
@row("POST /api/v1/tasks/{cuid}")
def test_the_four_steps_of_the_document(relais, admin, user, nobody):
    # 1: an administrator creates the worker
    answer = admin.post(BASE + "/worker", example("000_worker_request.json"))
    assert answer.status_code == 201
    worker = answer.json()["data"]
    alike(example("000_worker_created.json"), answer.json(),
          issued=("data.id", "data.token", "data.created_at", "data.updated_at"))
    assert CUID.fullmatch(worker["id"]) and UUID.fullmatch(worker["token"])
    assert TIME.fullmatch(worker["created_at"]) and worker["createdAt"] == worker["created_at"]
    # 2: the worker trades the registration token for a JWT
    request = example("000_register_request.json")
    answer = nobody.post(BASE + "/worker/register", {**request, "token": worker["token"]})
    assert answer.status_code == 200
    alike(example("000_registered.json"), answer.json(), issued=("data.token",))
    jwt = answer.json()["data"]["token"]
    # the sample's head, to the letter: {"alg":"HS256","typ":"JWT"}
    assert jwt.startswith(example("000_registered.json")["data"]["token"].rstrip("."))
    # 3: authenticated requests; 4.1: a pending task
    held = Caller(relais.http, jwt)
    config = example("000_pending.json")["data"]["config"]
    task = created(user, config)
    answer = held.get(BASE + "/tasks/pending")
    assert answer.status_code == 200
    alike(example("000_pending.json"), answer.json(),
          issued=("data.id", "data.sourceFileId", "data.workerId", "data.createdAt",
                  "data.updatedAt"))
    got = answer.json()["data"]
    assert (got["id"], got["workerId"]) == (task["id"], worker["id"])
    assert got["sourceFileId"] == task["sourceFileId"] and CUID.fullmatch(got["id"])
    assert TIME.fullmatch(got["createdAt"]) and TIME.fullmatch(got["updatedAt"])
    # 4.2: how it goes
    said = good(held.call("PATCH", f"{BASE}/tasks/{got['id']}",
                          json=example("000_processing_request.json")))
    assert said["status"] == "processing" and said["progress"] == 50
    assert [line["message"] for line in said["logs"]] == ["Traitement en cours, 50% terminé."]
    # 4.3: the result completes the task
    done = good(handed(held, got, b"a film"))
    assert done["status"] == "completed" and CUID.fullmatch(done["resultFileId"])
    assert user.get(f"{BASE}/files/{done['resultFileId']}/download").content == b"a film"


@row("PATCH /api/v1/tasks/{cuid}")
def test_a_task_fails_as_the_document_shows(relais, admin, user):
    worker = enrolled(relais, admin)[1]
    task = created(user)
    taken(worker)
    failure = example("000_failed_request.json")
    said = good(worker.call("PATCH", f"{BASE}/tasks/{task['id']}", json=failure))
    assert said["status"] == "failed" and said["message"] == failure["status_message"]
    now = read(user, task)
    assert now["status"] == "failed" and now["resultFileId"] is None
    assert now["logs"][-1]["message"] == failure["status_message"]
    refused(pending(worker), 404)  # it is not tried again by itself


@row("GET /api/v1/tasks/pending", error=404)
def test_nothing_pending_is_404_with_a_body_or_200_null(relais, admin):
    worker = enrolled(relais, admin)[1]
    refused(pending(worker), 404, text="No pending tasks")
    assert good(pending(worker, empty="200")) is None


# ---- the envelope of every error ----

@pytest.mark.parametrize("base", ["/api/v1", "/v1", "/API/v1", "/V1"])
def test_both_bases_in_any_case_with_or_without_a_slash(user, base):
    file = uploaded(user, base=base)["id"]
    data = good(user.post(base + "/Tasks/", {"fileId": file, "config": "{}"}), 201)
    assert good(user.get(f"{base}/TASKS/{data['id']}/"))["id"] == data["id"]


def test_errors_of_the_framework_have_the_form_too(user, nobody):
    refused(user.get(BASE + "/nothing"), 404)
    refused(user.get("/v1/nothing/at/all"), 404)
    answer = user.call("PUT", BASE + "/tasks")
    refused(answer, 405)
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))
    refused(user.post(BASE + "/tasks", data=b"{", headers={"Content-Type": "application/json"}),
            400)
    refused(user.post(BASE + "/tasks", data=b"<a/>", headers={"Content-Type": "text/xml"}), 415)
    refused(user.post(BASE + "/tasks", data=b'{"a":1,"a":2}',
                      headers={"Content-Type": "application/json"}), 400)
    refused(user.get(BASE + "/tasks/a%2fb"), 400)
    answer = nobody.get(BASE + "/tasks")
    refused(answer, 401)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    refused(Caller(nobody.base, "no.such.token").get(BASE + "/tasks"), 401)


def test_a_body_over_the_limit_is_413(user):
    file = uploaded(user)["id"]
    refused(user.post(BASE + "/tasks", {"fileId": file, "config": {"a": "x" * (70 << 10)}}), 413)
    refused(user.post(BASE + "/tasks", {"fileId": file, "config": "x" * (2 << 20)}), 413)


# ---- creating tasks ----

@row("POST /api/v1/tasks")
def test_a_task_has_every_documented_member(user):
    task = created(user)
    assert TASK_KEYS <= set(task), TASK_KEYS - set(task)
    assert task["config"] == CONFIG and task["type"] == "video" and task["priority"] == "normal"
    assert task["source_file_id"] == task["sourceFileId"] and task["workerId"] is None
    assert task["created_at"] == task["createdAt"] and TIME.fullmatch(task["created_at"])
    assert task["logs"] == [] and task["resultFileId"] is None is task["result_file_id"]


@row("POST /api/v1/tasks")
@pytest.mark.parametrize("config", [
    {"type": "audio"}, {}, {"a": [1, 2.50, "é", None], "b": {"c": {}}}, "{ \"param\": \"value\" }",
    "", "not json", "[1]", "{\"type\": \"image\"}", "é\n\t\u2028"])
def test_config_is_echoed_with_the_type_it_was_given(user, config):
    task = created(user, config)
    assert task["config"] == config and type(task["config"]) is type(config)
    assert read(user, task)["config"] == config


def test_an_object_config_keeps_its_very_text(user):
    file = uploaded(user)["id"]
    text = '{"z": 1.50,   "a": 1e3, "e": "\\u00e9"}'
    data = user.post(BASE + "/tasks", data=f'{{"fileId":"{file}","config":{text}}}'.encode(),
                     headers={"Content-Type": "application/json"})
    assert data.status_code == 201 and text in data.text


@row("POST /api/v1/tasks")
def test_both_spellings_and_the_optional_fields(user):
    file = uploaded(user)["id"]
    task = good(user.post(BASE + "/tasks", {"file_id": file, "config": "{}", "type": "sound",
                                            "priority": "HIGH", "unknown": 1}), 201)
    assert (task["type"], task["priority"]) == ("sound", "high")
    assert task["sourceFileId"] == file


@row("POST /api/v1/tasks", error=400)
@pytest.mark.parametrize("change", [
    {"fileId": None}, {"fileId": 7}, {"fileId": ""}, {"config": 7}, {"config": [1]},
    {"config": None}, {"config": True}, {"type": 5}, {"type": "x" * 129}, {"priority": "urgent"},
    {"priority": 1}])
def test_wrong_fields_are_400(user, change):
    body = {"fileId": uploaded(user)["id"], "config": "{}", **change}
    refused(user.post(BASE + "/tasks", body), 400, text=next(iter(change)))


@pytest.mark.parametrize("body", [b"[]", b"null", b"7", b'"x"', b""])
def test_a_task_that_is_no_object_is_400(user, body):
    refused(user.post(BASE + "/tasks", data=body, headers={"Content-Type": "application/json"}),
            400)


@row("POST /api/v1/tasks", error=404)
@row("POST /api/v1/tasks", error=401)
@row("POST /api/v1/tasks", error=403)
def test_a_task_needs_a_file_of_ones_own(relais, admin, user, other, stranger, nobody):
    file = uploaded(user)["id"]
    for caller in (other, stranger):
        refused(caller.post(BASE + "/tasks", {"fileId": file, "config": "{}"}), 404)
    for bad in ("c" + "0" * 24, "nonsense", "../../etc/passwd", created(user)["id"]):
        refused(user.post(BASE + "/tasks", {"fileId": bad, "config": "{}"}), 404)
    refused(nobody.post(BASE + "/tasks", {"fileId": file, "config": "{}"}), 401)
    worker = enrolled(relais, admin)[1]
    refused(worker.post(BASE + "/tasks", {"fileId": file, "config": "{}"}), 403)


def test_a_repeated_key_makes_one_task(user, other):
    file = uploaded(user)["id"]
    body, key = {"fileId": file, "config": CONFIG}, {"Idempotency-Key": "one"}
    first = good(user.post(BASE + "/tasks", body, headers=key), 201)
    assert good(user.post(BASE + "/tasks", body, headers=key), 201)["id"] == first["id"]
    refused(user.post(BASE + "/tasks", {**body, "config": "{}"}, headers=key), 409,
            "IDEMPOTENCY_CONFLICT")
    mine = {"fileId": uploaded(other)["id"], "config": CONFIG}
    assert good(other.post(BASE + "/tasks", mine, headers=key), 201)["id"] != first["id"]
    assert len(good(user.get(BASE + "/tasks"))) == 1


# ---- reading tasks ----

@row("GET /api/v1/tasks")
def test_the_list_is_a_bare_array_newest_first(user, other):
    tasks = [created(user, {"n": n}) for n in range(3)]
    created(other)
    answer = user.get(BASE + "/tasks")
    data = good(answer)
    assert isinstance(data, list) and answer.headers["X-Total-Count"] == "3"
    assert [task["id"] for task in data] == [task["id"] for task in reversed(tasks)]
    assert all(TASK_KEYS <= set(task) and task["logs"] == [] for task in data)
    assert [task["config"] for task in data] == [{"n": 2}, {"n": 1}, {"n": 0}]


@row("GET /api/v1/tasks")
def test_pages_have_links(user):
    for n in range(5):
        created(user, {"n": n})
    answer = user.get(BASE + "/tasks", params={"page": 2, "limit": 2, "status": "pending"})
    assert [task["config"]["n"] for task in good(answer)] == [2, 1]
    assert answer.headers["X-Total-Count"] == "5"
    links = dict(reversed(part.split("; rel=")) for part in answer.headers["Link"].split(", "))
    assert set(links) == {'"next"', '"prev"', '"first"', '"last"'}
    seen = user.session.get(links['"next"'].strip("<>"))
    assert [task["config"]["n"] for task in good(seen)] == [0]
    assert "status=pending" in links['"next"'] and "page=3" in links['"last"']
    assert good(user.get(BASE + "/tasks", params={"page": 9})) == []
    long = user.get(BASE + "/tasks", params={"limit": 2, "note": "x" * 3000})
    assert len(good(long)) == 2 and "Link" not in long.headers  # no head could hold the links


@row("GET /api/v1/tasks")
def test_the_list_is_filtered_and_an_admin_sees_all(relais, admin, user, other):
    worker = enrolled(relais, admin)[1]
    first = created(user, {"type": "video"})
    second = created(other, {"type": "audio"})
    taken(worker)
    assert [t["id"] for t in good(user.get(BASE + "/tasks?status=processing"))] == [first["id"]]
    assert good(user.get(BASE + "/tasks?status=pending")) == []
    assert len(good(admin.get(BASE + "/tasks"))) == 2
    assert [t["id"] for t in good(admin.get(BASE + "/tasks?type=audio"))] == [second["id"]]
    patched(worker, first, status="failed", message="no")
    failed = good(user.get(BASE + "/tasks?status=FAILED"))
    assert [t["message"] for t in failed] == ["no"] and failed[0]["logs"][0]["level"] == "error"


@row("GET /api/v1/tasks", error=401)
@row("GET /api/v1/tasks", error=400)
@row("GET /api/v1/tasks", error=403)
def test_bad_lists_are_refused(relais, admin, user, nobody):
    refused(nobody.get(BASE + "/tasks"), 401)
    for query in ("page=0", "page=x", "limit=0", "limit=-1", "status=sleeping"):
        refused(user.get(BASE + "/tasks?" + query), 400)
    assert len(good(user.get(BASE + "/tasks?limit=100000&unknown=1"))) == 0
    refused(enrolled(relais, admin)[1].get(BASE + "/tasks"), 403)


@row("GET /api/v1/tasks/{cuid}")
@row("GET /api/v1/tasks/{cuid}", error=403)
@row("GET /api/v1/tasks/{cuid}", error=404)
@row("GET /api/v1/tasks/{cuid}", error=401)
def test_a_task_is_shown_to_its_owner_its_holder_and_admins(relais, admin, user, other, stranger,
                                                            nobody):
    worker, rival = enrolled(relais, admin)[1], enrolled(relais, admin)[1]
    task = created(user)
    path = f"{BASE}/tasks/{task['id']}"
    refused(worker.get(path), 403)
    taken(worker)
    for caller in (user, admin, worker):
        assert good(caller.get(path))["id"] == task["id"]
    refused(rival.get(path), 403)
    refused(other.get(path), 403)
    refused(stranger.get(path), 404)
    refused(nobody.get(path), 401)
    for bad in ("c" + "0" * 24, "7", "clv9p8qjk000108l9e7g3f2a1", task["id"].upper(),
                task["id"][:-1], "%00", task["sourceFileId"]):
        assert user.get(f"{BASE}/tasks/{bad}").status_code in (400, 404)


def test_tasks_of_other_dialects_are_not_shown(relais, user):
    task = user.post("/tasks/", {"task_type": "seo"}).json()
    assert good(user.get(BASE + "/tasks")) == []
    assert user.get(f"/tasks/{task['id']}/").status_code == 200


# ---- cancel, retry, delete ----

@row("POST /api/v1/tasks/{cuid}/cancel")
@row("POST /api/v1/tasks/{cuid}/cancel", error=409)
@row("POST /api/v1/tasks/{cuid}/cancel", error=403)
@row("POST /api/v1/tasks/{cuid}/cancel", error=404)
def test_a_cancelled_task_is_failed_and_stays_so(relais, admin, user, other, stranger):
    worker = enrolled(relais, admin)[1]
    task = created(user)
    path = f"{BASE}/tasks/{task['id']}"
    refused(other.post(path + "/cancel"), 403)
    refused(stranger.post(path + "/cancel"), 404)
    taken(worker)
    data = good(user.post(path + "/cancel"))
    assert (data["status"], data["message"], data["cancelled"]) == ("failed", "cancelled", True)
    refused(user.post(path + "/cancel"), 409, "CONFLICT")
    refused(user.post(path + "/retry"), 409, "CONFLICT")
    refused(patched(worker, task, status="processing"), 409, "ATTEMPT_SUPERSEDED")
    refused(handed(worker, task), 409, "ATTEMPT_SUPERSEDED")


@row("POST /api/v1/tasks/{cuid}/retry")
@row("POST /api/v1/tasks/{cuid}/retry", error=409)
@row("POST /api/v1/tasks/{cuid}/retry", error=403)
def test_a_failed_task_is_queued_again(relais, admin, user, other):
    worker = enrolled(relais, admin)[1]
    task = created(user)
    path = f"{BASE}/tasks/{task['id']}/retry"
    refused(user.post(path), 409, "CONFLICT")
    taken(worker)
    good(patched(worker, task, status="failed", message="once"))
    refused(other.post(path), 403)
    data = good(user.post(path))
    assert data["status"] == "pending" and data["progress"] == 0
    assert taken(worker)["id"] == task["id"]
    good(handed(worker, task, b"second"))
    refused(user.post(path), 409, "CONFLICT")
    assert user.get(f"{BASE}/tasks/{task['id']}/result").content == b"second"


@row("DELETE /api/v1/tasks/{cuid}")
@row("DELETE /api/v1/tasks/{cuid}", error=409)
@row("DELETE /api/v1/tasks/{cuid}", error=404)
def test_users_delete_what_waits_or_failed_admins_everything(relais, admin, user, other):
    worker = enrolled(relais, admin)[1]
    waiting, failing, working, finished = (created(user, {"n": n}) for n in range(4))
    path = BASE + "/tasks/"
    refused(other.delete(path + waiting["id"]), 404)
    assert good(user.delete(path + waiting["id"]))["id"] == waiting["id"]
    refused(user.get(path + waiting["id"]), 404)
    refused(user.delete(path + waiting["id"]), 404)
    for task in (failing, working, finished):
        assert taken(worker)["id"] == task["id"]
        good(patched(worker, task, status="processing"))
    good(patched(worker, failing, status="failed"))
    good(handed(worker, finished))
    good(user.delete(path + failing["id"]))
    for task in (working, finished):
        refused(user.delete(path + task["id"]), 409, "CONFLICT")
        good(admin.delete(path + task["id"]))
        refused(user.get(path + task["id"]), 404)
    refused(patched(worker, working, status="processing"), 404)


# ---- results ----

@row("GET /api/v1/tasks/{cuid}/result")
@row("GET /api/v1/tasks/{cuid}/result", error=404)
@row("GET /api/v1/tasks/{cuid}/result", error=403)
@row("GET /api/v1/tasks/{cuid}/result", error=416)
def test_the_result_has_type_name_and_ranges(relais, admin, user, other):
    worker = enrolled(relais, admin)[1]
    task = created(user)
    path = f"{BASE}/tasks/{task['id']}/result"
    refused(user.get(path), 404)
    taken(worker)
    good(handed(worker, task, bytes(range(256)), name="out é.mp4", mime="video/mp4"))
    whole = user.get(path)
    assert whole.content == bytes(range(256)) and whole.headers["Content-Type"] == "video/mp4"
    assert "attachment" in whole.headers["Content-Disposition"]
    part = user.get(path, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, bytes(range(10, 20)))
    assert part.headers["Content-Range"] == "bytes 10-19/256"
    refused(user.get(path, headers={"Range": "bytes=256-"}), 416)
    known = user.get(path, headers={"If-None-Match": whole.headers["ETag"]})
    assert known.status_code == 304
    refused(other.get(path), 403)
    assert user.call("HEAD", path).headers["Content-Length"] == "256"


# ---- predefined tasks ----

@row("POST /api/v1/predefined-tasks")
@row("GET /api/v1/predefined-tasks")
@row("GET /api/v1/predefined-tasks/{cuid}")
@row("PUT /api/v1/predefined-tasks/{cuid}")
@row("DELETE /api/v1/predefined-tasks/{cuid}")
def test_predefined_tasks_from_making_to_deletion(relais, admin, user):
    body = {"name": "Film court", "description": "pour le web", "config": CONFIG}
    made = good(admin.post(BASE + "/predefined-tasks", body), 201)
    assert {key: made[key] for key in body} == body and CUID.fullmatch(made["id"])
    assert made["adminId"] == "root" and TIME.fullmatch(made["createdAt"])
    path = f"{BASE}/predefined-tasks/{made['id']}"
    assert good(user.get(BASE + "/predefined-tasks")) == [made]
    assert good(user.get(path)) == made
    task = good(user.post(BASE + "/tasks", {"fileId": uploaded(user)["id"],
                                            "predefinedTaskId": made["id"]}), 201)
    assert task["config"] == CONFIG and task["predefinedTaskId"] == made["id"]
    own = created(user, {"own": True}, predefinedTaskId=made["id"])
    assert own["config"] == {"own": True} and own["predefined_task_id"] == made["id"]
    changed = good(admin.put(path, json={"name": "Film long", "config": {"type": "audio"}}))
    assert changed["name"] == "Film long" and changed["config"] == {"type": "audio"}
    assert changed["description"] == "pour le web" and changed["createdAt"] == made["createdAt"]
    assert read(user, task)["config"] == CONFIG
    good(admin.delete(path))
    refused(user.get(path), 404)


@row("POST /api/v1/predefined-tasks", error=409)
@row("POST /api/v1/predefined-tasks", error=400)
@row("POST /api/v1/predefined-tasks", error=403)
@row("PUT /api/v1/predefined-tasks/{cuid}", error=404)
@row("PUT /api/v1/predefined-tasks/{cuid}", error=403)
@row("PUT /api/v1/predefined-tasks/{cuid}", error=409)
@row("DELETE /api/v1/predefined-tasks/{cuid}", error=404)
@row("DELETE /api/v1/predefined-tasks/{cuid}", error=403)
@row("GET /api/v1/predefined-tasks/{cuid}", error=404)
@row("GET /api/v1/predefined-tasks", error=401)
def test_predefined_tasks_refused(relais, admin, user, stranger, nobody):
    base = BASE + "/predefined-tasks"
    body = {"name": "A", "config": {}}
    made = good(admin.post(base, body), 201)
    second = good(admin.post(base, {**body, "name": "B"}), 201)
    refused(admin.post(base, {**body, "name": "a"}), 409, "CONFLICT")
    refused(admin.put(f"{base}/{second['id']}", json={"name": "A"}), 409, "CONFLICT")
    for bad in ({"name": "C"}, {"config": {}}, {"name": "", "config": {}},
                {"name": "C", "config": 1}, {"name": "x" * 121, "config": {}},
                {"name": "C\n", "config": {}}, {"name": 1, "config": {}}):
        refused(admin.post(base, bad), 400)
    refused(user.post(base, body), 403)
    refused(user.put(f"{base}/{made['id']}", json=body), 403)
    refused(user.delete(f"{base}/{made['id']}"), 403)
    for missing in ("c" + "1" * 24, "7"):
        refused(admin.put(f"{base}/{missing}", json=body), 404)
        refused(admin.delete(f"{base}/{missing}"), 404)
        refused(user.get(f"{base}/{missing}"), 404)
    refused(stranger.get(f"{base}/{made['id']}"), 404)
    refused(nobody.get(base), 401)
    for config in ({}, {"config": {}}):
        refused(user.post(BASE + "/tasks", {"fileId": uploaded(user)["id"], **config,
                                            "predefinedTaskId": "c" + "1" * 24}), 404)
    assert stranger.get(base).json()["data"] == []


def test_a_repeated_key_makes_one_predefined_task(admin):
    base, key = BASE + "/predefined-tasks", {"Idempotency-Key": "k"}
    made = good(admin.post(base, {"name": "P", "config": "{}"}, headers=key), 201)
    assert good(admin.post(base, {"name": "P", "config": "{}"}, headers=key), 201) == made
    refused(admin.post(base, {"name": "Q", "config": "{}"}, headers=key), 409,
            "IDEMPOTENCY_CONFLICT")
    assert json.loads(made["config"]) == {}


def test_the_guide_can_be_played_with_curl(relais):
    script = pathlib.Path(__file__).with_name("workflow_qalpuch.sh")
    run = subprocess.run([str(script), relais.http, relais.data], capture_output=True, text=True,
                         env={**os.environ, "RELAIS": RELAIS}, timeout=120, check=False)
    assert run.returncode == 0 and run.stdout.endswith("# done\n"), run.stdout + run.stderr
