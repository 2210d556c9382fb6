"""Jobs that go on: resumed from a checkpoint, paused, started again, several at once; and a real
worker that is killed in the middle."""
import contextlib
import functools
import os
import signal
import time

from conftest import TIME
from jobs import DATA, JOBS, failed, job, numbers, point, read
from peer import Peer
from rows import row
from tasks import claimed, one, refused

CHECKPOINT_PUT = 32  # of proto/verb.def
BASES = (JOBS, "/tasks/persistent-jobs/")


def done(answer, status=200):
    assert answer.status_code == status, answer.text
    return answer.json()


@row("POST /tasks/persistent-jobs/persistent-jobs/{id}/resume")
@row("POST /tasks/persistent-jobs/{id}/resume")
def test_a_job_goes_on_from_its_newest_checkpoint(user, worker):
    for base in BASES:
        made = failed(user, worker, "one", "two")
        body = done(user.post(f"{base}{made['id']}/resume/", {"priority_boost": True}))
        assert body["success"] is True and body["job_id"] == made["id"]
        assert body["resumed_from"] == "two" and body["progress_percentage"] == 50
        assert TIME.fullmatch(body["resumed_at"])
        assert body["recovery_data"] == {"checkpoint_data": {"at": "two"}, "job_data": DATA,
                                         "resume_from_step": "two", "completed_steps": 2}
        mine = one(worker)
        assert mine["id"] == made["id"] and mine["priority"] == "high"
        assert mine["retry_count"] == 1 and mine["job_data"] == DATA
        assert mine["recovery_data"] == {
            "checkpoint": 2, "resume_from_step": "two", "checkpoint_data": {"at": "two"},
            "completed_steps": 2, "job_data": DATA}
        done(worker.post(f"/tasks/{made['id']}/complete/", {"result_data": {}}))


def test_a_checkpoint_is_chosen_by_name_or_number(user, worker):
    made = failed(user, worker, "one", "two", "three")
    listed = user.get(f"{JOBS}{made['id']}/checkpoints/").json()
    first = next(c for c in listed if c["step_name"] == "one")
    for chosen in ("two", first["id"], str(first["id"])):
        body = done(user.post(f"{JOBS}{made['id']}/resume/",
                              {"from_checkpoint": chosen, "reset_current_step": True}))
        step = "two" if chosen == "two" else "one"
        assert body["resumed_from"] == step and body["current_step"] == step
        mine = one(worker)
        assert mine["recovery_data"]["resume_from_step"] == step
        done(worker.post(f"/tasks/{made['id']}/fail/", {"error_message": "again"}))
    now = read(user, made)
    assert now["resume_from_step"] == "one" and now["current_step"] == "one"


@row("POST /tasks/persistent-jobs/persistent-jobs/{id}/resume", error=400)
@row("POST /tasks/persistent-jobs/{id}/resume", error=400)
def test_what_cannot_go_on_says_why(user, worker):
    for base in BASES:
        bare = job(user)
        body = refused(user.post(f"{base}{bare['id']}/resume/", {}), 400, "JOB_NOT_RESUMABLE")
        assert body["success"] is False and body["error"] and body["current_status"] == "pending"
        assert body["allowed_statuses"] == ["failed", "cancelled", "paused"]
        done(user.post(f"/tasks/{bare['id']}/cancel/", {}))
        refused(user.post(f"{base}{bare['id']}/resume/", {}), 400, "JOB_NOT_RESUMABLE")
        fixed = failed(user, worker, "one", can_resume=False)
        refused(user.post(f"{base}{fixed['id']}/resume/", {}), 400, "JOB_NOT_RESUMABLE")
        made = failed(user, worker, "one")
        for chosen in ("absent", 4, 2 ** 53 - 1):
            refused(user.post(f"{base}{made['id']}/resume/", {"from_checkpoint": chosen}), 400,
                    "JOB_NOT_RESUMABLE")
        for field, value in (("from_checkpoint", []), ("priority_boost", "much"),
                             ("reset_current_step", 7)):
            answer = user.post(f"{base}{made['id']}/resume/", {field: value})
            assert answer.status_code == 400 and field in answer.json()["field_errors"]


def test_a_checkpoint_of_another_job_is_not_taken(user, worker):
    other, made = failed(user, worker, "one"), failed(user, worker, "one")
    listed = user.get(f"{JOBS}{other['id']}/checkpoints/").json()
    refused(user.post(f"{JOBS}{made['id']}/resume/", {"from_checkpoint": listed[0]["id"]}), 400,
            "JOB_NOT_RESUMABLE")


