"""Dialect 003, the worker's side: every row a worker calls, in every form that was captured, and
what is refused. The document's own examples are sent and compared member by member."""
import json

import pytest

from conftest import TIME, Caller, alike, example
from rows import row
from station import QR, good, log_of, now, refused
from station import fleet, ground  # noqa: F401 - fixtures

REGISTER = "POST /api/v1/workers/register"


def unauthorized(fleet, method, path, body=None):
    """Without a token, with a wrong one, and with a user's."""
    nobody, wrong = Caller(fleet.relais.http), Caller(fleet.relais.http, "no-such-token")
    refused(nobody.call(method, path, json=body), 401, "UNAUTHORIZED")
    refused(wrong.call(method, path, json=body), 401, "UNAUTHORIZED")
    refused(fleet.user.call(method, path, json=body), 403, "FORBIDDEN")


# ---- register ----

@row("POST /api/v1/workers/register")
def test_the_documents_registration_is_answered_as_the_document_says(fleet):
    answer = fleet.worker.post("/api/v1/workers/register", example("003_register_request.json"))
    assert answer.status_code == 200
    alike(example("003_register_answer.json"), answer.json())
    data = answer.json()["data"]
    assert data["recoveryRequired"] is False and data["assignedSessionCount"] == 0
    assert data["maxSessions"] == 50 and data["heartbeatInterval"] == 30000


@pytest.mark.parametrize("path", ["/api/workers/register", "/API/v1/Workers/Register/",
                                  "/api/V1/workers/register/"])
def test_the_path_may_have_any_case_a_slash_at_its_end_and_no_version(fleet, path):
    body = {"worker_id": "worker-9", "endpoint": "http://10.1.1.1:1"}
    assert good(fleet.worker.post(path, body))["workerId"] == "worker-9"


def test_what_a_registration_leaves_out_has_the_documents_default(fleet):
    good(fleet.station("worker-1").call.post("/api/v1/workers/register",
         {"workerId": "worker-1", "endpoint": "http://10.1.1.1:2", "colour": "red"}))
    seen = good(fleet.admin.get("/api/v1/workers/worker-1"))
    assert seen["status"] == "ONLINE" and seen["environment"] == "DEVELOPMENT"
    assert seen["maxSessions"] == 50 and seen["currentSessions"] == 0


def test_test_is_another_word_for_testing_and_case_does_not_matter(fleet):
    good(fleet.station("worker-1").register(environment="test", status="maintenance"))
    seen = good(fleet.admin.get("/api/v1/workers/worker-1"))
    assert (seen["environment"], seen["status"]) == ("TESTING", "MAINTENANCE")


@pytest.mark.parametrize("change", [
    {"workerId": None}, {"workerId": "ab"}, {"workerId": "a" * 51}, {"workerId": "a b c"},
    {"workerId": 7}, {"workerId": "worker/1"}, {"endpoint": None}, {"endpoint": ""},
    {"endpoint": 8001}, {"endpoint": "http://x\n"}, {"maxSessions": 0}, {"maxSessions": 1001},
    {"maxSessions": "many"}, {"maxSessions": 1.5}, {"status": "UP"}, {"status": 1},
    {"environment": "MOON"}, {"timestamp": "yesterday"}, {"timestamp": "2024-02-30T00:00:00Z"},
    {"description": []}, {"version": {}}])
@row("POST /api/v1/workers/register", error=400)
def test_a_registration_that_cannot_be_stored_is_refused(fleet, change):
    refused(fleet.station("worker-1").register(**change), 400, "VALIDATION_ERROR")


@pytest.mark.parametrize("body", ["", "{", "[]", "7", "null", '{"a":1,"a":2}', '{"a":"\\u0000"}'])
def test_a_body_that_is_no_json_object_is_refused_in_the_dialects_form(fleet, body):
    answer = fleet.worker.call("POST", "/api/v1/workers/register", data=body,
                               headers={"Content-Type": "application/json"})
    refused(answer, 400, "VALIDATION_ERROR")


