"""Callers with good credentials and bad intentions: what belongs to one dialect shown to another,
what is of one brand named in another, rights given to oneself, keys used twice, paths and methods
spelled otherwise, and many who do the same at once."""
import concurrent.futures
import itertools
import json
import re
import socket

import pytest

import policy
from realm import AWAY, FORM, HOME, Realm, Wire, body_of, path_of
from test_matrix import refusal, sound

LINES = policy.expand()
numbers = itertools.count(1)
V1 = "/api/v1"


@pytest.fixture(scope="module")
def realm():
    made = Realm()
    yield made
    made.stop()


def together(*calls):
    """Runs them at once; their answers in order."""
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return [done.result() for done in [pool.submit(call) for call in calls]]


def person(realm):
    """An account made by registration: its answer's data."""
    name = f"person-{next(numbers)}"
    return Wire(realm.server).data("POST", V1 + "/register", {
        "username": name, "email": name + "@example.org", "password": "correct horse battery"})


# ---- one dialect's things in another ----

def test_what_is_of_one_dialect_is_not_handed_out_by_another(realm):
    side = realm.side[HOME]
    film = realm.make("film", HOME, LINES["qalpuch", f"DELETE {V1}/tasks/{{cuid}}"])
    job = realm.make("job", HOME, LINES["speech", "GET /api/batchTranscription/result"])
    kind = film.look().json()["data"]["type"]
    names = ["batch_queue", "streaming_queue", "diarization_queue", kind, "default", "*"]
    given = side["worker"].data("POST", "/tasks/claim/", {"queues": names, "limit": 64})
    assert given["tasks"] == []
    assert film.look().json()["data"]["status"] == "pending"
    assert job.look().json()["data"]["status"] == "PENDING"


def test_what_was_claimed_in_one_dialect_is_not_given_again_by_another(realm):
    worker = Wire(realm.server, realm.server.token("worker", "of-two-worlds", HOME))
    body, headers = body_of(LINES["speech", "POST /api/diarization/createJob"], {})
    job = realm.side[HOME]["user"].data("POST", "/api/diarization/createJob", body, headers)
    while worker.data("POST", "/api/diarization/claim", {"wait": 5})["task"]["job_uuid"] != \
            job["job_uuid"]:
        pass
    answer = worker.call("GET", V1 + "/tasks/pending?capabilities=diarization")
    assert answer.status == 404, answer
    for path in ("/tasks/claim/", "/api/batch/claim"):
        found = worker.data("POST", path, {"again": True, "language": "zz"})
        assert not found.get("tasks") and not found.get("task"), found


def test_ids_of_one_dialect_open_nothing_in_another(realm):
    side = realm.side[HOME]
    task = realm.make("task", HOME).values["id"]
    text = side["user"].data("GET", f"/tasks/{task}/")["task_id"]
    job = realm.make("job", HOME).values["id"]
    film = realm.make("film", HOME).values["cuid"]
    for each in (task, text, job):
        assert side["admin"].call("GET", f"{V1}/tasks/{each}").status == 404
    for each in (task, text, film):
        assert side["admin"].call("GET", f"/api/batch/result?job_uuid={each}").status == 404
    for each in (job, film):
        assert side["admin"].call("GET", f"/tasks/{each}/").status == 404


# ---- things of another brand, named in a body ----

def test_a_body_names_nothing_of_another_brand(realm):
    user = realm.side[HOME]["user"]
    theirs = {kind: realm.make(kind, AWAY) for kind in
              ("file", "preset", "task", "periodic", "persistent", "checkpoint")}
    mine = {kind: realm.make(kind, HOME) for kind in ("file", "calendar", "persistent")}
    before = {kind: thing.look().json() for kind, thing in theirs.items()}
    ids = {kind: thing.values.get("id") or thing.values["cuid"] for kind, thing in theirs.items()}
    own = {kind: thing.values.get("id") or thing.values["cuid"] for kind, thing in mine.items()}
    plan, jobs = "/tasks/scheduled/", "/tasks/persistent-jobs/"
    for method, path, body in (
            ("POST", V1 + "/tasks", {"fileId": ids["file"], "config": {}}),
            ("POST", V1 + "/tasks", {"fileId": own["file"], "predefinedTaskId": ids["preset"]}),
            ("POST", plan + f"calendars/{own['calendar']}/add-task/",
             {"periodic_task_id": ids["periodic"]}),
            ("POST", plan + "periodic-tasks/",
             {"base_task": ids["task"], "cron_expression": "1 1 1 1 *"}),
            ("POST", jobs, {"base_task": ids["task"], "job_data": {}}),
            ("POST", jobs + "checkpoints/", {"persistent_job": ids["persistent"],
                                             "step_name": "x", "checkpoint_data": {}}),
            ("POST", jobs + f"{own['persistent']}/resume/",
             {"from_checkpoint": ids["checkpoint"]})):
        answer = user.call(method, path, body)
        assert answer.status in (400, 404), (path, body, answer)
    for kind, thing in theirs.items():
        assert thing.look().json() == before[kind], kind


