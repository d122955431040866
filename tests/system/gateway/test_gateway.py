# SPDX-License-Identifier: BSD-2-Clause
"""plop-gateway in front of ctl_server, whose answers are known, and without it."""
import gzip
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.parse

from ports import free_port
from server import BAD_CHUNKS, CHUNKED, DEADLINE, GARBAGE, Program, Server, connect, error_of, raw, request
from waiting import until

GATEWAY = os.environ["PLOP_GATEWAY"]
PROFILE = b"main (/srv/web.py:3);handle (/srv/web.py:9) 90\n"
CSP = ("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; "
       "frame-ancestors 'none'; form-action 'self'")
GOOD = {"Authorization": "Bearer good"}
STATIC = "static-token-for-scrapers"


class Case(unittest.TestCase):
    with_plopd = True
    with_store = False
    environment = {}
    settings = ()  # more lines of [gateway]

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="plop-gateway-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = os.path.join(self.folder, "plopd.sock")
        self.state = os.path.join(self.folder, "state")
        os.mkdir(self.state)
        config = os.path.join(self.folder, "plop.conf")
        with open(config, "w", encoding="ascii") as f:
            f.write("\n".join(["[gateway]", "token = " + STATIC, *self.settings_in(self.folder), ""]))
        self.server = None
        if self.with_plopd or self.with_store:
            self.server = Server(self.path, self.state if self.with_store else None)
            self.addCleanup(self.end_server)
        if not self.with_plopd:
            self.end_server()
        self.port = free_port()
        self.cookie = "plop_session_%d" % self.port
        self.log = open(os.path.join(self.folder, "log"), "w+", encoding="utf-8")
        self.addCleanup(self.log.close)
        self.notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notified.bind(os.path.join(self.folder, "notify"))
        self.notified.settimeout(DEADLINE)
        self.addCleanup(self.notified.close)
        self.gateway = Program(GATEWAY, "--config", config, "--listen", "127.0.0.1:%d" % self.port, "--socket", self.path,
                               "--state-dir", self.state, stderr=self.log,
                               env={**os.environ, "NOTIFY_SOCKET": os.path.join(self.folder, "notify"), **self.environment})
        self.addCleanup(self.end_gateway)
        while b"READY=1" not in self.notified.recv(4096):
            pass

    def settings_in(self, folder):
        return self.settings

    def end_server(self):
        if self.server:
            server, self.server = self.server, None
            assert server.end() == 0

    def end_gateway(self):
        if self.gateway:
            gateway, self.gateway = self.gateway, None
            # Sanitizers and leaks show as a status of their own.
            self.log.flush()
            status = gateway.end()
            self.log.seek(0)
            assert status == 0, self.log.read()

    def get(self, path, headers=None, method="GET", body=None):
        return request(self.port, method, path, body, headers)

    def refused(self, status, *arguments, **keywords):
        answer = self.get(*arguments, **keywords)
        assert answer[0] == status, answer
        said = json.loads(answer[2])
        assert set(said) == {"error", "hint"}
        return said["error"]

    def session(self):
        status, headers, _ = self.get("/?token=good")
        assert status == 303
        assert headers["Location"] == "./"
        status, headers, _ = self.get("/?pid=5&token=good&search=a%20%3Cb%3E")
        assert (status, headers["Location"]) == (303, "./?pid=5&search=a%20%3Cb%3E"), "a link keeps what it shows"
        return headers["Set-Cookie"]


