"""relais submit, get, list, cancel, retry, explain, stats: for people, and --json for programs."""
import json
import pathlib
import re
import subprocess
import time

import pytest
from commands import Shell, queue
from conftest import RELAIS

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def shell(relais):
    return Shell(relais)


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


def test_submit_prints_the_number_and_get_shows_the_task(shell):
    name = queue()
    number = int(shell.ok("submit", name, "kind", "the payload", "--priority=high"))
    page = shell.ok("get", str(number))
    assert page.startswith(f"task {number}: queued, place 1\n"), page
    for part in (name, "kind", "high", "the payload"):
        assert part in page, page
    task = shell.get(number)
    assert task["queue"] == name and task["payload"] == "the payload"
    assert task["status"] == "queued" and task["priority"] == "high" and task["place"] == 1


def test_submit_reads_stdin_and_bytes_come_back_as_base64(shell):
    number = int(shell.ok("submit", queue(), "t", "-", input=b"\xff\x00bin"))
    assert shell.get(number)["payload_base64"] == "/wBiaW4="


def test_submit_as_json(shell):
    answer = json.loads(shell.ok("submit", queue(), "--json"))
    assert shell.get(answer["id"])["type"] == ""


def test_a_key_gives_the_same_task_and_refuses_another(shell):
    name = queue()
    first = shell.ok("submit", name, "t", "a", "--key", name)
    assert shell.ok("submit", name, "t", "a", "--key", name) == first
    other = shell.run("submit", name, "t", "b", "--key", name)
    assert other.returncode == 1 and b"IDEMPOTENCY_CONFLICT" in other.stderr


def test_a_delay_schedules(shell):
    task = shell.get(int(shell.ok("submit", queue(), "--delay=1h")))
    assert task["status"] == "scheduled" and task["due_at"] > task["created_at"]


def test_list_pages_counts_and_filters(shell):
    name = queue()
    numbers = [shell.submit(name, "t", str(i)) for i in range(25)]
    listed = rows(shell.ok("list", "--queue", name, "--json", "--limit=200", "--oldest"))
    assert [task["id"] for task in listed] == numbers
    newest = rows(shell.ok("list", "--queue", name, "--json", "--limit=3"))
    assert [task["id"] for task in newest] == numbers[:-4:-1]
    assert shell.ok("list", "--queue", name, "--count").strip() == "25"
    shell.ok("cancel", str(numbers[7]))
    cancelled = rows(shell.ok("list", "--queue", name, "--status=cancelled", "--json"))
    assert [task["id"] for task in cancelled] == [numbers[7]]
    page = shell.ok("list", "--queue", name, "--limit=2").splitlines()
    assert page[0].split()[:2] == ["ID", "STATUS"] and len(page) == 3


def test_list_queues_and_workers(shell, work):
    name = queue()
    work(name, "cat", flags=("--name", name))
    shell.ended(shell.submit(name))
    assert any(name in json.dumps(row) for row in rows(shell.ok("list", "queues", "--limit=1000")))
    assert any(name in json.dumps(row) for row in rows(shell.ok("list", "workers", "--limit=1000")))


def test_cancel_and_retry(shell, work):
    name = queue()
    number = shell.submit(name, "t", "again")
    cancelled = json.loads(shell.ok("cancel", str(number), "--reason", "changed my mind", "--json"))
    assert cancelled["status"] == "cancelled" and shell.get(number)["run"] == 1
    assert shell.run("cancel", str(number)).returncode == 1
    retried = json.loads(shell.ok("retry", str(number), "--json"))
    assert retried["status"] == "queued" and retried["run"] == 2 and retried["retry_count"] == 1
    work(name, "cat")
    assert shell.ended(number)["result"] == "again"


def test_get_waits_and_prints_the_result_alone(shell, work):
    name = queue()
    number = shell.submit(name, "t", "shout")
    waiting = shell.run("get", str(number), "--result")
    assert waiting.returncode == 1 and waiting.stdout == b"" and b"queued" in waiting.stderr
    work(name, "tr", "a-z", "A-Z")
    assert shell.ok("get", str(number), "--wait=60s", "--result") == "SHOUT"


def test_submit_waits_for_the_end(shell, work):
    name = queue()
    work(name, "cat")
    task = json.loads(shell.ok("submit", name, "t", "x", "--keep=1h", "--wait=60s", "--json"))
    assert task["status"] == "completed" and task["result"] == "x"


def test_submit_that_waits_keeps_the_task_until_it_was_shown(shell, work):
    name = queue()
    work(name, "cat")
    task = json.loads(shell.ok("submit", name, "t", "x", "--wait=60s", "--json"))
    assert task["status"] == "completed" and task["result"] == "x"


def test_submit_that_waits_too_short_shows_the_task_as_it_stands(shell):
    done = shell.run("submit", queue(), "t", "x", "--keep=1h", "--wait=1", "--json")
    assert done.returncode == 1 and b"has not ended yet" in done.stderr, done
    assert json.loads(done.stdout)["status"] == "queued"


