"""Dialect 002: all periodic tasks of a brand at once; and the clock, which is waited for once."""
import datetime
import glob
import os
import tempfile
import time

from conftest import SEEN_S
from plans import CRONJOBS, PERIODIC, cronjob, moment, periodic
from rows import row
from tasks import ended, one, refused

EVERY_MINUTE = "* * * * *"
NO_ROOM = "--free-bytes-min=17592186044416"
PLAIN = os.environ.get("RELAIS_FLAVOUR", "release") == "release"  # a sanitizer is loaded first
CLOCKS = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1") if PLAIN else []


@row("GET /tasks/scheduled/periodic-tasks/stats")
def test_stats(user, worker, stranger):
    plans = [periodic(user, queue_name="s", cron_expression="0 9 * * *"), periodic(user),
             periodic(user, is_active=False)]
    periodic(stranger)
    cronjob(user)
    for how in ("complete", "fail"):
        user.post(f"{PERIODIC}/{plans[0]['id']}/execute-now/")
        task = one(worker, queues=["s"])
        worker.post(f"/tasks/{task['id']}/{how}/", {"result_data": {}, "error_message": "no"})
        ended(user, task)
    body = user.get(f"{PERIODIC}/stats/").json()
    assert body == {"total_tasks": 3, "active_tasks": 2, "paused_tasks": 1, "ready_tasks": 0,
                    "total_executions": 0, "manual_executions": 2, "successful_executions": 1,
                    "failed_executions": 1, "success_rate": 50, "avg_drift_ms": None,
                    "next_run_at": plans[0]["next_run_at"]}


@row("GET /tasks/scheduled/periodic-tasks/performance-analysis")
def test_performance(user, worker):
    plan, idle = periodic(user, queue_name="p", task_type="slow"), periodic(user)
    for _ in range(2):
        user.post(f"{PERIODIC}/{plan['id']}/execute-now/")
        task = one(worker, queues=["p"])
        worker.post(f"/tasks/{task['id']}/heartbeat/", {})
        time.sleep(0.1)  # its duration is what is measured
        worker.post(f"/tasks/{task['id']}/complete/", {"result_data": {}})
        ended(user, task)
    body = user.get(f"{PERIODIC}/performance-analysis/").json()
    assert body["total_tasks"] == 2 and body["analyzed_runs"] == 2
    by_id = {task["periodic_task_id"]: task for task in body["tasks"]}
    slow, other = by_id[plan["id"]], by_id[idle["id"]]
    assert slow["sampled_runs"] == 2 and slow["success_rate"] == 100
    assert 50 <= slow["min_duration_ms"] <= slow["avg_duration_ms"] <= slow["max_duration_ms"]
    assert slow["task_type"] == "slow" and slow["avg_drift_ms"] is None
    assert other["sampled_runs"] == 0 and other["avg_duration_ms"] is None
    assert other["last_run_status"] is None


@row("POST /tasks/scheduled/periodic-tasks/optimize-schedules")
def test_what_comes_together_is_spread(user):
    same = [periodic(user, cron_expression="0 9 * * 1-5") for _ in range(3)]
    late = [periodic(user, cron_expression="58 4 * * *") for _ in range(2)]
    periodic(user, cron_expression="0 9 * * 1-5", timezone="Europe/Paris")
    periodic(user, cron_expression="*/5 * * * *")
    periodic(user, cron_expression="*/5 * * * *")
    path = f"{PERIODIC}/optimize-schedules/"
    body = user.post(path).json()
    assert body["dry_run"] is True and body["applied"] == 0 and body["analyzed_tasks"] == 8
    assert sorted((s["periodic_task_id"], s["suggested_cron"]) for s in body["suggestions"]) == \
        [(same[1]["id"], "5 9 * * 1-5"), (same[2]["id"], "10 9 * * 1-5"),
         (late[1]["id"], "3 4 * * *")]
    assert user.get(f"{PERIODIC}/{same[1]['id']}/").json()["cron_expression"] == "0 9 * * 1-5"
    done = user.post(path, {"dry_run": False}).json()
    assert done["dry_run"] is False and done["applied"] == 3
    assert user.get(f"{PERIODIC}/{same[1]['id']}/").json()["cron_expression"] == "5 9 * * 1-5"
    assert user.post(path).json()["suggestions"] == []


@row("POST /tasks/scheduled/periodic-tasks/optimize-schedules", error=400)
def test_dry_run_is_a_truth(user):
    assert "dry_run" in user.post(f"{PERIODIC}/optimize-schedules/",
                                  {"dry_run": "no"}).json()["field_errors"]


@row("GET /tasks/scheduled/periodic-tasks/stats", error=401)
@row("GET /tasks/scheduled/periodic-tasks/performance-analysis", error=401)
@row("GET /tasks/scheduled/periodic-tasks/ready-for-execution", error=401)
@row("POST /tasks/scheduled/periodic-tasks/execute-ready", error=401)
def test_without_a_token(nobody):
    for name in ("stats", "performance-analysis", "ready-for-execution"):
        refused(nobody.get(f"{PERIODIC}/{name}/"), 401, "NOT_AUTHENTICATED")
    refused(nobody.post(f"{PERIODIC}/execute-ready/"), 401, "NOT_AUTHENTICATED")


