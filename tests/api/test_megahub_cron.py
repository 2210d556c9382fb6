"""Dialect 002: what clients ask about cron expressions before they schedule anything."""
import datetime
import re
import zoneinfo

import pytest

from conftest import TIME
from rows import row

BASE = "/tasks/scheduled/periodic-tasks"


@row("POST /tasks/scheduled/periodic-tasks/validate-cron")
def test_a_sound_expression_shows_its_next_runs(user):
    answer = user.post(f"{BASE}/validate-cron/", {"cron_expression": "0 9 * * 1-5",
                                                  "timezone": "America/New_York"})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) == {"is_valid", "next_executions"} and body["is_valid"] is True
    assert len(body["next_executions"]) == 5
    before = datetime.datetime.now(datetime.timezone.utc)
    for text in body["next_executions"]:
        assert TIME.fullmatch(text)
        moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
        local = moment.astimezone(zoneinfo.ZoneInfo("America/New_York"))
        assert moment > before and local.weekday() < 5 and (local.hour, local.minute) == (9, 0)
        before = moment


@pytest.mark.parametrize("text", ["", "* * * *", "60 * * * *", "*/0 * * * *", "* * * * * *",
                                  "@daily", "0 0 32 1 *", "1-0 * * * *", "x" * 255])
def test_an_unsound_expression_is_named_so(user, text):
    answer = user.post(f"{BASE}/validate_cron/", {"cron_expression": text})
    if text == "":
        assert answer.status_code == 400
        return
    body = answer.json()
    assert answer.status_code == 200 and body["is_valid"] is False and body["error"], body


def test_31_february_is_sound_and_never_comes(user):
    body = user.post(f"{BASE}/validate-cron/", {"cron_expression": "0 0 31 2 *"}).json()
    assert body == {"is_valid": True, "next_executions": []}


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "/etc/localtime", "A" * 64])
def test_a_zone_that_is_none(user, zone):
    body = user.post(f"{BASE}/validate-cron/", {"cron_expression": "* * * * *",
                                                "timezone": zone}).json()
    assert body["is_valid"] is False and "zone" in body["error"]


@row("POST /tasks/scheduled/periodic-tasks/validate-cron", error=400)
@pytest.mark.parametrize("body", [{}, {"cron_expression": None}, {"cron_expression": 5},
                                  {"cron_expression": "x" * 10000}])
def test_the_expression_is_required(user, body):
    answer = user.post(f"{BASE}/validate-cron/", body)
    assert answer.status_code == 400 and "cron_expression" in answer.json()["field_errors"]


@row("GET /tasks/scheduled/periodic-tasks/cron-templates")
def test_templates_are_sound(user):
    templates = user.get(f"{BASE}/cron-templates/").json()["templates"]
    assert {"name": "weekdays_morning", "cron": "0 9 * * 1-5",
            "description": "Monday to Friday at 9:00"} in templates
    for template in templates:
        assert user.post(f"{BASE}/validate-cron/",
                         {"cron_expression": template["cron"]}).json()["is_valid"]


@row("GET /tasks/scheduled/periodic-tasks/timezone-info")
def test_zones_have_offsets(user):
    zones = {zone["name"]: zone["offset"] for zone in user.get(f"{BASE}/timezone-info/").json()}
    assert zones["UTC"] == "+00:00" and zones["Asia/Kolkata"] == "+05:30"
    assert len(zones) > 300 and all(re.fullmatch(r"[+-]\d\d:\d\d", o) for o in zones.values())


@row("GET /tasks/scheduled/periodic-tasks/cron-templates", error=401)
@row("GET /tasks/scheduled/periodic-tasks/timezone-info", error=401)
@pytest.mark.parametrize("path", ["cron-templates", "timezone-info"])
def test_without_a_token_nothing_is_shown(nobody, path):
    assert nobody.get(f"{BASE}/{path}/").status_code == 401
