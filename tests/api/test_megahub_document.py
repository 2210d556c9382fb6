"""The documents of dialect 002, played: their addresses, headers, queries and bodies as they stand,
and every member of the answers that they promise. Examples stand in examples/002_*.json; numbers
that follow from what the test did are compared by value, what the server issues by form."""
import datetime
import itertools
import pathlib

import pytest

from conftest import Relais, alike, example
from jobs import JOBS, POINTS
from listener import Listener
from rows import row
from tasks import refused

METRICS = "/tasks/monitoring/metrics/"
ALERTS = "/tasks/monitoring/alerts/"
WORKERS = "/tasks/monitoring/workers/"
PERIODIC = "/tasks/scheduled/periodic-tasks/"
BRANDS = itertools.count(900)


@pytest.fixture(name="server", scope="module")
def _server():
    server = Relais("--hook-allow=127.0.0.0/8")
    yield server
    assert server.stop() == 0


class House:
    """A brand with its people and one worker."""

    def __init__(self, server):
        self.brand = next(BRANDS)
        self.user = server.caller("user", "martin", self.brand)
        self.boss = server.caller("user", f"boss-{self.brand}", self.brand, "--brand-admin")
        self.worker = server.caller("worker", "seo-worker-1", self.brand)

    def create(self, **fields):
        return said(self.user.post("/tasks/", {**example("002_create_request.json"), **fields}),
                    201)

    def claim(self, **fields):
        task, = said(self.worker.post("/tasks/claim/", {"wait": 30, **fields}))["tasks"]
        return task

    def run(self, metrics, **fields):
        """A task that has completed with these metrics."""
        task = self.create(**fields)
        assert self.claim()["id"] == task["id"]
        said(self.worker.post(f"/tasks/{task['id']}/complete/",
                              {"result_data": {}, "metrics": metrics}))
        return task

    def measured(self):
        """The documents' task, with all that can be measured of one."""
        metrics = example("002_metric_request.json")
        return self.run({k: v for k, v in metrics.items() if k not in ("base_task", "worker_name")})


@pytest.fixture(name="house")
def _house(server):
    return House(server)


def said(answer, status=200):
    assert answer.status_code == status, (answer.status_code, answer.text)
    return answer.json()


def found(answer):
    return {each["id"] for each in said(answer)["results"]}


# ---- authentication and addresses ----

@pytest.mark.parametrize("path", [
    "/tasks/", "/tasks/queue-stats/", "/tasks/monitoring/", "/tasks/monitoring/metrics/",
    "/tasks/monitoring/metrics/dashboard/", "/tasks/monitoring/workers/overview/",
    "/tasks/persistent-jobs/", "/tasks/persistent-jobs/persistent-jobs/resumable/",
    "/tasks/persistent-jobs/checkpoints/", "/tasks/scheduled/",
    "/tasks/scheduled/periodic-tasks/ready-for-execution/", "/tasks/scheduled/cron-jobs/"])
def test_the_addresses_answer_to_both_headers(house, server, path):
    assert isinstance(said(house.user.get(path, headers={"X-Brand-ID": str(house.brand)})), dict)
    refused(house.user.get(path, headers={"X-Brand-ID": str(house.brand + 7000)}), 403,
            "BRAND_FORBIDDEN")
    bare = house.user.session.headers.copy()
    bare.pop("Authorization")
    answer = type(house.user)(server.http).get(path, headers=bare)
    refused(answer, 401, "NOT_AUTHENTICATED")


def test_active_alerts_are_for_who_administers_the_brand(house):
    assert said(house.boss.get(ALERTS, headers={"X-Brand-ID": str(house.brand)}))["count"] == 0
    refused(house.user.get(ALERTS), 403, "PERMISSION_DENIED")


# ---- tasks ----

