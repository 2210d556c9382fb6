"""Dialect 002's checkpoints: by members and by workers, listed over the brand, packed; the states
of jobs, and the care for them."""
import json

import pytest

from conftest import TIME
from jobs import DATA, JOBS, POINTS, failed, job, numbers, point, read
from rows import row
from tasks import created, one, refused

STATES = "/tasks/persistent-jobs/job-states/"
SHAPE = {"id", "persistent_job", "step_name", "checkpoint_data", "is_recovery_point",
         "data_size_bytes", "compressed", "created_at"}


def done(answer, status=200):
    assert answer.status_code == status, answer.text
    return answer.json()


@row("POST /tasks/persistent-jobs/checkpoints")
@row("GET /tasks/persistent-jobs/checkpoints/{id}")
def test_a_member_stores_a_checkpoint(user):
    made = job(user)
    answer = user.post(POINTS, {"persistent_job": made["id"], "step_name": "fetch",
                                "checkpoint_data": {"page": 7}, "completed_steps": 1})
    stored = done(answer, 201)
    assert set(stored) == SHAPE and answer.headers["Location"] == f"{POINTS}{stored['id']}/"
    assert stored["persistent_job"] == {"id": made["id"], "base_task_id": made["id"]}
    assert stored["checkpoint_data"] == {"page": 7} and stored["is_recovery_point"] is True
    assert stored["data_size_bytes"] > 0 and TIME.fullmatch(stored["created_at"])
    assert done(user.get(f"{POINTS}{stored['id']}/")) == stored
    now = read(user, made)
    assert now["progress_percentage"] == 25 and now["current_step"] == "fetch"
    assert now["last_checkpoint_at"] == stored["created_at"]
    assert now["latest_checkpoint"]["id"] == stored["id"] and now["checkpoints_count"] == 1
    assert now["resume_from_step"] == "fetch"


def test_a_worker_stores_one_under_its_lease(user, worker, rival):
    made = job(user)
    mine = one(worker)
    stored = point(worker, made, "one", lease_epoch=mine["lease_epoch"], current_step="two",
                   completed_steps=3)
    assert stored["step_name"] == "one" and read(user, made)["current_step"] == "two"
    assert read(user, made)["progress_percentage"] == 75
    body = {"persistent_job": made["id"], "step_name": "x", "checkpoint_data": {}}
    refused(rival.post(POINTS, body), 409, "ATTEMPT_SUPERSEDED")
    refused(worker.post(POINTS, {**body, "lease_epoch": mine["lease_epoch"] + 1}), 409,
            "ATTEMPT_SUPERSEDED")
    done(worker.post(f"/tasks/{made['id']}/complete/", {"result_data": {}}))
    refused(worker.post(POINTS, body), 409, "ATTEMPT_SUPERSEDED")
    assert read(user, made)["checkpoints_count"] == 1


@row("POST /tasks/persistent-jobs/checkpoints", error=400)
def test_what_is_wrong_with_a_checkpoint(user, worker, stranger):
    made, task = job(user), created(user)
    good = {"persistent_job": made["id"], "step_name": "x", "checkpoint_data": {}}
    for change, field in (({"persistent_job": None}, "persistent_job"),
                          ({"persistent_job": task["id"]}, "persistent_job"),
                          ({"persistent_job": "y"}, "persistent_job"),
                          ({"step_name": ""}, "step_name"), ({"step_name": "x" * 200}, "step_name"),
                          ({"checkpoint_data": [1]}, "checkpoint_data"),
                          ({"is_recovery_point": 5}, "is_recovery_point"),
                          ({"completed_steps": -1}, "completed_steps")):
        answer = user.post(POINTS, {**good, **change})
        assert answer.status_code == 400 and field in answer.json()["field_errors"], answer.text
    assert "persistent_job" in stranger.post(POINTS, good).json()["field_errors"]
    assert set(user.post(POINTS, {}).json()["field_errors"]) == {"persistent_job", "step_name",
                                                                "checkpoint_data"}
    answer = user.post(POINTS, {**good, "checkpoint_data": {"x": "y" * (1 << 20)}})
    refused(answer, 413, "PAYLOAD_TOO_LARGE")
    assert one(worker)["id"] == made["id"]
    done(worker.post(f"/tasks/{made['id']}/complete/", {"result_data": {}}))
    refused(user.post(POINTS, good), 400, "INVALID_JOB_STATE")


