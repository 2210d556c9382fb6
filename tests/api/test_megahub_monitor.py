"""Dialect 002: /tasks/monitoring/metrics/ and what is made of them; every figure is computed again
from the tasks that the test made."""
import datetime
import statistics

import pytest

from rows import row
from tasks import created, one, refused

BASE = "/tasks/monitoring/metrics/"
UNKNOWN = 9007199254740000
WAITED_MS = 86399000  # as no task of a test truly waits


def ok(answer, status=200):
    assert answer.status_code == status, (answer.status_code, answer.text)
    return answer.json()


def done(user, worker, kind, metrics=None, fails=False, priority="normal"):
    """A task of the type that has ended with these metrics."""
    task = created(user, task_type=kind, priority=priority, queue_name=f"q-{kind}")
    given = one(worker, queues=[f"q-{kind}"])
    assert given["id"] == task["id"]
    if fails:
        body = {"error_message": "no", "metrics": metrics or {}}
        ok(worker.post(f"/tasks/{task['id']}/fail/", body))
    else:
        ok(worker.post(f"/tasks/{task['id']}/complete/",
                       {"result_data": {}, "metrics": metrics or {}}))
    return task["id"]


@pytest.fixture(name="seo")
def _seo(user, worker):
    """Four audits (one fails), two exports."""
    return {
        "audit": [done(user, worker, "audit", {"execution_time_ms": ms, "cost_usd": cost,
                                               "memory_usage_mb": 100, "tokens_used": 10,
                                               "api_calls_count": 2,
                                               "queue_wait_time_ms": WAITED_MS},
                       fails=ms == 4000, priority="high")
                  for ms, cost in [(1000, 0.25), (2000, 0.5), (3000, 0.75), (4000, 2.5)]],
        "export": [done(user, worker, "export", {"execution_time_ms": 70000,
                                                 "memory_usage_mb": memory, "error_count": 3})
                   for memory in (2048, 16)]}


def found(user, query):
    body = ok(user.get(BASE + query))
    assert body["count"] == len(body["results"])
    return [metric["id"] for metric in body["results"]]


@row("GET /tasks/monitoring")
@row("GET /tasks/monitoring", error=401)
def test_the_map_names_what_is_there(relais, user, nobody, brand):
    boss = relais.caller("user", f"boss-{brand}", brand, "--brand-admin")
    names = ok(user.get("/tasks/monitoring/"))
    assert names["metrics"] == user.base + BASE
    assert names["alerts"] == user.base + "/tasks/monitoring/alerts/"
    for url in names.values():
        assert boss.get(url[len(user.base):]).status_code == 200, url
    refused(nobody.get("/tasks/monitoring/"), 401, "NOT_AUTHENTICATED")


@row("GET /tasks/monitoring/metrics")
@row("GET /tasks/monitoring/metrics/{id}")
@row("GET /tasks/monitoring/metrics/{id}", error=404)
def test_a_metric_is_its_task_s(user, stranger, seo):
    first = seo["audit"][0]
    metric = ok(user.get(f"{BASE}{first}/"))
    task = ok(user.get(f"/tasks/{first}/"))
    assert metric["id"] == first
    assert metric["base_task"] == {"id": first, "task_id": task["task_id"], "task_type": "audit",
                                   "status": "completed"}
    assert metric["execution_time_ms"] == 1000 and metric["cost_usd"] == 0.25
    assert metric["queue_wait_time_ms"] == WAITED_MS and metric["retry_count"] == 0
    assert metric["network_bytes_sent"] is None and metric["worker_name"].startswith("worker-")
    score = 100 - 40 * 1000 / 60000 - 20 * 100 / 1024 - 20 * 0.25
    assert metric["performance_score"] == pytest.approx(score, abs=1e-3)
    assert metric["created_at"] == task["completed_at"]
    assert ok(user.get(f"{BASE}{task['task_id']}/"))["id"] == first
    failed = ok(user.get(f"{BASE}{seo['audit'][3]}/"))
    assert failed["base_task"]["status"] == "failed" and failed["performance_score"] <= 50
    refused(stranger.get(f"{BASE}{first}/"), 404, "TASK_NOT_FOUND")
    refused(user.get(f"{BASE}{UNKNOWN}/"), 404, "TASK_NOT_FOUND")
    waiting = created(user)
    refused(user.get(f"{BASE}{waiting['id']}/"), 404, "NOT_FOUND")
    assert set(found(user, "")) == {*seo["audit"], *seo["export"]}
    assert found(stranger, "") == []


