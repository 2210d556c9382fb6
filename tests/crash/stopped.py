#!/usr/bin/python3
"""A worker that is stopped past its lease and continued: stopped.py native ENDPOINT FILES QUEUE, or
http URL TOKEN. It takes one task, says what it has on stdout, keeps its lease alive until a line
comes on stdin, and then reports all that a worker can report. Each answer is one line of JSON."""
import json
import select
import sys

import ground  # noqa: F401 - finds the modules of tests/api
import requests
from peer import (BEAT, CHECKPOINT, DONE, FAIL, FILE_CREATE, FILE_SEAL, FILE_WRITE, LOG, PROGRESS,
                  RELEASE, START, Peer)
from recordings import BASE

import msgpack

ALIVE_S = 0.1


def say(what):
    print(json.dumps(what), flush=True)


def told(act):
    """Acts again and again until there is a line on stdin."""
    while not select.select([sys.stdin], [], [], ALIVE_S)[0]:
        act()
    sys.stdin.readline()


def upload(endpoint):
    files = Peer(endpoint)
    number = msgpack.unpackb(files.ask(FILE_CREATE, ["late", 0])[1][2])[0]
    assert files.code(FILE_WRITE, [number, 0, b"too late"]) == 0
    size, digest = msgpack.unpackb(files.ask(FILE_SEAL, [number])[1][2])
    files.close()
    return {"file": number, "file_size": size, "file_hash": digest, "file_name": "late"}


def native(endpoint, files, queue):
    peer = Peer(endpoint, "worker", queues=[queue], slots=1, boot=77, name="stopped")
    task, epoch = peer.task(60)[:2]
    say({"start": peer.code(START, [task, epoch]), "epoch": epoch})
    told(lambda: peer.say(BEAT, []))
    welcome = peer.hello("worker", **{**peer.hello_map, "held": [[task, epoch, 0, True]]})
    say({"verdict": welcome[1][0]["verdicts"]})
    say({"progress": peer.code(PROGRESS, [task, epoch, 99, "late"]),
         "log": peer.code(LOG, [task, epoch, 1, "late"]),
         "checkpoint": peer.code(CHECKPOINT, [task, epoch, 0, "late", b"late"]),
         "upload": peer.code(DONE, [task, epoch, b"", upload(files)]),
         "result": peer.code(DONE, [task, epoch, b"late"]),
         "fail": peer.code(FAIL, [task, epoch, 2, "late"]),
         "release": peer.code(RELEASE, [task, epoch])})
    peer.close()


def http(url, token):
    session = requests.Session()
    session.headers["Authorization"] = "Bearer " + token

    def post(job, what, body):
        return session.post(f"{url}{BASE}/{job}/{what}", json=body, headers=lease, timeout=60)

    task = session.post(url + BASE + "/claim", json={"wait": 60, "lease_seconds": 3},
                        timeout=90).json()["data"]["task"]
    job, lease = task["job_uuid"], {"X-Lease": str(task["lease_epoch"])}
    say({"start": post(job, "progress", {"progress": 10}).status_code,
         "epoch": task["lease_epoch"]})
    told(lambda: post(job, "progress", {"progress": 10}))
    answers = {what: post(job, what, body) for what, body in (
        ("progress", {"progress": 99}), ("checkpoint", {"data": {"late": 1}}),
        ("complete", {"full_text": "late"}), ("fail", {"message": "late"}))}
    answers["upload"] = session.put(f"{url}{BASE}/{job}/result", data=b"late", timeout=60,
                                    headers={**lease, "Content-Type": "text/plain"})
    say({what: [answer.status_code, answer.json()["code"]] for what, answer in answers.items()})


if __name__ == "__main__":
    {"native": native, "http": http}[sys.argv[1]](*sys.argv[2:])