class Tokens(Case):
    def test_nothing_without(self):
        status, headers, body = self.get("/")
        assert status == 401
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        assert b"plopctl open" in body
        for path in ("/v1/status", "/v1/processes", "/v1/windows", "/v1/profile", "/v1/stream", "/metrics", "/debug/pprof/profile",
                     "/app.js", "/app.css", "/nothing", "/v1/recordings/r1"):
            self.refused(401, path)
        self.refused(401, "/v1/recordings", method="POST", body='{"all":true}')
        for headers in ({"Authorization": "Bearer"}, {"Authorization": "Bearer bad1"}, {"Authorization": "Basic Z29vZA=="},
                        {"Authorization": "Bearer \"}{\""}, {"Authorization": "Bearer " + "a" * 300}, {"Cookie": self.cookie + "="},
                        {"Cookie": self.cookie + "=" + "0" * 64}, {"Cookie": self.cookie + "=good"},
                        {"Authorization": "Bearer " + STATIC[:-1]}):
            self.refused(401, "/v1/status", headers)
        self.refused(401, "/v1/status?token=bad1")
        self.refused(401, "/v1/status?token=")
        assert self.get("/?token=bad1")[0] == 401

    def test_once_in_the_address_then_a_cookie(self):
        cookie = self.session()
        value, *attributes = cookie.split("; ")
        assert re.search("^plop_session_%d=[0-9a-f]{64}$" % self.port, value)
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(attributes)
        assert value != self.session().split("; ")[0]
        assert self.get("/", {"Cookie": "other=1; " + value})[0] == 200
        assert json.loads(self.get("/v1/status", {"Cookie": value})[2])["hz"] == 100
        # A stale link in the history of a browser that has a session.
        status, headers, _ = self.get("/?token=bad1", {"Cookie": value})
        assert (status, headers["Location"], headers.get("Set-Cookie")) == (303, "./", None)
        # The session is the gateway's own: it outlives plopd.
        self.end_server()
        assert self.get("/", {"Cookie": value})[0] == 200

    def fill(self, token, path="/", headers=None):
        return self.get(path, {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}, "POST", urllib.parse.urlencode({"token": token}))

    def test_the_page_to_log_in(self):
        own = "http://127.0.0.1:%d" % self.port
        status, headers, body = self.get("/?pid=5&search=a%20%3Cb%3E%22&token=bad1")
        assert (status, headers["Content-Security-Policy"], headers["Referrer-Policy"]) == (401, CSP, "strict-origin")
        assert b'action="./?pid=5&amp;search=a%20%3Cb%3E%22"' in body, "what the link was to show, without its token"
        assert b"bad1" not in body
        # It is made of what everybody may have, and that is all they may have.
        for path in ("/login.css", "/favicon.svg"):
            assert b'"%s"' % path[1:].encode() in body, "relative, as a proxy may have it below another path"
            assert self.get(path)[0] == 200
            self.refused(405, path, method="POST")
        for token in ("good", " good ", own + "/?token=good", own + "/?room=flame&token=good#x"):
            status, headers, body = self.fill(token, "/?pid=5&search=a%20%3Cb%3E", {"Origin": own})
            assert (status, headers["Location"]) == (303, "./?pid=5&search=a%20%3Cb%3E"), token
            assert b"good" not in body
            value = headers["Set-Cookie"].split("; ")[0]
            assert self.get("/v1/status", {"Cookie": value})[0] == 200
        # Who is logged in stays so, whatever the form says.
        assert self.fill("bad1", headers={"Cookie": value})[0] == 303
        assert self.get("/v1/logout", {"Cookie": value}, method="POST")[0] == 200
        self.refused(401, "/v1/status", {"Cookie": value})
        status, headers, _ = self.fill(STATIC)
        assert (status, headers["Location"]) == (303, "./")
        assert self.get("/v1/status", {"Cookie": headers["Set-Cookie"].split("; ")[0]})[0] == 200
        for token in ("", "bad1", STATIC[:-1], "a" * 300, "a" * 20000, '"}{"', "%00", own + "/", "<script>"):
            status, headers, body = self.fill(token, "/?pid=5")
            assert (status, headers.get("Set-Cookie")) == (401, None), token
            assert b'action="./?pid=5"' in body
            assert b"<script>" not in body
        # The token of the address is not the form's, a form of another place is none, and JSON is no form.
        assert self.fill("bad1", "/?token=good")[0] == 401
        for origin in ("http://evil.example", "null"):
            self.refused(403, "/", {"Origin": origin}, method="POST", body="token=good")
        assert self.get("/", method="POST", body='{"token":"good"}')[0] == 401
        # By a name that is not the gateway's, a browser gets words and nothing else.
        status, headers, body = self.get("/?token=good", {"Host": "evil.example"})
        assert (status, headers.get("Set-Cookie")) == (403, None)
        assert b"Not by this address" in body
        assert b"<form" not in body
        self.end_server()
        status, _, body = self.fill("good2")
        assert (status, b"plopd does not answer" in body) == (503, True)

    def test_cookies_of_others_hide_nothing(self):
        """Another port of this host can set a cookie of any name, and one for a longer path is sent first."""
        value = self.session().split("; ")[0]
        bad = self.cookie + "=" + "0" * 64
        for cookies in (bad + "; " + value, value + "; " + bad, self.cookie + "=; " + value, self.cookie + "=" + "x" * 3000 + "; " + value,
                        "; ".join([bad] * 100 + [value]), "plop_session=%s; %s" % ("0" * 64, value), self.cookie + "; " + value):
            assert self.get("/v1/status", {"Cookie": cookies})[0] == 200, cookies[:100]
        assert self.get("/v1/status", {"Cookie": "; ".join([bad] * 100)})[0] == 401
        # A header for each is not what browsers send, but proxies do.
        raw_answer = raw(self.port, ("GET /v1/status HTTP/1.1\r\nHost: localhost\r\nCookie: %s\r\nCookie: %s\r\n\r\n" %
                                     (bad, value)).encode())
        assert raw_answer.startswith(b"HTTP/1.1 200 "), raw_answer
        # A name is not one that ends like it, nor another gateway's.
        for name in ("x" + self.cookie, "plop_session", self.cookie + "1"):
            assert self.get("/v1/status", {"Cookie": name + "=" + value.split("=")[1]})[0] == 401

    def test_log_out(self):
        one, two = self.session().split("; ")[0], self.session().split("; ")[0]
        s = connect(self.port)
        s.sendall(b"GET /v1/stream?thread=1 HTTP/1.1\r\nHost: localhost\r\nCookie: %s\r\n\r\n" % one.encode())
        assert b" 200 " in s.recv(4096).split(b"\r\n")[0]
        # Not by others, and not by a page of another place.
        self.refused(401, "/v1/logout", method="POST")
        self.refused(403, "/v1/logout", {"Cookie": one, "Origin": "http://evil.example"}, method="POST")
        assert self.get("/v1/status", {"Cookie": one})[0] == 200
        bad = self.cookie + "=" + "0" * 64
        status, headers, body = self.get("/v1/logout", {"Cookie": bad + "; " + one}, method="POST")
        assert (status, json.loads(body)) == (200, {"logged_out": True})
        value, *attributes = headers["Set-Cookie"].split("; ")
        assert value == self.cookie + "="
        assert {"Max-Age=0", "Path=/"} <= set(attributes)
        # On the server's side it is over: what is open, what is kept, and the address that it came from.
        while s.recv(65536):
            pass
        s.close()
        until("the end of the stream", lambda: self.server.status()["test_waiting"] == 0, DEADLINE)
        self.refused(401, "/v1/status", {"Cookie": one})
        self.refused(401, "/v1/logout", {"Cookie": one}, method="POST")
        until("the end of the token", lambda: self.get("/?token=good")[0] == 401, DEADLINE)
        # Another browser's session goes on.
        assert self.get("/v1/status", {"Cookie": two})[0] == 200
        assert self.get("/v1/logout", {"Cookie": two}, method="POST")[0] == 200
        self.refused(401, "/v1/status", {"Cookie": two})

    def test_log_out_of_a_token(self):
        assert self.get("/v1/status", GOOD)[0] == 200
        assert self.get("/v1/logout", GOOD, method="POST")[0] == 200
        self.refused(401, "/v1/status", GOOD)
        static = {"Authorization": "Bearer " + STATIC}
        assert "does not end" in self.refused(409, "/v1/logout", static, method="POST")
        assert self.get("/v1/status", static)[0] == 200

    def test_other_ways(self):
        assert self.get("/v1/status?token=good")[0] == 200
        for headers in (GOOD, {"Authorization": "bearer " + STATIC}):
            assert self.get("/v1/status", headers)[0] == 200
            assert self.get("/metrics", headers)[2] == b"plop_up 1\n"
        assert self.get("/metrics?token=" + STATIC)[2] == b"plop_up 1\n"

    def test_a_good_token_is_remembered(self):
        assert self.get("/v1/status", GOOD)[0] == 200
        self.end_server()
        assert self.get("/v1/status", GOOD)[0] == 200
        assert "checks tokens" in self.refused(503, "/v1/status", {"Authorization": "Bearer other"})
        assert self.get("/?token=other")[0] == 503

    def test_other_places_are_refused(self):
        for host in ("evil.example", "evil.example:%d" % self.port, "10.0.0.1", "localhost.evil.example"):
            self.refused(403, "/v1/status", {"Host": host, **GOOD})
        for host in ("localhost", "localhost:1234", "[::1]:80", "127.0.0.1:%d" % self.port):
            assert self.get("/v1/status", {"Host": host, **GOOD})[0] == 200
        own = "http://127.0.0.1:%d" % self.port
        for origin in ("http://evil.example", "null", "http://127.0.0.1:1", own + ".evil.example"):
            self.refused(403, "/v1/recordings", {"Origin": origin, **GOOD}, method="POST", body='{"all":true}')
        assert self.get("/v1/status", {"Origin": own, **GOOD})[0] == 200
        assert self.server.status()["test_recordings"] == 0