@row("GET /tasks/persistent-jobs/checkpoints")
@row("GET /tasks/persistent-jobs/persistent-jobs/{id}/checkpoints")
@row("GET /tasks/persistent-jobs/{id}/checkpoints")
def test_checkpoints_are_listed_over_the_brand(user, worker, stranger):
    first, second = failed(user, worker, "a", "b"), failed(user, worker, "a")
    big = point(user, second, "large", {"x": "y" * 150000})
    listed = user.get(POINTS)
    assert done(listed)["count"] == 4 and numbers(listed)[0] == big["id"]
    assert sorted(numbers(listed), reverse=True) == numbers(listed)
    assert all(set(one) == SHAPE for one in listed.json()["results"])
    for query, count in ((f"persistent_job={first['id']}", 2), ("step_name=a", 2),
                         ("step_name__startswith=l", 1), ("has_large_data=true", 1),
                         ("has_large_data=false", 3), ("created_after=2020-01-01", 4),
                         ("created_before=2020-01-01", 0), ("page_size=3", 3), ("search=larg", 1),
                         ("page_size=3&page=2", 1), ("data_size_bytes__gt=100000", 1),
                         (f"persistent_job__in={first['id']},{second['id']}", 4)):
        assert len(numbers(user.get(f"{POINTS}?{query}"))) == count, query
    assert numbers(user.get(POINTS + "?ordering=created_at")) == numbers(listed)[::-1]
    for base in (JOBS, "/tasks/persistent-jobs/"):
        bare = done(user.get(f"{base}{first['id']}/checkpoints/"))
        assert [one["step_name"] for one in bare] == ["b", "a"]
    assert numbers(stranger.get(POINTS)) == []


@row("GET /tasks/persistent-jobs/checkpoints", error=400)
@row("GET /tasks/persistent-jobs/persistent-jobs/{id}/checkpoints", error=404)
@row("GET /tasks/persistent-jobs/{id}/checkpoints", error=404)
def test_bad_lists(user, worker):
    task = created(user)
    for query in ("persistent_job=x", "created_after=soon", "has_large_data=maybe"):
        answer = user.get(f"{POINTS}?{query}")
        assert answer.status_code == 400 and query.split("=")[0] in answer.json()["field_errors"]
    for base in (JOBS, "/tasks/persistent-jobs/"):
        refused(user.get(f"{base}{task['id']}/checkpoints/"), 404, "NOT_FOUND")


@row("PUT /tasks/persistent-jobs/checkpoints/{id}")
@row("PATCH /tasks/persistent-jobs/checkpoints/{id}")
def test_a_checkpoint_is_changed(user, worker):
    made = failed(user, worker, "a", "b")
    stored = user.get(f"{JOBS}{made['id']}/checkpoints/").json()[0]
    path = f"{POINTS}{stored['id']}/"
    body = done(user.put(path, json={"step_name": "bb", "checkpoint_data": {"n": 2}}))
    assert (body["id"], body["step_name"]) == (stored["id"], "bb")
    assert body["checkpoint_data"] == {"n": 2}
    assert body["created_at"] == stored["created_at"]
    body = done(user.call("PATCH", path, json={"is_recovery_point": False}))
    assert body["is_recovery_point"] is False and body["checkpoint_data"] == {"n": 2}
    answer = done(user.post(f"{JOBS}{made['id']}/resume/", {}))
    assert answer["resumed_from"] == "a"
    assert one(worker)["recovery_data"]["checkpoint_data"] == {"at": "a"}


@row("PUT /tasks/persistent-jobs/checkpoints/{id}", error=400)
@row("PATCH /tasks/persistent-jobs/checkpoints/{id}", error=404)
@row("GET /tasks/persistent-jobs/checkpoints/{id}", error=404)
@row("DELETE /tasks/persistent-jobs/checkpoints/{id}", error=404)
def test_a_checkpoint_of_another_brand_is_not_there(user, worker, stranger):
    made = failed(user, worker, "a")
    stored = user.get(f"{JOBS}{made['id']}/checkpoints/").json()[0]
    path = f"{POINTS}{stored['id']}/"
    for answer in (stranger.get(path), stranger.delete(path), user.get(POINTS + "5/"),
                   stranger.call("PATCH", path, json={"step_name": "x"}),
                   user.get(POINTS + "9" * 30 + "/"), user.get(POINTS + "x/"),
                   stranger.put(path, json={"step_name": "x", "checkpoint_data": {}})):
        refused(answer, 404, "NOT_FOUND")
    assert set(user.put(path, json={}).json()["field_errors"]) == {"step_name", "checkpoint_data"}
    assert done(user.get(path)) == stored


