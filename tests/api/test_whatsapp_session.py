"""Dialect 003 as its users see it: sessions, messages, and what is told as it happens."""
import concurrent.futures
import signal

import pytest

from conftest import TIME, Caller
from rows import row
from station import QR, Listener, Socket, good, refused
from station import fleet, ground, rival  # noqa: F401 - fixtures


@pytest.fixture
def w(fleet):
    station = fleet.station("worker-1")
    good(station.register())
    return station


def make(fleet, session="s-1", name="Sales"):
    return good(fleet.user.post("/api/v1/sessions", {"name": name, "sessionId": session}), 201)


def connect(fleet, w, session="s-1"):
    """A session of the user's that the worker has logged in."""
    make(fleet, session)
    good(fleet.user.post(f"/api/v1/sessions/{session}/connect", {}))
    for command in w.commands(kind="create_session"):
        good(w.ack(command))
    w.connected(session)


def members_only(fleet, method, path, body=None):
    refused(Caller(fleet.relais.http).call(method, path, json=body), 401, "UNAUTHORIZED")
    refused(fleet.worker.call(method, path, json=body), 403, "FORBIDDEN")


# ---- sessions ----

@row("POST /api/v1/sessions")
@row("GET /api/v1/sessions/{id}")
def test_a_session_is_made_disconnected_and_is_its_makers(fleet):
    made = make(fleet)
    assert (made["sessionId"], made["status"], made["name"]) == ("s-1", "DISCONNECTED", "Sales")
    assert made["userId"] == fleet.user_name and made["workerId"] is None
    seen = good(fleet.user.get("/api/v1/sessions/s-1"))
    assert seen["sessionName"] == "Sales" and TIME.fullmatch(seen["createdAt"])
    good(fleet.admin.get("/api/v1/sessions/s-1"))
    issued = good(fleet.user.post("/api/v1/sessions", {"name": "More"}), 201)["sessionId"]
    assert good(fleet.user.get(f"/api/v1/sessions/{issued}"))["name"] == "More"


@row("POST /api/v1/sessions", error=409)
def test_a_session_is_made_once_and_a_key_repeats_the_answer(fleet):
    make(fleet)
    refused(fleet.user.post("/api/v1/sessions", {"name": "x", "sessionId": "s-1"}), 409,
            "CONFLICT")
    key = {"Idempotency-Key": "k-1"}
    first = good(fleet.user.post("/api/v1/sessions", {"name": "Once"}, headers=key), 201)
    again = good(fleet.user.post("/api/v1/sessions", {"name": "Once"}, headers=key), 201)
    assert first["sessionId"] == again["sessionId"]
    refused(fleet.user.post("/api/v1/sessions", {"name": "Other"}, headers=key), 409,
            "IDEMPOTENCY_CONFLICT")


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": 5}, {"name": "n" * 101},
                                  {"name": "x", "sessionId": "a b"},
                                  {"name": "x", "sessionId": "s" * 101}, [], None])
@row("POST /api/v1/sessions", error=400)
def test_a_session_that_cannot_be_stored_is_refused(fleet, body):
    refused(fleet.user.call("POST", "/api/v1/sessions", json=body), 400, "VALIDATION_ERROR")


@row("GET /api/v1/sessions")
def test_a_user_lists_his_own_sessions_and_an_administrator_all(fleet):
    for n in range(3):
        make(fleet, f"s-{n}")
    good(fleet.other.post("/api/v1/sessions", {"name": "x", "sessionId": "o-1"}), 201)
    mine = good(fleet.user.get("/api/v1/sessions"))
    assert sorted(s["sessionId"] for s in mine["sessions"]) == ["s-0", "s-1", "s-2"]
    assert mine["pagination"]["total"] == 3
    page = good(fleet.user.get("/api/v1/sessions?limit=2&page=2"))
    assert len(page["sessions"]) == 1 and page["pagination"]["totalPages"] == 2
    assert good(fleet.admin.get("/api/v1/sessions"))["pagination"]["total"] == 4
    assert good(fleet.user.get("/api/v1/sessions?status=connected"))["sessions"] == []
    assert len(good(fleet.user.get("/api/v1/sessions?status=DISCONNECTED"))["sessions"]) == 3


@row("GET /api/v1/sessions", error=400)
def test_a_bad_filter_of_sessions_is_refused(fleet):
    for query in ("status=PURPLE", "page=0", "limit=0"):
        refused(fleet.user.get("/api/v1/sessions?" + query), 400, "VALIDATION_ERROR")


