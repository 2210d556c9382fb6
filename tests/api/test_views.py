"""One core, four views: what comes in by one dialect or natively is seen, with its meaning kept, in
dialect 002 by whoever may read the brand there, and what is done to it there is seen where it came
from. Every worker is a real one: enrolled by dialect 000, over HTTP, native, a command."""
import json
import time

import pytest

import films
import recordings
from commands import Shell
from conftest import TIME
from rows import row
from tasks import claimed, created, one, refused

JOBS = "/tasks/persistent-jobs/persistent-jobs/"
METRICS = "/tasks/monitoring/metrics/"
WORKERS = "/tasks/monitoring/workers/"
SOUND_MIME = "audio/mp4"


@pytest.fixture(name="admin")
def _admin(relais, brand):
    return relais.caller("admin", "root", brand)


@pytest.fixture(name="agent")
def _agent(relais, admin):
    """A worker of dialect 000: its record and a caller."""
    return films.enrolled(relais, admin, "Film machine", capabilities=["video"])


def good(answer, status=200):
    assert answer.status_code == status, (answer.status_code, answer.text)
    return answer.json() if answer.content else None


def newest(user):
    """The newest task of the brand, the same in the list as alone."""
    row_ = good(user.get("/tasks/?ordering=-id&page_size=1"))["results"][0]
    return seen(user, row_["id"])


def seen(user, number):
    """The task in dialect 002; the list must show it as its page does."""
    for _ in range(200):  # a change between the two questions is no difference
        alone = good(user.get(f"/tasks/{number}/"))
        listed = good(user.get(f"/tasks/?id={number}"))
        if listed["results"] == [alone]:
            break
        time.sleep(0.02)
    assert listed["count"] == 1 and listed["results"] == [alone]
    assert TIME.fullmatch(alone["created_at"]) and TIME.fullmatch(alone["updated_at"])
    assert alone["created_by"]["username"] == alone["created_by_name"] == "martin"
    return alone


def found(user, number, **query):
    """True when a filter of the list finds the task."""
    rows = good(user.get("/tasks/", params={**query, "page_size": 100}))["results"]
    return number in [each["id"] for each in rows]


def until(wanted, within_s=60):
    deadline = time.monotonic() + within_s
    while not (value := wanted()):
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.03)
    return value


def events(user, number, member="event"):
    return [each[member] for each in good(user.get(f"/tasks/{number}/events/"))["results"]]


def worker_of(user, name):
    rows = good(user.get(WORKERS, params={"worker_name": name}))["results"]
    return rows[0] if rows else None


# ---- dialect 000 in dialect 002 ----

def test_a_film_is_a_task_like_any_other(user):
    film = films.created(user, priority="critical")
    task = newest(user)
    assert (task["task_type"], task["queue_name"], task["priority"], task["status"]) == (
        "video", "video", "critical", "pending")
    assert task["context_data"] == films.CONFIG and task["result_data"] is None
    assert task["metrics"] is task["error_message"] is task["started_at"] is None
    assert task["created_at"] == film["createdAt"]
    number = task["id"]
    for query in ({"status": "pending"}, {"priority": "critical"}, {"task_type": "video"},
                  {"queue_name": "video"}, {"created_by": "martin"}, {"search": "video"},
                  {"created_by": str(task["created_by"]["id"])}, {"search": task["task_id"]}):
        assert found(user, number, **query), query
    for query in ({"status": "running"}, {"priority": "low"}, {"search": "audio"},
                  {"has_metrics": "true"}):
        assert not found(user, number, **query), query


@row("GET /tasks/{id}/source")
@row("GET /tasks/{id}/source", error=404)
def test_what_a_film_was_made_of_can_be_read(user, stranger):
    films.created(user)
    source = newest(user)["source_file"]
    assert {key: source[key] for key in ("name", "mime_type", "size")} == {
        "name": "film.mp4", "mime_type": "video/mp4", "size": len(films.FILM)}
    path = source["url"].replace(user.base, "")
    answer = user.get(path)
    assert answer.status_code == 200 and answer.content == films.FILM
    assert answer.headers["Content-Type"] == "video/mp4"
    assert user.get(path, headers={"Range": "bytes=4-7"}).content == films.FILM[4:8]
    refused(stranger.get(path), 404, "TASK_NOT_FOUND")
    plain = created(user)
    assert "source_file" not in plain
    refused(user.get(f"/tasks/{plain['id']}/source/"), 404, "NOT_FOUND")


