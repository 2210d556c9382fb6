"""Dialect 004: what every mode has. Each test runs in batch, streaming and diarization."""
import json

import pytest

from modes import MODES, SEGMENT, SPEECH, events_of
from recordings import SOUND, SPOKEN, UUID, good, refused
from rows import row

modes = pytest.mark.parametrize("mode", MODES, ids=str)
NO_JOB = "00000000-0000-8000-8000-000000000000"


def others(mode):
    return [other for other in MODES if other is not mode]


# ---- result ----

@row("GET /api/batchTranscription/result")
@row("GET /api/streamingTranscription/result")
@row("GET /api/diarizationTranscription/result")
@modes
def test_a_job_goes_from_claim_to_transcription(mode, user, worker):
    job = mode.created(user)
    assert mode.result(user, job)["status"] == "PENDING"
    task = mode.claimed(worker)
    assert task["job_uuid"] == job
    good(mode.report(worker, task, "progress", {"progress": 40}))
    assert mode.result(user, job)["progress"] == 40
    good(mode.report(worker, task, "complete", SPEECH))
    data = mode.result(user, job, wait=5)
    assert (data["status"], data["transcription"]) == ("COMPLETED", SPOKEN)
    assert data["result"] == SPEECH
    time_key = "diarization_time" if mode.name == "diarization" else "transcription_time"
    assert data[time_key] >= 0 and data["job_id"] == data["job_uuid"] == job


@row("GET /api/batchTranscription/result", error=404)
@row("GET /api/streamingTranscription/result", error=404)
@row("GET /api/diarizationTranscription/result", error=404)
@modes
def test_a_job_of_another_mode_is_not_found(mode, user):
    job = mode.created(user)
    for other in others(mode):
        refused(user.get(other.base + "/result", params={"job_uuid": job}), 404, "NOT_FOUND")
        refused(user.get(other.base + "/events", params={"job_uuid": job}), 404, "NOT_FOUND")
        refused(user.delete(other.base + "/cancel", params={"job_uuid": job}), 404, "NOT_FOUND")
        refused(user.get(f"{other.base}/{job}/result"), 404, "NOT_FOUND")
    assert mode.result(user, job)["status"] == "PENDING"


@modes
def test_the_short_name_and_any_case_serve_it_too(mode, user):
    job = mode.created(user)
    for path in (f"/api/{mode.name}/result", f"/API/{mode.name.upper()}TRANSCRIPTION/Result/"):
        assert good(user.get(path, params={"job_id": job}))["job_uuid"] == job


@modes
def test_segments_alone_are_a_transcription(mode, user, worker):
    job = mode.created(user)
    segments = [{"text": "un", "speaker": "A"}, {"text": "deux", "speaker": "B"}]
    good(mode.report(worker, mode.claimed(worker), "complete", {"segments": segments}))
    data = mode.result(user, job)
    assert data["transcription"] == "un deux" and data["result"]["segments"] == segments


# ---- events ----

@row("GET /api/batchTranscription/events")
@row("GET /api/streamingTranscription/events")
@row("GET /api/diarizationTranscription/events")
@modes
def test_events_tell_the_states_to_the_end(mode, user, worker):
    job = mode.created(user)
    events = events_of(user, mode, job)
    first = next(events)
    assert (first.name, first.data["status"]) == ("state", "PENDING")
    good(mode.report(worker, mode.claimed(worker), "complete", SPEECH))
    rest = list(events)
    assert rest[-1].data["transcription"] == SPOKEN
    assert {event.data["status"] for event in rest} <= {"PROCESSING", "COMPLETED"}


@row("GET /api/batchTranscription/events", error=404)
@row("GET /api/streamingTranscription/events", error=404)
@row("GET /api/diarizationTranscription/events", error=404)
@modes
def test_events_of_no_job_are_not_found(mode, user, stranger):
    refused(user.get(mode.base + "/events", params={"job_uuid": NO_JOB}), 404, "NOT_FOUND")
    job = mode.created(user)
    refused(stranger.get(mode.base + "/events", params={"job_uuid": job}), 404, "NOT_FOUND")


# ---- cancel ----

CANCELS = {
    "delete": lambda c, m, job: c.delete(m.base + "/cancel", params={"job_uuid": job}),
    "post": lambda c, m, job: c.post(m.base + "/cancel", {"job_uuid": job}),
    "delete path": lambda c, m, job: c.delete(f"{m.base}/delete/{job}"),
    "get path": lambda c, m, job: c.get(f"{m.base}/delete/{job}"),
}
cancels = pytest.mark.parametrize("how", CANCELS.values(), ids=CANCELS)