def test_the_seo_task_from_its_creation_to_the_complete_answer(house):
    request, sample = example("002_create_request.json"), example("002_task_complete.json")
    task = house.create()
    alike(request, task)
    assert house.claim()["context_data"] == request["context_data"]
    said(house.worker.post(f"/tasks/{task['id']}/complete/",
                           {"result_data": sample["result_data"], "metrics": sample["metrics"]}))
    issued = ("id", "task_id", "brand.id", "brand.name", "created_by.id", "created_at",
              "completed_at")
    alike(sample, said(house.user.get(f"/tasks/{task['id']}/")), issued)
    listed, = said(house.user.get("/tasks/"))["results"]
    alike(sample, listed, issued)


def test_an_error_has_the_documented_members(house):
    sample = example("002_error.json")
    assert set(sample) == {"detail", "error_code", "field_errors"}
    refused(house.user.get("/tasks/999999/"), 404, sample["error_code"], sample["detail"])
    refused(house.user.post("/tasks/", {"task_type": "x", "priority": None}), 400,
            "VALIDATION_ERROR", **sample["field_errors"])


def test_a_retry_says_what_comes(house):
    task = house.create()
    house.claim()
    said(house.worker.post(f"/tasks/{task['id']}/fail/", {"error_message": "no"}))
    alike(example("002_retry.json"), said(house.user.post(f"/tasks/{task['id']}/retry/", {})),
          ("task_id", "estimated_start"))


@row("GET /tasks/queue-stats")
def test_the_queues_are_counted(house):
    house.measured()
    for path in ("/tasks/queue-stats/", "/tasks/queue_stats/"):
        alike(example("002_queue_stats.json"), said(house.user.get(path)))


@pytest.mark.parametrize("body, path", [
    ('{\n  "cron_expression": "0 9 * * 1-5",  # Tous les jours ouvrés 9h\n'
     '  "task_type": "daily_seo_report"\n}', PERIODIC),
    ('{\n  "task_type": "seo_keyword_analysis", # un commentaire\n  "priority": "normal"\n}',
     "/tasks/")])
def test_the_comments_of_the_documents_are_no_json(house, body, path):
    answer = house.user.post(path, data=body.encode(),
                             headers={"Content-Type": "application/json"})
    assert refused(answer, 400, "VALIDATION_ERROR")["detail"].startswith("JSON parse error - ")


# ---- filters across the apps ----

def test_the_filters_across_the_apps(house):
    slow = house.run({"execution_time_ms": 2000, "memory_usage_mb": 1024})["id"]
    quick = house.run({"execution_time_ms": 1999, "memory_usage_mb": 1023}, task_type="export",
                      description="")["id"]
    waits = house.create(task_type="other", description="keyword_analysis of another kind")["id"]
    job = house.create(task_type="crawl", description="", queue_name="crawl")
    said(house.user.post(JOBS, {"base_task": job["id"], "job_data": {}}), 201)
    house.claim(queues=["crawl"])
    said(house.worker.post(POINTS, {"persistent_job": job["id"], "step_name": "s",
                                    "checkpoint_data": {}}), 201)
    said(house.worker.post(f"/tasks/{job['id']}/fail/", {"error_message": "no"}))
    plans = [said(house.user.post(PERIODIC, example("002_periodic_request.json")), 201)["id"]
             for _ in range(2)]
    runs = []
    for plan in plans:
        runs.append(said(house.user.post(f"{PERIODIC}{plan}/execute-now/", {}))["id"])
    said(house.user.post(f"{PERIODIC}{plans[1]}/pause/", {}))
    get = house.user.get
    assert found(get("/tasks/?has_metrics=true&execution_time__gte=2000")) == {slow}
    assert found(get("/tasks/?has_metrics=true&execution_time__lt=2000")) == {quick, job["id"]}
    assert found(get("/tasks/?has_metrics=false")) == {waits, *runs}
    assert found(get("/tasks/?is_resumable=true")) == {job["id"]}
    assert found(get("/tasks/?is_periodic=true")) == set(runs)
    assert found(get("/tasks/?is_periodic=true&status=active")) == {runs[0]}
    assert found(get("/tasks/?search=keyword_analysis")) == {slow, waits}
    assert found(get(METRICS + "?search=high_memory")) == {slow}


