"""Outgoing webhooks: who is told, what is said, how it is signed, and that nothing is lost."""
import itertools
import signal
import time

import pytest

from conftest import SHORT, TIME, Relais, end
from listener import Listener, Mailbox
from peer import ANSWER, OK, QUEUE, Peer
from rows import row

HOOKS = "/tasks/webhooks/"
FLAGS = ["--hook-allow=127.0.0.0/8", "--hook-backoff-ms=100", "--hook-retries=2",
         "--hook-timeout-ms=60000"]
# what one that was killed had in its hands comes back soon
MORTAL = ["--hook-timeout-ms=2000", *SHORT]
BRANDS = itertools.count(7000)


@pytest.fixture(scope="module")
def server():
    server = Relais(*FLAGS)
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module")
def strict():
    """One that has nothing on its list."""
    server = Relais("--hook-backoff-ms=100", "--hook-retries=3")
    yield server
    assert server.stop() == 0


@pytest.fixture
def listener():
    listener = Listener()
    yield listener
    listener.close()


class Brand:
    def __init__(self, server, number=None):
        self.number = number or next(BRANDS)
        self.admin = server.caller("user", f"chief{self.number}", self.number, "--brand-admin")
        self.user = server.caller("user", f"user{self.number}", self.number)
        self.worker = server.caller("worker", f"worker{self.number}", self.number)

    def subscribe(self, url, *events, **more):
        answer = self.admin.post(HOOKS, {"url": url, "events": list(events), **more})
        assert answer.status_code == 201, answer.text
        return answer.json()

    def submit(self, **more):
        answer = self.user.post("/tasks/", {"task_type": "t", "context_data": {"a": 1}, **more})
        assert answer.status_code == 201, answer.text
        return answer.json()

    def claim(self):
        answer = self.worker.post("/tasks/claim/", {"wait": 30})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def run(self, end_with="complete", body=None, **more):
        task = self.submit(**more)
        self.claim()
        answer = self.worker.post(f"/tasks/{task['id']}/{end_with}/", body or {})
        assert answer.status_code == 200, answer.text
        return task


@pytest.fixture
def brand(server):
    return Brand(server)


def test_what_relais_does_for_itself_is_in_no_list_of_the_brand(brand, listener):
    brand.subscribe(listener.url, "task.completed")
    nowhere = brand.subscribe("http://127.0.0.1:1/", "task.completed")
    task = brand.run()
    assert listener.next().json["data"]["task_id"] == task["task_id"]
    for _ in range(200):
        dead = brand.admin.get(HOOKS + "dead/").json()
        if dead["count"]:
            break
        time.sleep(0.05)
    assert dead["count"] == 1, "what could not be told is there"
    for query in ("", "?has_metrics=true", "?status=completed,failed,running,pending",
                  "?created_by=" + f"user{brand.number}", "?ordering=-updated_at",
                  "?queue_name=relais.webhook"):
        listed = brand.user.get("/tasks/" + query).json()
        wanted = [] if "relais" in query else [task["id"]]
        assert [each["id"] for each in listed["results"]] == wanted, query
        assert listed["count"] == len(wanted), query
    assert brand.user.get("/tasks/monitoring/metrics/").json()["count"] == 1
    board = brand.user.get("/tasks/dashboard/").json()
    assert board["total_count"] == len(board["recent_items"]) == 1
    assert brand.admin.delete(f"{HOOKS}{nowhere['id']}/").status_code == 204


# ---- subscriptions ----

