"""Dialect 002: GET /tasks/ as Django REST framework gives lists: lookups, ordering, pages."""
import pytest

import recordings
from rows import row
from tasks import at, created, one, refused


# a query, and which of the six tasks it finds
FILTERS = """
?status=pending                                                        0 1 2 3
?status=completed                                                      4
?status=failed                                                         5
?status=completed,failed                                               4 5
?status__in=completed,failed                                           4 5
?status=COMPLETED                                                      4
?status=running
?status=processing
?priority=low                                                          0 3
?priority=low,high                                                     0 3 5
?task_type=report                                                      5
?task_type__startswith=audio                                           0 1 2
?task_type__in=report,video_encode                                     3 4 5
?task_type__icontains=ENCODE                                           0 1 2 3 4
?queue_name=mixed                                                      0 1 2 3 4 5
?queue_name=other
?max_retries__gte=4                                                    4 5
?max_retries__range=1,3                                                1 2 3
?max_retries=2                                                         2
?max_retries__lt=1                                                     0
?max_retries__in=0,5                                                   0 5
?max_retries__gt=1.5                                                   2 3 4 5
?execution_time__gte=2000                                              4
?execution_time_ms__lt=2000                                            5
?memory_usage__gt=100                                                  4
?cost__lte=0.25                                                        4
?has_metrics=true                                                      4 5
?has_metrics=false                                                     0 1 2 3
?started_at__isnull=true                                               0 1 2 3
?is_resumable=true
?is_resumable=false                                                    0 1 2 3 4 5
?is_periodic=true
?search=number+audio                                                   0 1 2
?search=vid                                                            3 4
?search=umber+REPOR                                                    5
?search=udio_enc+mber                                                  0 1 2
?search=rep+absent
?search=absent
?description__icontains=NUMBER%203                                       3
?created_before=2020-01-01
?created_after=2020-01-01T00:00:00Z                                    0 1 2 3 4 5
?created_at__gte=2020-01-01&created_at__lt=2021-01-01
?unknown=1&status=failed                                               5
?status=&priority=high                                                 5
?status=pending&task_type=video_encode&priority=low&max_retries__gte=3 3
"""
ORDERS = """
?ordering=created_at                          0 1 2 3 4 5
?ordering=-created_at                         5 4 3 2 1 0
?ordering=-priority,created_at                2 5 1 4 0 3
?ordering=max_retries                         0 1 2 3 4 5
?ordering=task_type,-max_retries              2 1 0 5 4 3
?ordering=nonsense                            5 4 3 2 1 0
?ordering=-execution_time_ms&has_metrics=true 4 5
"""


def cases(table):
    """(query, [number of each task]) of each line."""
    for line in table.strip().split("\n"):
        query, *wanted = line.split()
        yield query, [int(number) for number in wanted]


@pytest.fixture(name="mixed")
def _mixed(user, worker):
    """Six tasks: audio and video in three priorities; one completed, one failed, four pending."""
    tasks = [created(user, task_type=kind, priority=priority, description=f"{kind} number {i}",
                     queue_name="mixed", max_retries=i)
             for i, (kind, priority) in enumerate(
                 [("audio_encode", "low"), ("audio_encode", "normal"), ("audio_encode", "critical"),
                  ("video_encode", "low"), ("video_encode", "normal"), ("report", "high")])]
    first = one(worker, queues=["mixed"], task_types=["video_encode"])
    assert worker.post(f"/tasks/{first['id']}/complete/", {
        "result_data": {"n": 1}, "metrics": {"memory_usage_mb": 512, "execution_time_ms": 2500,
                                             "cost_usd": 0.25}}).status_code == 200
    second = one(worker, queues=["mixed"], task_types=["report"])
    assert worker.post(f"/tasks/{second['id']}/fail/",
                       {"error_message": "no paper"}).status_code == 200
    return tasks


def ids(user, query):
    answer = user.get(f"/tasks/{query}")
    assert answer.status_code == 200, (query, answer.text)
    body = answer.json()
    assert body["count"] == len(body["results"]) or body["next"] or body["previous"], body
    return [task["id"] for task in body["results"]]


@row("GET /tasks")
def test_the_list_is_newest_first_and_whole(user, mixed):
    body = user.get("/tasks/").json()
    assert body["count"] == 6 and body["next"] is None and body["previous"] is None
    assert [t["id"] for t in body["results"]] == [t["id"] for t in reversed(mixed)]
    assert body["results"][-1] == user.get(f"/tasks/{mixed[0]['id']}/").json()
    assert [t["result_data"] for t in body["results"] if t["status"] == "completed"] == [{"n": 1}]


@pytest.mark.parametrize("query,wanted", cases(FILTERS))
def test_filters(user, mixed, query, wanted):
    numbers = {task["id"]: i for i, task in enumerate(mixed)}
    assert sorted(numbers[i] for i in ids(user, query)) == wanted


@pytest.mark.parametrize("query,wanted", cases(ORDERS))
def test_ordering(user, mixed, query, wanted):
    numbers = {task["id"]: i for i, task in enumerate(mixed)}
    assert [numbers[i] for i in ids(user, query)] == wanted