def test_another_users_session_is_not_found(fleet):
    make(fleet)
    for path in ("", "/status", "/qr", "/messages"):
        refused(fleet.other.get("/api/v1/sessions/s-1" + path), 404, "NOT_FOUND")
    for act in ("connect", "restart", "disconnect", "logout"):
        refused(fleet.other.post(f"/api/v1/sessions/s-1/{act}", {}), 404, "NOT_FOUND")
    refused(fleet.other.delete("/api/v1/sessions/s-1"), 404, "NOT_FOUND")
    body = {"to": "62811", "type": "text", "message": "x"}
    refused(fleet.other.post("/api/v1/sessions/s-1/messages", body), 404, "NOT_FOUND")
    good(fleet.user.get("/api/v1/sessions/s-1"))


@row("POST /api/v1/sessions/{id}/connect")
@row("GET /api/v1/sessions/{id}/status")
def test_connecting_gives_the_session_to_the_worker_with_the_most_room(fleet):
    busy, free = fleet.station("worker-1"), fleet.station("worker-2")
    good(busy.register())
    busy.connected("x-1")
    busy.connected("x-2")
    good(free.register())
    make(fleet)
    data = good(fleet.user.post("/api/v1/sessions/s-1/connect", {}))
    assert (data["status"], data["workerId"]) == ("INIT", "worker-2")
    assert good(fleet.user.get("/api/v1/sessions/s-1/status"))["status"] == "INIT"
    assert [c["type"] for c in good(free.beat())["commands"]] == ["create_session"]
    assert good(busy.beat())["commands"] == []


@row("POST /api/v1/sessions/{id}/connect", error=503)
def test_without_a_worker_that_has_room_nothing_connects(fleet):
    make(fleet)
    answer = fleet.user.post("/api/v1/sessions/s-1/connect", {})
    refused(answer, 503, "NO_AVAILABLE_WORKERS")
    assert int(answer.headers["Retry-After"]) > 0
    w = fleet.station("worker-1", sessions_max=1)
    good(w.register(status="MAINTENANCE"))
    refused(fleet.user.post("/api/v1/sessions/s-1/connect", {}), 503, "NO_AVAILABLE_WORKERS")


@row("POST /api/v1/sessions/{id}/connect", error=409)
def test_a_session_connects_once(fleet, w):
    make(fleet)
    good(fleet.user.post("/api/v1/sessions/s-1/connect", {}))
    refused(fleet.user.post("/api/v1/sessions/s-1/connect", {}), 409, "CONFLICT")
    w.connected("s-1")
    refused(fleet.user.post("/api/v1/sessions/s-1/connect", {}), 409, "CONFLICT")


@pytest.mark.parametrize("act,command", [
    ("restart", "restart_session"), ("disconnect", "disconnect_session"),
    ("logout", "logout_session")])
@row("POST /api/v1/sessions/{id}/restart")
@row("POST /api/v1/sessions/{id}/disconnect")
@row("POST /api/v1/sessions/{id}/logout")
def test_what_is_done_to_a_session_becomes_a_command_of_its_worker(fleet, w, act, command):
    connect(fleet, w)
    data = good(fleet.user.post(f"/api/v1/sessions/s-1/{act}", {}))
    assert data["sessionId"] == "s-1"
    assert [c["type"] for c in w.commands()] == [command]


@row("DELETE /api/v1/sessions/{id}")
def test_a_deleted_session_is_gone_and_its_worker_is_told(fleet, w):
    connect(fleet, w)
    data = good(fleet.user.delete("/api/v1/sessions/s-1"))
    assert data["sessionId"] == "s-1"
    refused(fleet.user.get("/api/v1/sessions/s-1"), 404, "NOT_FOUND")
    assert [c["type"] for c in w.commands()] == ["delete_session"]


@row("GET /api/v1/sessions/{id}/qr")
def test_the_code_to_scan_is_shown_to_the_sessions_user(fleet, w):
    make(fleet)
    good(fleet.user.post("/api/v1/sessions/s-1/connect", {}))
    good(w.session("s-1", "qr_ready", "qr_required", qrCode=QR, qrString="1@ABC"))
    data = good(fleet.user.get("/api/v1/sessions/s-1/qr"))
    assert (data["qrCode"], data["qrString"], data["status"]) == (QR, "1@ABC", "QR_REQUIRED")
    assert TIME.fullmatch(data["expiresAt"])


