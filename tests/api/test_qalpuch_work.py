"""The worker side of dialect 000: pending, status and results, and who may say what. The last part
is a worker built like the Go client that users of this API run."""
import concurrent.futures
import http.client
import json
import os
import pathlib
import re
import socket
import threading
import time
import urllib.parse

import pytest

from conftest import Caller
from films import BASE, CUID, FILM
from films import (created, enrolled, good, handed, parked, patched, pending, read, refused, stored,
                   taken, until, uploaded)
from rows import row


@pytest.fixture
def admin(relais, brand):
    return relais.caller("admin", "root", brand)


@pytest.fixture
def worker(relais, admin):
    return enrolled(relais, admin)[1]


@pytest.fixture
def rival(relais, admin):
    return enrolled(relais, admin)[1]


# ---- pending ----

@row("GET /api/v1/tasks/pending", error=401)
@row("GET /api/v1/tasks/pending", error=403)
@row("GET /api/v1/tasks/pending", error=400)
def test_only_workers_ask_for_tasks(user, admin, nobody, worker):
    created(user)
    refused(pending(nobody), 401)
    refused(pending(user), 403)
    refused(pending(admin), 403)
    for wait in ("x", "-1", "1.5"):
        refused(pending(worker, wait=wait), 400)
    taken(worker)


@row("GET /api/v1/tasks/pending")
def test_the_oldest_of_the_highest_priority_goes_first(user, worker):
    tasks = [created(user, {"n": n}, priority=priority)
             for n, priority in enumerate(["low", "normal", "high", "normal", "critical"])]
    order = []
    for _ in tasks:
        order.append(taken(worker)["id"])
        good(patched(worker, {"id": order[-1]}, status="processing"))
    assert order == [tasks[n]["id"] for n in (4, 2, 1, 3, 0)]


def test_types_do_not_take_turns(user, worker):
    tasks = [created(user, {"type": kind}, priority=priority) for kind, priority in [
        ("video", "low"), ("audio", "normal"), ("image", "high"), ("other", "critical"),
        ("audio", "normal"), ("video", "normal")]]
    order = []
    for _ in tasks:
        order.append(taken(worker)["id"])
        good(patched(worker, {"id": order[-1]}, status="processing"))
    assert order == [tasks[n]["id"] for n in (3, 2, 1, 4, 5, 0)]


def test_the_same_unstarted_task_is_given_again(user, worker):
    first, second = created(user, {"n": 1}), created(user, {"n": 2})
    assert [taken(worker)["id"] for _ in range(3)] == [first["id"]] * 3
    good(patched(worker, first, status="processing"))
    assert [taken(worker)["id"] for _ in range(2)] == [second["id"]] * 2


@pytest.mark.parametrize("start", ["patch", "download", "upload"])
def test_patch_download_and_upload_are_each_a_start(user, worker, start):
    first, second = created(user, {"n": 1}), created(user, {"n": 2})
    assert taken(worker)["id"] == first["id"]
    if start == "patch":
        good(patched(worker, first, status="processing"))
    elif start == "download":
        assert worker.get(f"{BASE}/files/{first['sourceFileId']}/download").content == FILM
    else:
        refused(worker.call("POST", f"{BASE}/tasks/{first['id']}", files={"other": (None, "x")}),
                400)
    assert taken(worker)["id"] == second["id"]


def test_a_worker_holds_sixteen_tasks_at_most(user, worker):
    for n in range(17):
        created(user, {"n": n})
    for _ in range(16):
        good(patched(worker, taken(worker), status="processing"))
    refused(pending(worker), 404)
    task = good(worker.get(BASE + "/tasks/pending", params={"empty": "200"}))
    assert task is None


