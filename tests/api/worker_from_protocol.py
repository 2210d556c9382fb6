#!/usr/bin/python3
"""A worker written from proto/PROTOCOL.md alone: answers each task with its payload in capitals.

    worker_from_protocol.py ENDPOINT QUEUE [SERVER_KEY PUBLIC_KEY SECRET_KEY]
"""
import random, signal, sys, time, msgpack, zmq
HELLO, BEAT, BYE, START, DONE, FAIL, RELEASE, STOPPED = 1, 2, 3, 19, 22, 23, 24, 27
WELCOME, RESYNC, TASK, SETTLED, STOP, RECALL = 64, 65, 67, 68, 70, 71
endpoint, queue, keys = sys.argv[1], sys.argv[2], [key.encode() for key in sys.argv[3:6]]
boot, held, reports, link, beat, going = random.getrandbits(52) + 1, {}, {}, 0, 2.0, [True]
signal.signal(signal.SIGTERM, lambda *_: going.clear())

def connect():
    fresh = zmq.Context.instance().socket(zmq.DEALER)  # a new one each time: a new routing id
    fresh.linger = 500
    if keys: fresh.curve_serverkey, fresh.curve_publickey, fresh.curve_secretkey = keys
    fresh.connect(endpoint)
    return fresh

def say(verb, item=(), request=1):
    if link or verb == HELLO: socket.send(msgpack.packb([verb, request, link, [item]]))

def hello():  # until WELCOME nothing else is said
    global link, hello_at
    link, hello_at = 0, time.monotonic()
    say(HELLO, [{"version": 1, "kind": "worker", "name": f"python-{boot}", "boot": boot,
                 "queues": [queue], "slots": 1, "prefetch": 3,
                 "held": [[task, epoch, 0, True] for task, epoch in held]}])

def report(verb, key, *rest):
    reports[key] = verb, [*key, *rest]  # kept until SETTLED
    say(*reports[key])

def work(key, payload):
    say(START, key, request=0)
    report(*((FAIL, key, 3, "the payload says so") if payload == b"fail"
             else (DONE, key, payload.upper())))

socket, heard, next_beat = connect(), time.monotonic(), 0.0; hello()
while going:
    if socket.poll(100):
        verb, _, _, items, *_ = msgpack.unpackb(socket.recv(), use_list=True)
        heard = time.monotonic()
        for item in items:
            key = tuple(item[:2])
            if verb == WELCOME:
                link, beat = item[0]["link"], item[0]["beat_ms"] / 1000
                for task, epoch, verdict in item[0].get("verdicts", []):
                    if verdict: held.pop((task, epoch), 0), reports.pop((task, epoch), 0)
                for kept in reports.values(): say(*kept)
            elif verb == TASK and key not in held: held[key] = True; work(key, item[5])
            elif verb == SETTLED: held.pop(key, 0), reports.pop(key, 0)
            elif verb == STOP and key not in held: say(STOPPED, key)
            elif verb == RECALL and key not in held: say(RELEASE, key)
            elif verb == RESYNC and link: hello()  # one at a time
    if time.monotonic() - heard > 7 * beat:  # silent for lost_ms: a fresh connection
        socket.close(0); socket = connect(); heard = time.monotonic(); hello()
    elif not link and time.monotonic() > hello_at + 1: hello()  # refused: the broker is starting
    elif time.monotonic() > next_beat: say(BEAT); next_beat = time.monotonic() + beat
say(BYE); socket.close()
