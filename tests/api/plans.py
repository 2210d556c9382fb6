"""What the tests of scheduling share."""
import concurrent.futures
import datetime

from conftest import Caller
from tasks import refused

PERIODIC = "/tasks/scheduled/periodic-tasks"
CRONJOBS = "/tasks/scheduled/cron-jobs"
CALENDARS = "/tasks/scheduled/calendars"
NEVER = "0 0 1 1 *"  # not in this test, unless it runs at New Year


def made(caller, path=PERIODIC, **fields):
    answer = caller.post(f"{path}/", fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


def periodic(caller, **fields):
    return made(caller, **{"cron_expression": NEVER, "task_type": "report", **fields})


def cronjob(caller, name="nightly", **fields):
    return made(caller, CRONJOBS, **{"name": name, "task_type": "report", "frequency": "daily",
                                     **fields})


def calendar(caller, name="works", **fields):
    return made(caller, CALENDARS, name=name, **fields)


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def repeats(user, stranger, path, body):
    """A POST under an Idempotency-Key: told again as it now is, of this caller and body alone."""
    key = {"Idempotency-Key": "the same"}
    first = user.post(f"{path}/", body, headers=key)
    one = f"{path}/{first.json()['id']}/"
    again = user.post(f"{path}/", body, headers=key)
    assert first.status_code == again.status_code == 201
    assert again.json() == first.json()
    assert again.headers["Location"] == first.headers["Location"]
    assert user.call("PATCH", one, json={"name": "renamed"}).status_code == 200
    again = user.post(f"{path}/", body, headers=key)
    assert again.status_code == 201 and again.json() == user.get(one).json()
    for other in ({**body, "name": "other"}, {**body, "name": "renamed"}):
        refused(user.post(f"{path}/", other, headers=key), 409, "IDEMPOTENCY_CONFLICT")
    assert user.get(f"{path}/").json()["count"] == 1
    refused(user.post(f"{path}/", {**body, "name": "renamed"},
                      headers={"Idempotency-Key": "another"}), 400, "VALIDATION_ERROR",
            name=["Ce nom est déjà utilisé."])
    assert stranger.post(f"{path}/", body, headers=key).status_code == 201
    for bad in ("", "k" * 256):
        assert user.post(f"{path}/", body, headers={"Idempotency-Key": bad}).status_code == 400
    user.delete(one)
    fresh = user.post(f"{path}/", body, headers=key)
    assert fresh.status_code == 201 and fresh.json()["id"] != first.json()["id"]


def at_once(user, path, body):
    """Eight POSTs under one key make one."""
    key = {"Idempotency-Key": "at once"}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: Caller(user.base, user.token).post(
            f"{path}/", body, headers=key), range(8)))
    assert {answer.status_code for answer in answers} == {201}, [x.text for x in answers]
    assert len({answer.json()["id"] for answer in answers}) == 1
