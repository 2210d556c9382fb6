"""A server with two brands, HOME and AWAY, a caller for every role, and real objects of every kind,
each made through the API. What test_matrix.py and test_bounds.py walk over.

A Thing is one object: the values of the {names} in a route's path, who made it, who holds it (for
what only the holding worker may do), and how its owner reads it back."""
import base64
import hashlib
import hmac
import http.client
import itertools
import json
import pathlib
import subprocess
import time

from conftest import RELAIS, Relais

HOME, AWAY = 11, 12
FORM = "relais-boundary"
FILM = b"\x00\x00\x00\x18ftypmp42" + bytes(range(256))
numbers = itertools.count(1)


class Answer:
    """The status, the headers in lower case, and the body; `body` is None for a stream that goes
    on."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.headers.get('content-type')} {(self.body or b'')[:300]!r}"


class Wire:
    """An HTTP client that keeps its connection; several times quicker than requests."""

    def __init__(self, server, token=None, **headers):
        self.server, self.token = server, token
        self.host, _, port = server.http.split("//")[1].rpartition(":")
        self.port, self.link = int(port), None
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            self.headers["Authorization"] = "Bearer " + token

    def call(self, method, path, body=None, headers=None):
        if self.link is None:
            self.link = http.client.HTTPConnection(self.host, self.port, timeout=60)
        sent = {**self.headers, **(headers or {})}
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        for final in (False, True):
            try:
                self.link.request(method, path, body=body, headers=sent)
                answer = self.link.getresponse()
                break
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                self.close()  # an idle connection that was closed meanwhile
                if final:
                    raise
                self.link = http.client.HTTPConnection(self.host, self.port, timeout=60)
        found = {name.lower(): value for name, value in answer.getheaders()}
        if found.get("content-type", "").startswith("text/event-stream"):
            self.close()
            return Answer(answer.status, found, None)
        return Answer(answer.status, found, answer.read())

    def close(self):
        if self.link is not None:
            self.link.close()
        self.link = None

    def data(self, method, path, body=None, headers=None):
        """The answer of a call that must succeed."""
        answer = self.call(method, path, body, headers)
        assert 200 <= answer.status < 300, (method, path, answer)
        found = answer.json()
        return found["data"] if isinstance(found, dict) and "data" in found else found


def form(field, file_name="film.mp4", mime="video/mp4", content=FILM, **fields):
    """A multipart body and its headers."""
    parts = [f"--{FORM}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
             .encode() for name, value in fields.items()]
    parts.append(f"--{FORM}\r\nContent-Disposition: form-data; name=\"{field}\"; "
                 f"filename=\"{file_name}\"\r\nContent-Type: {mime}\r\n\r\n".encode()
                 + content + b"\r\n")
    parts.append(f"--{FORM}--\r\n".encode())
    return b"".join(parts), {"Content-Type": "multipart/form-data; boundary=" + FORM}


BODIES = {
    "FILE": form("file"),
    "AUDIO": form("audioFile", "audio.wav", "audio/wav"),
    "BYTES": (b"RIFF" + bytes(200), {"Content-Type": "application/octet-stream"}),
}


def body_of(line, values):
    """The body of a line, with the ids of an object in it, and its headers."""
    if line.body is None:
        return None, {}
    if line.body in BODIES:
        return BODIES[line.body]
    text = line.body.replace("{new}", str(next(numbers)))
    for name, value in values.items():
        text = text.replace("{%s}" % name, str(value))
    return text.encode(), {"Content-Type": "application/json"}


def path_of(line, values):
    text = line.path + ("?" + line.query if line.query else "")
    for name, value in values.items():
        text = text.replace("{%s}" % name, str(value))
    assert "{" not in text, (text, values)
    return text


def expired(server, name, brand):
    """A token like those of `relais token`, rightly signed, whose time is over."""
    def part(value):
        raw = value if isinstance(value, bytes) else json.dumps(value).encode()
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    def signed(key, text):
        return part(hmac.new(key, text.encode(), hashlib.sha256).digest())

    good = server.token("user", name, brand)
    head, claims, sign = good.split(".")
    secret = next(key for key in secrets(server) if signed(key, f"{head}.{claims}") == sign)
    found = json.loads(base64.urlsafe_b64decode(claims + "=="))
    found["iat"], found["exp"] = int(time.time()) - 7200, int(time.time()) - 3600
    text = f"{head}.{part(found)}"
    return f"{text}.{signed(secret, text)}"


def secrets(server):
    for file in sorted(pathlib.Path(server.data, "secret").rglob("*")):
        raw = file.read_bytes() if file.is_file() else b""
        for at in range(max(0, len(raw) - 31)):
            yield raw[at:at + 32]
        try:
            yield bytes.fromhex(raw.decode().strip())
        except ValueError:
            pass


class UNHELD:
    """In place of a line: what is made for it is in no worker's hands."""
    roles = ""


