"""Dialect 002 (base /tasks/) against the real server: what is created and read, who may, and every
refusal in its own shape. Examples of the document stand in examples/002_*.json."""
import concurrent.futures
import json
import signal

import pytest

from conftest import TIME, Caller, alike, example
from rows import row
from tasks import SEO, at, created, one, refused

FRENCH = {"Accept-Language": "fr-FR,fr;q=0.9,en;q=0.5"}
ENGLISH = {"Accept-Language": "en-US,en;q=0.9,fr;q=0.2"}


# ---- create ----

@row("POST /tasks")
def test_a_created_task_is_answered_whole(user, brand):
    answer = user.post("/tasks/", SEO)
    assert answer.status_code == 201
    task = answer.json()
    alike(SEO, task)
    assert answer.headers["Location"].endswith(f"/tasks/{task['id']}/")
    assert isinstance(task["id"], int) and 0 < task["id"] < 2 ** 53
    assert task["task_id"].startswith("task_") and len(task["task_id"]) == 17
    assert TIME.fullmatch(task["created_at"]) and TIME.fullmatch(task["updated_at"])
    assert task["brand"] == {"id": brand, "name": f"brand-{brand}"}
    assert task["brand_name"] == f"brand-{brand}"
    assert task["created_by"]["username"] == task["created_by_name"] == "martin"
    assert isinstance(task["created_by"]["id"], int)
    constants = {"status": "pending", "queue_name": "normal", "progress_percentage": 0,
                 "started_at": None, "completed_at": None, "scheduled_for": None,
                 "timeout_minutes": 60, "result_data": None, "error_message": None,
                 "retry_count": 0, "max_retries": 3, "metrics": None, "persistent_job": None,
                 "periodic_task": None}
    assert {key: task[key] for key in constants} == constants


@row("GET /tasks/{id}")
def test_reading_gives_what_creating_answered(user):
    task = created(user)
    for name in (task["id"], task["task_id"]):
        answer = user.get(f"/tasks/{name}/")
        assert answer.status_code == 200
        read = answer.json()
        assert {**read, "updated_at": None} == {**task, "updated_at": None}


def test_a_task_needs_nothing_but_its_type(user):
    answer = user.post("/tasks/", {"task_type": "daily_seo_report"})
    assert answer.status_code == 201
    task = answer.json()
    assert (task["priority"], task["description"], task["context_data"]) == ("normal", "", {})


@pytest.mark.parametrize("priority, queue", [("critical", "high_priority"),
                                             ("high", "high_priority"), ("normal", "normal"),
                                             ("LOW", "low_priority")])
def test_the_queue_follows_the_priority(user, priority, queue):
    task = created(user, priority=priority)
    assert (task["priority"], task["queue_name"]) == (priority.lower(), queue)


def test_a_named_queue_is_kept(user):
    assert created(user, queue_name="nightly")["queue_name"] == "nightly"


def test_camel_case_and_unknown_keys_are_taken(user):
    answer = user.post("/tasks/", {"taskType": "t", "maxRetries": 7, "timeoutMinutes": 5,
                                   "contextData": {"a": 1}, "queueName": "q", "colour": "blue"})
    assert answer.status_code == 201, answer.text
    task = answer.json()
    assert (task["task_type"], task["max_retries"], task["timeout_minutes"], task["queue_name"],
            task["context_data"]) == ("t", 7, 5, "q", {"a": 1})


def test_context_data_is_kept_byte_for_byte(user):
    context = '{ "b":1.50, "a" : [1,  2.0e1, "é\\u00e9 \\"}{"], "n": {"x": null} }'
    answer = user.post("/tasks/", data=('{"context_data" : ' + context +
                                        ' , "task_type":"t"}').encode(),
                       headers={"Content-Type": "application/json"})
    assert answer.status_code == 201, answer.text
    assert context in answer.text
    assert context in user.get(f"/tasks/{answer.json()['id']}/").text


def test_a_scheduled_task_waits_for_its_time(user, worker):
    moment = at(2)
    task = created(user, scheduled_for=moment)
    assert task["status"] == "pending"
    assert task["scheduled_for"][:22] == moment[:22]
    assert one(worker)["id"] == task["id"]
    assert at(0) >= task["scheduled_for"], "not before its time"


