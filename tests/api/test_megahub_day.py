"""The documents' workflow of dialect 002 with curl alone, on a server, workers and a listener of
its own, some seconds before nine o'clock of a Monday."""
import os
import pathlib
import subprocess

from conftest import RELAIS

SCRIPT = pathlib.Path(__file__).with_name("workflow_megahub.sh")
PLAIN = os.environ.get("RELAIS_FLAVOUR", "release") == "release"


def test_the_workflow_with_curl_alone(tmp_path):
    mine = {**os.environ, "RELAIS": RELAIS, "TMPDIR": str(tmp_path)}
    if not PLAIN:  # a sanitizer wants to be loaded first; the clock is the real one then
        mine["CLOCK"] = ""
    run = subprocess.run(["sh", str(SCRIPT)], capture_output=True, text=True, timeout=200,
                         check=False, env=mine)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.endswith("All went as it should.\n")
    assert not list(tmp_path.iterdir()), "it leaves nothing behind"