def test_capabilities_route(relais, admin, user):
    film = enrolled(relais, admin, capabilities=["video"])[1]
    sound = enrolled(relais, admin, capabilities=["audio", "image"])[1]
    any_of = enrolled(relais, admin)[1]
    video = created(user, {"type": "video"})
    refused(pending(sound), 404)
    assert taken(film)["id"] == video["id"]
    good(patched(film, video, status="processing"))
    audio, image = created(user, {"type": "audio"}), created(user, '{"type": "image"}')
    refused(pending(film), 404)
    assert taken(sound, capabilities="image")["id"] == image["id"]
    good(patched(sound, image, status="processing"))
    refused(pending(sound, capabilities="image"), 404)
    refused(pending(sound, capabilities="video"), 404)
    assert taken(any_of, capabilities="audio,x")["id"] == audio["id"]
    good(patched(any_of, audio, status="processing"))
    typed = created(user, {}, type="video")
    refused(pending(sound), 404)
    assert taken(film)["id"] == typed["id"]


@pytest.mark.parametrize("config", [{}, "", "no json", {"type": ""}, {"type": 7}, {"type": None}])
def test_a_task_without_a_type_goes_to_any_worker(relais, admin, user, config):
    sound = enrolled(relais, admin, capabilities=["audio"])[1]
    task = created(user, config)
    assert taken(sound)["id"] == task["id"]


def test_a_worker_without_capabilities_takes_types_that_come_later(user, worker):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        got = pool.submit(taken, worker, wait=60)
        task = created(user, {"type": "never-seen-before"})
        assert got.result(60)["id"] == task["id"]


def test_workers_of_this_dialect_take_nothing_of_the_others(relais, brand, user, worker):
    sound = (b"RIFF" + bytes(100), "audio/wav")
    answer = user.post("/api/batchTranscription/createJob",
                       files={"audioFile": ("a.wav", *sound)})
    assert answer.status_code == 200
    user.post("/tasks/", {"task_type": "video", "queue_name": "video"})
    refused(pending(worker), 404)
    task = created(user, {"type": "video"})
    assert taken(worker)["id"] == task["id"]


def test_a_wait_ends_when_a_task_comes_or_the_time_is_over(user, worker):
    begin = time.monotonic()
    refused(pending(worker, wait=1), 404)
    assert time.monotonic() - begin > 0.9
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        got = pool.submit(taken, worker, wait=60)
        task = created(user)
        assert got.result(60)["id"] == task["id"]


def test_one_task_has_one_winner(relais, admin, user):
    crew = [enrolled(relais, admin)[1] for _ in range(8)]
    tasks = {created(user, {"n": n})["id"] for n in range(4)}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(pending, crew))
    got = [good(answer)["id"] for answer in answers if answer.status_code == 200]
    assert len(got) == len(set(got)) == 4 and set(got) == tasks


def test_a_worker_that_leaves_while_it_waits_strands_nothing(relais, user, worker, rival):
    where, before = urllib.parse.urlsplit(relais.http), parked(relais)
    for _ in range(5):
        with socket.create_connection((where.hostname, where.port)) as connection:
            connection.sendall(f"GET {BASE}/tasks/pending?wait=60 HTTP/1.1\r\nHost: x\r\n"
                               f"Authorization: Bearer {worker.token}\r\n\r\n".encode())
            until(lambda: parked(relais) > before)
        until(lambda: parked(relais) <= before)
    task = created(user)
    assert taken(rival)["id"] == task["id"]


# ---- status ----

@pytest.mark.parametrize("text, percent", [
    ("50% terminé", 50), ("à 7 %", 7), ("100%", 100), ("x 0% y", 0), ("101%", 0), ("%", 0),
    ("12345%", 0), ("étape 3, 42% puis 99%", 42), ("", 0), ("no number", 0)])
def test_a_percentage_in_the_text_is_the_progress(user, worker, text, percent):
    task = created(user)
    taken(worker)
    data = good(patched(worker, task, status="processing", status_message=text))
    assert data["progress"] == percent and (data["message"] or "") == text
    assert len(read(user, task)["logs"]) == (1 if text else 0)


def test_progress_and_level_are_taken_and_message_is_the_same_as_status_message(user, worker):
    task = created(user)
    taken(worker)
    good(patched(worker, task, status="PROCESSING", message="10% done", progress=20,
                 level="warning"))
    data = good(patched(worker, task, status="processing", statusMessage="next"))
    assert data["progress"] == 20 and data["message"] == "next"
    assert [(line["level"], line["message"]) for line in data["logs"]] == [
        ("warning", "10% done"), ("info", "next")]