def test_submit_that_waits_for_a_task_not_kept_says_so(shell, work):
    name = queue()
    work(name, "cat")
    done = shell.run("submit", name, "t", "x", "--keep=none", "--wait=60s")
    assert done.returncode == 1 and b"was not kept" in done.stderr, done


def test_submit_sorts_labels(shell):
    task = shell.get(int(shell.ok("submit", queue(), "--labels=b=1,a-b=2,a=3")))
    assert task["labels"] == "a=3,a-b=2,b=1"


def test_rows_have_names(shell, work):
    name = queue()
    work(name, "cat", flags=(f"--name={name}-worker",))
    number = shell.submit(name)
    shell.ended(number)
    found = {row["queue"]: row for row in rows(shell.ok("list", "queues", "--limit=1000"))}
    assert found[name]["tasks_by_status"][6] == 1 and found[name]["paused"] is False
    assert f"{name}-worker" in {row["name"] for row in rows(shell.ok("list", "workers"))}
    assert rows(shell.ok("list", "log", f"--id={number}")) == []


def test_explain_names_the_gate_that_is_shut(shell, work):
    name = queue()
    number = shell.submit(name, "t", "", "--labels=language=fr")
    answer = json.loads(shell.ok("explain", str(number), "--json"))
    gates = {gate["gate"]: gate for gate in answer["gates"]}
    assert gates["state"]["state"] == "open" and gates["workers"]["state"] == "shut"
    work(name, "cat", flags=("--label=language=en",))
    waits, page, until = [], "", time.monotonic() + 60
    while not waits or waits[0].split()[1] != "labels":
        assert time.monotonic() < until, page
        page = shell.ok("explain", str(number))
        waits = [line for line in page.splitlines() if line.endswith("<- waits here")]
    assert "language=fr" in waits[0] and waits[0].startswith("x "), page


def test_stats_are_names_and_numbers(shell):
    counters = json.loads(shell.ok("stats", "--json"))
    assert counters and all(isinstance(name, str) for name in counters)
    page = shell.ok("stats")
    assert len(page.splitlines()) == len(counters)


def test_unknown_tasks_fail_with_a_code(shell):
    for command in ("get", "cancel", "retry", "explain"):
        done = shell.run(command, str(2**52 + 12345))
        assert done.returncode == 1 and b"UNKNOWN_TASK" in done.stderr, (command, done)


@pytest.mark.parametrize("line", [
    ["get"], ["get", "x"], ["get", "1", "2"], ["get", "0"], ["get", "1", "--bogus"], ["submit"],
    ["submit", "q", "--delay=soon"], ["submit", "q", "--priority=urgent"], ["list", "--status=odd"],
    ["submit", "q", "--labels=a"], ["submit", "q", "--keep=long"], ["list", "nothing"],
    ["list", "log"],
    ["cancel"], ["retry"], ["explain"], ["stats", "word"], ["bench"], ["bench", "nothing"],
    ["bench", "native", "--batch=0"]])
def test_usage_errors_are_exit_2(shell, line):
    done = shell.run(*line)
    assert done.returncode == 2 and done.stderr and not done.stdout, (line, done)


@pytest.mark.parametrize("flag", ["--help", "-h"])
@pytest.mark.parametrize("command", ["serve", "broker", "gateway", "work", "submit", "get", "list",
                                     "cancel", "retry", "explain", "stats", "bench"])
def test_help_is_exit_0(command, flag):
    done = subprocess.run([RELAIS, command, flag], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout.startswith(f"usage: relais {command}"), done


def test_no_broker_is_exit_1_and_said():
    done = subprocess.run([RELAIS, "get", "1", "--broker", "tcp://127.0.0.1:1"],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "no answer" in done.stderr, done


def options_of(*sections):
    """The flags of option.def, by section."""
    text = (ROOT / "proto/option.def").read_text(encoding="utf-8")
    rows = re.findall(r"^(OPTION|LIMIT|STORE)\((\w+), (\w+)", text, re.M)
    found = {"--" + name.replace("_", "-") for kind, name, second in rows
             if (second if kind == "OPTION" else "BROKER") in sections}
    assert len(found) > 10
    return found


@pytest.mark.parametrize("role, sections", [
    ("serve", ("BASE", "BROKER", "GATEWAY")), ("broker", ("BASE", "BROKER")),
    ("gateway", ("BASE", "GATEWAY")), ("work", ("BASE", "WORK"))])
def test_help_is_short_and_help_all_is_whole(role, sections):
    def flags(*words):
        done = subprocess.run([RELAIS, role, *words], capture_output=True, text=True, timeout=20,
                              check=True)
        found = re.findall(r"^  (--[\w-]+) ", done.stdout, re.M)
        return done.stdout, set(found) - {"--help", "--config"}
    page, some = flags("--help")
    whole, every = flags("--help", "all")
    assert len(page.splitlines()) < 45 and {"--data", "--log-level"} <= some
    assert options_of(*sections) <= every and some <= every
    assert all(f"[{section.lower()}]\n" in whole for section in sections)
    left = len(options_of(*sections) - some)
    assert (f"--help all lists {left} more" in page) == (left > 0)
    assert "--help all lists" not in whole