@row("DELETE /api/batchTranscription/cancel")
@row("DELETE /api/streamingTranscription/cancel")
@row("DELETE /api/diarizationTranscription/cancel")
@row("POST /api/batchTranscription/cancel")
@row("POST /api/streamingTranscription/cancel")
@row("POST /api/diarizationTranscription/cancel")
@row("DELETE /api/batchTranscription/delete/{id}")
@row("DELETE /api/streamingTranscription/delete/{id}")
@row("DELETE /api/diarizationTranscription/delete/{id}")
@row("GET /api/batchTranscription/delete/{id}")
@row("GET /api/streamingTranscription/delete/{id}")
@row("GET /api/diarizationTranscription/delete/{id}")
@cancels
@modes
def test_a_job_is_cancelled(mode, how, user, worker):
    job = mode.created(user)
    data = good(how(user, mode, job))
    assert (data["job_id"], data["status"]) == (job, "CANCELLED") and data["message"]
    shown = mode.result(user, job)
    assert (shown["status"], shown["cancelled"]) == ("FAILED", True)
    assert good(how(user, mode, job))["status"] == "CANCELLED"
    assert good(worker.post(mode.base + "/claim", {}))["task"] is None


@row("DELETE /api/batchTranscription/cancel", error=409)
@row("DELETE /api/streamingTranscription/cancel", error=409)
@row("DELETE /api/diarizationTranscription/cancel", error=409)
@row("POST /api/batchTranscription/cancel", error=409)
@row("POST /api/streamingTranscription/cancel", error=409)
@row("POST /api/diarizationTranscription/cancel", error=409)
@row("DELETE /api/batchTranscription/delete/{id}", error=409)
@row("DELETE /api/streamingTranscription/delete/{id}", error=409)
@row("DELETE /api/diarizationTranscription/delete/{id}", error=409)
@row("GET /api/batchTranscription/delete/{id}", error=409)
@row("GET /api/streamingTranscription/delete/{id}", error=409)
@row("GET /api/diarizationTranscription/delete/{id}", error=409)
@cancels
@modes
def test_a_finished_job_is_not_cancelled(mode, how, user, worker, stranger):
    job = mode.created(user)
    refused(how(stranger, mode, job), 404, "NOT_FOUND")
    good(mode.report(worker, mode.claimed(worker), "complete", SPEECH))
    refused(how(user, mode, job), 409, "CONFLICT")
    refused(how(user, mode, NO_JOB), 404, "NOT_FOUND")


# ---- jobs, queue ----

@row("GET /api/batchTranscription/jobs")
@row("GET /api/streamingTranscription/jobs")
@row("GET /api/diarizationTranscription/jobs")
@modes
def test_jobs_are_those_of_the_mode(mode, user):
    jobs = [mode.created(user) for _ in range(3)]
    for other in others(mode):
        other.created(user)
    data = good(user.get(mode.base + "/jobs", params={"page_size": 2}))
    assert [one["job_uuid"] for one in data["jobs"]] == jobs[:0:-1] and data["count"] == 3
    assert good(user.get(mode.base + "/jobs", params={"status": "COMPLETED"}))["jobs"] == []


@row("GET /api/batchTranscription/jobs", error=400)
@row("GET /api/streamingTranscription/jobs", error=400)
@row("GET /api/diarizationTranscription/jobs", error=400)
@modes
def test_a_bad_list_is_refused(mode, user):
    refused(user.get(mode.base + "/jobs", params={"status": "LOST"}), 400, "VALIDATION_ERROR")
    refused(user.get(mode.base + "/jobs", params={"page": "0"}), 400, "VALIDATION_ERROR")


@row("GET /api/batchTranscription/queue")
@row("GET /api/streamingTranscription/queue")
@row("GET /api/diarizationTranscription/queue")
@modes
def test_the_queue_is_counted(mode, user, worker):
    for _ in range(3):
        mode.created(user)
    mode.claimed(worker)
    data = good(user.get(mode.base + "/queue"))
    assert data["queue"] == f"{mode.name}_queue"
    assert (data["length"], data["processing"]) == (2, 1) and data["workers"] >= 1


@row("GET /api/batchTranscription/queue", error=401)
@row("GET /api/streamingTranscription/queue", error=401)
@row("GET /api/diarizationTranscription/queue", error=401)
@modes
def test_without_a_key_nothing_is_shown(mode, nobody):
    for path in ("/queue", "/jobs", "/result?job_uuid=x", "/events?job_uuid=x"):
        refused(nobody.get(mode.base + path), 401, "UNAUTHORIZED")


# ---- the worker side ----

