"""A worker of 60 lines, written from PROTOCOL.md alone, against the real broker, with CURVE and
without; and the document's own examples, byte by byte."""
import ast
import pathlib
import re
import subprocess
import sys
import time

import msgpack
import pytest
from conftest import RELAIS, SHORT, Relais, end, free_ports

HERE = pathlib.Path(__file__).resolve().parent
WORKER = HERE / "worker_from_protocol.py"
DOCUMENT = HERE.parents[1] / "proto/PROTOCOL.md"


def start_worker(native, queue, *keys):
    return subprocess.Popen([sys.executable, str(WORKER), native, queue, *keys])


def command(server, *words, keys=(), within_s=120):
    """A client command against the server's task endpoint; its standard output."""
    call = [RELAIS, *words, "--broker", server.native, *keys]
    run = subprocess.run(call, capture_output=True, text=True, timeout=within_s, check=False)
    assert run.returncode == 0, (call, run.stdout, run.stderr)
    return run.stdout


def submit(server, queue, payload, keys=()):
    return command(server, "submit", queue, "shout", payload, "--keep", "1h", keys=keys).strip()


def wait_status(server, task, status, keys=(), within_s=60):
    """The page of `relais get` once it says so."""
    deadline = time.monotonic() + within_s
    while True:
        page = command(server, "get", task, keys=keys)
        if f"task {task}: {status}" in page:
            return page
        assert time.monotonic() < deadline, page
        time.sleep(0.05)


def certificate(server, name, *flags):
    """Registers a CURVE key; its certificate's path, and server, public and secret key."""
    run = subprocess.run([RELAIS, "key", "curve", name, *flags, "--data", server.data],
                         capture_output=True, text=True, timeout=60, check=True)
    path = re.search(r"certificate (\S+)", run.stdout)[1]
    server_key = re.search(r"server (\S+)", run.stdout)[1]
    text = pathlib.Path(path).read_text(encoding="ascii")
    return path, [server_key, re.search(r'public-key = "(.*)"', text)[1],
                  re.search(r'secret-key = "(.*)"', text)[1]]


@pytest.fixture(name="broker")
def make_broker():
    port = free_ports()[0]  # whoever comes back, comes back there
    server = Relais(*SHORT, "--listen", f"tcp://127.0.0.1:{port}", role="broker")
    yield server
    assert server.stop() == 0


def test_it_takes_and_settles_tasks(broker):
    worker = start_worker(broker.native, "loud")
    try:
        tasks = [submit(broker, "loud", f"hello {i}") for i in range(10)]
        bad = submit(broker, "loud", "fail")
        for i, task in enumerate(tasks):
            assert f"HELLO {i}" in wait_status(broker, task, "completed")
        page = wait_status(broker, bad, "failed")
        assert "the payload says so" in page and "attempt    1" in page
    finally:
        assert end(worker) == 0


def test_it_lives_longer_than_the_broker(broker):
    worker = start_worker(broker.native, "loud")
    again = None
    try:
        first = submit(broker, "loud", "before")
        wait_status(broker, first, "completed")
        end(broker.process)
        again = Relais(*SHORT, "--listen", broker.native, role="broker", data=broker.data)
        assert "BEFORE" in wait_status(again, first, "completed")
        second = submit(again, "loud", "after")
        assert "AFTER" in wait_status(again, second, "completed")
    finally:
        assert end(worker) == 0
        if again:
            assert again.stop() == 0


def test_with_curve():
    server = Relais("--curve=always", role="broker")
    path, keys = certificate(server, "client", "--role", "client", "--brand", "1")
    client = ["--curve-file", path, "--broker-key", keys[0]]
    worker_keys = certificate(server, "worker", "--role", "worker", "--brand", "1",
                              "--queue", "loud")[1]
    worker = start_worker(server.native, "loud", *worker_keys)
    try:
        task = submit(server, "loud", "secret", keys=client)
        assert "SECRET" in wait_status(server, task, "completed", keys=client)
        plain = subprocess.run([RELAIS, "submit", "loud", "shout", "x", "--broker", server.native],
                               capture_output=True, text=True, timeout=120, check=False)
        assert plain.returncode == 1, "without a key nobody comes in"
    finally:
        assert end(worker) == 0
        assert server.stop() == 0


def test_the_examples_of_the_document_are_true():
    text = DOCUMENT.read_text(encoding="utf-8")
    frames = re.findall(r"```frame\n([0-9a-f \n]+)\n(\[.*?)\n```", text, re.S)
    assert len(frames) == text.count("```frame") >= 10
    for raw, words in frames:
        assert msgpack.unpackb(bytes.fromhex(raw)) == ast.literal_eval(words)


def test_every_verb_is_described():
    table, rest = DOCUMENT.read_text(encoding="utf-8").split("<!-- end -->", 1)
    for verb in re.findall(r"(?m)^\| `(\w+)` \| \d+", table.split("<!-- table:verbs -->")[1]):
        assert f"**{verb}**" in rest or f"| {verb} |" in rest or f"{verb} [" in rest, verb
