"""Dialect 004, streaming mode: a recording that comes in chunks while a worker reads it, segments
that are heard while it lasts, and what outlives a crash of either side."""
import concurrent.futures
import json
import os
import pathlib
import signal
import subprocess
import threading
import time

import pytest
from conftest import RELAIS, SHORT, Relais, alike, end, example
from modes import SEGMENT, SPEECH, STREAMING, events_of
from recordings import SPOKEN, UUID, good, refused
from rows import row
from spoken import BUILD, RATE, READER, samples, worker_start

BASE = STREAMING.base
QUEUED = "Votre demande de streaming est dans la file d'attente"
NO_JOB = "00000000-0000-8000-8000-000000000000"
CHUNK = bytes(range(250)) * 4


def chunk(caller, job, number=None, data=CHUNK):
    headers = {} if number is None else {"X-Seq": str(number)}
    return caller.post(f"{BASE}/{job}/audio", data=data, headers=headers)


def ended(caller, job):
    return caller.post(f"{BASE}/{job}/end")


def opened(caller, **fields):
    return STREAMING.create(caller, **fields)["job_uuid"]


def segment(worker, task, number, text, **rest):
    said = {"id": number - 1, "start": number - 1.0, "end": number, "text": text}
    return STREAMING.report(worker, task, "progress", {"segment": said, "number": number, **rest})


# ---- createJob ----

@row("POST /api/streamingTranscription/createJob")
def test_a_job_is_opened_before_its_recording(user):
    answer = user.post(BASE + "/createJob", {"language": "en", "sampleRate": 8000,
                                             "format": "WAV"})
    alike(example("004_streaming_created.json"), answer.json(), issued=(
        "data.job_uuid", "data.job_id", "data.stream_url", "data.upload_url"))
    data = good(answer)
    job = data["job_uuid"]
    assert UUID.fullmatch(job) and data["job_id"] == job
    host = user.base.split("//")[1]
    assert data["upload_url"] == f"http://{host}{BASE}/{job}/audio"
    assert data["stream_url"] == f"ws://{host}{BASE}/stream?job_uuid={job}"
    shown = STREAMING.result(user, job)
    assert (shown["status"], shown["received"], shown["ended"]) == ("PENDING", 0, False)


@pytest.mark.parametrize("how", [
    lambda c: c.post(BASE + "/createJob", {"language": "de", "sample_rate": "22050",
                                           "format": "flac"}),
    lambda c: c.post(BASE + "/createJob", data={"language": "de", "sampleRate": "22050",
                                                "format": "flac"}),
    lambda c: c.post(BASE + "/createJob", files={"language": (None, "de"),
                                                 "sampleRate": (None, "22050"),
                                                 "format": (None, "flac")}),
    lambda c: c.post(BASE + "/createJob?language=de&sampleRate=22050&format=flac")],
    ids=["json", "urlencoded", "form", "query"])
def test_its_fields_come_in_every_form(user, worker, how):
    good(how(user))
    task = STREAMING.claimed(worker)
    assert task["parameters"] == {"language": "de", "sampleRate": 22050, "format": "flac"}
    assert task["stream"] is True and task["parts"] == 0 and task["size"] == 0


def test_fields_that_are_not_given_have_their_usual_values(user, worker):
    good(user.post(BASE + "/createJob"))
    task = STREAMING.claimed(worker)
    assert task["parameters"] == {"language": "fr", "sampleRate": 16000, "format": "s16le"}


@row("POST /api/streamingTranscription/createJob", error=400)
@pytest.mark.parametrize("fields, name", [
    ({"language": "french"}, "langue"), ({"sampleRate": "fast"}, "sampleRate"),
    ({"sampleRate": 16000.5}, "sampleRate"), ({"sampleRate": 100}, "sampleRate"),
    ({"sampleRate": 10 ** 9}, "sampleRate"), ({"format": "doc"}, "format"),
    ({"format": ["wav"]}, "format")])
def test_a_bad_field_is_refused(user, fields, name):
    body = refused(user.post(BASE + "/createJob", fields), 400, "VALIDATION_ERROR", name)
    assert body["errors"] == [body["message"]]


