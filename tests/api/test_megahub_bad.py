"""What no client of dialect 002 should send, made from the routes themselves: the types of a body
are those of /openapi.json and of the good body in policy.py. Each gets an error of the documented
form that names the field, and the object, which is read before and after, stays as it was."""
import json
import socket

import pytest

import policy
from realm import AWAY, HOME, Realm, body_of, path_of
from test_matrix import refusal, sound

LINES = {line.key(): line for line in policy.expand().values()
         if line.dialect == "megahub" and "persistent-jobs/persistent-jobs" not in line.path}
BODIES = sorted(key for key, line in LINES.items()
                if (line.body or "").startswith("{") and line.kind != "self")
READS = sorted(key for key, line in LINES.items() if line.method == "GET")
GUARDED = sorted(key for key, line in LINES.items() if "o" not in line.roles)
JSON = {"Content-Type": "application/json"}
WRONG = {
    "string": [5, True, [], {}, ["a"]],
    "integer": ["x", "NaN", 1.5, True, [], {}, 10**18, -10**18],
    "number": ["x", "NaN", [], {}, True],
    "boolean": [5, "perhaps", [], {}],
    "object": [5, "x", [], True],
    "array": [5, "x", {}, [5], [[]], [None]],
    "time": ["yesterday", "2026-13-45T00:00:00Z", "2026-02-30T00:00:00Z", "0000-00-00", 5, [], {}],
    "enum": ["unknown", 5, [], {}, True],
}
OPEN = {"priority_boost", "persistent_job", "base_task", "email", "remember_me"}  # more types
CRON = ["* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *",
        "* * * * 8", "*/0 * * * *", "5-1 * * * *", "@daily", "", "* * *", "a b c d e", "-1 * * * *",
        "1,,2 * * * *", "* * 31 FEBR *"]
SERVERS = {"id": 1, "pk": 1, "task_id": "task_000000000000", "brand": {"id": AWAY, "name": "away"},
           "brand_id": AWAY, "brand_name": "away", "created_by": {"id": 1, "username": "eve"},
           "created_by_id": 1, "created_by_name": "eve", "owner": "eve",
           "created_at": "2001-01-01T00:00:00Z", "updated_at": "2001-01-01T00:00:00Z",
           "started_at": "2001-01-01T00:00:00Z", "completed_at": "2001-01-01T00:00:00Z",
           "result_data": {"forged": 1}, "error_message": "forged", "retry_count": 77,
           "progress_percentage": 77, "attempt": 77, "executions_count": 77, "trigger_count": 77,
           "total_executions": 77, "last_run_at": "2001-01-01T00:00:00Z", "is_triggered": True,
           "data_size_bytes": 77, "tasks_count": 77, "checkpoints_count": 77}


@pytest.fixture(scope="module")
def realm():
    made = Realm()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def schemas(realm):
    """METHOD and path of a route: what its body's members are, by name."""
    paths = realm.root.call("GET", "/openapi.json").json()["paths"]
    found = {}
    for path, methods in paths.items():
        for method, what in methods.items():
            body = what.get("requestBody", {}).get("content", {}).get("application/json", {})
            properties = body.get("schema", {}).get("properties", {})
            found[f"{method.upper()} {path.rstrip('/')}"] = {
                name: kind for name, each in properties.items() if (kind := kind_of(each))}
    return found


def kind_of(schema):
    if any("enum" in each for each in schema.get("anyOf", [schema])):
        return "enum"
    if schema.get("description") == "RFC 3339":
        return "time"
    types = schema.get("type", [])
    return next((each for each in ([types] if isinstance(types, str) else types)
                 if each != "null"), None)


def kinds(schemas, name):
    """Of the good body's members, and of all that is documented."""
    plain = {bool: "boolean", int: "number", float: "number", dict: "object", list: "array"}
    good = json.loads(LINES[name].body)
    found = {key: plain[type(value)] for key, value in good.items() if type(value) in plain}
    found.update(schemas.get(name, {}))
    return {key: kind for key, kind in found.items() if key not in OPEN}