@row("GET /tasks/{id}/result")
@row("GET /tasks/{id}/result", error=404)
def test_a_film_s_way_to_its_result(user, agent):
    card, worker = agent
    film = films.created(user)
    number = newest(user)["id"]
    films.taken(worker)
    assert seen(user, number)["status"] == "running"
    for level, text in (("debug", "one"), ("info", "two 40%"), ("warning", "three"),
                        ("error", "four")):
        films.good(films.patched(worker, film, status="processing", status_message=text,
                                 level=level))
    running = seen(user, number)
    assert (running["status"], running["progress_percentage"]) == ("running", 40)
    refused(user.get(f"/tasks/{number}/result/"), 404, "NOT_FOUND")
    assert TIME.fullmatch(running["started_at"]) and running["completed_at"] is None
    logs = good(user.get(f"/tasks/{number}/logs/"))["results"]
    assert [(line["level"], line["message"]) for line in logs] == [
        ("debug", "one"), ("info", "two 40%"), ("warning", "three"), ("error", "four")]
    assert [(line["level"], line["message"]) for line in films.read(user, film)["logs"]] == [
        (line["level"], line["message"]) for line in logs]
    assert found(user, number, status="processing", progress__gte="40")
    films.good(films.handed(worker, film, b"a smaller film", mime="video/webm"))
    done = seen(user, number)
    assert (done["status"], done["progress_percentage"]) == ("completed", 100)
    result = done["result_data"]
    assert {key: result[key] for key in ("output_file", "mime_type", "size")} == {
        "output_file": "out.mp4", "mime_type": "video/webm", "size": 14}
    answer = user.get(result["url"].replace(user.base, ""))
    assert answer.status_code == 200 and answer.content == b"a smaller film"
    assert set(done["metrics"]) == {"execution_time_ms", "queue_wait_time_ms"}
    assert events(user, number) == ["created", "attempt_started", "completed"]
    metric = good(user.get(f"{METRICS}{number}/"))
    assert metric["worker_name"] == card["id"] and metric["base_task"]["status"] == "completed"
    assert found(user, number, has_metrics="true", worker_name=card["id"])


def test_metrics_of_a_film_leave_its_name_alone(user, agent):
    film = films.created(user)
    number = newest(user)["id"]
    films.taken(agent[1])
    films.good(films.handed(agent[1], film, name="cut.webm", mime="video/webm"))
    file = films.BASE + "/files/" + films.read(user, film)["resultFileId"]
    before = films.good(user.get(file))
    assert (before["filename"], before["mimeType"]) == ("cut.webm", "video/webm")
    path = f"{METRICS}{number}/"
    assert good(user.post(METRICS, {"base_task": number, "cost_usd": 2}), 201)["cost_usd"] == 2
    good(user.put(path, json={"base_task": number, "tokens_used": 5}))
    assert films.good(user.get(file)) == before
    assert seen(user, number)["metrics"]["tokens_used"] == 5
    good(user.delete(path), 204)
    assert films.good(user.get(file)) == before


def test_a_film_that_failed_is_retried_in_either_view(user, agent):
    film = films.created(user)
    number = newest(user)["id"]
    for turn in range(1, 6):  # more often than a task of dialect 002 could be
        films.taken(agent[1])
        films.good(films.patched(agent[1], film, status="failed", status_message=f"bad {turn}"))
        failed = seen(user, number)
        assert (failed["status"], failed["error_message"]) == ("failed", f"bad {turn}")
        assert found(user, number, status="failed")
        levels = {line["level"] for line in good(user.get(f"/tasks/{number}/logs/"))["results"]}
        assert levels == {"error"}
        if turn % 2:
            again = good(user.post(f"/tasks/{number}/retry/", {"new_priority": "high"}))
            assert (again["new_status"], again["retry_count"]) == ("pending", turn)
        else:
            films.good(user.post(f"{films.BASE}/tasks/{film['id']}/retry", {}))
        assert films.read(user, film)["status"] == "pending"
        assert seen(user, number)["retry_count"] == turn
    assert films.read(user, film)["priority"] == "high"
    assert events(user, number, "status") == ["pending"] + ["running", "failed"] * 5