NEVER = ("created_after=2999-01-01", "created_before=2000-01-01", "created_at__gt=2999-01-01",
         "created_at__range=2000-01-01,2000-01-02", "id__in=1,2", "search=zzzz")
CHANGED = ("updated_after=2999-01-01", "updated_before=2000-01-01", "updated_at__lt=2000-01-01")
OTHERS = ("created_by=nobody",)


@pytest.mark.parametrize("path, body, more", [
    ("/tasks/", {"task_type": "t{}"}, CHANGED + OTHERS),
    ("/tasks/persistent-jobs/", {"task_type": "t{}", "job_data": {}}, CHANGED + OTHERS),
    ("/tasks/persistent-jobs/job-states/", None, CHANGED + OTHERS),
    (POINTS, None, ()),
    (METRICS, None, CHANGED + OTHERS),
    (ALERTS, {**example("002_alert_request.json"), "name": "n{}", "task_types": ["none"]},
     CHANGED + OTHERS),
    (PERIODIC, {**example("002_periodic_request.json"), "description": "{}"}, CHANGED + OTHERS),
    ("/tasks/scheduled/cron-jobs/", {"name": "n{}", "task_type": "t", "frequency": "monthly"},
     CHANGED + OTHERS),
    ("/tasks/scheduled/calendars/", {"name": "n{}"}, CHANGED + OTHERS),
    ("/tasks/webhooks/", {"url": "http://127.0.0.1:1/{}", "events": ["task.failed"]}, CHANGED),
    ("/tasks/queues/", {"name": "n{}"}, CHANGED), ("/tasks/types/", {"name": "n{}"}, CHANGED)])
def test_every_list_knows_the_common_keys(house, path, body, more):
    for number in range(3):
        if path in (POINTS, METRICS) or "job-states" in path:
            task = house.create()
            said(house.boss.post(JOBS, {"base_task": task["id"], "job_data": {}}), 201)
            house.claim()
            said(house.worker.post(POINTS, {"persistent_job": task["id"], "step_name": "s",
                                            "checkpoint_data": {}}), 201)
            said(house.worker.post(f"/tasks/{task['id']}/complete/", {"result_data": {}}))
        else:
            made = {k: v.format(number) if isinstance(v, str) and "://humari" not in v else v
                    for k, v in body.items()}
            said(house.boss.post(path, made), 201)
    whole = said(house.boss.get(path))
    ids = [each["id"] for each in whole["results"]]
    assert whole["count"] == len(ids) == 3 and ids == sorted(ids, reverse=True)
    for query in NEVER + more:
        assert said(house.boss.get(f"{path}?{query}"))["count"] == 0, query
    for query in ("ordering=id", "ordering=created_at"):
        rows = said(house.boss.get(f"{path}?{query}"))["results"]
        assert [each["id"] for each in rows] == ids[::-1], query
    kept = f"{path}?created_after=2000-01-01&id__in={','.join(map(str, ids))}&page_size=2"
    first = said(house.boss.get(kept))
    assert [each["id"] for each in first["results"]] == ids[:2] and first["previous"] is None
    assert first["next"].startswith(house.boss.base + path) and "page_size=2" in first["next"]
    last = said(house.boss.get(first["next"][len(house.boss.base):]))
    assert [each["id"] for each in last["results"]] == ids[2:] and last["next"] is None
    refused(house.boss.get(f"{path}?page=9"), 404, "NOT_FOUND", "Invalid page.")
    for key in ("created_after", "id__gte"):
        wrong = said(house.boss.get(f"{path}?{key}=many"), 400)
        assert list(wrong["field_errors"]) == [key] and wrong["error_code"] == "VALIDATION_ERROR"


# ---- monitoring ----

