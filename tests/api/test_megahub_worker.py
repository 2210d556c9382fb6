"""Dialect 002's worker side: claim, heartbeat, progress, complete and fail, the fence that keeps a
worker off which has lost its lease, and native workers on the same tasks."""
import concurrent.futures
import threading

import pytest

from conftest import TIME, alike, example
from rows import row
from tasks import SEO, claimed, created, ended, one, refused


@row("POST /tasks/claim")
@row("POST /tasks/{id}/complete")
def test_a_task_goes_from_claim_to_completed(user, worker):
    sample = example("002_task_complete.json")
    task = created(user)
    mine = one(worker)
    assert mine["id"] == task["id"] and mine["status"] == "running"
    assert mine["context_data"] == SEO["context_data"] and mine["priority"] == "normal"
    assert mine["max_retries"] == 3 and mine["description"] == SEO["description"]
    assert mine["attempt"] == 1 and isinstance(mine["lease_epoch"], int)
    assert TIME.fullmatch(mine["lease_expires_at"]) and mine["recovery_data"] is None
    answer = worker.post(f"/tasks/{task['id']}/complete/",
                         {"result_data": sample["result_data"], "metrics": sample["metrics"],
                          "lease_epoch": mine["lease_epoch"]})
    assert answer.status_code == 200, answer.text
    read = user.get(f"/tasks/{task['id']}/").json()
    issued = ("id", "task_id", "brand.id", "brand.name", "created_by.id", "created_at",
              "completed_at")
    alike(sample, read, issued)
    alike(sample, answer.json(), issued)
    assert TIME.fullmatch(read["completed_at"]) and TIME.fullmatch(read["started_at"])


def test_the_broker_measures_what_the_worker_does_not(user, worker):
    task = created(user)
    one(worker)
    assert worker.post(f"/tasks/{task['id']}/heartbeat/", {}).status_code == 200
    assert worker.post(f"/tasks/{task['id']}/complete/",
                       {"result_data": {}, "metrics": {"tokens_used": 12}}).status_code == 200
    metrics = user.get(f"/tasks/{task['id']}/").json()["metrics"]
    assert metrics["tokens_used"] == 12
    assert metrics["execution_time_ms"] >= 0 and metrics["queue_wait_time_ms"] >= 0


def test_the_result_is_kept_byte_for_byte(user, worker):
    task = created(user)
    one(worker)
    result = '{"z": 1.10,  "a": ["\\u00e9", {"deep": [ ]}]}'
    answer = worker.post(f"/tasks/{task['id']}/complete/",
                         data=('{"result_data":' + result + "}").encode(),
                         headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text
    assert result in user.get(f"/tasks/{task['id']}/").text


@row("POST /tasks/{id}/progress")
@row("POST /tasks/{id}/heartbeat")
def test_progress_and_heartbeat_are_seen(user, worker):
    task = created(user)
    mine = one(worker, lease_seconds=30)
    answer = worker.post(f"/tasks/{task['task_id']}/progress/",
                         {"progress_percentage": 40, "message": "40 de 100",
                          "lease_epoch": mine["lease_epoch"]})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["id"], body["task_id"]) == (task["id"], task["task_id"])
    assert (body["status"], body["progress_percentage"]) == ("running", 40)
    assert body["cancel_requested"] is False and TIME.fullmatch(body["lease_expires_at"])
    read = user.get(f"/tasks/{task['id']}/").json()
    assert (read["status"], read["progress_percentage"]) == ("running", 40)
    beat = worker.post(f"/tasks/{task['id']}/heartbeat/")
    assert beat.status_code == 200 and beat.json()["progress_percentage"] == 40
    assert beat.json()["lease_expires_at"] >= body["lease_expires_at"]


@row("POST /tasks/{id}/progress", error=400)
@pytest.mark.parametrize("value", [-1, 101, "half", None])
def test_progress_out_of_range_is_refused(user, worker, value):
    task = created(user)
    one(worker)
    answer = worker.post(f"/tasks/{task['id']}/progress/", {"progress_percentage": value})
    assert answer.status_code == 400
    assert list(answer.json()["field_errors"]) == ["progress_percentage"]


