"""Dialect 002: alert rules, watched where a task's metrics become known, whoever ran it."""

import pytest

from rows import row
from tasks import created, one, refused
from test_megahub_monitor import UNKNOWN, done, ok

BASE = "/tasks/monitoring/alerts/"
RULE = {"name": "Slow audits", "metric_field": "execution_time_ms", "condition": "gt",
        "threshold_value": 1000, "description": "too slow", "task_types": ["audit"],
        "notification_emails": ["ops@example.org"], "cooldown_minutes": 60}


@pytest.fixture(name="boss")
def _boss(relais, brand):
    return relais.caller("user", f"boss-{brand}", brand, "--brand-admin")


@pytest.fixture(name="rule")
def _rule(boss):
    return ok(boss.post(BASE, RULE), 201)


def history(boss, query=""):
    return ok(boss.get(BASE + "history/" + query))["results"]


@row("POST /tasks/monitoring/alerts")
@row("GET /tasks/monitoring/alerts")
@row("GET /tasks/monitoring/alerts/{id}")
@row("PUT /tasks/monitoring/alerts/{id}")
@row("PATCH /tasks/monitoring/alerts/{id}")
@row("DELETE /tasks/monitoring/alerts/{id}")
@row("DELETE /tasks/monitoring/alerts/{id}", error=404)
def test_a_rule_lives(boss, rule):
    for key, value in RULE.items():
        assert rule[key] == value, key
    assert rule["is_active"] is True and rule["is_triggered"] is False
    assert rule["trigger_count"] == 0 and rule["last_triggered_at"] is None
    assert "notification_note" in rule
    assert ok(boss.get(f"{BASE}{rule['id']}/")) == rule
    patched = ok(boss.call("PATCH", f"{BASE}{rule['id']}/", json={"threshold_value": 2.5}))
    assert patched["threshold_value"] == 2.5 and patched["task_types"] == ["audit"]
    put = ok(boss.put(f"{BASE}{rule['id']}/", json={
        "name": "n", "metric_field": "cost_usd", "condition": "LTE", "threshold_value": 1}))
    assert put["task_types"] == [] and put["condition"] == "lte" and put["description"] == ""
    assert put["cooldown_minutes"] == 60
    listed = ok(boss.get(BASE))
    assert listed["count"] == 1 and listed["results"] == [put]
    for query, count in (("?is_active=true", 1), ("?is_active=false", 0), ("?active=true", 0),
                         ("?metric_field=cost_usd,error_count", 1), ("?condition=gt", 0),
                         ("?threshold_value__gte=1", 1), ("?threshold_value__gte=2", 0),
                         ("?last_triggered_after=2020-01-01", 0), ("?search=n", 1)):
        assert ok(boss.get(BASE + query))["count"] == count, query
    gone = boss.delete(f"{BASE}{rule['id']}/")
    assert gone.status_code == 204 and gone.content == b""
    refused(boss.delete(f"{BASE}{rule['id']}/"), 404, "NOT_FOUND")


@row("GET /tasks/monitoring/alerts", error=403)
@row("GET /tasks/monitoring/alerts/{id}", error=404)
@row("PUT /tasks/monitoring/alerts/{id}", error=404)
@row("PATCH /tasks/monitoring/alerts/{id}", error=403)
@row("GET /tasks/monitoring/alerts/active", error=403)
@row("GET /tasks/monitoring/alerts/history", error=403)
@row("POST /tasks/monitoring/alerts/{id}/acknowledge", error=404)
@row("POST /tasks/monitoring/alerts/{id}/toggle", error=404)
def test_only_a_brand_s_own_admins(relais, user, boss, rule, brand):
    other = relais.caller("user", "x", brand + 5000, "--brand-admin")
    path = f"{BASE}{rule['id']}/"
    for answer in (user.get(BASE), user.post(BASE, RULE), user.get(path), user.delete(path),
                   user.call("PATCH", path, json={}), user.get(BASE + "active/"),
                   user.get(BASE + "history/"), user.post(path + "test/", {"test_value": 1})):
        refused(answer, 403, "PERMISSION_DENIED")
    for answer in (other.get(path), other.put(path, json=RULE), other.delete(path),
                   other.post(path + "toggle/"), other.post(path + "acknowledge/"),
                   other.post(path + "test/", {"test_value": 1}), boss.get(f"{BASE}{UNKNOWN}/"),
                   boss.get(f"{BASE}x/")):
        refused(answer, 404, "NOT_FOUND")
    assert ok(other.get(BASE))["count"] == 0


@row("POST /tasks/monitoring/alerts", error=400)
def test_what_no_rule_can_be(boss):
    def wrong(code, **fields):
        answer = boss.post(BASE, {**RULE, **fields})
        assert answer.status_code == 400, answer.text
        assert answer.json()["error_code"] == code, answer.text
        assert set(answer.json()["field_errors"]) == set(fields), answer.text
    wrong("METRIC_FIELD_INVALID", metric_field="beauty")
    wrong("METRIC_FIELD_INVALID", metric_field="tokens_used")
    wrong("THRESHOLD_OUT_OF_RANGE", threshold_value=-1)
    wrong("THRESHOLD_OUT_OF_RANGE", threshold_value=1e16)
    wrong("VALIDATION_ERROR", threshold_value="much")
    wrong("VALIDATION_ERROR", condition="ne")
    wrong("VALIDATION_ERROR", name="")
    wrong("VALIDATION_ERROR", cooldown_minutes=-1)
    wrong("VALIDATION_ERROR", task_types="audit")
    wrong("VALIDATION_ERROR", task_types=[1])
    wrong("VALIDATION_ERROR", notification_emails=["nobody"])
    wrong("VALIDATION_ERROR", webhook_url="ftp://x")
    wrong("VALIDATION_ERROR", is_active="perhaps")
    answer = boss.post(BASE, {})
    assert set(answer.json()["field_errors"]) == \
        {"name", "metric_field", "condition", "threshold_value"}
    assert ok(boss.get(BASE))["count"] == 0


