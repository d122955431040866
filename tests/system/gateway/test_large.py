# SPDX-License-Identifier: BSD-2-Clause
"""plop-gateway in front of a plopd whose answers are too large."""
import json
import os
import re
import shutil
import socket
import tempfile
import threading
import unittest

import test_gateway
from test_gateway import DEADLINE, STATIC
from waiting import until


class Large(test_gateway.Case):
    """A plopd whose answers are larger than what plop-gateway passes on, or holds at once: each is told so in a sentence."""
    with_plopd = False
    MB = 1 << 20

    def setUp(self):
        self.sizes = {}  # of answers by their path: how much is said to come, and how much does before it waits
        self.go_on, self.held = threading.Event(), threading.Semaphore(0)
        listener = socket.socket(socket.AF_UNIX)
        path = os.path.join(tempfile.mkdtemp(prefix="plop-large-"), "plopd.sock")
        self.addCleanup(shutil.rmtree, os.path.dirname(path))
        listener.bind(path)
        listener.listen(16)
        self.addCleanup(listener.close)
        self.addCleanup(self.go_on.set)
        threading.Thread(target=self.serve, args=(listener,), daemon=True).start()
        super().setUp()
        # what stands in the way of a link is the socket that is not there
        os.symlink(path, self.path)

    def serve(self, listener):
        while True:
            try:
                client = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.answer, args=(client,), daemon=True).start()

    def answer(self, client):
        with client:
            while True:
                head = b""
                while b"\r\n\r\n" not in head:
                    part = client.recv(65536)
                    if not part:
                        return
                    head += part
                length = re.search(rb"content-length: *(\d+)", head, re.I)
                body = head.split(b"\r\n\r\n", 1)[1]
                while length and len(body) < int(length.group(1)):
                    body += client.recv(65536)
                path = head.split()[1].decode().split("?")[0]
                large, first = self.sizes.get(path, (0, 0))
                if not large:
                    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
                    continue
                try:
                    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % large)
                    for sent in range(0, large, self.MB):
                        if sent == first:
                            self.held.release()
                        if sent >= first:
                            self.go_on.wait(DEADLINE)
                        client.sendall(b" " * min(self.MB, large - sent))
                except OSError:
                    return

    def test_one(self):
        """The whole of one that it passes on; a larger one is refused by the size that it may have, and plopd is not blamed."""
        static = {"Authorization": "Bearer " + STATIC}
        self.sizes["/v1/status"] = (31 * self.MB, 31 * self.MB)
        status, _, body = self.get("/v1/status", static)[:3]
        assert (status, len(body)) == (200, 31 * self.MB)
        self.sizes["/v1/status"] = (33 * self.MB, 33 * self.MB)
        status, _, body = self.get("/v1/status", static)[:3]
        assert status == 413
        assert "32 MiB" in body.decode()
        assert "plopd" not in json.loads(body)["error"]

    def test_together(self):
        """With 58 MiB of answers under way there is no room for one more large one; small ones pass, and later large ones do."""
        static = {"Authorization": "Bearer " + STATIC}
        self.sizes = {"/v1/processes": (30 * self.MB, 29 * self.MB), "/v1/status": (8 * self.MB, 8 * self.MB)}
        results = []
        waiting = [threading.Thread(target=lambda: results.append(self.get("/v1/processes", static))) for _ in range(2)]
        for thread in waiting:
            thread.start()
        for _ in waiting:
            assert self.held.acquire(timeout=DEADLINE)

        def refused():
            status, _, body = self.get("/v1/status", static)[:3]
            if status == 503:
                answer = json.loads(body)
                assert "64 MiB of answers under way" in answer["error"]
                assert answer["hint"]
            return status == 503

        until("a large answer is refused", refused, DEADLINE)
        assert self.get("/v1/windows", static)[0] == 200
        self.go_on.set()
        for thread in waiting:
            thread.join(DEADLINE)
        # two that wait for their clients at once may be too much for plop-gateway as well
        assert 200 in [answer[0] for answer in results]
        for status, _, body in results:
            assert (status, len(body)) == (200, 30 * self.MB) or (status == 503 and json.loads(body)["hint"]), (status, body[:200])
        assert self.get("/v1/status", static)[0] == 200
