"""Files of dialect 000: uploads, who may read them and how, names, and when they may go."""
import concurrent.futures
import hashlib
import http.client
import json
import urllib.parse

import pytest

from conftest import TIME, Caller
from films import BASE, CUID, FILM
from films import (created, enrolled, good, handed, patched, read, refused, stored, taken, until,
                   uploaded)
from rows import row


@pytest.fixture
def admin(relais, brand):
    return relais.caller("admin", "root", brand)


@pytest.fixture
def other(relais, brand):
    return relais.caller("user", "anna", brand)


@pytest.fixture
def worker(relais, admin):
    return enrolled(relais, admin)[1]


# ---- upload ----

@row("POST /api/v1/files/upload")
@row("GET /api/v1/files/{cuid}")
def test_an_upload_is_a_file_with_all_its_members(user):
    file = uploaded(user)
    assert file["filename"] == "film.mp4" and file["mimeType"] == "video/mp4"
    assert file["size"] == len(FILM) and file["hash"] == hashlib.sha256(FILM).hexdigest()
    assert file["path"].endswith(f"/files/{file['id']}/download") and CUID.fullmatch(file["id"])
    assert TIME.fullmatch(file["createdAt"]) and file["updated_at"] == file["updatedAt"]
    assert good(user.get(f"{BASE}/files/{file['id']}")) == file


@row("POST /api/v1/files/upload")
@pytest.mark.parametrize("name, sent, shown", [
    ("../../etc/passwd", None, "passwd"), ("été à Paris.mp4", None, "été à Paris.mp4"),
    ("a.mp4", "My film", "My film"), ("a.mp4", "", "a.mp4"), ("x" * 250, None, "x" * 128),
    ("C:\\films\\a.mp4", None, "a.mp4"), ("a.mp4", "é" * 200, "é" * 64)])
def test_names_are_kept_within_bounds(user, name, sent, shown):
    fields = {} if sent is None else {"data": {"name": sent}}
    assert uploaded(user, name=name, **fields)["filename"] == shown


def test_an_empty_file_is_a_file(user):
    file = uploaded(user, b"")
    assert file["size"] == 0 and file["hash"] == hashlib.sha256(b"").hexdigest()
    answer = user.get(f"{BASE}/files/{file['id']}/download")
    assert (answer.status_code, answer.content) == (200, b"")


@row("POST /api/v1/files/upload", error=400)
@row("POST /api/v1/files/upload", error=401)
def test_wrong_uploads(user, nobody):
    path = BASE + "/files/upload"
    refused(user.post(path, files={"film": ("a", b"x")}), 400)
    refused(user.post(path, files={"file": (None, "text")}), 400, text="No file")
    refused(user.post(path, files=[("file", ("a", b"x")), ("file", ("b", b"y"))]), 400)
    refused(user.post(path), 400, text="No file")
    refused(user.post(path, {"file": "x"}), 415)
    refused(user.post(path, data=b"--b\r\nbroken", headers={
        "Content-Type": "multipart/form-data; boundary=b"}), 400)
    refused(user.post(path, files={"file": ("a", b"x"), "name": (None, b"\xff\xfe")}), 400)
    refused(nobody.post(path, files={"file": ("a", b"x")}), 401)
    assert good(user.get(BASE + "/files")) == []


def test_refused_uploads_leave_nothing_on_disk(relais, user):
    before = stored(relais)
    refused(user.post(BASE + "/files/upload", files=[("file", ("a", bytes(400000))),
                                                     ("file", ("b", b"y"))]), 400)
    refused(user.post(BASE + "/files/upload", files={"file": ("a", bytes(400000)),
                                                     "name": (None, b"\xff")}), 400)
    until(lambda: stored(relais) <= before)


def test_a_repeated_key_makes_one_file(relais, user, other):
    key = {"Idempotency-Key": "film"}
    first = uploaded(user, headers=key)
    before = stored(relais)  # also what tests before this one have yet to remove
    assert uploaded(user, headers=key) == first
    until(lambda: stored(relais) <= before)
    refused(user.post(BASE + "/files/upload", files={"file": ("a", b"!")}, headers=key), 409,
            "IDEMPOTENCY_CONFLICT")
    assert uploaded(other, headers=key)["id"] != first["id"]
    refused(user.post(BASE + "/files/upload", files={"file": ("a", b"!")},
                      headers={"Idempotency-Key": "k" * 256}), 400)


def test_uploads_at_once_under_one_key_make_one_file(relais, user):
    key = {"Idempotency-Key": "race"}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda _: uploaded(Caller(relais.http, user.token), headers=key)["id"],
                            range(8)))
    assert len(set(ids)) == 1 and len(good(user.get(BASE + "/files"))) == 1


# ---- reading ----