@row("GET /tasks/monitoring/alerts/active")
@row("GET /tasks/monitoring/alerts/history")
@row("GET /tasks/monitoring/alerts/history", error=400)
@row("POST /tasks/monitoring/alerts/{id}/acknowledge")
def test_a_rule_fires_once_in_its_cooldown(boss, user, worker, rule):
    done(user, worker, "audit", {"execution_time_ms": 1000})
    done(user, worker, "export", {"execution_time_ms": 9000})
    assert history(boss) == []
    first = done(user, worker, "audit", {"execution_time_ms": 2500})
    done(user, worker, "audit", {"execution_time_ms": 4000})
    fired = ok(boss.get(f"{BASE}{rule['id']}/"))
    assert fired["trigger_count"] == 1 and fired["is_triggered"] is True
    assert fired["last_triggered_at"] is not None
    event, = history(boss)
    task = ok(user.get(f"/tasks/{first}/"))
    assert event["alert_rule"] == {"id": rule["id"], "name": "Slow audits"}
    assert event["task"] == {"id": first, "task_id": task["task_id"], "task_type": "audit"}
    assert (event["metric_value"], event["threshold_value"]) == (2500, 1000)
    assert event["severity"] == "critical" and event["condition"] == "gt"
    for query, count in ((f"?alert_rule={rule['id']}", 1), ("?alert_rule=1", 0),
                         ("?severity=critical,high", 1), ("?severity=low", 0), ("?days=1", 1)):
        assert len(history(boss, query)) == count, query
    assert boss.get(BASE + "history/?days=0").status_code == 400
    active = ok(boss.get(BASE + "active/"))
    assert active["active_alerts"] == 1
    alert, = active["alerts"]
    assert (alert["id"], alert["current_value"], alert["affected_tasks"]) == \
        (rule["id"], 2500, [task["task_id"]])
    assert ok(boss.get(BASE + "?active=true"))["count"] == 1
    seen = ok(boss.post(f"{BASE}{rule['id']}/acknowledge/"))
    assert seen["is_triggered"] is False and seen["acknowledged_at"] is not None
    assert seen["trigger_count"] == 1
    assert ok(boss.get(BASE + "active/")) == {"active_alerts": 0, "alerts": []}
    assert len(history(boss)) == 1


def test_metrics_that_are_given_later_are_watched_too(boss, user, worker):
    ok(boss.post(BASE, {**RULE, "metric_field": "cost_usd", "condition": "gte",
                        "threshold_value": 0.5, "task_types": [], "cooldown_minutes": 0}), 201)
    task = done(user, worker, "later")
    assert history(boss) == []
    ok(user.post("/tasks/monitoring/metrics/", {"base_task": task, "cost_usd": 0.5}), 201)
    assert [event["metric_value"] for event in history(boss)] == [0.5]
    ok(user.post("/tasks/monitoring/metrics/", {"base_task": task, "cost_usd": 0.75}))
    assert [event["metric_value"] for event in history(boss)] == [0.75, 0.5]


@row("POST /tasks/monitoring/alerts/{id}/toggle")
def test_a_rule_that_is_off_says_nothing(boss, user, worker, rule):
    off = ok(boss.post(f"{BASE}{rule['id']}/toggle/"))
    assert off["is_active"] is False
    done(user, worker, "audit", {"execution_time_ms": 2500})
    assert history(boss) == []
    assert ok(boss.post(f"{BASE}{rule['id']}/toggle/"))["is_active"] is True
    done(user, worker, "audit", {"execution_time_ms": 2500})
    assert len(history(boss)) == 1


@row("POST /tasks/monitoring/alerts/{id}/test")
@row("POST /tasks/monitoring/alerts/{id}/test", error=400)
def test_a_rule_is_tried(boss, user, worker, rule):
    path = f"{BASE}{rule['id']}/test/"
    yes, no = ok(boss.post(path, {"test_value": 1001})), ok(boss.post(path, {"test_value": 1000}))
    assert (yes["would_trigger"], no["would_trigger"]) == (True, False)
    assert yes["rule_id"] == rule["id"] and yes["rule_name"] == "Slow audits"
    assert yes["threshold_value"] == 1000 and yes["condition"] == "gt" and yes["message"]
    assert ok(boss.post(path, {"test_value": 1001, "send_notification": True}))[
        "notification_sent"] is True
    assert ok(boss.get(f"{BASE}{rule['id']}/"))["trigger_count"] == 0
    done(user, worker, "audit", {"execution_time_ms": 2500})
    refused(boss.post(path, {"test_value": 1001, "send_notification": True}), 400,
            "ALERT_COOLDOWN_ACTIVE")
    refused(boss.post(path, {}), 400, "VALIDATION_ERROR", test_value=["Ce champ est requis"])


def test_rules_are_kept_and_brands_apart(relais_with, tmp_path):
    for round_ in (1, 2):
        server = relais_with(data=str(tmp_path))
        boss = server.caller("user", "boss", 7, "--brand-admin")
        other = server.caller("user", "boss", 8, "--brand-admin")
        if round_ == 1:
            ok(boss.post(BASE, {**RULE, "cooldown_minutes": 0}), 201)
        for brand in (7, 8):
            user, worker = server.caller("user", "u", brand), server.caller("worker", "w", brand)
            done(user, worker, "audit", {"execution_time_ms": 5000})
        assert len(history(boss)) == round_
        assert ok(boss.get(BASE))["results"][0]["trigger_count"] == round_
        assert history(other) == []
        assert server.stop() == 0