@row("POST /api/v1/workers/register", error=401)
def test_registering_takes_a_fleet_token(fleet):
    unauthorized(fleet, "POST", "/api/v1/workers/register", example("003_register_request.json"))


@row("POST /api/v1/workers/register", error=409)
def test_an_id_that_lives_elsewhere_is_taken_and_so_is_a_living_workers_endpoint(fleet):
    first = fleet.station("worker-1", endpoint="http://10.1.1.1:8001")
    good(first.register())
    again = fleet.station("worker-1", endpoint="http://10.1.1.2:8001")
    refused(again.register(), 409, "WORKER_ALREADY_REGISTERED")
    thief = fleet.station("worker-2", endpoint="http://10.1.1.1:8001")
    refused(thief.register(), 409, "WORKER_ALREADY_REGISTERED")
    good(first.register(maxSessions=7))  # a restart of its own is none
    assert good(fleet.admin.get("/api/v1/workers/worker-1"))["maxSessions"] == 7


def test_a_restarted_worker_gets_its_sessions_back(fleet):
    w = fleet.station("worker-1")
    good(w.register())
    good(w.session("user1-s1", "created", "INIT"))
    w.connected("user1-s1")
    data = good(w.register())
    assert data["recoveryRequired"] is True and data["assignedSessionCount"] == 1
    assert data["assignedSessions"][0]["sessionId"] == "user1-s1"
    assert data["assignedSessions"][0]["phoneNumber"] == "+6281234567890"
    assert {"status", "userId"} <= set(data["assignedSessions"][0])


def test_a_worker_that_is_refused_is_named_in_the_log(fleet):
    Caller(fleet.relais.http, "worker-secret-token").post("/api/v1/workers/register", {})
    assert "worker_tokens" in log_of(fleet.relais)


def test_without_tokens_no_worker_is_let_in(relais_with):
    server = relais_with()
    for token in ("", "worker-secret-token", "worker-secret-token-12345"):
        refused(Caller(server.http, token).post("/api/v1/workers/register",
                example("003_register_request.json")), 401, "UNAUTHORIZED")
    assert log_of(server).count("worker_tokens is not set") == 1


def test_two_tokens_of_one_brand_are_good_at_once(relais_with):
    server = relais_with("--worker-tokens=old-token,new-token")
    for token in ("old-token", "new-token"):
        good(Caller(server.http, token).post("/api/v1/workers/register",
                                             example("003_register_request.json")))


# ---- heartbeat ----

FORMS = {
    "flat": {"status": "ONLINE", "cpuUsage": 45.5, "memoryUsage": 67.8, "uptime": 3600,
             "messageCount": 1250, "sessions": {"total": 2, "connected": 1, "disconnected": 0,
                                                "qr_required": 1, "reconnecting": 0, "error": 0}},
    "nested": {"status": "ONLINE", "metrics": {
        "sessions": {"total": 2, "connected": 1, "disconnected": 0, "qr_required": 1,
                     "reconnecting": 0, "error": 0},
        "cpuUsage": 45.5, "memoryUsage": 67.8, "uptime": 3600.25, "messageCount": 1250},
        "timestamp": "2024-01-15T10:30:00.000Z"},
    "list": {"sessions": [
        {"sessionId": "a-1", "status": "CONNECTED", "phoneNumber": "62811:3@s.whatsapp.net",
         "displayName": "Ann", "lastActivity": "2024-01-15T10:30:00.000Z"},
        {"sessionId": "a-2", "status": "QR_REQUIRED", "phoneNumber": None, "displayName": None}],
        "metrics": {"cpuUsage": 45.5, "memoryUsage": 67.8, "uptime": 3600, "messageCount": 1250,
                    "totalSessions": 2, "activeSessions": 1},
        "capabilities": {"media": True}, "lastActivity": "2024-01-15T10:30:00.000Z"},
}


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("form", FORMS)
@row("PUT /api/v1/workers/{id}/heartbeat")
@row("POST /api/v1/workers/{id}/heartbeat")
def test_every_form_of_a_heartbeat_is_acknowledged_and_leaves_its_figures(fleet, form, method):
    w = fleet.station("worker-001")
    good(w.register())
    answer = fleet.worker.call(method, w.at("/heartbeat"), json=FORMS[form])
    assert answer.status_code == 200
    alike(example("003_heartbeat_answer.json"), answer.json(), issued=("data.commands",))
    assert TIME.fullmatch(answer.json()["data"]["lastHeartbeat"])
    seen = good(fleet.admin.get("/api/v1/workers/worker-001"))
    assert seen["metrics"]["cpuUsage"] == 45.5 and seen["metrics"]["uptime"] == 3600
    assert seen["metrics"]["sessions"]["total"] == 2
    figures = good(fleet.admin.get("/api/v1/workers/worker-001/metrics"))["metrics"]
    assert figures[0]["cpuUsage"] == 45.5 and figures[0]["sessionTotal"] == 2
    assert figures[0]["sessionConnected"] == 1 and figures[0]["messageCount"] == 1250