def test_a_body_that_is_none_of_these_is_refused(user):
    refused(user.post(BASE + "/createJob", data=b"{", headers={
        "Content-Type": "application/json"}), 400, "VALIDATION_ERROR")
    refused(user.post(BASE + "/createJob", data=b"x", headers={"Content-Type": "text/csv"}), 415,
            "UNSUPPORTED_MEDIA_TYPE")
    refused(user.post(BASE + "/createJob", files={"audioFile": ("a.wav", b"x", "audio/wav")}),
            400, "VALIDATION_ERROR", "upload_url")
    refused(user.post(BASE + "/createJob", data=b"--b", headers={
        "Content-Type": "multipart/form-data; boundary=b"}), 400, "VALIDATION_ERROR")
    refused(user.post(BASE + "/createJob", data=b"x" * (65 << 10)), 413, "PAYLOAD_TOO_LARGE")


def test_a_repeated_key_opens_one_job(user):
    key = {"Idempotency-Key": "stream-1"}
    first = good(user.post(BASE + "/createJob", {"language": "en"}, headers=key))["job_uuid"]
    good(chunk(user, first, 0))
    assert good(user.post(BASE + "/createJob", {"language": "en"}, headers=key))[
        "job_uuid"] == first
    assert STREAMING.result(user, first)["received"] == len(CHUNK)
    refused(user.post(BASE + "/createJob", {"language": "de"}, headers=key), 409,
            "IDEMPOTENCY_CONFLICT")


# ---- chunks ----

@row("POST /api/streamingTranscription/{id}/audio")
@pytest.mark.parametrize("first", [0, 1])
def test_chunks_are_counted_from_nought_or_one(user, first):
    job = opened(user)
    for index in range(3):
        data = good(chunk(user, job, first + index))
        assert (data["received"], data["next_seq"]) == (1000 * (index + 1), first + index + 1)
        assert (data["job_uuid"], data["ended"]) == (job, False)


@row("POST /api/streamingTranscription/{id}/audio", error=409)
def test_a_gap_is_refused_and_a_repetition_changes_nothing(user):
    job = opened(user)
    refused(chunk(user, job, 7), 409, "CONFLICT")
    good(chunk(user, job, 0))
    good(chunk(user, job, 1))
    for number in (0, 1, 1):
        data = good(chunk(user, job, number, b"other bytes"))
        assert (data["received"], data["next_seq"]) == (2000, 2)
    body = refused(chunk(user, job, 3), 409, "CONFLICT")
    assert (body["received"], body["next_seq"]) == (2000, 2)
    assert good(chunk(user, job))["received"] == 3000


@row("POST /api/streamingTranscription/{id}/audio", error=400)
@pytest.mark.parametrize("number", ["-1", "x", "1.5", "9" * 20, ""])
def test_a_number_that_is_none_is_refused(user, number):
    refused(chunk(user, opened(user), number), 400, "VALIDATION_ERROR")


def test_an_empty_chunk_is_refused(user):
    refused(chunk(user, opened(user), 0, b""), 400, "VALIDATION_ERROR")


@row("POST /api/streamingTranscription/{id}/audio", error=410)
@row("POST /api/streamingTranscription/{id}/end")
def test_after_the_end_nothing_is_taken(user):
    job = opened(user)
    good(chunk(user, job, 0))
    for _ in range(2):
        data = good(ended(user, job))
        assert (data["received"], data["ended"]) == (1000, True)
    refused(chunk(user, job, 1), 410, "GONE")
    refused(chunk(user, job), 410, "GONE")


def test_a_cancelled_job_takes_nothing(user):
    job = opened(user)
    good(user.delete(BASE + "/cancel", params={"job_uuid": job}))
    refused(chunk(user, job, 0), 410, "GONE")


def test_a_finished_job_takes_nothing(user, worker):
    job = opened(user)
    good(STREAMING.report(worker, STREAMING.claimed(worker), "complete", SPEECH))
    refused(chunk(user, job, 0), 410, "GONE")


