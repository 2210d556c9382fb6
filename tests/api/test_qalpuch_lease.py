"""Leases of dialect 000: who lost one is told so, by this server and by the next."""
import time

import pytest

from conftest import Caller
from films import BASE, created, enrolled, good, handed, patched, pending, refused, taken


@pytest.mark.parametrize("started", [True, False])
def test_a_worker_whose_lease_ran_out_gets_409_everywhere(relais_with, started):
    server = relais_with("--claim-lease-ms=3000")
    admin, user = server.caller("admin", "root", 1), server.caller("user", "martin", 1)
    stale, rival = (enrolled(server, admin)[1] for _ in range(2))
    task = created(user)
    taken(stale)
    if started:
        good(patched(stale, task, status="processing"))
    got = taken(rival)  # as after a SIGSTOP longer than the lease
    assert got["id"] == task["id"]
    refused(patched(stale, task, status="processing"), 409, "ATTEMPT_SUPERSEDED")
    refused(handed(stale, task, b"stale"), 409, "ATTEMPT_SUPERSEDED")
    refused(patched(stale, task, status="failed"), 409, "ATTEMPT_SUPERSEDED")
    good(handed(rival, task, b"fresh"))
    refused(handed(stale, task, b"stale"), 409, "ATTEMPT_SUPERSEDED")
    assert user.get(f"{BASE}/tasks/{task['id']}/result").content == b"fresh"


@pytest.mark.parametrize("started", [True, False])
def test_whose_lease_ran_out_before_a_restart_still_gets_409(relais_with, started):
    first = relais_with("--claim-lease-ms=3000")
    admin, user = first.caller("admin", "root", 1), first.caller("user", "martin", 1)
    stale, rival, other = (enrolled(first, admin)[1] for _ in range(3))
    task = created(user)
    taken(stale)
    if started:
        good(patched(stale, task, status="processing"))
    assert taken(rival)["id"] == task["id"]
    first.process.kill()
    first.process.wait()
    second = relais_with(data=first.data)
    stale, rival, other = (Caller(second.http, x.token) for x in (stale, rival, other))
    refused(patched(stale, task, status="processing"), 409, "ATTEMPT_SUPERSEDED")
    refused(handed(stale, task, b"stale"), 409, "ATTEMPT_SUPERSEDED")
    refused(patched(stale, task, status="failed"), 409, "ATTEMPT_SUPERSEDED")
    refused(patched(other, task, status="failed"), 403)
    good(handed(rival, task, b"fresh"))


@pytest.mark.parametrize("started", [True, False])
def test_whose_lease_ended_with_the_restart_gets_409(relais_with, started):
    first = relais_with("--claim-lease-ms=3000")
    admin, user = first.caller("admin", "root", 1), first.caller("user", "martin", 1)
    stale, rival = (enrolled(first, admin)[1] for _ in range(2))
    task = created(user)
    taken(stale)
    if started:
        good(patched(stale, task, status="processing"))
    first.process.kill()
    first.process.wait()
    second = relais_with("--claim-lease-ms=60000", data=first.data)
    stale, rival = (Caller(second.http, x.token) for x in (stale, rival))
    assert taken(rival, wait=60)["id"] == task["id"]
    refused(handed(stale, task, b"stale"), 409, "ATTEMPT_SUPERSEDED")
    second.process.kill()
    second.process.wait()
    third = relais_with(data=first.data)
    refused(patched(Caller(third.http, stale.token), task, status="failed"), 409,
            "ATTEMPT_SUPERSEDED")


def test_a_status_renews_the_lease(relais_with):
    server = relais_with("--claim-lease-ms=4000")
    admin, user = server.caller("admin", "root", 1), server.caller("user", "martin", 1)
    worker, rival = (enrolled(server, admin)[1] for _ in range(2))
    task = created(user)
    taken(worker)
    for _ in range(12):
        good(patched(worker, task, status="processing"))
        refused(pending(rival, wait=0), 404)
        time.sleep(0.5)  # the lease is what is tested
    good(handed(worker, task))
