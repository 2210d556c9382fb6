"""Dialect 002: workers/, from the broker's sessions, from what workers report and from what ran."""
import time

import pytest

from rows import row
from tasks import created, one, refused
from test_megahub_monitor import UNKNOWN, done, ok

BASE = "/tasks/monitoring/workers/"


@pytest.fixture(name="boss")
def _boss(relais, brand):
    return relais.caller("user", f"boss-{brand}", brand, "--brand-admin")


def by_name(user, name):
    found = ok(user.get(f"{BASE}?worker_name={name}"))["results"]
    return found[0] if found else None


@row("GET /tasks/monitoring/workers")
@row("GET /tasks/monitoring/workers/{id}")
@row("POST /tasks/monitoring/workers")
@row("GET /tasks/monitoring/workers/{id}", error=404)
def test_a_worker_is_seen_and_reports_itself(user, stranger, worker, brand):
    name = f"worker-{brand}-a"
    assert by_name(user, name) is None
    done(user, worker, "a", {"execution_time_ms": 100})
    done(user, worker, "a", {"execution_time_ms": 300}, fails=True)
    seen = by_name(user, name)
    assert (seen["processed_tasks"], seen["failed_tasks"], seen["success_rate"]) == (2, 1, 50)
    assert seen["is_online"] is True and seen["cpu_percent"] is None
    told = ok(worker.post(BASE, {"cpu_percent": 35.5, "memory_percent": 40, "load_average": 0.75,
                                 "queue_name": "reports", "uptime_hours": 2}), 201)
    assert told["id"] == seen["id"] and told["is_online"] is True
    ok(worker.post(BASE, {"worker_name": name, "cpu_percent": 36}))
    task = created(user, queue_name="reports")
    one(worker, queues=["reports"])
    ok(worker.post(f"/tasks/{task['id']}/heartbeat/", {}))
    now = ok(user.get(f"{BASE}{seen['id']}/"))
    assert (now["cpu_percent"], now["memory_percent"], now["load_average"]) == (36, 40, 0.75)
    assert now["is_online"] is True and now["is_healthy"] is True
    assert now["queue_name"] == "reports" and now["active_tasks"] == 1
    assert now["uptime_hours"] == pytest.approx(2, abs=0.01)
    assert now["last_heartbeat"].endswith("Z")
    assert [each["id"] for each in now["current_tasks"]] == [task["id"]]
    for span in ("last_hour", "last_24_hours"):
        assert now["recent_performance"][span] == {
            "processed_tasks": 2, "failed_tasks": 1, "avg_execution_time_ms": 200,
            "success_rate": 50}
    refused(stranger.get(f"{BASE}{seen['id']}/"), 404, "NOT_FOUND")
    refused(user.get(f"{BASE}{UNKNOWN}/"), 404, "NOT_FOUND")
    assert by_name(stranger, name) is None
    ok(worker.post(BASE, {"cpu_percent": 95}))
    assert by_name(user, name)["is_healthy"] is False


def test_those_who_poll_and_never_had_a_task_are_seen(relais, user, stranger, worker, brand):
    name = f"worker-{brand}-a"
    answer = ok(worker.post("/tasks/claim/", {"queues": ["reports"]}))
    assert answer["count"] == 0
    seen = by_name(user, name)
    assert seen["is_online"] is True and seen["processed_tasks"] == 0
    assert seen["last_heartbeat"].endswith("Z") and seen["active_tasks"] == 0
    filer = relais.caller("worker", f"filer-{brand}", brand)
    assert filer.get("/api/v1/tasks/pending").status_code == 404
    assert by_name(user, f"filer-{brand}")["is_online"] is True
    assert by_name(stranger, name) is None


@row("GET /tasks/monitoring/workers", error=400)
@row("POST /tasks/monitoring/workers", error=400)
@row("PUT /tasks/monitoring/workers/{id}")
@row("PATCH /tasks/monitoring/workers/{id}")
@row("DELETE /tasks/monitoring/workers/{id}")
@row("PUT /tasks/monitoring/workers/{id}", error=403)
@row("PATCH /tasks/monitoring/workers/{id}", error=404)
@row("DELETE /tasks/monitoring/workers/{id}", error=403)
def test_admins_keep_the_list(user, boss, worker):
    made = [ok(boss.post(BASE, {"worker_name": f"w{i}", "queue_name": queue, "cpu_percent": cpu}),
               201)
            for i, (queue, cpu) in enumerate([("a,b", 10), ("b", 90), ("c", 50)])]
    assert made[0]["is_online"] is False and made[0]["cpu_percent"] == 10
    for query, wanted in (("", [0, 1, 2]), ("?queue_name=b", [0, 1]), ("?is_online=true", []),
                          ("?cpu_percent__gte=50", [1, 2]), ("?cpu_percent__lt=50", [0]),
                          ("?cpu_percent=50", [2]), ("?memory_percent__gte=0", []),
                          ("?active_tasks__gte=1", []), ("?search=W1", [1]),
                          ("?ordering=-cpu_percent", [1, 2, 0]),
                          ("?ordering=-worker_name", [2, 1, 0]),
                          ("?page_size=2&page=2", [2]), ("?queue_name__icontains=B", [0, 1])):
        names = [each["worker_name"] for each in ok(user.get(BASE + query))["results"]]
        assert names == [f"w{i}" for i in wanted], query
    refused(user.get(BASE + "?cpu_percent__gte=hot"), 400, "VALIDATION_ERROR",
            cpu_percent__gte=["Un nombre valide est requis."])
    refused(user.get(BASE + "?is_online=perhaps"), 400, "VALIDATION_ERROR",
            is_online=["Doit être un booléen valide."])
    refused(user.get(BASE + "?page=9"), 404, "NOT_FOUND", "Invalid page.")
    path = f"{BASE}{made[0]['id']}/"
    assert ok(boss.call("PATCH", path, json={"memory_percent": 5}))["cpu_percent"] == 10
    put = ok(boss.put(path, json={"queue_name": "z"}))
    assert put["queue_name"] == "z" and put["cpu_percent"] is None
    for answer in (user.put(path, json={}), user.delete(path), user.post(BASE, {}),
                   worker.delete(path), worker.post(BASE, {"worker_name": "w0"})):
        refused(answer, 403, "PERMISSION_DENIED")
    gone = boss.delete(path)
    assert gone.status_code == 204 and gone.content == b""
    assert [each["worker_name"] for each in ok(user.get(BASE))["results"]] == ["w1", "w2"]
    refused(boss.call("PATCH", path, json={}), 404, "NOT_FOUND")
    for body in ({}, {"worker_name": "w1"}, {"worker_name": "x", "cpu_percent": -1},
                 {"worker_name": "x", "memory_percent": 101}, {"worker_name": "x" * 200}):
        assert boss.post(BASE, body).status_code == 400, body


