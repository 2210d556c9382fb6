"""The real `relais serve` on free ports and a temporary folder, and callers with real tokens.
Nothing is imitated here.

RELAIS names the binary; without it the release build of this tree. Each test has a brand of its
own, so that what one leaves behind no other can see or claim.

The machine may stand still for seconds, and no test fails for that: what must come is waited for
until it is seen, SEEN_S at most, and leases are those of the defaults. Where the end of one is what
is tested, the server has them SHORT.
"""
import base64
import functools
import hashlib
import hmac
import itertools
import json
import os
import pathlib
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest
import requests

HERE = pathlib.Path(__file__).resolve().parent
RELAIS = os.environ.get("RELAIS") or str(HERE.parents[1] / "build/release/relais")
SEEN_S = 60
QUICK = ["--stop-repeat-ms=200", "--backoff-ms=100"]
SHORT = ["--beat-ms=200", "--suspect-ms=1200", "--doubt-ms=2000", "--lost-ms=3000",
         "--quiet-ms=3000", "--freeze-ms-max=6000"]
READY = re.compile(r"relais: ready(?: http=(\S+))?(?: native=(\S+))?")


def pytest_configure(config):
    config.addinivalue_line("markers", "row(route, error): the contract row that a test covers")
    config.addinivalue_line("markers", "options(flags): what the server of a test is started with")


