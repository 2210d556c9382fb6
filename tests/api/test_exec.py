"""relais work: what a command is given, what becomes of what it says, and how it ends."""
import contextlib
import functools
import json
import os
import signal
import subprocess
import time

import pytest
from commands import Shell, gone, queue
from conftest import RELAIS, end


@pytest.fixture
def shell(relais):
    return Shell(relais)


@pytest.fixture
def run(shell, work):
    """Runs one payload through a bash script and returns the ended task."""

    def through(script, payload="", *flags, worker=()):
        name = queue()
        work(name, "bash", "-c", script, flags=worker)
        return shell.ended(shell.submit(name, "t", payload, *flags))

    return through


def written(mark):
    """What a command wrote into the file that it moved there."""
    until = time.monotonic() + 60
    while not mark.exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    return mark.read_text()


def test_payload_comes_on_stdin_and_stdout_is_the_result(run):
    task = run("tr a-z A-Z", "hello")
    assert task["status"] == "completed" and task["result"] == "HELLO"


def test_the_environment_names_the_task(run):
    task = run('echo "$RELAIS_TASK_ID $RELAIS_ATTEMPT $RELAIS_EPOCH $RELAIS_TASK_TYPE"')
    number, attempt, epoch, kind = task["result"].split()
    assert int(number) == task["id"] and int(epoch) == task["epoch"]
    assert attempt == "1" and kind == "t"


def test_a_result_file_takes_the_place_of_stdout(run):
    assert run('echo noise; echo result > "$RELAIS_RESULT_FILE"')["result"] == "result\n"


def test_input_file_gives_a_path(run):
    task = run('cat "$1"; wc -c', "payload", worker=("--input=file",))
    assert task["status"] == "completed", task


def test_input_file_path_is_the_last_argument(shell, work):
    name = queue()
    work(name, "cat", flags=("--input=file",))
    assert shell.ended(shell.submit(name, "t", "by path"))["result"] == "by path"


def test_an_exit_status_fails_with_the_last_line_of_stderr(run):
    task = run("echo first >&2; echo last >&2; exit 3", "", "--no-retry")
    assert task["status"] == "failed" and task["message"] == "exit 3: last"


def test_a_permanent_exit_status_is_not_retried(run):
    task = run("exit 65", "", "--retries=5")
    assert task["status"] == "failed" and task["reason"] == "permanent" and task["attempt"] == 1


def test_other_exit_statuses_are_retried(run):
    task = run('[ "$RELAIS_ATTEMPT" = 2 ] || exit 75; echo twice', "", "--retries=3")
    assert task["status"] == "completed" and task["attempt"] == 2 and task["result"] == "twice\n"


def test_permanent_statuses_can_be_named(run):
    task = run("exit 7", "", "--retries=5", worker=("--permanent=7",))
    assert task["reason"] == "permanent" and task["attempt"] == 1


def test_a_crash_is_told_from_an_exit(run):
    task = run("kill -SEGV $$", "", "--no-retry")
    assert task["status"] == "failed" and task["message"].startswith("signal 11")


def test_too_much_output_fails_for_good(run):
    task = run("yes", "", "--retries=5", worker=("--output-bytes-max=100000",))
    assert task["status"] == "failed" and task["message"] == "output over 100000 bytes"
    assert task["attempt"] == 1


def test_a_large_result_becomes_a_file(shell, work):
    name = queue()
    work(name, "bash", "-c", "head -c 300000 /dev/zero | tr '\\0' x")
    number = shell.submit(name)
    assert shell.ended(number)["status"] == "completed"
    assert shell.run("get", str(number), "--result").stdout == b"x" * 300000


def test_noise_on_fd_3_does_no_harm(shell, work, tmp_path):
    name, gate = queue(), tmp_path / "gate"
    os.mkfifo(gate)
    work(name, "bash", "-c", f"""
        echo 'not json' >&3; echo '{{"progress":1,"progress":2}}' >&3; echo >&3
        head -c 20000000 /dev/zero >&3; echo >&3
        echo '{{"progress":42.4}}' >&3; cat {gate}""")
    number = shell.submit(name)
    shell.until(number, lambda task: task["progress"] == 42)
    gate.write_text("still here")
    assert shell.ended(number)["result"] == "still here"


def test_progress_shows_while_the_command_runs(shell, work, tmp_path):
    name, gate = queue(), tmp_path / "gate"
    os.mkfifo(gate)
    work(name, "bash", "-c", f"""echo '{{"progress":30,"message":"thirty"}}' >&3; cat {gate}""")
    number = shell.submit(name)
    task = shell.until(number, lambda task: task["progress"] == 30)
    assert task["status"] == "running" and task["progress_text"] == "thirty"
    gate.write_text("through")
    assert shell.ended(number)["result"] == "through"


def test_a_checkpoint_reaches_the_next_attempt(run):
    task = run("""saved=$RELAIS_CHECKPOINT_DIR/place
        if [ -e "$saved" ]; then echo "from $(cat "$saved")"; exit 0; fi
        echo '{"checkpoint":"place","data":"page 7"}' >&3; exit 75""",
               "", "--retries=3")
    assert task["result"] == "from page 7\n" and task["checkpoint"] == 1


def test_a_source_file_comes_on_stdin_and_as_a_path(shell, work, tmp_path):
    name, source = queue(), tmp_path / "sound.wav"
    source.write_bytes(os.urandom(3_000_000))
    work(name, "bash", "-c", 'cmp - "$RELAIS_SOURCE_FILE" && sha256sum < "$RELAIS_SOURCE_FILE"')
    task = shell.ended(shell.submit(name, "t", "", "--source", str(source)))
    want = subprocess.run(["sha256sum"], stdin=open(source, "rb"), capture_output=True, check=True)
    assert task["result"] == want.stdout.decode()