class Serving(Case):
    def test_viewer(self):
        for path, kind in (("/", "text/html"), ("/app.js", "javascript"), ("/app.css", "text/css")):
            status, headers, plain = self.get(path, GOOD)
            assert status == 200
            assert kind in headers["Content-Type"]
            assert headers["Content-Security-Policy"] == CSP
            assert headers["Referrer-Policy"] == "no-referrer"
            assert headers["X-Content-Type-Options"] == "nosniff"
            _, packed, data = self.get(path, {"Accept-Encoding": "gzip, br", **GOOD})
            assert packed["Content-Encoding"] == "gzip"
            assert gzip.decompress(data) == plain
            status, _, data = self.get(path, {"If-None-Match": headers["ETag"], **GOOD})
            assert (status, data) == (304, b"")
        # The same policy where there is no session yet.
        assert self.get("/")[1]["Content-Security-Policy"] == CSP

    def test_head(self):
        for path in ("/", "/app.js", "/app.css", "/v1/processes", "/v1/profile?format=collapsed", "/metrics"):
            for extra in ({}, {"Accept-Encoding": "gzip"}):
                status, headers, body = self.get(path, {**GOOD, **extra})
                answer = self.get(path, {**GOOD, **extra}, method="HEAD")
                assert (answer[0], answer[2]) == (status, b"")
                for name in ("Content-Type", "Content-Length", "ETag", "Content-Encoding", "Content-Security-Policy"):
                    assert answer[1][name] == headers[name], (path, name)
                assert headers["Content-Length"] == str(len(body))
        for path, headers, status in (("/", {}, 401), ("/nothing", GOOD, 404), ("/v1/logout", GOOD, 405), ("/?token=good", {}, 303)):
            answer = self.get(path, headers, method="HEAD")
            assert (answer[0], answer[2]) == (status, b"")
        assert self.get("/v1/stream?thread=1", GOOD, method="HEAD")[0] == 200
        until("the end of the stream", lambda: self.server.status()["test_waiting"] == 0, DEADLINE)

    def test_streams_of_one_session_are_bounded(self):
        def stream(headers):
            s = connect(self.port)
            s.sendall(b"GET /v1/stream?thread=1 HTTP/1.1\r\nHost: localhost\r\n%s: %s\r\n\r\n" % tuple(
                part.encode() for item in headers.items() for part in item))
            return s, s.recv(4096).split(b"\r\n")[0]

        session = {"Cookie": self.session().split("; ")[0]}
        streams = [stream(session) for _ in range(8)]
        assert {line for _, line in streams} == {b"HTTP/1.1 200 OK"}
        more, line = stream(session)
        assert b" 429 " in line
        more.close()
        # Another session has streams of its own, and this one everything else.
        other, line = stream(GOOD)
        assert b" 200 " in line
        assert self.get("/v1/status", session)[0] == 200
        streams.pop()[0].close()
        until("the end of one", lambda: self.server.status()["test_waiting"] == 8, DEADLINE)
        again, line = stream(session)
        assert b" 200 " in line
        for s in (other, again, *(s for s, _ in streams)):
            s.close()

    def test_only_what_it_should(self):
        for method in ("PUT", "DELETE", "POST", "PATCH", "OPTIONS"):
            for path in ("/v1/status", "/app.js"):
                status, headers, _ = self.get(path, GOOD, method=method)
                assert (status, headers["Allow"]) == (405, "GET, HEAD")
        assert self.get("/v1/logout", GOOD)[1]["Allow"] == "POST"
        # plopd trusts the gateway with these; it does not hand them on.
        for path in ("/v1/tokens", "/v1/tokens/check", "/v1/tokens/revoke", "/v1/gateway", "/echo", "/v1/../v1/tokens", "/v1/recordings/..%2ftokens"):
            self.refused(404, path, GOOD, method="POST", body="{}")
        assert self.get("/v1/recordings/..%2f..", GOOD)[0] == 404

    def test_answers_are_plopds(self):
        for path in ("/v1/processes", "/v1/profile?format=collapsed&comm=a%26b", "/v1/profile?format=json&pid=1&pid=2"):
            ours = self.get(path, GOOD)
            theirs = request(self.path, "GET", path)
            assert (ours[0], ours[1]["Content-Type"]) == (theirs[0], theirs[1]["Content-Type"])
            if "json" not in path:
                assert ours[2] == theirs[2]
        status, headers, data = self.get("/v1/profile?format=pprof", GOOD)
        assert status == 200
        assert "attachment" in headers["Content-Disposition"]
        assert b"/srv/web.py" in gzip.decompress(data)
        assert "is not a selector" in self.refused(400, "/v1/profile?colour=red", GOOD)
        assert self.get("/debug/pprof/profile?seconds=1", GOOD)[2] == b"later\n"

    def test_recordings(self):
        status, _, body = self.get("/v1/recordings", GOOD, method="POST", body='{"all":true,"duration_s":60}')
        assert status == 201
        path = "/v1/recordings/" + json.loads(body)["id"]
        assert json.loads(self.get(path, GOOD)[2])["state"] == "running"
        assert json.loads(self.get(path, GOOD, method="DELETE")[2])["reason"] == "stopped"
        assert self.get(path + "?format=collapsed", GOOD)[2] == PROFILE
        self.refused(404, "/v1/recordings/r99", GOOD)
        self.refused(422, "/v1/recordings", GOOD, method="POST", body='{"pid":[422],"duration_s":1}')

    def test_stream(self):
        status, headers, body = self.get("/v1/stream", GOOD)
        assert (status, headers["Content-Type"]) == (200, "text/event-stream")
        assert re.findall(rb'event: window\ndata: \{"n":(\d)\}\n\n', body) == [b"5", b"4", b"3", b"2", b"1"]

    def test_leaving_reaches_plopd(self):
        for path in (b"/v1/stream?thread=1", b"/debug/pprof/profile?thread=1"):
            before = self.server.status()["test_gone"]
            s = connect(self.port)
            s.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n\r\n")
            until("the request", lambda: self.server.status()["test_waiting"] == 1, DEADLINE)
            s.close()
            until("gone", lambda before=before: self.server.status()["test_gone"] == before + 1, DEADLINE)

    def test_registers(self):
        url = "http://127.0.0.1:%d" % self.port
        until("the registration", lambda: self.server.status()["gateway"] == url, DEADLINE)
        done = subprocess.run([os.environ["PLOP_CTL"], "open", "--socket", self.path], capture_output=True, text=True,
                              timeout=DEADLINE, check=True)
        assert done.stdout == url + "/?token=good\n"
        assert self.get("/?token=good")[0] == 303