class Caller:
    """Who may call the row, and an object of his own that is read before and after."""

    def __init__(self, realm, line):
        order = {"u": "user", "b": "brand admin", "w": "worker", "a": "admin", "A": "admin",
                 "o": "nobody"}
        self.line, self.values = line, {}
        self.role = realm.named(next(order[each] for each in order if each in line.roles))
        self.wire, self.look = self.role.wire, None
        if line.kind:
            thing = realm.make(line.kind, HOME, line)
            self.values, self.look = thing.values, thing.look
            self.wire = thing.holder if thing.holder and self.role.name == "worker" else self.wire
        elif line.method == "POST" and f"GET {line.path}" in LINES:
            reader = realm.named("admin of a brand").wire
            self.look = lambda: reader.call("GET", line.path + "/?page_size=1")

    def good(self):
        return json.loads(body_of(self.line, self.values)[0])

    def seen(self):
        if self.look is None:
            return None
        answer = self.look()
        assert answer.status == 200, answer
        return answer.json()

    def call(self, body, path=None, headers=None):
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        answer = self.wire.call(self.line.method, path or path_of(self.line, self.values), raw,
                                {**JSON, **(headers or {})})
        sound(self.line, answer)
        return answer


@pytest.mark.parametrize("name", BODIES)
def test_a_member_of_another_type_is_named(realm, schemas, name):
    caller = Caller(realm, LINES[name])
    before = caller.seen()
    for key, kind in kinds(schemas, name).items():
        for value in WRONG[kind]:
            answer = caller.call({**caller.good(), key: value})
            what = (key, value, answer)
            if LINES[name].path.startswith("/auth/") and answer.status in (401, 429):
                continue
            assert answer.status == 400, what
            fields = answer.json()["field_errors"]
            assert key in fields, what
            assert all(isinstance(text, str) for text in fields[key]), what
    assert caller.seen() == before


@pytest.mark.parametrize("name", BODIES)
def test_what_is_no_number_is_no_json(realm, schemas, name):
    caller = Caller(realm, LINES[name])
    before = caller.seen()
    for key in list(kinds(schemas, name)) or ["a"]:
        for word in (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"0x10", b"01", b"1" * 400):
            good = caller.good()
            good.pop(key, None)
            body = json.dumps(good).encode()[:-1] + (b", " if good else b"")
            answer = caller.call(body + b'"%s": %s}' % (key.encode(), word))
            assert answer.status == 400, (key, word, answer)
    assert caller.seen() == before


@pytest.mark.parametrize("name", BODIES)
def test_what_the_server_sets_is_not_the_clients(realm, schemas, name):
    """Mass assignment: what is of the server is ignored, or refused as a whole."""
    line = LINES[name]
    caller = Caller(realm, line)
    taken = set(kinds(schemas, name)) | set(caller.good()) | {"status"}
    if line.path.endswith("/job-states/{id}"):
        taken |= {"retry_count"}
    before = caller.seen()
    forged = {key: value for key, value in SERVERS.items() if key not in taken}
    answer = caller.call({**caller.good(), **forged})
    if answer.status >= 300:  # for the object's state or another's name, with or without them
        assert caller.call(caller.good()).json() == answer.json()
        assert caller.seen() == before
        return
    answer = answer.json() if answer.body else {}
    for key, value in forged.items():
        assert answer.get(key) != value or value in ("forged",), (key, answer)
    if line.kind and before:
        after = caller.seen()
        for key in ("id", "task_id", "brand", "brand_name", "created_by", "created_at",
                    "executions_count", "trigger_count", "total_executions"):
            assert before.get(key) == after.get(key) or line.path.endswith(
                ("/execute", "/execute-now", "/retry")), (key, before, after)
        if not line.path.endswith(("/complete", "/fail", "/cancel")):
            assert after.get("result_data") is None and after.get("error_message") is None