def end(process, how=signal.SIGTERM, within_s=SEEN_S):
    """Ends a process that was started here, by its own id."""
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.send_signal(how)
        try:
            process.wait(within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout:
        process.stdout.close()
    return process.returncode


def first_line(process, within_s):
    """The first line of a process's stdout, within a deadline."""
    line, deadline = b"", time.monotonic() + within_s
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
            break
        byte = os.read(process.stdout.fileno(), 1)
        if not byte:
            break
        line += byte
    return line.decode()


def base64_of(data):
    """As it stands in a token."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def free_ports():
    """Two neighbours and a third, all below those that the kernel gives out by itself."""
    while True:
        first = random.randrange(10000, 32000)
        try:
            for port in (first, first + 1, first + 2):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return first, first + 2
        except OSError:
            continue


class Relais:
    """One running server, or a broker or gateway alone. A folder of its own is that of a second
    start, which makes no account admin; first=True is the first."""

    kinds = {}  # of tokens: one each that `relais token` made

    def __init__(self, *flags, role="serve", data=None, first=False, env=None):
        self.own = data is None
        self.data = data or tempfile.mkdtemp(prefix="relais-api-")
        if self.own and not first:
            os.mkdir(os.path.join(self.data, "secret"), 0o700)
            open(os.path.join(self.data, "secret/founded"), "xb").close()
        self.log = open(os.path.join(self.data, f"{role}.log"), "ab")
        command = [RELAIS, role, "--data", self.data]
        if role != "broker":
            command += ["--http", "127.0.0.1:0"]
        if role != "gateway":
            command += ["--listen", "tcp://127.0.0.1:0"]
            command += QUICK
        if role == "serve":
            command += ["--failures-per-min=0"]
        self.process = subprocess.Popen(command + list(flags), stdout=subprocess.PIPE,
                                        stderr=self.log, env={**os.environ, **(env or {})})
        line = first_line(self.process, SEEN_S)
        found = READY.match(line)
        if not found:
            end(self.process, signal.SIGKILL)
            with open(self.log.name, encoding="utf-8", errors="replace") as log:
                raise AssertionError(f"not ready: {line!r}\n{log.read()[-3000:]}")
        self.http, self.native = found[1], found[2]
        if self.http and not self.http.startswith("http"):
            self.http = "http://" + self.http
        self.tokens = {}

    def token(self, role, user, brand=None, *flags):
        """As `relais token` gives it. It is asked for one of each kind; the next ones are made of
        that: with another name, other brands and another jti, signed with this server's secret."""
        key = (role, user, brand, flags)
        brands = [one for one in (brand if isinstance(brand, (list, tuple)) else [brand]) if one]
        kind = (role, bool(brands), flags)
        if key not in self.tokens and kind not in self.kinds:
            command = [RELAIS, "token", "--data", self.data, "--role", role, "--user", user]
            for number in brands:
                command += ["--brand", str(number)]
            run = subprocess.run(command + list(flags), capture_output=True, text=True,
                                 timeout=SEEN_S, check=True)
            assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", run.stdout), run.stdout
            self.tokens[key] = self.kinds[kind] = run.stdout.strip()
        elif key not in self.tokens:
            self.tokens[key] = self.token_like(self.kinds[kind], user, brands)
        return self.tokens[key]

    def token_like(self, token, user, brands):
        head, claims, _ = token.split(".")
        claims = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        claims.update(sub=user, jti=os.urandom(16).hex(), iat=int(time.time()),
                      exp=claims["exp"] - claims["iat"] + int(time.time()),
                      **({"brands": brands} if brands else {}))
        text = f"{head}.{base64_of(json.dumps(claims).encode())}"
        with open(os.path.join(self.data, "secret/jwt"), encoding="ascii") as file:
            secret = bytes.fromhex(file.readline())
        return f"{text}.{base64_of(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"

    def caller(self, role, user, brand=None, *flags):
        return Caller(self.http, self.token(role, user, brand, *flags))

    def stop(self):
        code = end(self.process)
        self.log.close()
        if self.own:
            shutil.rmtree(self.data, ignore_errors=True)
        return code


class Caller:
    """An HTTP client with one token; paths are relative to the server."""

    def __init__(self, base, token=None):
        self.base, self.token = base, token
        self.session = requests.Session()
        self.session.trust_env = False
        if token:
            self.session.headers["Authorization"] = "Bearer " + token

    def call(self, method, path, **rest):
        rest.setdefault("timeout", 2 * SEEN_S)  # longer than any wait=
        rest.setdefault("allow_redirects", False)
        return self.session.request(method, self.base + path, **rest)

    def get(self, path, **rest):
        return self.call("GET", path, **rest)

    def post(self, path, body=None, **rest):
        return self.call("POST", path, **rest) if body is None else \
            self.call("POST", path, json=body, **rest)

    def put(self, path, **rest):
        return self.call("PUT", path, **rest)

    def delete(self, path, **rest):
        return self.call("DELETE", path, **rest)


@pytest.fixture(scope="session")
def relais():
    server = Relais()
    yield server
    assert server.process.poll() is None, "the server ended during the tests"
    assert server.stop() == 0, "SIGTERM must drain and exit 0"


@pytest.fixture
def relais_with():
    """Servers with options of their own: relais_with("--option=value", role="broker")."""
    started = []

    def start(*flags, **rest):
        started.append(Relais(*flags, **rest))
        return started[-1]

    yield start
    for server in reversed(started):
        server.stop()


numbers = itertools.count(100)


@pytest.fixture
def brand():
    return next(numbers)


@pytest.fixture
def user(relais, brand):
    return relais.caller("user", "martin", brand)


@pytest.fixture
def service(relais, brand):
    return relais.caller("service", f"key-{brand}", brand)


@pytest.fixture
def stranger(relais):
    """A user of another brand."""
    return relais.caller("user", "eve", next(numbers))


@pytest.fixture
def worker(relais, brand):
    return relais.caller("worker", f"worker-{brand}-a", brand)


@pytest.fixture
def rival(relais, brand):
    """A second worker of the same brand."""
    return relais.caller("worker", f"worker-{brand}-b", brand)


@pytest.fixture
def nobody(relais):
    return Caller(relais.http)


@pytest.fixture
def work_at():
    """Starts `relais work` with a command: work_at(server, "queue", "sh", "-c", "...", brand=7)."""
    started = []

    def start(server, queue, *command, brand=None, flags=()):
        line = [RELAIS, "work", "--data", server.data, "--broker", server.native,
                "--queue", queue, *flags]
        line += ["--brand", str(brand)] if brand else []
        with open(os.path.join(server.data, "work.log"), "ab") as log:
            started.append(subprocess.Popen([*line, "--", *command], stdout=log, stderr=log))
        return started[-1]

    yield start
    for process in started:
        end(process)


@pytest.fixture
def work(relais, work_at):
    return functools.partial(work_at, relais)


@pytest.fixture(scope="module")
def hasty():
    """A server whose leases are soon over, for tests of just that."""
    server = Relais(*SHORT)
    yield server
    assert server.stop() == 0


def example(name):
    return json.loads((HERE / "examples" / name).read_text(encoding="utf-8"))


def alike(sample, answer, issued=(), at=""):
    """Every member of a document's sample stands in the answer: constants by value, what the
    server issues by type and form. `issued` names that by path, `list[].member` in each row of a
    list. Members beside the sample's are fine."""
    if at in issued:
        same_type = type(sample) is type(answer) or \
            {type(sample), type(answer)} <= {int, float}
        assert same_type, f"{at}: {answer!r} is no {type(sample).__name__}"
        for form in (TIME, DATE):
            if isinstance(sample, str) and form.fullmatch(sample):
                assert form.fullmatch(answer), f"{at}: {answer!r} has not the form of {sample!r}"
        return
    if isinstance(sample, dict):
        assert isinstance(answer, dict), f"{at}: {answer!r} is no object"
        for key, value in sample.items():
            assert key in answer, f"{at}.{key} is missing in {answer!r}"
            alike(value, answer[key], issued, f"{at}.{key}" if at else key)
    elif isinstance(sample, list) and any(isinstance(each, dict) for each in sample):
        assert isinstance(answer, list) and len(answer) == len(sample), f"{at}: {answer!r}"
        for each, other in zip(sample, answer):
            alike(each, other, issued, at + "[]")
    else:
        assert sample == answer, f"{at}: {answer!r} instead of {sample!r}"


TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
DATE = re.compile(r"\d{4}-\d\d-\d\d")