@row("GET /tasks/monitoring/metrics", error=400)
def test_metrics_are_found_by_every_measure(user, seo):
    a, e = seo["audit"], seo["export"]
    cases = {
        "?execution_time_ms__gte=3000&ordering=execution_time_ms": [a[2], a[3], e[1], e[0]],
        "?cost_usd__lt=0.6&ordering=cost_usd": [a[0], a[1]],
        "?memory_usage_mb__in=16,2048&ordering=memory_usage_mb": [e[1], e[0]],
        "?tokens_used__isnull=false&ordering=id": a,
        "?error_count__gt=0&ordering=id": e,
        f"?queue_wait_time_ms={WAITED_MS}&ordering=id": a,
        "?task_type=export&ordering=id": e,
        "?status=failed": [a[3]],
        "?status=pending": None,
        "?worker_name__icontains=WORKER&ordering=id": [*a, *e],
        "?retry_count=0&ordering=id": [*a, *e],
        f"?base_task={a[1]}": [a[1]],
        "?search=audit&ordering=id": a,
        "?search=high_memory": [e[0]],
        "?search=slow&ordering=id": e,
        "?search=costly": [a[3]],
        "?search=failing+export&ordering=id": e,
        "?search=slow+audit": [],
        "?created_before=2020-01-01": [],
        "?ordering=-execution_time_ms&page_size=2": [e[1], e[0]],
        "?unknown=3&search=nothing": [],
    }
    for query, wanted in cases.items():
        answer = user.get(BASE + query)
        if wanted is None:
            assert answer.status_code == 400 and set(answer.json()["field_errors"]) == {"status"}
            continue
        got = [metric["id"] for metric in ok(answer)["results"]]
        if "-execution_time_ms" in query:
            assert sorted(got) == sorted(wanted), query
        elif "execution_time_ms__gte" in query:
            assert got[:2] == wanted[:2] and sorted(got) == sorted(wanted), query
        else:
            assert got == wanted, query
    refused(user.get(BASE + "?cost_usd__gte=NaN"), 400, "VALIDATION_ERROR",
            cost_usd__gte=["Un nombre valide est requis."])
    refused(user.get(BASE + "?page=0"), 404, "NOT_FOUND")
    refused(user.get(BASE + "?page=99"), 404, "NOT_FOUND", "Invalid page.")
    page = ok(user.get(BASE + "?page_size=4&page=2"))
    assert page["count"] == 6 and len(page["results"]) == 2 and page["next"] is None


@row("POST /tasks/monitoring/metrics")
@row("PATCH /tasks/monitoring/metrics/{id}")
@row("PUT /tasks/monitoring/metrics/{id}")
@row("DELETE /tasks/monitoring/metrics/{id}")
@row("DELETE /tasks/monitoring/metrics/{id}", error=404)
def test_measures_are_given_later(user, worker):
    task = done(user, worker, "late")
    assert ok(user.get(f"{BASE}{task}/"))["cost_usd"] is None
    body = {"base_task": task, "execution_time_ms": 5000, "cost_usd": 0.5}
    made = ok(user.post(BASE, body), 201)
    assert made["execution_time_ms"] == 5000 and made["cost_usd"] == 0.5
    again = ok(user.post(BASE, {"base_task": task, "tokens_used": 7}))
    assert (again["execution_time_ms"], again["tokens_used"]) == (5000, 7)
    patched = ok(user.call("PATCH", f"{BASE}{task}/", json={"cost_usd": None,
                                                            "worker_name": "gpu-1"}))
    assert patched["cost_usd"] is None and patched["worker_name"] == "gpu-1"
    put = ok(user.put(f"{BASE}{task}/", json={"execution_time_ms": 8000}))
    assert (put["execution_time_ms"], put["tokens_used"]) == (8000, None)
    assert ok(user.get(f"/tasks/{task}/"))["metrics"]["execution_time_ms"] == 8000
    kind = ok(user.get(BASE + "performance-by-type/?min_samples=1"))["task_types"]["late"]
    assert kind["total_executions"] == 1 and kind["avg_execution_time_ms"] == 8000
    gone = user.delete(f"{BASE}{task}/")
    assert gone.status_code == 204 and gone.content == b""
    refused(user.get(f"{BASE}{task}/"), 404, "NOT_FOUND")
    refused(user.delete(f"{BASE}{task}/"), 404, "NOT_FOUND")
    assert found(user, "") == []
    ok(user.post(BASE, {"base_task": task, "execution_time_ms": 1}), 201)