@pytest.mark.parametrize("name", [key for key in BODIES if LINES[key].kind in (
    "task", "persistent", "periodic", "cronjob", "calendar", "checkpoint")
    and LINES[key].method in ("PUT", "PATCH")])
def test_a_status_cannot_be_written(realm, name):
    caller = Caller(realm, LINES[name])
    before = caller.seen()
    for status in ("completed", "failed", "cancelled", "running", "unknown", 5, None):
        answer = caller.call({**caller.good(), "status": status})
        assert answer.status in (200, 400), answer
        if answer.status == 400:
            assert answer.json()["error_code"] == "INVALID_STATUS_TRANSITION", answer
        after = caller.seen()
        for state in ("status", "started_at", "completed_at", "progress_percentage"):
            assert before.get(state) == after.get(state), (status, state)


def with_cron(line):
    return [key for key in ("cron_expression", "custom_cron") if key in line.body or
            key == "custom_cron" and line.path.endswith(("/cron-jobs", "/cron-jobs/{id}",
                                                         "/add-task"))
            or key == "cron_expression" and line.path.endswith("/periodic-tasks/{id}")]


@pytest.mark.parametrize("name", [key for key in BODIES if with_cron(LINES[key])])
def test_a_bad_cron_expression_is_named(realm, name):
    line = LINES[name]
    caller = Caller(realm, line)
    before = caller.seen()
    for key in with_cron(line):
        for text in CRON:
            body = {**caller.good(), key: text}
            if text == "" and line.path.endswith("/add-task"):
                continue  # none of its own
            if key == "custom_cron" and "cron-jobs" in line.path:
                body["frequency"] = "custom"
            answer = caller.call(body)
            if line.path.endswith("/validate-cron") and text:
                assert answer.status == 200 and answer.json()["is_valid"] is False, (text, answer)
                assert answer.json()["error"], answer
                continue
            assert answer.status == 400, (text, answer)
            assert key in answer.json()["field_errors"], (text, answer)
            assert answer.json()["error_code"] == "INVALID_CRON_EXPRESSION" or text == "", answer
    assert caller.seen() == before


# ---- queries ----

LONG = "x" * (1 << 20)
BAD = [("page", "0"), ("page", "-1"), ("page", "x"), ("page", "NaN"), ("page", str(10**9)),
       ("page", str(10**30)), ("days", "NaN"), ("days", "-1"), ("days", "1.5"), ("days", "x"),
       ("created_after", "yesterday"), ("created_before", "2026-02-30"),
       ("created_at__range", "2026-01-01"), ("created_at__gte", "NaN"), ("status", "unknown"),
       ("priority", "unknown"), ("retry_count__gte", "NaN"), ("retry_count__in", "1,x"),
       ("id__gte", "x"), ("has_metrics", "perhaps"), ("is_active", "perhaps"),
       ("metric", "unknown"), ("sensitivity", "unknown"), ("min_samples", "NaN"),
       ("start_date", "31-February"), ("end_date", "x"), ("threshold_value__gte", "NaN"),
       ("cpu_percent__gte", "NaN"), ("is_online", "perhaps"), ("next_run_before", "soon"),
       ("progress_gte", "NaN"), ("cost__lte", "inf"), ("execution_time__gte", "0x10")]


ONE_PAGE = ("GET /brands", "GET /tasks/{id}/events", "GET /tasks/{id}/logs")  # whole, always
OWN_TIMES = {  # of what the rows have not
    "GET /tasks/monitoring/workers": {"created", "updated"},  # made in the moment of the question
    "GET /tasks/monitoring/alerts/history": {"updated"},
    "GET /tasks/persistent-jobs/checkpoints": {"updated"},
}


