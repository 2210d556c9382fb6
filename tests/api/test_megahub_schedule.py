"""Dialect 002: periodic tasks, and what is done with one."""
import re

import pytest

from conftest import TIME
from plans import CRONJOBS, NEVER, PERIODIC, cronjob, moment, periodic
from rows import row
from tasks import at, created, ended, one, refused

MEGABYTE = "x" * 1000000


# ---- making one ----

@row("POST /tasks/scheduled/periodic-tasks")
def test_the_documents_example(user):
    body = user.post(f"{PERIODIC}/", {"cron_expression": "0 9 * * 1-5",
                                      "task_type": "daily_seo_report"})
    assert body.status_code == 201, body.text
    assert body.headers["Location"] == f"{PERIODIC}/{body.json()['id']}/"
    plan = body.json()
    assert plan["cron_expression"] == "0 9 * * 1-5" and plan["timezone"] == "UTC"
    assert plan["base_task"]["task_type"] == "daily_seo_report" and plan["base_task"]["id"] is None
    assert plan["is_active"] is True and plan["executions_count"] == 0
    assert plan["max_executions"] is None and plan["schedule_config"] == {}
    assert plan["last_run_at"] is None and plan["last_run_status"] is None
    assert plan["start_date"] is None and plan["end_date"] is None
    assert len(plan["next_runs"]) == 3 and plan["next_run_at"] == plan["next_runs"][0]
    for text in plan["next_runs"]:
        assert TIME.fullmatch(text)
        assert (moment(text).hour, moment(text).minute) == (9, 0) and moment(text).weekday() < 5


@row("POST /tasks/scheduled/periodic-tasks")
def test_a_base_task_is_copied(user):
    base = created(user, task_type="copied", priority="high", queue_name="mine", max_retries=7,
                   timeout_minutes=9, description="the base", context_data={"a": 1, "b": 2})
    for name in (base["id"], base["task_id"], str(base["id"])):
        plan = periodic(user, task_type="ignored" if name == base["id"] else "copied",
                        base_task=name, schedule_config={"b": 3})
        assert plan["base_task"] == {"id": base["id"], "task_id": base["task_id"],
                                     "task_type": plan["task_type"], "priority": "high",
                                     "queue_name": "mine"}
        assert plan["context_data"] == {"a": 1, "b": 2} and plan["schedule_config"] == {"b": 3}
        assert plan["description"] == "the base" and plan["max_retries"] == 7
    run = user.post(f"{PERIODIC}/{plan['id']}/execute-now/").json()
    task = user.get(f"/tasks/{run['id']}/").json()
    assert task["context_data"]["a"] == 1 and task["context_data"]["b"] == 3, "config goes first"
    assert (task["priority"], task["queue_name"], task["max_retries"], task["timeout_minutes"]) == \
        ("high", "mine", 7, 9)
    assert task["description"] == "the base" and task["periodic_task"] == {"id": plan["id"]}


BAD_EXPRESSIONS = ["* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "*/0 * * * *", "@daily",
                   "0 0 32 1 *", "5-1 * * * *", "a b c d e", "* * * * 8"]


@row("POST /tasks/scheduled/periodic-tasks", error=400)
@pytest.mark.parametrize("text", BAD_EXPRESSIONS)
def test_an_unsound_expression(user, text):
    answer = user.post(f"{PERIODIC}/", {"cron_expression": text, "task_type": "x"})
    body = answer.json()
    assert answer.status_code == 400 and body["error_code"] == "INVALID_CRON_EXPRESSION", body
    assert list(body["field_errors"]) == ["cron_expression"]


