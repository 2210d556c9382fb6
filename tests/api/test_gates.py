"""The gates of `make check` find what they are there for, on a small house of their own."""
import os
import shutil
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@pytest.fixture
def house(tmp_path):
    """A tracked work tree; put(name, text) adds a file, gate(script) runs one there."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)

    class House:
        path = tmp_path

        def put(self, name, text):
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            subprocess.run(["git", "add", name], cwd=tmp_path, check=True)

        def gate(self, script, *arguments):
            run = subprocess.run([os.path.join(ROOT, "scripts", script), *arguments],
                                 cwd=tmp_path, capture_output=True, text=True, check=False)
            assert run.stderr == ""
            return run.returncode, run.stdout

    return House()


def header(name, body):
    guard = "RELAIS_" + name.replace("/", "_").replace(".", "_").upper()
    start = "/* %s - a page. */\n#ifndef %s\n#define %s\n" % (os.path.basename(name), guard, guard)
    return start + body + "#endif\n"


def test_tidy_takes_a_clean_house(house):
    house.put("proto/frame.h", header("proto/frame.h", "int frame_read(void);\n"))
    house.put("proto/frame.c", "int frame_read(void) {\n" + "    x();\n" * 67 + "}\n")
    assert house.gate("tidy")[0] == 0


@pytest.mark.parametrize("name,text,cause", [
    ("a.c", "int f(int a,\n      int b) {\n" + "    x();\n" * 69 + "}\n", "f has 71 lines"),
    ("a.c", "static int x[] = {\n" + "    1,\n" * 80 + "};\nint g(void) {\n"
     + "    x();\n" * 69 + "}\n", "g has 71 lines"),
    ("a.c", "int f(void);\n" * 601, "the file has 601 lines"),
    ("a.c", "int " + "f" * 100 + ";\n", "105 columns"),
    ("a.c", "/* TO" + "DO later */\n", "unfinished work"),
    ("a.c", "int a; \n", "blanks at the end"),
    ("a.c", "\tint a;\n", "a tab"),
    ("a.c", "int a;", "no newline"),
    ("a.h", "#ifndef A_H\n#define A_H\n#endif\n", "manual page"),
    ("a.h", "/* a.h - a page. */\nint a;\n", "guarded"),
    ("broker/task_manager.c", "int a;\n", "noun"),
    ("a.py", "def f():\n" + "    x()\n" * 70, "f has 71 lines"),
    ("scripts/x", "#!/bin/sh\n# " + "f" * 100 + "\n", "102 columns"),
])
def test_tidy_names(house, name, text, cause):
    house.put(name, text)
    code, out = house.gate("tidy")
    assert code == 1 and cause in out


def test_tidy_exempts_tables(house):
    house.put("proto/verb.def", "VERB(%s)\n" % ("f" * 100))
    house.put("tests/bench/peers/p.c", "int a; \n")
    assert house.gate("tidy")[0] == 0


HOUSE = ["proto/message.h", "proto/base/bytes.h", "proto/host/clock.h", "broker/core/core.h",
         "broker/turn.h", "store/store.h", "worker/session.h", "worker/relais.h",
         "gateway/http.h", "command.h"]


@pytest.mark.parametrize("name,target,allowed", [
    ("gateway/http.c", '"proto/message.h"', True),
    ("gateway/http.c", '"proto/host/clock.h"', True),
    ("gateway/main.c", '"command.h"', True),
    ("gateway/http.c", '"broker/turn.h"', False),
    ("gateway/http.c", '"worker/relais.h"', False),
    ("worker/run.c", '"gateway/http.h"', False),
    ("worker/run.c", '"store/store.h"', False),
    ("broker/main.c", '"store/store.h"', True),
    ("broker/main.c", '"worker/session.h"', False),
    ("broker/core/task.c", '"proto/base/bytes.h"', True),
    ("broker/core/task.c", '"proto/host/clock.h"', False),
    ("broker/core/task.c", '"store/store.h"', False),
    ("broker/core/task.c", '"broker/turn.h"', False),
    ("broker/core/task.c", "<time.h>", False),
    ("store/table.c", '"broker/core/core.h"', False),
    ("proto/frame.c", '"proto/host/clock.h"', False),
    ("proto/frame.c", "<msgpack.h>", True),
    ("proto/base/list.c", "<stdio.h>", False),
    ("worker/session.c", '"proto/host/clock.h"', False),
    ("worker/session.c", "<zmq.h>", False),
    ("broker/turn.c", "<rocksdb/c.h>", False),
    ("store/table.c", "<rocksdb/c.h>", True),
    ("broker/turn.c", "<microhttpd.h>", False),
    ("gateway/http.c", "<microhttpd.h>", True),
    ("store/table.c", "<jansson.h>", False),
    ("tests/unit/test_x.c", '"broker/core/core.h"', True),
])
def test_floors(house, name, target, allowed):
    for own in HOUSE:
        house.put(own, header(own, ""))
    house.put(name, "#include %s\n" % target)
    code, out = house.gate("floors")
    assert (code == 0) == allowed, out


def test_floors_wants_one_includer(house):
    house.put("store/table.c", "#include <rocksdb/c.h>\n")
    house.put("store/files.c", "#include <rocksdb/c.h>\n")
    code, out = house.gate("floors")
    assert code == 1 and "2 includers" in out


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is missing")
@pytest.mark.parametrize("text,pure", [
    ("#include <string.h>\nint f(const char *a) { return (int)strlen(a); }\n", True),
    ("#include <assert.h>\nvoid f(int a) { assert(a > 0); }\n", True),
    ("#include <stdlib.h>\nvoid *f(int a) { return malloc((unsigned long)a); }\n", True),
    ("int g(int);\nint f(int a) { return g(a); }\n", False),
    ("#include <time.h>\nlong f(void) { return time(0); }\n", False),
    ("#include <stdio.h>\nint f(void) { return puts(\"a\"); }\n", False),
])
def test_pure(house, text, pure):
    house.put("task.c", text)
    folder = house.path / "build/broker/core"
    folder.mkdir(parents=True)
    subprocess.run(["gcc", "-O2", "-c", "-o", str(folder / "task.o"), "task.c"],
                   cwd=house.path, check=True)
    code, out = house.gate("pure", "build")
    assert (code == 0) == pure, out


def test_tables_compare_and_write(house):
    for path in ("proto/verb.def", "proto/code.def", "proto/option.def", "proto/metric.def"):
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            house.put(path, file.read())
    house.put("proto/option.def", 'OPTION(beat_ms, BROKER, U32, 2 << 1, "ms", 1, 5, "so '
              'often")\nOPTION(types, GATEWAY, TEXT, "audio/*", "", 0, 9, "it | may")\n')
    house.put("use.c", "int f(struct config *c) { return c->beat_ms + c->types[0]; }\n")
    house.put("A.md", "before\n<!-- table:options -->\nold\n<!-- end -->\nafter\n")
    code, out = house.gate("tables", "--check")
    assert code == 1 and "A.md" in out
    assert house.gate("tables", "--write")[0] == 0
    assert house.gate("tables", "--check")[0] == 0
    text = (house.path / "A.md").read_text()
    assert "| `beat_ms` | broker | `4ms` | 1ms … 5ms | so often |\n" in text
    assert "| `types` | gateway | `audio/*` |  | it \\| may |\n" in text
    assert text.startswith("before\n") and text.endswith("<!-- end -->\nafter\n")
    house.put("use.c", "int f(void);\n")
    code, out = house.gate("tables", "--check")
    assert code == 1 and "nothing reads beat_ms" in out and "nothing reads types" in out


def test_tables_compare_routes(house):
    house.put("proto/option.def", "")
    house.put("gateway/dialect/x/x.md", "| `GET /a/{id}` | a |\n`POST /b`\n")
    house.put("bin", "#!/bin/sh\nprintf 'GET /a/{id}\\nPUT /c\\n'\n")
    os.chmod(house.path / "bin", 0o755)
    code, out = house.gate("tables", "--check", "./bin")
    assert code == 1
    assert "POST /b is not served" in out and "PUT /c is served" in out and "GET /a" not in out
