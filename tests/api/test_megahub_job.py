"""Dialect 002's persistent jobs: made on a task or with one, listed, changed, deleted."""
import pytest

from conftest import TIME
from jobs import DATA, JOBS, failed, job, job_of, numbers, point, read
from rows import row
from tasks import created, one, refused

SHAPE = {"id", "base_task", "job_data", "current_step", "total_steps", "completed_steps",
         "resume_from_step", "progress_percentage", "can_resume", "last_checkpoint_at",
         "latest_checkpoint", "checkpoints_count", "estimated_completion",
         "estimated_remaining_minutes", "job_state", "created_at", "updated_at"}


@row("POST /tasks/persistent-jobs/persistent-jobs")
@row("GET /tasks/persistent-jobs/persistent-jobs/{id}")
def test_a_job_is_made_on_a_task(user):
    task = created(user)
    answer = user.post(JOBS, {"base_task": task["id"], "job_data": DATA})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert set(made) == SHAPE
    assert answer.headers["Location"] == f"{JOBS}{made['id']}/"
    assert made["base_task"]["id"] == task["id"] and made["base_task"]["status"] == "pending"
    assert made["job_data"] == DATA and made["current_step"] == "init"
    assert (made["total_steps"], made["completed_steps"]) == (1, 0)
    assert made["progress_percentage"] == 0 and made["can_resume"] is True
    assert made["latest_checkpoint"] is None and made["checkpoints_count"] == 0
    assert TIME.fullmatch(made["created_at"]) and made["last_checkpoint_at"] is None
    assert read(user, made) == made
    seen = user.get(f"/tasks/{task['id']}/").json()["persistent_job"]
    assert seen == {"progress_percentage": 0, "can_resume": True}


@row("POST /tasks/persistent-jobs")
@row("GET /tasks/persistent-jobs/{id}")
def test_a_job_is_made_with_its_task(user, worker):
    answer = user.post("/tasks/persistent-jobs/", {
        "task_type": "crawl", "job_data": DATA, "priority": "high", "total_steps": 8,
        "completed_steps": 2, "current_step": "two"})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made["base_task"]["task_type"] == "crawl" and made["base_task"]["priority"] == "high"
    assert made["progress_percentage"] == 25 and made["current_step"] == "two"
    assert user.get(f"/tasks/persistent-jobs/{made['id']}/").json() == read(user, made)
    mine = one(worker)
    assert mine["id"] == made["base_task"]["id"] and mine["context_data"] == DATA
    assert mine["persistent_job"] == {"progress_percentage": 25, "can_resume": True}


def test_the_text_of_a_task_names_it_too(user):
    task = created(user)
    made = job_of(user, {"id": task["task_id"]})
    assert made["base_task"]["id"] == task["id"]
    assert user.get(f"{JOBS}{task['task_id']}/").json()["id"] == made["id"]


@row("POST /tasks/persistent-jobs/persistent-jobs", error=400)
@row("POST /tasks/persistent-jobs", error=400)
@pytest.mark.parametrize("body, field", [
    ({}, "base_task"), ({"task_type": "x"}, "job_data"), ({"base_task": 999999999}, "job_data"),
    ({"base_task": "nonsense", "job_data": {}}, "base_task"),
    ({"base_task": 999999999, "job_data": {}}, "base_task"),
    ({"base_task": [1], "job_data": {}}, "base_task"),
    ({"task_type": "x", "job_data": []}, "job_data"),
    ({"task_type": "x", "job_data": {}, "total_steps": 0}, "total_steps"),
    ({"task_type": "x", "job_data": {}, "total_steps": 2, "completed_steps": 3},
     "completed_steps"),
    ({"task_type": "x", "job_data": {}, "can_resume": "maybe"}, "can_resume"),
    ({"task_type": "x", "job_data": {}, "priority": "urgent"}, "priority")])
def test_bad_fields_are_named(user, body, field):
    for base in (JOBS, "/tasks/persistent-jobs/"):
        answer = user.post(base, body)
        assert answer.status_code == 400, answer.text
        assert answer.json()["error_code"] == "VALIDATION_ERROR"
        assert field in answer.json()["field_errors"]


def test_a_task_has_one_job(user):
    task = created(user)
    job_of(user, task)
    answer = user.post(JOBS, {"base_task": task["id"], "job_data": {}})
    assert answer.status_code == 400 and "base_task" in answer.json()["field_errors"]
    assert read(user, task)["job_data"] == DATA