def test_a_schedule_in_the_past_is_refused(user):
    answer = user.post("/tasks/", {**SEO, "scheduled_for": "2020-01-01T00:00:00Z"})
    body = answer.json()
    assert (answer.status_code, body["error_code"]) == (400, "SCHEDULE_IN_PAST")
    assert list(body["field_errors"]) == ["scheduled_for"]


@row("POST /tasks", error=400)
def test_a_missing_type_is_named_in_the_callers_language(user):
    bare = {"description": "x"}
    for headers, text in (({}, "Ce champ est requis"), (FRENCH, "Ce champ est requis"),
                          (ENGLISH, "This field is required.")):
        refused(user.post("/tasks/", bare, headers=headers), 400, "VALIDATION_ERROR",
                task_type=[text])


@pytest.mark.parametrize("priority", [None, ""])
def test_an_empty_priority_is_refused_as_the_document_shows(user, priority):
    body = refused(user.post("/tasks/", {**SEO, "priority": priority}), 400, "VALIDATION_ERROR",
                   priority=["Ce champ est requis"])
    assert body["field_errors"] == example("002_error.json")["field_errors"]


@pytest.mark.parametrize("field, value", [
    ("task_type", ""), ("task_type", 7), ("task_type", "x" * 300), ("priority", "urgent"),
    ("context_data", [1]), ("context_data", "text"), ("scheduled_for", "tomorrow"),
    ("max_retries", -1), ("max_retries", "three"), ("max_retries", 1.5),
    ("timeout_minutes", 0), ("timeout_minutes", True), ("description", 5),
    ("queue_name", "x" * 300), ("description", "x" * 5000)])
def test_a_bad_field_is_named(user, field, value):
    answer = user.post("/tasks/", {**SEO, field: value})
    assert answer.status_code == 400, answer.text
    body = answer.json()
    assert body["error_code"] == "VALIDATION_ERROR"
    assert list(body["field_errors"]) == [field]
    assert all(isinstance(text, str) and text for text in body["field_errors"][field])


def test_several_bad_fields_are_named_together(user):
    body = user.post("/tasks/", {"priority": "x", "max_retries": -1}).json()
    assert set(body["field_errors"]) == {"task_type", "priority", "max_retries"}


@pytest.mark.parametrize("text", [
    "{", "", '{"task_type": "a", "task_type": "b"}', '{"task_type": "a",}', "\x00",
    '{"task_type": "\\ud800"}', '{"task_type": "a\\u0000"}', "[" * 5000,
    '{"task_type": "seo"} # not JSON, as the document writes it', "nonsense"])