@row("POST /tasks/webhooks")
@row("GET /tasks/webhooks")
@row("GET /tasks/webhooks/{id}")
@row("PATCH /tasks/webhooks/{id}")
@row("PUT /tasks/webhooks/{id}")
@row("DELETE /tasks/webhooks/{id}")
@row("POST /tasks/webhooks/{id}/rotate-secret")
def test_a_subscription_lives_and_shows_its_secret_once(brand):
    made = brand.subscribe("https://example.org/in", "task.completed", description="d")
    assert made["secret"].startswith("whsec_") and made["active"] is True
    one = f"{HOOKS}{made['id']}/"
    read = brand.admin.get(one).json()
    assert "secret" not in read
    assert read == {key: value for key, value in made.items() if key != "secret"}
    changed = brand.admin.call("PATCH", one, json={"active": False}).json()
    assert changed["active"] is False and changed["url"] == made["url"]
    assert "secret" not in changed
    put = brand.admin.put(one, json={"url": "https://example.org/2", "events": ["session.*"]})
    assert put.status_code == 200
    assert put.json()["url"] == "https://example.org/2" and put.json()["events"] == ["session.*"]
    turned = brand.admin.post(one + "rotate-secret/", {}).json()
    assert turned["secret"].startswith("whsec_") and turned["secret"] != made["secret"]
    listed = brand.admin.get(HOOKS).json()
    assert listed["count"] == 1 and listed["results"][0]["id"] == made["id"]
    assert brand.admin.delete(one).status_code == 204
    assert brand.admin.get(one).status_code == 404


@row("POST /tasks/webhooks", error=403)
@row("GET /tasks/webhooks", error=403)
@row("GET /tasks/webhooks/dead", error=403)
@row("GET /tasks/webhooks/signing-key", error=403)
@row("POST /tasks/webhooks/dead/{id}/replay", error=403)
def test_only_a_brand_s_admin_subscribes(brand):
    body = {"url": "https://example.org/", "events": ["task.failed"]}
    assert brand.user.post(HOOKS, body).status_code == 403
    for path in (HOOKS, HOOKS + "dead/", HOOKS + "signing-key/"):
        assert brand.user.get(path).status_code == 403
    assert brand.user.post(HOOKS + "dead/1/replay/", {}).status_code == 403


@row("GET /tasks/webhooks/{id}", error=404)
@row("PATCH /tasks/webhooks/{id}", error=404)
@row("PUT /tasks/webhooks/{id}", error=404)
@row("DELETE /tasks/webhooks/{id}", error=404)
@row("POST /tasks/webhooks/{id}/rotate-secret", error=404)
def test_another_brand_s_subscription_is_not_there(server, brand):
    made = brand.subscribe("https://example.org/in", "task.completed")
    other, one = Brand(server).admin, f"{HOOKS}{made['id']}/"
    assert other.get(one).status_code == 404
    assert other.call("PATCH", one, json={"active": False}).status_code == 404
    assert other.put(one, json={"url": "https://a.example/", "events": ["task.failed"]}
                     ).status_code == 404
    assert other.post(one + "rotate-secret/", {}).status_code == 404
    assert other.delete(one).status_code == 404
    assert brand.admin.get(one).json()["active"] is True


@pytest.mark.parametrize("field, value", [
    ("url", "ftp://example.org/"), ("url", "http://example.org/"), ("url", "no url"),
    ("url", "https://user:word@example.org/"), ("url", "https://10.0.0.1/"),
    ("url", "https://169.254.169.254/latest/"), ("url", "https://[::1]/"),
    ("url", "https://[::ffff:10.0.0.1]/"), ("url", "https://example.org:22/"), ("url", None),
    ("events", []), ("events", ["task.exploded"]), ("events", "task.failed"),
    ("secret", "short"), ("secret", "whsec_AAAA"), ("active", "yes and no")])
@row("POST /tasks/webhooks", error=400)
def test_what_cannot_be_is_refused_by_field(strict, field, value):
    brand = Brand(strict)
    body = {"url": "https://example.org/", "events": ["task.failed"], field: value}
    answer = brand.admin.post(HOOKS, body)
    assert answer.status_code == 400, answer.text
    assert list(answer.json()["field_errors"]) == [field]


# ---- what is told ----