@row("DELETE /tasks/persistent-jobs/checkpoints/{id}")
def test_a_deleted_checkpoint_is_gone(user, worker):
    made = failed(user, worker, "a", "b")
    stored = user.get(f"{JOBS}{made['id']}/checkpoints/").json()
    answer = user.delete(f"{POINTS}{stored[0]['id']}/")
    assert answer.status_code == 204 and answer.content == b""
    refused(user.delete(f"{POINTS}{stored[0]['id']}/"), 404, "NOT_FOUND")
    assert numbers(user.get(POINTS)) == [stored[1]["id"]]
    assert done(user.post(f"{JOBS}{made['id']}/resume/", {}))["resumed_from"] == "a"
    assert one(worker)["recovery_data"]["resume_from_step"] == "a"


def test_a_deleted_task_takes_its_checkpoints_along(user, worker):
    made = failed(user, worker, "a", "b")
    assert user.delete(f"/tasks/{made['id']}/").status_code == 204
    assert numbers(user.get(POINTS)) == [] and numbers(user.get(JOBS)) == []


@row("POST /tasks/persistent-jobs/checkpoints/optimize-storage")
def test_old_checkpoints_are_packed_and_stay_readable(user, worker):
    made = job(user)
    one(worker)
    data = {"rows": ["the same again"] * 5000}
    stored = [point(worker, made, f"s{n}", {**data, "n": n}) for n in range(6)]
    done(worker.post(f"/tasks/{made['id']}/fail/", {"error_message": "no"}))
    body = done(user.post(POINTS + "optimize-storage/", {
        "days_old_threshold": 0, "max_checkpoints_per_job": 4}))["optimization_results"]
    assert body["total_checkpoints_processed"] == 6 and body["old_checkpoints_archived"] == 2
    assert body["checkpoints_compressed"] == 3
    whole = sum(s["data_size_bytes"] for s in stored[:5]) / 2 ** 20
    assert 0.8 * whole < body["storage_saved_mb"] < whole
    listed = user.get(POINTS).json()["results"]
    assert [c["compressed"] for c in listed] == [False, True, True, True]
    assert [c["checkpoint_data"]["n"] for c in listed] == [5, 4, 3, 2]
    assert listed[1] == {**stored[4], "compressed": True}
    again = done(user.post(POINTS + "optimize-storage/", {"days_old_threshold": 0}))
    assert again["optimization_results"]["checkpoints_compressed"] == 0
    assert again["optimization_results"]["storage_saved_mb"] == 0
    done(user.post(f"{JOBS}{made['id']}/resume/", {"from_checkpoint": "s3"}))
    assert one(worker)["recovery_data"]["checkpoint_data"] == {**data, "n": 3}


def test_fresh_checkpoints_are_left_alone(user, worker, stranger):
    failed(user, worker, *"abc")
    body = done(user.post(POINTS + "optimize-storage/", {}))["optimization_results"]
    assert (body["checkpoints_compressed"], body["total_checkpoints_processed"]) == (0, 3)
    body = done(stranger.post(POINTS + "optimize-storage/", {"days_old_threshold": 0}))
    assert body["optimization_results"]["total_checkpoints_processed"] == 0


@row("POST /tasks/persistent-jobs/checkpoints/optimize-storage", error=400)
def test_bad_bounds_of_optimizing(user):
    for field, value in (("days_old_threshold", -1), ("max_checkpoints_per_job", 0),
                         ("compress_old_checkpoints", "x")):
        answer = user.post(POINTS + "optimize-storage/", {field: value})
        assert answer.status_code == 400 and field in answer.json()["field_errors"]


def test_checkpoints_outlive_the_broker(relais_with, tmp_path):
    (tmp_path / "data").mkdir(mode=0o700)
    server = relais_with(data=str(tmp_path / "data"))
    user, worker = server.caller("user", "u", 7), server.caller("worker", "w", 7)
    made = failed(user, worker, "a", "b")
    done(user.post(POINTS + "optimize-storage/", {"days_old_threshold": 0}))
    before = done(user.get(POINTS))
    server.stop()
    server = relais_with(data=str(tmp_path / "data"))
    user, worker = server.caller("user", "u", 7), server.caller("worker", "w", 7)
    after = done(user.get(POINTS))
    assert after["results"] == before["results"] and len(after["results"]) == 2
    assert user.delete(f"{POINTS}{after['results'][0]['id']}/").status_code == 204
    assert user.delete(f"{JOBS}{made['id']}/").status_code == 204
    assert done(user.get(POINTS))["count"] == 0


# ---- job states ----

