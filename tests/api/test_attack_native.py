"""What a hostile native peer may try. Whatever it says, the broker answers, and goes on."""
import itertools
import re
import subprocess

import msgpack
import pytest
import zmq

from conftest import RELAIS
from peer import (ANSWER, ASK, BAD_FRAME, CANCEL, CHECKPOINT, CONFLICT, CREDIT, DONE, EXPLAIN,
                  FAIL, FILE_CREATE, FILE_READ, FILE_SEAL, FILE_WRITE, FORBIDDEN, GET, HELLO,
                  LIMIT_REACHED, LOG, LONGEST, NOT_FOUND, OK, PROGRESS, QUEUE, REFUSED, RELEASE,
                  REMOVE, RETRY, START, STATS, STOPPED, SUBMIT, SUPERSEDED, TOO_LARGE,
                  UNKNOWN_TASK, UNKNOWN_VERB, UNWATCH, UPDATE, VALIDATION_ERROR, VIEW, WATCH,
                  WELCOME, Peer)

queues = (f"attack-{number}" for number in itertools.count())
pack = msgpack.packb


@pytest.fixture
def queue():
    return next(queues)


@pytest.fixture
def connect(relais):
    """Peers of the task endpoint; afterwards the broker must still be there for a new one."""
    peers = []

    def one(kind=None, **rest):
        peers.append(Peer(relais.native, kind, **rest))
        return peers[-1]

    yield one
    for peer in peers:
        peer.close()
    last = Peer(relais.native, "client")
    assert last.ask(STATS, [])[0] == ANSWER
    last.close()
    assert relais.process.poll() is None


def hello(**fields):
    return pack([HELLO, 1, 0, [[{"version": 1, "kind": "client", **fields}]]])


def worker(**fields):
    return hello(**{"kind": "worker", "name": "x", "boot": 1, **fields})


DEEP = b"\x91" * 100000
FRAMES = [
    (b"", BAD_FRAME), (b"\xc1" * 100, BAD_FRAME), (pack({}), BAD_FRAME), (pack([]), BAD_FRAME),
    (pack([1, 1, 0]), BAD_FRAME), (pack([1, 1, 0, []]), BAD_FRAME), (DEEP, BAD_FRAME),
    (b"\xdd\xff\xff\xff\xff", BAD_FRAME), (b"\x94\x06\x01\x00\xdd\xff\xff\xff\xff", BAD_FRAME),
    (b"\x94\x01\x01\x00\x91\x91\xdf\xff\xff\xff\xff", BAD_FRAME),
    (b"\x94\x01\x01\x00\x91\x91\xc6\xff\xff\xff\xff", BAD_FRAME),
    (b"\x94\x01\x01\x00\x91\x91\x81\xdb\xff\xff\xff\xff", BAD_FRAME),
    (b"\x94\x01\x01\x00\x91\x91\x81\xa1x" + DEEP + b"\x01", BAD_FRAME),
    (b"\x94\x01\xff\x00\x91\x91\x80", BAD_FRAME), (pack([1.0, 1, 0, [[]]]), BAD_FRAME),
    (pack([2**40, 1, 0, [[]]]), UNKNOWN_VERB), (pack([0, 1, 0, [[]]]), UNKNOWN_VERB),
    (pack([1, 1, 0, [[{}]], [99, 1, "x"]]), BAD_FRAME),
    (pack([1, 1, 0, [[{"version": 1, "kind": "client"}]], [1, 1, "x", 1, True]]), FORBIDDEN),
    (hello(kind="gateway"), FORBIDDEN), (hello(version=9), 23),
    (pack([1, 1, 0, [[{}]] * 257]), TOO_LARGE), (b"\0" * (4 << 20), BAD_FRAME),
    (worker(name=b"\xff\xfe"), VALIDATION_ERROR), (worker(name="a\0b"), VALIDATION_ERROR),
    (worker(name=""), VALIDATION_ERROR), (worker(name="x" * 129), VALIDATION_ERROR),
    (worker(boot=0), VALIDATION_ERROR), (worker(slots=2**32 - 1), VALIDATION_ERROR),
    (worker(slots=2**60), VALIDATION_ERROR), (worker(queues=["q"] * 65), VALIDATION_ERROR),
    (worker(queues=["q\n"]), VALIDATION_ERROR), (worker(queues=["q" * 129]), VALIDATION_ERROR),
    (worker(types=["t\0"]), VALIDATION_ERROR), (worker(labels=["k=" + "v" * 200]),
                                                VALIDATION_ERROR),
    (worker(held=[[1, 1]] * 4097), VALIDATION_ERROR),
] + [(pack([verb, 1, 0, [[1, 2, 3, 4, 5, 6, 7, 8]]]), UNKNOWN_VERB)
     for verb in (*range(40, 45), *range(64, 79))]