@pytest.mark.parametrize("base", ["/api/v1", "/api"])
@row("POST /api/v1/webhooks/worker-heartbeat")
def test_a_heartbeat_may_come_as_a_webhook(fleet, base):
    w = fleet.station("worker-001", base)
    good(w.register())
    data = good(fleet.worker.post(f"{base}/webhooks/worker-heartbeat", {
        "workerId": "worker-001", "status": "ONLINE", "sessionCount": 9, "cpuUsage": 5,
        "memoryUsage": 6, "uptime": 7, "activeConnections": 8}))
    assert data["workerId"] == "worker-001" and data["status"] == "acknowledged"
    figures = good(fleet.admin.get(f"{base}/workers/worker-001/metrics"))["metrics"][0]
    assert (figures["sessionTotal"], figures["sessionConnected"]) == (9, 8)


@row("POST /api/v1/webhooks/worker-heartbeat", error=400)
def test_the_webhook_must_say_whose_heartbeat_it_is(fleet):
    path = "/api/v1/webhooks/worker-heartbeat"
    refused(fleet.worker.post(path, {"status": "ONLINE"}), 400, "VALIDATION_ERROR")
    refused(fleet.worker.post(path, {"workerId": "worker-1"}), 400, "VALIDATION_ERROR")
    refused(fleet.worker.post(path, {"workerId": "x", "status": "ONLINE"}), 400,
            "VALIDATION_ERROR")
    unauthorized(fleet, "POST", path, {"workerId": "worker-1", "status": "ONLINE"})


@pytest.mark.parametrize("change", [
    {"status": "SLEEPY"}, {"status": 3}, {"cpuUsage": 100.5}, {"cpuUsage": -1},
    {"memoryUsage": "much"}, {"uptime": -1}, {"messageCount": []}, {"sessions": "many"},
    {"sessions": {"total": -1}}, {"metrics": []}, {"timestamp": "now"}, {"workerId": "other-1"}])
@row("PUT /api/v1/workers/{id}/heartbeat", error=400)
@row("POST /api/v1/workers/{id}/heartbeat", error=400)
def test_a_heartbeat_that_cannot_be_stored_is_refused(fleet, change):
    w = fleet.station("worker-1")
    good(w.register())
    refused(w.beat(**change), 400, "VALIDATION_ERROR")
    refused(fleet.worker.post(w.at("/heartbeat"), change), 400, "VALIDATION_ERROR")


def test_heartbeats_take_a_fleet_token(fleet):
    unauthorized(fleet, "PUT", "/api/v1/workers/worker-1/heartbeat", {"status": "ONLINE"})