def test_a_film_is_cancelled_in_either_view(user, agent):
    film = films.created(user)
    number = newest(user)["id"]
    films.taken(agent[1])
    films.good(films.patched(agent[1], film, status="processing"))
    told = good(user.post(f"/tasks/{number}/cancel/", {"reason": "enough"}))
    assert (told["previous_status"], told["status"]) == ("running", "cancelled")
    there = films.read(user, film)
    assert (there["status"], there["cancelled"], there["message"]) == ("failed", True, "enough")
    films.refused(films.handed(agent[1], film), 409, "ATTEMPT_SUPERSEDED")
    films.refused(user.post(f"{films.BASE}/tasks/{film['id']}/retry", {}), 409, "CONFLICT")
    good(user.post(f"/tasks/{number}/retry/", {}))  # only 002 takes a cancelled task back
    assert films.read(user, film)["status"] == "pending"
    films.good(user.post(f"{films.BASE}/tasks/{film['id']}/cancel", {}))
    cancelled = seen(user, number)
    assert cancelled["status"] == "cancelled" and found(user, number, status="cancelled")
    assert not found(user, number, status="failed")
    assert events(user, number)[-1] == "cancelled"


def test_what_is_said_of_a_film_stays_and_costs_it_nothing(user):
    text = json.dumps(films.CONFIG)
    film = films.created(user, text)
    number = newest(user)["id"]
    said = good(user.call("PATCH", f"/tasks/{number}/", json={
        "description": "the wedding", "priority": "low"}))
    assert (said["description"], said["priority"]) == ("the wedding", "low")
    assert seen(user, number) == said and found(user, number, search="wedding")
    there = films.read(user, film)
    assert there["priority"] == "low" and there["config"] == text
    assert there["sourceFileId"] == film["sourceFileId"]


def test_a_film_can_be_a_job_with_checkpoints(user, agent):
    film = films.created(user, json.dumps(films.CONFIG))
    number = newest(user)["id"]
    body = {"base_task": number, "job_data": {"scenes": 3}, "total_steps": 4}
    job = good(user.post(JOBS, body), 201)
    assert user.post(JOBS, body).status_code == 400  # a second one on the task
    good(user.post("/tasks/persistent-jobs/checkpoints/", {
        "persistent_job": number, "step_name": "scene 1", "checkpoint_data": {},
        "completed_steps": 1}), 201)
    assert good(user.get(f"{JOBS}{job['id']}/"))["progress_percentage"] == 25
    assert seen(user, number)["persistent_job"] == {"progress_percentage": 25, "can_resume": True}
    there = films.read(user, film)
    assert there["sourceFileId"] == film["sourceFileId"]
    assert there["config"] == json.dumps(films.CONFIG)
    assert films.taken(agent[1])["id"] == film["id"]


def test_a_film_that_is_deleted_is_gone_in_both(user):
    film = films.created(user)
    number = newest(user)["id"]
    good(user.delete(f"/tasks/{number}/"), 204)
    films.refused(user.get(f"{films.BASE}/tasks/{film['id']}"), 404)
    films.created(user)
    other = newest(user)
    listed = films.good(user.get(films.BASE + "/tasks"))[0]
    films.good(user.delete(f"{films.BASE}/tasks/{listed['id']}"))
    refused(user.get(f"/tasks/{other['id']}/"), 404, "TASK_NOT_FOUND")


# ---- dialect 004 in dialect 002 ----

def test_a_transcription_s_way_to_its_result(user, worker, brand):
    job = recordings.created(user, language="en")
    task = newest(user)
    number = task["id"]
    assert (task["task_type"], task["queue_name"], task["status"]) == (
        "transcription", "batch_queue", "pending")
    assert task["context_data"]["language"] == "en"
    source = task["source_file"]
    assert (source["name"], source["mime_type"]) == ("audio.m4a", SOUND_MIME)
    assert user.get(source["url"].replace(user.base, "")).content == recordings.SOUND
    held = recordings.claimed(worker)
    recordings.good(recordings.report(worker, held, "progress", {"progress": 30}))
    assert seen(user, number)["progress_percentage"] == 30
    recordings.good(recordings.report(worker, held, "progress", {"progress": 60}))
    running = seen(user, number)
    assert (running["status"], running["progress_percentage"]) == ("running", 60)
    assert found(user, number, progress__gte="60")
    assert recordings.result(user, job)["state"] == "PROCESSING"
    recordings.good(recordings.report(worker, held, "checkpoint", {"data": {"at": 1}}))
    recordings.good(recordings.report(worker, held, "complete", {
        "result": recordings.RESULT, "metrics": {"cost_usd": 1.5}}))
    done = seen(user, number)
    assert (done["status"], done["progress_percentage"]) == ("completed", 100)
    assert done["result_data"] == recordings.RESULT
    assert done["metrics"]["cost_usd"] == 1.5 and found(user, number, cost__gte="1")
    assert user.get(f"/tasks/{number}/result/").json() == recordings.RESULT
    assert good(user.get(f"{METRICS}{number}/"))["worker_name"] == f"worker-{brand}-a"


