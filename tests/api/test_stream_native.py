"""Growing files and parts over the wire, as PROTOCOL.md says: what is answered, what is refused,
who waits and for how long."""
import re
import threading
import time

import msgpack
import pytest
from peer import (ANSWER, CONFLICT, FILE_BYTES, FILE_CREATE, FILE_DROP, FILE_READ, GET,
                  LIMIT_REACHED, LOG, NOT_FOUND, OK, RELEASE, START, SUBMIT, SUBMITTED, SUPERSEDED,
                  TOO_LARGE, VALIDATION_ERROR, VIEW, WATCH, DONE, Peer)

FILE_APPEND, FILE_END, FILE_STAT = 45, 46, 47
PART, PARTS, PARTS_WANTED, PART_COUNT, FLAGS = 10, 41, 16, 40, 27
GONE, RANGE = 14, 28


@pytest.fixture
def files(relais):
    place, port = re.fullmatch(r"(.*):(\d+)", relais.native).groups()
    peer = Peer(f"{place}:{int(port) + 1}")
    yield peer
    peer.close()


@pytest.fixture
def client(relais):
    peer = Peer(relais.native, "client")
    yield peer
    peer.close()


def made(files):
    verb, item = files.ask(FILE_CREATE, ["live", 0, True])
    assert (verb, item[1]) == (ANSWER, OK), item
    return msgpack.unpackb(item[2])[0]


def state(files, verb, *item):
    answer = files.ask(verb, list(item))
    assert answer and answer[1][1] == OK, answer
    return msgpack.unpackb(answer[1][2])


def read(files, file, offset, wait_ms=0, ticket=0, size=1000):
    """(code, bytes, end)."""
    verb, item = files.ask(FILE_READ, [file, offset, size, ticket, wait_ms], within_s=60)
    assert verb == FILE_BYTES
    return item[1], item[3], len(item) > 4 and item[4]


def test_a_stream_grows_and_ends(files):
    file = made(files)
    assert state(files, FILE_STAT, file) == [0, 0, False]
    assert state(files, FILE_APPEND, file, b"one ", 1) == [4, 2, False]
    assert state(files, FILE_APPEND, file, b"two ") == [8, 3, False]
    assert state(files, FILE_APPEND, file, b"x", 2) == [8, 3, False]
    assert files.code(FILE_APPEND, [file, b"x", 5]) == CONFLICT
    assert files.code(FILE_APPEND, [file, b"x", -7]) == VALIDATION_ERROR
    assert files.code(FILE_APPEND, [file, b"x" * ((1 << 20) + 1), 3]) == TOO_LARGE
    assert read(files, file, 0) == (OK, b"one two ", False)
    assert read(files, file, 10**6) == (OK, b"", False)
    assert state(files, FILE_END, file) == [8, 3, True]
    assert files.code(FILE_APPEND, [file, b"x", 3]) == GONE
    assert read(files, file, 4) == (OK, b"two ", True)
    assert read(files, file, 10**6)[0] == RANGE
    assert files.code(FILE_DROP, [file]) == OK
    assert files.code(FILE_STAT, [file]) == NOT_FOUND


@pytest.mark.parametrize("item", [[], [1], [1, b"x"], ["a", b"x", 1], [0, b"x", 0], [1, "x", "y"],
                                  [2**53 - 1, b"x", 0], [1, b"x", 2**64 - 1]])
def test_what_is_no_append_is_refused(files, item):
    assert files.code(FILE_APPEND, item) in (VALIDATION_ERROR, NOT_FOUND)
    assert state(files, FILE_STAT, made(files))[0] == 0


def test_a_reader_waits_for_what_comes(relais, files):
    file = made(files)
    started = time.monotonic()
    assert read(files, file, 0, wait_ms=300) == (OK, b"", False)
    assert time.monotonic() - started > 0.25
    place, port = re.fullmatch(r"(.*):(\d+)", relais.native).groups()
    writer = Peer(f"{place}:{int(port) + 1}")

    def later(verb, *item):
        timer = threading.Timer(0.2, lambda: state(writer, verb, *item))
        timer.start()
        return timer

    timer = later(FILE_APPEND, file, b"word", 0)
    assert read(files, file, 0, wait_ms=50000) == (OK, b"word", False)
    timer.join()
    timer = later(FILE_END, file)
    assert read(files, file, 4, wait_ms=50000) == (OK, b"", True)
    timer.join()
    writer.close()