@pytest.mark.parametrize("order", ["", "&ordering=-priority,created_at"])
def test_pages_follow_their_links(user, mixed, order):
    seen, counts, back = [], [], []
    url = f"/tasks/?page_size=2&task_type__in=report,audio_encode,video_encode{order}"
    while url:
        body = user.get(url).json()
        seen += [task["id"] for task in body["results"]]
        counts.append(body["count"])
        back.append(body["previous"])
        assert body["next"] is None or "page_size=2&task_type__in=report," in body["next"]
        url = body["next"] and body["next"].replace(user.base, "")
    assert counts == [6, 6, 6] and sorted(seen) == sorted(t["id"] for t in mixed) and len(seen) == 6
    assert back[0] is None and "&page=" not in back[1] and "&page=2" in back[2]


@row("GET /tasks", error=404)
@pytest.mark.parametrize("page", ["99", "0", "-1", "abc", "1000000000", ""])
def test_a_page_that_is_not_there(user, mixed, page):
    answer = user.get(f"/tasks/?page={page}")
    refused(answer, 404, "NOT_FOUND", "Invalid page.")


def test_an_empty_list_has_a_first_page(user):
    body = user.get("/tasks/?page=1").json()
    assert body == {"count": 0, "next": None, "previous": None, "results": []}


@row("GET /tasks", error=400)
@pytest.mark.parametrize("query,field", [
    ("?status=nonsense", "status"), ("?status=pending,nonsense", "status"),
    ("?priority__in=low,9", "priority__in"), ("?max_retries=abc", "max_retries"),
    ("?max_retries__gte=NaN", "max_retries__gte"), ("?max_retries__range=1", "max_retries__range"),
    ("?max_retries=0x10", "max_retries"), ("?created_after=yesterday", "created_after"),
    ("?created_at__gte=2024-13-01", "created_at__gte"), ("?has_metrics=perhaps", "has_metrics"),
    ("?started_at__isnull=2", "started_at__isnull"),
    ("?execution_time__gte=inf", "execution_time__gte"),
])
def test_a_value_that_cannot_be(user, query, field):
    answer = user.get(f"/tasks/{query}")
    body = answer.json()
    assert answer.status_code == 400 and body["error_code"] == "VALIDATION_ERROR", body
    assert list(body["field_errors"]) == [field], body


def test_a_huge_page_size_is_cut_and_a_wrong_one_ignored(user, mixed):
    assert len(ids(user, "?page_size=1000000000")) == 6
    assert len(ids(user, "?page_size=abc")) == 6
    assert len(ids(user, "?page_size=-5")) == 6


def test_another_brands_tasks_are_not_counted(user, stranger, mixed):
    assert stranger.get("/tasks/").json()["count"] == 0
    assert stranger.get("/tasks/?search=audio").json()["results"] == []
    assert user.get("/tasks/").json()["count"] == 6


def test_search_of_a_megabyte_is_refused(user):
    answer = user.get("/tasks/?search=" + "a" * 1000000)
    assert answer.status_code == 414


# ---- change ----

def patch(user, path, body):
    return user.call("PATCH", path, json=body)


def put(user, path, body):
    return user.call("PUT", path, json=body)


@row("PATCH /tasks/{id}")
def test_a_waiting_task_is_changed(user):
    task = created(user, priority="low")
    later = at(3600)
    answer = patch(user, f"/tasks/{task['id']}/", {
        "priority": "high", "description": "another", "context_data": {"a": [1, 2]},
        "scheduled_for": later})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["priority"] == "high" and body["description"] == "another"
    assert body["context_data"] == {"a": [1, 2]} and body["scheduled_for"][:19] == later[:19]
    assert body == user.get(f"/tasks/{task['id']}/").json()
    assert body["created_at"] == task["created_at"]


@row("PUT /tasks/{id}")
def test_putting_what_was_read_changes_nothing(user):
    task = created(user, description="as it is")
    read = user.get(f"/tasks/{task['id']}/").json()
    answer = put(user, f"/tasks/{task['id']}/", read)
    assert answer.status_code == 200, answer.text
    after = answer.json()
    assert {k: v for k, v in after.items() if k != "updated_at"} == \
        {k: v for k, v in read.items() if k != "updated_at"}


def test_server_owned_fields_cannot_be_written(user, brand):
    task = created(user)
    answer = patch(user, f"/tasks/{task['id']}/", {
        "brand": {"id": brand + 1}, "created_by": 1, "result_data": {"x": 1}, "retry_count": 99,
        "id": 1, "progress_percentage": 100})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    for key in ("brand", "created_by", "result_data", "retry_count", "id", "progress_percentage"):
        assert body[key] == task[key], key


@row("PATCH /tasks/{id}", error=400)
@row("PUT /tasks/{id}", error=400)
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_status_is_not_written(user, method):
    task = created(user)
    answer = user.call(method, f"/tasks/{task['id']}/", json={"status": "completed"})
    assert answer.status_code == 400
    body = answer.json()
    assert body["error_code"] == "INVALID_STATUS_TRANSITION" and body["current_status"] == "pending"
    assert user.get(f"/tasks/{task['id']}/").json()["status"] == "pending"