@row("POST /tasks/monitoring/metrics", error=400)
@row("PUT /tasks/monitoring/metrics/{id}", error=400)
@row("PATCH /tasks/monitoring/metrics/{id}", error=404)
def test_what_no_metric_can_be_is_refused(user, stranger, worker):
    task = done(user, worker, "strict")
    number = ["Un nombre valide est requis."]
    refused(user.post(BASE, {"cost_usd": 1}), 400, "VALIDATION_ERROR",
            base_task=["Ce champ est requis"])
    refused(user.post(BASE, {"base_task": "task_x"}), 400, "VALIDATION_ERROR",
            base_task=["Un nombre entier valide est requis."])
    refused(user.post(BASE, {"base_task": task, "cost_usd": "much"}), 400, "VALIDATION_ERROR",
            cost_usd=number)
    assert user.post(BASE, {"base_task": task, "cost_usd": -1}).status_code == 400
    for text in ('{"base_task": %d, "cost_usd": NaN}', '{"base_task": %d, "cost_usd": 1e999}',
                 '{"base_task": %d, "cost_usd": Infinity}', "[%d]"):
        answer = user.call("POST", BASE, data=text % task,
                           headers={"Content-Type": "application/json"})
        assert answer.status_code == 400, (text, answer.text)
    refused(user.put(f"{BASE}{task}/", json={"cost_usd": True}), 400, "VALIDATION_ERROR",
            cost_usd=number)
    refused(user.call("PATCH", f"{BASE}{UNKNOWN}/", json={"cost_usd": 1}), 404, "TASK_NOT_FOUND")
    refused(stranger.post(BASE, {"base_task": task, "cost_usd": 1}), 404, "TASK_NOT_FOUND")
    waiting = created(user)["id"]
    refused(user.post(BASE, {"base_task": waiting, "cost_usd": 1}), 400, "INVALID_OPERATION")
    assert ok(user.get(f"{BASE}{task}/"))["cost_usd"] is None


def rate(failed, ended):
    return pytest.approx(100 * failed / ended, abs=1e-3)


@row("GET /tasks/monitoring/metrics/dashboard")
@row("GET /tasks/monitoring/metrics/dashboard", error=403)
@row("GET /tasks/monitoring/metrics/dashboard", error=400)
def test_the_dashboard_adds_up(user, stranger, seo, brand):
    board = ok(user.get(BASE + "dashboard/"))
    runs = [1000, 2000, 3000, 4000, 70000, 70000]
    memory = [100, 100, 100, 100, 2048, 16]
    summary = board["summary"]
    assert board["period"] == "last_7_days" and board["period_days"] == 7
    assert summary["total_tasks"] == 6
    assert summary["avg_execution_time_ms"] == statistics.mean(runs)
    assert summary["avg_memory_usage_mb"] == pytest.approx(statistics.mean(memory), abs=1e-3)
    assert summary["total_cost_usd"] == 4 and summary["total_tokens_used"] == 40
    assert summary["total_api_calls"] == 8 and summary["error_rate_percent"] == rate(1, 6)
    today = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    assert board["trends"]["cost"] == [{"date": today, "value": 4}]
    assert board["trends"]["execution_time"] == [{"date": today, "value": statistics.mean(runs)}]
    dearest = board["top_expensive_tasks"]
    assert [task["id"] for task in dearest] == seo["audit"][::-1]
    assert [task["cost_usd"] for task in dearest] == [2.5, 0.75, 0.5, 0.25]
    high = board["performance_by_priority"]["high"]
    assert high["count"] == 4 and high["avg_execution_time_ms"] == 2500
    assert board["performance_by_priority"]["critical"]["count"] == 0
    assert board["general"]["failed_tasks"] == 1 and board["general"]["total_errors"] == 6
    assert board["performance"]["max_execution_time_ms"] == 70000
    assert [(kind["task_type"], kind["count"]) for kind in board["task_types"]] == \
        [("audit", 4), ("export", 2)]
    assert [(each["worker_name"], each["count"]) for each in board["workers"]] == \
        [(f"worker-{brand}-a", 6)]
    assert board["success_rate"] == rate(5, 6)
    only = ok(user.get(BASE + "dashboard/?task_type=export&days=1"))
    assert only["summary"]["total_tasks"] == 2 and only["period"] == "last_1_days"
    assert ok(stranger.get(BASE + "dashboard/"))["summary"]["total_tasks"] == 0
    assert ok(user.get(f"{BASE}dashboard/?brand_id={brand}"))["summary"]["total_tasks"] == 6
    refused(stranger.get(f"{BASE}dashboard/?brand_id={brand}"), 403, "BRAND_FORBIDDEN")
    assert user.get(BASE + "dashboard/?days=0").status_code == 400
    assert user.get(BASE + "dashboard/?days=x").status_code == 400