def test_log_lines_are_bounded_and_status_goes_on(user, worker):
    task = created(user)
    taken(worker)
    for n in range(105):
        data = good(patched(worker, task, status="processing", message=f"line {n}"))
    assert len(data["logs"]) == 100 and data["message"] == "line 104"


@row("PATCH /api/v1/tasks/{cuid}", error=400)
@pytest.mark.parametrize("body", [
    {}, {"status": "pending"}, {"status": "completed"}, {"status": ""}, {"status": 7},
    {"status": None}, {"status": "processing", "progress": 101},
    {"status": "processing", "progress": "x"}, {"status": "processing", "message": 7},
    {"status": "processing", "message": "x" * 4097}, {"status": "processing", "level": "loud"},
    [], "x", None])
def test_a_wrong_status_is_400_and_changes_nothing(user, worker, body):
    task = created(user)
    taken(worker)
    answer = worker.call("PATCH", f"{BASE}/tasks/{task['id']}", data=json.dumps(body),
                         headers={"Content-Type": "application/json"})
    refused(answer, 400)
    now = read(user, task)
    assert now["status"] == "processing" and now["logs"] == [] and now["progress"] == 0


@row("PATCH /api/v1/tasks/{cuid}", error=403)
@row("PATCH /api/v1/tasks/{cuid}", error=404)
@row("PATCH /api/v1/tasks/{cuid}", error=409)
@row("PATCH /api/v1/tasks/{cuid}", error=401)
def test_only_the_holder_reports(relais, user, admin, worker, rival, stranger, nobody):
    task = created(user)
    refused(patched(worker, task, status="processing"), 403)
    taken(worker)
    refused(patched(rival, task, status="failed"), 403)
    refused(patched(user, task, status="failed"), 403)
    refused(patched(nobody, task, status="failed"), 401)
    refused(patched(worker, {"id": "c" + "0" * 24}, status="failed"), 404)
    refused(patched(worker, {"id": "7"}, status="failed"), 404)
    far = enrolled(relais, relais.caller("admin", "root", 98))[1]
    refused(patched(far, task, status="failed"), 404)
    good(patched(worker, task, status="failed", message="broken"))
    assert good(patched(worker, task, status="failed"))["message"] == "broken"  # said again
    refused(patched(worker, task, status="processing"), 409, "ATTEMPT_SUPERSEDED")
    refused(handed(worker, task), 409, "ATTEMPT_SUPERSEDED")


# ---- results ----

@row("POST /api/v1/tasks/{cuid}")
@row("POST /api/v1/tasks/{cuid}/result")
@row("PUT /api/v1/tasks/{cuid}/result")
@pytest.mark.parametrize("method, path", [("POST", ""), ("POST", "/result"), ("PUT", "/result")])
def test_a_result_completes_the_task_and_may_be_said_again(relais, user, worker, method, path):
    task = created(user)
    taken(worker)
    before = stored(relais)
    done = good(handed(worker, task, b"one", path, method, mime="video/mp4"))
    assert done["status"] == "completed" and done["progress"] == 100
    assert done["resultFileId"] == done["result_file_id"] and CUID.fullmatch(done["resultFileId"])
    assert done["resultFileId"] not in (task["id"], task["sourceFileId"])
    again = good(handed(worker, task, b"two", path, method))
    assert again == done
    assert user.get(f"{BASE}/tasks/{task['id']}/result").content == b"one"
    until(lambda: len(stored(relais) - before) == 1)  # what came again is not kept


@row("POST /api/v1/tasks/{cuid}", error=400)
@row("POST /api/v1/tasks/{cuid}/result", error=400)
@row("PUT /api/v1/tasks/{cuid}/result", error=400)
@pytest.mark.parametrize("method, path", [("POST", ""), ("POST", "/result"), ("PUT", "/result")])
def test_a_result_without_a_file_is_400(user, worker, method, path):
    task = created(user)
    taken(worker)
    url = f"{BASE}/tasks/{task['id']}{path}"
    refused(worker.call(method, url, files={"other": ("a", b"x")}), 400, text="No file")
    refused(worker.call(method, url, files={"file": (None, "text")}), 400)
    refused(worker.call(method, url, data=b"--x--\r\n",
                        headers={"Content-Type": "multipart/form-data; boundary=b"}), 400)
    refused(worker.call(method, url, json={"file": "x"}), 415)
    assert read(user, task)["status"] == "processing"
    good(handed(worker, task, b"", path, method))
    empty = user.get(f"{BASE}/tasks/{task['id']}/result")
    assert (empty.status_code, empty.content) == (200, b"")


