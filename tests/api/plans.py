"""What the tests of scheduling share."""
import datetime

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
