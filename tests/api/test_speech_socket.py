"""Dialect 004's WebSockets: a recording and what is said in it, and the states of many jobs."""
import threading

import pytest
from frames import Socket
from modes import BATCH, DIARIZATION, MODES, SPEECH, STREAMING, events_of
from recordings import SPOKEN, good, refused
from rows import row
from test_speech_streaming import (CHUNK, Reading, chunk, ended, listen, listens, opened,
                                   segment)
from conftest import end
from spoken import RATE, READER, samples

STREAM, BOARD = STREAMING.base + "/stream", "/api/jobs/ws"
NO_JOB = "00000000-0000-8000-8000-000000000000"


def talk(caller, job, more="", **rest):
    return Socket(caller.base, f"{STREAM}?job_uuid={job}{more}", caller.token, **rest)


def board(caller, query="", **rest):
    return Socket(caller.base, BOARD + query, caller.token, **rest)


# ---- a recording and its segments ----

@row("GET /api/streamingTranscription/stream")
@pytest.mark.parametrize("in_query", [False, True], ids=["header", "query"])
def test_a_recording_goes_one_way_and_words_the_other(user, worker, in_query):
    job = opened(user)
    socket = talk(user, job, in_query=in_query)
    socket.send(CHUNK)
    task = STREAMING.claimed(worker)
    reading = Reading(worker, task)
    assert reading.heard(1000) == 1000
    good(STREAMING.report(worker, task, "progress", {"partial": "cou"}))
    assert socket.receive() == {"type": "partial", "segment": {"text": "cou"}}
    good(segment(worker, task, 1, "coucou"))
    final = socket.receive()
    assert (final["type"], final["number"]) == ("final", 1)
    assert final["segment"]["text"] == "coucou"
    socket.send(CHUNK)
    socket.send({"type": "end"})
    reading.join(60)
    assert reading.over and reading.bytes == 2 * CHUNK
    good(STREAMING.report(worker, task, "complete", SPEECH))
    messages, code = socket.all()
    assert code == 1000 and messages[-1]["type"] == "done"
    assert messages[-1]["transcription"] == SPOKEN and messages[-1]["job_uuid"] == job


def test_what_is_on_disk_is_told_to_who_asks(user):
    socket = talk(user, opened(user), "&acks=1")
    for count in range(1, 4):
        socket.send(CHUNK)
        told = socket.receive()
        assert (told["type"], told["received"], told["ended"]) == ("received", 1000 * count, False)
    socket.send({"type": "end"})
    assert socket.receive()["ended"] is True
    socket.send(CHUNK)
    assert socket.closed() == 4410


def test_a_large_recording_may_come_at_once(user, worker):
    job = opened(user)
    socket = talk(user, job)
    sound = bytes(range(256)) * 1000
    for at in range(0, len(sound), 30000):
        socket.send(sound[at:at + 30000])
    socket.send({"type": "end"})
    reading = Reading(worker, STREAMING.claimed(worker))
    reading.join(60)
    assert reading.bytes == sound


def test_a_client_comes_back_where_it_was(user, worker):
    job = opened(user)
    socket = talk(user, job, "&acks=1")
    socket.send(CHUNK)
    socket.receive()
    task = STREAMING.claimed(worker)
    for number in (1, 2):
        good(segment(worker, task, number, f"n{number}"))
        assert socket.receive()["number"] == number
    socket.close()
    assert STREAMING.result(user, job)["received"] == 1000
    good(segment(worker, task, 3, "n3"))
    socket = talk(user, job, "&after=2&acks=1")
    assert socket.receive()["number"] == 3
    socket.send(CHUNK)
    assert socket.receive()["received"] == 2000
    whole = talk(user, job)  # another one hears all of it
    assert [whole.receive()["number"] for _ in range(3)] == [1, 2, 3]


def test_a_failure_is_told(user, worker):
    job = opened(user)
    socket = talk(user, job)
    good(STREAMING.report(worker, STREAMING.claimed(worker), "fail",
                          {"error_message": "muet", "error_class": "PERMANENT"}))
    messages, code = socket.all()
    assert code == 1000
    assert (messages[-1]["type"], messages[-1]["error_message"]) == ("error", "muet")