@row("GET /tasks/persistent-jobs/persistent-jobs")
@row("GET /tasks/persistent-jobs")
def test_jobs_are_listed_and_filtered(user, worker):
    lost = failed(user, worker, "a", "b")
    other = created(user)
    fresh = job(user, can_resume=False, current_step="late", priority="low")
    for base in (JOBS, "/tasks/persistent-jobs/"):
        answer = user.get(base)
        assert numbers(answer) == [fresh["id"], lost["id"]]
        assert answer.json()["count"] == 2 and set(answer.json()["results"][0]) == SHAPE
        assert other["id"] not in numbers(answer)
    found = {"status=failed": [lost], "status=pending": [fresh], "can_resume=true": [lost],
             "can_resume=false": [fresh], "current_step=late": [fresh], "progress_gte=50": [lost],
             "progress__gte=51": [], "progress_lte=10": [fresh], "has_checkpoints=true": [lost],
             "has_checkpoints=false": [fresh], f"base_task={lost['id']}": [lost],
             "status=failed,pending": [fresh, lost], "page_size=1": [fresh],
             "page_size=1&page=2": [lost], "ordering=created_at": [lost, fresh],
             "ordering=progress": [fresh, lost], "search=crawl": [fresh, lost],
             "priority=low": [fresh], "created_before=2020-01-01": []}
    for query, jobs in found.items():
        assert numbers(user.get(f"{JOBS}?{query}")) == [one["id"] for one in jobs], query
    row_of = {one["id"]: one for one in user.get(JOBS).json()["results"]}
    assert row_of[lost["id"]]["checkpoints_count"] == 2
    assert row_of[lost["id"]]["latest_checkpoint"]["step_name"] == "b"
    assert row_of[lost["id"]]["job_data"] == DATA
    listed = {one["id"]: one["persistent_job"] for one in user.get("/tasks/").json()["results"]}
    assert listed[lost["id"]] == {"progress_percentage": 50, "can_resume": True}
    assert listed[other["id"]] is None


@row("GET /tasks/persistent-jobs/persistent-jobs", error=400)
@row("GET /tasks/persistent-jobs", error=400)
@pytest.mark.parametrize("query", ["status=odd", "can_resume=maybe", "progress_gte=x",
                                   "base_task=y", "has_checkpoints=2"])
def test_a_bad_filter_is_named(user, query):
    for base in (JOBS, "/tasks/persistent-jobs/"):
        answer = user.get(f"{base}?{query}")
        assert answer.status_code == 400, answer.text
        assert query.split("=")[0] in answer.json()["field_errors"]


@row("PATCH /tasks/persistent-jobs/persistent-jobs/{id}")
@row("PATCH /tasks/persistent-jobs/{id}")
def test_a_job_is_changed(user):
    made = job(user)
    for base, done in ((JOBS, 1), ("/tasks/persistent-jobs/", 3)):
        answer = user.call("PATCH", f"{base}{made['id']}/",
                           json={"completed_steps": done, "current_step": "crawl",
                                 "progress_percentage": 99})
        assert answer.status_code == 200, answer.text
        assert answer.json()["progress_percentage"] == 25 * done
    now = read(user, made)
    assert now["current_step"] == "crawl" and now["job_data"] == DATA
    assert now["updated_at"] >= made["updated_at"]
    answer = user.call("PATCH", f"{JOBS}{made['id']}/", json={"job_data": {"n": 1}})
    assert answer.json()["job_data"] == {"n": 1} and answer.json()["completed_steps"] == 3


@row("PUT /tasks/persistent-jobs/persistent-jobs/{id}")
@row("PUT /tasks/persistent-jobs/{id}")
def test_a_job_is_replaced(user):
    made = job(user)
    for base in (JOBS, "/tasks/persistent-jobs/"):
        answer = user.put(f"{base}{made['id']}/", json={"job_data": {"new": base},
                                                        "can_resume": False})
        assert answer.status_code == 200, answer.text
        assert answer.json()["job_data"] == {"new": base}
        assert answer.json()["can_resume"] is False


@row("PUT /tasks/persistent-jobs/persistent-jobs/{id}", error=400)
@row("PATCH /tasks/persistent-jobs/persistent-jobs/{id}", error=400)
@row("PUT /tasks/persistent-jobs/{id}", error=400)
@row("PATCH /tasks/persistent-jobs/{id}", error=400)
def test_a_bad_change_is_refused(user):
    made = job(user)
    for base in (JOBS, "/tasks/persistent-jobs/"):
        for method, body, field in (("PUT", {}, "job_data"), ("PATCH", {"job_data": 3}, "job_data"),
                                    ("PATCH", {"completed_steps": 5}, "completed_steps"),
                                    ("PATCH", {"total_steps": -1}, "total_steps")):
            answer = user.call(method, f"{base}{made['id']}/", json=body)
            assert answer.status_code == 400 and field in answer.json()["field_errors"], answer.text
    assert read(user, made)["completed_steps"] == 0


