"""What the tests of dialect 002 share: the document's request, and the calls with their checks."""
import datetime
import time

from conftest import example

SEO = example("002_create_request.json")


def at(seconds):
    """RFC 3339, so many seconds from now."""
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def created(caller, **fields):
    answer = caller.post("/tasks/", {**SEO, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


def claimed(worker, **fields):
    answer = worker.post("/tasks/claim/", {"wait": 30, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def one(worker, **fields):
    body = claimed(worker, **fields)
    assert body["count"] == 1 and len(body["tasks"]) == 1, body
    return body["tasks"][0]


def refused(answer, status, code, detail=None, **fields):
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["Content-Type"].startswith("application/json")
    body = answer.json()
    assert set(body) >= {"detail", "error_code", "field_errors"}, body
    assert body["error_code"] == code, body
    assert detail is None or body["detail"] == detail, body
    assert body["field_errors"] == fields, body
    return body


def ended(user, task, within_s=60):
    """The task once it has ended; this dialect has no wait, so it is asked again and again."""
    for _ in range(within_s * 20):
        read = user.get(f"/tasks/{task['id']}/").json()
        if read["status"] not in ("pending", "running"):
            return read
        time.sleep(0.05)
    raise AssertionError(f"still {read['status']}")
