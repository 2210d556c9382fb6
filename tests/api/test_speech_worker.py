"""Dialect 004's worker side over HTTP: claim, recording, progress, checkpoint, result, and the
fence that keeps a worker off which has lost its lease."""
import json

import pytest

from recordings import BASE, RESULT, SOUND, SPOKEN
from recordings import claimed, created, good, refused, report, result


def test_a_claim_without_jobs_is_null(worker):
    assert good(worker.post(BASE + "/claim", {})) == {"task": None}
    assert good(worker.post(BASE + "/claim")) == {"task": None}


def test_a_claim_keeps_to_its_language(user, worker):
    english = created(user, language="en")
    french = created(user)
    assert good(worker.post(BASE + "/claim", {"language": "de"}))["task"] is None
    assert claimed(worker, language="FR")["job_uuid"] == french
    task = claimed(worker)
    assert (task["job_uuid"], task["language"]) == (english, "en")


@pytest.mark.parametrize("body", [{"wait": -1}, {"wait": "x"}, {"language": "french"},
                                  {"lease_seconds": 0}])
def test_a_bad_claim_is_refused(worker, body):
    refused(worker.post(BASE + "/claim", body), 400, "VALIDATION_ERROR")


def test_a_part_of_the_recording_can_be_read(user, worker):
    created(user)
    task = claimed(worker)
    path = f"{BASE}/{task['job_uuid']}/audio"
    lease = {"X-Lease": str(task["lease_epoch"])}
    part = worker.get(path, headers={**lease, "Range": "bytes=100-199"})
    assert part.status_code == 206 and part.content == SOUND[100:200]
    assert part.headers["Content-Range"] == f"bytes 100-199/{len(SOUND)}"
    tail = worker.get(path, headers={**lease, "Range": "bytes=-10"})
    assert tail.status_code == 206 and tail.content == SOUND[-10:]
    assert worker.get(path, headers={**lease, "Range": "bytes=999999-"}).status_code == 416


def test_a_large_recording_comes_back_whole(user, worker):
    sound = bytes(range(256)) * 20000
    created(user, sound=sound)
    task = claimed(worker)
    answer = worker.get(f"{BASE}/{task['job_uuid']}/audio")
    assert answer.content == sound and task["size"] == len(sound)


def test_a_checkpoint_rides_with_the_next_delivery(user, worker, rival):
    job = created(user)
    task = claimed(worker, lease_seconds=4)
    first = good(report(worker, task, "checkpoint", {"name": "minute-1", "data": {"at": 60}}))
    second = good(report(worker, task, "checkpoint", {"step_name": "minute-2",
                                                      "checkpoint_data": {"at": 120}}))
    assert (first["checkpoint"], second["checkpoint"]) == (1, 2)
    again = claimed(rival, wait=60)
    assert again["job_uuid"] == job
    assert again["checkpoint"] == {"seq": 2, "name": "minute-2", "data": {"at": 120}}


def test_a_checkpoint_needs_data(user, worker):
    created(user)
    refused(report(worker, claimed(worker), "checkpoint", {"name": "x"}), 400, "VALIDATION_ERROR")


def test_a_result_may_be_put(user, worker):
    job = created(user)
    task = claimed(worker)
    answer = worker.put(f"{BASE}/{job}/result", data=json.dumps(RESULT).encode(),
                        headers={"X-Lease": str(task["lease_epoch"]),
                                 "Content-Type": "application/json"})
    assert good(answer)["state"] == "COMPLETED"
    assert result(user, job)["result"] == RESULT


def test_a_result_may_be_plain_text(user, worker):
    job = created(user)
    claimed(worker)
    answer = worker.put(f"{BASE}/{job}/result", data=SPOKEN.encode(),
                        headers={"Content-Type": "text/plain"})
    assert good(answer)["state"] == "COMPLETED"
    assert result(user, job)["transcription"] == SPOKEN