def test_a_code_is_not_shown_once_a_heartbeat_found_the_session_connected(fleet, w):
    good(w.session("s-1", "qr_ready", "qr_required", qrCode=QR))
    good(fleet.admin.get("/api/v1/sessions/s-1/qr"))
    good(w.beat([{"sessionId": "s-1", "status": "CONNECTED"}]))
    refused(fleet.admin.get("/api/v1/sessions/s-1/qr"), 404, "NOT_FOUND")


@row("GET /api/v1/sessions/{id}", error=404)
@row("DELETE /api/v1/sessions/{id}", error=404)
@row("POST /api/v1/sessions/{id}/connect", error=404)
@row("POST /api/v1/sessions/{id}/restart", error=404)
@row("POST /api/v1/sessions/{id}/disconnect", error=404)
@row("POST /api/v1/sessions/{id}/logout", error=404)
@row("GET /api/v1/sessions/{id}/status", error=404)
@row("GET /api/v1/sessions/{id}/qr", error=404)
@row("POST /api/v1/sessions/{id}/messages", error=404)
@row("GET /api/v1/sessions/{id}/messages", error=404)
@row("GET /api/v1/messages/{id}", error=404)
def test_what_is_not_there_is_not_found(fleet):
    at = "/api/v1/sessions/s-9"
    for path in ("", "/status", "/qr", "/messages"):
        refused(fleet.user.get(at + path), 404, "NOT_FOUND")
    for act in ("connect", "restart", "disconnect", "logout"):
        refused(fleet.user.post(f"{at}/{act}", {}), 404, "NOT_FOUND")
    refused(fleet.user.delete(at), 404, "NOT_FOUND")
    body = {"to": "62811", "type": "text", "message": "x"}
    refused(fleet.user.post(at + "/messages", body), 404, "NOT_FOUND")
    refused(fleet.user.get("/api/v1/messages/m-9"), 404, "NOT_FOUND")
    refused(fleet.user.get("/api/v1/messages/" + "m" * 200), 404, "NOT_FOUND")


@row("GET /api/v1/sessions", error=401)
@row("POST /api/v1/sessions", error=401)
@row("GET /api/v1/sessions/{id}", error=401)
@row("GET /api/v1/messages/{id}", error=401)
def test_sessions_and_messages_take_a_users_token(fleet):
    at = "/api/v1/sessions/s-1"
    for path in ("/api/v1/sessions", at, at + "/status", at + "/qr", at + "/messages",
                 "/api/v1/messages/m-1"):
        members_only(fleet, "GET", path)
    for act in ("connect", "restart", "disconnect", "logout", "messages"):
        members_only(fleet, "POST", f"{at}/{act}", {})
    members_only(fleet, "POST", "/api/v1/sessions", {"name": "x"})
    members_only(fleet, "DELETE", at)


def test_an_id_that_never_was_one_is_refused(fleet):
    refused(fleet.user.get("/api/v1/sessions/a%20b"), 400, "VALIDATION_ERROR")
    refused(fleet.user.get("/api/v1/sessions/" + "s" * 101), 400, "VALIDATION_ERROR")


# ---- messages ----

@row("POST /api/v1/sessions/{id}/messages")
@row("GET /api/v1/messages/{id}")
def test_a_message_becomes_a_command_and_its_reports_move_it_on(fleet, w):
    connect(fleet, w)
    body = {"to": "6281234567890:7@s.whatsapp.net", "type": "text", "message": "Hello, 世界"}
    answer = fleet.user.post("/api/v1/sessions/s-1/messages", body)
    sent = good(answer, 202)
    assert sent["status"] == "PENDING" and sent["to"] == "6281234567890"
    command = w.commands(kind="send_message")[0]
    assert command["payload"] == {"messageId": sent["messageId"], "sessionId": "s-1",
                                  "to": "6281234567890", "type": "text",
                                  "message": "Hello, 世界"}
    seen = good(fleet.user.get("/api/v1/messages/" + sent["messageId"]))
    assert seen["direction"] == "outbound" and seen["content"] == {"message": "Hello, 世界"}
    unsaid = {"sentAt", "deliveredAt", "readAt", "failedAt", "errorMessage"}
    assert {key for key in seen if seen[key] is None} == unsaid, "there, and null"
    assert good(fleet.user.get("/api/v1/sessions/s-1/messages"))["messages"] == [seen]
    good(w.message(sent["messageId"], "sent", "s-1"))
    good(w.message(sent["messageId"], "delivered", "s-1"))
    seen = good(fleet.user.get("/api/v1/messages/" + sent["messageId"]))
    assert seen["status"] == "DELIVERED" and TIME.fullmatch(seen["sentAt"])
    assert w.commands(kind="send_message") == []  # the report was its end
    refused(fleet.other.get("/api/v1/messages/" + sent["messageId"]), 404, "NOT_FOUND")


