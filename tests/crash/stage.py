"""stage - the fixtures of the crash tests; a plugin, for it is never imported by name."""
import pytest

from ground import Load, Server


@pytest.fixture
def say(capsys):
    """Prints what was measured, whatever pytest does with the output of tests that pass."""
    def print_now(text):
        with capsys.disabled():
            print("\n" + text, flush=True)
    return print_now


@pytest.fixture
def server():
    server = Server()
    yield server
    assert server.stop() == 0, "SIGTERM must drain and exit 0"


@pytest.fixture
def load(server):
    load = Load(server)
    yield load
    load.stop()