def test_a_long_transcription_is_a_link(user, worker):
    recordings.created(user)
    number = newest(user)["id"]
    held = recordings.claimed(worker)
    large = {"full_text": "mot " * 40000, "segments": [], "language": "fr"}
    answer = worker.put(f"{recordings.BASE}/{held['job_uuid']}/result",
                        data=json.dumps(large).encode(),
                        headers={"X-Lease": str(held["lease_epoch"]),
                                 "Content-Type": "application/json"})
    recordings.good(answer)
    result = seen(user, number)["result_data"]
    assert result["size"] == len(json.dumps(large))
    assert user.get(result["url"].replace(user.base, "")).json() == large


def test_a_transcription_that_fails_is_retried_and_cancelled(user, worker):
    job = recordings.created(user)
    number = newest(user)["id"]
    held = recordings.claimed(worker)
    recordings.good(recordings.report(worker, held, "fail", {
        "error_message": "only noise", "error_class": "PERMANENT"}))
    failed = seen(user, number)
    assert (failed["status"], failed["error_message"]) == ("failed", "only noise")
    assert recordings.result(user, job)["error_message"] == "only noise"
    again = good(user.post(f"/tasks/{number}/retry/", {}))
    assert (again["retry_count"], again["max_retries"]) == (1, 3)
    assert recordings.result(user, job)["state"] == "PENDING"
    assert recordings.claimed(worker)["job_uuid"] == job
    good(user.post(f"/tasks/{number}/cancel/", {}))
    there = recordings.result(user, job)
    assert (there["state"], there["cancelled"]) == ("FAILED", True)
    other = recordings.created(user)
    number = newest(user)["id"]
    recordings.good(user.delete(recordings.BASE + "/cancel", params={"job_uuid": other}))
    assert seen(user, number)["status"] == "cancelled"


def test_a_recording_that_is_still_made_is_a_task(user, worker):
    base = "/api/streamingTranscription"
    job = recordings.good(user.post(base + "/createJob", {"language": "fr"}))["job_uuid"]
    task = newest(user)
    assert task["queue_name"] == "streaming_queue" and task["source_file"]["size"] is None
    recordings.good(user.post(f"{base}/{job}/audio", data=recordings.SOUND))
    recordings.good(user.post(f"{base}/{job}/end"))
    answer = user.get(task["source_file"]["url"].replace(user.base, ""))
    assert answer.status_code == 200 and answer.content == recordings.SOUND
    held = recordings.good(worker.post(base + "/claim", {"wait": 30}))["task"]
    recordings.good(worker.post(f"{base}/{job}/complete", {"result": recordings.RESULT},
                                headers={"X-Lease": str(held["lease_epoch"])}))
    assert seen(user, task["id"])["result_data"] == recordings.RESULT


# ---- who takes what ----

def test_workers_of_a_dialect_take_its_tasks_alone(user, worker, agent):
    """Queues are shared by name; what a worker cannot do is not given to it."""
    video = created(user, task_type="video", queue_name="video")
    spoken = created(user, task_type="transcription", queue_name="batch_queue")
    assert films.pending(agent[1]).status_code == 404
    assert recordings.good(worker.post(recordings.BASE + "/claim", {}))["task"] is None
    film = films.created(user)
    job = recordings.created(user)
    for queue, task in (("video", video), ("batch_queue", spoken)):
        assert one(worker, queues=[queue])["id"] == task["id"]
        assert claimed(worker, queues=[queue], wait=0)["count"] == 0
    assert films.taken(agent[1])["id"] == film["id"]
    assert recordings.claimed(worker)["job_uuid"] == job


def test_a_native_worker_takes_a_queue_whole(user, work, brand):
    mine = created(user, task_type="video", queue_name="video", context_data={"type": "mine"})
    film = films.created(user)
    number = newest(user)["id"]
    work("video", "cat", brand=brand, flags=(f"--name=cat-{brand}",))
    done = [until(lambda n=n: (t := seen(user, n))["status"] == "completed" and t)
            for n in (mine["id"], number)]
    assert done[0]["result_data"] == {"type": "mine"}
    for path in (f"{films.BASE}/tasks/{film['id']}/result", f"/tasks/{number}/result/"):
        assert user.get(path).content == films.FILM  # what `cat` makes of a file
    assert films.read(user, film)["workerId"] == f"cat-{brand}"
    assert good(user.get(f"{METRICS}{number}/"))["worker_name"] == f"cat-{brand}"