def test_an_unknown_worker_is_told_to_register_and_counts_from_then_on(fleet):
    w = fleet.station("worker-7")
    data = good(w.beat())
    assert [c["type"] for c in data["commands"]] == ["register"]
    seen = good(fleet.admin.get("/api/v1/workers/worker-7"))
    assert seen["registered"] is False
    good(w.register())
    assert "register" not in [c["type"] for c in good(w.beat())["commands"]]
    assert good(fleet.admin.get("/api/v1/workers/worker-7"))["registered"] is True


def test_a_full_list_of_sessions_settles_what_the_worker_has(fleet):
    w = fleet.station("worker-1")
    good(w.register())
    listed = [{"sessionId": f"s-{n}", "status": "connected"} for n in (1, 2)]
    good(w.beat(listed))
    assert {s["sessionId"]: s["status"] for s in w.assigned()} == \
        {"s-1": "CONNECTED", "s-2": "CONNECTED"}
    good(w.beat(listed[:1] + [{"sessionId": "", "status": 7}, "nonsense"]))
    states = {s["sessionId"]: s["status"] for s in
              good(fleet.admin.get("/api/v1/sessions"))["sessions"]}
    assert states == {"s-1": "CONNECTED", "s-2": "DISCONNECTED"}


# ---- events ----

@row("POST /api/v1/workers/{id}/events")
def test_the_documents_event_is_received_and_changes_the_session(fleet):
    w = fleet.station("worker-001")
    good(w.register())
    answer = fleet.worker.post(w.at("/events"), example("003_event_request.json"))
    assert answer.status_code == 200
    assert answer.json() == example("003_event_answer.json")
    seen = good(fleet.admin.get("/api/v1/sessions/user123-session1"))
    assert seen["status"] == "CONNECTED" and seen["phoneNumber"] == "+6281234567890"
    assert seen["workerId"] == "worker-001"


@pytest.mark.parametrize("event,status", [
    ("session_created", "INIT"), ("session_qr_ready", "QR_REQUIRED"),
    ("session_connected", "CONNECTED"), ("session_disconnected", "DISCONNECTED"),
    ("qr_ready", "QR_REQUIRED"), ("connected", "CONNECTED"), ("disconnected", "DISCONNECTED")])
def test_a_session_event_says_how_the_session_stands(fleet, event, status):
    w = fleet.station("worker-1")
    good(w.register())
    good(w.event(event, "s-1"))
    assert good(fleet.admin.get("/api/v1/sessions/s-1"))["status"] == status


def test_a_deleted_session_is_gone(fleet):
    w = fleet.station("worker-1")
    good(w.register())
    good(w.event("session_created", "s-1"))
    good(w.event("session_deleted", "s-1"))
    refused(fleet.admin.get("/api/v1/sessions/s-1"), 404, "NOT_FOUND")


@pytest.mark.parametrize("event,status", [("message_sent", "SENT"), ("message_failed", "FAILED"),
                                          ("message_received", "DELIVERED")])
def test_a_message_event_says_how_the_message_stands(fleet, event, status):
    w = fleet.station("worker-1")
    good(w.register())
    good(w.event("session_connected", "s-1"))
    good(w.event(event, "s-1", messageId="m-1", **{"from": "62811@c.us"}))
    seen = good(fleet.admin.get("/api/v1/messages/m-1"))
    assert seen["status"] == status and seen["sessionId"] == "s-1"
    if event == "message_received":
        assert seen["direction"] == "inbound" and seen["from"] == "62811"


def test_a_message_event_says_more_than_a_status_that_nobody_knows(fleet):
    w = fleet.station("worker-1")
    good(w.register())
    good(w.event("session_connected", "s-1"))
    good(w.event("message_sent", "s-1", messageId="m-1", status="server_ack"))
    assert good(fleet.admin.get("/api/v1/messages/m-1"))["status"] == "SENT"
    refused(w.event("message_status", "s-1", messageId="m-1", status="server_ack"), 400,
            "VALIDATION_ERROR")


