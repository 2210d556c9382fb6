"""Dialect 002: cron jobs."""
import re

import pytest

from conftest import TIME
from plans import CRONJOBS, at_once, cronjob, moment, periodic, repeats
from rows import row
from tasks import ended, one, refused

EXPRESSIONS = {"minutely": "* * * * *", "hourly": "0 * * * *", "daily": "0 9 * * *",
               "weekly": "0 9 * * 1", "monthly": "0 9 1 * *"}


@row("POST /tasks/scheduled/cron-jobs")
@pytest.mark.parametrize("frequency", list(EXPRESSIONS))
def test_a_frequency_names_the_expression(user, frequency):
    job = cronjob(user, frequency=frequency.upper(), task_config={"depth": 2}, is_active=False)
    assert job["frequency"] == frequency and job["cron_expression"] == EXPRESSIONS[frequency]
    assert job["custom_cron"] is None and job["task_config"] == {"depth": 2}
    assert job["is_active"] is False and job["next_execution_at"] is None
    assert job["total_executions"] == job["successful_executions"] == 0
    assert job["failed_executions"] == 0 and job["last_execution_at"] is None


@row("POST /tasks/scheduled/cron-jobs")
def test_a_custom_expression(user):
    job = cronjob(user, frequency="custom", custom_cron="15 3 * * *", timezone="Europe/Paris")
    assert job["cron_expression"] == job["custom_cron"] == "15 3 * * *"
    assert moment(job["next_execution_at"]).minute == 15


@row("POST /tasks/scheduled/cron-jobs", error=400)
@pytest.mark.parametrize("change, code, field", [
    ({"frequency": "yearly"}, "FREQUENCY_NOT_SUPPORTED", "frequency"),
    ({"frequency": "x" * 1000000}, "FREQUENCY_NOT_SUPPORTED", "frequency"),
    ({"frequency": None}, "VALIDATION_ERROR", "frequency"),
    ({"frequency": 5}, "VALIDATION_ERROR", "frequency"),
    ({"frequency": "custom"}, "VALIDATION_ERROR", "custom_cron"),
    ({"frequency": "custom", "custom_cron": ""}, "VALIDATION_ERROR", "custom_cron"),
    ({"frequency": "custom", "custom_cron": "*/0 * * * *"}, "INVALID_CRON_EXPRESSION",
     "custom_cron"),
    ({"frequency": "custom", "custom_cron": "* * * * * *"}, "INVALID_CRON_EXPRESSION",
     "custom_cron"),
    ({"timezone": "Mars"}, "TIMEZONE_INVALID", "timezone"),
    ({"name": ""}, "VALIDATION_ERROR", "name"),
    ({"name": "x" * 101}, "VALIDATION_ERROR", "name"),
    ({"name": None}, "VALIDATION_ERROR", "name"),
    ({"task_type": None}, "VALIDATION_ERROR", "task_type"),
    ({"task_config": []}, "VALIDATION_ERROR", "task_config"),
    ({"is_active": 3}, "VALIDATION_ERROR", "is_active")])
def test_a_field_that_cannot_be(user, change, code, field):
    answer = user.post(f"{CRONJOBS}/", {"name": "a", "task_type": "b", "frequency": "daily",
                                        **change})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error_code"] == code and list(answer.json()["field_errors"]) == [field]
    assert user.get(f"{CRONJOBS}/").json()["count"] == 0


@row("POST /tasks/scheduled/cron-jobs", error=400)
def test_a_name_is_the_brands_once(user, stranger):
    first = cronjob(user, "same")
    cronjob(stranger, "same")
    other = cronjob(user, "Same")
    answer = user.post(f"{CRONJOBS}/", {"name": "same", "task_type": "b", "frequency": "daily"})
    refused(answer, 400, "VALIDATION_ERROR", name=["Ce nom est déjà utilisé."])
    answer = user.call("PATCH", f"{CRONJOBS}/{other['id']}/", json={"name": "same"},
                       headers={"Accept-Language": "en"})
    refused(answer, 400, "VALIDATION_ERROR", name=["This name is already taken."])
    again = user.call("PATCH", f"{CRONJOBS}/{first['id']}/", json={"name": "same"})
    assert again.status_code == 200, "its own name is no other's"
    user.delete(f"{CRONJOBS}/{first['id']}/")
    cronjob(user, "same")


@row("GET /tasks/scheduled/cron-jobs")
def test_lists(user, stranger):
    jobs = [cronjob(user, "a"), cronjob(user, "b", frequency="hourly", is_active=False),
            cronjob(user, "c", frequency="custom", custom_cron="0 1 * * *", task_type="other")]
    cronjob(stranger, "theirs")
    periodic(user)

    def found(query):
        body = user.get(f"{CRONJOBS}/?{query}").json()
        assert body["count"] == len(body["results"])
        return [job["name"] for job in body["results"]]

    assert found("") == ["c", "b", "a"] and found("ordering=name") == ["a", "b", "c"]
    assert found("frequency=hourly") == ["b"] and found("is_active=false") == ["b"]
    assert sorted(found("frequency=daily,custom")) == ["a", "c"]
    assert found("task_type__startswith=oth") == ["c"] and found("name=a") == ["a"]
    assert found("search=other") == ["c"] and found("next_execution_at__isnull=true") == ["b"]
    assert user.get(f"{CRONJOBS}/{jobs[0]['id']}/").json() == jobs[0]


@row("GET /tasks/scheduled/cron-jobs", error=400)
def test_a_filter_that_cannot_be(user):
    assert "frequency" in user.get(f"{CRONJOBS}/?frequency=yearly").json()["field_errors"]