def test_a_command_s_failure_reads_the_same_everywhere(user, work, brand):
    mine = created(user, queue_name="video", max_retries=0)
    film = films.created(user)
    number = newest(user)["id"]
    work("video", "sh", "-c", "echo no codec >&2; exit 65", brand=brand)
    for each in (mine["id"], number):
        failed = until(lambda n=each: (t := seen(user, n))["status"] == "failed" and t)
        assert failed["error_message"] == "exit 65: no codec"
    assert films.read(user, film)["message"] == "exit 65: no codec"


def test_a_native_task_is_seen_and_steered(relais):
    """The local client is of brand 1, and its tasks are owned by nobody who has a page."""
    shell = Shell(relais)
    boss = relais.caller("user", "martin", 1)
    number = shell.submit("views-native", "count", "one two", "--priority=high")
    task = good(boss.get(f"/tasks/{number}/"))
    assert (task["task_type"], task["queue_name"], task["priority"], task["status"]) == (
        "count", "views-native", "high", "pending")
    assert task["context_data"] == {"input": "one two"}
    good(boss.call("PATCH", f"/tasks/{number}/", json={"description": "by hand"}))
    assert good(boss.get("/tasks/?queue_name=views-native"))["results"][0]["description"] \
        == "by hand"
    good(boss.post(f"/tasks/{number}/cancel/", {"reason": "no"}))
    assert shell.get(number)["status"] == "cancelled"
    good(boss.post(f"/tasks/{number}/retry/", {}))
    assert shell.get(number)["status"] == "queued"
    good(boss.delete(f"/tasks/{number}/"), 204)
    made = created(boss, queue_name="views-native", context_data={"a": 1})
    assert shell.get(made["id"])["queue"] == "views-native"
    shell.ok("cancel", str(made["id"]))
    assert seen(boss, made["id"])["status"] == "cancelled"


# ---- workers ----

def test_a_worker_of_000_is_seen_as_it_is_there(user, stranger, admin, agent):
    card, worker = agent
    there = until(lambda: worker_of(user, card["id"]))
    assert (there["display_name"], there["queue_name"]) == ("Film machine", "video")
    assert there["is_online"] is there["is_healthy"] is True and there["active_tasks"] == 0
    assert [each["id"] for each in good(user.get(WORKERS + "?search=machine"))["results"]] \
        == [there["id"]]
    films.good(worker.post(films.BASE + "/worker/heartbeat", {"status": "online", "load": 0.5}))
    assert worker_of(user, card["id"])["load_average"] == 0.5
    film = films.created(user)
    films.taken(worker)
    page = good(user.get(f"{WORKERS}{there['id']}/"))
    assert page["active_tasks"] == 1 and page["current_tasks"][0]["task_type"] == "video"
    overview = good(user.get(WORKERS + "overview/"))
    assert overview["online_workers"] == 1 and overview["queues"]["video"]["active_tasks"] == 1
    films.good(films.patched(worker, film, status="failed", status_message="no"))
    after = worker_of(user, card["id"])
    assert (after["active_tasks"], after["processed_tasks"], after["failed_tasks"]) == (0, 1, 1)
    assert after["is_online"] is True
    films.good(worker.post(films.BASE + "/worker/heartbeat", {"status": "offline"}))
    assert films.good(admin.get(f"{films.BASE}/worker/{card['id']}"))["status"] == "offline"
    assert worker_of(stranger, card["id"]) is None


def test_one_that_never_registered_is_no_worker_yet(user, admin):
    made = films.good(admin.post(films.BASE + "/worker", {"name": "To come"}), 201)
    assert worker_of(user, made["id"]) is None


def test_an_http_worker_is_there_between_two_claims(user, worker, brand):
    name = f"worker-{brand}-a"
    assert worker_of(user, name) is None
    recordings.created(user)
    held = recordings.claimed(worker)
    busy = worker_of(user, name)
    assert (busy["is_online"], busy["active_tasks"], busy["queue_name"]) == (
        True, 1, "batch_queue")
    recordings.good(recordings.report(worker, held, "complete", recordings.RESULT))
    idle = worker_of(user, name)
    assert (idle["is_online"], idle["active_tasks"], idle["processed_tasks"]) == (True, 0, 1)
    assert TIME.fullmatch(idle["last_heartbeat"])


def test_a_command_is_a_worker(user, stranger, work, brand):
    work("quiet", "cat", brand=brand, flags=(f"--name=cat-{brand}",))
    there = until(lambda: worker_of(user, f"cat-{brand}"))
    assert (there["queue_name"], there["is_online"]) == ("quiet", True)
    assert worker_of(stranger, f"cat-{brand}") is None