@pytest.mark.parametrize("kind", ["image", "document", "audio", "video", "location", "contact",
                                  "link", "poll", "seen", "typing_start", "typing_stop"])
def test_every_type_of_message_is_taken(fleet, w, kind):
    connect(fleet, w)
    body = {"to": "120363041234567890@g.us", "type": kind, "url": "https://x/y", "caption": "c"}
    sent = good(fleet.service.post("/api/v1/sessions/s-1/messages", body), 202)
    payload = w.commands(kind="send_message")[0]["payload"]
    assert payload["type"] == kind and payload["caption"] == "c"
    assert payload["to"] == "120363041234567890@g.us"
    assert payload["messageId"] == sent["messageId"]


def test_a_key_sends_a_message_once(fleet, w):
    connect(fleet, w)
    path, key = "/api/v1/sessions/s-1/messages", {"Idempotency-Key": "k-1"}
    body = {"to": "62811", "type": "text", "message": "once"}
    first = good(fleet.user.post(path, body, headers=key), 202)
    again = good(fleet.user.post(path, body, headers=key), 202)
    assert first["messageId"] == again["messageId"]
    assert len(w.commands(kind="send_message")) == 1
    refused(fleet.user.post(path, {**body, "message": "twice"}, headers=key), 409,
            "IDEMPOTENCY_CONFLICT")


def test_a_key_sends_a_message_once_when_it_comes_twice_at_once(fleet, w):
    connect(fleet, w)
    path, key = "/api/v1/sessions/s-1/messages", {"Idempotency-Key": "k-1"}
    body = {"to": "62811", "type": "text", "message": "once"}
    callers = [Caller(fleet.relais.http, fleet.user.token) for _ in range(6)]
    with concurrent.futures.ThreadPoolExecutor(len(callers)) as pool:
        sent = [pool.submit(c.post, path, body, headers=key) for c in callers]
        ids = {good(answer.result(), 202)["messageId"] for answer in sent}
    assert len(ids) == 1 and len(w.commands(kind="send_message")) == 1
    assert good(fleet.user.get(path))["total"] == 1


@row("POST /api/v1/sessions/{id}/messages", error=409)
def test_a_session_that_is_not_connected_sends_nothing(fleet, w):
    make(fleet)
    body = {"to": "62811", "type": "text", "message": "x"}
    refused(fleet.user.post("/api/v1/sessions/s-1/messages", body), 409,
            "SESSION_NOT_CONNECTED")


@pytest.mark.parametrize("change", [
    {"to": None}, {"to": ""}, {"to": "Ann"}, {"to": "0812"}, {"to": 62811}, {"type": None},
    {"type": "smoke"}, {"type": 5}, {"message": None}, {"message": ""}])
@row("POST /api/v1/sessions/{id}/messages", error=400)
def test_a_message_that_cannot_be_sent_is_refused(fleet, w, change):
    connect(fleet, w)
    body = {"to": "62811", "type": "text", "message": "x", **change}
    refused(fleet.user.post("/api/v1/sessions/s-1/messages", body), 400, "VALIDATION_ERROR")
    assert w.commands() == []


@row("POST /api/v1/sessions/{id}/messages", error=413)
def test_a_message_too_large_for_a_command_is_refused(fleet, w):
    connect(fleet, w)
    body = {"to": "62811", "type": "text", "message": "x" * (61 << 10)}
    refused(fleet.user.post("/api/v1/sessions/s-1/messages", body), 413, "PAYLOAD_TOO_LARGE")


@row("GET /api/v1/sessions/{id}/messages")
def test_the_messages_of_a_session_are_listed_newest_first(fleet, w):
    connect(fleet, w)
    for n in range(3):
        good(fleet.user.post("/api/v1/sessions/s-1/messages",
                             {"to": "62811", "type": "text", "message": str(n)}), 202)
    seen = good(fleet.user.get("/api/v1/sessions/s-1/messages?limit=2"))
    assert [m["content"]["message"] for m in seen["messages"]] == ["2", "1"]
    assert (seen["total"], seen["hasMore"]) == (3, True)
    seen = good(fleet.user.get("/api/v1/sessions/s-1/messages?limit=2&offset=2"))
    assert [m["content"]["message"] for m in seen["messages"]] == ["0"]