def test_a_finished_job_is_told_at_once(user, worker):
    job = opened(user)
    task = STREAMING.claimed(worker)
    good(segment(worker, task, 1, "un"))
    good(STREAMING.report(worker, task, "complete", SPEECH))
    messages, code = talk(user, job).all()
    assert [message["type"] for message in messages] == ["final", "done"] and code == 1000


@row("GET /api/streamingTranscription/stream", error=4404)
@row("GET /api/jobs/ws", error=4404)
def test_a_job_that_is_not_there_closes_with_4404(user, stranger):
    job, batch = opened(user), BATCH.created(user)
    assert talk(stranger, job).closed() == 4404
    for other in (NO_JOB, "x", "", batch):
        assert talk(user, other).closed() == 4404
    assert Socket(user.base, STREAM, user.token).closed() == 4404
    assert board(user, "?job_uuid=" + NO_JOB).closed() == 4404
    assert board(stranger, "?job_uuid=" + job).closed() == 4404


@row("GET /api/streamingTranscription/stream", error=4401)
@row("GET /api/jobs/ws", error=4401)
def test_without_credentials_they_close_with_4401(user, nobody, worker):
    job = opened(user)
    for path in (f"{STREAM}?job_uuid={job}", BOARD):
        assert Socket(user.base, path).closed() == 4401
        assert Socket(user.base, path, "wrong").closed() == 4401
        assert Socket(user.base, path, "wrong", in_query=True).closed() == 4401
        assert Socket(user.base, path, worker.token).closed() == 4403
    refused(nobody.get(f"{STREAM}?job_uuid={job}"), 426, "UPGRADE_REQUIRED")
    assert "ne répond qu'à des WebSockets" in nobody.get("/api/jobs/ws").json()["message"]


@pytest.mark.parametrize("text", ["", "{", "[]", "end", '{"type":"stop"}'])
def test_a_word_that_is_not_known_closes_it(user, text):
    socket = talk(user, opened(user))
    socket.send(text)
    assert socket.closed() == 1008


def test_a_recording_is_bounded(relais_with):
    server = relais_with("--stream-bytes-max=4096")
    user = server.caller("user", "u", 1)
    job = opened(user)
    socket = talk(user, job)
    socket.send(b"x" * 5000)
    assert socket.closed() == 1009
    assert STREAMING.result(user, job)["received"] == 0


def test_many_segments_reach_a_slow_listener(user, worker):
    job = opened(user)
    task = STREAMING.claimed(worker)
    socket = talk(user, job)
    for number in range(1, 61):
        good(segment(worker, task, number, "x" * 9000))
    good(STREAMING.report(worker, task, "complete", SPEECH))
    messages, code = socket.all()
    finals = [message["number"] for message in messages if message["type"] == "final"]
    assert finals == list(range(1, 61)) and code == 1000


# ---- the states of jobs ----

@row("GET /api/jobs/ws")
def test_states_of_jobs_of_every_mode_are_told(user, worker):
    socket = board(user)
    jobs = {mode: mode.created(user) for mode in MODES}
    socket.send({"subscribe": list(jobs.values())})
    first = {message["job_uuid"]: message["status"]
             for message in (socket.receive() for _ in MODES)}
    assert first == {job: "PENDING" for job in jobs.values()}
    for mode in MODES:
        good(mode.report(worker, mode.claimed(worker), "complete", SPEECH))
        message = socket.receive()
        while message["status"] == "PROCESSING":
            message = socket.receive()
        assert (message["job_uuid"], message["status"]) == (jobs[mode], "COMPLETED")
        shown = mode.result(user, jobs[mode])
        assert message == {key: shown[key] for key in message}


def test_one_job_is_named_in_the_address(user, worker):
    job = DIARIZATION.created(user)
    socket = board(user, "?job_uuid=" + job, in_query=True)
    assert socket.receive()["status"] == "PENDING"
    task = DIARIZATION.claimed(worker)
    good(DIARIZATION.report(worker, task, "fail", {"error_message": "muet",
                                                   "error_class": "PERMANENT"}))
    message = socket.receive()
    while message["status"] == "PROCESSING":
        message = socket.receive()
    assert (message["status"], message["error_message"]) == ("FAILED", "muet")