@row("POST /api/streamingTranscription/{id}/end", error=404)
def test_another_brands_recording_is_not_there(user, stranger, worker, nobody):
    job = opened(user)
    for call in (chunk, ended):
        refused(call(stranger, job), 404, "NOT_FOUND")
        refused(call(user, NO_JOB), 404, "NOT_FOUND")
        refused(call(worker, job), 403, "FORBIDDEN")
        refused(call(nobody, job), 401, "UNAUTHORIZED")
    assert STREAMING.result(user, job)["received"] == 0


def test_a_job_of_another_mode_takes_no_audio(user):
    from modes import BATCH
    job = BATCH.created(user)
    refused(chunk(user, job, 0), 404, "NOT_FOUND")
    refused(ended(user, job), 404, "NOT_FOUND")


def test_recordings_are_bounded(relais_with):
    server = relais_with("--stream-bytes-max=4096")
    user = server.caller("user", "u", 1)
    job = opened(user)
    refused(chunk(user, job, 0, b"x" * ((1 << 20) + 1)), 413, "PAYLOAD_TOO_LARGE")
    refused(chunk(user, job, 0, b"x" * 4097), 413, "PAYLOAD_TOO_LARGE")
    good(chunk(user, job, 0, b"x" * 4096))
    refused(chunk(user, job, 1, b"x"), 413, "PAYLOAD_TOO_LARGE")
    assert STREAMING.result(user, job)["received"] == 4096


def test_streams_are_counted(relais_with):
    server = relais_with("--streams-max=2")
    user = server.caller("user", "u", 1)
    jobs = [opened(user), opened(user)]
    answer = user.post(BASE + "/createJob")
    refused(answer, 429, "RATE_LIMITED")
    assert int(answer.headers["Retry-After"]) >= 1
    good(ended(user, jobs[0]))
    opened(user)


# ---- the worker reads while it grows ----

class Reading(threading.Thread):
    """The recording as a worker hears it: what has come, and whether it has ended."""

    def __init__(self, worker, task, offset=0):
        super().__init__(daemon=True)
        self.bytes, self.over = b"", False
        self.answer = worker.get(f"{BASE}/{task['job_uuid']}/audio", stream=True,
                                 params={"offset": offset},
                                 headers={"X-Lease": str(task["lease_epoch"])})
        assert self.answer.status_code == 200, self.answer.text
        self.start()

    def run(self):
        for data in self.answer.iter_content(None):
            self.bytes += data
        self.over = True

    def heard(self, count):
        deadline = time.monotonic() + 60
        while len(self.bytes) < count and time.monotonic() < deadline:
            self.join(0.01)
        return len(self.bytes)


@row("GET /api/streamingTranscription/{id}/audio")
def test_a_worker_reads_what_has_come_and_waits_for_more(user, worker):
    job = opened(user)
    good(chunk(user, job, 0))
    reading = Reading(worker, STREAMING.claimed(worker))
    for number in range(1, 4):
        assert reading.heard(1000 * number) == 1000 * number and not reading.over
        good(chunk(user, job, number, CHUNK[::-1]))
    assert reading.heard(4000) == 4000
    good(ended(user, job))
    reading.join(60)
    assert reading.over and reading.bytes == CHUNK + 3 * CHUNK[::-1]


def test_a_worker_reads_from_an_offset(user, worker):
    job = opened(user)
    good(chunk(user, job, 0))
    task = STREAMING.claimed(worker)
    reading = Reading(worker, task, offset=900)
    good(chunk(user, job, 1))
    good(ended(user, job))
    reading.join(60)
    assert reading.bytes == CHUNK[900:] + CHUNK
    again = Reading(worker, task, offset=1500)  # it is a whole file now
    again.join(60)
    assert again.bytes == CHUNK[500:]


def test_an_abandoned_recording_ends(relais_with):
    server = relais_with("--stream-idle-ms=2000")
    user, worker = server.caller("user", "u", 1), server.caller("worker", "w", 1)
    job = opened(user)
    good(chunk(user, job, 0))
    reading = Reading(worker, STREAMING.claimed(worker))
    reading.join(60)
    assert reading.over and reading.bytes == CHUNK
    refused(chunk(user, job, 1), 410, "GONE")


# ---- segments ----

