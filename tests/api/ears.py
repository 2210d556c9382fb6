"""What the tests of the speech workers share: jobs, workers that hear them, and what must be true
of a transcript. RELAIS_CHAOS=1 asks for recordings at full length."""
import os

import msgpack
import pytest
from conftest import end
from peer import FILE_CREATE, FILE_SEAL, FILE_WRITE, OK, Peer
from spoken import BUILD, PLAYER, READER, Jobs, joined, said, words_wrong, worker_start

SPEECH, PLACES = joined(READER[:2])
WORDS = [word for path in READER[:2] for word in said(path)]
marks = [
    pytest.mark.skipif(not (BUILD / "relais-listen").exists(),
                       reason="relais-listen is not built: libpocketsphinx-dev is not there"),
    pytest.mark.skipif(not READER or not PLAYER, reason="pocketsphinx-testdata is not there")]


@pytest.fixture
def jobs(relais):
    """No worker of a later test finds what one left."""
    jobs = Jobs(relais.native)
    yield jobs
    jobs.cancel_all()
    jobs.close()


@pytest.fixture(scope="module")
def keep(relais):
    """Starts a speech worker for all tests of a module: keep("relais-listen", "ada")."""
    started = []

    def begin(program, name, *flags, **rest):
        log = os.path.join(relais.data, f"{name}.log")
        started.append(worker_start(program, relais.native, name, log, *flags, **rest))
        return started[-1]

    yield begin
    for process in started:
        end(process)


@pytest.fixture
def start(relais, jobs):
    """Starts one for this test."""
    started = []

    def begin(program, name, *flags, **rest):
        log = os.path.join(relais.data, f"{name}.log")
        started.append(worker_start(program, relais.native, name, log, *flags, **rest))
        return started[-1]

    yield begin
    jobs.cancel_all()
    for process in started:
        end(process)


def whole(parts, result):
    """Parts are numbered without a gap, follow each other in time, and are the result."""
    assert [number for number, _ in parts] == list(range(1, len(parts) + 1))
    segments = [segment for _, segment in parts]
    assert [segment["id"] for segment in segments] == list(range(len(parts)))
    for before, after in zip(segments, segments[1:]):
        assert before["start"] < before["end"] <= after["start"] + 0.05, (before, after)
    assert result["segments"] == segments
    assert result["full_text"] == " ".join(segment["text"] for segment in segments)


def error_rate(reference, text):
    return words_wrong(reference, text.split()) / len(reference)


def submitted(relais, jobs, queue, kind, sound, **payload):
    """A job on a whole recording; its number once it has ended."""
    host, port = relais.native.rsplit(":", 1)
    files = Peer(f"{host}:{int(port) + 1}")
    file = msgpack.unpackb(files.ask(FILE_CREATE, ["whole.wav"])[1][2])[0]
    for at in range(0, len(sound), 1 << 18):
        assert files.code(FILE_WRITE, [file, at, sound[at:at + (1 << 18)]]) == OK
    assert files.code(FILE_SEAL, [file]) == OK
    files.close()
    job = jobs.submit(queue, kind, {"language": "en", **payload}, source=file)
    jobs.ended(job)
    return job
