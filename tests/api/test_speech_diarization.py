"""Dialect 004, diarization: who speaks when. What it shares with the other modes is in
test_speech_modes.py."""
import json

import pytest
from conftest import alike, example
from modes import DIARIZATION
from recordings import SOUND, UUID, good, refused, upload
from rows import row

BASE = DIARIZATION.base
QUEUED = "Votre demande de diarization est dans la file d'attente"
SEGMENTS = [{"start": 0.0, "end": 1.5, "text": "Bonjour", "speaker": "SPEAKER_00"},
            {"start": 1.5, "end": 2.5, "text": "Salut", "speaker": "SPEAKER_01"}]


def create(caller, path=BASE + "/createJob", **fields):
    return upload(caller, path=path, **fields)


@row("POST /api/diarizationTranscription/createJob")
@row("POST /api/diarizationTranscription/uploadAudio")
@pytest.mark.parametrize("path", ["/createJob", "/uploadAudio"])
def test_a_job_is_created(user, path):
    answer = create(user, BASE + path, min_speakers="1", max_speakers="4")
    data = good(answer)
    alike(example("004_diarization_created.json"), answer.json(),
          issued=("data.job_uuid", "data.job_id"))
    assert UUID.fullmatch(data["job_uuid"]) and data["job_id"] == data["job_uuid"]
    assert (data["status"], data["state"], data["position"]) == (QUEUED, "PENDING", 1)


def test_who_speaks_when_is_told(user, worker):
    job = DIARIZATION.created(user)
    good(DIARIZATION.report(worker, DIARIZATION.claimed(worker), "complete",
                            {"segments": SEGMENTS}))
    answer = user.get(BASE + "/result", params={"job_uuid": job})
    alike(example("004_diarization_result.json"), answer.json(),
          issued=("data.job_id", "data.job_uuid", "data.diarization_time"))
    data = good(answer)
    assert data["result"]["segments"] == SEGMENTS and data["diarization_time"] >= 0
    assert "transcription_time" not in data


@pytest.mark.parametrize("fields, wanted", [
    ({}, {"min_speakers": 1}),
    ({"max_speakers": "3"}, {"min_speakers": 1, "max_speakers": 3}),
    ({"min_speakers": "2"}, {"min_speakers": 2}),
    ({"min_speakers": "2", "max_speakers": "2"}, {"min_speakers": 2, "max_speakers": 2})])
def test_the_worker_hears_how_many_speak(user, worker, fields, wanted):
    good(create(user, **fields))
    task = DIARIZATION.claimed(worker)
    said = {key: value for key, value in task["parameters"].items() if key.endswith("_speakers")}
    assert said == wanted and task["parameters"]["file_name"] == "audio.m4a"


@row("POST /api/diarizationTranscription/createJob", error=400)
@row("POST /api/diarizationTranscription/uploadAudio", error=400)
@pytest.mark.parametrize("path", ["/createJob", "/uploadAudio"])
@pytest.mark.parametrize("fields, text", [
    ({"speakers": "2"}, "Champ inconnu : speakers"),
    ({"min_speakers": "two"}, "min_speakers doit être un entier"),
    ({"max_speakers": "1.5"}, "max_speakers doit être un entier"),
    ({"min_speakers": "-1"}, "min_speakers doit être un entier"),
    ({"min_speakers": "0"}, "min_speakers doit être compris"),
    ({"max_speakers": "101"}, "max_speakers doit être compris"),
    ({"max_speakers": "9" * 40}, "max_speakers doit être compris"),
    ({"min_speakers": "3", "max_speakers": "2"}, "min_speakers ne peut pas dépasser"),
    ({"language": "french"}, "La langue")])
def test_a_bad_field_is_refused(user, path, fields, text):
    body = refused(create(user, BASE + path, **fields), 400, "VALIDATION_ERROR", text)
    assert len(body["errors"]) == 1


def test_several_faults_are_listed(user):
    body = refused(create(user, speakers="2", min_speakers="x", max_speakers="y"), 400,
                   "VALIDATION_ERROR")
    assert len(body["errors"]) == 3
    assert all(text in body["message"] for text in body["errors"])


def test_a_second_recording_is_an_unknown_field(user):
    files = {"audioFile": ("a.wav", SOUND, "audio/wav"), "more": ("b.wav", SOUND, "audio/wav")}
    refused(user.post(BASE + "/createJob", files=files), 400, "VALIDATION_ERROR", "more")


def test_without_a_recording_nothing_is_created(user):
    refused(user.post(BASE + "/createJob", files={"min_speakers": (None, "1")}), 400,
            "VALIDATION_ERROR", "Aucun fichier audio fourni")
    refused(user.post(BASE + "/createJob", {"audioFile": "a.wav"}), 400, "VALIDATION_ERROR",
            "multipart/form-data")
    assert good(user.get(BASE + "/jobs"))["jobs"] == []


def test_the_batch_mode_takes_other_fields(user):
    good(upload(user, path="/api/batch/createJob", min_speakers="x"))


def test_a_commands_output_says_who_speaks(user, work, brand):
    job = DIARIZATION.created(user)
    said = json.dumps({"segments": SEGMENTS}).replace("'", "")
    work("diarization_queue", "sh", "-c", f"cat > /dev/null; echo '{said}'", brand=brand)
    data = DIARIZATION.result(user, job, wait=60)
    assert (data["status"], data["transcription"]) == ("COMPLETED", "Bonjour Salut")
    assert data["result"]["segments"] == SEGMENTS


def test_queues_are_named_by_options(relais_with):
    server = relais_with("--diarization-queue=diarization_job_queue",
                         "--batch-queue=batch_job_queue")
    user, worker = server.caller("user", "u", 1), server.caller("worker", "w", 1)
    job = DIARIZATION.created(user)
    data = good(user.get(BASE + "/queue"))
    assert (data["queue"], data["length"]) == ("diarization_job_queue", 1)
    assert DIARIZATION.claimed(worker)["job_uuid"] == job
    assert good(user.get("/api/batch/queue"))["queue"] == "batch_job_queue"
