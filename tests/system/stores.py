# SPDX-License-Identifier: BSD-2-Clause
"""A profile store of others, on loopback: it holds each request to what that store documents (store_rules), and counts."""
import collections
import contextlib
import gzip
import hashlib
import threading
import time

import loopback
from store_rules import RULES

KINDS = list(RULES)


class Store(loopback.Server):
    """
    .kind: of KINDS. .header: (name, value) that a request must have, or None. .fault: a function of (handler, service, rows, body) that may
    answer in the store's place, and is true then. .taken: {service: samples}; .repeated: samples of requests that were there already;
    .broken: rules that were broken. .most: rows of a request, beyond which it is too large. .rate: bytes a second, with a burst as large.
    """

    def __init__(self, kind):
        self.kind, self.header, self.fault, self.most, self.rate = kind, None, None, None, None
        self.taken, self.repeated, self.broken, self.asked, self.refused = collections.Counter(), 0, [], 0, 0
        self.seen, self.lock = set(), threading.Lock()
        self.budget, self.filled = 0.0, 0.0
        super().__init__(Handler)

    def take(self, path, body, service, samples):
        with self.lock:
            key = hashlib.sha256(path.encode() + body).digest()
            if key in self.seen:
                self.repeated += samples
            else:
                self.taken[service] += samples
            self.seen.add(key)

    def has_room(self, size):
        """As a token bucket, which Pyroscope's rate limit is: what is larger than the burst never passes."""
        with self.lock:
            now = time.monotonic()
            self.budget = min(self.rate, self.budget + (now - self.filled) * self.rate)
            self.filled = now
            if size > self.budget:
                return False
            self.budget -= size
            return True

    @property
    def total(self):
        with self.lock:
            return sum(self.taken.values())


class Handler(loopback.Handler):
    def do_POST(self):
        store = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        store.asked += 1
        with contextlib.suppress(OSError):
            if store.header and self.headers[store.header[0]] != store.header[1]:
                # as Coroot says of a key
                self.answer(404 if store.kind == "coroot" else 401, b"no such project\n")
                return
            try:
                zipped = self.headers["Content-Encoding"] == "gzip"
                assert zipped == (store.kind == "otlp")
                labels, samples, rows = RULES[store.kind](self.path, self.headers["Content-Type"], body)
            except Exception as why:  # whatever the rules stumble over is a broken one
                store.broken.append("%s %s: %r" % (store.kind, self.path[:200], why))
                self.answer(400, b"malformed\n")
                return
            service = labels["service"]
            if store.most and rows > store.most:
                store.refused += 1
                self.answer(413, b"too large\n")
            elif store.rate and not store.has_room(len(gzip.decompress(body)) if body[:2] == b"\x1f\x8b" else len(body)):
                store.refused += 1
                self.answer(429, b"rate limit\n", Retry_After="1")
            elif not store.fault or not store.fault(self, service, samples, body):
                store.take(self.path, body, service, samples)
                self.answer(200)
