"""What the tests of the commands and the exec worker share: `relais COMMAND`, as users run it."""
import itertools
import json
import os
import subprocess
import time

from conftest import RELAIS

numbers = itertools.count(1)


def queue():
    """A name that no other test uses."""
    return f"q{os.getpid()}-{next(numbers)}"


class Shell:
    """`relais` against one server, as its local client."""

    def __init__(self, server):
        self.server = server

    def run(self, command, *words, **rest):
        rest.setdefault("timeout", 120)
        line = [RELAIS, command, "--broker", self.server.native, *words]
        return subprocess.run(line, capture_output=True, **rest)

    def ok(self, command, *words, **rest):
        done = self.run(command, *words, **rest)
        assert done.returncode == 0, (command, words, done)
        return done.stdout.decode()

    def submit(self, where, kind="t", payload="", *flags, **rest):
        return int(self.ok("submit", where, kind, payload, "--keep=1h", *flags, **rest))

    def get(self, number):
        return json.loads(self.ok("get", str(number), "--json"))

    def ended(self, number, within_s=60):
        task = json.loads(self.ok("get", str(number), "--json", f"--wait={within_s}s"))
        assert task["status"] in ("completed", "failed", "cancelled"), task
        return task

    def until(self, number, reached, within_s=60):
        """Reads the task until `reached(task)`; the newest state is in the failure's text."""
        deadline = time.monotonic() + within_s
        while True:
            task = self.get(number)
            if reached(task):
                return task
            assert time.monotonic() < deadline, task
            time.sleep(0.02)

    def running(self, number):
        return self.until(number, lambda task: task["status"] == "running")


def gone(pid, within_s=60):
    """True once no process of this id runs any more; a zombie runs no more."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
                if stat.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False