def test_cancel_ends_the_command(shell, work, tmp_path):
    name, mark = queue(), tmp_path / "pid"
    work(name, "bash", "-c", f"echo $$ > {mark}.new; mv {mark}.new {mark}; sleep 600",
         flags=("--kill-ms=200",))
    number = shell.submit(name)
    shell.running(number)
    pids = written(mark)
    shell.ok("cancel", str(number), "--reason", "enough")
    assert shell.ended(number)["status"] == "cancelled"
    assert gone(int(pids))


def test_the_first_term_finishes_what_runs(shell, work, tmp_path):
    name, gate = queue(), tmp_path / "gate"
    os.mkfifo(gate)
    process = work(name, "bash", "-c", f"cat {gate}")
    number, later = shell.submit(name), shell.submit(name)
    shell.running(number)
    process.send_signal(signal.SIGTERM)
    gate.write_text("done")
    assert process.wait(60) == 0
    assert shell.get(number)["result"] == "done"
    assert shell.get(later)["status"] == "queued" and shell.get(later)["attempt"] == 0


def test_the_second_term_hands_back(shell, work):
    name = queue()
    process = work(name, "sleep", "600")
    number = shell.submit(name)
    shell.running(number)
    for _ in range(100):  # two that arrive at once count as one
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
            break
    assert process.returncode == 0
    task = shell.until(number, lambda task: task["status"] == "queued")
    assert task["crashes"] == 0


def test_a_killed_worker_takes_its_command_along_and_another_goes_on(hasty, work_at, tmp_path):
    shell, work = Shell(hasty), functools.partial(work_at, hasty)
    name, mark = queue(), tmp_path / "pid"
    script = (f'[ "$RELAIS_ATTEMPT" = 1 ] || exec echo second; sleep 600 & '
              f'echo $$ $! > {mark}.new; mv {mark}.new {mark}; wait')
    first = work(name, "bash", "-c", script)
    number = shell.submit(name, "t", "", "--retries=2")
    shell.running(number)
    pids = written(mark)
    end(first, signal.SIGKILL)
    for pid in pids.split():
        assert gone(int(pid)), "the command and what it started end with the worker"
    work(name, "bash", "-c", script)
    task = shell.ended(number)
    assert task["result"] == "second\n" and task["attempt"] == 2


def test_nothing_is_left_in_the_temporary_folder(shell, work, tmp_path, monkeypatch):
    name = queue()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    killed = work(name, "bash", "-c",
                  'mktemp; mkdir -p "$TMPDIR/a/b"; chmod 0 "$TMPDIR/a"; sleep 600')
    shell.running(shell.submit(name, "t", "", "--no-retry"))
    end(killed, signal.SIGKILL)
    assert os.listdir(tmp_path), "a killed worker leaves its folder"
    other = queue()
    process = work(other, "bash", "-c", 'mktemp > /dev/null; mkdir "$TMPDIR/x"; echo "$TMPDIR"')
    task = shell.ended(shell.submit(other))
    assert task["result"].startswith(str(tmp_path))
    assert end(process) == 0
    assert os.listdir(tmp_path) == [], "the next worker removes it, and its own"


def test_concurrency_runs_several_at_once(shell, work, tmp_path):
    name, gate = queue(), tmp_path / "gate"
    os.mkfifo(gate)
    work(name, "bash", "-c", f"cat {gate} > /dev/null; echo $RELAIS_TASK_ID",
         flags=("--concurrency=3",))
    tasks = [shell.submit(name) for _ in range(4)]
    for number in tasks[:3]:
        shell.running(number)
    assert shell.get(tasks[3])["status"] == "queued"
    for number in tasks:
        shell.until(number, lambda task: task["status"] != "queued")
        opened = os.open(gate, os.O_RDWR)
        os.close(opened)
        while shell.get(number)["status"] == "running":
            os.close(os.open(gate, os.O_RDWR))
    for number in tasks:
        assert shell.ended(number)["result"] == f"{number}\n"


def test_a_worker_takes_only_its_types_and_labels(shell, work):
    name = queue()
    work(name, "echo", "audio", flags=("--type=audio", "--label=language=en"))
    video = shell.submit(name, "video")
    french = shell.submit(name, "audio", "", "--labels=language=fr")
    english = shell.submit(name, "audio", "", "--labels=language=en")
    assert shell.ended(english)["result"] == "audio\n"
    assert shell.get(video)["status"] == "queued" and shell.get(french)["status"] == "queued"


@pytest.mark.parametrize("script, status", [("exit 0", "completed"), ("exit 65", "failed")])
def test_submit_that_waits_exits_0_only_when_the_task_completed(shell, work, script, status):
    name = queue()
    work(name, "bash", "-c", script)
    done = shell.run("submit", name, "t", "", "--json", "--wait=60s")
    assert json.loads(done.stdout)["status"] == status
    assert done.returncode == (0 if status == "completed" else 1) and done.stderr == b"", done


@pytest.mark.parametrize("line", [
    ["--queue", "q", "--", "/nonexistent/command"], ["--queue", "q"], ["--", "cat"],
    ["--queue", "q", "--permanent", "x", "--", "cat"], ["--queue", "q", "--bogus", "--", "cat"]])
def test_usage_errors_are_exit_2(relais, line):
    done = subprocess.run([RELAIS, "work", "--broker", relais.native, *line],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and done.stderr.startswith("relais work: "), done