@row("POST /api/v1/tasks/{cuid}", error=403)
@row("POST /api/v1/tasks/{cuid}", error=404)
@row("POST /api/v1/tasks/{cuid}", error=409)
@row("POST /api/v1/tasks/{cuid}/result", error=409)
@row("PUT /api/v1/tasks/{cuid}/result", error=403)
def test_only_the_holder_hands_in(relais, user, worker, rival, nobody):
    task = created(user)
    before = stored(relais)
    refused(handed(worker, task), 403)
    taken(worker)
    refused(handed(rival, task), 403)
    refused(handed(user, task), 403)
    refused(handed(nobody, task), 401)
    refused(handed(worker, {"id": "c" + "0" * 24}), 404)
    good(handed(worker, task))
    refused(handed(rival, task, path="/result"), 409, "ATTEMPT_SUPERSEDED")
    until(lambda: len(stored(relais) - before) == 1)


def test_a_result_over_the_limit_is_413(relais_with):
    server = relais_with("--upload-bytes-max=65536")
    worker = enrolled(server, server.caller("admin", "root", 1))[1]
    user = server.caller("user", "martin", 1)
    task = created(user)
    taken(worker)
    refused(handed(worker, task, bytes(70000)), 413)
    refused(user.post(BASE + "/files/upload", files={"file": ("a", bytes(70000))}), 413)
    assert read(user, task)["status"] == "processing"


def test_an_upload_that_breaks_off_leaves_nothing(relais, user, worker):
    task = created(user)
    taken(worker)
    before = stored(relais)
    where = urllib.parse.urlsplit(relais.http)
    for path, token in ((f"/tasks/{task['id']}", worker.token), ("/files/upload", user.token)):
        with socket.create_connection((where.hostname, where.port)) as connection:
            connection.sendall(
                f"POST {BASE}{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
                f"Content-Type: multipart/form-data; boundary=b\r\n"
                f"Content-Length: 9000000\r\n\r\n--b\r\nContent-Disposition: form-data; "
                f"name=\"file\"; filename=\"a\"\r\n\r\n".encode() + bytes(1 << 20))
            until(lambda: stored(relais) - before)
        until(lambda: not stored(relais) - before)
    assert read(user, task)["status"] == "processing"
    good(handed(worker, task))


def test_a_task_that_is_not_kept_is_still_answered(relais_with):
    server = relais_with("--dialect-keep=none")
    admin, user = server.caller("admin", "root", 1), server.caller("user", "martin", 1)
    worker = enrolled(server, admin)[1]
    done, failed = created(user, {"n": 1}), created(user, {"n": 2})
    taken(worker)
    assert good(handed(worker, done)) == {"id": done["id"], "status": "completed"}
    taken(worker)
    assert good(patched(worker, failed, status="failed")) == {"id": failed["id"],
                                                              "status": "failed"}
    assert good(user.get(BASE + "/tasks")) == []
    refused(handed(worker, done), 404)


def test_tasks_and_results_outlive_a_restart(relais_with):
    first = relais_with()
    admin, user = first.caller("admin", "root", 1), first.caller("user", "martin", 1)
    made, worker = enrolled(first, admin)
    done, held = created(user, {"n": 1}), created(user, {"n": 2})
    taken(worker)
    good(handed(worker, done, b"kept"))
    taken(worker)
    good(patched(worker, held, status="processing"))
    first.process.kill()
    first.process.wait()
    second = relais_with(data=first.data)
    user, worker = Caller(second.http, user.token), Caller(second.http, worker.token)
    assert user.get(f"{BASE}/tasks/{done['id']}/result").content == b"kept"
    assert read(user, held)["workerId"] == made["id"]
    good(patched(worker, held, status="processing", message="90%"))
    good(handed(worker, held))


