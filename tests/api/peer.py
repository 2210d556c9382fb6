"""A native peer that says whatever it is told to: a DEALER and msgpack, and no manners."""
import itertools
import random
import time

import msgpack
import zmq

HELLO, BEAT, BYE, CREDIT, DRAIN, SUBMIT, GET, WATCH, CANCEL, RETRY = range(1, 11)
UPDATE, REMOVE, EXPLAIN, ASK, QUEUE, PUT, FETCH, DROP, START, PROGRESS = range(11, 21)
CHECKPOINT, DONE, FAIL, RELEASE, LOG, CLAIM, STOPPED, STATS, UNWATCH = range(21, 30)
FILE_CREATE, FILE_WRITE, FILE_SEAL, FILE_READ, FILE_DROP = range(40, 45)
WELCOME, RESYNC, SUBMITTED, TASK, SETTLED, CHECKPOINT_OK, STOP, RECALL = range(64, 72)
VIEW, ANSWER, ROWS, OUTCOME, REFUSED, FILE_BYTES = range(72, 78)
OK, VALIDATION_ERROR, FORBIDDEN, NOT_FOUND, CONFLICT, SUPERSEDED = 0, 1, 3, 4, 7, 8
UNKNOWN_TASK, TOO_LARGE, LIMIT_REACHED, BAD_FRAME, UNKNOWN_VERB = 13, 15, 18, 24, 25
NUMBER_LAST = {SETTLED, CHECKPOINT_OK}  # their number is the last element
LONGEST = 2**63 - 1


class Peer:
    """One connection. `kind`: says HELLO at once."""

    def __init__(self, endpoint, kind=None, keys=None, **hello):
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.linger = 0
        if keys:
            (self.socket.curve_serverkey, self.socket.curve_publickey,
             self.socket.curve_secretkey) = keys
        self.socket.connect(endpoint)
        self.link, self.numbers = 0, itertools.count(1000, 1000)
        self.kind, self.hello_map = kind, hello
        if kind:
            answer = self.hello(kind, **hello)
            assert answer and answer[0] == WELCOME, answer

    def close(self):
        self.socket.close(0)

    def raw(self, *parts):
        self.socket.send_multipart(list(parts))

    def say(self, verb, *items, request=None, link=None, who=None):
        number = next(self.numbers) if request is None else request
        frame = [verb, number, self.link if link is None else link, list(items)]
        self.socket.send(msgpack.packb(frame + ([who] if who is not None else [])))
        return number

    def hear(self, within_s=60.0):
        """The next frame, or None."""
        if not self.socket.poll(max(0, int(within_s * 1000))):
            return None
        return msgpack.unpackb(self.socket.recv(), strict_map_key=False)

    def until(self, wanted, within_s=60):
        """The first (verb, item) heard for which wanted(verb, item)."""
        deadline = time.monotonic() + within_s
        while True:
            frame = self.hear(deadline - time.monotonic())
            if frame is None:
                return None
            for item in frame[3]:
                if wanted(frame[0], item):
                    return frame[0], item

    def hello(self, kind, within_s=60, **more):
        self.link = 0
        said = {"version": 1, "kind": kind, "boot": random.getrandbits(50) + 1,
                "name": f"w{random.getrandbits(40)}", **more}
        self.say(HELLO, [said])
        answer = self.until(lambda verb, _: verb in (WELCOME, REFUSED), within_s)
        if answer and answer[0] == WELCOME:
            self.link = answer[1][0]["link"]
        return answer

    def ask(self, verb, *items, within_s=60.0, **rest):
        """(verb, item) that answers the first item."""
        number = self.say(verb, *items, **rest)
        return self.until(lambda heard, item: heard not in (STOP, RECALL, RESYNC) and item
                          and item[-1 if heard in NUMBER_LAST else 0] == number, within_s)

    def code(self, verb, *items, **rest):
        """The code that answers the first item; None without an answer."""
        answer = self.ask(verb, *items, **rest)
        if answer is None:
            return None
        heard, item = answer
        return item[{SETTLED: 2, CHECKPOINT_OK: 3}.get(heard, 1)]

    def beat(self, within_s=60.0):
        """True when the broker answers a sign of life on this link."""
        number = self.say(BEAT, [])
        deadline = time.monotonic() + within_s
        while True:
            frame = self.hear(deadline - time.monotonic())
            if frame is None or frame[0] == RESYNC:
                return False
            if frame[0] == BEAT and frame[1] == number:
                return True

    def submit(self, queue, payload=b"x", **options):
        verb, item = self.ask(SUBMIT, [queue, "t", payload, {"keep": 3600000, **options}])
        assert verb == SUBMITTED and item[1] == OK, (verb, item)
        return item[2]

    def task(self, within_s=60.0):
        """The next delivery, an item of TASK, or None."""
        answer = self.until(lambda verb, _: verb == TASK, within_s)
        return answer and answer[1]
