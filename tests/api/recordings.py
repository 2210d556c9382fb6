"""What the tests of dialect 004 share: a recording, a result, and the calls with their checks."""
import re

from conftest import alike, example

BASE = "/api/batchTranscription"
SPOKEN = "Coucou je suis une pitite transcription"
RESULT = {"full_text": SPOKEN, "language": "fr",
          "segments": [{"id": 0, "start": 0.0, "end": 1.5, "text": SPOKEN}]}
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
SOUND = b"RIFF" + bytes(range(256)) * 40


def upload(caller, sound=SOUND, name="audio.m4a", mime="audio/mp4", path=BASE + "/createJob",
           headers=None, **fields):
    return caller.post(path, files={"audioFile": (name, sound, mime)}, data=fields,
                       headers=headers)


def created(caller, **rest):
    answer = upload(caller, **rest)
    assert answer.status_code == 200, answer.text
    return good(answer)["job_uuid"]


def good(answer, status=200):
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["Content-Type"].startswith("application/json")
    body = answer.json()
    assert body["status"] == "success" and set(body) == {"data", "status"}, body
    return body["data"]


def refused(answer, status, code, text=None):
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["Content-Type"].startswith("application/json")
    body = answer.json()
    alike(example("004_error.json"), body, issued=("message",))
    assert body["code"] == code and body["message"], body
    assert text is None or text in body["message"], body
    return body


def result(caller, job, wait=0, **query):
    return good(caller.get(BASE + "/result", params={"job_uuid": job, "wait": wait, **query}))


def claimed(worker, **fields):
    task = good(worker.post(BASE + "/claim", {"wait": 30, **fields}))["task"]
    assert task is not None
    return task


def report(worker, task, what, body, lease=True):
    headers = {"X-Lease": str(task["lease_epoch"])} if lease else {}
    return worker.post(f"{BASE}/{task['job_uuid']}/{what}", body, headers=headers)