BAD_FIELDS = """
cron_expression null                      VALIDATION_ERROR
cron_expression 5                         VALIDATION_ERROR
cron_expression ""                        VALIDATION_ERROR
task_type       null                      VALIDATION_ERROR
task_type       {}                        VALIDATION_ERROR
timezone        "Mars/Olympus"            TIMEZONE_INVALID
timezone        "../../etc/passwd"        TIMEZONE_INVALID
timezone        "/etc/localtime"          TIMEZONE_INVALID
timezone        7                         VALIDATION_ERROR
start_date      "tomorrow"                VALIDATION_ERROR
start_date      "2026-02-31T00:00:00Z"    VALIDATION_ERROR
start_date      12                        VALIDATION_ERROR
end_date        "2026-13-01T00:00:00Z"    VALIDATION_ERROR
end_date        "2001-01-01T00:00:00Z"    SCHEDULE_IN_PAST
is_active       "maybe"                   VALIDATION_ERROR
is_active       null                      VALIDATION_ERROR
max_executions  0                         VALIDATION_ERROR
max_executions  -1                        VALIDATION_ERROR
max_executions  4294967296                VALIDATION_ERROR
max_executions  1.5                       VALIDATION_ERROR
max_executions  "many"                    VALIDATION_ERROR
schedule_config []                        VALIDATION_ERROR
schedule_config "{}"                      VALIDATION_ERROR
context_data    5                         VALIDATION_ERROR
priority        "urgent"                  VALIDATION_ERROR
base_task       {}                        VALIDATION_ERROR
base_task       -4                        VALIDATION_ERROR
base_task       1.5                       VALIDATION_ERROR
max_retries     -1                        VALIDATION_ERROR
timeout_minutes 0                         VALIDATION_ERROR
"""