def test_frames_that_no_peer_may_send(connect):
    for frame, code in FRAMES:
        peer = connect()
        peer.raw(frame)
        heard = peer.hear()
        assert heard and heard[0] == REFUSED and heard[3][0][1] == code, (frame[:60], code, heard)
        peer.close()


def test_a_message_of_several_parts_is_no_frame(connect):
    for parts in ([b"", b""], [hello(), b"x"], [hello(), hello(), b""]):
        peer = connect()
        peer.raw(*parts)
        assert peer.hear()[3][0][1] == BAD_FRAME
        peer.raw(hello())
        assert peer.hear()[0] == WELCOME  # nothing of it was left over


def test_a_frame_over_the_limit_ends_the_connection_alone(connect):
    peer, other = connect("client"), connect("client")
    peer.raw(b"\0" * ((4 << 20) + 1))
    assert not peer.beat(within_s=1)
    assert other.beat()


def test_a_worker_may_offer_4096_tasks_that_are_not_its_own(connect):
    for held in ([[n, n] for n in range(4096)], [[7, 7]] * 4096, [[2**53, 2**63, 2**32 - 1, True]]):
        peer = connect()
        verb, item = peer.hello("worker", held=held)
        assert verb == WELCOME
        assert [row[2] for row in item[0]["verdicts"]] == [1] * len(held)


@pytest.mark.parametrize("options", [
    {"delay": LONGEST}, {"delay": -1}, {"at": LONGEST}, {"at": -LONGEST - 1}, {"keep": LONGEST},
    {"keep": -2}, {"retries": 65535}, {"priority": 4}, {"labels": "x"}, {"labels": "b=1,a=1"},
    {"labels": ",,"}, {"source_name": "x" * 129}, {"source_mime": "a\r\nb"}, {"key": b"\xff"},
    {"accepted": True, "key": "k"}, {"priority": 2**40}, {"delay": "soon"}, {"watch": 1}])
def test_options_of_a_submit(connect, queue, options):
    client = connect("client")
    assert client.code(SUBMIT, [queue, "t", b"x", options]) == VALIDATION_ERROR
    assert client.code(SUBMIT, [queue, "t", b"x", {**options, "brand": 2}]) != OK


def test_numbers_at_their_ends_are_taken_or_refused(connect, queue):
    """The sums of times that are made of them must not overflow."""
    client = connect("client")
    task = client.submit(queue, timeout=2**32 - 1, progress_timeout=2**32 - 1, backoff=2**32 - 1,
                         delay=253402300799999)
    for options in ({"delay": LONGEST}, {"at": LONGEST}, {"at": -LONGEST - 1}, {"delay": -1}):
        assert client.code(UPDATE, [task, options]) == VALIDATION_ERROR
    assert client.code(UPDATE, [task, {"at": 253402300799999}]) == OK
    assert client.code(QUEUE, [queue, {"keep": LONGEST}]) == VALIDATION_ERROR
    for kind in ("tasks", "queues", "lanes", "workers"):
        for options in ({"from_ms": -LONGEST - 1, "to_ms": LONGEST},
                        {"from_ms": LONGEST, "to_ms": -LONGEST - 1, "order": "desc"},
                        {"from_ms": -LONGEST - 1, "order": "desc"}, {"id": 2**64 - 1},
                        {"cursor": b"\xff" * 400}, {"limit": 2**32 - 1, "offset": 1}):
            assert client.ask(ASK, [kind, options]) is not None


def test_what_belongs_to_another_worker(connect, queue):
    client = connect("client")
    task = client.submit(queue)
    holder, thief = connect("worker", queues=[queue], slots=1), connect("worker", queues=[])
    epoch = holder.task()[1]
    for verb, rest in ((START, []), (PROGRESS, [5]), (LOG, [1, "x"]), (CHECKPOINT, [0, "", b""]),
                       (DONE, [b"stolen"]), (FAIL, [3, "x"]), (RELEASE, []), (STOPPED, [])):
        assert thief.code(verb, [task, epoch, *rest]) == SUPERSEDED
        assert thief.code(verb, [task, 0, *rest]) == FORBIDDEN
        assert client.code(verb, [task, epoch, *rest]) == SUPERSEDED
        for forged in (epoch + 1, epoch - 1, 2**53, 2**64 - 1):
            assert holder.code(verb, [task, forged, *rest]) == SUPERSEDED
    assert holder.code(DONE, [task, epoch, b"mine"]) == OK
    assert holder.code(DONE, [task, epoch, b"again"]) == OK  # said again: recorded once
    assert holder.code(FAIL, [task, epoch, 2, "x"]) == SUPERSEDED
    assert holder.code(RELEASE, [task, epoch]) == SUPERSEDED
    verb, item = client.ask(GET, [task, 2])
    assert verb == VIEW and item[2][1] == 6 and b"mine" in item[2][37]