def test_a_workers_error_is_kept_logged_and_a_point_among_its_figures(fleet):
    w = fleet.station("worker-1")
    good(w.register())
    good(w.event("worker_error", error="out of memory\nhere", cpuUsage=99))
    assert good(fleet.admin.get(w.at("/events")))["events"][0]["event"] == "worker_error"
    assert good(fleet.admin.get(w.at("/metrics")))["metrics"][0]["cpuUsage"] == 99
    lines = [line for line in log_of(fleet.relais).split("\n") if "reports an error" in line]
    assert "worker-1" in lines[-1] and "out of memory" in lines[-1] and "here" in lines[-1]


@pytest.mark.parametrize("event", ["moon_rises", "worker_error", "session_moved", "message_odd"])
def test_an_event_that_nobody_knows_is_kept(fleet, event):
    w = fleet.station("worker-1")
    good(w.register())
    good(w.event(event, "s-1", detail={"phase": 3}, qrCode=QR))
    kept = good(fleet.admin.get("/api/v1/workers/worker-1/events"))["events"][0]
    assert kept["event"] == event and kept["sessionId"] == "s-1"
    assert kept["data"] == {"detail": {"phase": 3}}


def test_a_worker_that_stops_gets_no_new_sessions_until_it_starts(fleet):
    w = fleet.station("worker-1")
    good(w.register())
    free = "/api/v1/workers/available"
    assert len(good(fleet.admin.get(free))["workers"]) == 1
    good(w.event("worker_stopping"))
    assert good(fleet.admin.get(free))["workers"] == []
    good(w.event("worker_started"))
    assert len(good(fleet.admin.get(free))["workers"]) == 1


@pytest.mark.parametrize("change", [
    {"event": None}, {"event": ""}, {"event": 7}, {"workerId": "other-1"}, {"data": 7},
    {"timestamp": "soon"}, {"event": "session_connected", "sessionId": "a b"},
    {"event": "session_status_changed", "sessionId": "s", "data": {"status": "PURPLE"}}])
@row("POST /api/v1/workers/{id}/events", error=400)
def test_an_event_that_cannot_be_stored_is_refused(fleet, change):
    body = {"event": "worker_error", "workerId": "worker-1", "timestamp": now(), **change}
    refused(fleet.worker.post("/api/v1/workers/worker-1/events", body), 400, "VALIDATION_ERROR")


def test_events_take_a_fleet_token(fleet):
    unauthorized(fleet, "POST", "/api/v1/workers/worker-1/events", {"event": "worker_error"})


# ---- unregister ----

@row("DELETE /api/v1/workers/{id}")
def test_a_worker_leaves_and_may_say_so_twice(fleet):
    w = fleet.station("worker-1")
    good(w.register())
    w.connected("s-1")
    answer = fleet.worker.delete(w.at())
    assert answer.status_code == 200
    alike(example("003_unregister_answer.json"), answer.json())
    data = answer.json()["data"]
    assert data["workerId"] == "worker-1" and TIME.fullmatch(data["unregisteredAt"])
    assert good(fleet.admin.get("/api/v1/sessions/s-1"))["status"] == "DISCONNECTED"
    assert fleet.worker.delete(w.at()).status_code == 200
    assert good(fleet.admin.get("/api/v1/workers/worker-1"))["status"] == "OFFLINE"


@row("DELETE /api/v1/workers/unregister")
def test_the_later_client_names_itself_in_the_body(fleet):
    w = fleet.station("worker-1")
    good(w.register())
    data = good(fleet.worker.delete("/api/workers/unregister",
                                    json={"workerId": "worker-1", "endpoint": w.endpoint}))
    assert data["workerId"] == "worker-1"


