"""Objects, the feed and linked files over the native wire of the real broker."""
import hashlib
import os
import signal
import subprocess
import threading

import msgpack
import pytest
from conftest import RELAIS, Relais, end
from peer import (ANSWER, CONFLICT, FILE_CREATE, FILE_READ, FILE_SEAL, FILE_WRITE, FORBIDDEN,
                  NOT_FOUND, OK, REFUSED, REMOVE, SUBMIT, TOO_LARGE, UNKNOWN_TASK,
                  VALIDATION_ERROR, VIEW, Peer)

ASK, PUT, FETCH, DROP, UNWATCH, FEED, FILE_LINK, ROWS = 14, 16, 17, 18, 29, 30, 48, 74
CREATE, REPLACE, EITHER = 0, 1, 2
NAMES = ("id", "kind", "brand", "name", "body", "created_ms", "updated_ms", "version", "owner",
         "until_ms", "file", "file_size", "file_name", "file_mime", "file_hash", "ticket")


def row_of(packed):
    return dict(zip(NAMES, packed))


class Objects(Peer):
    """A client that speaks of objects of the kind `note`, or of another."""

    def act(self, verb, *item):
        heard, answer = self.ask(verb, list(item))
        assert heard in (ANSWER, REFUSED), (heard, answer)
        return row_of(msgpack.unpackb(answer[2])) if answer[1] == OK else answer[1]

    def put(self, name, body=b"x", mode=EITHER, kind="note", **options):
        return self.act(PUT, kind, name, body, mode, 0, options)

    def fetch(self, name, kind="note", **options):
        return self.act(FETCH, kind, name, 0, options)

    def drop(self, name, kind="note", **options):
        return self.act(DROP, kind, name, 0, options)

    def list(self, kind="note", **options):
        heard, answer = self.ask(ASK, ["objects", {"object": kind, **options}])
        if heard == REFUSED:
            return answer[1]
        unpacker = msgpack.Unpacker(max_buffer_size=1 << 24)
        unpacker.feed(answer[2])
        return [row_of(row) for row in unpacker], answer

    def feed(self, **options):
        heard, answer = self.ask(FEED, [options], within_s=60)
        assert heard == ROWS and answer[1] == OK, answer
        unpacker = msgpack.Unpacker()
        unpacker.feed(answer[2])
        return list(unpacker), msgpack.unpackb(answer[4]), answer[5]


def files_endpoint(server):
    host, port = server.native.rsplit(":", 1)
    return f"{host}:{int(port) + 1}"


def upload(files, data, name="a.wav"):
    number = msgpack.unpackb(files.ask(FILE_CREATE, [name, len(data)])[1][2])[0]
    assert files.code(FILE_WRITE, [number, 0, data]) == OK
    size, digest = msgpack.unpackb(files.ask(FILE_SEAL, [number])[1][2])
    assert (size, digest) == (len(data), hashlib.sha256(data).digest())
    return number


def link(files, number, ticket=0):
    heard, answer = files.ask(FILE_LINK, [number, ticket])
    return msgpack.unpackb(answer[2]) if answer[1] == OK else answer[1]


def bytes_of(files, number, ticket=0):
    _, answer = files.ask(FILE_READ, [number, 0, 1 << 20, ticket])
    return answer[3] if answer[1] == OK else answer[1]


def placed(server, number, incoming=False):
    folder = os.path.join(server.data, "files", "incoming" if incoming else "")
    return os.path.exists(os.path.join(folder, str(number)))


@pytest.fixture(name="server")
def server_of_its_own():
    server = Relais(role="broker")
    yield server
    server.stop()


@pytest.fixture(name="notes")
def notes_of(server):
    peer = Objects(server.native, kind="client")
    yield peer
    peer.close()


@pytest.fixture(name="files")
def files_of(server):
    peer = Peer(files_endpoint(server))
    yield peer
    peer.close()