def status_of(wire, path):
    """Of a request that is refused while it is sent; empty when the end comes before the answer."""
    token = wire.headers["Authorization"]
    head = f"GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: {token}\r\n\r\n"
    with socket.create_connection((wire.host, wire.port), timeout=20) as link:
        try:
            link.sendall(head.encode())
            return link.recv(65536).split(b" ")[1:2][0]
        except (BrokenPipeError, ConnectionResetError, IndexError):
            return b""


@pytest.mark.parametrize("name", READS)
def test_a_bad_value_in_a_query_is_named_or_not_of_this_route(realm, name):
    caller = Caller(realm, LINES[name])
    plain = path_of(LINES[name], caller.values)
    without = caller.call(None, plain)
    rows = isinstance(without.json(), dict) and "results" in without.json() \
        if without.status == 200 and without.headers["content-type"].endswith("json") else False
    for key, value in BAD:
        answer = caller.call(None, f"{plain}?{key}={value}")
        if answer.status == 400:
            assert key in answer.json()["field_errors"], (key, value, answer)
        elif answer.status == 404 and key == "page":
            assert answer.json()["detail"] in ("Invalid page.", "Not found."), answer
        else:  # a key that the route does not know changes nothing
            assert answer.status == without.status, (key, value, answer)
            assert not (rows and key == "page") or name in ONE_PAGE, answer
            if rows:
                assert answer.json()["count"] == without.json()["count"], (key, value)
    for time in {"created", "updated"} - OWN_TIMES.get(name, set()) if rows else ():
        for key in (time + "_after", time + "_before") if name not in ONE_PAGE else ():
            answer = caller.call(None, f"{plain}?{key}=yesterday")
            assert answer.status == 400 and key in answer.json()["field_errors"], (key, answer)
            late = caller.call(None, f"{plain}?{time}_after=2999-01-01")
            assert late.status == 200 and late.json()["count"] == 0, late
    huge = caller.call(None, f"{plain}?page_size={10**9}")
    assert huge.status == without.status
    assert not rows or len(huge.json()["results"]) <= 1000
    assert status_of(caller.wire, f"{plain}?search={LONG}") in (b"414", b"431", b"")
    assert caller.call(None, f"{plain}?ordering=-nonsense,,x").status == without.status


@pytest.mark.parametrize("query", ["created_after=yesterday", "status=unknown", "priority=unknown",
                                   "retry_count__gte=NaN", "has_metrics=perhaps", "cost__lte=inf",
                                   "created_at__range=2026-01-01", "page=0", "id__gte=x"])
def test_the_list_of_tasks_ignores_no_bad_value(realm, query):
    answer = realm.named("user").wire.call("GET", "/tasks/?" + query)
    assert answer.status == (404 if query == "page=0" else 400), answer


# ---- brands ----

@pytest.mark.parametrize("name", GUARDED)
def test_a_foreign_brand_is_refused_everywhere(realm, name):
    line = LINES[name]
    caller = Caller(realm, line) if line.kind != "self" else None
    wire = caller.wire if caller else realm.named("user").wire
    if "u" not in line.roles and "b" not in line.roles and "w" not in line.roles:
        pytest.skip("only administrators of all brands")
    before = caller.seen() if caller else None
    values = caller.values if caller else {}
    body, headers = body_of(line, values)
    for brand, status, code in ((str(AWAY), 403, "BRAND_FORBIDDEN"), ("x", 400, "BRAND_REQUIRED"),
                                ("-1", 400, "BRAND_REQUIRED"), ("1" * 30, 400, "BRAND_REQUIRED"),
                                ("all", 403, "BRAND_FORBIDDEN"),
                                (f"{HOME}, {AWAY}", 400, "BRAND_REQUIRED")):
        answer = wire.call(line.method, path_of(line, values), body,
                           {**headers, "X-Brand-ID": brand})
        assert (answer.status, refusal("megahub", answer)) == (status, code), (brand, answer)
    if caller:
        assert caller.seen() == before