@row("GET /tasks/monitoring/metrics/trends")
@row("GET /tasks/monitoring/metrics/trends", error=400)
@row("GET /tasks/monitoring/metrics/performance-by-type")
@row("GET /tasks/monitoring/metrics/performance-by-type", error=400)
def test_trends_and_types(user, seo):
    trends = ok(user.get(BASE + "trends/?metric=execution_time_ms,cost_usd&task_type=audit"))
    assert trends["period"] == "last_30_days" and set(trends["metrics"]) == \
        {"execution_time_ms", "cost_usd"}
    run = trends["metrics"]["execution_time_ms"]
    assert run["trend"] == "stable" and run["change_percent"] == 0
    assert [(point["value"], point["count"]) for point in run["data_points"]] == [(2500, 4)]
    assert trends["cost_trend"][0]["total_cost_usd"] == 4
    assert trends["daily_performance"][0]["total_tasks"] == 4
    refused(user.get(BASE + "trends/?metric=beauty"), 400, "METRIC_FIELD_INVALID",
            metric=["Ce n'est pas un choix valide."])
    kinds = ok(user.get(BASE + "performance-by-type/?min_samples=2"))["task_types"]
    audit = kinds["audit"]
    assert audit["total_executions"] == 4 and audit["avg_execution_time_ms"] == 2500
    assert (audit["min_execution_time_ms"], audit["max_execution_time_ms"]) == (1000, 4000)
    assert 3000 <= audit["p95_execution_time_ms"] <= 4000
    assert audit["success_rate"] == 75 and audit["avg_cost_usd"] == 1
    assert ok(user.get(BASE + "performance-by-type/?min_samples=3"))["task_types"].keys() == \
        {"audit"}
    assert ok(user.get(BASE + "performance-by-type/"))["task_types"] == {}
    assert user.get(BASE + "performance-by-type/?min_samples=0").status_code == 400


@row("GET /tasks/monitoring/metrics/anomalies")
@row("GET /tasks/monitoring/metrics/anomalies", error=400)
def test_what_is_far_from_its_kind_is_found(user, stranger, worker):
    for ms in (100, 110, 90, 105, 95, 100, 108):
        done(user, worker, "steady", {"execution_time_ms": ms, "queue_wait_time_ms": 1})
    odd = done(user, worker, "steady", {"execution_time_ms": 5000, "queue_wait_time_ms": 1})
    body = ok(user.get(BASE + "anomalies/"))
    assert body["anomalies_detected"] == 1 == len(body["anomalies"])
    one_of = body["anomalies"][0]
    assert (one_of["id"], one_of["metric"], one_of["value"]) == (odd, "execution_time_ms", 5000)
    low, high = one_of["expected_range"]
    assert 0 < low < 90 and 110 < high < 200 and one_of["severity"] == "critical"
    assert body["recommendations"]
    assert ok(user.get(BASE + "anomalies/?metric=cost_usd"))["anomalies_detected"] == 0
    assert ok(stranger.get(BASE + "anomalies/"))["anomalies_detected"] == 0
    refused(user.get(BASE + "anomalies/?sensitivity=extreme"), 400, "VALIDATION_ERROR",
            sensitivity=["Ce n'est pas un choix valide."])
    refused(user.get(BASE + "anomalies/?metric=beauty"), 400, "METRIC_FIELD_INVALID",
            metric=["Ce n'est pas un choix valide."])


@row("GET /tasks/monitoring/metrics/recommendations")
@row("GET /tasks/monitoring/metrics/recommendations", error=401)
def test_advice_follows_from_numbers(user, worker, nobody):
    assert ok(user.get(BASE + "recommendations/"))["recommendations"] == []
    for i in range(10):
        done(user, worker, "weak", {"execution_time_ms": 10, "queue_wait_time_ms": 0},
             fails=i < 3)
    items = ok(user.get(BASE + "recommendations/"))["recommendations"]
    assert [(item["type"], item["priority"]) for item in items] == [("reliability", "high")]
    assert items[0]["description"] == "3 of 10 tasks of type weak failed (30.0 %)."
    assert items[0]["impact"] and items[0]["implementation"]
    refused(nobody.get(BASE + "recommendations/"), 401, "NOT_AUTHENTICATED")


def test_figures_outlive_a_restart(relais_with, tmp_path):
    folder = str(tmp_path)
    for round_ in (1, 2):
        server = relais_with(data=folder)
        user, worker = server.caller("user", "u", 7), server.caller("worker", "w", 7)
        for _ in range(2):
            done(user, worker, "kept", {"execution_time_ms": 100 * round_})
        board = ok(user.get(BASE + "dashboard/"))
        assert board["summary"]["total_tasks"] == 2 * round_
        assert board["summary"]["avg_execution_time_ms"] == (100 if round_ == 1 else 150)
        assert server.stop() == 0
