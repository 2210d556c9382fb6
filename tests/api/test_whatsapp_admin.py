"""Dialect 003 as the administrator of a fleet sees it, and what workers ask for: commands,
assigned sessions, recovery."""
import re
import time

import pytest

from conftest import TIME, Caller
from rows import row
from station import fleet, good, ground, now, refused, rival  # noqa: F401 - fixtures

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def admins_only(fleet, method, path, body=None):
    refused(Caller(fleet.relais.http).call(method, path, json=body), 401, "UNAUTHORIZED")
    refused(fleet.user.call(method, path, json=body), 403, "FORBIDDEN")
    refused(fleet.worker.call(method, path, json=body), 403, "FORBIDDEN")


def workers_only(fleet, method, path, body=None):
    refused(Caller(fleet.relais.http).call(method, path, json=body), 401, "UNAUTHORIZED")
    refused(fleet.user.call(method, path, json=body), 403, "FORBIDDEN")


# ---- workers ----

@row("POST /api/v1/workers")
@row("GET /api/v1/workers/{id}")
def test_an_administrator_makes_a_worker_known(fleet):
    body = {"workerId": "worker-1", "endpoint": "http://10.1.1.1:8001", "maxSessions": 5,
            "description": "rack 3", "version": "1.2.3", "environment": "STAGING"}
    answer = fleet.admin.post("/api/v1/workers", body)
    made = good(answer, 201)
    assert made["status"] == "OFFLINE" and made["currentSessions"] == 0
    seen = good(fleet.admin.get("/api/v1/workers/worker-1"))
    for key, value in body.items():
        assert seen[key] == value
    assert seen["id"] == "worker-1" and seen["lastHeartbeat"] is None
    assert TIME.fullmatch(seen["createdAt"]) and TIME.fullmatch(seen["updatedAt"])
    good(fleet.station("worker-1", endpoint="http://10.1.1.1:8001").register())
    assert good(fleet.admin.get("/api/v1/workers/worker-1"))["status"] == "ONLINE"


@row("POST /api/v1/workers", error=409)
def test_a_worker_is_made_once(fleet):
    body = {"workerId": "worker-1", "endpoint": "http://10.1.1.1:8001"}
    key = {"Idempotency-Key": "k-1"}
    good(fleet.admin.post("/api/v1/workers", body, headers=key), 201)
    refused(fleet.admin.post("/api/v1/workers", body), 409, "CONFLICT")
    good(fleet.admin.post("/api/v1/workers", body, headers=key), 201)
    other = {**body, "maxSessions": 9}
    refused(fleet.admin.post("/api/v1/workers", other, headers=key), 409, "IDEMPOTENCY_CONFLICT")


@pytest.mark.parametrize("change", [{"workerId": None}, {"workerId": "x"}, {"endpoint": None},
                                    {"maxSessions": 1001}, {"environment": "MOON"}])
@row("POST /api/v1/workers", error=400)
def test_a_worker_that_cannot_be_stored_is_refused(fleet, change):
    body = {"workerId": "worker-1", "endpoint": "http://10.1.1.1:8001", **change}
    refused(fleet.admin.post("/api/v1/workers", body), 400, "VALIDATION_ERROR")


@row("PUT /api/v1/workers/{id}")
def test_an_administrator_changes_a_worker_and_it_stays_in_maintenance(fleet):
    w = fleet.station("worker-1")
    good(w.register())
    changed = good(fleet.admin.put(w.at(), json={"maxSessions": 3, "description": "new",
                                                 "status": "MAINTENANCE"}))
    assert (changed["maxSessions"], changed["description"]) == (3, "new")
    good(w.beat())
    assert good(fleet.admin.get(w.at()))["status"] == "MAINTENANCE"
    good(fleet.admin.put(w.at(), json={"status": "ONLINE"}))
    good(w.beat())
    assert good(fleet.admin.get(w.at()))["status"] == "ONLINE"


@row("PUT /api/v1/workers/{id}", error=404)
@row("GET /api/v1/workers/{id}", error=404)
def test_a_worker_that_is_not_there_is_not_found(fleet):
    refused(fleet.admin.get("/api/v1/workers/worker-9"), 404, "WORKER_NOT_FOUND")
    refused(fleet.admin.put("/api/v1/workers/worker-9", json={"maxSessions": 3}), 404,
            "WORKER_NOT_FOUND")


@row("PUT /api/v1/workers/{id}", error=400)
def test_a_change_that_cannot_be_stored_is_refused(fleet):
    w = fleet.station("worker-1")
    good(w.register())
    for change in ({"maxSessions": 0}, {"status": "UP"}, {"workerId": "worker-2"}, []):
        refused(fleet.admin.put(w.at(), json=change), 400, "VALIDATION_ERROR")


