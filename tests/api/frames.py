"""A WebSocket client (RFC 6455) over a plain socket: just enough to be a browser's in tests."""
import base64
import json
import os
import socket
import struct
import urllib.parse

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Closed(Exception):
    def __init__(self, code):
        super().__init__(f"closed with {code}")
        self.code = code


class Socket:
    """Opens at once; `token` goes into the header, or as a browser's into the query."""

    def __init__(self, server, path, token=None, in_query=False, timeout=60):
        url = urllib.parse.urlsplit(server)
        if token and in_query:
            path += ("&" if "?" in path else "?") + "access_token=" + token
        self.link = socket.create_connection((url.hostname, url.port), timeout=timeout)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", f"Host: {url.netloc}", "Upgrade: websocket",
                 "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
        if token and not in_query:
            lines.append(f"Authorization: Bearer {token}")
        self.link.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.data = b""
        while b"\r\n\r\n" not in self.data:
            self.data += self._more()
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head

    def _more(self):
        chunk = self.link.recv(65536)
        if not chunk:
            raise Closed(1006)
        return chunk

    def _take(self, count):
        while len(self.data) < count:
            self.data += self._more()
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def send(self, data, kind=None):
        if isinstance(data, (dict, list)):
            data = json.dumps(data)
        if isinstance(data, str):
            data, kind = data.encode(), kind or TEXT
        kind, size, mask = kind or BINARY, len(data), os.urandom(4)
        head = bytes([0x80 | kind])
        if size < 126:
            head += bytes([0x80 | size])
        elif size < 65536:
            head += b"\xfe" + struct.pack(">H", size)
        else:
            head += b"\xff" + struct.pack(">Q", size)
        repeated = mask * (size // 4 + 1)
        masked = (int.from_bytes(data, "big") ^ int.from_bytes(repeated[:size], "big")).to_bytes(
            size, "big") if size else b""
        self.link.sendall(head + mask + masked)

    def receive(self):
        """The next message, parsed; raises Closed."""
        while True:
            first, second = self._take(2)
            kind, size = first & 15, second & 127
            assert first & 0x80 and not second & 0x80, "whole and not masked"
            if size == 126:
                size = struct.unpack(">H", self._take(2))[0]
            elif size == 127:
                size = struct.unpack(">Q", self._take(8))[0]
            data = self._take(size)
            if kind == CLOSE:
                raise Closed(struct.unpack(">H", data[:2])[0] if data else 1005)
            if kind == PING:
                self.send(data, PONG)
            elif kind == TEXT:
                return json.loads(data)

    def closed(self):
        """The close code; messages before it are thrown away."""
        try:
            while True:
                self.receive()
        except Closed as close:
            return close.code

    def all(self):
        """The messages up to the close, and its code."""
        messages = []
        try:
            while True:
                messages.append(self.receive())
        except Closed as close:
            return messages, close.code

    def close(self):
        self.link.close()
