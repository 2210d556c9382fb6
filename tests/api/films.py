"""What the tests of dialect 000 share: a file, a task on it, a registered worker, and checks."""
import pathlib
import re
import time

from conftest import Caller

BASE = "/api/v1"
CUID = re.compile(r"c[a-z0-9]{24}")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
HASH = re.compile(r"[0-9a-f]{64}")
FILM = b"\x00\x00\x00\x18ftypmp42" + bytes(range(256)) * 20
CONFIG = {"type": "video", "codec": "h264", "resolution": "320x180"}
TASK_KEYS = {"id", "config", "type", "status", "sourceFileId", "resultFileId", "workerId",
             "message", "logs", "createdAt", "updatedAt", "source_file_id", "result_file_id",
             "created_at", "updated_at"}


def good(answer, status=200, message=None):
    """The data of an answer in the envelope."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["Content-Type"].startswith("application/json")
    body = answer.json()
    assert body["success"] is True and set(body) == {"success", "message", "data"}, body
    assert body["message"] and (message is None or body["message"] == message), body
    return body["data"]


def refused(answer, status, code=None, text=None):
    """A refusal in the envelope: never empty, and `error` is a text."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["Content-Type"].startswith("application/json")
    body = answer.json()
    assert body["success"] is False and set(body) == {"success", "message", "error", "code"}, body
    assert body["message"] and body["error"] == body["message"], body
    names = {400: "VALIDATION_ERROR", 401: "UNAUTHORIZED", 403: "FORBIDDEN", 404: "NOT_FOUND",
             405: "METHOD_NOT_ALLOWED", 413: "PAYLOAD_TOO_LARGE", 416: "RANGE_NOT_SATISFIABLE",
             415: "UNSUPPORTED_MEDIA_TYPE", 429: "RATE_LIMITED"}
    assert body["code"] == (code or names[status]), body
    assert text is None or text in body["message"], body
    return body


def uploaded(caller, content=FILM, name="film.mp4", mime="video/mp4", base=BASE, **rest):
    data = good(caller.post(base + "/files/upload", files={"file": (name, content, mime)}, **rest),
                201)
    assert CUID.fullmatch(data["id"]), data
    return data


def created(caller, config=None, file=None, **fields):
    file = file or uploaded(caller)["id"]
    body = {"fileId": file, "config": CONFIG if config is None else config, **fields}
    data = good(caller.post(BASE + "/tasks", body), 201)
    assert data["status"] == "pending" and data["sourceFileId"] == file, data
    return data


def read(caller, task):
    return good(caller.get(f"{BASE}/tasks/{task['id']}"))


def enrolled(relais, admin, name="Worker", **fields):
    """A registered worker: its record and a caller with its JWT."""
    made = good(admin.post(BASE + "/worker", {"name": name, **fields}), 201)
    token = good(Caller(relais.http).post(BASE + "/worker/register", {"token": made["token"]}))
    return made, Caller(relais.http, token["token"])


def pending(worker, **query):
    return worker.get(BASE + "/tasks/pending", params=query)


def taken(worker, **query):
    data = good(pending(worker, **{"wait": 30, **query}), 200, "Task assigned successfully")
    assert data["status"] == "processing", data
    return data


def patched(worker, task, **fields):
    return worker.call("PATCH", f"{BASE}/tasks/{task['id']}", json=fields)


def handed(worker, task, content=b"result", path="", method="POST", name="out.mp4",
           mime="application/octet-stream"):
    return worker.call(method, f"{BASE}/tasks/{task['id']}{path}",
                       files={"file": (name, content, mime)})


def stored(relais):
    """The files in the data folder, by number, also those that move to their place meanwhile."""
    folder = pathlib.Path(relais.data, "files")
    incoming = {path.name for path in (folder / "incoming").iterdir()}
    return incoming | {path.name for path in folder.iterdir() if path.name != "incoming"}


def parked(server):
    """Waits at the broker, its own ones included."""
    said = Caller(server.http).get("/metrics").text
    return int(re.search(r"^relais_core_parked (\d+)", said, re.M)[1])


def until(wanted, within_s=60):
    deadline = time.monotonic() + within_s
    while not wanted():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)
