"""A WebSocket client by hand: every bit of a frame may be wrong. RFC 6455, nothing but sockets."""
import base64
import hashlib
import os
import struct

from wire import connect

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
KEY = base64.b64encode(b"0123456789abcdef")
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def request(path, *lines, key=KEY, version=b"13", upgrade=b"websocket",
            connection=b"keep-alive, Upgrade"):
    head = [b"GET " + path.encode() + b" HTTP/1.1", b"Host: a"]
    for name, value in ((b"Upgrade", upgrade), (b"Connection", connection),
                        (b"Sec-WebSocket-Key", key), (b"Sec-WebSocket-Version", version)):
        if value is not None:
            head.append(name + b": " + value)
    return b"\r\n".join([*head, *lines, b"", b""])


def accept_of(key):
    return base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()


def frame(opcode, payload=b"", fin=1, rsv=0, mask=os.urandom(4), size=None):
    """size: what the frame says, when that is not the payload's; mask None = unmasked."""
    size = len(payload) if size is None else size
    bit = 0x80 if mask else 0
    head = bytes([fin << 7 | rsv << 4 | opcode])
    if size < 126:
        head += bytes([bit | size])
    elif size < 65536:
        head += struct.pack(">BH", bit | 126, size)
    else:
        head += struct.pack(">BQ", bit | 127, size)
    if mask:
        head += mask
        key = (mask * (len(payload) // 4 + 1))[:len(payload)]
        payload = (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(
            len(payload), "big")
    return head + payload


def closing(code, reason=b""):
    return frame(CLOSE, struct.pack(">H", code) + reason)


class Frames:
    """An open socket; `extra` is sent in one piece with the request."""

    def __init__(self, server, path, *lines, extra=b""):
        self.link = connect(server)
        self.link.sendall(request(path, *lines) + extra)
        self.data = b""
        while b"\r\n\r\n" not in self.data:
            more = self.link.recv(65536)
            assert more, f"closed after {self.data!r}"
            self.data += more
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        self.headers = {k.lower(): v for k, v in
                        (line.split(": ", 1) for line in head.decode().split("\r\n")[1:])}

    def send(self, *pieces):
        self.link.sendall(b"".join(pieces))

    def _take(self, n):
        while len(self.data) < n:
            more = self.link.recv(65536)
            if not more:
                return None
            self.data += more
        taken, self.data = self.data[:n], self.data[n:]
        return taken

    def next(self):
        """(opcode, payload) of one frame; (None, None) at the connection's end."""
        try:
            head = self._take(2)
            if head is None:
                return None, None
            assert head[0] & 0xf0 == 0x80 and not head[1] & 0x80, "whole, plain and unmasked"
            size = head[1]
            if size == 126:
                size, = struct.unpack(">H", self._take(2))
            elif size == 127:
                size, = struct.unpack(">Q", self._take(8))
            return head[0] & 15, self._take(size)
        except ConnectionResetError:
            return None, None

    def closed(self):
        """The code of the server's close, then the connection's end; None = no code."""
        code = None
        while True:
            opcode, payload = self.next()
            if opcode is None:
                return code
            if opcode == CLOSE:
                code = struct.unpack(">H", payload[:2])[0] if payload else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.link.close()