class Hostile(Case):
    def alive(self):
        assert json.loads(self.get("/v1/status", GOOD)[2])["pid"] == self.server.process.pid

    def test_garbage(self):
        for data, statuses in GARBAGE:
            with self.subTest(data=data[:60]):
                assert error_of(raw(self.port, data))[0] in statuses
        generator = random.Random(3)
        for _ in range(200):
            assert error_of(raw(self.port, generator.randbytes(generator.randrange(1, 3000)), finish=True))[0] == 400
        self.alive()

    def test_a_body_of_a_gigabyte(self):
        head = b"POST /v1/recordings HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n"
        for framing, piece in ((b"Content-Length: 1073741824\r\n\r\n", b"a" * 65536),
                               (b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"a" * 65536 + b"\r\n")):
            sent = 0
            with connect(self.port) as s:
                s.sendall(head + framing)
                try:
                    while sent < 1 << 30:
                        s.sendall(piece)
                        sent += len(piece)
                except OSError:
                    pass
            # The line is cut long before the end.
            assert sent < 64 << 20
        # A client that waits for leave to send, as curl does, hears why not.
        answer = raw(self.port, head + b"Expect: 100-continue\r\nContent-Length: 1073741824\r\n\r\n")
        assert error_of(answer)[0] == 413
        self.alive()

    def test_bad_chunks(self):
        head = (CHUNKED % b"/v1/recordings")[:-2] + b"Authorization: Bearer good\r\n\r\n"
        for data, statuses in BAD_CHUNKS:
            with self.subTest(data=data[:60]):
                assert error_of(raw(self.port, head + data, finish=True))[0] in statuses
        assert self.server.status()["test_recordings"] == 0
        answer = raw(self.port, head + b'11\r\n{"all":true,"dura\r\n9\r\ntion_s":6\r\n2\r\n0}\r\n0\r\nX: y\r\n\r\n')
        assert answer.startswith(b"HTTP/1.1 201 "), answer

    def test_silent_and_slow_clients(self):
        """Whoever says nothing keeps nobody out: neither who is logged in, nor who comes with a token."""
        session = {"Cookie": self.get("/?token=good")[1]["Set-Cookie"].split("; ")[0]}
        stream = connect(self.port)
        stream.sendall(b"GET /v1/stream?thread=1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n\r\n")
        slow = connect(self.port)
        slow.sendall(b"G")
        silent = []
        for i in range(200):
            silent.append(connect(self.port))
            silent[-1].sendall((b"GET /v1/status HTTP/1.1\r\nHost: loc"[:i % 30] if i % 2 else
                                b"POST /v1/recordings HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\nContent-Length: 9\r\n\r\n"))
            if i % 10 == 0:
                assert self.get("/v1/status", session)[0] == 200
                self.alive()
        assert self.get("/", session)[0] == 200
        assert self.get("/?token=good")[0] == 303
        self.refused(401, "/v1/status")
        # The oldest gave way, and were told; 64 of one address are kept.
        told = 0
        for s in silent:
            s.settimeout(0.001)
            try:
                assert error_of(s.recv(4096))[0] == 503
                told += 1
            except TimeoutError:
                pass
        assert told >= 200 - 64 - 4
        assert told < 200
        assert error_of(slow.recv(4096))[0] == 503
        slow.close()
        # One byte at a time is not faster than silence: the deadline is for the whole head.
        slow = connect(self.port)
        begun = time.monotonic()
        said = b""
        slow.settimeout(0.2)
        for byte in b"GET /v1/status HTTP/1.1\r\nX: " + b"a" * 300:
            try:
                slow.sendall(bytes([byte]))
                said = slow.recv(4096)
                break
            except TimeoutError:
                continue
            except OSError:
                break
        assert time.monotonic() - begun < 40
        if said:
            assert error_of(said)[0] == 408
        # The stream has been there all the while.
        assert self.server.status()["test_waiting"] == 1
        for s in [slow, stream, *silent]:
            s.close()
        self.alive()

    def test_a_client_that_does_not_read(self):
        stuck = connect(self.port)
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.sendall(b"GET /app.js HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n\r\n")
        stream = connect(self.port)
        stream.sendall(b"GET /v1/stream?thread=1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n\r\n")
        for _ in range(20):
            self.alive()
        stuck.close()
        stream.close()
        until("gone", lambda: self.server.status()["test_gone"] == 1, DEADLINE)