@row("GET /api/v1/sessions/{id}/messages", error=400)
def test_a_bad_page_of_messages_is_refused(fleet):
    make(fleet)
    for query in ("limit=0", "offset=-1", "limit=x"):
        refused(fleet.user.get("/api/v1/sessions/s-1/messages?" + query), 400,
                "VALIDATION_ERROR")


# ---- events ----

@row("GET /api/v1/events/stream")
def test_what_happens_is_told_as_it_happens(fleet, w):
    listener = Listener(fleet.user)
    connect(fleet, w)
    listener.wait(lambda name, data: name == "session_status_changed" and
                  (data["sessionId"], data["status"]) == ("s-1", "INIT"))
    code = listener.wait(lambda name, data: name == "qr_code_updated")
    assert code[2]["sessionId"] == "s-1" and code[2]["qrCode"] == QR
    listener.wait(lambda name, data: name == "session_status_changed" and
                  data["status"] == "CONNECTED")
    sent = good(fleet.user.post("/api/v1/sessions/s-1/messages",
                                {"to": "62811", "type": "text", "message": "x"}), 202)
    good(w.message(sent["messageId"], "read", "s-1"))
    listener.wait(lambda name, data: name == "message_status_updated" and
                  data["messageId"] == sent["messageId"] and data["status"] == "READ")
    assert not [e for e in listener.events if e[0] == "worker_status_updated"]
    listener.close()


def test_a_listener_that_comes_back_misses_nothing(fleet, w):
    listener = Listener(fleet.user)
    connect(fleet, w)
    last = listener.wait(lambda name, data: data.get("status") == "CONNECTED")[1]
    listener.close()
    for status in ("sent", "delivered", "read"):
        good(w.message("m-1", status, "s-1"))
    again = Listener(fleet.user, last=last)
    again.wait(lambda name, data: data.get("status") == "READ")
    assert [e[2]["status"] for e in again.events] == ["SENT", "DELIVERED", "READ"]
    again.close()


def test_a_listener_that_missed_much_is_told_all_of_it_on_one_connection(fleet, w):
    listener = Listener(fleet.user)
    connect(fleet, w)
    last = listener.wait(lambda name, data: data.get("status") == "CONNECTED")[1]
    listener.close()
    codes = [f"1@{number}" for number in range(200)]
    for code in codes:
        good(w.session("s-1", "qr_ready", status="qr_required", qrString=code,
                       qrCode="data:image/png;base64," + "A" * 4000))
    again = Listener(fleet.user, last=last)
    again.wait(lambda name, data: data.get("qrString") == codes[-1])
    assert [e[2]["qrString"] for e in again.events if e[0] == "qr_code_updated"] == codes
    again.close()


def test_a_listener_that_was_away_too_long_is_told_so(fleet, w):
    connect(fleet, w)
    listener = Listener(fleet.admin, last="1")
    listener.wait(lambda name, data: name == "reset")
    listener.close()


def test_nobody_hears_of_another_users_or_another_brands_sessions(fleet, rival, w):
    mine = [Listener(fleet.other), Listener(rival.admin)]
    chief = Listener(fleet.admin)
    connect(fleet, w)
    good(w.message("m-1", "read", "s-1"))
    chief.wait(lambda name, data: name == "message_status_updated")
    good(fleet.other.post("/api/v1/sessions", {"name": "o", "sessionId": "o-1"}), 201)
    good(w.session("o-1", "connected"))
    mine[0].wait(lambda name, data: data.get("sessionId") == "o-1" and
                 data["status"] == "CONNECTED")
    theirs = rival.station("worker-5")
    good(theirs.register())
    good(theirs.session("r-1", "connected"))
    mine[1].wait(lambda name, data: data.get("sessionId") == "r-1")
    assert {e[2].get("sessionId") for e in mine[0].events} == {"o-1"}
    assert {e[2].get("sessionId") for e in mine[1].events} <= {"r-1", None}
    assert {e[2].get("workerId") for e in mine[1].events} == {"worker-5"}
    for listener in [*mine, chief]:
        listener.close()