@row("POST /api/batchTranscription/claim")
@row("POST /api/streamingTranscription/claim")
@row("POST /api/diarizationTranscription/claim")
@modes
def test_a_claim_says_what_is_to_be_done(mode, user, worker):
    assert good(worker.post(mode.base + "/claim", {}))["task"] is None
    job = mode.created(user, language="en")
    for other in others(mode):
        assert good(worker.post(other.base + "/claim", {}))["task"] is None
    assert good(worker.post(mode.base + "/claim", {"language": "de"}))["task"] is None
    task = mode.claimed(worker, language="en")
    assert (task["job_uuid"], task["language"], task["attempt"]) == (job, "en", 1)
    assert task["audio_url"].endswith(f"{mode.base}/{job}/audio")
    assert task["parameters"]["language"] == "en" and task["checkpoint"] is None


@row("POST /api/batchTranscription/claim", error=403)
@row("POST /api/streamingTranscription/claim", error=403)
@row("POST /api/diarizationTranscription/claim", error=403)
@modes
def test_only_workers_claim(mode, user, worker):
    refused(user.post(mode.base + "/claim", {}), 403, "FORBIDDEN")
    refused(worker.post(mode.base + "/claim", {"wait": "x"}), 400, "VALIDATION_ERROR")


@row("POST /api/batchTranscription/{id}/progress")
@row("POST /api/streamingTranscription/{id}/progress")
@row("POST /api/diarizationTranscription/{id}/progress")
@modes
def test_progress_renews_the_lease(mode, user, worker):
    mode.created(user)
    task = mode.claimed(worker)
    data = good(mode.report(worker, task, "progress", {"progress": 10, "message": "en cours"}))
    assert (data["state"], data["progress"]) == ("PROCESSING", 10)
    assert data["cancel_requested"] is False


@row("POST /api/batchTranscription/{id}/checkpoint")
@row("POST /api/streamingTranscription/{id}/checkpoint")
@row("POST /api/diarizationTranscription/{id}/checkpoint")
@modes
def test_a_checkpoint_rides_with_the_next_claim(mode, user, worker):
    mode.created(user)
    task = mode.claimed(worker)
    assert good(mode.report(worker, task, "checkpoint",
                            {"name": "m", "data": {"offset": 7}}))["checkpoint"] == 1
    good(mode.report(worker, task, "fail", {"error_message": "panne"}))
    again = mode.claimed(worker)
    assert again["checkpoint"] == {"seq": 1, "name": "m", "data": {"offset": 7}}


@row("POST /api/batchTranscription/{id}/complete")
@row("POST /api/streamingTranscription/{id}/complete")
@row("POST /api/diarizationTranscription/{id}/complete")
@row("POST /api/batchTranscription/{id}/fail")
@row("POST /api/streamingTranscription/{id}/fail")
@row("POST /api/diarizationTranscription/{id}/fail")
@modes
def test_ends_are_told_and_may_be_repeated(mode, user, worker):
    job = mode.created(user)
    task = mode.claimed(worker)
    for _ in range(2):
        assert good(mode.report(worker, task, "complete", SPEECH))["state"] == "COMPLETED"
    failing = mode.created(user)
    task = mode.claimed(worker)
    data = good(mode.report(worker, task, "fail", {"error_message": "muet",
                                                  "error_class": "PERMANENT"}))
    assert data["state"] == "FAILED"
    assert mode.result(user, failing)["error_message"] == "muet"
    assert mode.result(user, job)["status"] == "COMPLETED"


@row("POST /api/batchTranscription/{id}/progress", error=409)
@row("POST /api/streamingTranscription/{id}/progress", error=409)
@row("POST /api/diarizationTranscription/{id}/progress", error=409)
@row("POST /api/batchTranscription/{id}/checkpoint", error=409)
@row("POST /api/streamingTranscription/{id}/checkpoint", error=409)
@row("POST /api/diarizationTranscription/{id}/checkpoint", error=409)
@row("POST /api/batchTranscription/{id}/complete", error=409)
@row("POST /api/streamingTranscription/{id}/complete", error=409)
@row("POST /api/diarizationTranscription/{id}/complete", error=409)
@row("POST /api/batchTranscription/{id}/fail", error=409)
@row("POST /api/streamingTranscription/{id}/fail", error=409)
@row("POST /api/diarizationTranscription/{id}/fail", error=409)
@row("PUT /api/batchTranscription/{id}/result", error=409)
@row("PUT /api/streamingTranscription/{id}/result", error=409)
@row("PUT /api/diarizationTranscription/{id}/result", error=409)
@row("GET /api/batchTranscription/{id}/audio", error=409)
@row("GET /api/streamingTranscription/{id}/audio", error=409)
@row("GET /api/diarizationTranscription/{id}/audio", error=409)
@modes
def test_a_lease_that_is_lost_writes_nothing(mode, user, worker, rival):
    job = mode.created(user)
    task = mode.claimed(worker)
    stale = {"X-Lease": str(task["lease_epoch"] - 1)}
    path = f"{mode.base}/{job}"
    bodies = {"progress": {"progress": 1}, "checkpoint": {"data": {}}, "complete": SPEECH,
              "fail": {"error_message": "x"}}
    for who, headers in ((worker, stale), (rival, {})):
        for what, body in bodies.items():
            refused(who.post(f"{path}/{what}", body, headers=headers), 409, "ATTEMPT_SUPERSEDED")
        refused(who.put(path + "/result", data=json.dumps(SPEECH), headers={
            **headers, "Content-Type": "application/json"}), 409, "ATTEMPT_SUPERSEDED")
        refused(who.get(path + "/audio", headers=headers), 409, "ATTEMPT_SUPERSEDED")
    assert mode.result(user, job)["status"] == "PROCESSING"