# ---- as the Go client does it ----

class Client:
    """What the Go SDK was seen to do: a JSON content type on everything, no retry; an answer whose
    `success` is not true is an error, its text `message` or else the string `error`; `data` is
    decoded into a struct that has the envelope's members again."""

    def __init__(self, base, token=""):
        self.where, self.token = urllib.parse.urlsplit(base), token

    def call(self, method, path, body=None, content_type="application/json"):
        connection = http.client.HTTPConnection(self.where.hostname, self.where.port, timeout=60)
        try:
            connection.request(method, self.where.path + path, body,
                               {"Authorization": "Bearer " + self.token,
                                "Content-Type": content_type})
            answer = connection.getresponse()
            content = answer.read()
            if answer.headers["Content-Type"].startswith("application/json"):
                value = json.loads(content)  # an empty body is an EOF here
                if not value.get("success", False):
                    raise RuntimeError(value["message"] or value["error"] + "")
                return value
            return content
        finally:
            connection.close()

    def json(self, method, path, value=None):
        return self.call(method, path, None if value is None else json.dumps(value))

    def upload(self, path, content, **fields):
        boundary = "d7d3f3e2b1"
        parts = [f"--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}"
                 f"\r\n".encode() for name, value in fields.items()]
        parts.append(f"--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; "
                     f"filename=\"film.mp4\"\r\nContent-Type: application/octet-stream\r\n\r\n"
                     .encode() + content + b"\r\n" + f"--{boundary}--\r\n".encode())
        return self.call("POST", path, b"".join(parts),
                         f"multipart/form-data; boundary={boundary}")

    def register(self, token):
        nested = self.json("POST", "/worker/register", {"token": token})["data"]
        self.token = nested["data"]["token"]  # the struct's own Data, not its top
        return nested


@pytest.mark.parametrize("base", ["/v1", "/api/v1"])
def test_the_go_client_from_registration_to_result(relais, admin, user, base):
    made = good(admin.post(BASE + "/worker", {"name": "go", "capabilities": ["video"]}), 201)
    worker, client = Client(relais.http + base), Client(relais.http + base, user.token)
    assert worker.register(made["token"])["success"] is True
    file = client.upload("/files/upload", FILM, name="my film")["data"]
    assert file["filename"] == "my film" and file["size"] == len(FILM)
    assert file["mimeType"] == "application/octet-stream"
    config = {"type": "video", "codec": "h264", "resolution": "320x180", "bitrate": 500}
    task = client.json("POST", "/tasks", {"file_id": file["id"], "config": config})["data"]
    got = worker.json("GET", "/tasks/pending")["data"]
    assert got["id"] == task["id"] and got["config"] == config
    assert worker.call("GET", f"/files/{got['source_file_id']}/download") == FILM
    worker.json("PATCH", f"/tasks/{got['id']}", {"status": "processing", "message": "50%"})
    done = worker.upload(f"/tasks/{got['id']}/result", b"small film")["data"]
    assert done["status"] == "completed"
    listed = client.json("GET", "/tasks")["data"]
    assert isinstance(listed, list) and listed[0]["result_file_id"] == done["result_file_id"]
    assert client.call("GET", f"/files/{done['result_file_id']}/download") == b"small film"
    client.json("POST", "/logout")


def test_the_go_client_sees_texts_in_every_error(relais, worker, user):
    stranger = Client(relais.http + "/v1", "nothing")
    idle, client = Client(relais.http + "/v1", worker.token), Client(relais.http + "/v1",
                                                                      user.token)
    for call in (lambda: stranger.json("GET", "/tasks"), lambda: idle.json("GET", "/tasks/pending"),
                 lambda: client.call("GET", "/files/c" + "0" * 24 + "/download"),
                 lambda: client.call("GET", "/nowhere"), lambda: client.json("PUT", "/tasks"),
                 lambda: client.json("POST", "/tasks", {}), lambda: stranger.register("x")):
        with pytest.raises(RuntimeError) as error:
            call()
        assert len(str(error.value)) > 3
    assert idle.json("GET", "/tasks/pending?empty=200")["data"] is None