@pytest.mark.parametrize("said", ["11,12", "12", "12,11", "0", "011 12", "+12", "0xC", "12.0",
                                  "1e1", "all",
                                  "*", "-1", "4294967308", "12\t11", "", "null", "12;11"])
@pytest.mark.parametrize("path", ["/tasks/", V1 + "/tasks", V1 + "/sessions", "/api/batch/jobs"])
def test_a_brand_is_one_number_of_the_callers_own(realm, said, path):
    for who in ("user", "service", "admin"):
        wire = realm.side[HOME][who]
        if who == "service" and "batch" not in path:
            continue
        answer = wire.call("GET", path, None, {"X-Brand-ID": said})
        assert answer.status in (400, 403), (who, answer)


@pytest.mark.parametrize("name", sorted(LINES), ids=": ".join)
def test_an_admin_of_all_brands_breaks_nothing(realm, name):
    line = LINES[name]
    if "a" not in line.roles or line.kind == "self":
        pytest.skip("no row of admins")
    everywhere = Wire(realm.server, realm.server.token("admin", "root"), X_Brand_ID="all")
    values = realm.make(line.kind, AWAY, line).values if line.kind else {}
    body, headers = body_of(line, values)
    answer = everywhere.call(line.method, path_of(line, values), body, headers)
    everywhere.close()
    sound(line, answer)
    assert answer.status != 401, answer


# ---- rights ----

def test_nobody_gives_himself_rights(realm):
    made = person(realm)
    user = Wire(realm.server, made["token"])
    wishes = {"role": "admin", "brands": [1, HOME, AWAY], "brand_admin": True, "brandAdmin": True,
              "is_admin": True, "is_staff": True, "id": 1, "disabled": False}
    for method, path in (("PUT", f"{V1}/users/{made['id']}"), ("PATCH", "/auth/me/"),
                         ("PUT", "/auth/update-profile/")):
        for key, value in wishes.items():
            user.call(method, path, {key: value})
        user.call(method, path, wishes)
    name = f"risen-{next(numbers)}"
    risen = Wire(realm.server).data("POST", V1 + "/register", {
        "username": name, "email": name + "@example.org", "password": "correct horse battery",
        **wishes, "id": None})
    for who in (made, risen):
        seen = realm.root.data("GET", f"{V1}/users/{who['id']}", None, {"X-Brand-ID": "all"})
        assert seen["role"] == "user" and seen["brands"] == [1] and not seen["brandAdmin"], seen
        again = Wire(realm.server, who["token"])
        assert again.call("GET", V1 + "/users").status == 403
        assert again.call("GET", "/tasks/", None, {"X-Brand-ID": str(HOME)}).status == 403


def test_an_admin_of_one_brand_makes_none_of_more(realm):
    admin = realm.side[HOME]["admin"]
    for brands in ([AWAY], [HOME, AWAY], [], None):
        for role in ("admin", "user"):
            name = f"reach-{next(numbers)}"
            body = {"name": name, "email": name + "@example.org", "role": role}
            if brands is not None:
                body["brands"] = brands
            answer = admin.call("POST", V1 + "/users", body)
            if answer.status == 201:
                assert answer.json()["data"]["brands"] == [HOME], (body, answer)
    mine = realm.make("account", HOME).values["id"]
    for change in ({"brands": [AWAY]}, {"brands": [HOME, AWAY]}, {"brands": []}):
        answer = admin.call("PUT", f"{V1}/users/{mine}", {**change, "role": "admin"})
        seen = realm.root.data("GET", f"{V1}/users/{mine}")
        assert seen["brands"] == [HOME], (change, answer)


# ---- tokens ----

