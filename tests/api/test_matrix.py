"""Every route, every kind of caller, and objects of one's own, of another brand, and that do not
exist. policy.py says who may; realm.py makes callers and objects; here stands what must follow:

- who may is never told 401 or 403 about an object of his own;
- who brings no credentials, wrong ones or old ones gets 401, who may not gets 403, and either
  leaves the object as it was;
- an object of another brand answers exactly as one that does not exist, and stays as it was;
- every answer has its dialect's form and a documented code, and none is a server's error."""
import re
import subprocess

import pytest

import policy
from conftest import RELAIS
from realm import AWAY, HOME, Realm, Role, body_of, path_of

LINES = policy.expand()
CODES = {
    400: {"VALIDATION_ERROR"}, 401: {"UNAUTHORIZED"}, 403: {"FORBIDDEN"}, 404: {"NOT_FOUND"},
    405: {"METHOD_NOT_ALLOWED"}, 409: {"CONFLICT", "ATTEMPT_SUPERSEDED", "IDEMPOTENCY_CONFLICT"},
    406: {"NOT_ACCEPTABLE"}, 408: {"REQUEST_TIMEOUT"}, 410: {"GONE"}, 413: {"PAYLOAD_TOO_LARGE"},
    414: {"URI_TOO_LONG"}, 415: {"UNSUPPORTED_MEDIA_TYPE"}, 416: {"RANGE_NOT_SATISFIABLE"},
    426: {"UPGRADE_REQUIRED"}, 429: {"RATE_LIMITED"}, 431: {"HEADERS_TOO_LARGE"},
}
MORE = {
    "whatsapp": {404: {"WORKER_NOT_FOUND"}, 503: {"NO_AVAILABLE_WORKERS"},
                 409: {"SESSION_NOT_CONNECTED", "WORKER_ALREADY_REGISTERED"}},
    "megahub": {401: {"NOT_AUTHENTICATED", "TOKEN_INVALID"}, 404: {"TASK_NOT_FOUND"},
                403: {"PERMISSION_DENIED", "BRAND_FORBIDDEN"}, 429: {"THROTTLED"},
                400: {"INVALID_STATUS_TRANSITION", "MAX_RETRIES_EXCEEDED", "TASK_ALREADY_COMPLETED",
                      "INVALID_OPERATION", "METRIC_FIELD_INVALID", "THRESHOLD_OUT_OF_RANGE",
                      "ALERT_COOLDOWN_ACTIVE", "JOB_NOT_RESUMABLE", "CHECKPOINT_CORRUPTED",
                      "INVALID_JOB_STATE", "INVALID_CRON_EXPRESSION", "SCHEDULE_IN_PAST",
                      "FREQUENCY_NOT_SUPPORTED", "TIMEZONE_INVALID", "BRAND_REQUIRED"}},
}
INSTEAD = {("megahub", 401), ("megahub", 403), ("megahub", 429)}  # the dialect's names alone
BYTES = ("/download", "/audio", "/result", "/source")  # rows whose success is a file


def codes_of(dialect, status):
    plain = set() if (dialect, status) in INSTEAD else CODES.get(status, set())
    return plain | MORE.get(dialect, {}).get(status, set())


def refusal(dialect, answer):
    """An error in the dialect's form with a documented code. Gives the code."""
    assert answer.headers.get("content-type", "").startswith("application/json"), answer
    body = answer.json()
    if dialect == "megahub":
        assert {"detail", "error_code", "field_errors"} <= set(body), answer
        assert isinstance(body["detail"], str) and body["detail"], answer
        assert isinstance(body["field_errors"], dict), answer
        assert answer.status == 400 or body["field_errors"] == {}, answer
        code = body["error_code"]
    elif dialect == "speech":
        assert body["status"] == "error" and body["message"], answer
        code = body["code"]
    else:
        assert body["success"] is False and isinstance(body["error"], str), answer
        assert body["error"] == body["message"] != "", answer
        code = body["code"]
    assert code in codes_of(dialect, answer.status), answer
    if answer.status == 401:
        assert answer.headers.get("www-authenticate", "").startswith("Bearer"), answer
    if answer.status == 405:
        assert answer.headers.get("allow"), answer
    return code


def success(line, answer):
    """A success in the dialect's form."""
    kind = answer.headers.get("content-type", "")
    if kind.startswith("text/event-stream"):
        assert line.path.endswith(("/events", "/stream")), answer
    elif answer.status == 204:
        assert (line.dialect, line.method, answer.body) == ("megahub", "DELETE", b""), answer
    elif line.method == "GET" and line.path.endswith(BYTES) and "job_uuid" not in line.query:
        assert answer.status in (200, 206) and answer.body, answer
    else:
        assert kind.startswith("application/json"), answer
        body = answer.json()
        if line.dialect == "speech":
            assert set(body) == {"data", "status"} and body["status"] == "success", answer
        elif line.dialect != "megahub":
            assert body["success"] is True and set(body) <= {"success", "message", "data"}, answer


def sound(line, answer):
    """What holds for every answer of a route."""
    documented = (line.dialect, answer.status) == ("whatsapp", 503)
    assert answer.status < 500 or documented, answer
    if answer.status < 300:
        success(line, answer)
    else:
        refusal(line.dialect, answer)