@row("POST /tasks/scheduled/periodic-tasks", error=400)
@pytest.mark.parametrize("line", BAD_FIELDS.strip().split("\n"))
def test_a_field_that_cannot_be(user, line):
    name, value, code = line.split()
    fields = {"cron_expression": '"0 1 * * *"', "task_type": '"x"', name: value}
    body = "{" + ", ".join(f'"{key}": {text}' for key, text in fields.items()) + "}"
    answer = user.call("POST", f"{PERIODIC}/", data=body,
                       headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error_code"] == code and list(answer.json()["field_errors"]) == [name]
    assert user.get(f"{PERIODIC}/").json()["count"] == 0, "nothing was made"


@row("POST /tasks/scheduled/periodic-tasks", error=400)
@pytest.mark.parametrize("body", [{}, {"task_type": "x"}, {"cron_expression": NEVER}, [], "text", 5,
                                  {"cron_expression": NEVER, "task_type": "x",
                                   "start_date": at(7200), "end_date": at(3600)},
                                  {"cron_expression": MEGABYTE, "task_type": "x"},
                                  {"cron_expression": NEVER, "task_type": MEGABYTE},
                                  {"cron_expression": NEVER, "task_type": "x",
                                   "description": MEGABYTE}])
def test_a_body_that_cannot_be(user, body):
    answer = user.post(f"{PERIODIC}/", body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error_code"] == "VALIDATION_ERROR"
    assert user.get(f"{PERIODIC}/").json()["count"] == 0


@row("POST /tasks/scheduled/periodic-tasks", error=404)
def test_a_base_task_of_another_brand(user, stranger):
    base = created(stranger)
    for name in (base["id"], base["task_id"], 987654321, "task_none"):
        refused(user.post(f"{PERIODIC}/", {"cron_expression": NEVER, "base_task": name}), 404,
                "TASK_NOT_FOUND", "Task not found or access denied")


@row("POST /tasks/scheduled/periodic-tasks", error=409)
def test_a_repeated_post_makes_nothing_new(user, stranger):
    body = {"cron_expression": NEVER, "task_type": "x", "schedule_config": {"a": 1}}
    key = {"Idempotency-Key": "the same"}
    first = user.post(f"{PERIODIC}/", body, headers=key)
    user.call("PATCH", f"{PERIODIC}/{first.json()['id']}/", json={"max_executions": 3})
    again = user.post(f"{PERIODIC}/", body, headers=key)
    assert first.status_code == again.status_code == 201
    assert again.json() == user.get(f"{PERIODIC}/{first.json()['id']}/").json()
    assert again.headers["Location"] == first.headers["Location"]
    refused(user.post(f"{PERIODIC}/", {**body, "task_type": "y"}, headers=key), 409,
            "IDEMPOTENCY_CONFLICT")
    assert user.get(f"{PERIODIC}/").json()["count"] == 1
    assert stranger.post(f"{PERIODIC}/", body, headers=key).status_code == 201
    assert user.post(f"{PERIODIC}/", body).json()["id"] != first.json()["id"]
    for bad in ("", "k" * 256):
        assert user.post(f"{PERIODIC}/", body, headers={"Idempotency-Key": bad}).status_code == 400


def test_what_the_server_sets_is_not_the_clients(user, brand):
    plan = periodic(user, id=1, brand=1, brand_id=1, created_by=99, created_by_name="root",
                    executions_count=50, last_run_at=at(0), next_run_at=at(0), version=9,
                    last_run_status="completed", next_runs=[])
    assert plan["executions_count"] == 0 and plan["last_run_at"] is None
    assert plan["brand"]["id"] == brand and plan["created_by_name"] == "martin"
    assert moment(plan["next_run_at"]) > moment(plan["created_at"])
    again = user.call("PATCH", f"{PERIODIC}/{plan['id']}/",
                      json={"executions_count": 9, "brand": 1, "created_by": 1, "id": 7}).json()
    assert {k: v for k, v in again.items() if k != "updated_at"} == \
        {k: v for k, v in plan.items() if k != "updated_at"}


def test_31_february_is_planned_and_never_comes(user):
    plan = periodic(user, cron_expression="0 0 31 2 *")
    assert plan["next_run_at"] is None and plan["next_runs"] == []


def test_a_config_cannot_pretend_to_be_another(user):
    plan = periodic(user, schedule_config={"periodic_task_id": 1, "scheduled_at": "never", "x": 1})
    run = user.post(f"{PERIODIC}/{plan['id']}/execute-now/").json()
    context = user.get(f"/tasks/{run['id']}/").json()["context_data"]
    assert context["periodic_task_id"] == plan["id"] and context["periodic_execution"] is True
    assert TIME.fullmatch(context["scheduled_at"]) and context["x"] == 1


# ---- reading ----

FILTERS = """
?is_active=true                                0 1
?is_active=false                               2
?cron_expression=0 9 * * 1                     1
?cron_expression__startswith=0                 0 1 2
?timezone=Europe/Paris                         1
?timezone__in=UTC,Europe/Paris                 0 1 2
?task_type=weekly                              1
?task_type__icontains=LY                       0 1 2
?next_run_before=2000-01-01
?next_run_before=2100-01-01                    0 1
?next_run_at__isnull=true                      2
?last_run_status=completed
?last_run_status=pending                       0
?max_executions__gte=5                         1
?executions_count=0                            0 1 2
?created_after=2020-01-01                      0 1 2
?created_by=martin                             0 1 2
?search=week                                   1
?search=described                              2
?priority=high                                 2
?ordering=task_type                            0 2 1
?ordering=-task_type                           1 2 0
?ordering=created_at                           0 1 2
?unknown=1                                     2 1 0
"""


@row("GET /tasks/scheduled/periodic-tasks")
def test_lists_and_filters(user, stranger):
    plans = [periodic(user, task_type="daily", cron_expression="0 9 * * *"),
             periodic(user, task_type="weekly", cron_expression="0 9 * * 1", max_executions=5,
                      timezone="Europe/Paris"),
             periodic(user, task_type="monthly", cron_expression="0 9 1 * *", is_active=False,
                      description="described here", priority="high")]
    user.post(f"{PERIODIC}/{plans[0]['id']}/execute-now/")
    periodic(stranger, task_type="theirs")
    cronjob(user, "not one of them")
    for line in FILTERS.strip().split("\n"):
        query, *wanted = re.split(r"\s{2,}", line.strip())
        body = user.get(f"{PERIODIC}/" + query.replace(" ", "%20")).json()
        found = [plan["id"] for plan in body["results"]]
        expected = [plans[int(number)]["id"] for number in " ".join(wanted).split()]
        if "ordering" not in query and "unknown" not in query:
            found, expected = sorted(found), sorted(expected)
        assert found == expected and body["count"] == len(expected), (query, found, expected)
    page = user.get(f"{PERIODIC}/?page_size=2&page=2").json()
    assert page["count"] == 3 and len(page["results"]) == 1 and page["next"] is None


@row("GET /tasks/scheduled/periodic-tasks", error=400)
@pytest.mark.parametrize("query", ["is_active=perhaps", "next_run_before=soon",
                                   "max_executions__gte=lots", "last_run_status=fine"])
def test_a_filter_that_cannot_be(user, query):
    answer = user.get(f"{PERIODIC}/?{query}")
    assert answer.status_code == 400
    assert list(answer.json()["field_errors"]) == [query.split("=")[0]]


@row("GET /tasks/scheduled/periodic-tasks/{id}")
def test_one_is_read(user):
    plan = periodic(user, schedule_config={"deep": {"er": [1, 2.5, None]}})
    assert user.get(f"{PERIODIC}/{plan['id']}/").json() == plan
    assert user.call("OPTIONS", f"{PERIODIC}/{plan['id']}/").status_code in (200, 204)


@row("GET /tasks/scheduled/periodic-tasks/{id}", error=404)
@row("PUT /tasks/scheduled/periodic-tasks/{id}", error=404)
@row("PATCH /tasks/scheduled/periodic-tasks/{id}", error=404)
@row("DELETE /tasks/scheduled/periodic-tasks/{id}", error=404)
@row("POST /tasks/scheduled/periodic-tasks/{id}/pause", error=404)
@row("POST /tasks/scheduled/periodic-tasks/{id}/resume", error=404)
@row("POST /tasks/scheduled/periodic-tasks/{id}/toggle", error=404)
@row("POST /tasks/scheduled/periodic-tasks/{id}/execute-now", error=404)
def test_what_is_not_the_brands_is_not_found(user, stranger):
    theirs, job = periodic(stranger), cronjob(user)
    body = {"cron_expression": NEVER, "task_type": "x"}
    for name in (theirs["id"], job["id"], 99999999, "none", "0", "-1", "1" * 40):
        path = f"{PERIODIC}/{name}/"
        for answer in [user.get(path), user.put(path, json=body), user.delete(path),
                       user.call("PATCH", path, json=body),
                       *(user.post(f"{path}{act}/")
                         for act in ("pause", "resume", "toggle", "execute-now"))]:
            refused(answer, 404, "TASK_NOT_FOUND")
    assert stranger.get(f"{PERIODIC}/{theirs['id']}/").json() == theirs


@row("GET /tasks/scheduled", error=401)
@row("GET /tasks/scheduled/periodic-tasks", error=401)
def test_without_a_token_nothing_is_shown(nobody):
    for path in ("/tasks/scheduled/", f"{PERIODIC}/", f"{PERIODIC}/1/"):
        refused(nobody.get(path), 401, "NOT_AUTHENTICATED")


@row("GET /tasks/scheduled")
def test_the_map(user):
    body = user.get("/tasks/scheduled/").json()
    assert set(body) == {"periodic-tasks", "cron-jobs", "calendars"}
    for url in body.values():
        assert url.startswith(user.base) and user.get(url[len(user.base):]).status_code == 200


# ---- changing ----

@row("PATCH /tasks/scheduled/periodic-tasks/{id}")
def test_what_is_named_changes(user):
    plan = periodic(user, schedule_config={"a": 1}, description="before")
    path = f"{PERIODIC}/{plan['id']}/"
    end = at(86400 * 3650)
    after = user.call("PATCH", path, json={
        "cron_expression": "30 6 * * *", "timezone": "Asia/Kolkata", "max_executions": 4,
        "end_date": end, "priority": "low", "schedule_config": {"b": 2}}).json()
    assert after["cron_expression"] == "30 6 * * *" and after["timezone"] == "Asia/Kolkata"
    assert (moment(after["next_run_at"]).hour, moment(after["next_run_at"]).minute) == (1, 0)
    assert after["max_executions"] == 4 and after["end_date"][:19] == end[:19]
    assert after["priority"] == "low" and after["queue_name"] == "low_priority"
    assert after["schedule_config"] == {"b": 2} and after["description"] == "before"
    run = user.post(f"{path}execute-now/").json()
    assert user.get(f"/tasks/{run['id']}/").json()["context_data"]["b"] == 2
    cleared = user.call("PATCH", path, json={"end_date": None, "max_executions": None}).json()
    assert cleared["end_date"] is None and cleared["max_executions"] is None
    assert cleared["next_run_at"] == after["next_run_at"], "nothing but its bounds moved"


@row("PUT /tasks/scheduled/periodic-tasks/{id}")
def test_put_wants_the_expression(user):
    plan = periodic(user)
    path = f"{PERIODIC}/{plan['id']}/"
    answer = user.put(path, json={"cron_expression": "0 4 * * *", "task_type": "other"})
    assert answer.status_code == 200 and answer.json()["task_type"] == "other"
    assert user.get(path).json() == answer.json()


@row("PUT /tasks/scheduled/periodic-tasks/{id}", error=400)
@row("PATCH /tasks/scheduled/periodic-tasks/{id}", error=400)
def test_a_change_that_cannot_be(user):
    plan = periodic(user)
    path = f"{PERIODIC}/{plan['id']}/"
    assert "cron_expression" in user.put(path, json={}).json()["field_errors"]
    for body, code in (({"cron_expression": "61 * * * *"}, "INVALID_CRON_EXPRESSION"),
                       ({"timezone": "Nowhere"}, "TIMEZONE_INVALID"),
                       ({"end_date": "2001-01-01T00:00:00Z"}, "SCHEDULE_IN_PAST"),
                       ({"start_date": at(9000), "end_date": at(90)}, "VALIDATION_ERROR"),
                       ([], "VALIDATION_ERROR")):
        answer = user.call("PATCH", path, json=body)
        assert (answer.status_code, answer.json()["error_code"]) == (400, code), answer.text
    assert user.get(path).json() == plan


@row("DELETE /tasks/scheduled/periodic-tasks/{id}")
def test_delete_is_204_and_empty(user):
    plan = periodic(user)
    answer = user.delete(f"{PERIODIC}/{plan['id']}/")
    assert answer.status_code == 204 and answer.content == b""
    refused(user.get(f"{PERIODIC}/{plan['id']}/"), 404, "TASK_NOT_FOUND")
    refused(user.delete(f"{PERIODIC}/{plan['id']}/"), 404, "TASK_NOT_FOUND")


# ---- pause, resume, toggle, execute-now ----

@row("POST /tasks/scheduled/periodic-tasks/{id}/pause")
@row("POST /tasks/scheduled/periodic-tasks/{id}/resume")
def test_pause_and_resume(user):
    plan = periodic(user)
    path = f"{PERIODIC}/{plan['id']}"
    for _ in range(2):  # again is the same
        body = user.post(f"{path}/pause/").json()
        assert body["status"] == "Task paused" and body["is_active"] is False
    rests = user.get(f"{path}/").json()
    assert rests["is_active"] is False and rests["next_run_at"] is None
    assert rests["next_runs"] == []
    for _ in range(2):
        body = user.post(f"{path}/resume/").json()
        assert body["status"] == "Task resumed" and body["next_run_at"] == plan["next_run_at"]
    assert user.get(f"{path}/").json()["next_runs"] == plan["next_runs"]


@row("POST /tasks/scheduled/periodic-tasks/{id}/toggle")
def test_toggle(user):
    path = f"{PERIODIC}/{periodic(user)['id']}"
    assert user.post(f"{path}/toggle/").json()["is_active"] is False
    assert user.post(f"{path}/toggle/").json()["is_active"] is True


@row("POST /tasks/scheduled/periodic-tasks/{id}/execute-now")
@pytest.mark.parametrize("spelling", ["execute-now", "execute_now"])
def test_execute_now(user, worker, spelling):
    plan = periodic(user, queue_name="runs", schedule_config={"k": "v"}, is_active=False)
    body = user.post(f"{PERIODIC}/{plan['id']}/{spelling}/").json()
    assert body["message"] and re.fullmatch(r"task_\w+", body["task_id"])
    task = one(worker, queues=["runs"])
    assert task["task_id"] == body["task_id"] and task["periodic_task"] == {"id": plan["id"]}
    assert task["context_data"]["k"] == "v"
    worker.post(f"/tasks/{task['id']}/complete/", {"result_data": {}})
    assert ended(user, task)["status"] == "completed"
    after = user.get(f"{PERIODIC}/{plan['id']}/").json()
    assert after["last_run_status"] == "completed" and after["last_task"] == task["id"]
    assert after["executions_count"] == 0 and after["manual_executions_count"] == 1


# ---- tasks that are runs ----

def test_tasks_know_what_submitted_them(user):
    active, rests = periodic(user), periodic(user)
    job, plain = cronjob(user), created(user)
    runs = [user.post(f"{PERIODIC}/{plan['id']}/execute-now/").json()["id"]
            for plan in (active, rests)]
    runs.append(user.post(f"{CRONJOBS}/{job['id']}/execute/").json()["id"])
    user.post(f"{PERIODIC}/{rests['id']}/pause/")

    def found(query):
        return sorted(task["id"] for task in user.get(f"/tasks/?{query}").json()["results"])

    assert found("is_periodic=true") == sorted(runs)
    assert found("is_periodic=false") == [plain["id"]]
    assert found("is_periodic=true&status=active") == sorted([runs[0], runs[2]])
    assert found("status=active") == found("status=ACTIVE") == sorted([runs[0], runs[2]])
    user.delete(f"{PERIODIC}/{active['id']}/")
    assert found("status=active") == [runs[2]]
    assert found("status=pending&is_periodic=true") == sorted(runs)
    assert user.get("/tasks/?status=active,failed").status_code == 400
    assert user.get(f"/tasks/{plain['id']}/").json()["periodic_task"] is None
    assert user.get(f"/tasks/{runs[2]}/").json()["cron_job"] == {"id": job["id"],
                                                                  "name": "nightly"}


@pytest.mark.parametrize("text", ["é" * 30000, "x" * 65000], ids=["accents", "letters"])
def test_a_large_config_is_kept_whole(user, text):
    plan = periodic(user, schedule_config={"text": text})
    assert user.get(f"{PERIODIC}/{plan['id']}/").json()["schedule_config"]["text"] == text
    run = user.post(f"{PERIODIC}/{plan['id']}/execute-now/").json()
    context = user.get(f"/tasks/{run['id']}/").json()["context_data"]
    assert context["text"] == text
    listed = user.get(f"{PERIODIC}/?page_size=50").json()
    assert [one_["id"] for one_ in listed["results"]] == [plan["id"]]


@row("POST /tasks/scheduled/periodic-tasks", error=413)
def test_a_body_over_the_limit(user):
    refused(user.post(f"{PERIODIC}/", {"cron_expression": NEVER, "task_type": "x" * (1 << 20)}),
            413, "PAYLOAD_TOO_LARGE")
    refused(user.post(f"{PERIODIC}/", {"cron_expression": NEVER, "task_type": "x",
                                       "schedule_config": {"text": "x" * 70000}}),
            413, "PAYLOAD_TOO_LARGE")
    assert user.get(f"{PERIODIC}/").json()["count"] == 0