@modes
def test_a_report_under_another_mode_is_not_found(mode, user, worker):
    job = mode.created(user)
    task = mode.claimed(worker)
    for other in others(mode):
        refused(other.report(worker, task, "progress", {"progress": 1}), 404, "NOT_FOUND")
        refused(other.report(worker, task, "complete", SPEECH), 404, "NOT_FOUND")
        refused(other.report(worker, task, "fail", {"error_message": "x"}), 404, "NOT_FOUND")
        refused(worker.get(f"{other.base}/{job}/audio"), 404, "NOT_FOUND")
    assert mode.result(user, job)["status"] == "PROCESSING"


@modes
def test_a_report_that_says_nothing_is_refused(mode, user, worker):
    mode.created(user)
    task = mode.claimed(worker)
    for what, body in (("progress", {"progress": 101}), ("checkpoint", {}), ("complete", {}),
                       ("fail", {})):
        refused(mode.report(worker, task, what, body), 400, "VALIDATION_ERROR")
    refused(mode.report(worker, task, "progress", {}, lease="x"), 400, "VALIDATION_ERROR")


@row("PUT /api/batchTranscription/{id}/result")
@row("PUT /api/streamingTranscription/{id}/result")
@row("PUT /api/diarizationTranscription/{id}/result")
@row("GET /api/batchTranscription/{id}/result")
@row("GET /api/streamingTranscription/{id}/result")
@row("GET /api/diarizationTranscription/{id}/result")
@modes
def test_a_result_of_any_size_is_put_and_read(mode, user, worker):
    job = mode.created(user)
    task = mode.claimed(worker)
    large = {**SPEECH, "full_text": SPOKEN * 3000}
    answer = worker.put(f"{mode.base}/{job}/result", data=json.dumps(large), headers={
        "X-Lease": str(task["lease_epoch"]), "Content-Type": "application/json"})
    assert good(answer)["state"] == "COMPLETED"
    data = mode.result(user, job)
    assert data["transcription"] == SPOKEN * 3000
    assert data["result_url"].endswith(f"{mode.base}/{job}/result")
    assert user.get(f"{mode.base}/{job}/result").json() == large
    assert list(events_of(user, mode, job))[-1].data["transcription"] == SPOKEN * 3000


@row("GET /api/batchTranscription/{id}/result", error=404)
@row("GET /api/streamingTranscription/{id}/result", error=404)
@row("GET /api/diarizationTranscription/{id}/result", error=404)
@modes
def test_a_result_that_is_not_there_is_not_found(mode, user):
    refused(user.get(f"{mode.base}/{mode.created(user)}/result"), 404, "NOT_FOUND")


@row("GET /api/batchTranscription/{id}/audio")
@row("GET /api/streamingTranscription/{id}/audio")
@row("GET /api/diarizationTranscription/{id}/audio")
@modes
def test_the_recording_is_read(mode, user, worker):
    job = mode.created(user)
    task = mode.claimed(worker)
    answer = worker.get(f"{mode.base}/{job}/audio", headers={"X-Lease": str(task["lease_epoch"])})
    assert answer.status_code == 200 and answer.content == SOUND


@modes
def test_ids_have_one_form(mode, user):
    data = mode.create(user)
    assert UUID.fullmatch(data["job_uuid"]) and data["job_id"] == data["job_uuid"]
    assert data["state"] == "PENDING" and data["message"] == data["status"]


@modes
def test_segments_keep_what_the_worker_says(mode, user, worker):
    job = mode.created(user)
    said = {"segments": [{**SEGMENT, "speaker": "S1"}], "full_text": "x", "model": "petit"}
    good(mode.report(worker, mode.claimed(worker), "complete", said))
    assert mode.result(user, job)["result"] == {**said, "language": "fr"}