@row("GET /api/v1/workers")
def test_the_list_is_filtered_and_cut_into_pages(fleet):
    for n, environment in enumerate(["PRODUCTION", "PRODUCTION", "STAGING"]):
        good(fleet.station(f"worker-{n}").register(environment=environment))
    good(fleet.admin.post("/api/v1/workers", {"workerId": "worker-3", "endpoint": "http://x:1"}),
         201)
    page = good(fleet.admin.get("/api/v1/workers?limit=3"))
    assert len(page["workers"]) == 3
    assert page["pagination"] == {"total": 4, "page": 1, "limit": 3, "totalPages": 2,
                                  "hasMore": True}
    page = good(fleet.admin.get("/api/v1/workers?limit=3&page=2"))
    assert len(page["workers"]) == 1 and page["pagination"]["hasMore"] is False

    def names(query):
        return sorted(w["workerId"] for w in
                      good(fleet.admin.get("/api/v1/workers?" + query))["workers"])
    assert names("status=offline") == ["worker-3"]
    assert names("environment=staging") == ["worker-2"]
    assert names("status=ONLINE&environment=PRODUCTION") == ["worker-0", "worker-1"]


@row("GET /api/v1/workers", error=400)
def test_a_bad_filter_is_refused(fleet):
    for query in ("status=UP", "environment=MOON", "page=0", "limit=101", "limit=x"):
        refused(fleet.admin.get("/api/v1/workers?" + query), 400, "VALIDATION_ERROR")


@row("GET /api/v1/workers", error=401)
@row("POST /api/v1/workers", error=401)
@row("GET /api/v1/workers/{id}", error=401)
@row("PUT /api/v1/workers/{id}", error=401)
@row("GET /api/v1/workers/statistics", error=401)
@row("GET /api/v1/workers/available", error=401)
@row("POST /api/v1/workers/health-check", error=401)
@row("GET /api/v1/workers/{id}/metrics", error=401)
@row("GET /api/v1/workers/{id}/events", error=401)
def test_the_fleet_is_shown_to_administrators(fleet):
    admins_only(fleet, "POST", "/api/v1/workers/health-check", {})
    admins_only(fleet, "POST", "/api/v1/workers", {"workerId": "worker-1", "endpoint": "x"})
    admins_only(fleet, "PUT", "/api/v1/workers/worker-1", {"maxSessions": 3})
    for path in ("", "/statistics", "/available", "/worker-1", "/worker-1/metrics",
                 "/worker-1/events"):
        admins_only(fleet, "GET", "/api/v1/workers" + path)


@row("GET /api/v1/workers/statistics")
def test_the_statistics_count_workers_and_sessions(fleet):
    w = fleet.station("worker-1", sessions_max=4)
    good(w.register())
    good(fleet.admin.post("/api/v1/workers", {"workerId": "worker-2", "endpoint": "http://x:1"}),
         201)
    w.connected("s-1")
    good(w.session("s-2", "qr_ready", "qr_required"))
    seen = good(fleet.admin.get("/api/v1/workers/statistics"))
    assert (seen["totalWorkers"], seen["onlineWorkers"], seen["offlineWorkers"]) == (2, 1, 1)
    assert (seen["totalSessions"], seen["totalCapacity"], seen["availableCapacity"]) == (2, 4, 2)
    assert seen["sessions"]["CONNECTED"] == 1 and seen["sessions"]["QR_REQUIRED"] == 1
    assert seen["utilization"] == 50


@row("GET /api/v1/workers/available")
def test_a_full_worker_is_not_available(fleet):
    full, free = fleet.station("worker-1", sessions_max=1), fleet.station("worker-2")
    for w in (full, free):
        good(w.register())
    full.connected("s-1")
    seen = good(fleet.admin.get("/api/v1/workers/available"))["workers"]
    assert [w["workerId"] for w in seen] == ["worker-2"]


@row("POST /api/v1/workers/health-check")
def test_the_health_check_tells_who_was_heard(fleet):
    good(fleet.station("worker-1").register())
    good(fleet.admin.post("/api/v1/workers", {"workerId": "worker-2", "endpoint": "http://x:1"}),
         201)
    seen = good(fleet.admin.post("/api/v1/workers/health-check", {}))
    assert (seen["checked"], seen["healthy"], seen["unhealthy"]) == (2, 1, 1)
    assert {w["workerId"]: w["healthy"] for w in seen["workers"]} == \
        {"worker-1": True, "worker-2": False}


# ---- history ----