@row("POST /tasks/monitoring/metrics")
@row("GET /tasks/monitoring/metrics")
def test_every_measure_of_a_task(house):
    task = house.run({})
    request = {**example("002_metric_request.json"), "base_task": task["id"]}
    sample = example("002_metric.json")
    issued = ("id", "base_task.id", "base_task.task_id", "created_at")
    told = said(house.user.post(METRICS, request), 201)
    assert said(house.user.post(METRICS, {**request, "tokens_used": 1}))["tokens_used"] == 1
    told = said(house.user.post(METRICS, request))
    alike(sample, told, issued)
    assert told["base_task"]["id"] == task["id"]
    assert said(house.user.get(f"{METRICS}{task['id']}/")) == told
    listed = said(house.user.get(METRICS))
    assert set(listed) == {"count", "next", "previous", "results"}
    assert listed["results"] == [told]
    for name, value in request.items():
        if name in ("base_task", "worker_name"):
            continue
        for lookup in ("", "__exact", "__gte", "__lte", "__in"):
            assert found(house.user.get(f"{METRICS}?{name}{lookup}={value}")) == {task["id"]}, name
        for lookup in ("__gt", "__lt"):
            assert found(house.user.get(f"{METRICS}?{name}{lookup}={value}")) == set(), name
        span = f"{METRICS}?{name}__range={value},{value + 1}&{name}__isnull=false"
        assert found(house.user.get(span)) == {task["id"]}, name
    other = {"base_task": task["id"], "worker_name": "elsewhere 7"}
    assert said(house.user.post(METRICS, other))["worker_name"] == "elsewhere 7"
    for query, wanted in (("worker_name=elsewhere 7", {task["id"]}), ("search=elsewhere",
                          {task["id"]}), ("worker_name=seo-worker-1", set()),
                          ("search=seo-worker-1", set())):
        assert found(house.user.get(f"{METRICS}?{query}")) == wanted, query


def test_a_task_shows_the_measures_that_its_metrics_have(house):
    task = house.run({"tokens_used": 5})
    shown = said(house.user.get(f"/tasks/{task['id']}/"))["metrics"]
    listed = said(house.user.get(f"{METRICS}{task['id']}/"))
    assert set(shown) == {"execution_time_ms", "queue_wait_time_ms", "tokens_used"}
    assert {name: listed[name] for name in shown} == shown


@row("GET /tasks/monitoring/metrics/dashboard")
def test_the_dashboard_has_every_figure(house):
    task = house.measured()
    body = said(house.user.get(METRICS + "dashboard/?days=7"))
    days = tuple(f"trends.{name}[].date" for name in ("execution_time", "cost", "memory_usage"))
    alike(example("002_dashboard.json"), body,
          days + ("top_expensive_tasks[].id", "top_expensive_tasks[].task_id"))
    assert body["top_expensive_tasks"][0]["id"] == task["id"]
    assert set(body["performance_by_priority"]) == {"low", "normal", "high", "critical"}
    again = house.user.get(f"{METRICS}dashboard/?task_type={task['task_type']}&brand_id="
                           f"{house.brand}")
    assert said(again)["summary"] == body["summary"]
    assert said(house.user.get(METRICS + "dashboard/?task_type=x"))["summary"]["total_tasks"] == 0


@row("GET /tasks/monitoring/metrics/trends")
def test_the_trends_have_a_point_a_day(house):
    house.measured()
    sample = example("002_trends.json")
    days = tuple(f"metrics.{name}.data_points[].date" for name in sample["metrics"])
    days += ("daily_performance[].date", "cost_trend[].date")
    body = said(house.user.get(METRICS + "trends/"))
    alike(sample, body, days)
    today = datetime.datetime.now(datetime.timezone.utc).date()
    seen = datetime.date.fromisoformat(body["cost_trend"][0]["date"])
    assert today - seen <= datetime.timedelta(days=1)
    one = said(house.user.get(METRICS + "trends/?days=30&metric=cost_usd"
                              "&task_type=seo_keyword_analysis"))
    assert one["metrics"] == {"cost_usd": body["metrics"]["cost_usd"]}