@pytest.mark.parametrize("body", [{}, {"result": {}}, {"full_text": 5}, {"result": 7}])
def test_a_result_needs_a_text_or_segments(user, worker, body):
    job = created(user)
    refused(report(worker, claimed(worker), "complete", body), 400, "VALIDATION_ERROR")
    assert result(user, job)["status"] == "PROCESSING"


def test_an_oversize_result_is_refused(user, worker):
    job = created(user)
    task = claimed(worker)
    refused(report(worker, task, "complete", {"full_text": "x" * (5 << 20)}), 413,
            "PAYLOAD_TOO_LARGE")
    assert result(user, job)["status"] == "PROCESSING"


def test_failing_needs_a_reason_and_progress_a_percentage(user, worker):
    created(user)
    task = claimed(worker)
    refused(report(worker, task, "fail", {}), 400, "VALIDATION_ERROR")
    refused(report(worker, task, "progress", {"progress": 200}), 400, "VALIDATION_ERROR")


def test_a_malformed_lease_is_refused(user, worker):
    job = created(user)
    claimed(worker)
    for lease in ("x", "-1", "1.5", ""):
        answer = worker.post(f"{BASE}/{job}/progress", {"progress": 1},
                             headers={"X-Lease": lease})
        refused(answer, 400, "VALIDATION_ERROR")


def test_a_lost_lease_fences_the_old_worker_off(user, worker, rival):
    job = created(user)
    old = claimed(worker, lease_seconds=1)
    new = claimed(rival, wait=60)
    assert new["job_uuid"] == job and new["lease_epoch"] > old["lease_epoch"]
    lease = {"X-Lease": str(old["lease_epoch"])}
    for headers in (lease, {}):
        for what, body in (("progress", {"progress": 9}), ("checkpoint", {"data": {}}),
                           ("complete", {"full_text": "old"}), ("fail", {"message": "old"})):
            answer = worker.post(f"{BASE}/{job}/{what}", body, headers=headers)
            refused(answer, 409, "ATTEMPT_SUPERSEDED")
        refused(worker.put(f"{BASE}/{job}/result", data=b"old", headers=headers), 409,
                "ATTEMPT_SUPERSEDED")
        refused(worker.get(f"{BASE}/{job}/audio", headers=headers), 409, "ATTEMPT_SUPERSEDED")
    good(report(rival, new, "complete", RESULT))
    assert result(user, job)["transcription"] == SPOKEN


def test_the_winners_own_report_may_be_repeated(user, worker):
    created(user)
    task = claimed(worker)
    first, second = (good(report(worker, task, "complete", RESULT)) for _ in range(2))
    assert first == second


def test_reports_on_an_unknown_job_find_none(worker):
    for what, body in (("progress", {"progress": 1}), ("checkpoint", {"data": 1}),
                       ("complete", RESULT), ("fail", {"message": "x"})):
        refused(worker.post(f"{BASE}/7a85ed93/{what}", body), 404, "NOT_FOUND")
    refused(worker.get(f"{BASE}/7a85ed93/audio"), 404, "NOT_FOUND")


def test_a_large_result_comes_back_whole(user, worker):
    job = created(user)
    task = claimed(worker)
    words = " ".join(f"mot{n}" for n in range(40000))
    large = {"full_text": words, "segments": [], "language": "fr"}
    answer = worker.put(f"{BASE}/{job}/result", data=json.dumps(large).encode(),
                        headers={"X-Lease": str(task["lease_epoch"]),
                                 "Content-Type": "application/json"})
    assert good(answer)["state"] == "COMPLETED"
    data = result(user, job)
    assert data["transcription"] == words and data["result"] == large
    raw = user.get(data["result_url"].replace(user.base, ""))
    assert raw.status_code == 200 and raw.json() == large


def test_the_raw_result_is_there_once_the_job_is_done(user, worker):
    job = created(user)
    refused(user.get(f"{BASE}/{job}/result"), 404, "NOT_FOUND")
    good(report(worker, claimed(worker), "complete", RESULT))
    answer = user.get(f"{BASE}/{job}/result")
    assert answer.status_code == 200 and answer.json() == RESULT