@row("POST /tasks/{id}/fail")
def test_a_failure_ends_the_task_unless_it_may_be_retried(user, worker):
    task = created(user)
    one(worker)
    answer = worker.post(f"/tasks/{task['id']}/fail/", {"error_message": "no such keyword"})
    assert answer.status_code == 200 and answer.json()["status"] == "failed", answer.text
    read = user.get(f"/tasks/{task['id']}/").json()
    assert (read["status"], read["error_message"]) == ("failed", "no such keyword")
    assert read["result_data"] is None and TIME.fullmatch(read["completed_at"])


def test_a_retryable_failure_comes_back_until_its_retries_are_spent(user, worker):
    task = created(user, max_retries=1)
    one(worker)
    fail = {"error_message": "timeout upstream", "retryable": True}
    answer = worker.post(f"/tasks/{task['id']}/fail/", fail)
    assert answer.status_code == 200 and answer.json()["status"] == "pending", answer.text
    again = one(worker)
    assert again["id"] == task["id"] and again["attempt"] == 2
    assert worker.post(f"/tasks/{task['id']}/fail/", fail).json()["status"] == "failed"
    read = user.get(f"/tasks/{task['id']}/").json()
    assert (read["status"], read["retry_count"]) == ("failed", 0)


@row("POST /tasks/{id}/fail", error=400)
def test_fail_needs_its_message(user, worker):
    task = created(user)
    one(worker)
    refused(worker.post(f"/tasks/{task['id']}/fail/", {}), 400, "VALIDATION_ERROR",
            error_message=["Ce champ est requis"])


@row("POST /tasks/{id}/complete", error=400)
def test_result_data_must_be_an_object(user, worker):
    task = created(user)
    one(worker)
    answer = worker.post(f"/tasks/{task['id']}/complete/", {"result_data": [1]})
    assert answer.status_code == 400 and "result_data" in answer.json()["field_errors"]


def test_a_claim_without_tasks_counts_none(worker):
    assert claimed(worker, wait=0) == {"count": 0, "tasks": []}


def test_a_claim_takes_as_many_as_it_asks_for(user, worker):
    ids = [created(user)["id"] for _ in range(5)]
    body = claimed(worker, limit=3)
    assert body["count"] == 3 and [task["id"] for task in body["tasks"]] == ids[:3]
    assert len({task["lease_epoch"] for task in body["tasks"]}) == 3


def test_a_claim_takes_higher_priorities_first(user, worker):
    ids = {name: created(user, queue_name="q", priority=name)["id"]
           for name in ("low", "normal", "critical", "high")}
    taken = [one(worker, queues=["q"])["id"] for _ in range(4)]
    assert taken == [ids[name] for name in ("critical", "high", "normal", "low")]


def test_a_claim_keeps_to_its_queues_and_types(user, worker):
    task = created(user, queue_name="nightly", task_type="report")
    assert claimed(worker, wait=0)["count"] == 0
    assert claimed(worker, wait=0, queues=["nightly"], task_types=["other"])["count"] == 0
    assert one(worker, queues=["nightly"], task_types=["other", "report"])["id"] == task["id"]


def test_a_waiting_claim_gets_the_task_as_it_comes(user, worker):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(one, worker, wait=60)
        task = created(user)
        assert waiting.result(60)["id"] == task["id"]


def test_an_unstarted_task_is_given_again_when_asked_for(user, worker):
    task = created(user)
    first = one(worker)
    again = one(worker, again=True)
    assert (again["id"], again["lease_epoch"]) == (task["id"], first["lease_epoch"])
    assert worker.post(f"/tasks/{task['id']}/heartbeat/").status_code == 200
    assert claimed(worker, again=True, wait=0)["count"] == 0


def test_two_workers_never_get_the_same_task(user, worker, rival):
    ids = {created(user)["id"] for _ in range(20)}
    seen, lock = [], threading.Lock()

    def take(caller):
        while (body := claimed(caller, wait=0, limit=3))["count"]:
            with lock:
                seen.extend(task["id"] for task in body["tasks"])

    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(take, [worker, rival]))
    assert sorted(seen) == sorted(ids)


def test_a_worker_of_another_brand_gets_nothing(user, relais, brand):
    created(user)
    alien = relais.caller("worker", "alien", brand + 70000)
    assert claimed(alien, wait=0)["count"] == 0