def test_the_end_of_a_task_is_told_signed(brand, listener):
    made = brand.subscribe(listener.url + "/in", "task.completed", "task.failed")
    task = brand.run(body={"result_data": {"x": 2}})
    call = listener.next()
    assert call.path == "/in" and call.signed_by(made["secret"])
    assert call.headers["content-type"] == "application/json"
    said = call.json
    assert said["type"] == "task.completed" and said["timestamp"].endswith("Z")
    data = said["data"]
    assert data["id"] == task["id"] and data["status"] == "completed"
    assert data["context_data"] == {"a": 1} and data["result_data"] == {"x": 2}
    assert data["brand"] == brand.number and data["task_type"] == "t"
    task = brand.run("fail", {"error_message": "no", "retryable": False})
    said = listener.next().json
    assert (said["type"], said["data"]["id"]) == ("task.failed", task["id"])
    assert said["data"]["error_message"] == "no"


def test_only_what_was_asked_for_is_told(server, brand, listener):
    brand.subscribe(listener.url + "/failed", "task.failed")
    brand.subscribe(listener.url + "/off", "task.completed", active=False)
    Brand(server).run()
    brand.run()
    task = brand.submit()
    assert brand.user.post(f"/tasks/{task['id']}/cancel/", {}).status_code == 200
    assert listener.silent(1) is None


def test_a_cancelled_task_that_never_ran_and_progress(brand, listener):
    brand.subscribe(listener.url, "task.cancelled", "task.progress")
    task = brand.submit(scheduled_for="2099-01-01T00:00:00Z")
    assert brand.user.post(f"/tasks/{task['id']}/cancel/", {}).status_code == 200
    said = listener.next().json
    assert (said["type"], said["data"]["id"]) == ("task.cancelled", task["id"])
    assert said["data"]["context_data"] == {"a": 1}
    task = brand.submit()
    brand.claim()
    for percent in (10, 10, 20):
        brand.worker.post(f"/tasks/{task['id']}/progress/", {"progress_percentage": percent})
    said = [listener.next().json for _ in range(2)]
    assert sorted(one["data"]["progress_percentage"] for one in said) == [10, 20]
    assert {one["type"] for one in said} == {"task.progress"}
    assert listener.silent(0.5) is None


@row("GET /tasks/webhooks/signing-key")
def test_a_task_s_own_url_is_told_of_each_run(brand, listener):
    secret = brand.admin.get(HOOKS + "signing-key/").json()["secret"]
    task = brand.run("fail", {"error_message": "no", "retryable": False},
                     webhook_url=listener.url + "/own")
    call = listener.next()
    assert call.path == "/own" and call.signed_by(secret)
    assert call.json["type"] == "task.failed" and call.json["data"]["run"] == 1
    assert brand.user.post(f"/tasks/{task['id']}/retry/", {}).status_code in (200, 202)
    brand.claim()
    assert brand.worker.post(f"/tasks/{task['id']}/complete/", {}).status_code == 200
    again = listener.next()
    assert again.json["type"] == "task.completed" and again.json["data"]["run"] == 2
    assert again.id != call.id
    bad = brand.user.post("/tasks/", {"task_type": "t", "webhook_url": "http://10.1.1.1/"})
    assert bad.status_code == 400 and list(bad.json()["field_errors"]) == ["webhook_url"]


# ---- what fails ----

def dead(brand, count, within_s=60):
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        listed = brand.admin.get(HOOKS + "dead/").json()
        if listed["count"] >= count:
            break
        time.sleep(0.05)
    assert listed["count"] == count, listed
    return listed["results"]


@row("GET /tasks/webhooks/dead")
@row("POST /tasks/webhooks/dead/{id}/replay")
def test_retries_keep_the_id_and_the_dead_can_be_replayed(brand):
    listener = Listener({"/in": [500, 503, 500, 204]})
    made = brand.subscribe(listener.url + "/in", "task.completed")
    brand.run()
    calls = [listener.next() for _ in range(3)]
    assert len({call.id for call in calls}) == 1
    assert all(call.signed_by(made["secret"]) for call in calls)
    lost = dead(brand, 1)[0]
    assert lost["event"] == "task.completed" and lost["url"] == listener.url + "/in"
    assert lost["attempts"] == 3 and lost["last_error"] == "it answered 500"
    assert lost["webhook_id"] == calls[0].id and lost["subscription"] == made["id"]
    answer = brand.admin.post(f"{HOOKS}dead/{lost['id']}/replay/", {})
    assert answer.status_code == 202
    replayed = listener.next()
    assert replayed.id == calls[0].id and replayed.body == calls[0].body
    dead(brand, 0)
    listener.close()