class Clock:
    """What servers take for the time, in seconds of its minute: libfaketime reads by how much it is
    ahead. Without that library it is the real one, and is waited for."""

    def __init__(self, folder):
        self.file, self.ahead_s = folder / "ahead", 0
        self.env = {"LD_PRELOAD": CLOCKS[0], "FAKETIME_TIMESTAMP_FILE": str(self.file),
                    "FAKETIME_CACHE_DURATION": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                    "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # its cure ends waits at once here
                    "NO_FAKE_STAT": "1"} if CLOCKS else None
        self.forward(5)

    def forward(self, second):
        more_s = (second - time.time() - self.ahead_s) % 60
        if self.env is None:
            time.sleep(more_s)
            return
        self.ahead_s += more_s
        new = self.file.with_suffix(".new")
        new.write_text(f"+{self.ahead_s:.3f}s\n", encoding="ascii")
        new.rename(self.file)


@row("GET /tasks/scheduled/periodic-tasks/ready-for-execution")
@row("POST /tasks/scheduled/periodic-tasks/execute-ready")
def test_the_clock_runs_them_and_what_it_cannot_run_is_ready(relais_with, tmp_path):
    """One minute for all of it: a server that runs, and one that has no room to. What is made for
    the next minute is made early in this one."""
    clock = Clock(tmp_path)
    stopped_data = tempfile.mkdtemp(dir=tmp_path)
    relais, full = relais_with(env=clock.env), relais_with(data=stopped_data, env=clock.env)
    user, worker = relais.caller("user", "martin", 7), relais.caller("worker", "worker", 7)
    waits = periodic(full.caller("user", "martin", 7), cron_expression=EVERY_MINUTE)
    full.stop()
    full = relais_with(NO_ROOM, data=stopped_data, env=clock.env)
    owner = full.caller("user", "martin", 7)
    plan = periodic(user, cron_expression=EVERY_MINUTE, queue_name="clock", max_executions=1,
                    schedule_config={"k": 1})
    job = cronjob(user, frequency="minutely", queue_name="clock")
    rests = periodic(user, cron_expression=EVERY_MINUTE, queue_name="clock", is_active=False)
    assert user.get(f"{PERIODIC}/ready-for-execution/").json() == {"count": 0, "tasks": []}
    assert user.post(f"{PERIODIC}/execute-ready/").json() == {"executed": [], "failed": [],
                                                              "total": 0}
    assert owner.get(f"{PERIODIC}/ready-for-execution/").json()["count"] == 0
    clock.forward(58)  # they pass the full minute by themselves
    runs = {}
    for _ in range(2):
        task = one(worker, queues=["clock"])
        runs["plan" if task["periodic_task"] else "job"] = task
        worker.post(f"/tasks/{task['id']}/complete/", {"result_data": {}})
        ended(user, task)
    context = runs["plan"]["context_data"]
    assert runs["plan"]["periodic_task"] == {"id": plan["id"]}
    assert context == {"periodic_execution": True, "periodic_task_id": plan["id"],
                       "scheduled_at": plan["next_run_at"], "k": 1}
    assert runs["job"]["context_data"] == {"cron_job_id": job["id"],
                                           "scheduled_at": job["next_execution_at"]}
    after = user.get(f"{PERIODIC}/{plan['id']}/").json()
    assert after["executions_count"] == 1 and after["last_run_status"] == "completed"
    assert after["next_run_at"] is None, "once was all it had"
    after = user.get(f"{CRONJOBS}/{job['id']}/").json()
    assert after["total_executions"] == after["successful_executions"] == 1
    assert moment(after["next_execution_at"]) - moment(job["next_execution_at"]) == \
        datetime.timedelta(minutes=1)
    assert user.get(f"{PERIODIC}/{rests['id']}/").json()["executions_count"] == 0
    the_full_one(owner, waits)
    full.stop()
    with_room(relais_with(data=stopped_data, env=clock.env), waits)


def the_full_one(owner, waits):
    ready, deadline = {"count": 0}, time.monotonic() + SEEN_S
    while ready["count"] == 0 and time.monotonic() < deadline:
        time.sleep(0.05)
        ready = owner.get(f"{PERIODIC}/ready-for-execution/").json()
    assert ready["count"] == 1 and ready["tasks"][0]["id"] == waits["id"]
    assert ready["tasks"][0]["next_run_at"] == waits["next_run_at"]
    body = owner.post(f"{PERIODIC}/execute-ready/").json()
    assert body["executed"] == [] and body["total"] == 1
    assert body["failed"][0]["periodic_task_id"] == waits["id"] and body["failed"][0]["error"]
    assert owner.post(f"{PERIODIC}/{waits['id']}/execute-now/").status_code == 507


def with_room(again, waits):
    owner = again.caller("user", "martin", 7)
    body = owner.post(f"{PERIODIC}/execute-ready/").json()
    after = owner.get(f"{PERIODIC}/{waits['id']}/").json()
    assert after["executions_count"] == 1 and len(body["executed"]) <= 1
    assert owner.get("/tasks/").json()["count"] == 1, "the one nominal time ran once"
