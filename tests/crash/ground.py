"""ground - what the crash tests stand on: a server that is killed and started again on the same
ports and folder, the processes of the load with their histories, and the state at the end.

RELAIS names the binary, RELAIS_BUILD the folder of the load program. RELAIS_CHAOS=1 asks for full
length and real lease times; otherwise both are short.
"""
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import msgpack

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "api"))
from conftest import QUICK, READY, RELAIS, SEEN_S, SHORT, end, first_line, free_ports  # noqa: E402
from peer import ANSWER, ASK, GET, ROWS, STATS, VIEW, Peer  # noqa: E402

from board import Board  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("RELAIS_BUILD") or pathlib.Path(RELAIS).parent)
LOAD = str(BUILD / "tests/crash/load")
CHAOS = os.environ.get("RELAIS_CHAOS") == "1"
RELEASE = os.environ.get("RELAIS_FLAVOUR", "release") == "release"
# half of all starts; a sanitizer's build, and a machine that does other things, are held to less
READY_S_MAX = 1.0 if CHAOS and RELEASE else 60
BODY, RESULT = 1, 2


class Server:
    """`relais serve` with ports and a folder that outlive it."""

    def __init__(self, *flags, data=None, short=not CHAOS, preload=None):
        self.folder = tempfile.mkdtemp(prefix="relais-crash-")
        self.data = data or self.folder + "/data"
        native, web = free_ports()
        self.native, self.http = f"tcp://127.0.0.1:{native}", f"http://127.0.0.1:{web}"
        self.command = [RELAIS, "serve", "--data", self.data, "--listen", self.native,
                        "--http", f"127.0.0.1:{web}", "--failures-per-min=0",
                        "--log-level=warn", *flags]
        self.command += QUICK + SHORT if short else []
        self.environment = {**os.environ, **({"LD_PRELOAD": preload} if preload else {})}
        self.ready_s = []
        self.process = None
        self.start()

    def start(self):
        begin = time.monotonic()
        with open(self.folder + "/serve.log", "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=log,
                                            env=self.environment)
        line = first_line(self.process, SEEN_S)
        self.ready_s.append(time.monotonic() - begin)
        assert READY.match(line), f"not ready: {line!r}\n{self.log()}"

    def log(self):
        with open(self.folder + "/serve.log", encoding="utf-8", errors="replace") as log:
            return log.read()[-3000:]

    def kill(self):
        code = self.process.poll()
        assert code is None, f"the server ended by itself with {code}\n{self.log()}"
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def signal(self, number):
        os.kill(self.process.pid, number)

    def token(self, role, user):
        run = subprocess.run([RELAIS, "token", "--data", self.data, "--role", role, "--user", user,
                              "--brand", "1"], capture_output=True, text=True, timeout=SEEN_S,
                             check=True)
        return run.stdout.strip()

    def peer(self, kind="client", **hello):
        return Peer(self.native, kind, **hello)

    def stats(self):
        peer = self.peer()
        try:
            verb, item = peer.ask(STATS, [], within_s=60)
            assert verb == ANSWER and item[1] == 0, item
            return msgpack.unpackb(item[2])
        finally:
            peer.close()

    def unended(self):
        stats = self.stats()
        return sum(stats["tasks_" + name] for name in ("scheduled", "queued", "delivered",
                                                       "running", "paused"))

    def stop(self):
        code = end(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)
        return code


def ids_listed(peer):
    """The ids of all tasks, by pages."""
    cursor, ids = None, []
    while True:
        options = {"limit": 1000, "brand": 1, **({"cursor": cursor} if cursor else {})}
        verb, item = peer.ask(ASK, ["tasks", options], within_s=60)
        assert verb == ROWS and item[1] == 0, (verb, item)
        unpacker = msgpack.Unpacker(raw=True, strict_map_key=False)
        unpacker.feed(item[2])
        ids += [row[0] for row in unpacker]
        cursor = item[4]
        if not cursor:
            return ids