@row("GET /tasks/monitoring/metrics/performance-by-type")
def test_each_type_has_its_performance(house):
    house.measured()
    for path in ("performance-by-type", "performance_by_type"):
        body = said(house.user.get(f"{METRICS}{path}/?days=30&min_samples=1"))
        alike(example("002_performance_by_type.json"), body)
    assert said(house.user.get(METRICS + "performance-by-type/"))["task_types"] == {}


@row("GET /tasks/monitoring/metrics/anomalies")
def test_an_anomaly_says_what_was_expected(house):
    for ms in (4400, 4500, 4600, 4450, 4550, 4500, 4520):
        house.run({"execution_time_ms": ms, "queue_wait_time_ms": 1})
    odd = house.run({"execution_time_ms": 90000, "queue_wait_time_ms": 1})
    body = said(house.user.get(METRICS + "anomalies/?sensitivity=medium&days=7"
                               "&metric=execution_time_ms"))
    alike(example("002_anomalies.json"), body,
          tuple(f"anomalies[].{name}" for name in ("task_id", "expected_range", "severity",
                                                   "detected_at", "description"))
          + ("recommendations",))
    low, high = body["anomalies"][0]["expected_range"]
    assert body["anomalies"][0]["task_id"] == odd["task_id"] and 0 <= low < 4500 < high < 90000
    assert body["anomalies"][0]["severity"] in ("low", "medium", "high", "critical")
    assert body["recommendations"] and all(isinstance(r, str) for r in body["recommendations"])


@row("GET /tasks/monitoring/metrics/recommendations")
def test_a_recommendation_says_how(house):
    for _ in range(10):
        house.run({"execution_time_ms": 70000, "queue_wait_time_ms": 1})
    body = said(house.user.get(METRICS + "recommendations/"))
    sample = example("002_recommendations.json")
    alike(sample, body, tuple(f"recommendations[].{name}"
                              for name in sample["recommendations"][0]))
    assert all(body["recommendations"][0].values())


@row("POST /tasks/monitoring/alerts")
@row("POST /tasks/monitoring/alerts/{id}/test")
@row("GET /tasks/monitoring/alerts/active")
@row("GET /tasks/monitoring/alerts/history")
def test_an_alert_from_its_rule_to_its_webhook(house):
    listener = Listener()
    request = {**example("002_alert_request.json"), "webhook_url": listener.url + "/alerts"}
    made = said(house.boss.post(ALERTS, request), 201)
    alike(request, made)
    at = f"{ALERTS}{made['id']}/"
    alike(example("002_alert_test.json"),
          said(house.boss.post(at + "test/", {"test_value": 4500, "send_notification": False})),
          ("rule_id",))
    house.measured()
    call = listener.next()
    listener.close()
    key = said(house.boss.get("/tasks/webhooks/signing-key/"))["secret"]
    assert call.path == "/alerts" and call.signed_by(key)
    alike(example("002_alert_webhook.json"), call.json,
          ("rule.id", "alert_data.task_id", "alert_data.brand", "alert_data.triggered_at"))
    fired = {**example("002_alert.json"), "webhook_url": request["webhook_url"]}
    alike(fired, said(house.boss.get(at)), ("id", "last_triggered_at", "created_at"))
    assert found(house.boss.get(ALERTS + "?active=true")) == {made["id"]}
    alike(example("002_alerts_active.json"), said(house.boss.get(ALERTS + "active/")),
          ("alerts[].id", "alerts[].triggered_at", "alerts[].affected_tasks"))
    event, = said(house.boss.get(f"{ALERTS}history/?days=30&alert_rule={made['id']}"
                                 "&severity=critical"))["results"]
    alike(example("002_alert_event.json"), event, ("id", "alert_rule.id", "triggered_at"))
    refused(house.boss.post(at + "test/", {"test_value": 4500, "send_notification": True}), 400,
            "ALERT_COOLDOWN_ACTIVE")