def test_resumptions_are_counted(user, worker):
    made = failed(user, worker, "one")
    for _ in range(3):
        done(user.post(f"{JOBS}{made['id']}/resume/", {}))
        one(worker)
        done(worker.post(f"/tasks/{made['id']}/fail/", {"error_message": "again"}))
    refused(user.post(f"{JOBS}{made['id']}/resume/", {}), 400, "MAX_RETRIES_EXCEEDED")
    done(user.call("PATCH", f"/tasks/persistent-jobs/job-states/{made['id']}/",
                   json={"max_retries": 4}))
    assert done(user.post(f"{JOBS}{made['id']}/resume/", {}))["status"] == "pending"


def test_damage_is_seen(relais_with):
    """A packed checkpoint whose bytes cannot be unpacked, written by a native client."""
    server = relais_with()
    user, worker = server.caller("user", "u", 1), server.caller("worker", "w", 1)
    made = failed(user, worker, "one")
    peer = Peer(server.native)
    peer.hello("client")
    assert peer.code(CHECKPOINT_PUT, [made["id"], 1, "one", b"not packed at all", 2]) == 0
    peer.close()
    refused(user.post(f"{JOBS}{made['id']}/resume/", {}), 400, "CHECKPOINT_CORRUPTED")
    body = done(user.post("/tasks/persistent-jobs/auto-resume/", {}))
    assert body["results"] == [{"job_id": made["id"], "status": "skipped",
                                "reason": "CHECKPOINT_CORRUPTED"}]


@row("POST /tasks/persistent-jobs/persistent-jobs/{id}/pause")
@row("POST /tasks/persistent-jobs/{id}/pause")
def test_what_waits_is_paused_at_once(user, worker):
    for base in BASES:
        made = job(user)
        body = done(user.post(f"{base}{made['id']}/pause/", {}))
        assert body["job_id"] == made["id"] and body["status"] == "paused"
        assert body["checkpoint_created"] is False and body["can_resume"] is True
        assert TIME.fullmatch(body["paused_at"]) and body["current_progress"] == 0
        assert user.get(f"/tasks/{made['id']}/").json()["status"] == "paused"
        assert claimed(worker, wait=0)["count"] == 0
        assert made["id"] in numbers(user.get(JOBS + "?status=paused"))


def test_a_worker_hears_of_the_pause_and_ends_with_a_checkpoint(user, worker, rival):
    made = job(user)
    one(worker)
    beat = f"/tasks/{made['id']}/heartbeat/"
    assert done(worker.post(beat, {}))["pause_requested"] is False
    body = done(user.post(f"{JOBS}{made['id']}/pause/", {}))
    assert body["status"] == "running"
    assert done(worker.post(beat, {}))["pause_requested"] is True
    assert done(worker.post(f"/tasks/{made['id']}/progress/",
                            {"progress_percentage": 40}))["pause_requested"] is True
    point(worker, made, "half", completed_steps=2)
    assert user.get(f"/tasks/{made['id']}/").json()["status"] == "paused"
    assert worker.post(beat, {}).status_code == 409
    assert read(user, made)["progress_percentage"] == 50
    done(user.post(f"{JOBS}{made['id']}/resume/", {}))
    mine = one(rival)
    assert mine["id"] == made["id"] and mine["retry_count"] == 0
    assert mine["recovery_data"]["checkpoint_data"] == {"at": "half"}


@row("POST /tasks/persistent-jobs/persistent-jobs/{id}/pause", error=400)
@row("POST /tasks/persistent-jobs/{id}/pause", error=400)
def test_what_has_ended_is_not_paused(user, worker):
    for base in BASES:
        made = failed(user, worker, "one")
        refused(user.post(f"{base}{made['id']}/pause/", {}), 400, "INVALID_JOB_STATE")
        waits = job(user)
        done(user.post(f"{base}{waits['id']}/pause/", {}))
        refused(user.post(f"{base}{waits['id']}/pause/", {}), 400, "INVALID_JOB_STATE")