@pytest.mark.parametrize("field,value", [("priority", "urgent"), ("priority", None),
                                         ("context_data", []), ("scheduled_for", "soon"),
                                         ("description", 7)])
def test_a_bad_change_is_refused(user, field, value):
    task = created(user)
    answer = patch(user, f"/tasks/{task['id']}/", {field: value})
    assert answer.status_code == 400 and list(answer.json()["field_errors"]) == [field]
    assert user.get(f"/tasks/{task['id']}/").json() == task


def test_a_running_task_takes_priority_and_description_only(user, worker):
    task = created(user)
    one(worker)
    worker.post(f"/tasks/{task['id']}/heartbeat/", {})
    good = patch(user, f"/tasks/{task['id']}/", {"priority": "critical", "description": "now"})
    assert good.status_code == 200 and good.json()["description"] == "now"
    bad = patch(user, f"/tasks/{task['id']}/", {"context_data": {"b": 1}})
    assert bad.status_code == 400 and bad.json()["error_code"] == "INVALID_OPERATION", bad.text
    assert user.get(f"/tasks/{task['id']}/").json()["context_data"] == task["context_data"]


@row("DELETE /tasks/{id}")
@row("DELETE /tasks/{id}", error=404)
def test_a_task_is_deleted_once(user):
    task = created(user)
    answer = user.delete(f"/tasks/{task['id']}/")
    assert answer.status_code == 204 and answer.content == b""
    refused(user.delete(f"/tasks/{task['id']}/"), 404, "TASK_NOT_FOUND")
    assert user.get("/tasks/").json()["count"] == 0


def test_a_running_task_is_not_deleted(user, worker):
    task = created(user)
    one(worker)
    worker.post(f"/tasks/{task['id']}/heartbeat/", {})
    answer = user.delete(f"/tasks/{task['id']}/")
    assert answer.status_code == 400 and answer.json()["error_code"] == "INVALID_OPERATION"


@row("POST /tasks/{id}/cancel")
@row("POST /tasks/{id}/cancel", error=400)
def test_a_task_is_cancelled_once(user):
    task = created(user)
    answer = user.post(f"/tasks/{task['id']}/cancel/", {"reason": "not needed"})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["previous_status"] == "pending" and body["task_id"] == task["task_id"]
    assert body["message"] and body["cancelled_at"]
    read = user.get(f"/tasks/{task['id']}/").json()
    assert read["status"] == "cancelled" and read["error_message"] == "not needed"
    again = user.post(f"/tasks/{task['id']}/cancel/")
    assert again.status_code == 400 and again.json()["error_code"] == "TASK_ALREADY_COMPLETED"
    assert again.json()["current_status"] == "cancelled"


@row("POST /tasks/{id}/retry")
def test_a_failed_task_is_retried_until_its_retries_are_spent(user, worker):
    task = created(user, max_retries=1)
    one(worker)
    worker.post(f"/tasks/{task['id']}/fail/", {"error_message": "broken"})
    answer = user.post(f"/tasks/{task['id']}/retry/",
                       {"new_priority": "high", "reset_progress": True})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["status"] == "Task queued for retry" and body["new_status"] == "pending"
    assert body["retry_count"] == 1 and body["max_retries"] == 1 and body["estimated_start"]
    assert user.get(f"/tasks/{task['id']}/").json()["priority"] == "high"
    one(worker)
    worker.post(f"/tasks/{task['id']}/fail/", {"error_message": "again"})
    spent = user.post(f"/tasks/{task['id']}/retry/")
    assert spent.status_code == 400 and spent.json()["error_code"] == "MAX_RETRIES_EXCEEDED"


@row("POST /tasks/{id}/retry", error=400)
def test_a_waiting_task_is_not_retried(user):
    task = created(user)
    answer = user.post(f"/tasks/{task['id']}/retry/")
    body = answer.json()
    assert answer.status_code == 400 and body["error_code"] == "INVALID_OPERATION"
    assert body["current_status"] == "pending"
    assert body["allowed_statuses"] == ["failed", "cancelled"]


@pytest.mark.parametrize("method,path", [("PUT", ""), ("PATCH", ""), ("DELETE", ""),
                                         ("POST", "cancel/"), ("POST", "retry/")])
def test_another_brands_task_cannot_be_touched(user, stranger, method, path):
    task = created(user)
    url = f"/tasks/{task['id']}/{path}"
    answer = stranger.call(method, url, json=None if method == "DELETE" else {"priority": "low"})
    refused(answer, 404, "TASK_NOT_FOUND")
    assert user.get(f"/tasks/{task['id']}/").json() == task


def test_a_transcription_of_the_brand_is_in_the_list(user, service):
    recordings.created(service)
    body = user.get("/tasks/").json()
    assert body["count"] == 1
    task = body["results"][0]
    assert task["task_type"] == "transcription" and task["queue_name"] == "batch_queue"
    assert task["status"] == "pending" and isinstance(task["context_data"], dict)