@row("POST /tasks/claim", error=400)
@pytest.mark.parametrize("field, value", [("queues", "normal"), ("queues", [1]), ("limit", 0),
                                          ("limit", 10 ** 6), ("wait", -1), ("wait", "long"),
                                          ("task_types", [""]),
                                          ("lease_seconds", 0)])
def test_a_bad_claim_is_refused(worker, field, value):
    answer = worker.post("/tasks/claim/", {field: value})
    assert answer.status_code == 400 and list(answer.json()["field_errors"]) == [field]


def test_only_the_holder_may_report(user, worker, rival):
    task = created(user)
    one(worker)
    for path, body in (("progress", {"progress_percentage": 1}), ("heartbeat", {}),
                       ("complete", {"result_data": {}}), ("fail", {"error_message": "x"})):
        refused(rival.post(f"/tasks/{task['id']}/{path}/", body), 409, "ATTEMPT_SUPERSEDED")
    assert user.get(f"/tasks/{task['id']}/").json()["status"] == "running"


def test_a_lost_lease_fences_the_old_worker_off(user, worker, rival):
    task = created(user)
    old = one(worker, lease_seconds=1)
    new = one(rival, wait=60)
    assert new["id"] == task["id"] and new["lease_epoch"] > old["lease_epoch"]
    for path, body in (("progress", {"progress_percentage": 99}),
                       ("complete", {"result_data": {"winner": "old"}}),
                       ("fail", {"error_message": "late"})):
        for epoch in ({}, {"lease_epoch": old["lease_epoch"]}):
            refused(worker.post(f"/tasks/{task['id']}/{path}/", {**body, **epoch}), 409,
                    "ATTEMPT_SUPERSEDED")
    answer = rival.post(f"/tasks/{task['id']}/complete/", {"result_data": {"winner": "new"}})
    assert answer.status_code == 200, answer.text
    assert user.get(f"/tasks/{task['id']}/").json()["result_data"] == {"winner": "new"}


def test_heartbeats_keep_a_short_lease(user, worker, rival):
    task = created(user)
    one(worker, lease_seconds=5)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(claimed, rival, wait=8)
        while not waiting.done():
            assert worker.post(f"/tasks/{task['id']}/heartbeat/", {}).status_code == 200
            concurrent.futures.wait([waiting], timeout=0.3)
    assert waiting.result()["count"] == 0


def test_the_winners_own_report_may_be_repeated(user, worker):
    task = created(user)
    mine = one(worker)
    body = {"result_data": {"n": 1}, "lease_epoch": mine["lease_epoch"]}
    first = worker.post(f"/tasks/{task['id']}/complete/", body)
    second = worker.post(f"/tasks/{task['id']}/complete/", body)
    assert first.status_code == second.status_code == 200, second.text
    assert first.json() == second.json()


@row("POST /tasks/{id}/heartbeat", error=404)
@row("POST /tasks/{id}/progress", error=404)
@row("POST /tasks/{id}/complete", error=404)
@row("POST /tasks/{id}/fail", error=404)
def test_reports_on_an_unknown_task_find_none(worker):
    for path, body in (("progress", {"progress_percentage": 1}), ("complete", {}),
                       ("fail", {"error_message": "x"}), ("heartbeat", {})):
        answer = worker.post(f"/tasks/task_aaaaaaaaaaaa/{path}/", body)
        refused(answer, 404, "TASK_NOT_FOUND")


def test_a_native_worker_runs_a_task_of_this_dialect(user, work, brand):
    task = created(user, queue_name=f"native-{brand}")
    work(f"native-{brand}", "sh", "-c",
         r'printf "{\"seen\": %s}" "$(cat)"', brand=brand)
    read = ended(user, task)
    assert read["status"] == "completed", read
    assert read["result_data"] == {"seen": SEO["context_data"]}


def test_a_commands_plain_output_is_named(user, work, brand):
    task = created(user, queue_name=f"plain-{brand}")
    work(f"plain-{brand}", "echo", "forty two", brand=brand)
    read = ended(user, task)
    assert read["result_data"] == {"output": "forty two\n"}, read