@row("POST /tasks/persistent-jobs/persistent-jobs/{id}/restart")
@row("POST /tasks/persistent-jobs/{id}/restart")
def test_a_job_starts_again(user, worker):
    for base in BASES:
        made = failed(user, worker, "one", "two")
        body = done(user.post(f"{base}{made['id']}/restart/", {}))
        assert body["job_id"] == made["id"] and body["checkpoints_preserved"] is True
        mine = one(worker)
        assert mine["recovery_data"] is None and mine["job_data"] == DATA
        now = read(user, made)
        assert now["checkpoints_count"] == 2 and now["completed_steps"] == 0
        assert not any(c["is_recovery_point"] for c in
                       user.get(f"{JOBS}{made['id']}/checkpoints/").json())
        done(worker.post(f"/tasks/{made['id']}/fail/", {"error_message": "again"}))
        body = done(user.post(f"{base}{made['id']}/restart/", {"from_step": "one",
                                                              "reset_progress": False}))
        assert body["resumed_from"] == "one"
        assert one(worker)["recovery_data"]["resume_from_step"] == "one"
        done(worker.post(f"/tasks/{made['id']}/fail/", {"error_message": "again"}))
        done(user.post(f"{base}{made['id']}/restart/", {"preserve_checkpoints": False}))
        assert read(user, made)["checkpoints_count"] == 0
        assert one(worker)["recovery_data"] is None
        done(worker.post(f"/tasks/{made['id']}/complete/", {"result_data": {}}))


@row("POST /tasks/persistent-jobs/persistent-jobs/{id}/restart", error=400)
@row("POST /tasks/persistent-jobs/{id}/restart", error=400)
def test_what_runs_does_not_start_again(user, worker):
    for base in BASES:
        waits = job(user)
        refused(user.post(f"{base}{waits['id']}/restart/", {}), 400, "INVALID_JOB_STATE")
        one(worker)
        refused(user.post(f"{base}{waits['id']}/restart/", {}), 400, "INVALID_JOB_STATE")
        made = failed(user, worker, "one")
        refused(user.post(f"{base}{made['id']}/restart/", {"from_step": "absent"}), 400,
                "INVALID_JOB_STATE")
        answer = user.post(f"{base}{made['id']}/restart/", {"preserve_checkpoints": "perhaps"})
        assert "preserve_checkpoints" in answer.json()["field_errors"]


@row("GET /tasks/persistent-jobs/persistent-jobs/resumable")
@row("GET /tasks/persistent-jobs/resumable")
def test_the_resumable_are_listed(user, worker, stranger):
    low = failed(user, worker, "one", priority="low")
    high = failed(user, worker, "one", "two", "three", priority="high")
    failed(user, worker)                                    # no checkpoint
    failed(user, worker, "one", can_resume=False)
    job(user)
    for base in BASES:
        body = done(user.get(base + "resumable/"))
        assert body["count"] == body["resumable_jobs"] == 2
        assert [one["id"] for one in body["jobs"]] == [high["id"], low["id"]]
        first = body["jobs"][0]
        assert first["last_checkpoint"]["step_name"] == "three"
        assert first["last_checkpoint"]["checkpoint_data"] == {"at": "three"}
        assert first["interruption_reason"] == "no disk" and first["priority"] == "high"
        assert first["progress_percentage"] == 75 and isinstance(body["recommendations"], list)
        for query, count in (("priority=low", 1), ("progress_gte=50", 1), ("progress_gte=99", 0),
                             ("has_recent_checkpoint=true", 2), ("has_recent_checkpoint=false", 0),
                             ("interrupted_before=2020-01-01", 0)):
            assert done(user.get(f"{base}resumable/?{query}"))["count"] == count, query
        assert done(stranger.get(base + "resumable/"))["count"] == 0
    assert {low["id"], high["id"]} <= set(numbers(user.get("/tasks/?is_resumable=true")))


@row("GET /tasks/persistent-jobs/persistent-jobs/resumable", error=400)
@row("GET /tasks/persistent-jobs/resumable", error=400)
def test_a_bad_filter_of_the_resumable(user):
    for base in BASES:
        for query in ("priority=odd", "progress_gte=x", "interrupted_before=soon"):
            answer = user.get(f"{base}resumable/?{query}")
            assert answer.status_code == 400
            assert query.split("=")[0] in answer.json()["field_errors"]


