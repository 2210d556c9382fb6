"""What no client should send, to every endpoint that reads a body, a query or an id: the answer is
an error of the dialect, with a documented code, or a success that the value allows; never an error
of the server, never silence. What is no JSON, no object, no UTF-8, too long, too deep or of another
type is always refused. Nothing of what was broken off stays behind, and the store is sound.

The values are drawn by a generator: a failure names its seed. RELAIS_SEED=N draws others."""
import json
import os
import pathlib
import random
import socket
import time

import pytest

import policy
from realm import FORM, HOME, Realm, body_of, path_of
from test_matrix import refusal, sound

SEED = int(os.environ.get("RELAIS_SEED", "7"))
LINES = policy.expand()
DRAWS = 24  # bodies and queries of each route
LATE = {"Content-Type": "application/json"}
WORDS = ["type", "status", "priority", "config", "name", "email", "description", "context_data",
         "scheduled_for", "max_retries", "timeout_minutes", "limit", "wait", "queues", "task_types",
         "progress", "message", "metrics", "result", "result_data", "data", "seq", "number",
         "segment", "language", "retryable", "error_message", "lease_seconds", "again", "page",
         "capabilities", "progress_percentage", "role", "brands", "password", "token", "timestamp",
         "maxSessions", "environment", "version", "endpoint", "sessions", "cpuUsage", "qrCode",
         "phoneNumber", "recoveryResults", "event", "messageId", "sessionId", "workerId", "to",
         "cron_expression", "timezone", "start_date", "end_date", "is_active", "frequency",
         "custom_cron", "task_config", "color", "checkpoint_data", "step_name", "total_steps",
         "completed_steps", "current_step", "can_resume", "job_data", "days_old", "max_executions",
         "metric_field", "condition", "threshold_value", "cooldown_minutes", "task_types",
         "notification_emails", "webhook_url", "reason", "new_priority", "predefinedTaskId"]
QUERY = ["page", "page_size", "limit", "offset", "status", "priority", "type", "search", "ordering",
         "days", "created_after", "created_before", "created_at__range", "retry_count__gte",
         "id__in", "progress_gte", "q", "capabilities", "empty", "environment", "logs", "offset",
         "start_date", "end_date", "metric", "sensitivity", "min_samples", "timezone", "sessionId",
         "lastEventId", "is_active", "next_run_before", "has_metrics", "task_type__startswith"]
TEXTS = ["", " ", "x", "\0", "a\0b", "\x01\x1f\x7f", "\r\nX-Evil: 1", "é" * 300, "\u202e\U0001f600",
         "../../etc/passwd", "%00", "%s%n%x", "' OR 1=1 --", "<script>", "{{7*7}}", "NaN", "null",
         "-1", "0x10", "1e999", "9" * 400, "2026-13-45T99:99:99Z", "0000-00-00", "2026-02-30",
         "9999-12-31T23:59:59Z", "-0001-01-01T00:00:00Z", "* * * * * *", "x" * 5000, "x" * 70000]
NUMBERS = [0, -1, 1.5, -0.0, 2**31, 2**32, 2**53, 2**63 - 1, -2**63, 1e308, 5e-324, 255, 256, 65536]


def first(dialect):
    """One base of each dialect: the others are the same functions."""
    skip = {"qalpuch": "/v1/", "whatsapp": "/api/", "megahub": "\n"}.get(dialect)
    return lambda path: (not path.startswith(skip) or path.startswith("/api/v1/")) if skip else \
        "Transcription/" in path or "/jobs/ws" in path


CHOSEN = sorted(key for key, line in LINES.items()
                if first(line.dialect)(line.path) and line.kind != "self")
READS_JSON = [key for key in CHOSEN if (LINES[key].body or "").startswith("{")]
READS_FORM = [key for key in CHOSEN if LINES[key].body in ("FILE", "AUDIO")]
HAS_ID = [key for key in CHOSEN if "{" in LINES[key].path]


@pytest.fixture(scope="module")
def realm():
    made = Realm()
    yield made
    made.stop()


