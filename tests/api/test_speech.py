"""Dialect 004, batch mode, against the real server: recordings in, transcriptions out, and every
refusal in its envelope. Examples of the document stand in examples/004_*.json."""
import concurrent.futures
import json
import signal

import pytest

from conftest import TIME, Caller, alike, example
from recordings import BASE, RESULT, SOUND, SPOKEN, UUID
from recordings import claimed, created, good, refused, report, result, upload
from rows import row

QUEUED = "Votre demande est dans la file d'attente"


# ---- createJob ----

@row("POST /api/batchTranscription/createJob")
def test_a_job_is_created_as_the_document_shows(user):
    answer = upload(user, path="/api/batchtranscription/createJob")
    data = good(answer)
    alike(example("004_created.json"), answer.json(), issued=("data.job_uuid",))
    assert UUID.fullmatch(data["job_uuid"]) and data["job_id"] == data["job_uuid"]
    assert (data["status"], data["message"], data["state"]) == (QUEUED, QUEUED, "PENDING")
    assert data["position"] == 1


def test_positions_count_up(user):
    assert [good(upload(user))["position"] for _ in range(3)] == [1, 2, 3]


@row("POST /api/batchTranscription/uploadAudio")
@pytest.mark.parametrize("path", ["/api/batchTranscription/createJob",
                                  "/API/BATCHTRANSCRIPTION/createJob",
                                  "/api/batch/createJob", "/api/batch/uploadAudio",
                                  "/api/batchTranscription/uploadAudio/"])
def test_every_spelling_of_the_path_is_served(user, path):
    assert UUID.fullmatch(good(upload(user, path=path))["job_uuid"])


@pytest.mark.parametrize("name, mime", [
    ("a.wav", "audio/wav"), ("a.webm", "video/webm"), ("a.MP3", "application/octet-stream"),
    ("a", "audio/x-anything"), ("a.opus", "audio/ogg; codecs=opus")])
def test_recordings_are_known_by_type_or_extension(user, name, mime):
    assert UUID.fullmatch(created(user, name=name, mime=mime))


@row("POST /api/batchTranscription/createJob", error=400)
@pytest.mark.parametrize("name, mime", [("a.txt", "text/plain"), ("a.pdf", "application/pdf"),
                                        ("a.exe", "application/octet-stream"),
                                        ("wav", "application/octet-stream")])
def test_what_is_no_recording_is_refused(user, name, mime):
    refused(upload(user, name=name, mime=mime), 400, "VALIDATION_ERROR", "audio")


@row("POST /api/batchTranscription/uploadAudio", error=400)
def test_a_form_without_a_recording_is_refused(user):
    text = "Aucun fichier audio fourni"
    refused(user.post(BASE + "/createJob", files={"other": ("a.wav", SOUND, "audio/wav")}), 400,
            "VALIDATION_ERROR", text)
    refused(user.post(BASE + "/uploadAudio", files={"audioFile": (None, "text")}), 400,
            "VALIDATION_ERROR", text)


def test_a_recording_described_in_json_is_refused_with_a_hint(user):
    refused(user.post(BASE + "/createJob", {"audioFile": "audio.m4a"}), 400, "VALIDATION_ERROR",
            "multipart/form-data")


def test_an_empty_recording_or_name_is_refused(user):
    refused(upload(user, sound=b""), 400, "VALIDATION_ERROR", "vide")
    boundary = "b0undary"
    body = (f"--{boundary}\r\nContent-Disposition: form-data; name=\"audioFile\"; filename=\"\"\r\n"
            f"Content-Type: audio/wav\r\n\r\nabc\r\n--{boundary}--\r\n").encode()
    answer = user.post(BASE + "/createJob", data=body,
                       headers={"Content-Type": f"multipart/form-data; boundary={boundary}"})
    refused(answer, 400, "VALIDATION_ERROR", "vide")


@pytest.mark.parametrize("language", ["french", "f", "12", "é"])
def test_a_bad_language_is_refused(user, language):
    body = refused(upload(user, language=language), 400, "VALIDATION_ERROR")
    assert body["errors"] == [body["message"]]