def asked(role, line, values, wire=None):
    body, headers = body_of(line, values)
    answer = (wire or role.wire).call(line.method, path_of(line, values), body, headers)
    sound(line, answer)
    return answer


def anonymous(answer, values):
    """The answer's bytes without the ids that were asked for; numbers and times that a write has
    just issued differ as well."""
    text = answer.body.decode()
    for value in filter(None, values.values()):
        text = text.replace(str(value), "#")
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "#", text)
    return re.sub(r'("(?:id|job_id)": ?"?)\d+', r"\1#", text)


def seen(thing):
    """The object as its owner reads it."""
    answer = thing.look()
    assert answer.status == 200, answer
    return answer.json()


@pytest.fixture(scope="module")
def realm():
    made = Realm()
    yield made
    made.stop()


def routes():
    """What the binary serves: (dialect, "METHOD path")."""
    run = subprocess.run([RELAIS, "gateway", "--routes"], capture_output=True, text=True,
                         check=True, timeout=60)
    dialect, found = None, set()
    for text in run.stdout.splitlines():
        if text.startswith("# "):
            dialect = text[2:]
        else:
            found.add((dialect, text))
    return found


def test_every_route_has_a_policy_and_every_policy_a_route():
    served = routes()
    assert len(served) > 300
    assert sorted(served - set(LINES)) == [], "routes that policy.py does not know"
    assert sorted(set(LINES) - served) == [], "lines of policy.py that nothing serves"


def of(realm, line, role):
    """An object of the caller's own, and who calls: the one who holds it where that matters."""
    if line.kind is None:
        return {}, None
    if line.kind == "self":
        return {}, realm.fresh(role)
    if line.kind == "account" and "a" not in role.letters:
        wire = realm.fresh(role)
        return {"id": wire.data("GET", "/auth/me/")["id"]}, wire
    maker = role.wire if set(role.letters) & {"u", "a"} else None
    kind = "source" if line.kind == "file" and role.letters in "kw" else line.kind
    thing = realm.make(kind, role.brand, line, maker)
    return thing.values, thing.holder if set(role.letters) & {"k", "w"} else None


@pytest.mark.parametrize("name", sorted(LINES), ids=lambda key: ": ".join(key))
def test_who_may(realm, name):
    line = LINES[name]
    named = line.kind not in (None, "self")
    for role in realm.roles:
        if not role.may(line):
            continue
        values, wire = of(realm, line, role)
        answer = asked(role, line, values, wire)
        assert answer.status not in (401, 403), (role, answer)
        if named:
            assert answer.status != 404 or absent(line), (role, answer)


def absent(line):
    """Rows that say 404 of an object that is there, because something in it is not."""
    return line.path.endswith(("/result", "/source", "/qr"))


@pytest.mark.parametrize("name", sorted(LINES), ids=lambda key: ": ".join(key))
def test_who_may_not(realm, name):
    line = LINES[name]
    denied = [role for role in realm.roles if not role.may(line)]
    named = denied and line.kind not in (None, "self")
    thing = realm.make(line.kind, HOME, line) if named else None
    before = seen(thing) if thing else None
    for role in denied:
        answer = asked(role, line, thing.values if thing else {})
        known = role.letters != "f" or line.dialect == "whatsapp"  # elsewhere it is no credential
        want = 403 if role.letters and known else 401
        assert answer.status == want, (role, answer)
    if thing:
        assert seen(thing) == before


NAMED = sorted(key for key, line in LINES.items() if line.kind not in (None, "self"))


@pytest.mark.parametrize("name", NAMED, ids=lambda key: ": ".join(key))
def test_what_is_of_another_brand_is_not_there(realm, name):
    line = LINES[name]
    for role in realm.roles:
        if not role.may(line) or all_brands(line, role):
            continue
        other = AWAY if role.brand == HOME else HOME
        thing = realm.foreign(line, other)
        before = seen(thing)
        foreign = asked(role, line, thing.values)
        assert seen(thing) == before, (role, foreign)
        absent_values = realm.missing(line.kind)
        missing = asked(role, line, absent_values)
        assert foreign.status == missing.status, (role, foreign, missing)
        if foreign.body is None or line.kind == "brand":
            continue
        assert anonymous(foreign, thing.values) == anonymous(missing, absent_values), role


def all_brands(line, role):
    """Where brands are no border: to the house's admin, and where the caller is not looked at."""
    return line.kind in ("account", "brand") and "A" in role.letters or "o" in line.roles


OWNED = ("film", "file", "fileid", "session", "message")  # a user's own, not all of the brand's


@pytest.mark.parametrize("name", [key for key in NAMED if LINES[key].kind in OWNED],
                         ids=lambda key: ": ".join(key))
def test_what_is_of_another_user_is_refused_or_not_there(realm, name):
    line = LINES[name]
    neighbour = Role("another user", "u", HOME, realm.neighbour)
    if not neighbour.may(line):
        pytest.skip("no row of users")
    thing = realm.make(line.kind, HOME, line)
    before = seen(thing)
    answer = asked(neighbour, line, thing.values)
    assert answer.status in ((403, 404) if line.dialect == "qalpuch" else (404,)), answer
    assert seen(thing) == before, answer
    assert asked(Role("its owner", "u", HOME, realm.side[HOME]["user"]), line,
                 thing.values).status not in (401, 403)