@row("POST /tasks/persistent-jobs/persistent-jobs/auto-resume")
@row("POST /tasks/persistent-jobs/auto-resume")
def test_several_are_resumed_at_once(user, worker, stranger):
    for base in BASES:
        low = failed(user, worker, "one", priority="low")
        made = [failed(user, worker, "one", "two", priority="high") for _ in range(3)]
        assert done(stranger.post(base + "auto-resume/", {}))["resumed_jobs"] == 0
        body = done(user.post(base + "auto-resume/", {
            "max_jobs": 2, "priority_threshold": "high", "min_progress_percentage": 50}))
        assert body["resumed_jobs"] == 2 and body["skipped_jobs"] == 0
        assert {r["job_id"] for r in body["results"]} < {m["id"] for m in made}
        body = done(user.post(base + "auto-resume/", {}))
        assert body["resumed_jobs"] == 2
        assert low["id"] in {r["job_id"] for r in body["results"]}
        for _ in range(4):
            mine = one(worker)
            assert mine["recovery_data"]
            done(worker.post(f"/tasks/{mine['id']}/complete/", {"result_data": {}}))


@row("POST /tasks/persistent-jobs/persistent-jobs/auto-resume", error=400)
@row("POST /tasks/persistent-jobs/auto-resume", error=400)
def test_bad_bounds_of_auto_resume(user):
    for base in BASES:
        for field, value in (("max_jobs", 0), ("max_jobs", 10 ** 6), ("priority_threshold", "x"),
                             ("min_progress_percentage", 101), ("max_interruption_hours", "y")):
            answer = user.post(base + "auto-resume/", {field: value})
            assert answer.status_code == 400 and field in answer.json()["field_errors"]


# counts to six; the first attempt stands still at three
STEPS = r"""
import json, os, pathlib, sys, time
held = pathlib.Path(os.environ["RELAIS_CHECKPOINT_DIR"], "count")
begun = json.loads(held.read_text())["n"] if held.exists() else 0
for n in range(begun + 1, 7):
    with open(sys.argv[1], "a") as log:
        log.write(f"{n} {os.getpid()}\n")
    with open(3, "w", closefd=False) as notes:
        notes.write(json.dumps({"checkpoint": "count", "data": {"n": n}}) + "\n")
    if n == 3 and begun == 0:
        time.sleep(60)
print(json.dumps({"steps": n, "begun": begun}))
"""


def until(what, within_s=60):
    end = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


def test_the_job_of_a_killed_worker_goes_on_elsewhere(hasty, work_at, brand, tmp_path):
    user, work = hasty.caller("user", "martin", brand), functools.partial(work_at, hasty)
    log = tmp_path / "steps"
    made = job(user, queue_name="steps", total_steps=6)
    first = work("steps", "/usr/bin/python3", "-c", STEPS, str(log), brand=brand)
    until(lambda: read(user, made)["checkpoints_count"] == 3)
    pids = {int(line.split()[1]) for line in log.read_text().splitlines()}
    first.send_signal(signal.SIGKILL)
    first.wait()
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # they end with their worker
            os.kill(pid, signal.SIGKILL)
    work("steps", "/usr/bin/python3", "-c", STEPS, str(log), brand=brand)
    until(lambda: user.get(f"/tasks/{made['id']}/").json()["status"] == "completed")
    assert user.get(f"/tasks/{made['id']}/").json()["result_data"] == {"steps": 6, "begun": 3}
    assert [line.split()[0] for line in log.read_text().splitlines()] == list("123456")
    listed = user.get(f"{JOBS}{made['id']}/checkpoints/").json()
    assert [c["checkpoint_data"]["n"] for c in listed] == [6, 5, 4, 3, 2, 1]


def test_a_native_worker_is_stopped_for_a_pause(user, work, brand, tmp_path):
    log = tmp_path / "steps"
    made = job(user, queue_name="steps", total_steps=6)
    work("steps", "/usr/bin/python3", "-c", STEPS, str(log), brand=brand)
    until(lambda: read(user, made)["checkpoints_count"] == 3)
    assert done(user.post(f"{JOBS}{made['id']}/pause/", {}))["status"] == "paused"
    pid = int(log.read_text().split()[1])
    until(lambda: not os.path.exists(f"/proc/{pid}"))
    body = done(user.post(f"{JOBS}{made['id']}/resume/", {}))
    assert body["recovery_data"]["checkpoint_data"] == {"n": 3}
    until(lambda: user.get(f"/tasks/{made['id']}/").json()["status"] == "completed")
    assert user.get(f"/tasks/{made['id']}/").json()["result_data"]["begun"] == 3