@row("POST /api/streamingTranscription/{id}/progress")
@row("GET /api/streamingTranscription/events")
def test_segments_are_heard_while_the_recording_lasts(user, worker):
    job = opened(user)
    events = events_of(user, STREAMING, job)
    assert next(events).data["status"] == "PENDING"
    task = STREAMING.claimed(worker)
    heard = []

    def hear(name, number):
        """What was reported is heard before the next report: a guess gives way to a newer word."""
        while not heard or (heard[-1].name, heard[-1].number) != (name, number):
            heard.append(next(events))

    good(STREAMING.report(worker, task, "progress", {"partial": "cou"}))
    hear("partial", None)
    good(segment(worker, task, 1, "coucou"))
    hear("final", 1)
    good(STREAMING.report(worker, task, "progress", {"partial": {"text": "je", "start": 1.0}}))
    hear("partial", None)
    good(segment(worker, task, 2, "je suis"))
    hear("final", 2)
    told = [event for event in heard if event.name != "state"]
    assert [(event.name, event.number) for event in told] == [
        ("partial", None), ("final", 1), ("partial", None), ("final", 2)]
    assert told[0].data == {"type": "partial", "segment": {"text": "cou"}}
    assert told[1].data["type"] == "final" and told[1].data["segment"]["text"] == "coucou"
    assert told[2].data["segment"] == {"text": "je", "start": 1.0}
    good(ended(user, job))
    good(STREAMING.report(worker, task, "complete", SPEECH))
    last = list(events)[-1]
    assert (last.name, last.number, last.data["status"]) == ("state", None, "COMPLETED")
    assert last.data["transcription"] == SPOKEN


def test_a_client_that_comes_back_misses_nothing_and_hears_nothing_twice(user, worker):
    job = opened(user)
    task = STREAMING.claimed(worker)
    numbers, last = [], None
    for round_ in range(4):
        events = events_of(user, STREAMING, job, last)
        for number in range(5 * round_ + 1, 5 * round_ + 6):
            good(segment(worker, task, number, f"n{number}"))
        while last is None or last < 5 * round_ + 3:  # it leaves in the middle
            event = next(events)
            if event.name == "final":
                assert event.data["segment"]["text"] == f"n{event.number}"
                numbers.append(event.number)
                last = event.number
        events.close()
    good(STREAMING.report(worker, task, "complete", SPEECH))
    numbers += [event.number for event in events_of(user, STREAMING, job, last)
                if event.name == "final"]
    assert numbers == list(range(1, 21))


def test_a_browser_puts_its_token_into_the_query(user, worker, nobody):
    job = opened(user)
    good(STREAMING.report(worker, STREAMING.claimed(worker), "complete", SPEECH))
    answer = nobody.get(BASE + "/events", params={"job_uuid": job, "access_token": user.token})
    assert answer.status_code == 200 and SPOKEN in answer.content.decode()
    refused(nobody.get(BASE + "/events", params={"job_uuid": job, "access_token": "wrong"}), 401,
            "UNAUTHORIZED")
    refused(nobody.get(BASE + "/result", params={"job_uuid": job, "access_token": user.token}),
            401, "UNAUTHORIZED")


def test_many_segments_come_in_pages(user, worker):
    job = opened(user)
    task = STREAMING.claimed(worker)
    text = "x" * 4000
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        done = pool.submit(lambda: [good(segment(worker, task, number, text))
                                    for number in range(1, 101)])
        done.result(60)
    good(STREAMING.report(worker, task, "complete", SPEECH))
    for last in (None, 37, 99, 100, 5000):
        heard = [event.number for event in events_of(user, STREAMING, job, last)
                 if event.name == "final"]
        assert heard == list(range((last or 0) + 1, 101))


def test_a_segment_counts_once(user, worker):
    job = opened(user)
    task = STREAMING.claimed(worker)
    good(segment(worker, task, 1, "un"))
    good(segment(worker, task, 1, "encore"))
    good(segment(worker, task, 2, "deux"))
    refused(segment(worker, task, 4, "trop tôt"), 409, "CONFLICT")
    good(STREAMING.report(worker, task, "complete", SPEECH))
    heard = [event.data["segment"]["text"] for event in events_of(user, STREAMING, job)
             if event.name == "final"]
    assert heard == ["un", "deux"]