def test_reports_over_the_limits_change_nothing(connect, queue):
    client = connect("client")
    task = client.submit(queue)
    holder = connect("worker", queues=[queue], slots=1)
    epoch = holder.task()[1]
    for verb, rest, code in [
            (PROGRESS, [200, ""], VALIDATION_ERROR), (PROGRESS, [1, "x" * 4097], TOO_LARGE),
            (PROGRESS, [1, b"\xff"], VALIDATION_ERROR), (LOG, [9999, ""], VALIDATION_ERROR),
            (CHECKPOINT, [0, "n" * 129, b""], VALIDATION_ERROR),
            (CHECKPOINT, [0, "", b"x" * ((1 << 20) + 1)], TOO_LARGE),
            (DONE, [b"x" * 65537], TOO_LARGE), (DONE, [b"", {"metrics": b"x" * 8193}], TOO_LARGE),
            (DONE, [b"", {"file": 77}], NOT_FOUND),
            (DONE, [b"", {"file_mime": "a\r\nb: c"}], VALIDATION_ERROR),
            (DONE, [b"", {"file_name": "x" * 129}], VALIDATION_ERROR),
            (FAIL, [2, "x" * 4097], TOO_LARGE)]:
        assert holder.code(verb, [task, epoch, *rest]) == code, (verb, rest)
    assert [holder.code(LOG, [task, epoch, 1, "x"]) for _ in range(101)] == \
        [OK] * 100 + [LIMIT_REACHED]
    assert holder.code(DONE, [task, epoch, b"x"]) == OK


def test_checkpoints_that_skip_numbers_stay_bounded(connect, queue):
    client = connect("client")
    task = client.submit(queue)
    holder = connect("worker", queues=[queue], slots=1)
    epoch = holder.task()[1]
    for seq in (0, 0, 0, *range(1000, 30000, 1000), 30001):
        assert holder.code(CHECKPOINT, [task, epoch, seq, "n", b"x"]) == OK
    rows = client.ask(ASK, ["checkpoints", {"id": task, "limit": 1000}])[1]
    assert rows[1] == OK and rows[3] == 1, rows
    assert holder.code(CHECKPOINT, [task, epoch, 0, "n", b"x"]) == OK
    assert holder.code(CHECKPOINT, [task, epoch, 2**32 - 1, "n", b"x"]) == OK
    assert holder.code(CHECKPOINT, [task, epoch, 0, "n", b"x"]) == CONFLICT  # no number is left
    assert holder.code(DONE, [task, epoch, b"x"]) == OK


def test_credit_and_watches(connect, queue):
    client, other = connect("client"), connect("client")
    task = client.submit(queue)
    number = client.say(WATCH, [task, 0, 1, 10000])
    other.say(UNWATCH, [number])  # not its own
    assert other.beat() and other.code(CANCEL, [task]) == OK
    assert client.until(lambda verb, item: verb == VIEW and item[0] == number)
    idle = connect("worker", queues=[queue], slots=1)
    for credit in ([0], [2**32 - 1, 2**32 - 1], [65537], []):
        idle.say(CREDIT, credit)
    assert idle.beat()


def memory_mb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmRSS"))


def files_endpoint(server):
    host, _, port = server.native.rpartition(":")
    return f"{host}:{int(port) + 1}"


def uploaded(peer, *chunks):
    file = msgpack.unpackb(peer.ask(FILE_CREATE, ["n", 0])[1][2])[0]
    offset = 0
    for chunk in chunks:
        assert peer.code(FILE_WRITE, [file, offset, chunk]) == OK
        offset += len(chunk)
    assert peer.code(FILE_SEAL, [file]) == OK
    return file


def test_readers_of_files_that_do_not_read(relais_with):
    """Neither hold up others nor make the broker keep what they asked for."""
    server = relais_with()
    good = Peer(files_endpoint(server))
    file = uploaded(good, *[b"x" * (1 << 20)] * 2)
    before = memory_mb(server.process.pid)
    slow = []
    for _ in range(10):
        slow.append(Peer(files_endpoint(server)))
        slow[-1].socket.close(0)
        slow[-1].socket = zmq.Context.instance().socket(zmq.DEALER)
        slow[-1].socket.linger, slow[-1].socket.rcvhwm, slow[-1].socket.rcvbuf = 0, 1, 4096
        slow[-1].socket.connect(files_endpoint(server))
        for _ in range(100):
            slow[-1].say(FILE_READ, [file, 0, 1 << 20, 0])
        slow[-1].say(FILE_READ, *[[file, 0, 1 << 20, 0]] * 256)
    for _ in range(50):
        assert good.code(FILE_READ, [file, 0, 100, 0]) == OK
    assert memory_mb(server.process.pid) - before < 400
    for peer in [good, *slow]:
        peer.close()


