"""Dialect 003: what one fleet sees of another, what happens at once, what outlives a restart."""
import concurrent.futures

from conftest import Caller, Relais, example
from station import QR, Fleet, good, refused
from station import fleet, ground, rival  # noqa: F401 - fixtures


# ---- brands ----

def test_one_fleet_sees_nothing_of_another(fleet, rival):
    mine, theirs = fleet.station("worker-1"), rival.station("worker-1")
    good(mine.register())
    good(theirs.register(endpoint=mine.endpoint))
    mine.connected("s-1")
    good(mine.message("m-1", "sent", "s-1"))
    good(mine.session("s-2", "qr_ready", "qr_required", qrCode=QR))
    assert theirs.assigned() == []
    for path in ("/sessions/s-1", "/sessions/s-2/qr", "/messages/m-1", "/sessions/s-1/messages"):
        good(fleet.admin.get("/api/v1" + path))
        refused(rival.admin.get("/api/v1" + path), 404, "NOT_FOUND")
    good(theirs.session("s-1", "disconnected"))
    assert good(fleet.admin.get("/api/v1/sessions/s-1"))["status"] == "CONNECTED"
    assert len(good(rival.admin.get("/api/v1/workers"))["workers"]) == 1
    good(theirs.message("m-1", "failed", "s-1"))
    assert good(fleet.admin.get("/api/v1/messages/m-1"))["status"] == "SENT"


def test_a_token_of_one_brand_is_none_of_another(fleet, rival):
    answer = fleet.worker.call("POST", "/api/v1/workers/register",
                               json=example("003_register_request.json"),
                               headers={"X-Brand-ID": str(rival.number)})
    refused(answer, 403, "FORBIDDEN")


def test_the_records_outlive_a_restart():
    flags = ["--worker-tokens=again"]
    first = Relais(*flags)
    first.own = False
    fleet = Fleet(first, 1)
    fleet.worker = Caller(first.http, "again")
    w = fleet.station("worker-1")
    good(w.register())
    w.connected("s-1")
    good(w.message("m-1", "delivered", "s-1"))
    good(w.session("s-2", "qr_ready", "qr_required", qrCode=QR))
    assert first.stop() == 0
    second = Relais(*flags, data=first.data)
    try:
        fleet = Fleet(second, 1)
        assert good(fleet.admin.get("/api/v1/sessions/s-1"))["phoneNumber"] == "+6281234567890"
        assert good(fleet.admin.get("/api/v1/messages/m-1"))["status"] == "DELIVERED"
        assert good(fleet.admin.get("/api/v1/sessions/s-2/qr"))["qrCode"] == QR
    finally:
        second.own = True
        second.stop()


# ---- many at once ----

def test_reports_that_arrive_at_once_leave_the_furthest_state(fleet):
    w = fleet.station("worker-1")
    good(w.register())
    states = ["sent", "delivered", "read", "sent", "delivered", "failed", "sent", "delivered"]
    callers = [Fleet(fleet.relais, fleet.number).station("worker-1") for _ in states]
    for caller in callers:
        caller.fleet.worker = caller.call = Caller(fleet.relais.http, fleet.token)
    good(w.message("m-1", "delivered", "s-1"))
    with concurrent.futures.ThreadPoolExecutor(len(states)) as pool:
        for answer in [pool.submit(c.message, "m-1", s, "s-1") for c, s in zip(callers, states)]:
            good(answer.result())
        firsts = [pool.submit(c.message, "m-2", "sent", "s-1") for c in callers]
        for answer in firsts:
            good(answer.result())
    assert good(fleet.admin.get("/api/v1/messages/m-1"))["status"] == "READ"
    assert good(fleet.admin.get("/api/v1/messages/m-2"))["status"] == "SENT"
    good(w.session("s-1", "connected"))
    assert good(fleet.admin.get("/api/v1/sessions/s-1/messages"))["total"] == 2