def test_several_faults_are_joined_and_listed(user):
    body = refused(upload(user, sound=b"", language="xyz"), 400, "VALIDATION_ERROR")
    assert len(body["errors"]) == 2 and all(text in body["message"] for text in body["errors"])


@pytest.mark.parametrize("body", [b"", b"nothing", b"--b\r\n", b"--b\r\nContent-Disposition: x"])
def test_a_broken_form_is_refused(user, body):
    answer = user.post(BASE + "/createJob", data=body,
                       headers={"Content-Type": "multipart/form-data; boundary=b"})
    refused(answer, 400, "VALIDATION_ERROR")


def test_a_form_without_a_boundary_is_refused(user):
    answer = user.post(BASE + "/createJob", data=b"x",
                       headers={"Content-Type": "multipart/form-data"})
    refused(answer, 400, "VALIDATION_ERROR")


def test_a_repeated_key_makes_one_job(user):
    key = {"Idempotency-Key": "recording-1"}
    first, second = upload(user, headers=key), upload(user, headers=key)
    assert good(first)["job_uuid"] == good(second)["job_uuid"]
    refused(upload(user, sound=SOUND + b"!", headers=key), 409, "IDEMPOTENCY_CONFLICT")
    assert result(user, good(first)["job_uuid"])["status"] == "PENDING"


def test_the_created_status_may_be_202(relais_with):
    server = relais_with("--speech-create-status=202", "--envelope-status=succès")
    answer = upload(server.caller("service", "key", 1))
    assert answer.status_code == 202 and answer.json()["status"] == "succès"


# ---- who may ----

def test_an_api_key_is_taken_in_either_header(relais, service, brand):
    job = created(service)
    bare = Caller(relais.http)
    answer = bare.get(BASE + "/result", params={"job_uuid": job},
                      headers={"X-API-KEY": relais.token("service", f"key-{brand}", brand)})
    assert good(answer)["job_id"] == job


def test_without_a_key_nothing_is_done(nobody):
    for answer in (upload(nobody), nobody.get(BASE + "/result", params={"job_uuid": "x"}),
                   nobody.post(BASE + "/claim", {})):
        refused(answer, 401, "UNAUTHORIZED")


def test_a_wrong_key_is_refused(nobody):
    refused(nobody.get(BASE + "/jobs", headers={"X-API-KEY": "wrong"}), 401, "UNAUTHORIZED")


def test_roles_are_kept_apart(user, worker):
    refused(user.post(BASE + "/claim", {}), 403, "FORBIDDEN")
    refused(upload(worker), 403, "FORBIDDEN")


def test_another_brands_job_looks_like_none(user, stranger):
    job = created(user)
    refused(stranger.get(BASE + "/result", params={"job_uuid": job}), 404, "NOT_FOUND")
    refused(stranger.delete(BASE + "/cancel", params={"job_uuid": job}), 404, "NOT_FOUND")
    assert result(user, job)["status"] == "PENDING"
    assert good(stranger.get(BASE + "/jobs"))["jobs"] == []