class Offline(Case):
    with_plopd = False
    with_store = True

    def test_answers_from_the_store(self):
        headers = {"Authorization": "Bearer " + STATIC}
        said = json.loads(self.get("/v1/status", headers)[2])
        assert (said["mode"], said["store"]["windows"]) == ("offline", 1)
        assert "plopd does not answer" in said["error"]
        [window] = json.loads(self.get("/v1/windows", headers)[2])["windows"]
        assert (window["ticks"], window["python"], window["running"]) == (200, 90, False)
        assert self.get("/v1/profile?format=collapsed", headers)[2] == PROFILE
        assert self.get("/v1/profile?format=collapsed&pid=1", headers)[2] == b""
        graph = json.loads(self.get("/v1/profile", headers)[2])
        assert (graph["type"], graph["samples"], graph["lost"]["fault"]) == ("plop-callgraph", 90, 2)
        self.refused(400, "/v1/profile?from=x", headers)
        for path in ("/v1/processes", "/v1/stream", "/debug/pprof/profile", "/metrics"):
            assert "plopd does not answer" in self.refused(503, path, headers)
        self.refused(503, "/v1/recordings", headers, method="POST", body='{"all":true}')
        # those that are kept are in plop.db
        assert json.loads(self.get("/v1/recordings", headers)[2]) == {"recordings": []}
        assert "no such recording" in self.refused(404, "/v1/recordings/r1", headers)
        self.refused(503, "/v1/recordings/r1", headers, method="DELETE")

    def test_plopd_comes_and_goes(self):
        headers = {"Authorization": "Bearer " + STATIC}
        assert json.loads(self.get("/v1/status", headers)[2])["mode"] == "offline"
        os.unlink(self.path)
        self.server = Server(self.path)
        assert json.loads(self.get("/v1/status", headers)[2])["mode"] == "always"
        self.end_server()
        assert json.loads(self.get("/v1/status", headers)[2])["mode"] == "offline"


