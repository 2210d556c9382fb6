"""Nothing that a brand is told depends on another brand's objects. The same calls are played for
one brand on two servers: on one the other brand is empty, on the other it has made and changed the
same before, so that it has objects of every kind under the same names. Every route of the binary is
called, lists and figures with their filters too, and all answers must be equal, byte for byte but
for what the server issues: numbers, texts and times, each replaced by the order in which it was
first seen.

What is one for the installation is not played: accounts (a name or an e-mail address is taken
once), and what administrators of all brands do. How fast numbers grow tells how much is done in all
brands together; ARCHITECTURE.md says so."""
import itertools
import json
import re
import time

import pytest

import policy
import realm as realms
from conftest import SEEN_S
from people import relais_run
from realm import AWAY, HOME, Realm, Role, body_of, path_of
from test_matrix import routes

LINES = policy.expand()
NAMES = {HOME: ("ann", "chief"), AWAY: ("eve", "boss")}
QUERIES = ["", "page=1&page_size=2", "page_size=2&page=2", "page=9", "limit=2&page=2",
           "ordering=-id", "ordering=-task_type,id", "search=matrix", "search=named", "q=a",
           "status=pending", "status=failed,completed", "status=active", "priority=high",
           "task_type=matrix", "type=matrix", "created_by=ann", "has_metrics=true", "days=30",
           "is_periodic=true", "is_resumable=true", "metric=execution_time_ms",
           "min_samples=1&sensitivity=high", "queue_name__startswith=q", "id__gte=1",
           "status=ONLINE&environment=DEVELOPMENT", "active=true"]
ENDLESS = ("/events", "/stream", "/ws", "/pending", "/claim")  # they wait, or hand out
HEADERS = ("content-type", "allow", "x-total-count", "x-total-exact", "content-disposition",
           "www-authenticate", "retry-after", "content-range")

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"
ISSUED = re.compile("|".join([
    TIME, r"\bc[a-z0-9]{24}\b", r"task_[a-z0-9]{12}", r"eyJ[\w-]+\.[\w-]+\.[\w-]+",
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", r"\b[0-9a-f]{64}\b",
    r"whsec_[\w+/=]+", r"msg_\d+", r"session-[0-9a-f]{24}", r"127\.0\.0\.1:\d+",
    r"relais-hooks-[0-9a-f]+"]))
NUMBERED = "(id|cid|commandId|hook|rule_id|last_task|subscription|lease_epoch|number|base_task" \
    "|base_task_id|persistent_job|periodic_task_id|cron_job_id|calendar_id" \
    "|execution_task_id|job_id|user_id|checkpoint_id)"
PATHS = re.compile(r"(/tasks/)(\d+)(/(?:source|result)/)")
NAMED_AT_RANDOM = ("/monitoring/workers", "/metrics/dashboard", "/sessions")  # rows go by name
TIMED = ("/anomalies",)  # by what took how long: only with a measure that does not
# one's own counts, of a calendar's tasks and a task's log lines, are told as they are
NUMBER = re.compile(r'(\\?"%s\\?": ?"?)(\d+)(?!\d|,"level")' % NUMBERED)
LASTS = re.compile(  # what took how long
    r'("(?:\w*_ms|\w*duration\w*|(?:avg|estimated)\w*_minutes|uptime_hours|performance_score'
    r'|\w*_time|value|drift\w*|silentMs|change_percent|expected_range|uptime|trend)": ?)'
    r'(-?[\d.e+-]+|"\w+"|\[[-\d.e+, ]*\])')