def test_browsers_may_ask_first(nobody):
    answer = nobody.call("OPTIONS", BASE + "/createJob", headers={
        "Origin": "https://app.example", "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "X-API-KEY"})
    assert answer.status_code in (200, 204)
    assert answer.headers["Access-Control-Allow-Origin"] in ("*", "https://app.example")


def test_open_mode_serves_loopback_without_a_key(relais_with):
    server = relais_with("--open=speech")
    job = created(Caller(server.http))
    assert result(Caller(server.http), job)["status"] == "PENDING"


# ---- result ----

def test_a_job_goes_from_recording_to_transcription(user, worker):
    job = created(user, language="fr")
    pending = result(user, job)
    assert (pending["status"], pending["state"], pending["position"]) == ("PENDING", "PENDING", 1)
    task = claimed(worker)
    assert task["job_uuid"] == job and task["language"] == "fr" and task["attempt"] == 1
    assert TIME.fullmatch(task["lease_expires_at"]) and task["checkpoint"] is None
    sound = worker.call("GET", task["audio_url"].replace(worker.base, ""),
                        headers={"X-Lease": str(task["lease_epoch"])})
    assert sound.status_code == 200 and sound.content == SOUND
    assert sound.headers["Content-Type"] == "audio/mp4"
    step = good(report(worker, task, "progress", {"progress": 50, "message": "la moitié"}))
    assert step["progress"] == 50 and step["cancel_requested"] is False
    processing = result(user, job)
    assert (processing["status"], processing["progress"]) == ("PROCESSING", 50)
    done = good(report(worker, task, "complete", RESULT))
    assert done["state"] == "COMPLETED"
    answer = user.get(BASE + "/result", params={"job_uuid": job})
    alike(example("004_result.json"), answer.json(), issued=("data.job_id",))
    data = good(answer)
    assert data["job_uuid"] == data["job_id"] == job
    assert data["result"] == RESULT and data["transcription_time"] >= 0


@pytest.mark.parametrize("name", ["job_uuid", "job_id", "uuid"])
def test_every_name_of_the_id_is_taken(user, name):
    job = created(user)
    assert good(user.get("/api/batch/result", params={name: job}))["job_id"] == job
    assert good(user.get("/api/batch/result", params={name: job.upper()}))["job_id"] == job


def test_a_result_is_readable_again_and_again(user, worker):
    job = created(user)
    good(report(worker, claimed(worker), "complete", RESULT))
    assert result(user, job) == result(user, job)


def test_a_missing_id_is_said(user):
    refused(user.get(BASE + "/result"), 400, "VALIDATION_ERROR", "job_uuid")
    refused(user.get(BASE + "/result", params={"job_uuid": ""}), 400, "VALIDATION_ERROR")


@pytest.mark.parametrize("job", ["7a85ed93", "x" * 500, "00000000-0000-8000-8000-000000000000",
                                 "../../etc/passwd", "1"])
def test_an_unknown_id_is_not_found(user, job):
    refused(user.get(BASE + "/result", params={"job_uuid": job}), 404, "NOT_FOUND")


def test_a_task_of_another_kind_is_not_found(user):
    task = user.post("/tasks/", {"task_type": "transcription"}).json()
    refused(user.get(BASE + "/result", params={"job_uuid": task["task_id"]}), 404, "NOT_FOUND")


def test_a_wait_ends_with_the_job(user, worker):
    job = created(user)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(result, user, job, 60)
        task = claimed(worker)
        good(report(worker, task, "progress", {"progress": 10}))
        assert not waiting.done()
        good(report(worker, task, "complete", RESULT))
        assert waiting.result(60)["transcription"] == SPOKEN


def test_a_wait_ends_at_its_deadline(user):
    job = created(user)
    answer = user.get(BASE + "/result", params={"job_uuid": job, "wait": 1})
    assert good(answer)["status"] == "PENDING" and answer.elapsed.total_seconds() >= 0.9


def test_a_bad_wait_is_refused(user):
    job = created(user)
    refused(user.get(BASE + "/result", params={"job_uuid": job, "wait": "long"}), 400,
            "VALIDATION_ERROR")


def test_events_tell_every_change_and_end(user, worker):
    job = created(user)
    answer = user.get(BASE + "/events", params={"job_uuid": job}, stream=True)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    lines = answer.iter_lines(chunk_size=None)

    def next_event():
        for line in lines:
            if line.startswith(b"data:"):
                return json.loads(line[5:])
        return None

    assert next_event()["state"] == "PENDING"
    task = claimed(worker)
    good(report(worker, task, "complete", RESULT))
    states = []
    while (event := next_event()) is not None:
        states.append(event["state"])
    assert states[-1] == "COMPLETED" and set(states) <= {"PROCESSING", "COMPLETED"}


def test_a_failed_job_says_why(user, worker):
    job = created(user)
    task = claimed(worker)
    answer = good(report(worker, task, "fail", {"error_message": "format inconnu",
                                                "error_class": "PERMANENT"}))
    assert answer["state"] == "FAILED"
    data = result(user, job, logs=1)
    assert (data["status"], data["error_message"]) == ("FAILED", "format inconnu")
    assert "transcription" not in data


def test_attempts_are_listed_with_their_reasons(user, worker):
    job = created(user)
    good(report(worker, claimed(worker), "fail", {"message": "micro muet"}))
    task = claimed(worker)
    assert task["attempt"] == 2
    good(report(worker, task, "complete", RESULT))
    data = result(user, job, logs=1)
    assert data["status"] == "COMPLETED" and data["attempt_count"] == 2
    assert [row["reason"] for row in data["logs"]] == ["failed", "done"]
    assert data["logs"][0]["message"] == "micro muet"
    assert "logs" not in result(user, job)


def test_a_failed_job_may_answer_500(relais_with):
    server = relais_with("--legacy-failed=500")
    user, worker = server.caller("user", "u", 1), server.caller("worker", "w", 1)
    job = created(user)
    good(report(worker, claimed(worker), "fail", {"error": "x", "retryable": False}))
    refused(user.get(BASE + "/result", params={"job_uuid": job}), 500, "INTERNAL_ERROR")


@pytest.mark.parametrize("printed, text, segments", [
    (SPOKEN + "\n", SPOKEN, []),
    (json.dumps(RESULT), SPOKEN, RESULT["segments"])])
def test_a_commands_output_is_the_transcription(user, work, brand, tmp_path, printed, text,
                                                segments):
    (tmp_path / "said").write_text(printed, encoding="utf-8")
    job = created(user)
    work("batch_queue", "sh", "-c", f"cat > {tmp_path}/heard; cat {tmp_path}/said", brand=brand)
    data = result(user, job, wait=60)
    assert (data["status"], data["transcription"]) == ("COMPLETED", text), data
    assert data["result"] == {"full_text": text, "segments": segments, "language": "fr"}
    assert (tmp_path / "heard").read_bytes() == SOUND


def test_a_commands_long_output_is_a_transcription_too(user, work, brand):
    job = created(user)
    work("batch_queue", "sh", "-c", "seq 1 60000 | tr '\\n' ' '", brand=brand)
    data = result(user, job, wait=60)
    assert data["transcription"] == " ".join(str(n) for n in range(1, 60001)), data["status"]


def test_a_commands_failure_is_the_error(user, work, brand):
    job = created(user)
    work("batch_queue", "sh", "-c", "echo 'pas de parole' >&2; exit 3", brand=brand)
    data = result(user, job, wait=60)
    assert data["status"] == "FAILED" and data["error_message"] == "exit 3: pas de parole", data


# ---- cancel ----

@pytest.mark.parametrize("how", [
    lambda c, job: c.delete(f"{BASE}/cancel", params={"job_uuid": job}),
    lambda c, job: c.delete(f"/api/batch/delete/{job}"),
    lambda c, job: c.get(f"{BASE}/delete/{job}"),
    lambda c, job: c.post(f"{BASE}/cancel", {"job_uuid": job}),
    lambda c, job: c.post(f"{BASE}/cancel", {"job_id": job}),
    lambda c, job: c.post(f"{BASE}/cancel?uuid={job}")])
def test_a_job_is_cancelled_in_every_form(user, worker, how):
    job = created(user)
    data = good(how(user, job))
    assert (data["job_id"], data["status"]) == (job, "CANCELLED") and data["message"]
    data = result(user, job)
    assert (data["status"], data["cancelled"]) == ("FAILED", True)
    assert good(worker.post(BASE + "/claim", {}))["task"] is None


def test_a_finished_job_is_not_cancelled(user, worker):
    job = created(user)
    good(report(worker, claimed(worker), "complete", RESULT))
    refused(user.delete(BASE + "/cancel", params={"job_uuid": job}), 409, "CONFLICT")
    assert result(user, job)["status"] == "COMPLETED"


def test_cancelling_nothing_is_refused(user):
    refused(user.delete(BASE + "/cancel"), 400, "VALIDATION_ERROR")
    refused(user.delete(BASE + "/delete/7a85ed93"), 404, "NOT_FOUND")
    refused(user.post(BASE + "/cancel", {"job_uuid": "7a85ed93"}), 404, "NOT_FOUND")


def test_a_running_job_is_cancelled_under_its_worker(user, worker):
    job = created(user)
    task = claimed(worker)
    good(report(worker, task, "progress", {"progress": 5}))
    assert good(user.delete(BASE + "/cancel", params={"job_uuid": job}))["status"] == "CANCELLED"
    answer = report(worker, task, "progress", {"progress": 6})
    told = answer.status_code == 409 or answer.json()["data"]["cancel_requested"] is True
    assert told, answer.text


# ---- jobs, queue ----

def test_jobs_are_listed_newest_first(user, worker):
    jobs = [created(user) for _ in range(3)]
    data = good(user.get(BASE + "/jobs"))
    assert [row["job_uuid"] for row in data["jobs"]] == jobs[::-1]
    assert data["count"] == 3 and data["page"] == 1
    assert all(row["state"] == "PENDING" and row["language"] == "fr" and
               TIME.fullmatch(row["created_at"]) for row in data["jobs"])
    claimed(worker)
    page = good(user.get(BASE + "/jobs", params={"page": 2, "page_size": 2}))
    assert [row["job_uuid"] for row in page["jobs"]] == jobs[:1]
    busy = good(user.get(BASE + "/jobs", params={"status": "processing"}))
    assert [row["job_uuid"] for row in busy["jobs"]] == jobs[:1]


@pytest.mark.parametrize("query", [{"page": 0}, {"page": "x"}, {"status": "LOST"},
                                   {"page_size": 100000}])
def test_a_bad_list_query_is_refused(user, query):
    refused(user.get(BASE + "/jobs", params=query), 400, "VALIDATION_ERROR")


def test_the_queue_counts_what_waits_and_runs(user, worker):
    for _ in range(3):
        created(user)
    claimed(worker)
    data = good(user.get(BASE + "/queue"))
    assert (data["queue"], data["length"], data["processing"]) == ("batch_queue", 2, 1)
    assert isinstance(data["workers"], int)


# ---- the framework's refusals, in this dialect's envelope ----

def test_an_unknown_path_is_not_found(user):
    refused(user.get(BASE + "/nothing/here/at/all"), 404, "NOT_FOUND")


def test_a_wrong_method_names_the_right_ones(user):
    answer = user.put(BASE + "/createJob", data=b"")
    refused(answer, 405, "METHOD_NOT_ALLOWED")
    assert "POST" in answer.headers["Allow"]


def test_another_media_type_is_refused(worker, user):
    refused(worker.post(BASE + "/claim", data=b"<a/>", headers={"Content-Type": "text/xml"}), 415,
            "UNSUPPORTED_MEDIA_TYPE")
    refused(user.post(BASE + "/createJob", data=b"<a/>", headers={"Content-Type": "text/xml"}),
            415, "UNSUPPORTED_MEDIA_TYPE")


def test_broken_json_is_refused(worker):
    refused(worker.post(BASE + "/claim", data=b'{"wait": 1, "wait": 2}',
                        headers={"Content-Type": "application/json"}), 400, "VALIDATION_ERROR")


def test_an_oversize_recording_is_refused(relais_with):
    server = relais_with("--upload-bytes-max=100000")
    user = server.caller("user", "u", 1)
    refused(upload(user, sound=b"x" * 200000), 413, "PAYLOAD_TOO_LARGE")
    assert UUID.fullmatch(created(user, sound=b"x" * 90000))


def test_too_many_wrong_keys_are_throttled(relais_with):
    server = relais_with("--failures-per-min=3")
    wrong = Caller(server.http, "not.a.token")
    answers = [wrong.get(BASE + "/jobs") for _ in range(6)]
    assert answers[0].status_code == 401
    refused(answers[-1], 429, "RATE_LIMITED")
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_a_full_disk_is_said(relais_with):
    server = relais_with("--free-bytes-min=16384G")
    refused(upload(server.caller("user", "u", 1)), 507, "STORAGE_FULL")


def test_a_silent_broker_is_said(relais_with):
    broker = relais_with(role="broker")
    gateway = relais_with("--silence-ms=5000", role="gateway", data=broker.data)
    user = gateway.caller("user", "u", 1)
    job = created(user)
    broker.process.send_signal(signal.SIGSTOP)
    try:
        answer = user.get(BASE + "/result", params={"job_uuid": job})
        refused(answer, 503, "UNAVAILABLE")
        assert int(answer.headers["Retry-After"]) > 0
    finally:
        broker.process.send_signal(signal.SIGCONT)