class Empty(Case):
    with_plopd = False

    def test_says_what_is_missing(self):
        headers = {"Authorization": "Bearer " + STATIC}
        assert "no %s/plop.db" % self.state in self.refused(503, "/v1/windows", headers)
        assert json.loads(self.get("/v1/status", headers)[2])["store"]["windows"] == 0


class Watchdog(Case):
    environment = {"WATCHDOG_USEC": "400000"}

    def test_notifies(self):
        seen = b""
        while b"WATCHDOG=1" not in seen:
            seen = self.notified.recv(4096)
        self.gateway.process.send_signal(signal.SIGTERM)
        while b"STOPPING=1" not in seen:
            seen = self.notified.recv(4096)
        assert self.gateway.end(0) == 0
        self.gateway = None


class Service(Case):
    def test_stops_in_the_middle_of_things(self):
        s = connect(self.port)
        s.sendall(b"GET /debug/pprof/profile?thread=1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n\r\n")
        until("the request", lambda: self.server.status()["test_waiting"] == 1, DEADLINE)
        self.end_gateway()
        s.close()

    def test_refuses_to_start(self):
        short = os.path.join(self.folder, "short.conf")
        with open(short, "w", encoding="ascii") as f:
            f.write("[gateway]\ntoken = hunter2\n")
        for arguments, said in ((("--listen", "127.0.0.1:%d" % self.port), "the port is in use"),
                                (("--listen", "127.0.0.1"), "an address and port"),
                                (("--listen", "no.such.host.invalid:1"), "cannot listen"),
                                (("--listen", "192.0.2.1:1"), "cannot listen"),
                                (("--config", os.path.join(self.folder, "missing")), "No such file"),
                                (("--state-dir", "relative"), "absolute path"),
                                (("--config", short), "at least 16")):
            done = subprocess.run([GATEWAY, *arguments], capture_output=True, text=True, timeout=DEADLINE, check=False)
            assert done.returncode == 1, done.stderr
            assert len(done.stderr.splitlines()) == 1, done.stderr
            assert said in done.stderr
            assert "hunter2" not in done.stderr

    def test_takes_a_socket_of_systemd(self):
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            port = listening.getsockname()[1]
            # what it listens on says where it is, and not what it was told
            for listen, said in ((port, False), (1, True)):
                # not sh: dash takes no number of two digits
                gateway = Program("/bin/bash", "-c", 'exec 3<&"$0"; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"', str(listening.fileno()),
                                  GATEWAY, "--listen", "127.0.0.1:%d" % listen, "--socket", self.path, "--state-dir", self.state,
                                  pass_fds=[listening.fileno()], stderr=subprocess.PIPE, text=True)
                try:
                    assert request(port, "GET", "/v1/status", None, GOOD)[0] == 200
                    url = "http://127.0.0.1:%d" % port
                    until("the registration", lambda: self.server.status()["gateway"] == url, DEADLINE)
                    assert "plop_session_%d=" % port in request(port, "GET", "/?token=good")[1]["Set-Cookie"]
                    gateway.process.terminate()
                    assert ("is not heeded" in gateway.process.stderr.read()) == said
                finally:
                    assert gateway.end() == 0