def test_nested_answers_can_be_switched_off(relais_with):
    server = relais_with("--nested-answers=false")
    made = good(server.caller("admin", "root", 1).post(BASE + "/worker", {"name": "w"}), 201)
    data = good(Caller(server.http).post(BASE + "/worker/register", {"token": made["token"]}))
    assert "data" not in data and data["token"]


# ---- native workers take them too ----

def test_a_native_worker_gets_the_config_and_its_output_is_the_result_file(relais, user, work,
                                                                           brand):
    script = 'cat "$RELAIS_SOURCE_FILE" | wc -c; cat "$RELAIS_PAYLOAD_FILE"'
    work("native-000", "sh", "-c", script, brand=brand)
    tasks = [created(user, config) for config in
             ({"type": "native-000", "n": 1}, '{"type": "native-000", "n": 1}')]
    until(lambda: all(read(user, task)["status"] == "completed" for task in tasks))
    for task, text in zip(tasks, ('{"type": "native-000", "n": 1}',) * 2):
        done = read(user, task)
        file = good(user.get(f"{BASE}/files/{done['resultFileId']}"))
        answer = user.get(f"{BASE}/files/{done['resultFileId']}/download")
        assert answer.content.decode() == f"{len(FILM)}\n{text}"
        assert file["size"] == len(answer.content) and file["id"] == done["resultFileId"]
        part = user.get(f"{BASE}/tasks/{task['id']}/result", headers={"Range": "bytes=0-3"})
        assert (part.status_code, part.content) == (206, answer.content[:4])
        assert answer.headers["ETag"] == '"' + file["hash"] + '"'


def test_a_native_worker_with_a_large_result_and_one_that_fails(relais, user, work, brand):
    script = 'test "$(wc -c < "$RELAIS_SOURCE_FILE")" -gt 1 || { echo bad >&2; exit 3; }; ' \
             'head -c 200000 /dev/zero'
    work("big-000", "sh", "-c", script, brand=brand)
    big = created(user, {"type": "big-000"})
    bad = created(user, {"type": "big-000"}, file=uploaded(user, b"x")["id"])
    until(lambda: all(read(user, task)["status"] in ("completed", "failed")
                      for task in (big, bad)))
    answer = user.get(f"{BASE}/files/{read(user, big)['resultFileId']}/download")
    assert answer.content == bytes(200000) and answer.headers["ETag"]
    failed = read(user, bad)
    assert (failed["status"], failed["message"]) == ("failed", "exit 3: bad")


def test_films_are_transcoded_end_to_end(relais, user, work, brand):
    root = pathlib.Path(__file__).resolve().parents[2]
    made = pathlib.Path(relais.data, "film.mp4")
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i",
               "testsrc=size=640x360:rate=10:duration=1", "-c:v", "libx264", "-preset",
               "ultrafast", str(made)]
    assert os.spawnvp(os.P_WAIT, "ffmpeg", command) == 0
    work("video", str(root / "scripts/transcode"), brand=brand)
    task = created(user, {"type": "video", "codec": "h264", "resolution": "320x180"},
                   file=uploaded(user, made.read_bytes())["id"])
    until(lambda: read(user, task)["status"] in ("completed", "failed"), 60)
    done = read(user, task)
    assert done["status"] == "completed", done
    result = user.get(f"{BASE}/files/{done['resultFileId']}/download").content
    made.write_bytes(result)
    seen = os.popen(f"ffprobe -v error -show_entries stream=width,height,codec_name -of csv=p=0 "
                    f"{made}").read().strip()
    assert seen == "h264,320,180", seen


def test_many_at_once_are_each_done_once(relais, admin, user):
    tasks = {created(user, {"n": n})["id"] for n in range(30)}
    done, lock = [], threading.Lock()

    def labour(worker):
        while True:
            answer = pending(worker, wait=1)
            if answer.status_code == 404:
                return
            task = good(answer)
            good(handed(worker, task, task["id"].encode()))
            with lock:
                done.append(task["id"])

    crew = [enrolled(relais, admin)[1] for _ in range(4)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(labour, crew))
    assert len(done) == 30 and set(done) == tasks
    for task in tasks:
        assert user.get(f"{BASE}/tasks/{task}/result").content == task.encode()