def test_one_client_cannot_take_every_wait(relais_with):
    server = relais_with("--parked-max=1024", "--lost-ms=60000", "--suspect-ms=30000",
                         "--doubt-ms=40000")
    greedy, good = Peer(server.native, "client"), Peer(server.native, "client")
    task = greedy.submit("q")
    number = greedy.say(WATCH, *[[task, 0, 1, 60000]] * 256)
    last = greedy.say(WATCH, *[[task, 0, 1, 60000]] * 256)
    assert greedy.until(lambda verb, item: verb == VIEW and item[0] == last + 255)[1][1] != OK
    others = [Peer(server.native, "client") for _ in range(4)]
    for peer in others:
        peer.say(WATCH, *[[task, 0, 1, 60000]] * 256)
        assert peer.beat()
    assert good.code(GET, [task, 4]) == OK  # has to be read from disk
    assert good.code(CANCEL, [task]) == OK
    heard = set()
    assert greedy.until(lambda _, item: heard.add(item[0]) or len(heard) == 256)
    assert heard == set(range(number, number + 256))
    for peer in [greedy, good, *others]:
        peer.close()


def curve_key(server, name, *flags):
    """(server's, own public, own secret key) of a new certificate."""
    made = subprocess.run([RELAIS, "key", "curve", name, "--data", server.data, *flags],
                          capture_output=True, text=True, check=True, timeout=60).stdout
    found = dict(line.split(" ", 1) for line in made.splitlines())
    with open(found["certificate"], encoding="ascii") as file:
        secret = re.search('secret-key = "(.{40})"', file.read())[1]
    return found["server"].encode(), found["public"].encode(), secret.encode()


def test_a_key_stands_for_its_brand_and_queues(relais_with):
    server = relais_with("--curve=always")
    mine = curve_key(server, "mine", "--role", "client", "--brand", "3", "--queue", "echo")
    other = curve_key(server, "other", "--role", "client", "--brand", "3", "--queue", "other")
    foreign = curve_key(server, "foreign", "--role", "client", "--brand", "4")
    stranger = (mine[0], *zmq.curve_keypair())
    for keys in (None, stranger, (mine[1], *mine[1:])):  # none, unknown, another server's
        peer = Peer(server.native, keys=keys)
        peer.raw(hello())
        assert peer.hear(0.3) is None
        peer.close()
    owner, *rest = [Peer(server.native, "client", keys=keys) for keys in (mine, other, foreign)]
    task = owner.submit("echo")
    assert owner.code(SUBMIT, ["other", "t", b""]) == FORBIDDEN
    assert owner.code(SUBMIT, ["echo", "t", b"", {"brand": 4}]) == FORBIDDEN
    assert owner.code(ASK, ["tasks", {}]) == FORBIDDEN
    for peer, queue in zip(rest, ("other", "")):
        for verb in (GET, WATCH, CANCEL, RETRY, REMOVE, EXPLAIN, UPDATE):
            rest_of = [{}] if verb in (RETRY, UPDATE) else []
            assert peer.code(verb, [task, *rest_of]) == UNKNOWN_TASK, verb
        for kind in ("attempts", "log", "checkpoints"):
            assert peer.code(ASK, [kind, {"id": task, "queue": queue}]) == UNKNOWN_TASK
    for kind in ("worker", "gateway"):
        assert owner.hello(kind, queues=["echo"])[1][1] == FORBIDDEN
    for peer in (owner, *rest):
        peer.close()


def test_a_file_belongs_to_one_task(connect, relais, queue):
    """Else it would be gone for the second when the first goes."""
    client, files = connect("client"), Peer(files_endpoint(relais))
    file = uploaded(files, b"hello")
    holder = connect("worker", queues=[queue], slots=1)
    client.submit(queue, source=file)
    holder.task()
    code = None
    for _ in range(10000):  # it gets its place a moment after the answer
        code = client.code(SUBMIT, [f"{queue}-b", "t", b"", {"source": file}])
        if code != OK:
            break
    assert code == CONFLICT
    again = uploaded(files, b"hello")
    said = [f"{queue}-c", "t", b"", {"source": again, "key": queue, "keep": 3600000}]
    first, *others = [client.ask(SUBMIT, said)[1][1:3] for _ in range(3)]
    assert first[0] == OK and all(other == first for other in others)
    files.close()