class Caller:
    """Who may call the row, with an object of his own; another one once a call has succeeded."""

    def __init__(self, realm, line):
        self.realm, self.line = realm, line
        order = {"u": "user", "k": "worker of 000", "w": "worker", "f": "fleet", "a": "admin",
                 "A": "admin", "b": "brand admin", "o": "nobody"}
        letter = next(each for each in order if each in line.roles)
        self.role = realm.named(order[letter])
        self.renew()

    def renew(self):
        line, self.values, self.wire = self.line, {}, self.role.wire
        if line.kind == "account" and "u" in line.roles:
            self.wire = self.realm.side[HOME]["admin"]
        if line.kind:
            thing = self.realm.make(line.kind, HOME, line)
            self.values = thing.values
            if thing.holder and set(self.role.letters) & {"k", "w"}:
                self.wire = thing.holder

    def call(self, body, headers=None, path=None):
        line = self.line
        answer = self.wire.call(line.method, path or path_of(line, self.values), body,
                                LATE if headers is None else headers)
        sound(line, answer)
        if answer.status < 300 and line.writes() and line.kind:
            self.renew()
        return answer

    def good(self):
        return json.loads(body_of(self.line, self.values)[0])


def draw(chance, deep=0):
    """One value that is seldom what is asked for."""
    kind = chance.randrange(9 if deep < 3 else 6)
    if kind < 3:
        return chance.choice(TEXTS)
    if kind < 5:
        return chance.choice(NUMBERS)
    if kind == 5:
        return chance.choice([None, True, False])
    if kind == 6:
        return [draw(chance, deep + 1) for _ in range(chance.randrange(4))]
    if kind == 7:
        return {chance.choice(TEXTS + WORDS): draw(chance, deep + 1)
                for _ in range(chance.randrange(4))}
    return [chance.choice([0, "a", None, {}, []])] * chance.choice([1, 100, 10000])


def refused(line, answer, *statuses):
    assert answer.status in statuses, answer
    refusal(line.dialect, answer)


# ---- bodies ----

@pytest.mark.parametrize("name", READS_JSON, ids=": ".join)
def test_any_value_in_any_field(realm, name):
    caller = Caller(realm, LINES[name])
    for number in range(DRAWS):
        chance = random.Random(f"{SEED} {name} {number}")
        body = caller.good()
        for key in chance.sample(sorted(set(list(body) + WORDS)), 3) + \
                chance.sample(sorted(body), min(1, len(body))):
            body[key] = draw(chance)
        body.pop("wait", None)
        try:
            caller.call(json.dumps(body).encode())
        except Exception as error:
            raise AssertionError(f"RELAIS_SEED={SEED}, draw {number}: "
                                 f"{json.dumps(body)[:600]}") from error