def task_read(view):
    """(status, key, result, checkpoint) of a VIEW's array; the zeros at its end are left out."""
    body, result = (view[36:38] + [None, None])[:2]
    checkpoint = view[22] if len(view) > 22 else 0
    key = re.search(rb'"key"\s*:\s*"([^"]*)"', body[1]) if body and len(body) > 1 else None
    key = key[1] if key else body[1] if body and len(body) > 1 else b""
    said = result[1] if result and len(result) > 1 else None
    by = re.search(rb'"by"\s*:\s*"([^"]*)"', said) if said else None
    said = by[1] if by else said
    return view[1], key.decode(), said.decode() if said else None, checkpoint or 0


def tasks_at_the_end(server, ids=()):
    """{id: (status, key, result, checkpoint)} of all that is listed and of those named."""
    peer = server.peer()
    final, asked = {}, sorted({*ids_listed(peer), *ids})
    for start in range(0, len(asked), 200):
        some = asked[start:start + 200]
        number = peer.say(GET, *[[task, BODY | RESULT] for task in some])
        heard = 0
        while heard < len(some):
            frame = peer.hear(60)
            assert frame, f"no answer to GET; {heard} of {len(some)}"
            for item in frame[3] if frame[0] == VIEW else ():
                heard += 1
                if item[1] == 0:
                    final[some[item[0] - number]] = task_read(item[2])
    peer.close()
    return final


def ids_acknowledged(histories):
    return {int(line.split()[4]) for _, lines in histories for line in lines
            if " ok submit " in line and line.endswith("\n")}


class Load:
    """The processes of the load, each killed and replaced at will."""

    def __init__(self, server, queue="load"):
        self.server, self.queue = server, queue
        self.board_file = server.folder + "/board"
        self.board = Board(self.board_file)
        self.histories, self.processes = [], {}
        self.seed = int(os.environ.get("RELAIS_SEED") or random.randrange(1 << 30))
        self.random = random.Random(self.seed)
        self.lives = 0
        self.tokens = {}

    def begin(self, role, name, slots=64):
        """role: a native one of load.h, or http-producer, http-worker."""
        self.lives += 1
        life = f"{name}.{self.lives}"
        place = self.processes[name][1] if name in self.processes else len(self.processes)
        history = f"{self.server.folder}/{life}.history"
        if role.startswith("http-"):
            role = role[5:]
            token = self.tokens.setdefault(name, self.server.token(
                "worker" if role == "worker" else "user", name))
            command = [sys.executable, "-B", str(HERE / "http_load.py"), role, self.server.http,
                       token, history, self.board_file, life, str(place), self.queue, "4"]
            role = "http-" + role
        else:
            command = [LOAD, role, "--endpoint", self.server.native, "--history", history,
                       "--board", self.board_file, "--name", life, "--place", str(place),
                       "--queue", self.queue, "--seed", str(self.random.randrange(1 << 40)),
                       "--slots", str(slots)]
        self.histories.append((life, history))
        self.processes[name] = (subprocess.Popen(command), place, role, slots)

    def kill(self, name):
        """kill -9, and a successor at once."""
        process, _, role, slots = self.processes[name]
        assert process.poll() is None, f"{name} ended by itself with {process.returncode}"
        process.kill()
        process.wait()
        self.begin(role, name, slots)

    def wait_for(self, reached, within_s, what):
        deadline = time.monotonic() + within_s
        while not reached():
            assert time.monotonic() < deadline, (
                f"{what}: not within {within_s} s (seed {self.seed}, {self.server.folder})\n"
                f"{self.server.stats()}\n{self.server.log()}")
            for name, (process, *_) in self.processes.items():
                assert process.poll() is None, f"{name} ended with {process.returncode}"
            time.sleep(0.05)

    def finish(self):
        """All processes leave by themselves."""
        self.board.set("end", 1)
        for name, (process, *_) in self.processes.items():
            assert process.wait(60) == 0, f"{name} ended with {process.returncode}"

    def read(self):
        read = []
        for life, path in self.histories:
            with open(path, encoding="utf-8") as file:
                read.append((life, file.readlines()))
        return read

    def stop(self):
        for process, *_ in self.processes.values():
            end(process, signal.SIGKILL)