def test_a_token_is_good_for_what_it_is(realm):
    nobody, made = Wire(realm.server), person(realm)
    admin = realm.side[HOME]["admin"]
    agent = admin.data("POST", V1 + "/worker", {"name": "Worker"})
    worker = nobody.data("POST", V1 + "/worker/register", {"token": agent["token"]})
    for wrong in (made["token"], worker["refreshToken"], worker["token"], agent["token"],
                  "fleet-home", made["refreshToken"][:-1], made["refreshToken"] + "x",
                  made["refreshToken"].upper()):
        assert nobody.call("POST", V1 + "/refresh", {"refreshToken": wrong}).status == 401, wrong
        assert nobody.call("POST", "/auth/refresh/", {"refresh": wrong}).status == 401, wrong
    for wrong in (made["refreshToken"], worker["token"], made["token"], agent["token"]):
        answer = nobody.call("POST", V1 + "/worker/refresh-auth", {"refreshToken": wrong})
        assert answer.status in (400, 401), wrong
    for wrong in (made["refreshToken"], worker["refreshToken"], agent["token"]):
        bearer = Wire(realm.server, wrong)
        for path in ("/tasks/", V1 + "/tasks", "/api/batch/jobs", V1 + "/sessions"):
            assert bearer.call("GET", path).status == 401, (wrong, path)
    # a refresh token says by itself whose it is: who sends it does not matter
    other = Wire(realm.server, person(realm)["token"])
    fresh = other.data("POST", V1 + "/refresh", {"refreshToken": made["refreshToken"]})
    me = Wire(realm.server, fresh["token"]).data("GET", "/auth/me/")
    assert me["id"] == made["id"]


def test_of_fifty_with_one_token_one_wins(realm):
    admin, made = realm.side[HOME]["admin"], person(realm)
    token = admin.data("POST", V1 + "/worker", {"name": "Worker"})["token"]
    answers = together(*[lambda: Wire(realm.server).call(
        "POST", V1 + "/worker/register", {"token": token}).status] * 50)
    assert sorted(answers) == [200] + [401] * 49
    answers = together(*[lambda: Wire(realm.server).call(
        "POST", V1 + "/refresh", {"refreshToken": made["refreshToken"]}).status] * 50)
    assert answers.count(200) <= 1 and set(answers) <= {200, 401}, answers


def test_a_key_is_its_callers_and_its_rows(realm):
    key = {"Idempotency-Key": f"key-{next(numbers)}"}
    home, away = realm.side[HOME]["user"], realm.side[AWAY]["user"]
    body = {"task_type": "keyed", "queue_name": "keyed"}
    first = home.data("POST", "/tasks/", body, key)["id"]
    assert home.data("POST", "/tasks/", body, key)["id"] == first
    theirs = away.data("POST", "/tasks/", body, key)
    assert theirs["id"] != first and theirs["brand"]["id"] == AWAY
    assert home.call("POST", "/tasks/", {**body, "priority": "high"}, key).status == 409
    assert away.call("GET", f"/tasks/{first}/").status == 404
    files = [realm.make("file", HOME, None, wire).values["cuid"]
             for wire in (home, realm.neighbour)]
    made = [wire.data("POST", V1 + "/tasks", {"fileId": file, "config": {}}, key)["id"]
            for wire, file in zip((home, realm.neighbour), files)]
    assert made[0] != made[1]
    sessions = [wire.data("POST", V1 + "/sessions", {"name": "One"}, key)["sessionId"]
                for wire in (home, realm.neighbour, away)]
    assert len(set(sessions)) == 3
    assert realm.neighbour.call("GET", f"{V1}/sessions/{sessions[0]}").status == 404


# ---- paths and methods ----

def spellings(path):
    """The same path as somebody writes it who wants to get past a check."""
    yield "/" + path
    yield path.replace("/", "//")
    yield path + "//"
    yield path + "."
    yield path + "%2e"
    yield path + "%00"
    yield path + ";a=b"
    yield path + "%20"
    yield path + "/."
    yield path + "/x/.."
    yield path + "/x/%2e%2e"
    yield "/health/.." + path
    yield "/health/%2e%2e" + path
    yield "/health/..%2f" + path[1:]
    yield path.replace("/", "/%2e/", 1)
    yield "/" + path[1:].replace("/", "%2f", 1)
    yield path.replace("/", "\\")
    yield "/" + "".join(f"%{ord(each):02x}" if each.isalpha() else each for each in path[1:])
    yield path.upper()
    yield path.replace("-", "_")
    yield path + "?" + "x=1&" * 200
    yield path + "#/health"
    yield path + "%3f"


