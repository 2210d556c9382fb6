"""hotspots - where a server's threads spend their time during one scenario of `relais bench`.

perf samples the server that the bench started (a child of it); where there is no perf, or it may
not look, a server under callgrind is given the same load, which tells shares but no speed.
"""
import contextlib
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

CONNECT_S = 0.7  # until a scenario's clients are there
TOP = 6          # functions of a thread
THREAD_MIN = 3.0 # per cent of all samples that make a thread worth a line
CALLGRIND = ("native", "enqueue", "latency", "http")


def summarise(cells):
    """(share, thread, function) triples as threads with their top functions, busiest first; all
    shares together are 100."""
    threads, cells = {}, list(cells)
    all_shares = sum(cell[0] for cell in cells)
    for share, thread, function in cells:
        functions = threads.setdefault(thread, {})
        functions[function] = functions.get(function, 0) + share * 100 / all_shares
    said = []
    for name, functions in threads.items():
        whole = sum(functions.values())
        if whole < THREAD_MIN:
            continue
        top = sorted(functions.items(), key=lambda function: -function[1])[:TOP]
        said.append({"thread": name, "share": round(whole, 1),
                     "top": [[function, round(share, 1)] for function, share in top]})
    return sorted(said, key=lambda thread: -thread["share"])


def perf_cells(text):
    """Lines of `perf report -F overhead,comm,dso,symbol -t '|'`. What has no name counts for its
    library."""
    for line in text.splitlines():
        parts = [part.strip() for part in line.split("|", 3)]
        if len(parts) != 4 or not (share := re.fullmatch(r"([\d.]+)%", parts[0])):
            continue
        name = re.sub(r"^\[[.k]\] ", "", parts[3])
        if name.startswith("0x"):
            name = f"({parts[2]})"
        elif parts[3].startswith("[k]"):
            name = f"kernel:{name}"
        yield float(share[1]), parts[1], name


def callgrind_cells(text):
    """Lines of callgrind_annotate: instructions (share) file:function [object]."""
    for line in text.splitlines():
        found = re.match(r"\s*[\d,]+ \(\s*([\d.]+)%\)\s+(?:[^\s:]*:)?(\S.*?)(?: \[(.*)\])?$",
                         line)
        if found and not found[2].startswith("PROGRAM TOTALS"):
            nameless = found[2].startswith("0x") and found[3]
            yield float(found[1]), "all threads", \
                f"({pathlib.Path(found[3]).name})" if nameless else found[2]


def threads_of(pid):
    return [path.read_text().strip() for path in pathlib.Path(f"/proc/{pid}/task").glob("*/comm")]


def servers_of(pid):
    """The `relais serve` that this process started and that have their threads."""
    found = []
    with contextlib.suppress(OSError):
        for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            words = pathlib.Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
            if len(words) > 2 and words[1] == b"serve" and "broker" in threads_of(child):
                found.append(int(child))
    return found


def report(data, *more):
    done = subprocess.run(["perf", "report", "-i", data, "--stdio", "--no-children", "-F",
                           "overhead,comm,dso,symbol", "-t", "|", *more], capture_output=True,
                          text=True, check=False, timeout=120)
    return summarise(perf_cells(done.stdout)) or None


def record(data, *more):
    return ["perf", "record", "-q", "-e", "cpu-clock", "-F", "999", "-o", data, *more]


@contextlib.contextmanager
def quiet(words, env):
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env=env)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def by_perf(binary, words, seconds, env):
    """The server while it works: cpu-clock is there without hardware counters, too."""
    until, servers = time.monotonic() + 20, []
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder, \
            quiet([binary, "bench", *words], env) as bench:
        while not servers and time.monotonic() < until and bench.poll() is None:
            time.sleep(0.02)
            servers = servers_of(bench.pid)
        if not servers:
            return None
        time.sleep(CONNECT_S)
        done = subprocess.run(record(f"{folder}/data", "-p", str(servers[0]), "--", "sleep",
                                     str(seconds)), check=False, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=seconds + 60)
        bench.wait(600)
        return report(f"{folder}/data") if done.returncode == 0 else None


def second_start(binary, words, env):
    """The server that comes after the one that was killed, from its first moment on."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder, \
            quiet(record(f"{folder}/data", "--", binary, "bench", *words), env) as perf:
        servers, until = [], time.monotonic() + 600
        while perf.poll() is None and time.monotonic() < until:
            with contextlib.suppress(OSError):
                children = pathlib.Path(f"/proc/{perf.pid}/task/{perf.pid}/children").read_text()
                for bench in children.split():
                    servers += [pid for pid in servers_of(bench) if pid not in servers]
            time.sleep(0.005)
        return report(f"{folder}/data", f"--pid={servers[-1]}") if len(servers) > 1 else None


def by_callgrind(binary, words, env):
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        server = subprocess.Popen(
            ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={folder}/out", binary,
             "serve", f"--data={folder}/data", "--http=127.0.0.1:0",
             "--listen=tcp://127.0.0.1:0", "--log-level=error"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env)
        try:
            ready = server.stdout.readline()
            while ready and "relais: ready" not in ready:
                ready = server.stdout.readline()
            found = dict(re.findall(r"(http|native)=(\S+)", ready))
            token = subprocess.run([binary, "token", f"--data={folder}/data", "--role=user",
                                    "--user=bench", "--brand=1"], capture_output=True, text=True,
                                   check=False).stdout.strip()
            if "native" not in found:
                return None
            subprocess.run([binary, "bench", *words, "--broker", found["native"], "--http",
                            found["http"], "--token", token], check=False, timeout=300,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(60)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
        said = subprocess.run(["callgrind_annotate", f"{folder}/out"], capture_output=True,
                              text=True, check=False, timeout=120)
    return summarise(callgrind_cells(said.stdout)) or None


def look(binary, words, seconds, env):
    """{"tool", "threads"}, or None where nothing can look."""
    with contextlib.suppress(subprocess.TimeoutExpired, OSError):
        if shutil.which("perf"):
            threads = second_start(binary, words, env) if words[0] == "restart" else \
                by_perf(binary, words, seconds, env)
            if threads:
                return {"tool": "perf", "threads": threads}
        if shutil.which("valgrind") and words[0] in CALLGRIND and \
                (threads := by_callgrind(binary, words, env)):
            return {"tool": "callgrind", "threads": threads}
    return None