@row("GET /tasks/monitoring/workers/overview")
@row("GET /tasks/monitoring/workers/{id}")
def test_a_worker_and_the_overview(house):
    house.measured()
    second = house.create()
    house.claim()
    said(house.worker.post(WORKERS, example("002_worker_request.json")), 201)
    listed, = said(house.user.get(WORKERS))["results"]
    sample = example("002_worker.json")
    issued = ("id", "last_heartbeat", "uptime_hours", "current_tasks[].id",
              "current_tasks[].task_id")
    one = said(house.user.get(f"{WORKERS}{listed['id']}/"))
    alike(sample, one, issued)
    alike({k: v for k, v in sample.items() if k in listed}, listed, issued)
    assert set(sample) - set(listed) == {"current_tasks", "recent_performance"}
    assert one["uptime_hours"] == pytest.approx(24.5, abs=0.1)
    assert one["current_tasks"][0]["id"] == second["id"]
    alike(example("002_workers_overview.json"), said(house.user.get(WORKERS + "overview/")))


# ---- jobs and schedules ----

@row("GET /tasks/persistent-jobs/persistent-jobs/resumable")
@row("POST /tasks/persistent-jobs/persistent-jobs/{id}/resume")
def test_a_job_that_was_interrupted_is_resumed(house):
    task = house.create()
    request = {**example("002_job_request.json"), "base_task": task["id"]}
    job = said(house.user.post(JOBS, request), 201)
    alike({k: v for k, v in request.items() if k != "base_task"}, job)
    assert job["base_task"]["id"] == task["id"] and job["progress_percentage"] == 0
    house.claim()
    sample = example("002_checkpoint.json")
    point = said(house.worker.post(POINTS, {
        "persistent_job": job["id"], "step_name": "page_2", "completed_steps": 2,
        "current_step": "page_3", "checkpoint_data": sample["checkpoint_data"]}), 201)
    issued = ("id", "persistent_job.id", "persistent_job.base_task_id", "created_at")
    alike(sample, point, issued)
    assert said(house.user.get(POINTS))["results"] == [point]
    assert said(house.user.get(f"{JOBS}{job['id']}/checkpoints/")) == [point]
    said(house.worker.post(f"/tasks/{task['id']}/fail/", {"error_message": "disk full"}))
    alike(example("002_resumable.json"), said(house.user.get(JOBS + "resumable/")),
          ("jobs[].id", "jobs[].last_checkpoint.created_at"))
    body = said(house.user.post(f"{JOBS}{job['id']}/resume/", {}))
    alike(example("002_resume.json"), body, ("job_id", "resumed_at"))
    recovery = house.claim()["recovery_data"]
    alike(body["recovery_data"], recovery)


@row("POST /tasks/scheduled/periodic-tasks")
@row("POST /tasks/scheduled/periodic-tasks/validate-cron")
def test_a_weekday_report(house):
    request = example("002_periodic_request.json")
    made = said(house.user.post(PERIODIC, request), 201)
    alike(example("002_periodic.json"), made, ("id", "next_run_at"))
    assert len(made["next_runs"]) == 3
    body = said(house.user.post(PERIODIC + "validate-cron/",
                                {"cron_expression": request["cron_expression"]}))
    assert body["is_valid"] is True and len(body["next_executions"]) == 5
    assert body["next_executions"][:3] == made["next_runs"]
    for text in body["next_executions"]:
        moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
        assert moment.weekday() < 5 and (moment.hour, moment.minute) == (9, 0)


def test_every_example_is_played():
    here = pathlib.Path(__file__).parent
    tests = "".join(path.read_text(encoding="utf-8") for path in here.glob("*.py"))
    missing = [path.name for path in sorted((here / "examples").glob("002_*.json"))
               if path.name not in tests]
    assert missing == []
