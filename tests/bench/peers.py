"""peers - the servers beside which relais is measured, and the programs that load them.

Every server is started on a free port of loopback with a folder of its own, and ended by its
process id; the kernel ends it, too, should this program die first (RabbitMQ's, which forks, is
ended by the number it wrote down).
"""
import contextlib
import ctypes
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent / "peers"
# program: the packages without which it is left out, and what must then be there
NEEDS = {"redis": ("redis-server libhiredis-dev", "redis-server", "p_redis"),
         "beanstalkd": ("beanstalkd", "beanstalkd", "p_beanstalkd"),
         "rabbitmq": ("rabbitmq-server librabbitmq-dev", "rabbitmqctl", "p_rabbitmq"),
         "nats": ("nats-server libnats-dev", "nats-server", "p_nats"),
         "gearmand": ("gearman-job-server libgearman-dev", "gearmand", "p_gearman"),
         "hello": ("libmicrohttpd-dev", "true", "hello"),
         "bare": ("libzmq3-dev", "true", "bare"), "raw": ("gcc", "true", "raw")}
STARTED_S, STOPPED_S = 60, 30


def owner(server):
    return server.split("-")[0]


def build(names):
    """The load programs that can be built and whose servers are there; the others are said."""
    there = []
    for name in names:
        packages, server, program = NEEDS[name]
        made = shutil.which(server) and subprocess.run(
            ["make", "-s", "-C", HERE, program], stderr=subprocess.DEVNULL,
            check=False).returncode == 0
        if made:
            there.append(name)
        else:
            print(f"skipped: {name}: it takes {packages}", flush=True)
    return there


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def die_with_us():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def nats_command(folder, port):
    config = pathlib.Path(folder) / "nats.conf"
    config.write_text(f"port: {port}\nhost: 127.0.0.1\njetstream {{ store_dir: \"{folder}/js\", "
                      "max_memory_store: 4GB, max_file_store: 8GB }\n", encoding="utf-8")
    return ["nats-server", "-c", str(config), "-l", f"{folder}/log"]


def redis_command(*flags):
    return lambda folder, port: ["redis-server", "--port", str(port), "--bind", "127.0.0.1",
                                 "--dir", folder, "--save", "", *flags]


def beanstalkd_command(*flags):
    return lambda folder, port: ["beanstalkd", "-l", "127.0.0.1", "-p", str(port),
                                 *[flag.format(folder) for flag in flags]]


def gearmand_command(*flags):
    return lambda folder, port: ["gearmand", "-p", str(port), "-L", "127.0.0.1", "-l",
                                 f"{folder}/log", "-P", f"{folder}/pid",
                                 *[flag.format(folder) for flag in flags]]


COMMANDS = {
    "redis-none": redis_command(),
    "redis-always": redis_command("--appendonly", "yes", "--appendfsync", "always"),
    "beanstalkd": beanstalkd_command(),
    "beanstalkd-f0": beanstalkd_command("-b", "{}", "-f0"),
    "beanstalkd-f1m": beanstalkd_command("-b", "{}", "-F"),
    "nats": nats_command,
    "gearmand": gearmand_command(),
    "gearmand-sqlite": gearmand_command("-q", "libsqlite3", "--libsqlite3-db={}/q.db"),
    "hello": lambda folder, port: [str(HERE / "hello"), str(port)],
}