@row("POST /tasks/webhooks/dead/{id}/replay", error=404)
def test_only_the_brand_s_dead_webhooks_are_replayed(server, brand):
    task = brand.run("fail", {"error_message": "no", "retryable": False})
    assert brand.admin.post(f"{HOOKS}dead/{task['id']}/replay/", {}).status_code == 404
    assert brand.admin.post(f"{HOOKS}dead/99999999/replay/", {}).status_code == 404


def test_redirects_are_refused_and_gone_is_the_end(brand):
    target = Listener()
    listener = Listener({"/away": [(302, {"Location": target.url})], "/gone": [410]})
    brand.subscribe(listener.url + "/away", "task.completed")
    brand.subscribe(listener.url + "/gone", "task.completed")
    brand.run()
    lost = {one["url"].rsplit("/")[-1]: one for one in dead(brand, 2)}
    assert lost["away"]["last_error"] == "it answered 302" and lost["away"]["attempts"] == 3
    assert lost["gone"]["last_error"] == "it answered 410" and lost["gone"]["attempts"] == 1
    assert target.silent(0) is None
    listener.close()
    target.close()


@pytest.mark.parametrize("url", ["https://localhost:8443/", "https://localhost/"])
def test_a_name_that_means_this_machine_is_not_called(strict, url):
    brand = Brand(strict)
    brand.subscribe(url, "task.completed")
    brand.run()
    lost = dead(brand, 1)[0]
    assert lost["last_error"] == "the address is not allowed" and lost["attempts"] == 1


def test_a_listener_that_says_nothing_is_cut_off(relais_with):
    import socket
    brand = Brand(relais_with(*FLAGS, "--hook-timeout-ms=300"))
    deaf = socket.create_server(("127.0.0.1", 0))
    brand.subscribe(f"http://127.0.0.1:{deaf.getsockname()[1]}/", "task.completed")
    brand.run()
    assert dead(brand, 1)[0]["attempts"] == 3
    deaf.close()


# ---- alerts ----

ALERTS = "/tasks/monitoring/alerts/"