def check(server):
    run = subprocess.run([RELAIS, "check", "--data", server.data], capture_output=True, text=True,
                         timeout=120, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_an_object_lives(notes):
    first = notes.put("n", b"one", CREATE, owner="ann", keys=["k", "l"])
    assert (first["version"], first["owner"], first["body"]) == (1, "ann", b"one")
    assert notes.put("n", b"two", CREATE) == CONFLICT
    assert notes.put("n", b"two", version=2) == CONFLICT
    second = notes.put("n", b"two", version=1)
    assert second["version"] == 2 and second["id"] == first["id"]
    assert second["owner"] == "ann", "what a PUT does not give stays"
    assert notes.fetch("l")["body"] == notes.fetch("", id=first["id"])["body"] == b"two"
    assert notes.put("m", keys=["l"]) == CONFLICT
    assert notes.drop("k", version=1) == CONFLICT
    assert notes.drop("k", version=2)["body"] == b"two"
    assert notes.drop("k") == notes.fetch("n") == NOT_FOUND


def test_what_is_bound_to_a_task_goes_with_it(server, notes):
    task, other = (notes.ask(SUBMIT, ["q", "t", b"x", {"keep": 3600000}])[1][2] for _ in "ab")
    assert notes.put(str(task), b"one", kind="job", keys=["k"])["version"] == 1
    assert notes.put(str(other), b"two", kind="job")["version"] == 1
    assert notes.put("nobody", kind="job") == VALIDATION_ERROR
    assert notes.put(str(other + 1000), kind="job") == UNKNOWN_TASK
    assert notes.ask(REMOVE, [task])[0] == VIEW
    assert notes.fetch(str(task), kind="job") == notes.fetch("k", kind="job") == NOT_FOUND
    end(server.process, signal.SIGKILL)
    check(server)
    after = Relais(data=server.data, role="broker")
    try:
        again = Objects(after.native, kind="client")
        rows, _ = again.list(kind="job")
        assert [row["body"] for row in rows] == [b"two"]
        assert again.put(str(task), kind="job") == UNKNOWN_TASK
        assert again.ask(REMOVE, [other])[0] == VIEW, "it was not at hand after the start"
        assert again.list(kind="job")[0] == []
        again.close()
    finally:
        after.stop()


def test_an_object_has_limits(notes):
    assert notes.put("n", bytes(65537)) == TOO_LARGE
    assert notes.put("n" * 129) == VALIDATION_ERROR
    assert notes.put("n", keys=["n"]) == VALIDATION_ERROR
    assert notes.put("n", kind="nonsense") == VALIDATION_ERROR
    assert notes.put("n", kind="user") == FORBIDDEN
    assert notes.list("user") == FORBIDDEN
    assert notes.list("nonsense") == VALIDATION_ERROR


def test_an_object_that_has_ended_is_not_there(notes):
    assert notes.put("n", until=1000, keys=["k"], owner="ann")["until_ms"] == 1000
    assert notes.fetch("n") == notes.fetch("k") == notes.drop("n") == NOT_FOUND
    assert notes.list()[0] == notes.list(owner="ann")[0] == []
    assert notes.put("m", mode=CREATE, keys=["k"])["version"] == 1
    assert notes.put("n", mode=CREATE, until=1 << 50)["name"] == "n"
    assert [row["name"] for row in notes.list()[0]] == ["m", "n"]
    assert notes.put("n", until=-1) == VALIDATION_ERROR


def test_a_large_object_passes(notes):
    image = os.urandom(2 << 20)
    assert notes.put("qr", image, kind="session_qr")["version"] == 1
    assert notes.fetch("qr", kind="session_qr")["body"] == image
    assert notes.put("qr", image + b"x", kind="session_qr") == TOO_LARGE


def test_objects_survive_kills_and_are_listed_by_owner(server, notes):
    for i in range(250):
        notes.put(f"n{i}", str(i).encode(), owner=f"o{i % 5}", keys=[f"k{i}"])
    for i in range(0, 250, 10):
        notes.drop(f"n{i}")
    notes.put("n1", b"new", owner="o9", keys=["moved"])
    end(server.process, signal.SIGKILL)
    check(server)
    again = Relais(role="broker", data=server.data)
    try:
        peer = Objects(again.native, kind="client")
        assert peer.fetch("moved")["body"] == b"new"
        assert peer.fetch("k1") == peer.fetch("n10") == NOT_FOUND
        rows, answer = peer.list(owner="o1", limit=20, count=True)
        names = [row["name"] for row in rows]
        assert answer[6:8] == [len([i for i in range(1, 250, 5) if i != 1]), True]
        while answer[4]:
            rows, answer = peer.list(owner="o1", limit=20, cursor=answer[4])
            names += [row["name"] for row in rows]
        assert names == [f"n{i}" for i in range(6, 250, 5)]
        rows, _ = peer.list(owner="o1", order="desc", limit=2, offset=1)
        assert [row["name"] for row in rows] == ["n241", "n236"]
        wanted = peer.fetch("n7")
        assert peer.list(id=wanted["id"])[0] == [wanted]
        assert [row["name"] for row in peer.list(search="n249")[0]] == ["n249"]
        assert peer.list(owner="nobody")[0] == []
        peer.close()
    finally:
        again.stop()
    check(server)


def test_the_feed_wakes_who_waits(server, notes):
    _, seen, _ = notes.feed()
    heard = []
    listener = Objects(server.native, kind="client")
    thread = threading.Thread(target=lambda: heard.append(
        listener.feed(after=seen, wait_ms=60000, topics=["message"])))
    thread.start()
    notes.put("n", event="session.open", data=b"no")
    notes.put("n", event="message.new", data=b"yes")
    thread.join(120)
    rows, after, incomplete = heard[0]
    assert [row[2:] for row in rows] == [["message.new", "n", b"yes"]] and not incomplete
    assert after == rows[-1][0]
    rows, _, _ = listener.feed(after=seen)
    assert [row[2] for row in rows] == ["session.open", "message.new"]
    listener.close()
    end(server.process, signal.SIGKILL)
    again = Relais(role="broker", data=server.data)
    try:
        peer = Objects(again.native, kind="client")
        rows, now, incomplete = peer.feed(after=after, wait_ms=60000)
        assert rows == [] and incomplete and now > after, "what was before a restart is lost"
        assert not peer.feed(after=now)[2]
        peer.close()
    finally:
        again.stop()


def test_a_wait_of_the_feed_is_taken_back(notes):
    number = notes.say(FEED, [{"wait_ms": 10000}])
    notes.say(UNWATCH, [number])
    notes.put("n", event="message.new")
    assert notes.until(lambda verb, item: verb == ROWS and item[0] == number, 0.5) is None


def test_a_file_goes_with_its_object(server, notes, files):
    data = os.urandom(300000)
    number = upload(files, data)
    row = notes.put("f", file=number, file_name="a.wav", file_mime="audio/wav")
    assert (row["file"], row["file_size"], row["file_name"]) == (number, len(data), "a.wav")
    assert row["file_hash"] == hashlib.sha256(data).digest(), "what is on disk counts"
    assert bytes_of(files, number, row["ticket"]) == data
    assert notes.put("g", file=number) == CONFLICT
    listed = notes.list()[0][0]
    assert listed["ticket"] == row["ticket"]
    copy, size, digest = link(files, number, row["ticket"])
    assert (size, digest) == (len(data), row["file_hash"]) and copy != number
    assert notes.put("g", file=copy)["file"] == copy
    assert notes.drop("f")["file"] == number
    assert notes.fetch("g")["file_size"] == len(data)
    assert bytes_of(files, copy) == data
    wait_until(lambda: not placed(server, number) and placed(server, copy))
    assert link(files, number) == NOT_FOUND
    assert notes.put("h", file=number) == NOT_FOUND


def wait_until(holds, within_s=60):
    pause = threading.Event()
    for _ in range(int(within_s * 50)):
        if holds():
            return
        pause.wait(0.02)
    assert holds()


def test_files_of_objects_survive_a_kill(server, notes, files):
    data = os.urandom(100000)
    number = upload(files, data)
    notes.put("f", file=number)
    copy = link(files, number)[0]
    loose = link(files, number)[0]
    notes.put("g", file=copy)
    notes.drop("f")
    end(server.process, signal.SIGKILL)
    again = Relais(role="broker", data=server.data)
    try:
        peer, reader = Objects(again.native, kind="client"), Peer(files_endpoint(again))
        assert bytes_of(reader, peer.fetch("g")["file"]) == data
        assert not placed(again, number) and not placed(again, number, True)
        assert not placed(again, loose, True), "what nobody took goes"
        peer.close()
        reader.close()
    finally:
        again.stop()
    check(server)