def test_an_administrator_hears_of_workers(fleet):
    listener = Listener(fleet.admin)
    w = fleet.station("worker-1")
    good(w.register())
    found = listener.wait(lambda name, data: name == "worker_status_updated")
    assert (found[2]["workerId"], found[2]["status"]) == ("worker-1", "ONLINE")
    listener.close()


def test_a_stream_begins_where_the_broker_says(relais_with):
    """Whoever has seen the 200 misses nothing: it comes after the place in the feed."""
    broker = relais_with(role="broker")
    gateway = relais_with("--silence-ms=600", role="gateway", data=broker.data)
    admin = gateway.caller("admin", "chief", 1)
    good(admin.get("/api/v1/sessions"))
    broker.process.send_signal(signal.SIGSTOP)
    try:
        refused(admin.call("GET", "/api/v1/events/stream", stream=True, timeout=30), 503,
                "UNAVAILABLE")
    finally:
        broker.process.send_signal(signal.SIGCONT)


def test_a_stream_may_be_of_one_session(fleet, w):
    listener = Listener(fleet.admin, "/api/events/stream?sessionId=s-2")
    for session in ("s-1", "s-2"):
        good(w.session(session, "connected"))
    listener.wait(lambda name, data: data.get("sessionId") == "s-2")
    assert {e[2].get("sessionId", "s-2") for e in listener.events} == {"s-2"}
    listener.close()


@row("GET /api/v1/events/stream", error=400)
@row("GET /api/v1/events/stream", error=401)
@row("GET /api/v1/events/ws", error=401)
def test_bad_questions_for_events_are_refused(fleet):
    for path in ("/api/v1/events/stream", "/api/v1/events/ws"):
        members_only(fleet, "GET", path)
        refused(fleet.user.call("GET", path, headers={"Last-Event-ID": "x"}), 400,
                "VALIDATION_ERROR")


@row("GET /api/v1/events/ws")
def test_the_same_is_told_over_a_websocket(fleet, w):
    ear = Socket(fleet.relais, "/api/v1/events/ws", fleet.user.token)
    assert ear.status == 101
    ear.send(1, b"hello")  # of no consequence
    connect(fleet, w)
    told = ear.wait(lambda m: m["event"] == "session_status_changed" and
                    m["data"]["status"] == "CONNECTED")
    assert told["data"]["sessionId"] == "s-1" and TIME.fullmatch(told["timestamp"])
    assert ear.close() == 1000
    for status in ("sent", "read"):
        good(w.message("m-1", status, "s-1"))
    again = Socket(fleet.relais, f"/api/events/ws?access_token={fleet.user.token}"
                   f"&lastEventId={told['id']}")
    assert again.status == 101
    assert again.wait(lambda m: True)["data"]["status"] == "SENT"
    assert again.wait(lambda m: True)["data"]["status"] == "READ"
    again.close()


def test_a_websocket_hears_nothing_of_another_brand(fleet, rival, w):
    ear = Socket(fleet.relais, "/api/v1/events/ws", rival.admin.token)
    connect(fleet, w)
    good(rival.station("worker-5").register())
    assert ear.wait(lambda m: True)["data"]["workerId"] == "worker-5"
    ear.close()


@row("GET /api/v1/events/ws", error=426)
def test_a_websocket_must_be_asked_for(fleet):
    answer = fleet.user.get("/api/v1/events/ws")
    refused(answer, 426, "UPGRADE_REQUIRED")
    assert answer.headers["Upgrade"].lower() == "websocket"


def test_a_listener_that_reads_late_is_told_all_of_it(fleet, w):
    """Far more than the gateway holds for one: the rest waits where it happened."""
    ear = Socket(fleet.relais, "/api/v1/events/ws", fleet.admin.token)
    stream = Listener(fleet.admin, begin=False)
    good(w.session("s-1", "connected"))
    ear.wait(lambda m: m["event"] == "session_status_changed")
    for n in range(700):
        good(w.message(f"m-{n}", "sent", "s-1", errorMessage="e" * 450))
    prompt = Listener(fleet.admin)
    good(w.message("m-700", "sent", "s-1"))
    prompt.wait(lambda name, data: data.get("messageId") == "m-700")
    for n in range(701):
        assert ear.wait(lambda m: True)["data"]["messageId"] == f"m-{n}"
    stream.begin()
    stream.wait(lambda name, data: data.get("messageId") == "m-700")
    told = [data["messageId"] for name, _, data in stream.events if name.startswith("message")]
    assert told == [f"m-{n}" for n in range(701)]
    ear.close()
    for listener in (stream, prompt):
        listener.close()