def rule_of(brand, **more):
    answer = brand.admin.post(ALERTS, {"name": "slow", "metric_field": "cost_usd",
                                       "condition": "gt", "threshold_value": 5, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_an_alert_calls_its_rule_s_url_and_the_brand_s_subscribers(brand, listener):
    made = brand.subscribe(listener.url + "/all", "alert.triggered")
    key = brand.admin.get(HOOKS + "signing-key/").json()["secret"]
    rule = rule_of(brand, webhook_url=listener.url + "/rule", description="too dear")
    task = brand.run(body={"metrics": {"cost_usd": 7}})
    calls = {call.path: call for call in (listener.next(), listener.next())}
    assert calls["/all"].signed_by(made["secret"]) and calls["/rule"].signed_by(key)
    assert calls["/all"].json["type"] == "alert.triggered"
    said = calls["/rule"].json
    assert said["alert_type"] == "task_monitoring"
    assert said["rule"] == {"id": rule["id"], "name": "slow", "description": "too dear"}
    for data in (said["alert_data"], calls["/all"].json["data"]):
        assert data["task"] == task["id"] and data["metric_value"] == 7
        assert (data["task_id"], data["brand"]) == (task["task_id"], brand.number)
        assert data["rule_name"] == "slow" and TIME.fullmatch(data["triggered_at"])


def test_an_alert_is_mailed():
    mailbox = Mailbox()
    server = Relais(*FLAGS, "--smtp-url", mailbox.url, "--smtp-from=relais@example.org")
    brand = Brand(server)
    rule_of(brand, notification_emails=["a@example.org", "b@example.org",
                                        "c@example.org>\r\nRCPT TO:<d@example.org"],
            name="dear\r\nBcc: x@example.org")
    brand.run(body={"metrics": {"cost_usd": 7}})
    mail = mailbox.mails.get(timeout=60)
    assert mail["from"] == "relais@example.org"
    assert mail["to"] == ["a@example.org", "b@example.org"]
    head, text = mail["text"].split("\r\n\r\n", 1)
    assert "\r\nBcc:" not in head and "\r\nSubject: dear" in head
    assert '"metric_value":7' in text.replace(" ", "")
    assert server.stop() == 0
    mailbox.close()


# ---- kills ----

def test_nothing_is_lost_or_submitted_twice_when_all_are_killed_again_and_again(tmp_path):
    """Each settlement makes one call, though the processes die while it is looked for and sent."""
    listener = Listener({"/": [200]})
    server = Relais(*FLAGS, *MORTAL, data=str(tmp_path))
    brand = Brand(server)
    brand.subscribe(listener.url + "/", "task.completed")
    wanted, ids = set(), {}
    for _ in range(4):
        for _ in range(15):
            wanted.add(brand.run()["id"])
        end(server.process, signal.SIGKILL)
        server.log.close()
        server = Relais(*FLAGS, *MORTAL, data=str(tmp_path))
        for caller in (brand.admin, brand.user, brand.worker):
            caller.base = server.http
    until = time.monotonic() + 90
    while set(ids) != wanted and time.monotonic() < until:
        call = listener.silent(1)
        if call:
            ids.setdefault(call.json["data"]["id"], set()).add(call.id)
    assert set(ids) == wanted
    assert all(len(one) == 1 for one in ids.values()), "a settlement became two calls"
    while listener.silent(1):
        pass
    assert server.stop() == 0
    listener.close()


def test_a_gateway_that_is_killed_loses_no_call_and_doubles_none(tmp_path):
    listener = Listener()
    broker = Relais(*SHORT, role="broker", data=str(tmp_path))
    gateway = Relais(*FLAGS, MORTAL[0], role="gateway", data=str(tmp_path))
    brand = Brand(gateway)
    brand.subscribe(listener.url + "/", "task.completed")
    wanted, ids = set(), {}
    for _ in range(3):
        tasks = [brand.submit()["id"] for _ in range(10)]
        for _ in tasks:
            brand.claim()
        for task in tasks:
            answer = brand.worker.post(f"/tasks/{task}/complete/", {})
            assert answer.status_code == 200, answer.text
        wanted.update(tasks)
        end(gateway.process, signal.SIGKILL)
        gateway.log.close()
        gateway = Relais(*FLAGS, MORTAL[0], role="gateway", data=str(tmp_path))
        for caller in (brand.admin, brand.user, brand.worker):
            caller.base = gateway.http
    until = time.monotonic() + 90
    while set(ids) != wanted and time.monotonic() < until:
        call = listener.silent(1)
        if call:
            ids.setdefault(call.json["data"]["id"], set()).add(call.id)
    assert set(ids) == wanted and all(len(one) == 1 for one in ids.values())
    assert dead(brand, 0) == []
    assert gateway.stop() == 0 and broker.stop() == 0
    listener.close()


def events_made(server):
    """Whether the broker makes events for brand 1: what its queue of events says."""
    client = Peer(server.native, "client")
    try:
        heard, item = client.ask(QUEUE, ["relais.webhook", {}])
    finally:
        client.close()
    assert heard == ANSWER and item[1] == OK, item
    return b"hooks" in item[2]


def test_without_webhooks_no_events_are_made(relais_with, listener):
    server = relais_with(*FLAGS)
    brand = Brand(server, 1)
    assert not events_made(server)
    first = brand.subscribe(listener.url, "task.completed")
    second = brand.subscribe(listener.url, "task.failed")
    assert events_made(server)
    assert brand.admin.delete(f"{HOOKS}{first['id']}/").status_code == 204
    assert events_made(server), "one is left"
    assert brand.admin.delete(f"{HOOKS}{second['id']}/").status_code == 204
    assert not events_made(server)
    brand.subscribe(listener.url, "task.completed")
    task = brand.run()
    assert listener.next().json["data"]["task_id"] == task["task_id"]