@row("GET /api/v1/workers/{id}/metrics")
def test_figures_are_kept_newest_first(fleet):
    w = fleet.station("worker-1")
    good(w.register())
    for n in range(3):
        good(w.beat(cpuUsage=n))
    seen = good(fleet.admin.get(w.at("/metrics")))
    assert [m["cpuUsage"] for m in seen["metrics"]] == [2, 1, 0]
    first = seen["metrics"][0]
    assert UUID.fullmatch(first["id"]) and first["workerId"] == "worker-1"
    assert TIME.fullmatch(first["timestamp"]) and first["status"] == "ONLINE"
    for key in ("memoryUsage", "uptime", "messageCount", "sessionTotal", "sessionConnected",
                "sessionDisconnected", "sessionQrRequired", "sessionReconnecting",
                "sessionError"):
        assert isinstance(first[key], (int, float))
    page = good(fleet.admin.get(w.at("/metrics?limit=2&page=2")))
    assert [m["cpuUsage"] for m in page["metrics"]] == [0] and page["total"] == 3


@row("GET /api/v1/workers/{id}/events")
def test_events_are_kept_newest_first(fleet):
    w = fleet.station("worker-1")
    good(w.register())
    for event in ("worker_started", "worker_error"):
        good(w.event(event, detail="x"))
    seen = good(fleet.admin.get(w.at("/events")))
    assert [e["event"] for e in seen["events"]] == ["worker_error", "worker_started"]
    assert UUID.fullmatch(seen["events"][0]["id"]) and seen["total"] == 2


@row("GET /api/v1/workers/{id}/metrics", error=404)
@row("GET /api/v1/workers/{id}/events", error=404)
def test_a_worker_that_is_not_there_has_no_history(fleet, rival):
    w = fleet.station("worker-1")
    good(w.register())
    good(w.beat())
    for what in ("metrics", "events"):
        refused(fleet.admin.get(f"/api/v1/workers/worker-9/{what}"), 404, "WORKER_NOT_FOUND")
        refused(rival.admin.get(f"/api/v1/workers/worker-1/{what}"), 404, "WORKER_NOT_FOUND")
        refused(fleet.admin.get(f"/api/v1/workers/worker-1/{what}?page=0"), 400,
                "VALIDATION_ERROR")


# ---- commands ----

@row("GET /api/v1/workers/{id}/commands")
@row("POST /api/v1/workers/{id}/commands/{cid}/ack")
def test_a_command_waits_until_it_is_acknowledged(fleet):
    w = fleet.station("worker-1")
    good(w.register())
    assert w.commands() == []
    good(fleet.user.post("/api/v1/sessions", {"name": "Sales", "sessionId": "s-1"}), 201)
    good(fleet.user.post("/api/v1/sessions/s-1/connect", {}))
    found = w.commands()
    assert [c["type"] for c in found] == ["create_session"]
    command = found[0]
    assert command["sessionId"] == "s-1" and TIME.fullmatch(command["createdAt"])
    assert command["payload"] == {"sessionId": "s-1", "sessionName": "Sales",
                                  "userId": fleet.user_name}
    again = [c for c in w.commands(wait=60)]
    assert [c["id"] for c in again] == [command["id"]]
    assert good(w.ack(command))["commandId"] == command["id"]
    assert good(w.ack(command))["status"] == "acknowledged"
    time.sleep(0.6)  # longer than command_repeat_ms: it would be given again by now
    assert w.commands() == [] and good(w.beat())["commands"] == []


def test_a_waiting_worker_is_told_at_once(fleet):
    w = fleet.station("worker-1")
    good(w.register())
    good(fleet.user.post("/api/v1/sessions", {"name": "Sales", "sessionId": "s-1"}), 201)
    with_wait = fleet.later(lambda: w.commands(wait=60))
    good(fleet.user.post("/api/v1/sessions/s-1/connect", {}))
    assert [c["type"] for c in with_wait(120)] == ["create_session"]


@row("GET /api/v1/workers/{id}/commands", error=400)
@row("POST /api/v1/workers/{id}/commands/{cid}/ack", error=400)
def test_bad_questions_about_commands_are_refused(fleet):
    good(fleet.station("worker-1").register())
    for query in ("wait=x", "wait=-1", "limit=0"):
        refused(fleet.worker.get("/api/v1/workers/worker-1/commands?" + query), 400,
                "VALIDATION_ERROR")
    for cid in ("x", "-1", "1x", "99999999999999999999"):
        refused(fleet.worker.post(f"/api/v1/workers/worker-1/commands/{cid}/ack", {}), 400,
                "VALIDATION_ERROR")


@row("GET /api/v1/workers/{id}/commands", error=404)
@row("GET /api/v1/workers/{id}/commands", error=401)
@row("POST /api/v1/workers/{id}/commands/{cid}/ack", error=401)
def test_commands_are_for_workers_that_are_known(fleet):
    refused(fleet.worker.get("/api/v1/workers/worker-9/commands"), 404, "WORKER_NOT_FOUND")
    workers_only(fleet, "GET", "/api/v1/workers/worker-1/commands")
    workers_only(fleet, "POST", "/api/v1/workers/worker-1/commands/1/ack", {})


