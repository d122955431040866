# SPDX-License-Identifier: BSD-2-Clause
"""plopctl on a terminal, when every name in plopd's answers is hostile."""
import contextlib
import http.server
import json
import os
import shutil
import socketserver
import subprocess
import tempfile
import threading
import time
import unicodedata
import unittest

import terminal

CTL = os.environ["PLOP_CTL"]
DEADLINE = 30

# What a name may hold to steer a terminal, to turn around what stands beside it, or to look like another one.
EVIL = "a\x1b]0;t\x07\x9b2J" + "".join(map(chr, (0x202e, 0x202a, 0x2066, 0x2069, 0x200e, 0x200f, 0x61c, 0x2028, 0x2029, 0x200b, 0x200d, 0xad, 0xfeff,
                                                  0xfff9, 0xfffb, 0x206a, 0xe0041, 0xe0100, 0x1d173, 0x3164))) + "z\u86c7e\u0301"


class Evil(http.server.BaseHTTPRequestHandler):
    """A plopd in whose answers every text is EVIL."""
    protocol_version = "HTTP/1.0"

    def address_string(self):
        return ""

    def log_message(self, *_):
        pass

    def answer(self, status, body, kind="application/json"):
        body = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body.encode())

    def do_GET(self):
        path, _, query = self.path.partition("?")
        names = dict.fromkeys(("python", "comm", "exe", "cmdline", "cgroup", "unit", "service", "version", "mode", "gateway", "error", "path"), EVIL)
        thread = {"tid": 1, "python": True, "name": EVIL, "state": EVIL, "syscall": EVIL, "gil": EVIL, "readable": True,
                  "frames": [{"function": EVIL, "file": EVIL, "line": 1}, {"function": EVIL, "file": ""}]}
        if path == "/v1/status":
            self.answer(200, {**names, "store": names, "samples": {"lost": {EVIL: 3}}})
        elif path == "/v1/processes":
            self.answer(200, [{**names, "pid": 1, "status": "profiled"}, {**names, "pid": 2, "status": EVIL}])
        elif path == "/v1/dump":
            self.answer(200, {**names, "pid": 1, "gil": "known", "interpreters": 1, "threads": [thread]})
        elif path == "/v1/stream":
            self.answer(200, "", "text/event-stream")
            for i in range(1, 4):
                window = {"type": "plop-callgraph", "version": 1, "start": 1000.0, "end": 1000.0 + i, "hz": 100, "running": True,
                          "ticks": 200 * i, "python": 100 * i, "other": 100 * i, "lost": {}, "samples": 100 * i, "total": 100 * i,
                          "processes": [{**names, "pid": 1, "samples": 100 * i, "total": 100 * i}], "edges": [],
                          "nodes": [{"id": 0, "function": EVIL, "file": EVIL, "line": 1, "self": 100 * i, "total": 100 * i}]}
                with contextlib.suppress(BrokenPipeError):
                    self.wfile.write(b"event: window\ndata: %s\n\n" % json.dumps(window, ensure_ascii=False).encode())
                time.sleep(0.2)
        elif path == "/v1/profile" and "collapsed" in query:
            self.answer(200, "%s (%s:1) 5\n" % (EVIL, EVIL), "text/plain")
        elif path == "/v1/profile":
            self.answer(200, {"name": EVIL})
        else:
            self.answer(404, {"error": EVIL, "hint": EVIL})

    def do_POST(self):
        self.answer(422, {"error": EVIL, "hint": EVIL}) if self.path == "/v1/recordings" else self.answer(200, {"url": "http://" + EVIL})


class Names(unittest.TestCase):
    """Nothing that a target, a user or the server calls itself steers the terminal."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="plop-ctl-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = os.path.join(self.folder, "plopd.sock")
        server = socketserver.ThreadingUnixStreamServer(self.path, Evil)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)

    def on_a_terminal(self, *arguments):
        with terminal.Terminal([CTL, *arguments, "--socket", self.path], columns=200, rows=60) as t:
            t.end()
            return t.raw.decode()

    def test_nothing_invisible_comes_out(self):
        for arguments, least in ((("ps",), 2), (("ps", "--json"), 2), (("status",), 3), (("status", "--json"), 2), (("dump", "-p", "1"), 4),
                                 (("dump", "-p", "1", "--json"), 4), (("export", "-f", "collapsed", "-o", "-"), 1),
                                 (("export", "-f", "json", "-o", "-"), 1), (("export", "-f", "speedscope", "-o", "-"), 1),
                                 (("record", "-p", "1"), 1), (("open",), 1), (("top", "-b", "1"), 2)):
            with self.subTest(arguments=arguments):
                said = self.on_a_terminal(*arguments)
                bad = sorted({"U+%04X" % ord(c) for c in said if c not in "\r\n\t" and unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs")}
                             | {"U+%04X" % ord(c) for c in said if ord(c) in (0x3164, 0xe0100)})
                assert bad == [], said
                # The name is there all the same, its wide and combining characters with it.
                assert said.count("z\u86c7e\u0301") >= least, said
                if "--json" in arguments or "json" in arguments:
                    assert EVIL in texts(json.loads(said))

    def test_files_and_pipes_keep_the_name(self):
        for form in ("collapsed", "json"):
            done = subprocess.run([CTL, "export", "-f", form, "-o", "-", "--socket", self.path], capture_output=True, timeout=DEADLINE, check=True)
            assert (EVIL if form == "collapsed" else json.dumps(EVIL, ensure_ascii=False)) in done.stdout.decode()
        done = subprocess.run([CTL, "ps", "--json", "--socket", self.path], capture_output=True, timeout=DEADLINE, check=True)
        assert json.loads(done.stdout)[0]["comm"] == EVIL

    def test_columns_stay_columns(self):
        """Cut at the width of the terminal, whatever is in the name."""
        for columns in (60, 79, 80, 100, 140):
            with terminal.Terminal([CTL, "ps", "--socket", self.path], columns=columns, rows=20) as t:
                t.end()
                for line in t.raw.decode().splitlines():
                    width = sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)
                    assert width <= columns, line


def texts(o):
    """All strings of a JSON value."""
    return o if isinstance(o, str) else "".join(texts(x) for x in (o.values() if isinstance(o, dict) else o)) if isinstance(o, (dict, list)) else ""
