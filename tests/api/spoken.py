"""Recordings of pocketsphinx-testdata, what is said in them, and a stream of sound that is sent as
it would be spoken: natively, chunk by chunk."""
import functools
import io
import itertools
import json
import os
import pathlib
import re
import subprocess
import tempfile
import time
import wave

import msgpack
from peer import ANSWER, CANCEL, FILE_CREATE, GET, SUBMIT, SUBMITTED, VIEW, Peer

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("RELAIS_BUILD") or HERE.parents[1] / "build/release")
DATA = pathlib.Path("/usr/share/pocketsphinx/test/data")
FILE_APPEND, FILE_END = 45, 46
RATE, CHUNK_MS = 16000, 100
COMPLETED, FAILED, CANCELLED = 6, 7, 8
STATUS, PROGRESS_TEXT, ATTEMPT, WORKER, RESULT, PART_COUNT, PARTS = 1, 17, 13, 20, 37, 40, 41
KEEP_MS = 3600000
WHOLE = os.environ.get("RELAIS_CHAOS") == "1"
MODEL = pathlib.Path("/usr/share/pocketsphinx/model/en-us")
READER = sorted(DATA.glob("librivox/*.wav"))  # one voice,
PLAYER = sorted(DATA.glob("cards/*.wav"))     # and another


def samples(path):
    if path.suffix == ".raw":
        return path.read_bytes()
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
        return file.readframes(file.getnframes())


def joined(paths):
    """The samples one after the other, and where each recording begins and ends, in seconds."""
    sound, places = b"", []
    for path in paths:
        begin = len(sound) / (2 * RATE)
        sound += samples(path)
        places.append((begin, len(sound) / (2 * RATE)))
    return sound, places


def wav(sound, rate=RATE, width=2):
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(sound)
    return out.getvalue()


def said(path):
    """The reference text of a recording."""
    lines = (path.parent / ("transcription" if "librivox" in path.parent.name else
                            "cards.transcription")).read_text(encoding="utf-8").splitlines()
    text = next(line for line in lines if line.endswith(f"({path.stem})"))
    return text.rsplit("(", 1)[0].replace("<s>", "").replace("</s>", "").split()


