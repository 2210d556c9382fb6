#!/usr/bin/python3
"""One process of the load over HTTP: http_load.py producer|worker URL TOKEN HISTORY BOARD NAME
PLACE QUEUE THREADS. It keeps to load.h: the same lines of history, the same board. A request
without an answer is said again, a submit with its key, a report with its epoch."""
import http.client
import json
import os
import random
import sys
import threading
import time

from board import Board


class Process:
    def __init__(self, role, url, token, history, board, name, place, queue, threads):
        self.role, self.name, self.queue = role, name, queue
        self.host = url.split("//")[-1]
        self.token, self.place, self.threads = token, int(place), int(threads)
        self.history = os.open(history, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.board = Board(board)
        self.lock = threading.Lock()
        self.local = threading.local()

    def add(self, *words):
        """One write a line: kill -9 cuts off nothing that was said."""
        text = " ".join(map(str, (time.monotonic_ns() // 1000, *words))) + "\n"
        os.write(self.history, text.encode())

    def count(self, what):
        with self.lock:
            self.board.count(what, self.place)

    def post(self, path, body, headers=None):
        """(status, answer), or None without one."""
        if getattr(self.local, "link", None) is None:
            self.local.link = http.client.HTTPConnection(self.host, timeout=60)
        try:
            self.local.link.request("POST", path, json.dumps(body), {
                "Authorization": "Bearer " + self.token, "Content-Type": "application/json",
                **(headers or {})})
            answer = self.local.link.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            self.local.link.close()
            self.local.link = None
            time.sleep(0.05)
            return None

    def submit(self, key):
        self.add("invoke submit", key)
        answer = self.post("/tasks/", {"task_type": "load", "queue_name": self.queue,
                                       "context_data": {"key": key}, "max_retries": 200},
                           {"Idempotency-Key": key})
        if answer and answer[0] in (200, 201):
            self.add("ok submit", key, answer[1]["id"])
            self.count("submitted")
            return True
        if answer:
            self.add("fail submit", key, answer[0])
            time.sleep(0.05)
        return False

    def produce(self, thread):
        number = 0
        while not self.board.end:
            if self.board.in_flight() >= self.board.level:
                time.sleep(0.01)
                continue
            key = f"{self.name}-{thread}-{number}"
            number += 1
            while not self.submit(key) and not self.board.end:
                pass

    def complete(self, task, epoch):
        """Said until it is answered. 409 and 404 are answers: nothing was changed."""
        while not self.board.end:
            self.add("invoke done", task, epoch)
            answer = self.post(f"/tasks/{task}/complete/", {
                "result_data": {"by": f"{self.name} {epoch}"}, "lease_epoch": epoch})
            if answer and answer[0] in (200, 404, 409):
                code = {200: 0, 404: 13, 409: 8}[answer[0]]
                self.add("ok done", task, epoch, code)
                if code == 0:
                    self.count("settled")
                return
            if answer:
                time.sleep(0.05)

    def work(self, _):
        while not self.board.end:
            answer = self.post("/tasks/claim/", {"queues": [self.queue], "limit": 10, "wait": 1,
                                                 "lease_seconds": 3})
            tasks = answer[1]["tasks"] if answer and answer[0] == 200 else []
            for task in tasks:
                point = task.get("recovery_data")
                seq = point.get("checkpoint", 0) if isinstance(point, dict) else 0
                self.add("run", task["id"], task["lease_epoch"], task["attempt"], seq)
            if tasks and self.board.pace_ms:
                time.sleep(random.random() * 2 * min(500, self.board.pace_ms) / 1000)
            for task in tasks:
                self.complete(task["id"], task["lease_epoch"])

    def run(self):
        act = self.produce if self.role == "producer" else self.work
        threads = [threading.Thread(target=act, args=(i,)) for i in range(self.threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    Process(*sys.argv[1:]).run()