def test_an_administrator_removes_a_worker(fleet):
    w = fleet.station("worker-1")
    good(w.register())
    good(fleet.admin.delete(w.at()))
    refused(fleet.admin.get(w.at()), 404, "WORKER_NOT_FOUND")
    assert good(fleet.admin.get("/api/v1/workers"))["workers"] == []


@row("DELETE /api/v1/workers/{id}", error=404)
@row("DELETE /api/v1/workers/unregister", error=404)
def test_a_worker_that_was_never_seen_cannot_leave(fleet):
    refused(fleet.worker.delete("/api/v1/workers/worker-99"), 404, "WORKER_NOT_FOUND")
    refused(fleet.worker.delete("/api/v1/workers/unregister", json={"workerId": "worker-99"}),
            404, "WORKER_NOT_FOUND")


@row("DELETE /api/v1/workers/{id}", error=401)
@row("DELETE /api/v1/workers/unregister", error=400)
def test_leaving_takes_a_token_and_a_name(fleet):
    unauthorized(fleet, "DELETE", "/api/v1/workers/worker-1")
    refused(fleet.worker.delete("/api/v1/workers/unregister", json={}), 400, "VALIDATION_ERROR")
    refused(fleet.worker.delete("/api/v1/workers/unregister"), 400, "VALIDATION_ERROR")


# ---- session status ----

@row("POST /api/v1/webhooks/session-status")
def test_the_documents_session_status_is_taken_and_the_code_kept(fleet):
    good(fleet.station("worker-001").register())
    sent = example("003_session_status_request.json")
    answer = fleet.worker.post("/api/v1/webhooks/session-status", sent)
    assert answer.status_code == 200
    alike(example("003_session_status_answer.json"), answer.json())
    data = answer.json()["data"]
    assert data["sessionId"] == "user123-session1" and data["status"] == "qr_required"
    assert data["phoneNumber"] is None and TIME.fullmatch(data["updatedAt"])
    code = good(fleet.admin.get("/api/v1/sessions/user123-session1/qr"))
    assert code["qrCode"] == sent["data"]["qrCode"]
    assert code["qrString"] == sent["data"]["qrString"]


@pytest.mark.parametrize("path", ["/api/v1/webhooks/session-status/s-1",
                                  "/api/webhooks/session-status/s-1"])
@row("POST /api/v1/webhooks/session-status/{sessionId}")
def test_the_flat_form_is_answered_in_the_case_in_which_it_came(fleet, path):
    good(fleet.station("worker-1").register())
    body = {"sessionId": "s-1", "status": "Connected", "qrCode": None, "displayName": "Ann",
            "phoneNumber": "6281234567890:12@s.whatsapp.net", "workerId": "worker-1",
            "reason": None, "timestamp": now()}
    data = good(fleet.worker.post(path, body))
    assert data["status"] == "Connected" and data["displayName"] == "Ann"
    assert data["phoneNumber"] == "6281234567890"
    assert good(fleet.admin.get("/api/v1/sessions/s-1"))["status"] == "CONNECTED"


@pytest.mark.parametrize("event,status", [
    ("qr_ready", "QR_REQUIRED"), ("connected", "CONNECTED"), ("disconnected", "DISCONNECTED"),
    ("session_logged_out", "DISCONNECTED"), ("restarting", "RECONNECTING"),
    ("auth_failure", "ERROR")])
def test_the_captured_client_sends_no_status_and_its_event_is_one(fleet, event, status):
    w = fleet.station("worker-1")
    good(w.register())
    assert good(w.session("s-1", event))["status"] == status


def test_an_older_report_is_answered_and_ignored(fleet):
    w = fleet.station("worker-1")
    good(w.register())
    good(w.session("s-1", "connected", "CONNECTED", at=now()))
    data = good(w.session("s-1", "qr_ready", "QR_REQUIRED", at=now(-60)))
    assert data["status"] == "CONNECTED"
    assert good(fleet.admin.get("/api/v1/sessions/s-1"))["status"] == "CONNECTED"


