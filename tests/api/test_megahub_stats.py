"""Dialect 002: the figures of /tasks/ itself, computed again from the tasks that the test made."""
from rows import row
from tasks import created, one, refused
from test_megahub_monitor import done, ok


@row("GET /tasks/queue-stats")
@row("GET /tasks/queue-stats", error=401)
def test_queues_are_priorities(user, stranger, worker, nobody):
    for priority in ("critical", "low", "low"):
        created(user, priority=priority)
    done(user, worker, "x", {"execution_time_ms": 120000}, priority="high")
    done(user, worker, "x", {"execution_time_ms": 60000}, fails=True, priority="high")
    cancelled = created(user)
    ok(user.post(f"/tasks/{cancelled['id']}/cancel/"))
    running = created(user, queue_name="run")
    one(worker, queues=["run"])
    ok(worker.post(f"/tasks/{running['id']}/heartbeat/", {}))
    for path in ("/tasks/queue-stats/", "/tasks/queue_stats/"):
        body = ok(user.get(path))
        assert body["total_tasks"] == 7
        queues = body["queues"]
        assert list(queues) == ["critical", "high", "normal", "low"]
        assert queues["low"]["pending"] == 2 == queues["low"]["total"]
        assert queues["critical"]["pending"] == 1
        assert (queues["high"]["completed"], queues["high"]["failed"]) == (1, 1)
        assert queues["normal"]["running"] == 1 == queues["normal"]["processing"]
        assert queues["normal"]["cancelled"] == 1
        assert [queues[name]["total_today"] for name in queues] == [1, 2, 2, 2]
        assert body["status_distribution"] == {"pending": 3, "running": 1, "paused": 0,
                                               "completed": 1, "failed": 1, "cancelled": 1}
        assert body["avg_processing_time_minutes"] == 1.5
    assert ok(stranger.get("/tasks/queue-stats/"))["total_tasks"] == 0
    refused(nobody.get("/tasks/queue-stats/"), 401, "NOT_AUTHENTICATED")


@row("GET /tasks/type-stats")
@row("GET /tasks/type-stats", error=401)
def test_types(user, stranger, worker, nobody):
    done(user, worker, "a", {"execution_time_ms": 60000})
    done(user, worker, "a", {"execution_time_ms": 180000}, fails=True)
    created(user, task_type="b")
    kinds = ok(user.get("/tasks/type-stats/"))["task_types"]
    assert kinds["a"] == {"total": 2, "completed": 1, "failed": 1, "cancelled": 0,
                          "avg_duration_minutes": 2, "success_rate": 50}
    assert kinds["b"]["total"] == 1 and kinds["b"]["avg_duration_minutes"] == 0
    assert ok(stranger.get("/tasks/type-stats/"))["task_types"] == {}
    refused(nobody.get("/tasks/type-stats/"), 401, "NOT_AUTHENTICATED")


@row("GET /tasks/stats")
@row("GET /tasks/stats", error=401)
@row("GET /tasks/dashboard")
@row("GET /tasks/dashboard", error=401)
def test_totals(user, nobody):
    assert ok(user.get("/tasks/stats/")) == {"total_items": 0, "recent_items": 0,
                                             "growth_rate": 0}
    tasks = [created(user)["id"] for _ in range(7)]
    assert ok(user.get("/tasks/stats/")) == {"total_items": 7, "recent_items": 7,
                                             "growth_rate": 100}
    board = ok(user.get("/tasks/dashboard/"))
    assert board["total_count"] == 7
    assert [task["id"] for task in board["recent_items"]] == tasks[:-6:-1]
    assert board["generated_at"].endswith("Z")
    refused(nobody.get("/tasks/stats/"), 401, "NOT_AUTHENTICATED")
    refused(nobody.get("/tasks/dashboard/"), 401, "NOT_AUTHENTICATED")