@row("GET /tasks/persistent-jobs/job-states")
@row("GET /tasks/persistent-jobs/job-states/{id}")
@row("PATCH /tasks/persistent-jobs/job-states/{id}")
def test_a_state_is_kept_beside_its_job(user, worker, stranger):
    made = failed(user, worker, "a")
    path = f"{STATES}{made['id']}/"
    fresh = done(user.get(path))
    assert fresh["persistent_job"] == {"id": made["id"], "base_task_id": made["id"]}
    assert fresh["pages_status"] == {} and fresh["error_details"] == fresh["warnings"] == []
    assert fresh["max_retries"] == 3 and fresh["can_retry"] is True
    assert fresh["last_error_message"] == "no disk" and fresh["retry_count"] == 0
    change = {"pages_status": {"1": "completed", "2": "retrying"}, "warnings": ["slow"],
              "error_log": [{"page": 2}], "state_data": {"cursor": "x"}, "max_retries": 0}
    body = done(user.call("PATCH", path, json=change))
    assert {key: body[key] for key in change} == change and body["can_retry"] is False
    body = done(user.call("PATCH", path, json={"last_error_message": "late"}))
    assert body["last_error_message"] == "late" and body["warnings"] == ["slow"]
    assert read(user, made)["job_state"] == body and read(user, made)["job_data"] == DATA
    job(user)
    assert len(numbers(user.get(STATES))) == 2
    assert user.get(f"{STATES}?persistent_job={made['id']}").json()["results"] == [body]
    assert numbers(stranger.get(STATES)) == []


@row("GET /tasks/persistent-jobs/job-states", error=400)
@row("GET /tasks/persistent-jobs/job-states/{id}", error=404)
@row("PATCH /tasks/persistent-jobs/job-states/{id}", error=400)
def test_bad_states(user, stranger):
    made = job(user)
    path = f"{STATES}{made['id']}/"
    for field, value in (("pages_status", {"1": "lost"}), ("pages_status", []), ("warnings", {}),
                         ("max_retries", -1), ("state_data", 4), ("error_log", "x")):
        answer = user.call("PATCH", path, json={field: value})
        assert answer.status_code == 400 and field in answer.json()["field_errors"], answer.text
    assert user.get(STATES + "?persistent_job=x").status_code == 400
    refused(stranger.get(path), 404, "NOT_FOUND")
    refused(stranger.call("PATCH", path, json={"warnings": []}), 404, "NOT_FOUND")


# ---- care ----

@row("POST /tasks/persistent-jobs/persistent-jobs/validate-config")
@row("POST /tasks/persistent-jobs/validate-config")
def test_a_job_is_looked_at_before_it_is_made(user):
    for base in (JOBS, "/tasks/persistent-jobs/"):
        body = done(user.post(base + "validate-config/", {
            "job_data": DATA, "estimated_duration_hours": 2, "checkpoint_frequency": 15}))
        assert body["valid"] is True and body["warnings"] == []
        assert body["estimated_checkpoints"] == 8 and body["estimated_storage_mb"] > 0
        body = done(user.post(base + "validate-config/", {"job_data": {"x": "y" * 200000},
                                                         "checkpoint_frequency": 0}))
        assert body["valid"] is False and len(body["warnings"]) == 2
        body = done(user.post(base + "validate-config/", {
            "job_data": {}, "estimated_duration_hours": 100, "checkpoint_frequency": 1}))
        assert body["estimated_checkpoints"] == 6000 and len(body["recommendations"]) == 2


@row("POST /tasks/persistent-jobs/persistent-jobs/validate-config", error=400)
@row("POST /tasks/persistent-jobs/validate-config", error=400)
def test_a_configuration_that_cannot_be(user):
    for base in (JOBS, "/tasks/persistent-jobs/"):
        for body, field in (({}, "job_data"), ({"job_data": 1}, "job_data"),
                            ({"job_data": {}, "checkpoint_frequency": -1},
                             "checkpoint_frequency"),
                            ({"job_data": {}, "estimated_duration_hours": "x"},
                             "estimated_duration_hours")):
            answer = user.post(base + "validate-config/", body)
            assert answer.status_code == 400 and field in answer.json()["field_errors"]


