"""`relais serve` on real small file systems: what it says and does when there is no room.

They are mounted (tmpfs), which takes root; elsewhere these tests are skipped, and say so.
"""
import os
import re
import subprocess
import time

import pytest

from conftest import SEEN_S, RELAIS, Relais

SMALL = ["--segment-bytes=1M", "--free-bytes-min=2M"]
MORE_THAN_BALLAST = ["--segment-bytes=1M", "--free-bytes-min=40M"]
DEADLINE_S = 60


@pytest.fixture
def disk(tmp_path):
    """Mounts: disk("40m") is a folder with so much room."""
    mounted = []

    def make(size):
        at = tmp_path / f"disk{len(mounted)}"
        at.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(at)],
                              capture_output=True, check=False)
        if done.returncode != 0:
            pytest.skip("no right to mount a small file system")
        mounted.append(at)
        return at

    yield make
    for at in mounted:
        subprocess.run(["umount", str(at)], check=True)


def fill(folder):
    """Takes what is left. Returns the path of the file that did."""
    path = folder / "filler"
    with open(path, "ab", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass
    assert os.statvfs(folder).f_bavail == 0
    return path


def log_of(server):
    with open(server.log.name, encoding="utf-8", errors="replace") as log:
        return log.read()


def seen(server, pattern):
    """The log's text once it has the pattern."""
    until = time.monotonic() + DEADLINE_S
    while not re.search(pattern, log_of(server)):
        assert time.monotonic() < until, log_of(server)
        time.sleep(0.02)
    return log_of(server)


def a_task(server):
    made = server.caller("user", "ann", 1).post("/tasks/", {"task_type": "t"})
    assert made.status_code == 201, made.text
    return made.json()


def start_refused(folder, *flags):
    """What a start that must fail says in its only line."""
    run = subprocess.run([RELAIS, "serve", "--data", str(folder), "--http", "127.0.0.1:0",
                          "--listen", "tcp://127.0.0.1:0", *flags], capture_output=True, text=True,
                         timeout=SEEN_S, check=False)
    assert run.returncode == 1, run
    assert run.stdout == ""
    assert len(run.stderr.splitlines()) == 1, run.stderr
    return run.stderr


@pytest.mark.parametrize("size", ["16k", "300k"])
def test_a_first_start_without_room_says_how_much_it_needs(disk, size):
    said = start_refused(disk(size) / "data")
    assert re.search(r"no room to start: \d+ bytes are free on this disk, 524288 are needed; make "
                     r"room", said), said


def test_a_first_start_without_room_for_a_journal_says_so(disk):
    said = start_refused(disk("5m") / "data")
    assert "16777216 are needed for the journal (segment_bytes); make room" in said


def test_a_start_on_a_disk_that_was_filled_refuses_new_tasks_and_reads_old_ones(disk):
    folder = disk("80m")
    data = folder / "data"
    data.mkdir(mode=0o700)
    server = Relais(*SMALL, data=str(data))
    try:
        task = a_task(server)
    finally:
        assert server.stop() == 0
    (data / "ballast").stat()
    filler = fill(folder)
    server = Relais(*MORE_THAN_BALLAST, data=str(data))
    try:
        ann = server.caller("user", "ann", 1)
        assert ann.get(f"/tasks/{task['id']}/").json()["task_id"] == task["task_id"]
        refused = ann.post("/tasks/", {"task_type": "t"})
        assert refused.status_code == 507
        assert refused.json()["error_code"] == "STORAGE_FULL"
        assert "until room is made" in refused.json()["detail"]
        assert "start with a lower free_bytes_min" in log_of(server)
        filler.unlink()
        until = time.monotonic() + DEADLINE_S
        while ann.post("/tasks/", {"task_type": "t"}).status_code != 201:
            assert time.monotonic() < until
    finally:
        assert server.stop() == 0


def test_a_filled_disk_without_ballast_ends_with_a_sentence_and_loses_nothing(disk):
    folder = disk("40m")
    data = folder / "data"
    data.mkdir(mode=0o700)
    server = Relais(*SMALL, data=str(data))
    try:
        task = a_task(server)
    finally:
        assert server.stop() == 0
    (data / "ballast").unlink()
    filler = fill(folder)
    said = start_refused(data, *SMALL)
    assert "no room to start: 0 bytes are free" in said and "is not lost" in said
    filler.unlink()
    server = Relais(*SMALL, data=str(data))
    try:
        ann = server.caller("user", "ann", 1)
        assert ann.get(f"/tasks/{task['id']}/").json()["task_id"] == task["task_id"]
    finally:
        assert server.stop() == 0


def test_the_first_account_waits_for_room_and_says_why(disk):
    folder = disk("20m")
    data = folder / "data"
    data.mkdir(mode=0o700)
    server = Relais("--segment-bytes=1M", "--free-bytes-min=1G", data=str(data))
    try:
        said = seen(server, "admin could not be made")
        line = next(x for x in said.splitlines() if "admin could not be made" in x)
        assert "start again" in line and "disk is nearly full" in line, line
        assert "does not answer" not in line
    finally:
        assert server.stop() == 0
    server = Relais("--segment-bytes=1M", "--free-bytes-min=64K", data=str(data))
    try:
        seen(server, "first start: account admin, one-time password")
    finally:
        assert server.stop() == 0
