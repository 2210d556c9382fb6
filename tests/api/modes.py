"""The modes of dialect 004, as tests meet them: how a job of each is made, claimed and reported."""
import json

from recordings import SOUND, SPOKEN, good, upload

SEGMENT = {"id": 0, "start": 0.0, "end": 1.5, "text": SPOKEN}
SPEECH = {"full_text": SPOKEN, "language": "fr", "segments": [SEGMENT]}


class Mode:
    """batch, streaming or diarization; `base` is the path of its routes."""

    def __init__(self, name):
        self.name, self.base = name, f"/api/{name}Transcription"

    def __repr__(self):
        return self.name

    def create(self, caller, **fields):
        """The answer's data."""
        if self.name == "streaming":
            return good(caller.post(self.base + "/createJob", fields or {}))
        return good(upload(caller, path=self.base + "/createJob", **fields))

    def created(self, caller, **fields):
        """The id; a streaming job has its recording, and that has ended."""
        job = self.create(caller, **fields)["job_uuid"]
        if self.name == "streaming":
            good(caller.post(f"{self.base}/{job}/audio", data=SOUND, headers={"X-Seq": "0"}))
            good(caller.post(f"{self.base}/{job}/end"))
        return job

    def claimed(self, worker, **fields):
        task = good(worker.post(self.base + "/claim", {"wait": 30, **fields}))["task"]
        assert task is not None
        return task

    def report(self, worker, task, what, body, lease=None):
        lease = task["lease_epoch"] if lease is None else lease
        return worker.post(f"{self.base}/{task['job_uuid']}/{what}", body,
                           headers={"X-Lease": str(lease)})

    def result(self, caller, job, wait=0, **query):
        return good(caller.get(self.base + "/result",
                               params={"job_uuid": job, "wait": wait, **query}))


BATCH, STREAMING, DIARIZATION = Mode("batch"), Mode("streaming"), Mode("diarization")
MODES = [BATCH, STREAMING, DIARIZATION]


class Event:
    def __init__(self, name, number, data):
        self.name, self.number, self.data = name, number, data


def events_of(caller, mode, job, last=None):
    """Opens the server-sent events of a job: an iterator over them. The stream is open when this
    returns."""
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    answer = caller.get(mode.base + "/events", params={"job_uuid": job}, headers=headers,
                        stream=True)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/event-stream")

    def read():
        name = number = None
        for line in answer.iter_lines(chunk_size=None):
            field, _, value = line.decode().partition(": ")
            if field == "event":
                name = value
            elif field == "id":
                number = int(value)
            elif field == "data":
                yield Event(name, number, json.loads(value))
                name = number = None

    return read()