def test_what_is_no_json_is_refused(user, text):
    answer = user.post("/tasks/", data=text.encode(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    body = answer.json()
    assert body["error_code"] == "VALIDATION_ERROR"
    if text:
        assert body["detail"].startswith("JSON parse error - "), body


def test_broken_utf8_is_refused(user):
    answer = user.post("/tasks/", data=b'{"task_type": "\xff\xfe"}',
                       headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


# ---- idempotency ----

def test_a_repeated_key_gives_the_same_answer(user):
    key = {"Idempotency-Key": "again-1"}
    first = user.post("/tasks/", SEO, headers=key)
    second = user.post("/tasks/", SEO, headers=key)
    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    assert first.headers["Location"] == second.headers["Location"]


@row("POST /tasks", error=409)
def test_a_key_is_no_use_for_another_body(user):
    key = {"Idempotency-Key": "again-2"}
    created_once = user.post("/tasks/", SEO, headers=key)
    assert created_once.status_code == 201
    refused(user.post("/tasks/", {**SEO, "task_type": "other"}, headers=key), 409,
            "IDEMPOTENCY_CONFLICT")


def test_a_key_belongs_to_its_brand(user, stranger):
    key = {"Idempotency-Key": "again-3"}
    mine = user.post("/tasks/", SEO, headers=key).json()
    theirs = stranger.post("/tasks/", SEO, headers=key).json()
    assert mine["id"] != theirs["id"]


def test_an_overlong_key_is_refused(user):
    answer = user.post("/tasks/", SEO, headers={"Idempotency-Key": "k" * 256})
    assert answer.status_code == 400


# ---- who may ----

def test_without_a_token_nothing_is_shown(nobody, user):
    task = created(user)
    for answer in (nobody.get(f"/tasks/{task['id']}/"), nobody.post("/tasks/", SEO)):
        refused(answer, 401, "NOT_AUTHENTICATED", "Authentication credentials were not provided.")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize("token", ["x", "a.b.c", "", "e" * 5000])
def test_a_wrong_token_is_refused(relais, token):
    answer = Caller(relais.http, token or " ").post("/tasks/", SEO)
    assert answer.status_code in (401, 431), answer.text
    if answer.status_code == 401:
        assert answer.json()["error_code"] in ("TOKEN_INVALID", "NOT_AUTHENTICATED")


def test_a_tampered_token_is_refused(relais, user):
    head, claims, _ = user.token.split(".")
    answer = Caller(relais.http, f"{head}.{claims}.{'A' * 43}").post("/tasks/", SEO)
    body = refused(answer, 401, "TOKEN_INVALID")
    assert body["code"] == "token_not_valid"


def test_another_brands_task_looks_like_none(user, stranger):
    task = created(user)
    for name in (task["id"], task["task_id"]):
        refused(stranger.get(f"/tasks/{name}/"), 404, "TASK_NOT_FOUND",
                "Task not found or access denied")


@row("GET /tasks/{id}", error=404)
@pytest.mark.parametrize("name", ["999999999999", "task_aaaaaaaaaaaa", "nothing", "0", "-1",
                                  "99999999999999999999999", "1e3"])
def test_an_unknown_task_is_not_found(user, name):
    sample = example("002_error.json")
    refused(user.get(f"/tasks/{name}/"), 404, sample["error_code"], sample["detail"])


def test_the_brand_header_chooses_among_the_tokens_brands(relais, brand):
    other = brand + 50000
    both = relais.caller("user", "martin", (brand, other))
    task = both.post("/tasks/", SEO, headers={"X-Brand-ID": str(other)}).json()
    assert task["brand"]["id"] == other
    assert created(both)["brand"]["id"] == brand
    assert both.get(f"/tasks/{task['id']}/").status_code == 404
    refused(both.post("/tasks/", SEO, headers={"X-Brand-ID": "99"}), 403, "BRAND_FORBIDDEN")
    refused(both.post("/tasks/", SEO, headers={"X-Brand-ID": "nine"}), 400, "BRAND_REQUIRED")


@row("POST /tasks", error=403)
@row("POST /tasks/claim", error=403)
def test_a_worker_may_not_create_and_a_user_may_not_claim(user, worker):
    refused(worker.post("/tasks/", SEO), 403, "PERMISSION_DENIED")
    refused(user.post("/tasks/claim/", {}), 403, "PERMISSION_DENIED")


# ---- the framework's refusals, in this dialect's shape ----

def test_a_wrong_method_names_the_right_ones(user):
    answer = user.put("/tasks/", json=SEO)
    refused(answer, 405, "METHOD_NOT_ALLOWED", 'Method "PUT" not allowed.')
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize("accept", ["text/html", "application/xml, text/*;q=0.5",
                                    "application/json;q=0, */*"])
def test_who_does_not_take_json_is_told_so_before_anything_happens(user, nobody, accept):
    header = {"Accept": accept}
    for answer in (user.get("/tasks/", headers=header), user.post("/tasks/", SEO, headers=header),
                   nobody.post("/auth/login/", {}, headers=header)):
        refused(answer, 406, "NOT_ACCEPTABLE", "Could not satisfy the request Accept header.")
    assert user.get("/tasks/").json()["count"] == 0


@pytest.mark.parametrize("accept", ["application/json", "*/*", "text/html, */*;q=0.1",
                                    "application/*", "application/json; indent=4"])
def test_who_takes_json_gets_it(user, accept):
    assert user.get("/tasks/", headers={"Accept": accept}).json()["count"] == 0


def test_an_unknown_path_is_not_found(user):
    refused(user.get("/tasks/monitoring/nothing/here/"), 404, "NOT_FOUND", "Not found.")


def test_another_media_type_is_refused(user):
    answer = user.post("/tasks/", data=b"<a/>", headers={"Content-Type": "text/xml"})
    refused(answer, 415, "UNSUPPORTED_MEDIA_TYPE", 'Unsupported media type "text/xml" in request.')


def test_an_oversize_body_is_refused(user):
    answer = user.post("/tasks/", {**SEO, "context_data": {"a": "x" * (2 << 20)}})
    refused(answer, 413, "PAYLOAD_TOO_LARGE")


def test_context_data_over_the_payload_limit_is_refused(user):
    answer = user.post("/tasks/", {**SEO, "context_data": {"a": "x" * (70 << 10)}})
    refused(answer, 413, "PAYLOAD_TOO_LARGE")


def test_too_many_wrong_tokens_are_throttled(relais_with):
    server = relais_with("--failures-per-min=3")
    wrong = Caller(server.http, "not.a.token")
    answers = [wrong.post("/tasks/", SEO) for _ in range(6)]
    assert answers[0].status_code == 401
    refused(answers[-1], 429, "THROTTLED")
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_a_full_disk_is_said(relais_with):
    server = relais_with("--free-bytes-min=16384G")
    refused(server.caller("user", "martin", 1).post("/tasks/", SEO), 507, "STORAGE_FULL")


def test_a_silent_broker_is_said(relais_with):
    broker = relais_with(role="broker")
    gateway = relais_with("--silence-ms=5000", role="gateway", data=broker.data)
    user = gateway.caller("user", "martin", 1)
    task = created(user)
    broker.process.send_signal(signal.SIGSTOP)
    try:
        answer = user.get(f"/tasks/{task['id']}/")
        refused(answer, 503, "UNAVAILABLE")
        assert int(answer.headers["Retry-After"]) > 0
    finally:
        broker.process.send_signal(signal.SIGCONT)


def test_field_errors_may_be_mirrored_at_the_top(relais_with):
    server = relais_with("--drf-errors=true")
    body = server.caller("user", "martin", 1).post("/tasks/", {}).json()
    assert body["task_type"] == body["field_errors"]["task_type"] == ["Ce champ est requis"]


def test_an_admin_reads_all_brands_but_creates_in_one(relais, user, brand):
    admin = relais.caller("admin", "root")
    task = created(user)
    everywhere = {"X-Brand-ID": "all"}
    assert admin.get(f"/tasks/{task['id']}/", headers=everywhere).status_code == 200
    refused(admin.post("/tasks/", SEO, headers=everywhere), 400, "BRAND_REQUIRED")
    mine = admin.post("/tasks/", SEO, headers={"X-Brand-ID": str(brand)})
    assert mine.status_code == 201 and mine.json()["brand"]["id"] == brand
    refused(user.get(f"/tasks/{task['id']}/", headers=everywhere), 403, "BRAND_FORBIDDEN")


def test_concurrent_creates_are_all_there(user, relais):
    callers = [relais.caller("user", "martin", 77) for _ in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        tasks = list(pool.map(lambda n: created(callers[n % 8], context_data={"n": n}),
                              range(200)))
    assert len({task["id"] for task in tasks}) == 200
    for task in tasks[::20]:
        read = callers[0].get(f"/tasks/{task['id']}/").json()
        assert json.dumps(read["context_data"]) == json.dumps(task["context_data"])


def test_each_of_many_owners_is_told_with_his_own_number(relais, brand):
    """More than the gateway remembers side by side: a page loads what it shows."""
    names = [f"owner-{brand}-{number}" for number in range(300)]
    for name in names:
        relais.caller("user", name, brand).post("/tasks/", {"task_type": "mail"})
    chief = relais.caller("admin", "chief", brand)
    alone = {}
    for task in chief.get("/tasks/?page_size=300").json()["results"]:
        one = chief.get(f"/tasks/{task['id']}/").json()["created_by"]
        alone[one["username"]] = one["id"]
    page = chief.get("/tasks/?page_size=300").json()["results"]
    assert sorted(alone) == sorted(names) and len(set(alone.values())) == len(names)
    assert {task["created_by"]["username"]: task["created_by"]["id"] for task in page} == alone