@row("DELETE /tasks/persistent-jobs/persistent-jobs/{id}")
@row("DELETE /tasks/persistent-jobs/{id}")
def test_a_deleted_job_leaves_its_task(user, worker):
    for base in (JOBS, "/tasks/persistent-jobs/"):
        made = failed(user, worker, "a", "b", "c")
        answer = user.delete(f"{base}{made['id']}/")
        assert answer.status_code == 204 and answer.content == b""
        refused(user.get(f"{JOBS}{made['id']}/"), 404, "NOT_FOUND")
        task = user.get(f"/tasks/{made['id']}/").json()
        assert task["persistent_job"] is None and task["status"] == "failed"
        listed = user.get(f"/tasks/persistent-jobs/checkpoints/?persistent_job={made['id']}")
        assert numbers(listed) == []
        assert job_of(user, task)["checkpoints_count"] == 0


@row("DELETE /tasks/persistent-jobs/persistent-jobs/{id}", error=400)
@row("DELETE /tasks/persistent-jobs/{id}", error=400)
def test_a_running_job_is_not_deleted(user, worker):
    made = job(user)
    one(worker)
    for base in (JOBS, "/tasks/persistent-jobs/"):
        body = refused(user.delete(f"{base}{made['id']}/"), 400, "INVALID_JOB_STATE")
        assert body["current_status"] == "running" and body["success"] is False


@row("GET /tasks/persistent-jobs/persistent-jobs/{id}", error=404)
@row("GET /tasks/persistent-jobs/{id}", error=404)
def test_another_brand_sees_nothing(user, stranger, worker):
    made = failed(user, worker, "a")
    for base in (JOBS, "/tasks/persistent-jobs/"):
        path = f"{base}{made['id']}/"
        for answer in (stranger.get(path), stranger.delete(path), user.get(base + "4/"),
                       stranger.call("PATCH", path, json={"can_resume": False}),
                       stranger.post(path + "resume/", {}), stranger.post(path + "pause/", {}),
                       stranger.post(path + "restart/", {}),
                       stranger.get(path + "checkpoints/")):
            refused(answer, 404, "NOT_FOUND")
        assert stranger.get(f"{base}{'x' * 300}/").status_code == 404
    assert made["id"] not in numbers(stranger.get(JOBS))
    answer = stranger.post(JOBS, {"base_task": made["id"], "job_data": {}})
    assert answer.status_code == 400 and "base_task" in answer.json()["field_errors"]


def test_changes_at_once_are_all_kept(user, relais, brand):
    import concurrent.futures
    made = job(user, total_steps=100)
    changes = [{"completed_steps": 50}, {"current_step": "mid"}, {"can_resume": False}] * 2

    def change(body):
        return relais.caller("user", "many", brand).call("PATCH", f"{JOBS}{made['id']}/", json=body)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        assert {a.status_code for a in pool.map(change, changes)} == {200}
    now = read(user, made)
    assert (now["completed_steps"], now["current_step"], now["can_resume"]) == (50, "mid", False)


def test_workers_have_no_say(worker, nobody):
    assert worker.post(JOBS, {}).status_code == 403
    assert nobody.get(JOBS).status_code == 401


def test_options_tell_what_a_path_takes(user):
    answer = user.call("OPTIONS", JOBS)
    assert answer.status_code == 200 and "POST" in answer.headers["Allow"]
    body = answer.json()
    assert set(body) == {"name", "description", "renders", "parses", "actions"}
    assert body["name"] == "Persistent Jobs List"
    members = body["actions"]["POST"]
    assert members["job_data"] == {"type": "nested object", "required": True, "read_only": False,
                                   "label": "job_data"}
    assert members["base_task"]["required"] is False
    choice = user.call("OPTIONS", "/tasks/").json()["actions"]["POST"]["priority"]
    assert [one["value"] for one in choice["choices"]] == ["low", "normal", "high", "critical"]
    body = user.call("OPTIONS", f"{JOBS}7/resume/").json()
    assert "from_checkpoint" in body["actions"]["POST"]
    assert user.call("OPTIONS", "/tasks/persistent-jobs/stats/").json()["actions"] == {}


def test_a_deleted_task_takes_its_job_along(user):
    made = job(user)
    assert user.delete(f"/tasks/{made['id']}/").status_code == 204
    refused(user.get(f"{JOBS}{made['id']}/"), 404, "NOT_FOUND")


def test_a_description_and_a_job_are_changed_at_once(user, relais, brand):
    import concurrent.futures
    made = job(user, total_steps=100)
    path = f"/tasks/{made['id']}/"
    changes = [(path, {"description": "new"}), (f"{JOBS}{made['id']}/", {"completed_steps": 9})] * 4

    def change(where):
        caller = relais.caller("user", "many", brand)
        return caller.call("PATCH", where[0], json=where[1]).status_code
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert set(pool.map(change, changes)) == {200}
    now = read(user, made)
    assert now["completed_steps"] == 9 and now["base_task"]["description"] == "new"
