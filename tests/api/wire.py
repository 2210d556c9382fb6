"""Raw sockets against the real binary, and what an answer on them says."""
import json
import socket

HOST = b"Host: a\r\n"
GET = b"GET /health HTTP/1.1\r\n"
POST = b"POST /tasks/ HTTP/1.1\r\n"


def connect(server):
    host, port = server.http.split("//")[1].rsplit(":", 1)
    link = socket.create_connection((host, int(port)))
    link.settimeout(60)
    return link


def read_all(link):
    """Everything until the server closes; what was read when it resets."""
    data = b""
    try:
        while chunk := link.recv(65536):
            data += chunk
    except (ConnectionResetError, socket.timeout):
        pass
    return data


def read_answer(link):
    """One answer: status, headers (lower case), body by Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = link.recv(65536)
        assert chunk, f"closed after {data!r}"
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}
    while len(body) < int(headers["content-length"]):
        body += link.recv(65536)
    return int(lines[0].split()[1]), headers, body


def said(server, data):
    with connect(server) as link:
        link.sendall(data)
        return read_all(link)


# a path of each dialect, and the members of its errors
FORMS = {
    "megahub": (b"/tasks/", {"detail", "error_code", "field_errors"}),
    "speech": (b"/api/batchTranscription/result", {"status", "message", "code"}),
    "house": (b"/health", {"error", "code"}),
}


def refusal_of(answer, members):
    """The status of one error that closes its connection, in the form of its dialect."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"<html" not in answer.lower() and b"<" not in body, "libmicrohttpd's own page"
    assert b"connection: close" in head.lower() and b"application/json" in head.lower(), head
    found = json.loads(body)
    assert members <= set(found), found
    return int(head.split()[1])