def test_a_code_of_a_megabyte_is_kept_and_goes_when_the_session_connects(fleet):
    w = fleet.station("worker-1")
    good(w.register())
    large = "data:image/png;base64," + "A" * ((1 << 20) - 22)
    good(w.session("s-1", "qr_ready", "qr_required", qrCode=large))
    assert good(fleet.admin.get("/api/v1/sessions/s-1/qr"))["qrCode"] == large
    good(w.session("s-1", "connected", "connected"))
    refused(fleet.admin.get("/api/v1/sessions/s-1/qr"), 404, "NOT_FOUND")


@row("POST /api/v1/webhooks/session-status", error=413)
def test_what_is_too_large_is_refused_in_the_dialects_form(fleet):
    path = "/api/v1/webhooks/session-status"
    refused(fleet.worker.post(path, {"sessionId": "s-1", "status": "qr_required",
                                     "qrCode": "A" * ((1 << 20) + 1)}), 400, "VALIDATION_ERROR")
    refused(fleet.worker.post(path, {"sessionId": "s-1", "qrCode": "A" * (2 << 20)}), 413,
            "PAYLOAD_TOO_LARGE")
    refused(fleet.station("worker-1").register(description="A" * (1 << 20)), 413,
            "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("change", [
    {"sessionId": None}, {"sessionId": "a b"}, {"sessionId": "s" * 101}, {"sessionId": 5},
    {"status": "PURPLE"}, {"status": 5}, {"status": None}, {"workerId": "x"},
    {"timestamp": "soon"}, {"phoneNumber": 62811}, {"qrCode": 7}, {"displayName": ["x"]}])
@row("POST /api/v1/webhooks/session-status", error=400)
def test_a_session_status_that_cannot_be_stored_is_refused(fleet, change):
    body = {"sessionId": "s-1", "status": "CONNECTED", "timestamp": now(), **change}
    refused(fleet.worker.post("/api/v1/webhooks/session-status", body), 400, "VALIDATION_ERROR")


@row("POST /api/v1/webhooks/session-status/{sessionId}", error=400)
def test_the_ids_of_path_and_body_must_agree(fleet):
    body = {"sessionId": "s-1", "status": "CONNECTED"}
    refused(fleet.worker.post("/api/v1/webhooks/session-status/s-2", body), 400,
            "VALIDATION_ERROR")


@row("POST /api/v1/webhooks/session-status", error=401)
@row("POST /api/v1/webhooks/session-status/{sessionId}", error=401)
@row("POST /api/v1/webhooks/message-status", error=401)
def test_webhooks_take_a_fleet_token(fleet):
    for path in ("session-status", "session-status/s-1", "message-status"):
        unauthorized(fleet, "POST", f"/api/v1/webhooks/{path}", {"sessionId": "s-1"})


# ---- message status ----

@row("POST /api/v1/webhooks/message-status")
def test_the_documents_message_status_is_taken(fleet):
    good(fleet.station("worker-001").register())
    answer = fleet.worker.post("/api/v1/webhooks/message-status",
                               example("003_message_status_request.json"))
    assert answer.status_code == 200
    alike(example("003_message_status_answer.json"), answer.json())
    data = answer.json()["data"]
    assert (data["messageId"], data["status"]) == ("msg_12345", "delivered")
    assert data["sessionId"] == "user123-session1" and TIME.fullmatch(data["updatedAt"])
    seen = good(fleet.admin.get("/api/v1/messages/msg_12345"))
    assert seen["status"] == "DELIVERED" and seen["to"] == "6281234567890"
    assert seen["deliveredAt"] == "2024-01-15T10:30:00.000Z"


