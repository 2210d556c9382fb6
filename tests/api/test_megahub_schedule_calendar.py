"""Dialect 002: calendars, and what their tasks come to."""
import datetime
import zoneinfo

import pytest

from conftest import TIME
from plans import (CALENDARS, NEVER, PERIODIC, at_once, calendar, cronjob, moment, periodic,
                   repeats)
from rows import row
from tasks import refused

YEAR = "start_date=2027-01-01&end_date=2027-12-31T23:59:59Z"


def put_in(user, one, plan, **fields):
    answer = user.post(f"{CALENDARS}/{one['id']}/add_task/",
                       {"periodic_task_id": plan["id"], **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()["calendar_task_id"]


def events(user, one, query=YEAR, name="events"):
    answer = user.get(f"{CALENDARS}/{one['id']}/{name}/?{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()


# ---- CRUD ----

@row("POST /tasks/scheduled/calendars")
@row("GET /tasks/scheduled/calendars/{id}")
def test_a_calendar_with_its_defaults(user, brand):
    answer = user.post(f"{CALENDARS}/", {"name": "works", "brand": 1, "tasks_count": 5,
                                         "created_by_name": "root", "entries": [1]})
    assert answer.status_code == 201, answer.text
    one = answer.json()
    assert answer.headers["Location"] == f"{CALENDARS}/{one['id']}/"
    assert {k: one[k] for k in ("name", "description", "color", "is_active", "default_timezone",
                                "tasks_count", "active_tasks_count", "created_by_name")} == \
        {"name": "works", "description": "", "color": "#6366f1", "is_active": True,
         "default_timezone": "UTC", "tasks_count": 0, "active_tasks_count": 0,
         "created_by_name": "martin"}
    assert one["brand"]["id"] == brand and TIME.fullmatch(one["created_at"])
    assert user.get(f"{CALENDARS}/{one['id']}/").json() == one


@row("POST /tasks/scheduled/calendars", error=400)
@pytest.mark.parametrize("change, code, field", [
    ({"name": None}, "VALIDATION_ERROR", "name"), ({"name": ""}, "VALIDATION_ERROR", "name"),
    ({"name": 5}, "VALIDATION_ERROR", "name"),
    ({"name": "x" * 1000000}, "VALIDATION_ERROR", "name"),
    ({"color": "red"}, "VALIDATION_ERROR", "color"),
    ({"color": "#12345g"}, "VALIDATION_ERROR", "color"),
    ({"is_active": "no"}, "VALIDATION_ERROR", "is_active"),
    ({"description": {}}, "VALIDATION_ERROR", "description"),
    ({"default_timezone": "Mars"}, "TIMEZONE_INVALID", "default_timezone")])
def test_a_field_that_cannot_be(user, change, code, field):
    answer = user.post(f"{CALENDARS}/", {"name": "a", **change})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error_code"] == code and list(answer.json()["field_errors"]) == [field]
    assert user.get(f"{CALENDARS}/").json()["count"] == 0


@row("POST /tasks/scheduled/calendars", error=400)
def test_a_name_is_the_brands_once(user, stranger):
    first = calendar(user, "same")
    calendar(stranger, "same")
    other = calendar(user, "other" + "é" * 40)
    refused(user.post(f"{CALENDARS}/", {"name": "same"}), 400, "VALIDATION_ERROR",
            name=["Ce nom est déjà utilisé."])
    refused(user.call("PATCH", f"{CALENDARS}/{other['id']}/", json={"name": "same"}), 400,
            "VALIDATION_ERROR", name=["Ce nom est déjà utilisé."])
    assert user.call("PATCH", f"{CALENDARS}/{first['id']}/",
                     json={"name": "renamed"}).json()["name"] == "renamed"
    assert user.call("PATCH", f"{CALENDARS}/{other['id']}/",
                     json={"name": "same"}).status_code == 200


@row("PUT /tasks/scheduled/calendars/{id}")
@row("PATCH /tasks/scheduled/calendars/{id}")
@row("DELETE /tasks/scheduled/calendars/{id}")
def test_changes_and_the_end(user):
    one = calendar(user)
    path = f"{CALENDARS}/{one['id']}/"
    after = user.call("PATCH", path, json={"color": "#000aFF", "default_timezone": "Asia/Tokyo",
                                           "description": "d"}).json()
    assert (after["color"], after["default_timezone"], after["description"]) == \
        ("#000aFF", "Asia/Tokyo", "d")
    after = user.put(path, json={"name": "n", "is_active": False}).json()
    assert (after["name"], after["is_active"], after["color"]) == ("n", False, "#000aFF")
    assert user.get(path).json() == after
    answer = user.delete(path)
    assert answer.status_code == 204 and answer.content == b""
    refused(user.get(path), 404, "TASK_NOT_FOUND")


@row("PUT /tasks/scheduled/calendars/{id}", error=400)
@row("PATCH /tasks/scheduled/calendars/{id}", error=400)
def test_changes_that_cannot_be(user):
    one = calendar(user)
    path = f"{CALENDARS}/{one['id']}/"
    assert "name" in user.put(path, json={}).json()["field_errors"]
    assert user.call("PATCH", path, json=[]).status_code == 400
    assert "color" in user.call("PATCH", path, json={"color": "#"}).json()["field_errors"]
    assert user.get(path).json() == one


@row("GET /tasks/scheduled/calendars")
def test_lists(user, stranger):
    full, rests, empty = calendar(user, "full"), calendar(user, "rests"), calendar(user, "empty")
    calendar(stranger, "theirs")
    plans = [periodic(user), periodic(user, is_active=False)]
    for plan in plans:
        put_in(user, full, plan)
    put_in(user, rests, plans[1])
    body = user.get(f"{CALENDARS}/?ordering=created_at").json()
    assert [(one["name"], one["tasks_count"], one["active_tasks_count"])
            for one in body["results"]] == [("full", 2, 1), ("rests", 1, 0), ("empty", 0, 0)]
    assert body["count"] == 3
    names = [one["name"] for one in user.get(f"{CALENDARS}/?has_events=true").json()["results"]]
    assert sorted(names) == ["full", "rests"]
    assert [one["id"] for one in user.get(f"{CALENDARS}/?has_events=false").json()["results"]] == \
        [empty["id"]]
    assert user.get(f"{CALENDARS}/?search=ful").json()["count"] == 1
    assert user.get(f"{CALENDARS}/{full['id']}/").json() == body["results"][0]


@row("GET /tasks/scheduled/calendars", error=400)
def test_a_filter_that_cannot_be(user):
    assert "has_events" in user.get(f"{CALENDARS}/?has_events=some").json()["field_errors"]


@row("GET /tasks/scheduled/calendars", error=403)
def test_the_brand_may_be_named_in_the_query(relais, user, brand):
    one = calendar(user)
    both = relais.caller("user", "martin", (brand + 60000, brand))
    for caller, query, found in ((user, f"?brand={brand}", [one["id"]]), (both, "", []),
                                 (both, f"?brand={brand}", [one["id"]])):
        body = caller.get(f"{CALENDARS}/{query}").json()
        assert [row["id"] for row in body["results"]] == found, query
    refused(user.get(f"{CALENDARS}/?brand={brand + 60000}"), 403, "BRAND_FORBIDDEN")
    assert "brand" in user.get(f"{CALENDARS}/?brand=x").json()["field_errors"]


@row("GET /tasks/scheduled/calendars", error=401)
def test_without_a_token(nobody):
    refused(nobody.get(f"{CALENDARS}/"), 401, "NOT_AUTHENTICATED")


@row("GET /tasks/scheduled/calendars/{id}", error=404)
@row("PUT /tasks/scheduled/calendars/{id}", error=404)
@row("PATCH /tasks/scheduled/calendars/{id}", error=404)
@row("DELETE /tasks/scheduled/calendars/{id}", error=404)
@row("GET /tasks/scheduled/calendars/{id}/events", error=404)
@row("GET /tasks/scheduled/calendars/{id}/schedule", error=404)
@row("GET /tasks/scheduled/calendars/{id}/stats", error=404)
@row("POST /tasks/scheduled/calendars/{id}/add-task", error=404)
@row("POST /tasks/scheduled/calendars/{id}/remove-task", error=404)
def test_what_is_not_the_brands_is_not_found(user, stranger):
    theirs, plan = calendar(stranger), periodic(user)
    named = {"periodic_task_id": plan["id"]}
    for name in (theirs["id"], plan["id"], 99999999, "none"):
        path = f"{CALENDARS}/{name}/"
        for answer in (user.get(path), user.put(path, json={"name": "x"}), user.delete(path),
                       user.call("PATCH", path, json={"name": "x"}),
                       user.get(f"{path}events/"), user.get(f"{path}schedule/"),
                       user.get(f"{path}stats/"), user.post(f"{path}add-task/", named),
                       user.post(f"{path}remove-task/", named)):
            refused(answer, 404, "TASK_NOT_FOUND")
    assert stranger.get(f"{CALENDARS}/{theirs['id']}/").json() == theirs


# ---- tasks in it ----

@row("POST /tasks/scheduled/calendars/{id}/add-task")
@row("POST /tasks/scheduled/calendars/{id}/remove-task")
@pytest.mark.parametrize("add, remove", [("add-task", "remove-task"), ("add_task", "remove_task")])
def test_in_and_out(user, add, remove):
    one, plan, other = calendar(user), periodic(user), periodic(user)
    path = f"{CALENDARS}/{one['id']}"
    first = user.post(f"{path}/{add}/", {"periodic_task_id": plan["id"]}).json()
    assert first["message"] and isinstance(first["calendar_task_id"], int)
    again = user.post(f"{path}/{add}/", {"periodic_task_id": str(plan["id"]),
                                         "custom_cron": "0 5 * * *"}).json()
    assert again["calendar_task_id"] == first["calendar_task_id"], "a task stands in it once"
    second = user.post(f"{path}/{add}/", {"periodic_task_id": other["id"]}).json()
    assert second["calendar_task_id"] != first["calendar_task_id"]
    assert user.get(f"{path}/").json()["tasks_count"] == 2
    gone = user.post(f"{path}/{remove}/", {"periodic_task_id": plan["id"]}).json()
    assert gone["message"] and gone["calendar_task_id"] == first["calendar_task_id"]
    refused(user.post(f"{path}/{remove}/", {"periodic_task_id": plan["id"]}), 404,
            "TASK_NOT_FOUND")
    gone = user.post(f"{path}/{remove}/", {"calendar_task_id": second["calendar_task_id"]})
    assert gone.status_code == 200 and user.get(f"{path}/").json()["tasks_count"] == 0


@row("POST /tasks/scheduled/calendars/{id}/add-task", error=404)
def test_another_brands_periodic_task_is_not_found(user, stranger):
    one, theirs, job = calendar(user), periodic(stranger), cronjob(user)
    for name in (theirs["id"], job["id"], 99999999):
        refused(user.post(f"{CALENDARS}/{one['id']}/add_task/", {"periodic_task_id": name}), 404,
                "TASK_NOT_FOUND")
    assert user.get(f"{CALENDARS}/{one['id']}/").json()["tasks_count"] == 0


@row("POST /tasks/scheduled/calendars/{id}/add-task", error=400)
@row("POST /tasks/scheduled/calendars/{id}/remove-task", error=400)
def test_a_task_that_cannot_be_put_in(user):
    one, plan = calendar(user), periodic(user)
    path = f"{CALENDARS}/{one['id']}"
    for body, field in (({}, "periodic_task_id"), ({"periodic_task_id": "x"}, "periodic_task_id"),
                        ({"periodic_task_id": None}, "periodic_task_id"),
                        ({"periodic_task_id": -1}, "periodic_task_id"),
                        ({"periodic_task_id": plan["id"], "custom_config": []}, "custom_config"),
                        ({"periodic_task_id": plan["id"], "custom_config": {"a": "x" * 5000}},
                         "custom_config"),
                        ({"periodic_task_id": plan["id"], "custom_cron": 5}, "custom_cron")):
        answer = user.post(f"{path}/add-task/", body)
        assert answer.status_code == 400 and list(answer.json()["field_errors"]) == [field], body
    answer = user.post(f"{path}/add-task/", {"periodic_task_id": plan["id"],
                                             "custom_cron": "60 * * * *"})
    assert answer.json()["error_code"] == "INVALID_CRON_EXPRESSION"
    assert "periodic_task_id" in user.post(f"{path}/remove-task/", {}).json()["field_errors"]
    assert user.post(f"{path}/remove-task/", []).status_code == 400


def test_a_deleted_task_counts_no_more(user):
    one, plan = calendar(user), periodic(user, cron_expression="0 9 * * *")
    put_in(user, one, plan)
    user.delete(f"{PERIODIC}/{plan['id']}/")
    assert user.get(f"{CALENDARS}/{one['id']}/").json()["tasks_count"] == 0
    assert events(user, one)["total_executions"] == 0


# ---- events ----

@row("GET /tasks/scheduled/calendars/{id}/events")
@row("GET /tasks/scheduled/calendars/{id}/schedule")
def test_events_are_the_runs_of_the_span(user):
    one = calendar(user, default_timezone="America/New_York")
    paris = periodic(user, task_type="paris", cron_expression="30 2 * * *",
                     timezone="Europe/Paris", description="at half past \"two\"")
    own = periodic(user, task_type="own")
    first = put_in(user, one, paris)
    second = put_in(user, one, own, custom_cron="0 12 1 * *", custom_config={"a": [1]})
    body = events(user, one)
    assert body["calendar_id"] == one["id"] and body["calendar_name"] == "works"
    assert body["period"] == {"start": "2027-01-01T00:00:00.000Z",
                              "end": "2027-12-31T23:59:59.000Z"}
    assert body["schedule"] == body["events"] and body["total_executions"] == len(body["events"])
    assert events(user, one, name="schedule") == body
    paris_runs = [e for e in body["events"] if e["task_id"] == paris["id"]]
    assert len(paris_runs) == 365 and {e["calendar_task_id"] for e in paris_runs} == {first}
    assert {e["task_description"] for e in paris_runs} == {"at half past \"two\""}
    days = [moment(e["scheduled_at"]).astimezone(zoneinfo.ZoneInfo("Europe/Paris"))
            for e in paris_runs]
    assert len({day.date() for day in days}) == 365
    assert [day.hour for day in days if day.date() == datetime.date(2027, 3, 28)] == [3], \
        "half past two is not there on that day"
    mine = [e for e in body["events"] if e["task_id"] == own["id"]]
    assert len(mine) == 12 and mine[0]["custom_config"] == {"a": [1]}
    assert mine[0]["calendar_task_id"] == second and mine[0]["task_type"] == "own"
    assert {moment(e["scheduled_at"]).astimezone(zoneinfo.ZoneInfo("America/New_York")).hour
            for e in mine} == {12}


def test_no_more_than_a_thousand_a_task(user):
    one = calendar(user)
    put_in(user, one, periodic(user, cron_expression="* * * * *", is_active=True,
                               start_date="2027-02-01T00:00:00Z"))
    body = events(user, one)
    assert body["total_executions"] == 1000
    assert body["events"][0]["scheduled_at"] == "2027-02-01T00:00:00.000Z", "not before its start"


def test_what_rests_does_not_come(user):
    one = calendar(user)
    plan = periodic(user, cron_expression="0 9 * * *", end_date="2027-01-10T09:00:00Z")
    put_in(user, one, plan)
    assert events(user, one)["total_executions"] == 10, "up to its end"
    user.post(f"{PERIODIC}/{plan['id']}/pause/")
    assert events(user, one)["total_executions"] == 0
    user.post(f"{PERIODIC}/{plan['id']}/resume/")
    user.call("PATCH", f"{CALENDARS}/{one['id']}/", json={"is_active": False})
    assert events(user, one)["total_executions"] == 0


@row("GET /tasks/scheduled/calendars/{id}/events", error=400)
@row("GET /tasks/scheduled/calendars/{id}/schedule", error=400)
@pytest.mark.parametrize("query, field", [
    ("start_date=tomorrow", "start_date"), ("end_date=2027-02-30", "end_date"),
    ("start_date=2027-02-01&end_date=2027-01-01", "end_date"), ("end_date=", "end_date"),
    ("end_date=2001-01-01", "end_date"), ("start_date=" + "9" * 500, "start_date")],
    ids=[f"query{i}" for i in range(6)])
def test_dates_that_cannot_be(user, query, field):
    one = calendar(user)
    for name in ("events", "schedule"):
        answer = user.get(f"{CALENDARS}/{one['id']}/{name}/?{query}")
        assert answer.status_code == 400 and list(answer.json()["field_errors"]) == [field]


@row("GET /tasks/scheduled/calendars/{id}/stats")
def test_stats(user):
    one = calendar(user)
    plan = periodic(user, cron_expression="0 * * * *")
    for each in (plan, periodic(user, is_active=False), periodic(user, cron_expression=NEVER)):
        put_in(user, one, each)
    body = user.get(f"{CALENDARS}/{one['id']}/stats/").json()
    assert body["total_tasks"] == 3 and body["active_tasks"] == 2
    assert 720 <= body["upcoming_executions_count"] <= 722
    assert body["next_execution"] == plan["next_run_at"]


@row("POST /tasks/scheduled/calendars")
@row("POST /tasks/scheduled/calendars", error=409)
def test_a_repeated_post_makes_nothing_new(user, stranger):
    repeats(user, stranger, CALENDARS, {"name": "n"})


def test_posts_at_once_under_one_key_make_one(user):
    at_once(user, CALENDARS, {"name": "n"})