PLAIN = sorted(key for key, line in LINES.items() if "{" not in line.path and "o" not in line.roles)


@pytest.mark.parametrize("name", PLAIN, ids=": ".join)
def test_no_spelling_of_a_path_gets_past_the_guard(realm, name):
    line = LINES[name]
    worker, nobody = realm.named("worker"), realm.named("nobody")
    stranger = realm.named("fleet") if "w" in line.roles else worker
    for path in spellings(line.path):
        for role in (nobody, stranger):
            answer = role.wire.call(line.method, path, None if line.body is None else b"{}",
                                    {"Content-Type": "application/json"} if line.body else {})
            assert 400 <= answer.status < 500, (path, role, answer)


@pytest.mark.parametrize("name", sorted(LINES), ids=": ".join)
def test_head_and_options_say_no_more_than_they_may(realm, name):
    line = LINES[name]
    values = realm.missing(line.kind) if line.kind not in (None, "self") else {}
    path = path_of(line, values)
    nobody = realm.named("nobody").wire
    answer = nobody.call("OPTIONS", path)
    assert answer.status in (200, 204) and line.method in answer.headers["allow"], answer
    if line.method == "GET" and "o" not in line.roles and line.kind != "self":
        assert nobody.call("HEAD", path).status == 401
        user = realm.named("user")
        head = user.wire.call("HEAD", path)
        assert head.body in (None, b""), head
        assert head.status == 404 or head.status < 300 or not user.may(line) or line.kind or \
            head.status == 426, head
    for method in ("TRACE", "CONNECT", "PROPFIND", "get", "GETT"):
        answer = nobody.call(method, path)
        assert 400 <= answer.status < 502 and answer.status != 500, answer
        nobody.close()


# ---- headers ----

def test_what_is_told_back_in_headers_ends_no_line(realm):
    user = realm.named("user").wire
    for evil in ("%0d%0aX-Evil:%201", "%0aSet-Cookie:a=b", "%00", "%22%3e", "<>;rel=next"):
        answer = user.call("GET", f"{V1}/tasks?limit=1&page=2&type={evil}&x={evil}")
        assert "x-evil" not in answer.headers and "set-cookie" not in answer.headers
        link = answer.headers.get("link", "")
        assert all(re.fullmatch(r' ?<[^<>" ]*>; rel="\w+"', each)
                   for each in link.split(",") if link)
    body = json.dumps({"task_type": "host"}).encode()
    for host in ("evil.example\"", "a b", "a/../b", "a\r\n\tb", "<script>", "a@b", "a:99999",
                 "a" * 300):
        with socket.create_connection((user.host, user.port), timeout=60) as link:
            link.sendall((f"POST /tasks/ HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer "
                          f"{user.token}\r\nContent-Type: application/json\r\nConnection: close\r\n"
                          f"Content-Length: {len(body)}\r\n\r\n").encode() + body)
            said = b""
            while chunk := link.recv(65536):
                said += chunk
        head = said.partition(b"\r\n\r\n")[0]
        assert b" 400 " in head[:20] or b'"' not in head and b"<" not in head, (host, said)


RANGES = ["bytes=-0", "bytes=5-1", "bytes=18446744073709551615-", "bytes=0-18446744073709551615",
          "bytes=-18446744073709551616", "bytes=--1", "bytes=a-b", "bytes=", "bytes", "octets=0-1",
          "bytes=0-0," * 2000 + "1-1", "bytes=0-,0-,0-,0-", "bytes= 0-1", "bytes=0-1;2",
          "bytes=9999-"]


@pytest.mark.parametrize("said", RANGES, ids=lambda each: each[:40])
def test_a_strange_range_is_all_or_nothing(realm, said):
    user = realm.named("user").wire
    thing = realm.make("file", HOME, None, user)
    path = f"{V1}/files/{thing.values['cuid']}/download"
    whole = user.call("GET", path).body
    answer = user.call("GET", path, None, {"Range": said})
    assert answer.status in (200, 206, 416, 400, 431), answer
    if answer.status == 206:
        start, end, size = map(int, re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)",
                                                 answer.headers["content-range"]).groups())
        assert size == len(whole) and answer.body == whole[start:end + 1]
    elif answer.status == 200:
        assert answer.body == whole
    else:
        refusal("qalpuch", answer)


