"""A real HTTP server and a real mail server that keep what they are sent."""
import base64
import hashlib
import hmac
import http.server
import json
import queue
import socketserver
import threading
import time


class Call:
    def __init__(self, handler, body):
        self.path = handler.path
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def id(self):
        return self.headers["webhook-id"]

    def signed_by(self, secret):
        """As https://www.standardwebhooks.com says, independent of what made it."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        said = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        wanted = base64.b64encode(hmac.new(key, said, hashlib.sha256).digest()).decode()
        fresh = abs(time.time() - int(self.headers["webhook-timestamp"])) < 60
        return fresh and f"v1,{wanted}" in self.headers["webhook-signature"].split(" ")


class Listener:
    """Answers with what `answers` has for the path, one after the other, the last for ever."""

    def __init__(self, answers=None):
        self.calls, self.answers, self.lock = queue.Queue(), answers or {}, threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                status, headers = outer.answer_of(self.path)
                outer.calls.put(Call(self, body))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def answer_of(self, path):
        with self.lock:
            left = self.answers.get(path, [200])
            answer = left.pop(0) if len(left) > 1 else left[0]
        return answer if isinstance(answer, tuple) else (answer, {})

    def next(self, within_s=60):
        return self.calls.get(timeout=within_s)

    def silent(self, for_s):
        try:
            return self.calls.get(timeout=for_s)
        except queue.Empty:
            return None

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Mailbox:
    """An SMTP server of one dialect only: what RFC 5321 demands."""

    def __init__(self):
        self.mails = queue.Queue()
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def say(self, text):
                self.wfile.write(text.encode() + b"\r\n")

            def handle(self):
                self.say("220 here")
                mail = {"to": []}
                for line in iter(lambda: self.rfile.readline().decode().strip(), ""):
                    verb = line.split(":")[0].split(" ")[0].upper()
                    if verb == "MAIL":
                        mail = {"from": line.split("<")[1].split(">")[0], "to": []}
                    if verb == "RCPT":
                        mail["to"].append(line.split("<")[1].split(">")[0])
                    if verb == "DATA":
                        self.say("354 go on")
                        lines = iter(self.rfile.readline, b".\r\n")
                        mail["text"] = b"".join(lines).decode()
                        outer.mails.put(mail)
                    if verb == "QUIT":
                        self.say("221 bye")
                        return
                    self.say("250 ok")

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"smtp://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