class Rabbit:
    """RabbitMQ: a script that forks, a node name, and epmd, which stays unless it is ended."""

    def __init__(self, folder, port):
        self.pid, self.file = 0, pathlib.Path(folder) / "pid"
        (pathlib.Path(folder) / "home").mkdir(exist_ok=True)
        self.env = dict(os.environ, HOME=f"{folder}/home", RABBITMQ_NODENAME="bench@localhost",
                        NODENAME="bench@localhost", RABBITMQ_NODE_IP_ADDRESS="127.0.0.1",
                        RABBITMQ_NODE_PORT=str(port), RABBITMQ_DIST_PORT=str(free_port()),
                        RABBITMQ_MNESIA_BASE=f"{folder}/mnesia", RABBITMQ_LOG_BASE=f"{folder}/log",
                        RABBITMQ_PID_FILE=str(self.file), ERL_EPMD_ADDRESS="127.0.0.1",
                        RABBITMQ_ENABLED_PLUGINS_FILE=f"{folder}/plugins",
                        RABBITMQ_CONFIG_FILE=f"{folder}/none", ERL_EPMD_PORT=str(free_port()))
        self.epmd = None

    def start(self):
        self.file.unlink(missing_ok=True)
        if self.epmd is None:
            self.epmd = subprocess.Popen(["epmd"], env=self.env, preexec_fn=die_with_us,
                                         stderr=subprocess.DEVNULL)
            await_port(int(self.env["ERL_EPMD_PORT"]), self.epmd)
        self.shell = subprocess.Popen(["/usr/lib/rabbitmq/bin/rabbitmq-server"], env=self.env,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                      preexec_fn=die_with_us)
        until = time.monotonic() + STARTED_S
        while time.monotonic() < until and self.shell.poll() is None:
            with contextlib.suppress(OSError, ValueError):
                self.pid = int(self.file.read_text())
                return
            time.sleep(0.01)
        raise RuntimeError("RabbitMQ does not start")

    def end(self, number):
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)
        end(self.shell, number)
        until = time.monotonic() + STOPPED_S
        while self.pid and os.path.exists(f"/proc/{self.pid}") and time.monotonic() < until:
            time.sleep(0.01)
        self.pid = 0

    def close(self):
        self.end(signal.SIGTERM)
        if self.epmd:
            end(self.epmd, signal.SIGTERM)


class Daemon:
    """Any other server: one process in the foreground."""

    def __init__(self, command):
        self.command, self.process, self.pid = command, None, 0

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, preexec_fn=die_with_us)
        self.pid = self.process.pid

    def end(self, number):
        end(self.process, number)

    def close(self):
        if self.process:
            end(self.process, signal.SIGTERM)


def end(process, number):
    process.send_signal(number)
    try:
        process.wait(STOPPED_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def await_port(port, process=None):
    until = time.monotonic() + STARTED_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        if process is not None and process.poll() is not None:
            break
        time.sleep(0.005)
    raise RuntimeError(f"nothing listens on port {port}")


@contextlib.contextmanager
def running(server):
    """(server, port, folder) while it runs."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", ignore_cleanup_errors=True) as folder:
        port = free_port()
        daemon = Rabbit(folder, port) if server == "rabbitmq" else \
            Daemon(COMMANDS[server](folder, port))
        try:
            daemon.start()
            await_port(port, getattr(daemon, "process", None))
            yield daemon, port
        finally:
            daemon.close()


def parse(text):
    """The line of a load program (common.h) as a row."""
    found = dict(re.findall(r"(\w+)=([\d.]+)\b", text))
    row = {key: float(found[name]) for name, key in
           [("rate", "rate"), ("srv_cpu", "server_cpu"), ("cli_cpu", "client_cpu"),
            ("kb_per_conn", "idle_kb"), ("ready_s", "ready_s")] if name in found}
    for name, key in (("enq", "ack"), ("recv", "worker"), ("acked", "settled")):
        times = re.search(name + r"_us p50=([\d.]+) p99=([\d.]+)", text)
        if times:
            row[f"{key}_p50_us"], row[f"{key}_p99_us"] = map(float, times.groups())
    memory = re.search(r"rss_mb=(?:[\d.]+->)?([\d.]+)", text)
    if memory:
        row["rss_mb"] = float(memory[1])
    return None if "INCOMPLETE" in text or not row else row


def load(server, port, pid, command, seconds, timeout=240):
    """One run of a peer's load program against its running server. None when it failed."""
    arguments = command.split()
    if arguments[0] == "redis-benchmark":
        return redis_benchmark(port, arguments[1:], seconds)
    program = HERE / NEEDS[owner(server)][2]
    words = [program, f"port={port}", f"pid={pid}", f"dur={server}", f"secs={seconds}",
             *arguments]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=timeout, check=False,
                              preexec_fn=die_with_us)
    except subprocess.TimeoutExpired:
        print(f"  {server}: {command}: took too long", flush=True)
        return None
    row = parse(done.stdout)
    if done.returncode != 0 or row is None:
        print(f"  {server}: {command}: {done.stdout}{done.stderr}", flush=True)
        return None
    return row