BROKEN = {
    "no JSON": b"{", "two values": b"{} {}", "an array": b"[]", "a text": b'"x"', "a number": b"1",
    "invalid UTF-8": b'{"name": "\xff\xfe"}', "a surrogate": b'{"name": "\xed\xa0\x80"}',
    "NUL": b'{"name": "a\0b"}', "a control byte": b'{"name": "a\x01b"}',
    "a key twice": b'{"name": "a", "name": "b"}', "a comment": b'{"name": "a" # no\n}',
    "very deep": b'{"config": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "a huge number": b'{"limit": ' + b"9" * 5000 + b"}", "not a number": b'{"limit": NaN}',
    "a huge exponent": b'{"limit": 1e99999}', "a BOM": b"\xef\xbb\xbf{}",
    "a broken escape": b'{"name": "\\ud800"}', "UTF-16": '{"name": "a"}'.encode("utf-16"),
}


@pytest.mark.parametrize("name", READS_JSON, ids=": ".join)
def test_what_is_no_object_is_refused(realm, name):
    line = LINES[name]
    caller = Caller(realm, line)
    for what, body in BROKEN.items():
        answer = caller.call(body)
        assert answer.status == 400, (what, answer)
    kinds = ["text/xml", "text/plain", "multipart/mixed"]
    if name != ("speech", "POST /api/streamingTranscription/createJob"):  # it takes forms, too
        kinds.append("application/x-www-form-urlencoded")
    for kind in kinds:
        refused(line, caller.call(b"{}", {"Content-Type": kind}), 415, 400)
    large = b'{"name": "' + b"x" * (5 << 20) + b'"}'
    refused(line, caller.call(large), 413)


@pytest.mark.parametrize("name", CHOSEN, ids=": ".join)
def test_any_query(realm, name):
    line = LINES[name]
    if line.writes():
        pytest.skip("its query is not read")
    caller = Caller(realm, line)
    for number in range(DRAWS):
        chance = random.Random(f"{SEED} {name} query {number}")
        words = [f"{chance.choice(QUERY)}={quoted(chance)}" for _ in range(chance.randrange(1, 5))]
        path = path_of(line, caller.values)
        path += ("&" if "?" in path else "?") + "&".join(words)
        try:
            caller.call(None, {}, path)
        except Exception as error:
            raise AssertionError(f"RELAIS_SEED={SEED}, draw {number}: {path[:600]}") from error


def quoted(chance):
    text = str(chance.choice(TEXTS[:-2] + NUMBERS))
    raw = chance.choice([text.encode(), b"\xff\xfe" + text.encode()])
    return "".join(f"%{byte:02x}" for byte in raw)[:3000]


IDS = ["0", "-1", "00", "1.5", "9" * 30, "18446744073709551616", "9007199254740993", "0x10", "1e3",
       "%00", "%0d%0a", "%2f", "%2e%2e", "%ff", "%c0%af", "%", "%zz", "a%20b", "é".encode().hex(),
       "%e2%80%ae", "x" * 300, "c" + "z" * 24, "null", "undefined", "*", "@", "..%2f..", "me%00"]


@pytest.mark.parametrize("name", HAS_ID, ids=": ".join)
def test_any_id(realm, name):
    line = LINES[name]
    caller = Caller(realm, line)
    body, headers = body_of(line, caller.values)
    for each in IDS:
        values = {key: each for key in caller.values}
        answer = caller.call(body, headers, path_of(line, values))
        # a worker's call makes what it names; then it is there for all rows
        made = line.dialect == "whatsapp" and ("f" in line.roles or line.kind == "station")
        assert answer.status >= 400 or made, (each, answer)


# ---- what is broken off ----

def incoming(realm):
    return sorted(str(file) for file in pathlib.Path(realm.server.data, "files",
                                                     "incoming").rglob("*") if file.is_file())


def settled(realm, within_s=60):
    """True once nothing is left of uploads that were broken off."""
    until = time.monotonic() + within_s
    while incoming(realm):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def counted(realm):
    """How much there is of what uploads make."""
    user = realm.named("user").wire
    tasks = user.call("GET", "/api/v1/tasks").headers["x-total-count"]
    files = user.call("GET", "/api/v1/files").headers["x-total-count"]
    jobs = [user.data("GET", f"/api/{mode}Transcription/jobs")["count"]
            for mode in ("batch", "diarization", "streaming")]
    return tasks, files, jobs


def raw(realm, caller, head, *pieces):
    """Sends a request in pieces and hangs up; gives what came back until then."""
    line, wire = caller.line, caller.wire
    text = f"{line.method} {path_of(line, caller.values)} HTTP/1.1\r\nHost: a\r\n"
    text += f"Authorization: {wire.headers.get('Authorization', 'x')}\r\n{head}\r\n\r\n"
    with socket.create_connection((wire.host, wire.port), timeout=60) as link:
        link.sendall(text.encode())
        for piece in pieces:
            link.sendall(piece)
        link.shutdown(socket.SHUT_WR)
        found = b""
        try:
            while chunk := link.recv(65536):
                found += chunk
        except (ConnectionResetError, socket.timeout):
            pass
    return found


@pytest.mark.parametrize("name", READS_FORM, ids=": ".join)
def test_a_form_that_is_broken_off_leaves_nothing(realm, name):
    line = LINES[name]
    caller = Caller(realm, line)
    before = counted(realm)
    whole, headers = body_of(line, caller.values)
    kind = "Content-Type: " + headers["Content-Type"]
    for cut in (1, 40, 120, len(whole) - 30, len(whole) - 3):
        answer = raw(realm, caller, f"{kind}\r\nContent-Length: {len(whole)}", whole[:cut])
        assert b" 200 " not in answer[:20] and b" 201 " not in answer[:20], answer
        size = b"%x\r\n" % len(whole)
        answer = raw(realm, caller, f"{kind}\r\nTransfer-Encoding: chunked", size, whole[:cut])
        assert b" 200 " not in answer[:20] and b" 201 " not in answer[:20], answer
    for bad in (b"zz\r\nxx", b"-1\r\n", b"ffffffffffffffffff\r\n", b"5\r\nhelloXX"):
        answer = raw(realm, caller, f"{kind}\r\nTransfer-Encoding: chunked", bad)
        # who hangs up while the answer is on its way may miss it
        assert answer.startswith(b"HTTP/1.1 4") or answer == b"", answer
    assert settled(realm), incoming(realm)
    assert counted(realm) == before


def forms(line):
    """Forms that a parser may stumble over: (what, body, content type)."""
    field = "audioFile" if line.body == "AUDIO" else "file"
    end = f"--{FORM}--\r\n".encode()

    def part(disposition, content=b"abc", more=""):
        head = f"--{FORM}\r\nContent-Disposition: {disposition}\r\n{more}\r\n"
        return head.encode() + content + b"\r\n"

    kind = "multipart/form-data; boundary=" + FORM
    file = f'form-data; name="{field}"; filename="a.wav"'
    yield "no boundary", part(file) + end, "multipart/form-data"
    yield "another boundary", part(file) + end, "multipart/form-data; boundary=other"
    yield "an empty boundary", part(file) + end, "multipart/form-data; boundary="
    yield "a long boundary", part(file) + end, "multipart/form-data; boundary=" + "b" * 500
    yield "no end", part(file), kind
    yield "nothing", b"", kind
    yield "only the end", end, kind
    yield "no disposition", f"--{FORM}\r\n\r\nabc\r\n".encode() + end, kind
    yield "no name", part('form-data; filename="a.wav"') + end, kind
    yield "another name", part('form-data; name="other"; filename="a.wav"') + end, kind
    yield "no file", part(f'form-data; name="{field}"') + end, kind
    yield "an attachment", part(f'attachment; name="{field}"; filename="a"') + end, kind
    mixed = "Content-Type: multipart/mixed; boundary=q\r\n"
    yield "a nested form", part(file, b"x", mixed), kind
    yield "a long header", part(file, b"x", "X-Long: " + "y" * 70000 + "\r\n") + end, kind
    yield "many headers", part(file, b"x", "X-Many: y\r\n" * 3000) + end, kind
    yield "many parts", b"".join(part(f'form-data; name="f{n}"') for n in range(2000)) + end, kind
    yield "a long field", part('form-data; name="name"', b"x" * 300000) + end, kind
    yield "many files", part(file) * 20 + end, kind


@pytest.mark.parametrize("name", READS_FORM, ids=": ".join)
def test_a_form_that_is_none_is_refused(realm, name):
    line = LINES[name]
    caller = Caller(realm, line)
    for what, body, kind in forms(line):
        before = counted(realm)
        answer = caller.call(body, {"Content-Type": kind})
        assert answer.status in (400, 413, 415), (what, answer)
        assert counted(realm) == before, what
    assert settled(realm), incoming(realm)


NAMES = ["a\\\"b.wav", "é.wav", "日本.wav", "../../x.wav", "C:\\x.wav", "a;b=c.wav",
         "x" * 250 + ".wav",
         "\u202egpj.wav", " .wav", "a%0d%0ab.wav", "...wav", "a'b.wav", "a\tb.wav"]


@pytest.mark.parametrize("given", NAMES)
def test_a_file_name_breaks_no_header(realm, given):
    user = realm.named("user").wire
    body = (f"--{FORM}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{given}\"\r\n"
            f"Content-Type: audio/wav\r\n\r\nabc\r\n--{FORM}--\r\n").encode()
    answer = user.call("POST", "/api/v1/files/upload", body,
                       {"Content-Type": "multipart/form-data; boundary=" + FORM})
    if answer.status == 400:
        refusal("qalpuch", answer)
        return
    file = answer.json()["data"]["id"]
    got = user.call("GET", f"/api/v1/files/{file}/download")
    assert got.status == 200 and got.body == b"abc"
    said = got.headers["content-disposition"]
    assert said.startswith("attachment") and said.isprintable() and said.isascii(), said
    assert said.count('"') - said.count('\\"') in (0, 2), said
    assert "/" not in answer.json()["data"]["filename"]


def test_a_json_body_that_is_broken_off_makes_nothing(realm):
    line = LINES["megahub", "POST /tasks"]
    caller = Caller(realm, line)
    before = realm.named("user").wire.data("GET", "/tasks/")["count"]
    body = json.dumps({"task_type": "never"}).encode()
    for cut in range(0, len(body), 5):
        raw(realm, caller, f"Content-Type: application/json\r\nContent-Length: {len(body)}",
            body[:cut])
        raw(realm, caller, "Content-Type: application/json\r\nTransfer-Encoding: chunked",
            b"%x\r\n" % len(body), body[:cut])
    raw(realm, caller, "Content-Type: application/json\r\nTransfer-Encoding: chunked",
        b"%x\r\n" % len(body), body, b"\r\n")  # whole, but for the last chunk
    assert realm.named("user").wire.data("GET", "/tasks/")["count"] == before
