"""The broker's answers to HELLO and BEAT carry the request's number in their frame, for a worker
measures the broker's silence by the beats that were answered."""
import msgpack
import zmq
from commands import Shell, queue

HELLO, BEAT, BYE, WELCOME = 1, 2, 3, 64


def ask(socket, verb, number, link, item):
    socket.send(msgpack.packb([verb, number, link, [item]]))
    assert socket.poll(60000), "no answer"
    return msgpack.unpackb(socket.recv())


def test_welcome_and_beat_carry_the_request_number(relais):
    socket = zmq.Context.instance().socket(zmq.DEALER)
    try:
        socket.connect(relais.native)
        answer = ask(socket, HELLO, 41, 0, [{"version": 1, "kind": "client", "boot": 9}])
        assert answer[:2] == [WELCOME, 41], answer
        link = answer[3][0][0]["link"]
        for number in (42, 1000, 2**40):
            assert ask(socket, BEAT, number, link, [])[:3] == [BEAT, number, link]
    finally:
        socket.close(0)


def test_each_of_several_beats_gets_its_own_number(relais):
    socket = zmq.Context.instance().socket(zmq.DEALER)
    try:
        socket.connect(relais.native)
        welcome = ask(socket, HELLO, 1, 0, [{"version": 1, "kind": "client", "boot": 9}])
        link = welcome[3][0][0]["link"]
        for number in range(2, 12):
            socket.send(msgpack.packb([BEAT, number, link, [[]]]))
        heard = []
        while len(heard) < 10:
            assert socket.poll(60000), heard
            heard.append(msgpack.unpackb(socket.recv())[1])
        assert heard == list(range(2, 12))
    finally:
        socket.close(0)


def test_clients_that_say_bye_make_room_at_once(relais_with):
    """More connections one after the other than may be open at once."""
    server = relais_with("--links-max=16", role="broker")
    for number in range(1, 200):
        socket = zmq.Context.instance().socket(zmq.DEALER)
        socket.linger = 1000
        try:
            socket.connect(server.native)
            hello = [{"version": 1, "kind": "client", "boot": number}]
            answer = ask(socket, HELLO, 1, 0, hello)
            assert answer[0] == WELCOME, (number, answer)
            socket.send(msgpack.packb([BYE, 0, answer[3][0][0]["link"], [[]]]))
        finally:
            socket.close()


def test_hello_after_bye_over_the_same_connection_makes_a_new_link(relais):
    socket = zmq.Context.instance().socket(zmq.DEALER)
    try:
        socket.connect(relais.native)
        links = []
        for number in (1, 2):
            hello = [{"version": 1, "kind": "client", "boot": 7}]
            links.append(ask(socket, HELLO, number, 0, hello)[3][0][0]["link"])
            socket.send(msgpack.packb([BYE, 0, links[-1], [[]]]))
        assert links[0] != links[1]
    finally:
        socket.close(0)


def test_a_link_that_is_answered_is_never_in_doubt(relais_with, work_at):
    """A worker keeps its link and what runs, however long: here twice as long as it takes to be in
    doubt."""
    server = relais_with("--beat-ms=200", "--suspect-ms=3000", "--doubt-ms=4000", "--lost-ms=5000")
    shell, where = Shell(server), queue()
    work_at(server, where, "sh", "-c", "sleep 8; echo whole",
            flags=["--on-doubt=stop", "--concurrency=2"])
    number = shell.submit(where)
    task = shell.ended(number)
    assert (task["status"], task["result"], task["attempt"]) == ("completed", "whole\n", 1), task