def words_wrong(reference, heard):
    """The smallest number of substitutions, deletions and insertions."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(reference, 1):
        above, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            above, row[j] = row[j], min(above + (word != other), row[j] + 1, row[j - 1] + 1)
    return row[-1]


def diarization_error(places, segments, collar_s=0.25):
    """Seconds missed, falsely heard and given to the wrong speaker, and seconds of speech in all;
    places: (begin, end, who). Near a boundary nothing is counted; pauses within a place are."""
    speakers = sorted({segment["speaker"] for segment in segments})
    people = sorted({who for _, _, who in places})

    def at(time_s, rows):
        return next((who for begin, end, who in rows if begin <= time_s < end), None)

    heard = [(segment["start"], segment["end"], segment["speaker"]) for segment in segments]
    pairs = {}
    missed = total = 0
    for step in range(int(places[-1][1] * 100)):
        time_s = step / 100
        if any(abs(time_s - edge) < collar_s for place in places for edge in place[:2]):
            continue
        who, guess = at(time_s, places), at(time_s, heard)
        total += 0.01
        missed += 0.01 * (guess is None)
        pairs[who, guess] = pairs.get((who, guess), 0) + 0.01
    right = 0
    for order in itertools.permutations(speakers, min(len(people), len(speakers))):
        mapping = dict(zip(people, order))
        right = max(right, sum(pairs.get((who, mapping.get(who)), 0) for who in people))
    return missed, total - missed - right, total


class Jobs:
    """A native client of the speech queues."""

    def __init__(self, native):
        host, port = native.rsplit(":", 1)
        self.client = Peer(native, "client")
        self.files = Peer(f"{host}:{int(port) + 1}")
        self.asked_s, self.submitted = time.monotonic(), []

    def ask(self, verb, item, within_s=60):
        """A client that was silent for long, or whose server was gone, has to say HELLO anew."""
        deadline = time.monotonic() + within_s
        answer = None
        while answer is None and time.monotonic() < deadline:
            if time.monotonic() - self.asked_s > 0.5 and not self.client.beat(1):
                self.client.hello("client", within_s=5)
            self.asked_s = time.monotonic()
            answer = self.client.ask(verb, item, within_s=60 if verb == SUBMIT else 1)
        return answer

    def close(self):
        self.client.close()
        self.files.close()

    def submit(self, queue, kind, payload, **options):
        verb, item = self.ask(SUBMIT, [queue, kind, json.dumps(payload).encode(),
                                       {"keep": KEEP_MS, "labels": "language=en", **options}])
        assert verb == SUBMITTED and item[1] == 0, (verb, item)
        self.submitted.append(item[2])
        return item[2]

    def view(self, job, want=2, after=0):
        verb, item = self.ask(GET, [job, want, after])
        assert verb == VIEW and item[1] == 0, (verb, item)
        row = item[2]
        return row + [0] * (PARTS + 1 - len(row))

    def parts(self, job):
        """All parts so far, as [(number, segment)]."""
        found = []
        while True:
            rows = self.view(job, 16, found[-1][0] if found else 0)[PARTS] or []
            found += [(row[0], json.loads(row[3])) for row in rows]
            if not rows:
                return found

    def result(self, job):
        row = self.view(job)
        assert row[STATUS] == COMPLETED, row
        return json.loads(row[RESULT][1])

    def message(self, job):
        row = self.view(job)
        return row[STATUS], (row[RESULT][2] if row[RESULT] else "")

    def until(self, job, wanted, within_s=60):
        deadline = time.monotonic() + within_s
        while True:
            row = self.view(job)
            if wanted(row):
                return row
            assert time.monotonic() < deadline, row
            time.sleep(0.02)

    def ended(self, job, within_s=60):
        return self.until(job, lambda row: row[STATUS] >= COMPLETED, within_s)

    def cancel(self, job):
        self.ask(CANCEL, [job])

    def cancel_all(self):
        """No worker of a later test shall find what this one left."""
        for job in self.submitted:
            self.cancel(job)


class Stream:
    """Sound on its way to a streaming job."""

    def __init__(self, jobs, sound, **payload):
        self.jobs, self.sound, self.sent, self.chunks = jobs, sound, 0, 0
        verb, item = jobs.files.ask(FILE_CREATE, ["live", 0, True])
        assert verb == ANSWER and item[1] == 0, item
        self.file = msgpack.unpackb(item[2])[0]
        self.job = jobs.submit("streaming_queue", "streaming", {"language": "en", **payload},
                               source=self.file, stream=True)

    def send(self, size):
        """The next chunk, until the server has it: its number makes that harmless."""
        chunk, answer = self.sound[self.sent:self.sent + size], None
        deadline = time.monotonic() + 60
        while answer is None and time.monotonic() < deadline:
            answer = self.jobs.files.ask(FILE_APPEND, [self.file, chunk, self.chunks], within_s=1)
        assert answer and answer[1][1] == 0, answer
        self.sent += size
        self.chunks += 1

    def speak(self, until_s=None, pace=8.0, rate=RATE, each=None):
        """Sends up to a time of the sound, `pace` times as fast as it was spoken; calls each()
        after every chunk, and stops when that says so."""
        step = rate * 2 * CHUNK_MS // 1000
        end = len(self.sound) if until_s is None else min(len(self.sound), int(until_s * rate * 2))
        began, first = time.monotonic(), self.sent
        while self.sent < end:
            self.send(step)
            if each and each():
                return
            ahead = (self.sent - first) / (rate * 2) / pace - (time.monotonic() - began)
            if ahead > 0:
                time.sleep(ahead)

    def end(self):
        assert self.jobs.files.ask(FILE_END, [self.file])[1][1] == 0


@functools.cache
def few_words():
    """A folder with the model, whose dictionary has only the words that the recordings hold: those
    it hears as well, at a quarter of the cost. It is gone when the process ends."""
    folder = tempfile.TemporaryDirectory(prefix="relais-words-")
    for name in ("en-us", "en-us.lm.bin"):
        os.symlink(MODEL / name, os.path.join(folder.name, name))
    known = {word for path in READER + PLAYER for word in said(path)}
    lines = (MODEL / "cmudict-en-us.dict").read_text(encoding="utf-8").splitlines(True)
    with open(os.path.join(folder.name, "cmudict-en-us.dict"), "w", encoding="utf-8") as few:
        few.writelines(line for line in lines
                       if re.sub(r"\(\d+\)$", "", line.split(maxsplit=1)[0]) in known)
    return folder


def worker_start(program, native, name, log, *flags, all_words=WHOLE):
    """A speech worker; with the whole dictionary of its model only where that is what is proven."""
    if not all_words:
        flags = (*flags, "--model", few_words().name)
    with open(log, "ab") as out:
        return subprocess.Popen([str(BUILD / program), "--broker", native, "--name", name, *flags],
                                stdout=out, stderr=out)