class Apart(Realm):
    """Accounts are of the installation: each brand's have names of their own."""

    def fresh(self, role):
        if role.name == "worker of 000":
            return self.enrolled(role.brand)
        name = f"fresh-{role.brand}-{next(realms.numbers)}"
        kind = {"u": "user", "a": "admin", "w": "worker", "s": "service"}[role.letters[0]]
        wire = realms.Wire(self.server, self.server.token(kind, name, role.brand))
        if kind in ("user", "admin"):
            self.account(wire, name)
        return wire

    def account(self, wire, name):
        """It is made beside the first request of its token, by whichever thread that came to: until
        then it has another number, and of two the later may be first."""
        until = time.monotonic() + SEEN_S
        wire.data("GET", "/api/v1/tasks")
        while relais_run(self.server, "user", "show", name).returncode != 0:
            assert time.monotonic() < until, f"{name} has no account"
            time.sleep(0.05)

    def make_account(self, side, maker, line, brand):
        name = f"account-{brand}-{next(realms.numbers)}"
        made = side["admin"].data("POST", "/api/v1/users", {
            "name": name, "email": name + "@example.org"})["id"]
        path = f"/api/v1/users/{made}"
        return realms.Thing({"id": made}, lambda: side["admin"].call("GET", path))

    def callers(self, brand):
        """Who plays: one of each kind, of this brand alone."""
        side = self.side[brand]
        yield Role("user", "u", brand, side["user"])
        yield Role("admin of a brand", "ab", brand, side["admin"])
        yield Role("worker", "w", brand, side["worker"])
        yield Role("service", "s", brand, side["service"])
        yield Role("fleet", "f", brand, side["fleet"])
        yield Role("worker of 000", "k", brand, self.enrolled(brand))


class Play:
    """All calls of one brand, and what came back."""

    def __init__(self, realm, brand):
        self.realm, self.brand, self.told = realm, brand, []
        self.names = {}
        realms.numbers = itertools.count(1)
        self.callers = list(realm.callers(brand))
        for kind, name in zip(("user", "admin"), NAMES[brand]):
            realm.account(realm.side[brand][kind], name)

    def narrow(self, text):
        """The text without what the server issues."""
        def name(found):
            return "<%d>" % self.names.setdefault(found, len(self.names))

        def issued(match):
            return "<time>" if re.fullmatch(TIME, match[0]) else name(match[0])

        text = ISSUED.sub(issued, text)
        text = PATHS.sub(lambda match: match[1] + name(match[2]) + match[3], text)
        text = NUMBER.sub(lambda match: match[1] + name(match[3]), text)
        return LASTS.sub(r"\1<lasts>", text)

    def call(self, role, line, values, query="", wire=None):
        body, headers = body_of(line, values)
        if line.path.endswith("/fail"):  # a back-off would be over sooner or later
            body = body.replace(b"}", b', "retryable": false}')
        path = path_of(line, values)
        path += ("&" if "?" in path else "?") + query if query else ""
        answer = (wire or role.wire).call(line.method, path, body, headers)
        if query.startswith("page=9"):
            assert answer.status < 500
        said = [f"{name}: {answer.headers[name]}" for name in HEADERS if name in answer.headers]
        text = (answer.body or b"").decode("utf-8", "replace")
        if line.method == "GET" and line.path.endswith(NAMED_AT_RANDOM):
            text = in_any_order(text)
        self.told.append((f"{role} {line.key()}?{query}", answer.status,
                          self.narrow("\n".join(said)), self.narrow(text)))
        return answer

    def one(self, role, line):
        """A route that names an object: its own, and one that nowhere is."""
        if line.kind == "self":
            self.call(role, line, {}, wire=self.realm.fresh(role))
            return
        maker = role.wire if set(role.letters) & {"u", "a"} else None
        kind = "source" if line.kind == "file" and role.letters in "kw" else line.kind
        thing = self.realm.make(kind, self.brand, line, maker)
        wire = thing.holder if set(role.letters) & {"k", "w"} else None
        self.call(role, line, thing.values, wire=wire)
        if line.kind == "lost":  # replayed, it is lost again
            self.realm.lost_call(self.brand, f"id={thing.values['id']}")
        self.call(role, line, self.realm.missing(line.kind))
        if line.kind in ("hook", "lost"):  # calls are made behind the answers: no more of them
            chief = self.realm.side[self.brand]["admin"]
            for hook in chief.data("GET", "/tasks/webhooks/?page_size=100")["results"]:
                chief.call("DELETE", f"/tasks/webhooks/{hook['id']}/")

    def fill(self):
        """What makes and changes objects."""
        for line in played():
            if line.kind:
                for role in [each for each in self.callers if each.may(line)][:1]:
                    self.one(role, line)
        for line in played():
            for role in self.callers:
                if role.may(line) and line.kind is None and line.method != "GET":
                    self.call(role, line, {})

    def run(self):
        self.fill()
        for line in played():
            for role in self.callers:
                if not role.may(line) or line.kind or line.method != "GET":
                    continue
                timed = line.path.endswith(TIMED)
                random = line.path.endswith(NAMED_AT_RANDOM)
                first = role is next(each for each in self.callers if each.may(line))
                for query in QUERIES if first else [""]:
                    if random and ("page" in query or "limit" in query):
                        continue
                    self.call(role, line, {}, query + "&metric=cost_usd" * timed)
        return self.told