@row("GET /api/v1/files")
@row("GET /api/v1/files", error=401)
@row("GET /api/v1/files", error=403)
@row("GET /api/v1/files", error=400)
def test_files_are_listed_newest_first_and_ones_own(admin, user, other, worker, nobody):
    mine = [uploaded(user, name=f"{n}.mp4") for n in range(3)]
    hers = uploaded(other)
    assert good(user.get(BASE + "/files")) == mine[::-1]
    answer = user.get(BASE + "/files?limit=2&page=2")
    assert good(answer) == mine[:1] and answer.headers["X-Total-Count"] == "3"
    assert 'rel="prev"' in answer.headers["Link"]
    listed = {file["id"] for file in good(admin.get(BASE + "/files"))}
    assert listed == {file["id"] for file in [*mine, hers]}
    refused(nobody.get(BASE + "/files"), 401)
    refused(worker.get(BASE + "/files"), 403)
    refused(user.get(BASE + "/files?page=no"), 400)


@row("GET /api/v1/files/{cuid}/download")
@row("GET /api/v1/files/{cuid}/download", error=416)
def test_downloads_have_type_name_ranges_and_a_tag(user):
    content = bytes(range(256)) * 2000
    file = uploaded(user, content, name="é q.mp4")
    path = f"{BASE}/files/{file['id']}/download"
    whole = user.get(path)
    assert whole.content == content and whole.headers["Content-Type"] == "video/mp4"
    assert whole.headers["Content-Disposition"].startswith("attachment; filename=")
    assert "filename*=UTF-8''%C3%A9%20q.mp4" in whole.headers["Content-Disposition"]
    assert whole.headers["ETag"] == f'"{file["hash"]}"'
    assert whole.headers["Accept-Ranges"] == "bytes"
    for value, part in (("bytes=0-0", content[:1]), ("bytes=-5", content[-5:]),
                        ("bytes=500000-", content[500000:]),
                        ("bytes=511999-600000", content[-1:])):
        answer = user.get(path, headers={"Range": value})
        assert (answer.status_code, answer.content) == (206, part)
    for value in ("bytes=512000-", "bytes=-0"):
        answer = user.get(path, headers={"Range": value})
        refused(answer, 416)
        assert answer.headers["Content-Range"] == "bytes */512000"
    for value in ("lines=1-2", "bytes=5-1", "bytes=a-b", "bytes=0-1,3-4"):
        assert user.get(path, headers={"Range": value}).status_code == 200
    assert user.get(path, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
    head = user.call("HEAD", path)
    assert head.headers["Content-Length"] == "512000" and head.content == b""


@row("GET /api/v1/files/{cuid}", error=403)
@row("GET /api/v1/files/{cuid}", error=404)
@row("GET /api/v1/files/{cuid}/download", error=403)
@row("GET /api/v1/files/{cuid}/download", error=404)
@row("GET /api/v1/files/{cuid}/download", error=401)
@pytest.mark.parametrize("tail", ["", "/download"])
def test_files_of_others_are_not_read(admin, user, other, stranger, worker, nobody, tail):
    file = uploaded(user)
    path = f"{BASE}/files/{file['id']}{tail}"
    refused(other.get(path), 403)
    refused(stranger.get(path), 404)
    refused(worker.get(path), 403)
    refused(nobody.get(path), 401)
    assert admin.get(path).status_code == 200
    for bad in ("c" + "0" * 24, "7", file["id"].upper(), "..", "%2e%2e", file["id"] + "x"):
        refused(user.get(f"{BASE}/files/{bad}{tail}"), 404)


def test_a_worker_reads_the_source_of_what_it_holds_and_its_result(relais, admin, user, worker):
    rival = enrolled(relais, admin)[1]
    task = created(user)
    path = f"{BASE}/files/{task['sourceFileId']}"
    taken(worker)
    file = good(worker.get(path))
    assert file["id"] == task["sourceFileId"] and file["filename"] == "film.mp4"
    assert file["hash"] == hashlib.sha256(FILM).hexdigest() and file["size"] == len(FILM)
    part = worker.get(path + "/download", headers={"Range": "bytes=4-11"})
    assert (part.status_code, part.content) == (206, FILM[4:12])
    refused(rival.get(path), 403)
    done = good(handed(worker, task, b"out", mime="video/mp4", name="out.mp4"))
    refused(worker.get(path + "/download"), 403)  # it holds the task no longer
    made = f"{BASE}/files/{done['resultFileId']}"
    for caller in (user, worker, admin):
        file = good(caller.get(made))
        assert (file["filename"], file["mimeType"], file["size"]) == ("out.mp4", "video/mp4", 3)
        assert file["hash"] == hashlib.sha256(b"out").hexdigest()
        assert caller.get(made + "/download").content == b"out"
    refused(rival.get(made), 403)
    assert file["id"] not in [listed["id"] for listed in good(user.get(BASE + "/files"))]


def test_a_config_that_names_a_file_opens_nothing(admin, user, other, worker):
    secret = uploaded(user)["id"]
    created(other, {"note": secret})
    taken(worker)
    refused(worker.get(f"{BASE}/files/{secret}/download"), 403)
    good(user.delete(f"{BASE}/files/{secret}"))


def test_a_workers_own_upload_is_its_own(worker, user):
    file = good(worker.post(BASE + "/files/upload", files={"file": ("a", b"x")}), 201)
    refused(user.get(f"{BASE}/files/{file['id']}"), 403)


# ---- changing and deleting ----

@row("PUT /api/v1/files/{cuid}")
@row("PUT /api/v1/files/{cuid}", error=404)
@row("PUT /api/v1/files/{cuid}", error=400)
@row("PUT /api/v1/files/{cuid}", error=403)
def test_a_file_is_renamed(user, other, stranger, worker):
    file = uploaded(user)
    path = f"{BASE}/files/{file['id']}"
    changed = good(user.put(path, json={"name": "été.mp4"}))
    assert {**changed, "updatedAt": 0, "updated_at": 0} == {
        **file, "filename": "été.mp4", "updatedAt": 0, "updated_at": 0}
    assert good(user.get(path)) == changed
    assert user.get(path + "/download").content == FILM
    assert created(user, file=file["id"])["sourceFileId"] == file["id"]
    for caller in (other, stranger):
        refused(caller.put(path, json={"name": "x"}), 404)
    refused(user.put(f"{BASE}/files/c{'0' * 24}", json={"name": "x"}), 404)
    refused(worker.put(path, json={"name": "x"}), 403)
    for body in ({}, {"name": ""}, {"name": 7}, {"name": "x" * 129}, []):
        refused(user.put(path, json=body), 400)


@row("DELETE /api/v1/files/{cuid}")
@row("DELETE /api/v1/files/{cuid}", error=404)
@row("DELETE /api/v1/files/{cuid}", error=409)
@row("DELETE /api/v1/files/{cuid}", error=403)
def test_a_file_goes_when_no_unfinished_task_needs_it(relais, user, other, stranger, worker):
    file = uploaded(user)
    path = f"{BASE}/files/{file['id']}"
    first, second = created(user, {"n": 1}, file["id"]), created(user, {"n": 2}, file["id"])
    for caller in (other, stranger):
        refused(caller.delete(path), 404)
    refused(worker.delete(path), 403)
    refused(user.delete(path), 409, "CONFLICT")
    taken(worker)
    good(patched(worker, first, status="processing"))
    refused(user.delete(path), 409, "CONFLICT")
    good(handed(worker, first))
    refused(user.delete(path), 409, "CONFLICT")
    taken(worker)
    good(patched(worker, second, status="failed"))
    assert good(user.delete(path))["id"] == file["id"]
    refused(user.get(path), 404)
    refused(user.delete(path), 404)
    assert file["id"] not in json.dumps(good(user.get(BASE + "/files")))
    # the tasks own copies of their own: one may be tried again
    good(user.post(f"{BASE}/tasks/{second['id']}/retry"))
    assert taken(worker)["id"] == second["id"]
    assert worker.get(path + "/download").content == FILM
    good(handed(worker, second))
    held = stored(relais)
    for task in (first, second):
        good(relais.caller("admin", "root", user_brand(relais, user)).delete(
            f"{BASE}/tasks/{task['id']}"))
    until(lambda: len(held - stored(relais)) >= 4)


def user_brand(relais, user):
    """The brand that the token of a caller names."""
    for (_, _, brand, _), token in relais.tokens.items():
        if token == user.token:
            return brand
    raise AssertionError("the token is not of this server")


def test_a_large_file_goes_through_in_a_stream(relais, user):
    """32 MiB, sent in pieces and read back: nothing of it is held in memory at once."""
    where = urllib.parse.urlsplit(relais.http)
    head = (b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"big\"\r\n"
            b"Content-Type: application/octet-stream\r\n\r\n")
    tail, block = b"\r\n--b--\r\n", bytes(range(256)) * 4096
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=60)
    connection.putrequest("POST", BASE + "/files/upload")
    connection.putheader("Authorization", "Bearer " + user.token)
    connection.putheader("Content-Type", "multipart/form-data; boundary=b")
    connection.putheader("Content-Length", str(len(head) + 32 * len(block) + len(tail)))
    connection.endheaders()
    connection.send(head)
    for _ in range(32):
        connection.send(block)
    connection.send(tail)
    file = json.loads(connection.getresponse().read())["data"]
    connection.close()
    assert file["size"] == 32 << 20
    assert file["hash"] == hashlib.sha256(block * 32).hexdigest()
    answer = user.get(f"{BASE}/files/{file['id']}/download")
    assert hashlib.sha256(answer.content).hexdigest() == file["hash"]
    task = created(user, file=file["id"])
    assert read(user, task)["sourceFileId"] == file["id"]


def test_files_outlive_a_restart(relais_with):
    first = relais_with()
    user = first.caller("user", "martin", 1)
    file = uploaded(user)
    task = created(user, file=file["id"])
    first.process.kill()
    first.process.wait()
    second = relais_with(data=first.data)
    user = Caller(second.http, user.token)
    assert good(user.get(f"{BASE}/files/{file['id']}")) == file
    assert user.get(f"{BASE}/files/{file['id']}/download").content == FILM
    refused(user.delete(f"{BASE}/files/{file['id']}"), 409, "CONFLICT")
    good(user.post(f"{BASE}/tasks/{task['id']}/cancel"))
    good(user.delete(f"{BASE}/files/{file['id']}"))
