"""Power cuts. kill -9 cannot show what was never written out: the page cache outlives a process.
Here the data folder lies on an ext4 of its own, in an image on a loop device.

snapshot  the server is stopped, the image is copied, and the copy is mounted: what ext4 had not
          handed to its device by then is gone
shutdown  the file system is shut down under the running server, without writing its journal out;
          the server can only fail from there on

Either way a server on what is left must know all that was acknowledged, outcomes included. At full
length the same is tried once with fsync made to do nothing, which must lose something: a test that
cannot fail would show nothing."""
import fcntl
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import time

import pytest

from ground import CHAOS, RELEASE, Load, Server, ids_acknowledged, tasks_at_the_end
from history import check, report

pytest_plugins = ["stage"]  # server, load, say

CUTS = 6 if CHAOS else 1
IMAGE_BYTES = 192 << 20
SHUTDOWN, WITHOUT_JOURNAL = 0x8004587D, 2
BLIND = """
int fsync(int fd) { (void)fd; return 0; }
int fdatasync(int fd) { (void)fd; return 0; }
int sync_file_range(int fd, long long at, long long n, unsigned f)
{ (void)fd; (void)at; (void)n; (void)f; return 0; }
"""


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


class Disk:
    """Images of one folder, each mounted beside them; all is undone by close()."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="relais-power-"))
        self.mounted = []

    def image(self, name):
        path = self.folder / name
        with open(path, "wb") as file:
            file.truncate(IMAGE_BYTES)
        made = run("mkfs.ext4", "-q", "-F", str(path))
        assert made.returncode == 0, made.stderr
        return path

    def mount(self, image):
        """Where it is mounted; or why it cannot be."""
        where = self.folder / (image.name + ".mounted")
        where.mkdir()
        made = run("mount", "-o", "loop", str(image), str(where))
        if made.returncode:
            return None, made.stderr.strip()
        self.mounted.append(where)
        return where, None

    def unmount(self, where):
        assert run("umount", str(where)).returncode == 0
        self.mounted.remove(where)
        where.rmdir()

    def close(self):
        for where in self.mounted:
            if run("umount", str(where)).returncode:
                run("umount", "-l", str(where))
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def disk(say):
    why = None
    if os.geteuid() != 0:
        why = "not root"
    elif not shutil.which("mkfs.ext4"):
        why = "mkfs.ext4 is missing"
    if not why:
        disk = Disk()
        where, why = disk.mount(disk.image("try"))
        if where:
            disk.unmount(where)
        else:
            disk.close()
    if why:
        say(f"power cuts: skipped, no loop mount here ({why})")
        pytest.skip(why)
    yield disk
    disk.close()


def cut_by_snapshot(disk, image, server):
    """The copy, as it would be found after a power cut."""
    os.kill(server.process.pid, 19)
    copy = disk.folder / (image.name + ".copy")
    assert run("cp", "--sparse=always", str(image), str(copy)).returncode == 0
    return copy


def cut_by_shutdown(disk, image, server):
    where = disk.folder / (image.name + ".mounted")
    folder = os.open(where, os.O_RDONLY)
    try:
        fcntl.ioctl(folder, SHUTDOWN, struct.pack("I", WITHOUT_JOURNAL))
    finally:
        os.close(folder)
    time.sleep(0.2)  # what it says from now on must be no acknowledgement
    server.process.kill()
    server.process.wait()
    disk.unmount(where)
    return image


def one_cut(disk, name, cut, blind=None):
    """What is found after one power cut under load, and how much had been acknowledged."""
    image = disk.image(name)
    where, why = disk.mount(image)
    assert where, why
    server = Server(data=str(where / "data"), short=True, preload=blind)
    load = Load(server)
    try:
        load.board.set("level", 1 << 40)
        load.board.set("pace_ms", 20)
        load.begin("producer", "native-producer")
        load.begin("http-producer", "http-producer")
        load.begin("worker", "native")
        load.wait_for(lambda: load.board.sum("settled") > 200, 60, "tasks settled")
        time.sleep(load.random.uniform(0.1, 1.0))
        left = cut(disk, image, server)
        time.sleep(0.1)  # acknowledgements that were under way
        load.stop()
        histories = load.read()
    finally:
        load.stop()
        server.process.kill()
        server.stop()
    again, why = disk.mount(left)
    assert again, why
    survivor = Server(data=str(again / "data"), short=True)
    try:
        found, counts = check(histories, tasks_at_the_end(survivor, ids_acknowledged(histories)))
    finally:
        survivor.stop()
        for folder in {again, where} & set(disk.mounted):
            disk.unmount(folder)
    found["unended"] = []  # nothing was drained
    return found, counts


def test_what_was_acknowledged_survives_power_cuts(disk, say):
    kinds = (("snapshot", cut_by_snapshot), ("shutdown", cut_by_shutdown))
    for number in range(CUTS):
        kind, cut = kinds[number % len(kinds)]
        found, counts = one_cut(disk, f"{kind}{number}", cut)
        say(f"power cut by {kind}: {counts['submit acknowledged']} submits and"
            f" {counts['done accepted']} outcomes were acknowledged,"
            f" {counts['task at the end']} tasks found; lost={len(found['lost'])}")
        assert counts["submit acknowledged"] > 100 and counts["done accepted"] > 100
        assert not any(found.values()), "\n" + report(found, counts)


@pytest.mark.skipif(not CHAOS or not RELEASE, reason="at full length, without a sanitizer")
def test_without_fsync_a_power_cut_loses_something(disk, say):
    source, library = disk.folder / "blind.c", disk.folder / "blind.so"
    source.write_text(BLIND)
    made = run(os.environ.get("CC", "gcc"), "-shared", "-fPIC", "-o", str(library), str(source))
    assert made.returncode == 0, made.stderr
    found, counts = one_cut(disk, "blind", cut_by_shutdown, str(library))
    say(f"power cut with fsync made to do nothing: {counts['submit acknowledged']} submits were"
        f" acknowledged, lost={len(found['lost'])}")
    assert found["lost"], "this test could not have failed"