def test_a_message_never_goes_back(fleet):
    w = fleet.station("worker-1")
    good(w.register())
    for status in ("sent", "READ", "delivered", "sent", "failed"):
        good(w.message("m-1", status, "s-1"))
    assert good(fleet.admin.get("/api/v1/messages/m-1"))["status"] == "READ"
    flat = {"sessionId": "s-1", "messageId": "m-2", "status": "FAILED", "to": "62811",
            "errorMessage": "no route", "timestamp": now()}
    assert good(fleet.worker.post("/api/webhooks/message-status", flat))["status"] == "FAILED"
    assert good(w.message("m-2", "delivered", "s-1"))["status"] == "FAILED"
    assert good(fleet.admin.get("/api/v1/messages/m-2"))["errorMessage"] == "no route"


def test_two_sessions_may_use_one_message_id(fleet):
    w = fleet.station("worker-1")
    good(w.register())
    for session in ("s-1", "s-2"):
        good(w.session(session, "connected"))
    good(w.message("3EB0", "read", "s-1"))
    good(w.message("3EB0", "sent", "s-2"))
    states = [good(fleet.admin.get(f"/api/v1/sessions/{s}/messages"))["messages"][0]["status"]
              for s in ("s-1", "s-2")]
    assert states == ["READ", "SENT"]


def test_a_report_without_its_session_finds_the_message(fleet):
    w = fleet.station("worker-1")
    good(w.register())
    good(w.message("m-1", "sent", "s-1"))
    data = good(fleet.worker.post("/api/v1/webhooks/message-status",
                                  {"messageId": "m-1", "status": "read"}))
    assert data["sessionId"] == "s-1"
    assert good(fleet.admin.get("/api/v1/messages/m-1"))["status"] == "READ"


@pytest.mark.parametrize("change", [
    {"messageId": None}, {"messageId": ""}, {"messageId": "m" * 101}, {"messageId": 5},
    {"status": None}, {"status": "LOST"}, {"sessionId": "a b"}, {"deliveredAt": "then"},
    {"readAt": True}, {"to": 62811}, {"errorMessage": {}}])
@row("POST /api/v1/webhooks/message-status", error=400)
def test_a_message_status_that_cannot_be_stored_is_refused(fleet, change):
    body = {"messageId": "m-1", "sessionId": "s-1", "status": "SENT", **change}
    refused(fleet.worker.post("/api/v1/webhooks/message-status", body), 400, "VALIDATION_ERROR")


# ---- errors of the framework ----

def test_the_error_has_the_documents_members(fleet):
    sample = example("003_error.json")
    body = fleet.worker.post("/api/v1/workers/register", {}).json()
    assert set(sample) <= set(body) and body["success"] is False
    assert all(isinstance(body[key], type(value)) for key, value in sample.items())


def test_unknown_paths_and_methods_have_the_form_that_both_dialects_read(fleet):
    for path in ("/api/v1/no/such/path", "/api/no/such/path"):
        body = refused(fleet.worker.get(path), 404, "NOT_FOUND")
        assert isinstance(body["message"], str)
    answer = fleet.worker.delete("/api/v1/workers/register/x")
    refused(answer, 404, "NOT_FOUND")
    answer = fleet.worker.put("/api/v1/workers/register")
    assert answer.headers["Allow"] and "POST" in answer.headers["Allow"]
    assert isinstance(refused(answer, 405, "METHOD_NOT_ALLOWED")["message"], str)
    answer = fleet.worker.call("POST", "/api/v1/workers/register", data="<x/>",
                               headers={"Content-Type": "text/xml"})
    refused(answer, 415, "UNSUPPORTED_MEDIA_TYPE")


def test_a_deep_body_is_refused_and_the_server_lives(fleet):
    body = json.loads("[" * 60 + "]" * 60)
    w = fleet.station("worker-1")
    good(w.event("moon_rises", "s-1", deep=body[0]))
    answer = fleet.worker.call("POST", w.at("/events"), data="[" * 100000,
                               headers={"Content-Type": "application/json"})
    refused(answer, 400, "VALIDATION_ERROR")