@row("POST /api/streamingTranscription/{id}/progress", error=400)
def test_a_segment_that_is_none_is_refused(user, worker):
    opened(user)
    task = STREAMING.claimed(worker)
    for body in ({"segment": "text"}, {"segment": SEGMENT, "number": 0},
                 {"segment": SEGMENT, "number": "x"}, {"partial": 5}):
        refused(STREAMING.report(worker, task, "progress", body), 400, "VALIDATION_ERROR")
    refused(segment(worker, task, 1, "x" * 17000), 413, "PAYLOAD_TOO_LARGE")


def test_a_stale_worker_adds_no_segment(user, worker, rival):
    job = opened(user)
    old = STREAMING.claimed(worker, lease_seconds=3)
    good(segment(worker, old, 1, "un"))
    new = STREAMING.claimed(rival)
    assert (new["job_uuid"], new["attempt"], new["parts"]) == (job, 2, 1)
    refused(segment(worker, old, 2, "faux"), 409, "ATTEMPT_SUPERSEDED")
    good(segment(rival, new, 2, "deux"))
    good(STREAMING.report(rival, new, "complete", SPEECH))
    heard = [event.data["segment"]["text"] for event in events_of(user, STREAMING, job)
             if event.name == "final"]
    assert heard == ["un", "deux"]


# ---- crashes ----

def test_who_takes_over_reads_from_the_beginning_or_its_checkpoint(user, worker, rival):
    job = opened(user)
    good(chunk(user, job, 0))
    old = STREAMING.claimed(worker, lease_seconds=4)
    first = Reading(worker, old)
    assert first.heard(1000) == 1000
    good(STREAMING.report(worker, old, "checkpoint", {"data": {"offset": 600}}))
    good(chunk(user, job, 1))  # and from here the worker is not heard any more
    new = STREAMING.claimed(rival)
    offset = new["checkpoint"]["data"]["offset"]
    whole, rest = Reading(rival, new), Reading(rival, new, offset)
    good(ended(user, job))
    for reading in (whole, rest):
        reading.join(60)
    assert whole.bytes == 2 * CHUNK and rest.bytes == (2 * CHUNK)[600:]


def test_what_was_answered_outlives_the_servers_death(tmp_path):
    data = str(tmp_path)
    server = Relais(data=data)
    user, worker = server.caller("user", "u", 1), server.caller("worker", "w", 1)
    job = opened(user)
    task = STREAMING.claimed(worker)
    sent, stop = [], threading.Event()

    def send():
        try:
            for number in range(100000):
                if stop.is_set() or chunk(user, job, number).status_code != 200:
                    return
                sent.append(number)
        except OSError:
            pass

    sender = threading.Thread(target=send)
    sender.start()
    good(segment(worker, task, 1, "avant"))
    while len(sent) < 20:
        sender.join(0.01)
    os.kill(server.process.pid, signal.SIGKILL)
    stop.set()
    sender.join(30)
    server.stop()
    server = Relais(data=data)
    try:
        user = server.caller("user", "u", 1)
        worker = server.caller("worker", "w", 1)
        shown = STREAMING.result(user, job)
        chunks = shown["next_seq"]
        assert shown["received"] == chunks * len(CHUNK) and chunks >= len(sent)
        good(chunk(user, job, chunks - 1, b"said again"))
        assert good(chunk(user, job, chunks))["received"] == (chunks + 1) * len(CHUNK)
        good(ended(user, job))
        good(segment(worker, task, 1, "avant"))
        good(segment(worker, task, 2, "après"))
        reading = Reading(worker, task)
        reading.join(60)
        assert reading.bytes == CHUNK * (chunks + 1)
        good(STREAMING.report(worker, task, "complete", SPEECH))
        heard = [event.data["segment"]["text"] for event in events_of(user, STREAMING, job)
                 if event.name == "final"]
        assert heard == ["avant", "après"]
    finally:
        server.stop()


# ---- a real worker, in the pace of speech ----

listens = pytest.mark.skipif(not (BUILD / "relais-listen").exists() or not READER,
                             reason="relais-listen or pocketsphinx-testdata is not there")