def test_many_readers_wait_at_once(files):
    file = made(files)
    numbers = [files.say(FILE_READ, [file, 0, 100, 0, 50000]) for _ in range(200)]
    files.say(FILE_APPEND, [file, b"word", 0])
    heard = set()
    while len(heard) < 200:
        verb, _, _, items = files.hear()
        for item in items if verb == FILE_BYTES else []:
            assert item[1] == OK and item[3] == b"word"
            heard.add(item[0])
    assert heard == set(numbers)


def test_a_stream_that_is_dropped_is_not_waited_for(files):
    file = made(files)
    number = files.say(FILE_READ, [file, 0, 100, 0, 50000])
    files.say(FILE_DROP, [file])
    verb, item = files.until(lambda verb, item: verb == FILE_BYTES and item[0] == number)
    assert item[1] == NOT_FOUND


def test_a_task_takes_a_growing_file_along(client, files):
    file = made(files)
    options = {"keep": 3600000, "source": file, "stream": True}
    verb, item = client.ask(SUBMIT, ["grows", "t", b"x", options])
    assert (verb, item[1]) == (SUBMITTED, OK), item
    verb, view = client.ask(GET, [item[2], 1])
    assert verb == VIEW and view[2][FLAGS] & 32
    assert client.code(SUBMIT, ["grows", "t", b"x", {"stream": True}]) == VALIDATION_ERROR
    assert client.code(SUBMIT, ["grows", "t", b"x", {"source": file + 1, "stream": True}]) \
        == NOT_FOUND
    other = made(files)
    assert client.code(SUBMIT, ["grows", "t", b"x", {"source": other}]) == NOT_FOUND
    assert state(files, FILE_APPEND, file, b"late", 0)[0] == 4
    assert files.code(FILE_DROP, [file]) == CONFLICT


def test_parts_are_numbered_over_the_attempts(relais, client):
    task = client.submit("parts", payload=b"x")
    worker = Peer(relais.native, "worker", queues=["parts"], slots=1)
    item = worker.task()
    assert item[0] == task
    epoch = item[1]
    worker.say(START, [task, epoch], request=0)
    assert worker.code(LOG, [task, epoch, PART, "one", 1]) == OK
    assert worker.code(LOG, [task, epoch, PART, "uno", 1]) == OK
    assert worker.code(LOG, [task, epoch, PART, "three", 3]) == CONFLICT
    assert worker.code(LOG, [task, epoch, PART, "two"]) == OK
    assert worker.code(LOG, [task, epoch, PART, "x" * (17 << 10), 3]) == TOO_LARGE
    assert worker.code(LOG, [task, epoch + 5, PART, "other"]) == SUPERSEDED
    view = client.ask(GET, [task, PARTS_WANTED, 0])[1][2]
    assert view[PART_COUNT] == 2 and [row[3] for row in view[PARTS]] == ["one", "two"]
    view = client.ask(WATCH, [task, PARTS_WANTED, 2**31, 5000, 1])[1][2]
    assert [row[0] for row in view[PARTS]] == [2]
    worker.say(RELEASE, [task, epoch])
    again = worker.task()
    assert again[0] == task and again[6]["parts"] == 2
    assert worker.code(LOG, [task, epoch, PART, "three", 3]) == SUPERSEDED
    assert worker.code(LOG, [task, again[1], PART, "three", 3]) == OK
    assert worker.code(DONE, [task, again[1], b"r"]) == OK
    view = client.ask(GET, [task, PARTS_WANTED | 2, 0])[1][2]
    assert [row[3] for row in view[PARTS]] == ["one", "two", "three"]
    worker.close()


def test_parts_are_bounded(relais_with):
    server = relais_with("--parts-max=3", "--part-bytes-max=256")
    client = Peer(server.native, "client")
    task = client.submit("parts", payload=b"x")
    worker = Peer(server.native, "worker", queues=["parts"], slots=1)
    epoch = worker.task()[1]
    assert worker.code(LOG, [task, epoch, PART, "x" * 257]) == TOO_LARGE
    for _ in range(3):
        assert worker.code(LOG, [task, epoch, PART, "x" * 256]) == OK
    assert worker.code(LOG, [task, epoch, PART, "x"]) == LIMIT_REACHED
    assert worker.code(LOG, [task, epoch, 1, "a line of the log"]) == OK
    worker.close()
    client.close()