# ---- recovery ----

@row("GET /api/v1/workers/{id}/sessions/assigned")
def test_a_worker_asks_for_its_sessions(fleet):
    w = fleet.station("worker-1")
    good(w.register())
    w.connected("s-1")
    seen = good(fleet.worker.get(w.at("/sessions/assigned")))
    assert seen["workerId"] == "worker-1" and seen["sessionCount"] == 1
    assert TIME.fullmatch(seen["retrievedAt"])
    session = seen["sessions"][0]
    assert {"sessionId", "userId", "sessionName", "phoneNumber", "status", "createdAt",
            "updatedAt", "lastSeenAt"} <= set(session)
    assert session["status"] == "CONNECTED"


@pytest.mark.parametrize("summary", [{"totalSessions": 3, "successCount": 1},
                                     {"summary": {"total": 3}}])
@row("POST /api/v1/workers/{id}/sessions/recovery-status")
def test_a_worker_tells_which_sessions_came_back(fleet, summary):
    w = fleet.station("worker-1")
    good(w.register())
    for n in (1, 2, 3):
        good(w.session(f"s-{n}", "disconnected"))
    data = good(fleet.worker.post(w.at("/sessions/recovery-status"), {
        **summary, "recoveryResults": [
            {"sessionId": "s-1", "status": "SUCCESS", "recoveredAt": now()},
            {"sessionId": "s-2", "status": "failed", "error": "no auth", "recoveredAt": now()},
            {"sessionId": "s-3", "status": "SKIPPED"}]}))
    assert [(r["sessionId"], r["status"], r["processed"]) for r in data["processedResults"]] == \
        [("s-1", "SUCCESS", True), ("s-2", "FAILED", True), ("s-3", "SKIPPED", True)]
    states = {s["sessionId"]: s["status"] for s in w.assigned()}
    assert states == {"s-1": "CONNECTED", "s-2": "ERROR", "s-3": "DISCONNECTED"}


@row("POST /api/v1/workers/{id}/sessions-preserved")
def test_a_worker_tells_which_sessions_it_keeps(fleet):
    w = fleet.station("worker-1")
    good(w.register())
    data = good(fleet.worker.post(w.at("/sessions-preserved"), {
        "workerId": "worker-1", "timestamp": now(),
        "preservedSessions": [{"sessionId": "s-1", "status": "CONNECTED"}]}))
    assert data["preservedCount"] == 1
    kept = good(fleet.admin.get(w.at("/events")))["events"][0]
    assert kept["event"] == "sessions_preserved"


@row("GET /api/v1/workers/{id}/sessions/assigned", error=404)
@row("POST /api/v1/workers/{id}/sessions/recovery-status", error=404)
@row("POST /api/v1/workers/{id}/sessions-preserved", error=404)
def test_a_worker_that_is_not_there_has_no_sessions(fleet):
    at = "/api/v1/workers/worker-9"
    refused(fleet.worker.get(at + "/sessions/assigned"), 404, "WORKER_NOT_FOUND")
    refused(fleet.worker.post(at + "/sessions/recovery-status", {"recoveryResults": []}), 404,
            "WORKER_NOT_FOUND")
    refused(fleet.worker.post(at + "/sessions-preserved", {"preservedSessions": []}), 404,
            "WORKER_NOT_FOUND")


@row("POST /api/v1/workers/{id}/sessions/recovery-status", error=400)
@row("POST /api/v1/workers/{id}/sessions-preserved", error=400)
def test_recovery_reports_that_make_no_sense_are_refused(fleet):
    at = fleet.station("worker-1").at()
    for body in ({}, {"recoveryResults": 7}, {"recoveryResults": [{"sessionId": "s-1"}]},
                 {"recoveryResults": [{"sessionId": "s", "status": "MAYBE"}]},
                 {"recoveryResults": [7]}):
        refused(fleet.worker.post(at + "/sessions/recovery-status", body), 400,
                "VALIDATION_ERROR")
    for body in ({}, {"preservedSessions": 7}, {"preservedSessions": [], "workerId": "worker-2"}):
        refused(fleet.worker.post(at + "/sessions-preserved", body), 400, "VALIDATION_ERROR")


@row("GET /api/v1/workers/{id}/sessions/assigned", error=401)
@row("POST /api/v1/workers/{id}/sessions/recovery-status", error=401)
@row("POST /api/v1/workers/{id}/sessions-preserved", error=401)
def test_recovery_takes_a_fleet_token(fleet):
    at = "/api/v1/workers/worker-1"
    workers_only(fleet, "GET", at + "/sessions/assigned")
    workers_only(fleet, "POST", at + "/sessions/recovery-status", {"recoveryResults": []})
    workers_only(fleet, "POST", at + "/sessions-preserved", {"preservedSessions": []})