@row("GET /tasks/persistent-jobs/persistent-jobs/stats")
@row("GET /tasks/persistent-jobs/stats")
def test_figures(user, worker, stranger):
    made = failed(user, worker, "a", "b")
    done(user.post(f"{JOBS}{made['id']}/resume/", {}))
    one(worker)
    done(worker.post(f"/tasks/{made['id']}/complete/", {"result_data": {}}))
    failed(user, worker, "a")
    job(user)
    for base in (JOBS, "/tasks/persistent-jobs/"):
        body = done(user.get(base + "stats/?days=7&include_trends=true"))
        assert body["period"] == "last_7_days"
        totals = body["totals"]
        assert totals["total_jobs"] == 3 and totals["completed"] == totals["failed"] == 1
        assert totals["pending"] == 1 and totals["avg_progress_percentage"] == 25
        assert body["resume_stats"] == {"resumed_jobs": 1, "total_resumes": 1,
                                        "resume_success_rate": 100}
        assert body["checkpoint_stats"]["total_checkpoints"] == 3
        assert body["failure_analysis"]["by_task_type"] == {"crawl": 1}
        assert len(body["trends"]) == 7 and body["trends"][-1]["created"] == 3
        assert "trends" not in done(user.get(base + "stats/"))
        assert done(stranger.get(base + "stats/"))["totals"]["total_jobs"] == 0


@row("GET /tasks/persistent-jobs/persistent-jobs/stats", error=400)
@row("GET /tasks/persistent-jobs/stats", error=400)
def test_figures_of_no_days(user):
    for base in (JOBS, "/tasks/persistent-jobs/"):
        for days in ("0", "x", "-3", "99999999"):
            answer = user.get(f"{base}stats/?days={days}")
            assert answer.status_code == 400 and "days" in answer.json()["field_errors"]


@row("POST /tasks/persistent-jobs/persistent-jobs/cleanup-old")
@row("POST /tasks/persistent-jobs/cleanup-old")
def test_old_jobs_are_cleaned_up(user, worker, stranger):
    for base in (JOBS, "/tasks/persistent-jobs/"):
        made = failed(user, worker, "a", "b")
        bare = job(user)
        done(user.post(f"/tasks/{bare['id']}/cancel/", {}))
        waits = job(user)
        body = done(user.post(base + "cleanup-old/", {}))
        assert body["cleanup_summary"]["jobs_reviewed"] == 0 and TIME.fullmatch(body["cutoff_date"])
        old = {"days_old": 0}
        summary = done(user.post(base + "cleanup-old/", {**old, "dry_run": True}))
        assert summary["dry_run"] is True and summary["cleanup_summary"]["jobs_deleted"] == 2
        assert summary["deleted_job_types"] == {"crawl": 2}
        assert len(numbers(user.get(JOBS))) == 3
        body = done(user.post(base + "cleanup-old/", {**old, "preserve_failed": True,
                                                     "dry_run": True}))
        assert body["preserved_reasons"]["failed_jobs"] == 1
        body = done(user.post(base + "cleanup-old/", {**old, "preserve_with_checkpoints": True}))
        assert body["cleanup_summary"]["jobs_deleted"] == 1
        assert numbers(user.get(JOBS)) == [waits["id"], made["id"]]
        assert done(stranger.post(base + "cleanup-old/", old))["cleanup_summary"][
            "jobs_reviewed"] == 0
        body = done(user.post(base + "cleanup-old/", old))
        assert body["deleted_checkpoints"] == 2
        assert body["cleanup_summary"]["storage_freed_mb"] > 0
        assert numbers(user.get(JOBS)) == [waits["id"]] and numbers(user.get(POINTS)) == []
        assert user.get(f"/tasks/{made['id']}/").status_code == 200
        assert one(worker)["id"] == waits["id"]
        done(worker.post(f"/tasks/{waits['id']}/complete/", {"result_data": {}}))
        done(user.post(base + "cleanup-old/", old))


@row("POST /tasks/persistent-jobs/persistent-jobs/cleanup-old", error=400)
@row("POST /tasks/persistent-jobs/cleanup-old", error=400)
def test_bad_bounds_of_cleaning(user):
    for base in (JOBS, "/tasks/persistent-jobs/"):
        for field, value in (("days_old", -1), ("days_old", "x"), ("dry_run", "x")):
            answer = user.post(base + "cleanup-old/", {field: value})
            assert answer.status_code == 400 and field in answer.json()["field_errors"]


def test_hostile_bodies_change_nothing(user):
    made = job(user)
    for body in (b"[]", b"3", b'"x"', b"{", b"\xff\xfe", b'{"persistent_job": {"id": 1}}',
                 json.dumps({"persistent_job": -1, "step_name": "\u0000", "checkpoint_data": {}})
                 .encode()):
        for path in (POINTS, JOBS, f"{JOBS}{made['id']}/resume/",
                     f"{JOBS}{made['id']}/restart/"):
            answer = user.post(path, data=body, headers={"Content-Type": "application/json"})
            assert answer.status_code == 400, (path, body, answer.text)
    assert read(user, made) == made


@pytest.mark.parametrize("path", [POINTS, STATES])
def test_nobody_is_let_in(nobody, path):
    assert nobody.get(path).status_code == 401