@row("GET /tasks/scheduled/cron-jobs/{id}")
@row("PUT /tasks/scheduled/cron-jobs/{id}")
@row("PATCH /tasks/scheduled/cron-jobs/{id}")
def test_changes(user):
    job = cronjob(user, task_config={"a": 1}, description="it")
    path = f"{CRONJOBS}/{job['id']}/"
    after = user.call("PATCH", path, json={"frequency": "weekly", "total_executions": 9,
                                           "created_by_name": "root", "brand": 1}).json()
    assert after["frequency"] == "weekly" and after["cron_expression"] == "0 9 * * 1"
    assert after["task_config"] == {"a": 1} and after["description"] == "it"
    assert after["total_executions"] == 0 and after["brand"] == job["brand"]
    after = user.put(path, json={"name": "new", "task_type": "t", "frequency": "custom",
                                 "custom_cron": "5 5 * * *"}).json()
    assert (after["name"], after["task_type"]) == ("new", "t")
    assert after["cron_expression"] == "5 5 * * *"
    assert user.get(path).json() == after


@row("PUT /tasks/scheduled/cron-jobs/{id}", error=400)
@row("PATCH /tasks/scheduled/cron-jobs/{id}", error=400)
def test_changes_that_cannot_be(user):
    job = cronjob(user)
    path = f"{CRONJOBS}/{job['id']}/"
    assert set(user.put(path, json={}).json()["field_errors"]) == {"name", "task_type",
                                                                   "frequency"}
    answer = user.call("PATCH", path, json={"frequency": "custom"})
    assert answer.status_code == 400 and "custom_cron" in answer.json()["field_errors"]
    answer = user.call("PATCH", path, json={"frequency": "never"})
    assert answer.json()["error_code"] == "FREQUENCY_NOT_SUPPORTED"
    assert user.get(path).json() == job


@row("DELETE /tasks/scheduled/cron-jobs/{id}")
def test_delete(user):
    path = f"{CRONJOBS}/{cronjob(user)['id']}/"
    answer = user.delete(path)
    assert answer.status_code == 204 and answer.content == b""
    refused(user.get(path), 404, "TASK_NOT_FOUND")


@row("GET /tasks/scheduled/cron-jobs/{id}", error=404)
@row("PUT /tasks/scheduled/cron-jobs/{id}", error=404)
@row("PATCH /tasks/scheduled/cron-jobs/{id}", error=404)
@row("DELETE /tasks/scheduled/cron-jobs/{id}", error=404)
@row("POST /tasks/scheduled/cron-jobs/{id}/execute", error=404)
@row("POST /tasks/scheduled/cron-jobs/{id}/execute-now", error=404)
def test_what_is_not_the_brands_is_not_found(user, stranger):
    theirs, plan = cronjob(stranger), periodic(user)
    body = {"name": "n", "task_type": "t", "frequency": "daily"}
    for name in (theirs["id"], plan["id"], 99999999, "none"):
        path = f"{CRONJOBS}/{name}/"
        for answer in (user.get(path), user.put(path, json=body), user.delete(path),
                       user.call("PATCH", path, json=body), user.post(f"{path}execute/"),
                       user.post(f"{path}execute-now/")):
            refused(answer, 404, "TASK_NOT_FOUND")
    assert stranger.get(f"{CRONJOBS}/{theirs['id']}/").json() == theirs


@row("GET /tasks/scheduled/cron-jobs", error=401)
def test_without_a_token(nobody):
    refused(nobody.get(f"{CRONJOBS}/"), 401, "NOT_AUTHENTICATED")


@row("POST /tasks/scheduled/cron-jobs/{id}/execute")
@row("POST /tasks/scheduled/cron-jobs/{id}/execute-now")
def test_runs_by_hand_are_counted(user, worker):
    job = cronjob(user, queue_name="jobs", task_config={"depth": 3}, priority="low")
    for spelling, how in (("execute", "complete"), ("execute-now", "fail"),
                          ("execute_now", "complete")):
        body = user.post(f"{CRONJOBS}/{job['id']}/{spelling}/").json()
        assert body["message"] and re.fullmatch(r"task_\w+", body["task_id"])
        task = one(worker, queues=["jobs"])
        assert task["task_id"] == body["task_id"] and task["priority"] == "high"
        context = task["context_data"]
        assert context["manual_execution"] is True and context["cron_job_id"] == job["id"]
        assert context["depth"] == 3 and TIME.fullmatch(context["scheduled_at"])
        assert task["periodic_task"] is None
        worker.post(f"/tasks/{task['id']}/{how}/",
                    {"result_data": {}} if how == "complete" else {"error_message": "no"})
        ended(user, task)
    after = user.get(f"{CRONJOBS}/{job['id']}/").json()
    assert (after["total_executions"], after["successful_executions"],
            after["failed_executions"]) == (3, 2, 1)
    assert TIME.fullmatch(after["last_execution_at"])
    assert after["last_execution_status"] == "completed"
    assert after["next_execution_at"] == job["next_execution_at"], "the clock goes its own way"


@row("POST /tasks/scheduled/cron-jobs")
@row("POST /tasks/scheduled/cron-jobs", error=409)
def test_a_repeated_post_makes_nothing_new(user, stranger):
    repeats(user, stranger, CRONJOBS, {"name": "n", "task_type": "report", "frequency": "daily"})


def test_posts_at_once_under_one_key_make_one(user):
    at_once(user, CRONJOBS, {"name": "n", "task_type": "report", "frequency": "daily"})