def in_any_order(text):
    """JSON whose lists do not count as ordered, without ids."""
    def sort(value):
        if isinstance(value, dict):
            return {key: sort(each) for key, each in value.items()}
        if isinstance(value, list):
            return sorted((sort(each) for each in value), key=lambda each: plain(json.dumps(each)))
        return value

    def plain(each):
        each = NUMBER.sub(r"\1", ISSUED.sub(lambda match: "#" * (match[0] != "null"), each))
        return LASTS.sub(r"\1", each)

    return plain(json.dumps(sort(json.loads(text))))


def played():
    """Each route once, under its first name; writes of the installation are not a brand's."""
    seen = set()
    for key in sorted(LINES):
        line = LINES[key]
        name = (line.method, line.path.replace("/api/v1/", "/").replace("/v1/", "/")
                .replace("/persistent-jobs/persistent-jobs", "/persistent-jobs")
                .replace("Transcription", ""), line.dialect)
        if line.dialect == "whatsapp":
            name = (line.method, line.path.replace("/api/v1/", "/").replace("/api/", "/"), "w")
        if name not in seen and not excused(line):
            yield line
        seen.add(name)


def excused(line):
    """Of the installation, or it waits."""
    return line.roles == "A" or line.path.endswith(ENDLESS) or \
        line.method == "POST" and line.path.endswith("/users")


def differences(one, other):
    assert [each[0] for each in one] == [each[0] for each in other]
    found, shown = [], set()
    for a, b in zip(one, other):
        at = next((i for i, (c, d) in enumerate(zip(a[3], b[3])) if c != d), 0)
        if a != b and a[0].partition("?")[0] not in shown:
            shown.add(a[0].partition("?")[0])  # one of a route is enough
            found.append(f"{a[0]}\n  {a[1]} {a[2]!r} {a[3][max(0, at - 90):at + 60]}\n"
                         f"  {b[1]} {b[2]!r} {b[3][max(0, at - 90):at + 60]}")
    return found


@pytest.fixture(scope="module", name="alone")
def _alone():
    made = Apart()
    yield Play(made, HOME).run()
    made.stop()


@pytest.fixture(scope="module", name="beside")
def _beside():
    made = Apart()
    Play(made, AWAY).fill()
    yield Play(made, HOME).run()
    made.stop()


def test_every_route_is_played():
    """A route is played under one of its names, or there is a reason why not."""
    def first_name(line):
        path = re.sub(r"^/(api/)?(v1/)?", "/", line.path).replace("Transcription", "")
        return line.method, path.replace("/persistent-jobs/persistent-jobs", "/persistent-jobs")

    told = {first_name(line) for line in played()}
    left = [key for key in routes() if key not in LINES or
            first_name(LINES[key]) not in told and not excused(LINES[key])]
    assert left == [] and len(told) > 170


def test_no_answer_changes_by_another_brands_objects(alone, beside):
    found = differences(alone, beside)
    assert not found, f"{len(found)} of {len(alone)} differ:\n" + "\n".join(found[:20])