def listen(server, name):
    return worker_start("relais-listen", server.native, name, os.path.join(server.data, "listen"))


def speak(user, job, sound, pace=2.0, on_chunk=lambda number: None, before_end=lambda: None):
    """Sends the recording `pace` times as fast as it was spoken, and ends it."""
    step = RATE // 5 * 2  # 200 ms
    begun = time.monotonic()
    for number, at in enumerate(range(0, len(sound), step)):
        good(chunk(user, job, number, sound[at:at + step]))
        on_chunk(number)
        ahead = (at + step) / (2 * RATE) / pace - (time.monotonic() - begun)
        if ahead > 0:
            time.sleep(ahead)  # the pace is what is tested
    before_end()
    good(ended(user, job))


@listens
def test_words_are_heard_before_the_recording_ends(relais_with):
    server = relais_with()
    user, process = server.caller("user", "u", 1), listen(server, "listener")
    try:
        job = opened(user, language="en")
        heard, said = [], threading.Event()

        def hear():
            for event in events_of(user, STREAMING, job):
                heard.append(event)
                if event.name != "state":
                    said.set()

        hearing = threading.Thread(target=hear)
        hearing.start()
        speak(user, job, samples(READER[0]), before_end=lambda: said.wait(60))
        assert said.is_set(), "the first word comes before it was said that there are no more"
        hearing.join(120)
        finals = [event for event in heard if event.name == "final"]
        assert [event.number for event in finals] == list(range(1, len(finals) + 1)) and finals
        done = heard[-1].data
        assert done["status"] == "COMPLETED"
        assert done["result"]["segments"] == [event.data["segment"] for event in finals]
        assert len(done["transcription"].split()) > 3
    finally:
        end(process)


@listens
def test_a_worker_that_is_killed_in_the_middle_is_replaced(relais_with):
    server = relais_with(*SHORT)
    user, first, second = server.caller("user", "u", 1), listen(server, "mortal"), None
    try:
        job = opened(user, language="en")
        sound = samples(READER[0])
        kill_at = len(sound) // (RATE // 5 * 2) // 2

        def kill(number):
            nonlocal second
            if number == kill_at:
                first.kill()
                second = listen(server, "heir")

        speak(user, job, sound, pace=4.0, on_chunk=kill)
        data = STREAMING.result(user, job, wait=60)
        assert data["status"] == "COMPLETED", json.dumps(data)
        finals = [event for event in events_of(user, STREAMING, job) if event.name == "final"]
        assert data["result"]["segments"] == [event.data["segment"] for event in finals]
        assert len(data["transcription"].split()) > 3
    finally:
        end(first)
        if second:
            end(second)


def test_curl_alone_is_a_client_and_a_worker_of_every_mode():
    script = pathlib.Path(__file__).with_name("workflow_speech.sh")
    run = subprocess.run(["sh", script, RELAIS], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == ["batch: bytes 96000", "diarization: speakers 96000",
                                       "streaming: part 0 part 1 part 2"]


def test_a_command_hears_the_whole_recording_once_it_has_ended(user, work, brand, tmp_path):
    job = opened(user)
    work("streaming_queue", "sh", "-c", f"cat > {tmp_path}/heard; echo {SPOKEN!r}", brand=brand)
    for number in range(3):
        good(chunk(user, job, number))
    good(ended(user, job))
    data = STREAMING.result(user, job, wait=60)
    assert (data["status"], data["transcription"]) == ("COMPLETED", SPOKEN), data
    assert (tmp_path / "heard").read_bytes() == 3 * CHUNK


def test_a_command_that_waits_for_a_recording_is_cancelled(user, work, brand):
    job, after = opened(user), opened(user)
    work("streaming_queue", "sh", "-c", "wc -c", brand=brand)
    while STREAMING.result(user, job)["status"] != "PROCESSING":
        good(chunk(user, job))
    good(user.delete(BASE + "/cancel", params={"job_uuid": job}))
    good(chunk(user, after))
    good(ended(user, after))
    assert STREAMING.result(user, after, wait=60)["transcription"] == str(len(CHUNK))