class Role:
    """One kind of caller: the letter of policy.py that lets it in, and the brand it acts in."""

    def __init__(self, name, letters, brand, wire):
        self.name, self.letters, self.brand, self.wire = name, letters, brand, wire

    def may(self, line):
        return "o" in line.roles or any(letter in line.roles for letter in self.letters)

    def __repr__(self):
        return self.name


class Thing:
    def __init__(self, values, look=None, holder=None):
        self.values, self.look, self.holder = values, look, holder


class Realm:
    def __init__(self):
        tokens = f"--worker-tokens={HOME}=fleet-home,{AWAY}=fleet-away"
        self.server = Relais(tokens, "--answer-ms=5000", "--idle-ms=3600000")
        server = self.server
        self.roles, self.side = [], {}

        def role(name, letters, brand, token, **headers):
            self.roles.append(Role(name, letters, brand, Wire(server, token, **headers)))

        role("nobody", "", HOME, None)
        role("garbage", "", HOME, "no.such.token")
        role("expired", "", HOME, expired(server, "ann", HOME))
        role("user", "u", HOME, server.token("user", "ann", HOME))
        role("user of another brand", "u", AWAY, server.token("user", "eve", AWAY))
        role("brand admin", "ub", HOME, server.token("user", "bea", HOME, "--brand-admin"))
        role("admin", "abA", HOME, server.token("admin", "root"), X_Brand_ID=str(HOME))
        role("admin of a brand", "ab", HOME, server.token("admin", "chief", HOME))
        role("worker of 000", "k", HOME, None)
        role("worker", "w", HOME, server.token("worker", "w-home", HOME))
        role("service", "s", HOME, server.token("service", "key-home", HOME))
        role("fleet", "f", HOME, "fleet-home")
        role("fleet of another brand", "f", AWAY, "fleet-away")
        for brand, names in ((HOME, ("ann", "chief", "w-home", "fleet-home")),
                             (AWAY, ("eve", "boss", "w-away", "fleet-away"))):
            user, admin, worker, fleet = names
            self.side[brand] = {
                "user": Wire(server, server.token("user", user, brand)),
                "admin": Wire(server, server.token("admin", admin, brand)),
                "worker": Wire(server, server.token("worker", worker, brand)),
                "service": Wire(server, server.token("service", f"key-{brand}", brand)),
                "fleet": Wire(server, fleet)}
        self.root = Wire(server, server.token("admin", "root"), X_Brand_ID=str(HOME))
        self.named("worker of 000").wire = self.enrolled(HOME)
        self.neighbour = Wire(server, server.token("user", "zoe", HOME))
        self.kept = {}

    def stop(self):
        """Ends the server and looks through what it leaves on disk."""
        server, self.server.own = self.server, False
        assert server.process.poll() is None, "the server ended during the tests"
        assert server.stop() == 0
        check = subprocess.run([RELAIS, "check", "--data", server.data], capture_output=True,
                               text=True, timeout=60, check=False)
        assert check.returncode == 0, check.stdout + check.stderr
        return check.stdout

    def named(self, name):
        return next(role for role in self.roles if role.name == name)

    def enrolled(self, brand):
        """A worker of dialect 000 that nobody else is."""
        made = self.side[brand]["admin"].data("POST", "/api/v1/worker", {"name": "Worker"})
        token = Wire(self.server).data("POST", "/api/v1/worker/register", {"token": made["token"]})
        return Wire(self.server, token["token"])

    def fresh(self, role):
        """The same kind of caller under a name that nobody else has."""
        name = f"fresh-{next(numbers)}"
        if role.name == "worker of 000":
            return self.enrolled(role.brand)
        kind = {"u": "user", "a": "admin", "w": "worker", "s": "service"}[role.letters[0]]
        rest = ["--brand-admin"] if role.name == "brand admin" else []
        brand = None if role.name == "admin" else role.brand
        return Wire(self.server, self.server.token(kind, name, brand, *rest),
                    **({"X_Brand_ID": str(HOME)} if role.name == "admin" else {}))

    def foreign(self, line, brand):
        """An object of the row's kind for those to try who may not have it: one of each kind for
        all rows, but where a name that is not known becomes an object of the caller's own."""
        key = (line.kind, brand, mode_of(line) if line.kind == "job" else "")
        if line.dialect == "whatsapp":
            return self.make(line.kind, brand)
        if key not in self.kept:
            self.kept[key] = self.make(line.kind, brand, line if line.kind == "job" else None)
        return self.kept[key]

    def make(self, kind, brand, line=None, maker=None):
        """A fresh object; `maker` is the wire of a user or admin that shall own it."""
        side = self.side[brand]
        return getattr(self, "make_" + kind)(side, maker or side["user"], line, brand)

    def missing(self, kind):
        """Ids of the right form that no object has."""
        cuid, number, uuid = "c" + "0" * 24, "8000000000001", "00000000-0000-8000-8000-000000000000"
        name = f"missing-{next(numbers)}"
        return {
            "account": {"id": number}, "brand": {"id": "999999"}, "task": {"id": number},
            "job": {"id": uuid}, "station": {"id": name}, "session": {"id": name},
            "sessionid": {"sessionId": name}, "message": {"id": name},
            "command": {"id": name, "cid": number}, "fileid": {"fileId": cuid},
            "periodic": {"id": number}, "cronjob": {"id": number, "name": name},
            "calendar": {"id": number, "name": name, "periodic": number},
            "hook": {"id": number}, "lost": {"id": number},
            **{kind: {"id": number, "name": name} for kind in
               ("type", "queue", "alert", "card", "measured")},
            "persistent": {"id": number}, "state": {"id": number},
            "checkpoint": {"id": number, "job": number},
        }.get(kind, {"cuid": cuid})

    # ---- dialect 000 ----

    def make_file(self, side, maker, *_):
        body, headers = BODIES["FILE"]
        made = maker.data("POST", "/api/v1/files/upload", body, headers)["id"]
        return Thing({"cuid": made}, lambda: maker.call("GET", "/api/v1/files/" + made))

    def make_fileid(self, *rest):
        thing = self.make_file(*rest)
        return Thing({"fileId": thing.values["cuid"]}, thing.look)

    def make_film(self, side, maker, line, brand):
        """A task; of rows that workers call it is in the hands of a worker of its own."""
        kind, holder = f"film-{next(numbers)}", None
        file = self.make_file(side, maker).values["cuid"]
        made = maker.data("POST", "/api/v1/tasks", {"fileId": file, "config": {"type": kind}})["id"]
        if line is None or "k" in line.roles:
            holder = self.enrolled(brand)
            path = "/api/v1/tasks/pending?wait=30&capabilities=" + kind
            while holder.data("GET", path)["id"] != made:  # tasks without a type are for anybody
                holder = self.enrolled(brand)
        return Thing({"cuid": made}, lambda: maker.call("GET", "/api/v1/tasks/" + made), holder)

    def make_source(self, side, maker, line, brand):
        """The file of a task that a worker holds."""
        film = self.make_film(side, maker, None, brand)
        return Thing({"cuid": film.look().json()["data"]["sourceFileId"]}, film.look, film.holder)

    def make_agent(self, side, maker, line, brand):
        made = side["admin"].data("POST", "/api/v1/worker", {"name": "Worker"})["id"]
        return Thing({"cuid": made}, lambda: side["admin"].call("GET", "/api/v1/worker/" + made))

    def make_preset(self, side, *_):
        made = side["admin"].data("POST", "/api/v1/predefined-tasks", {
            "name": f"preset-{next(numbers)}", "description": "d", "config": {}})["id"]
        path = f"/api/v1/predefined-tasks/{made}"
        return Thing({"cuid": made}, lambda: side["admin"].call("GET", path))

    def make_account(self, side, maker, line, brand):
        name = f"account-{next(numbers)}"
        made = self.root.data("POST", "/api/v1/users", {
            "name": name, "email": name + "@example.org", "brands": [brand]},
            {"X-Brand-ID": str(brand)})["id"]
        return Thing({"id": made}, lambda: self.root.call("GET", f"/api/v1/users/{made}"))

    # ---- dialect 002 ----

    def make_task(self, side, maker, line, brand):
        queue, holder = f"queue-{next(numbers)}", None
        made = maker.data("POST", "/tasks/", {"task_type": "matrix", "queue_name": queue})["id"]
        if line is None or "w" in line.roles:
            holder = side["worker"]
            given = holder.data("POST", "/tasks/claim/", {"queues": [queue], "wait": 30})
            assert [task["id"] for task in given["tasks"]] == [made]
        return Thing({"id": made}, lambda: maker.call("GET", f"/tasks/{made}/"), holder)

    def make_brand(self, side, maker, line, brand):
        if line is None or not line.writes():
            return Thing({"id": brand}, lambda: side["admin"].call("GET", f"/brands/{brand}/"))
        made = self.root.data("POST", "/brands/", {"name": f"brand {next(numbers)}"})["id"]
        return Thing({"id": made}, lambda: self.root.call("GET", f"/brands/{made}/"))

    def make_persistent(self, side, maker, line, brand):
        task = self.make_task(side, maker, line if line and "w" in line.roles else UNHELD, brand)
        jobs = "/tasks/persistent-jobs/"
        made = maker.data("POST", jobs, {"base_task": task.values["id"], "job_data": {}})["id"]
        return Thing({"id": made}, lambda: maker.call("GET", f"{jobs}{made}/"), task.holder)

    def make_state(self, side, maker, line, brand):
        job = self.make_persistent(side, maker, None, brand).values["id"]
        states = "/tasks/persistent-jobs/job-states/"
        made = maker.data("GET", f"{states}?persistent_job={job}")["results"][0]["id"]
        return Thing({"id": made}, lambda: maker.call("GET", f"{states}{made}/"))

    def make_checkpoint(self, side, maker, line, brand):
        job = self.make_persistent(side, maker, None, brand).values["id"]
        points = "/tasks/persistent-jobs/checkpoints/"
        made = maker.data("POST", points, {
            "persistent_job": job, "step_name": "one", "checkpoint_data": {"a": 1}})["id"]
        return Thing({"id": made, "job": job}, lambda: maker.call("GET", f"{points}{made}/"))

    def make_named(self, wire, path, key="name", **more):
        """What has a name in the brand, made by its admin."""
        name = f"named-{next(numbers)}"
        made = wire.data("POST", f"/tasks/{path}/", {key: name, **more})["id"]
        return Thing({"id": made, "name": name}, lambda: wire.call("GET", f"/tasks/{path}/{made}/"))

    def make_type(self, side, *_):
        return self.make_named(side["admin"], "types")

    def make_queue(self, side, *_):
        return self.make_named(side["admin"], "queues")

    def make_alert(self, side, *_):
        return self.make_named(side["admin"], "monitoring/alerts", metric_field="cost_usd",
                               condition="gt", threshold_value=5)

    def make_card(self, side, *_):
        return self.make_named(side["admin"], "monitoring/workers", "worker_name")

    def make_measured(self, side, maker, line, brand):
        task = self.make_task(side, maker, None, brand)
        made, metrics = task.values["id"], "/tasks/monitoring/metrics/"
        task.holder.data("POST", f"/tasks/{made}/complete/", {"metrics": {"cost_usd": 1}})
        return Thing({"id": made}, lambda: maker.call("GET", f"{metrics}{made}/"))

    def make_planned(self, base, maker, body):
        made = maker.data("POST", f"/tasks/scheduled/{base}/", body)["id"]
        return Thing({"id": made, "name": body.get("name", "")},
                     lambda: maker.call("GET", f"/tasks/scheduled/{base}/{made}/"))

    def make_periodic(self, side, maker, *_):
        return self.make_planned("periodic-tasks", maker, {
            "task_type": "matrix", "cron_expression": "1 1 1 1 *"})

    def make_cronjob(self, side, maker, *_):
        return self.make_planned("cron-jobs", maker, {
            "name": f"job {next(numbers)}", "task_type": "matrix", "frequency": "monthly"})

    def make_calendar(self, side, maker, *_):
        thing = self.make_planned("calendars", maker, {"name": f"calendar {next(numbers)}"})
        periodic = self.make_periodic(side, maker).values["id"]
        maker.data("POST", f"/tasks/scheduled/calendars/{thing.values['id']}/add-task/",
                   {"periodic_task_id": periodic})
        thing.values["periodic"] = periodic
        return thing

    def make_hook(self, side, *_):
        chief = side["admin"]
        made = chief.data("POST", "/tasks/webhooks/", {
            "url": "https://example.org/", "events": ["task.progress"]})["id"]
        return Thing({"id": made}, lambda: chief.call("GET", f"/tasks/webhooks/{made}/"))

    def make_lost(self, side, maker, line, brand):
        """A call that may not be made: its name means this machine."""
        chief, url = side["admin"], f"https://localhost/{next(numbers)}"
        chief.data("POST", "/tasks/webhooks/", {"url": url, "events": ["task.cancelled"]})
        task = self.make_task(side, side["user"], None, brand).values["id"]
        side["user"].call("POST", f"/tasks/{task}/cancel/", {})
        call = self.lost_call(brand, f"page_size=100&id__gt={task}", url)["id"]
        return Thing({"id": call}, lambda: chief.call("GET", f"/tasks/webhooks/dead/?id={call}"))

    def lost_call(self, brand, query, url=None):
        """One, to that address, among a brand's calls that are dead; waits for it."""
        chief, until = self.side[brand]["admin"], time.monotonic() + 60
        while time.monotonic() < until:
            for call in chief.data("GET", "/tasks/webhooks/dead/?" + query)["results"]:
                if url in (None, call["url"]):
                    return call
            time.sleep(0.05)
        raise AssertionError("no call was lost")

    # ---- dialect 003 ----

    def make_station(self, side, *_):
        name = f"station-{next(numbers)}"
        side["fleet"].data("POST", "/api/v1/workers/register", {
            "workerId": name, "endpoint": f"http://10.0.0.1:8001/{name}", "status": "ONLINE"})
        return Thing({"id": name}, lambda: side["admin"].call("GET", "/api/v1/workers/" + name))

    def make_session(self, side, maker, *_):
        name = f"session-{next(numbers)}"
        maker.data("POST", "/api/v1/sessions", {"name": "Sales", "sessionId": name})
        return Thing({"id": name}, lambda: maker.call("GET", "/api/v1/sessions/" + name))

    def make_sessionid(self, *rest):
        thing = self.make_session(*rest)
        return Thing({"sessionId": thing.values["id"]}, thing.look)

    def make_command(self, side, maker, *rest):
        session = self.make_session(side, maker).values["id"]
        self.make_station(side)
        maker.data("POST", f"/api/v1/sessions/{session}/connect", {})
        station = maker.data("GET", "/api/v1/sessions/" + session)["workerId"]
        path = f"/api/v1/workers/{station}/commands"
        found = side["fleet"].data("GET", path)["commands"]
        cid = next(c["id"] for c in found if c["sessionId"] == session)
        return Thing({"id": station, "cid": cid},
                     lambda: maker.call("GET", "/api/v1/sessions/" + session))

    def make_message(self, side, maker, *rest):
        session = self.make_session(side, maker).values["id"]
        name = f"message-{next(numbers)}"
        side["fleet"].data("POST", "/api/v1/webhooks/message-status", {
            "sessionId": session, "messageId": name, "status": "SENT"})
        return Thing({"id": name}, lambda: maker.call("GET", "/api/v1/messages/" + name))

    # ---- dialect 004 ----

    def make_job(self, side, maker, line, brand):
        """A job of the mode in the line's path; of rows that workers call it is leased."""
        mode, holder = mode_of(line), None
        base = f"/api/{mode}Transcription"
        client = side["user"]
        if mode == "streaming":
            made = client.data("POST", base + "/createJob", {"language": "fr"})["job_uuid"]
            if line is None or "/end" not in line.path and "POST" + base + "/{id}/audio" != \
                    line.method + line.path:
                client.data("POST", f"{base}/{made}/audio", b"RIFF" + bytes(100))
                client.data("POST", f"{base}/{made}/end")
        else:
            body, headers = BODIES["AUDIO"]
            made = client.data("POST", base + "/createJob", body, headers)["job_uuid"]
        if line is None or "w" in line.roles:
            holder = side["worker"]
            while True:  # other jobs of the brand may lie before it
                given = holder.data("POST", base + "/claim", {"wait": 30})["task"]
                assert given is not None, "nothing to claim"
                if given["job_uuid"] == made:
                    break
        return Thing({"id": made},
                     lambda: client.call("GET", f"{base}/result?job_uuid={made}"), holder)


def mode_of(line):
    for mode in ("streaming", "diarization"):
        if line is not None and mode in line.path:
            return mode
    return "batch"