def redis_benchmark(port, arguments, seconds):
    """Redis's own load tool, one thread: it takes a number of requests, so a short look first."""
    flags = ["redis-benchmark", "-p", str(port), *arguments[:-1], "-q", "--csv"]
    rate, count = 0.0, 20_000
    for _ in range(2):
        done = subprocess.run([*flags, "-n", str(count), "XADD", "q", "*", "d", "x" * 100],
                              capture_output=True, text=True, timeout=120, check=False)
        cells = re.findall(r'"([\d.]+)"', done.stdout.splitlines()[-1] if done.stdout else "")
        if done.returncode != 0 or not cells:
            print(f"  redis-benchmark: {done.stdout}{done.stderr}", flush=True)
            return None
        rate = float(cells[0])
        count = max(20_000, int(rate * seconds))
    return {"rate": rate, "p50_us": float(cells[3]) * 1000, "p99_us": float(cells[5]) * 1000}


def stock(server, options, keeps, count):
    """Memory with so many queued, and the time until a server that was killed is ready again."""
    with running(server) as (daemon, port):
        row = load(server, port, daemon.pid,
                   f"{options} mode=fill depth=1000 n={count}".strip(), 90)
        if row is None or not keeps:
            return row
        time.sleep(3)  # what it writes late is written
        daemon.end(signal.SIGKILL)
        began = time.time_ns()
        daemon.start()
        # as many as were filled: every producer's share is rounded down
        again = load(server, port, daemon.pid, f"{options} mode=wait n={count} t0={began}".strip(),
                     90)
        if again:
            row["ready_ms"] = again["ready_s"] * 1000
        return row


def idle(server, options, conns=1000):
    with running(server) as (daemon, port):
        return load(server, port, daemon.pid, f"{options} mode=idle conns={conns}".strip(), 60)


def raw(command):
    done = subprocess.run([HERE / "raw", *command.split()], cwd=HERE, capture_output=True,
                          text=True, timeout=120, check=False)
    times = re.search(r"p50=([\d.]+).* p99=([\d.]+)", done.stdout)
    if done.returncode != 0 or not times:
        return None
    return {"p50_us": float(times[1]), "p99_us": float(times[2])}


def bare(count):
    """What each of so many waiting DEALERs takes of a ROUTER's process."""
    done = subprocess.run([HERE / "bare", str(count)], capture_output=True, text=True, timeout=120,
                          check=False, preexec_fn=die_with_us)
    found = dict(re.findall(r"(\w+)=([\d.]+)", done.stdout))
    return {key: float(value) for key, value in found.items()} or None


def resident_kb(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(re.search(r"VmRSS:\s*(\d+)", status)[1])


def suspended(count):
    """What each of so many suspended connections takes of libmicrohttpd."""
    with running("hello") as (daemon, port):
        before, lines = resident_kb(daemon.pid), []
        try:
            for _ in range(count):
                lines.append(socket.create_connection(("127.0.0.1", port)))
                lines[-1].sendall(b"GET /wait HTTP/1.1\r\nHost: here\r\n\r\n")
            time.sleep(0.5)  # the last of them are taken
            return {"waiting_kb": (resident_kb(daemon.pid) - before) / count}
        finally:
            for line in lines:
                line.close()


def dd(mega_bytes):
    """A file of so many MiB written with fsync and read again, with dd."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder, \
            tempfile.NamedTemporaryFile(dir="/dev/shm") as source:
        source.write(os.urandom(1 << 20) * mega_bytes)
        source.flush()
        row, size = {}, mega_bytes * (1 << 20) / 1e6
        for name, words in [
                ("up", [f"if={source.name}", f"of={folder}/file", "conv=fsync"]),
                ("down", [f"if={folder}/file", "of=/dev/null"])]:
            from_ns = time.monotonic_ns()
            done = subprocess.run(["dd", "bs=1M", "status=none", *words], check=False)
            row[name] = (time.monotonic_ns() - from_ns) / 1e9
            if done.returncode != 0:
                return None
    return {"up_mb_s": size / row["up"], "down_mb_s": size / row["down"],
            "mb_s": 2 * size / (row["up"] + row["down"])}