# ---- at once ----

def test_of_two_results_one_counts(realm):
    for _ in range(10):
        film = realm.make("film", HOME)
        path = f"{V1}/tasks/{film.values['cuid']}"
        token = film.holder.token
        sent = [body_of(LINES["qalpuch", f"POST {V1}/tasks/{{cuid}}"], {})] * 4

        def hand(form):
            return Wire(realm.server, token).call("POST", path, *form).status

        answers = together(*[lambda form=form: hand(form) for form in sent])
        assert 200 in answers and set(answers) <= {200, 409}, answers
        seen = film.look().json()["data"]
        assert seen["status"] == "completed"
        got = realm.side[HOME]["user"].call("GET", f"{V1}/files/{seen['resultFileId']}/download")
        assert got.status == 200


def test_cancelled_or_completed_but_not_both(realm):
    user, worker = realm.side[HOME]["user"], realm.side[HOME]["worker"]
    for _ in range(25):
        task = realm.make("task", HOME).values["id"]
        done, stopped = together(
            lambda: Wire(realm.server, worker.token).call(
                "POST", f"/tasks/{task}/complete/", {"result_data": {"a": 1}}),
            lambda: Wire(realm.server, user.token).call("POST", f"/tasks/{task}/cancel/", {}))
        seen = user.data("GET", f"/tasks/{task}/")
        if done.status == 200 and stopped.status != 200:
            assert seen["status"] == "completed" and seen["result_data"] == {"a": 1}
        elif done.status != 200:
            assert stopped.status == 200 and seen["status"] == "cancelled", (done, stopped, seen)
        else:  # the worker was asked to stop, and had already finished
            assert seen["status"] in ("completed", "cancelled"), seen
        assert done.status < 500 and stopped.status < 500


def test_a_download_outlives_the_file_or_is_404(realm):
    user = realm.side[HOME]["user"]
    content = bytes(range(256)) * 4096
    body = (f"--{FORM}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n"
            f"Content-Type: video/mp4\r\n\r\n").encode() + content + f"\r\n--{FORM}--\r\n".encode()
    kind = {"Content-Type": "multipart/form-data; boundary=" + FORM}
    for _ in range(8):
        file = user.data("POST", V1 + "/files/upload", body, kind)["id"]

        def read():
            try:
                return Wire(realm.server, user.token).call("GET", f"{V1}/files/{file}/download")
            except TimeoutError:
                raise
            except Exception as error:  # cut in its middle at once: the length told so
                return error

        found = together(read, read, lambda: Wire(realm.server, user.token).call(
            "DELETE", f"{V1}/files/{file}"), read)
        assert found[2].status == 200
        for answer in found[:2] + found[3:]:
            assert isinstance(answer, Exception) or answer.status == 404 or answer.body == content
        assert user.call("GET", f"{V1}/files/{file}").status == 404


def test_those_who_do_not_read_hold_up_nobody(realm):
    user = realm.side[HOME]["user"]
    content = bytes(8 << 20)
    body = (f"--{FORM}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n"
            f"Content-Type: video/mp4\r\n\r\n").encode() + content + f"\r\n--{FORM}--\r\n".encode()
    file = user.data("POST", V1 + "/files/upload", body,
                     {"Content-Type": "multipart/form-data; boundary=" + FORM})["id"]
    links = []
    try:
        for _ in range(60):
            link = socket.create_connection((user.host, user.port), timeout=60)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            link.sendall((f"GET {V1}/files/{file}/download HTTP/1.1\r\nHost: a\r\nAuthorization: "
                          f"Bearer {user.token}\r\n\r\n").encode())
            links.append(link)
        for path in (V1 + "/events/stream", "/api/events/stream"):
            for _ in range(100):
                link = socket.create_connection((user.host, user.port), timeout=60)
                link.sendall((f"GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer "
                              f"{user.token}\r\n\r\n").encode())
                links.append(link)
        for _ in range(20):
            realm.make("task", HOME)
            realm.make("session", HOME)
        assert user.call("GET", f"{V1}/files/{file}/download").body == content
    finally:
        for link in links:
            link.close()
    assert user.call("GET", V1 + "/tasks").status == 200