def test_a_job_that_is_not_there_is_told_and_the_others_go_on(user, stranger):
    job, foreign = BATCH.created(user), BATCH.created(stranger)
    socket = board(user)
    for other in (NO_JOB, "x", foreign):
        socket.send({"subscribe": other})
        message = socket.receive()
        assert (message["type"], message["code"]) == ("error", "NOT_FOUND")
        assert message["job_uuid"] == other
    socket.send({"subscribe": [job]})
    assert socket.receive()["job_uuid"] == job


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"subscribe": 5}',
                                  '{"subscribe": [{}]}'])
def test_a_message_that_is_none_is_answered_and_it_goes_on(user, text):
    socket = board(user)
    socket.send(text)
    assert socket.receive()["code"] == "VALIDATION_ERROR"
    socket.send({"subscribe": BATCH.created(user)})
    assert socket.receive()["status"] == "PENDING"


def test_what_is_unsubscribed_is_told_no_more(user, worker):
    quiet, loud = BATCH.created(user), BATCH.created(user)
    socket = board(user)
    socket.send({"subscribe": [quiet, loud]})
    assert {socket.receive()["job_uuid"] for _ in range(2)} == {quiet, loud}
    socket.send({"unsubscribe": quiet})
    socket.send({"subscribe": NO_JOB})  # its answer says that the one before was read
    assert socket.receive()["job_uuid"] == NO_JOB
    for _ in range(2):
        good(BATCH.report(worker, BATCH.claimed(worker), "complete", SPEECH))
    message = socket.receive()
    while message["status"] == "PROCESSING":
        message = socket.receive()
    assert (message["job_uuid"], message["status"]) == (loud, "COMPLETED")
    socket.send({"subscribe": quiet})
    assert socket.receive()["status"] == "COMPLETED"


def test_a_second_subscription_tells_nothing_twice(user):
    job = BATCH.created(user)
    socket = board(user)
    socket.send({"subscribe": job})
    assert socket.receive()["status"] == "PENDING"
    socket.send({"subscribe": [job, NO_JOB]})
    assert socket.receive()["job_uuid"] == NO_JOB


def test_subscriptions_are_bounded(user):
    jobs = [BATCH.created(user) for _ in range(65)]
    socket = board(user)
    socket.send({"subscribe": jobs})
    messages = [socket.receive() for _ in range(65)]
    over = [message for message in messages if message.get("code") == "RATE_LIMITED"]
    assert [message["job_uuid"] for message in over] == [jobs[64]]


def test_large_results_are_told_whole(user, worker):
    socket = board(user)
    large = {**SPEECH, "full_text": SPOKEN * 3000}
    jobs = [BATCH.created(user) for _ in range(3)]
    for job in jobs:
        task = BATCH.claimed(worker)
        good(worker.put(f"{BATCH.base}/{task['job_uuid']}/result", json=large,
                        headers={"X-Lease": str(task["lease_epoch"])}))
    socket.send({"subscribe": jobs[:1]})
    assert socket.receive()["transcription"] == SPOKEN * 3000


@listens
def test_words_are_heard_over_the_socket_that_sends_them(relais_with):
    server = relais_with()
    user, process = server.caller("user", "u", 1), listen(server, "listener")
    try:
        job = opened(user, language="en")
        socket = talk(user, job, timeout=60)
        sound, step = samples(READER[0]), RATE // 5 * 2
        heard = threading.Event()

        def send():
            for at in range(0, len(sound), step):
                socket.send(sound[at:at + step])
                threading.Event().wait(0.1)  # twice the pace of speech
            if heard.wait(60):  # a word, before it is said that there are no more
                socket.send({"type": "end"})

        threading.Thread(target=send, daemon=True).start()
        first = socket.receive()
        assert first["type"] in ("partial", "final")
        heard.set()
        messages, code = socket.all()
        done = messages[-1]
        finals = [m["segment"] for m in [first, *messages] if m["type"] == "final"]
        assert code == 1000 and done["type"] == "done" and done["result"]["segments"] == finals
        assert [event.data["segment"] for event in events_of(user, STREAMING, job)
                if event.name == "final"] == finals
    finally:
        end(process)


def test_both_ways_may_be_mixed(user):
    job = opened(user)
    socket = talk(user, job, "&acks=1")
    good(chunk(user, job, 0))
    socket.send(CHUNK)
    assert socket.receive()["received"] == 2000
    assert good(chunk(user, job, 2))["received"] == 3000
    good(ended(user, job))
    socket.send(CHUNK)
    assert socket.closed() == 4410