@row("GET /tasks/monitoring/workers", error=400)
def test_workers_are_found_as_rows_of_any_list(user, boss, worker):
    for query in ("?is_online=perhaps", "?load_average__range=1", "?last_heartbeat__gte=soon"):
        assert user.get(BASE + query).status_code == 400, "though there is none yet"
    for name, queue, cpu, load in (("ant", "a,bee", 10, 2), ("bat", "bee", 90, 1),
                                   ("cat", "", 50, 1), ("dog", "d", None, 1)):
        ok(boss.post(BASE, {"worker_name": name, "queue_name": queue, "load_average": load,
                            **({} if cpu is None else {"cpu_percent": cpu})}), 201)
    ok(worker.post(BASE, {"cpu_percent": 70, "load_average": 3}), 201)
    me = ok(user.get(BASE + "?is_online=true"))["results"][0]
    for query, wanted in (
            ("?cpu_percent__in=10,50,11", "ant cat"), ("?cpu_percent__range=10,50", "ant cat"),
            ("?cpu_percent__isnull=true", "dog"), ("?cpu_percent__exact=90", "bat"),
            ("?cpu_percent__gt=10&cpu_percent__lte=90", "bat cat me"),
            ("?worker_name__in=ant,dog", "ant dog"), ("?worker_name__startswith=b", "bat"),
            ("?worker_name__startswith=B", ""), ("?worker_name__icontains=A", "ant bat cat me"),
            ("?queue_name__startswith=be", "ant bat"), ("?queue_name__in=a,d", "ant dog"),
            ("?queue_name__isnull=true", "cat me"), ("?search=BEE+an", "ant"),
            ("?last_heartbeat__gte=2020-01-01", "me"), ("?last_heartbeat__gte=2999-01-01", ""),
            ("?last_heartbeat__isnull=true", "ant bat cat dog"), ("?is_healthy=true", "me"),
            ("?active_tasks__gte=0&processed_tasks__lt=1&failed_tasks=0", "ant bat cat dog me"),
            ("?success_rate__isnull=false", ""), ("?uptime_hours__gte=0", "me"),
            ("?colour=blue", "ant bat cat dog me"), ("?cpu_percent__near=3", "ant bat cat dog me"),
            ("?ordering=load_average,-cpu_percent", "bat cat dog ant me"),
            ("?ordering=-load_average,-worker_name", "me ant dog cat bat"),
            ("?ordering=colour,-cpu_percent", "bat me cat ant dog")):
        found = ok(user.get(BASE + query))
        names = ["me" if each["id"] == me["id"] else each["worker_name"]
                 for each in found["results"]]
        assert names == wanted.split() and found["count"] == len(names), query


@row("GET /tasks/monitoring/workers/overview")
@row("GET /tasks/monitoring/workers/overview", error=401)
def test_the_overview(user, stranger, worker, boss, nobody, work, brand):
    assert ok(user.get(BASE + "overview/"))["total_workers"] == 0
    ok(worker.post(BASE, {"cpu_percent": 30, "memory_percent": 60, "load_average": 1,
                          "queue_name": "q1"}), 201)
    ok(boss.post(BASE, {"worker_name": "idle", "queue_name": "q1"}), 201)
    work("native", "cat", brand=brand, flags=("--name=nat",))
    until = time.monotonic() + 60
    while time.monotonic() < until:
        body = ok(user.get(BASE + "overview/"))
        if body["online_workers"] == 2:
            break
        time.sleep(0.05)
    assert (body["total_workers"], body["online_workers"], body["offline_workers"]) == (3, 2, 1)
    assert body["queues"]["q1"] == {"workers": 2, "active_tasks": 0, "avg_load": 1}
    assert body["queues"]["native"]["workers"] == 1
    assert body["system_health"] == {"overall_status": "healthy", "avg_cpu_percent": 30,
                                     "avg_memory_percent": 60, "total_active_tasks": 0,
                                     "avg_load_average": 1}
    assert body["queues_status"]["q1"]["avg_cpu"] == 30
    assert [each["worker_name"] for each in body["alerts"]] == ["idle"]
    assert "native" not in ok(stranger.get(BASE + "overview/"))["queues"]
    refused(nobody.get(BASE + "overview/"), 401, "NOT_AUTHENTICATED")
