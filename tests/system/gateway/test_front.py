# SPDX-License-Identifier: BSD-2-Clause
"""plop-gateway where others than this host's users reach it: by TLS, behind a proxy, and too often."""
import contextlib
import http.client
import json
import os
import socket
import ssl
import subprocess
import time

from ports import free_port
from server import DEADLINE, raw, request
from test_gateway import GATEWAY, GOOD, STATIC, Case
from waiting import until

SECRET = "a-secret-of-the-proxy"


class Prefix(Case):
    settings = ("url = https://ops.example/plop",)

    def test_paths(self):
        for path in ("/plop/v1/status", "/v1/status"):
            assert self.get(path, GOOD)[0] == 200, path
        for path in ("/plopper/v1/status", "/plop/plop/v1/status"):
            assert self.get(path, GOOD)[0] == 404, path
        status, headers, _ = self.get("/plop?token=good&pid=5")
        assert (status, headers["Location"]) == (308, "/plop/?pid=5"), headers.items()
        status, headers, _ = self.get("/plop/?token=good&pid=5")
        assert (status, headers["Location"]) == (303, "./?pid=5"), headers.items()
        cookie = headers["Set-Cookie"]
        assert "; Path=/plop/;" in cookie and cookie.endswith("; Secure"), cookie
        cookie = {"Cookie": cookie.split(";")[0]}
        status, _, page = self.get("/plop/", cookie)
        assert status == 200 and b'src="app.js"' in page and b'="/' not in page
        assert self.get("/plop/app.js", cookie)[0] == 200
        page = self.get("/plop/")[2]
        assert b'action="./"' in page and b'href="login.css"' in page and b'="/' not in page
        status, headers, _ = self.get("/plop/v1/logout", cookie, method="POST")
        assert status == 200 and "; Path=/plop/;" in headers["Set-Cookie"]

    def test_whose_it_is(self):
        until("the registration", lambda: self.server.status()["gateway"] == "https://ops.example/plop", DEADLINE)
        for host in ("ops.example", "OPS.example", "127.0.0.1:%d" % self.port):
            assert self.get("/v1/status", {"Host": host, "Origin": "https://ops.example", **GOOD})[0] == 200, host
        for headers in ({"Host": "ops.example:1"}, {"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "http://ops.example"},
                        {"Host": "ops.example", "Origin": "https://ops.example:1"}, {"Sec-Fetch-Site": "cross-site"}):
            self.refused(403, "/plop/v1/status", {**headers, **GOOD})
        # who follows a link from elsewhere
        assert self.get("/plop/?token=good", {"Sec-Fetch-Site": "cross-site"})[0] == 303
        assert self.get("/v1/status", {"Sec-Fetch-Site": "same-origin", **GOOD})[0] == 200


def by_proxy(user, secret=SECRET, **more):
    return {"X-Forwarded-User": user, "Plop-Proxy-Secret": secret, **more}


class Users(Case):
    settings = ("proxies = 10.0.0.0/8, 127.0.0.1", "proxy_secret = " + SECRET, "user_header = X-Forwarded-User")

    def test_users(self):
        """Whom the proxy names may look, and not record; and nobody else is named."""
        assert self.get("/v1/status", by_proxy("alice@example"))[0] == 200
        assert self.get("/", by_proxy("CN=Alice Example,O=\u00c9".encode().decode("latin-1")))[0] == 200
        assert "not to record" in self.refused(403, "/v1/recordings", by_proxy("alice"), method="POST", body='{"all":true,"duration_s":1}')
        for headers in (by_proxy("alice", SECRET + "x"), {"X-Forwarded-User": "alice"}, {"Plop-Proxy-Secret": SECRET}, by_proxy(""), by_proxy("x" * 124),
                        by_proxy("a\x80b"), {"X-Remote-User": "alice", "Plop-Proxy-Secret": SECRET}):
            self.refused(401, "/v1/status", headers)
        self.refused(403, "/v1/status", by_proxy("alice", Host="evil.example"))
        self.refused(403, "/v1/recordings", by_proxy("alice", Origin="https://evil.example"), method="POST", body="{}")

    def test_named_twice(self):
        head = b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nPlop-Proxy-Secret: %s\r\nX-Forwarded-User: alice\r\n" % SECRET.encode()
        assert b" 200 " in raw(self.port, head + b"\r\n").split(b"\r\n")[0]
        assert b" 401 " in raw(self.port, head + b"x-forwarded-user: root\r\n\r\n").split(b"\r\n")[0]

    def test_addresses(self):
        """Bounds are of the client that the proxy names last, whatever the client has put before."""
        def tries(forwarded, **more):
            """How many are heard, of which there are some more while they are asked."""
            headers = {"Authorization": "Bearer bad", "X-Forwarded-For": forwarded, **more}
            return next((n for n in range(400) if self.get("/v1/status", headers)[0] == 429), 400)

        proxy = {"Plop-Proxy-Secret": SECRET}
        for client in ("192.0.2.1", "198.51.100.1, 192.0.2.2", "[2001:db8::1]:80"):
            assert 20 <= tries(client, **proxy) < 400, client
        assert tries("203.0.113.9, 192.0.2.2", **proxy) < 400
        # who is no proxy has one address, whatever is said
        assert tries("192.0.2.77") < 400 and tries("192.0.2.78") < 20

    def test_refuses_to_start(self):
        path = os.path.join(self.folder, "bad.conf")
        for lines, said in ((["user_header = X-User"], "set proxies"), (["user_header = X-User", "proxies = 127.0.0.0/8"], "set proxy_secret"),
                            (["user_header = X-User", "proxies = ::/0"], "set proxy_secret"), (["proxies = localhost"], "addresses and networks"),
                            (["users = all"], "read or record"), (["url = https://ops.example/a?b"], "cannot be used"),
                            (["certificate = /nowhere.pem"], "go together"), (["certificate = /nowhere.pem", "key = /nowhere.key"], "/nowhere.pem")):
            with open(path, "w", encoding="ascii") as f:
                f.write("\n".join(["[gateway]", *lines, ""]))
            done = subprocess.run([GATEWAY, "--config", path, "--listen", "127.0.0.1:%d" % free_port(), "--socket", self.path, "--state-dir", self.state],
                                  capture_output=True, text=True, timeout=DEADLINE, check=False)
            assert done.returncode == 1 and said in done.stderr, (lines, done.stderr)


class Recorders(Case):
    settings = ("proxies = 127.0.0.1", "proxy_secret = " + SECRET, "user_header = X-Forwarded-User", "users = record")

    def setUp(self):
        os.environ["PLOP_TEST_OLD"] = "1"
        try:
            super().setUp()
        finally:
            del os.environ["PLOP_TEST_OLD"]

    def test_old_plopd(self):
        """A plopd of an older version knows no scopes: it is not asked as if there were none."""
        until("the registration", lambda: self.server.status()["gateway"], DEADLINE)
        assert "older version" in self.refused(503, "/v1/recordings", by_proxy("alice"), method="POST", body='{"all":true,"duration_s":1}')


class NewRecorders(Case):
    settings = Recorders.settings

    def test_users(self):
        until("the registration", lambda: self.server.status()["gateway"], DEADLINE)
        assert self.get("/v1/recordings", by_proxy("alice"), method="POST", body='{"all":true,"duration_s":1}')[0] == 201


class Often(Case):
    def test_tokens(self):
        """Who tries tokens is sent away for a while; whoever has a good one is not."""
        assert self.get("/v1/status", GOOD)[0] == 200
        tried = next((n for n in range(400) if self.get("/v1/status", {"Authorization": "Bearer bad%d" % n})[0] == 429), 400)
        # the good one was tried as well
        assert 19 <= tried < 400
        assert any(b"Too many tries" in self.get("/", method="POST", body="token=worse")[2] for _ in range(5))
        for headers in (GOOD, {"Authorization": "Bearer " + STATIC}):
            assert self.get("/v1/status", headers)[0] == 200
        until("one may try again", lambda: self.get("/v1/status", {"Authorization": "Bearer bad"})[0] == 401, DEADLINE)

    def test_strangers(self):
        began = time.monotonic()
        asked = next((n for n in range(1000) if self.get("/login.css")[0] == 429), 1000)
        if asked == 1000 and 1000 / (time.monotonic() - began) < 60:
            self.skipTest("this machine is too slow just now to ask more often than one may")
        assert 300 <= asked < 1000
        assert self.get("/v1/status", GOOD)[0] == 200


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=DEADLINE)


def certify(folder, name):
    """Makes a certificate of its own for 127.0.0.1 in the place of the one before."""
    new = [os.path.join(folder, part + ".new") for part in ("key", "pem")]
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", new[0], "-out", new[1], "-days", "2",
            "-subj", "/CN=" + name, "-addext", "subjectAltName=IP:127.0.0.1")
    for path in new:
        os.rename(path, path[:-len(".new")])


class Tls(Case):
    def settings_in(self, folder):
        certify(folder, "first")
        return ("certificate = %s/pem" % folder, "key = %s/key" % folder)

    def context(self):
        return ssl.create_default_context(cafile=os.path.join(self.folder, "pem"))

    @contextlib.contextmanager
    def connection(self):
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=DEADLINE, context=self.context())
        try:
            yield connection
        finally:
            connection.close()

    def get(self, path, headers=None, method="GET", body=None):
        with self.connection() as c:
            c.request(method, path, body, headers or {})
            answer = c.getresponse()
            return answer.status, answer.headers, answer.read()

    def shaken(self):
        return self.context().wrap_socket(socket.create_connection(("127.0.0.1", self.port), DEADLINE), server_hostname="127.0.0.1")

    def test_answers(self):
        assert json.loads(self.get("/v1/status", GOOD)[2])["pid"] == self.server.process.pid
        status, headers, _ = self.get("/?token=good")
        assert status == 303 and headers["Set-Cookie"].endswith("; Secure")
        assert self.get("/app.js", GOOD)[0] == 200
        # more than one record, up and down
        body = json.dumps({"pid": [422], "duration_s": 1, "more": "x" * 60000})
        assert self.get("/v1/recordings", GOOD, method="POST", body=body)[0] == 422
        assert self.get("/v1/recordings", GOOD, method="POST", body="x" * 70000)[0] == 413
        assert b'event: window\ndata: {"n":1}' in self.get("/v1/stream", GOOD)[2]
        with self.shaken() as s:
            assert s.version() in ("TLSv1.2", "TLSv1.3")
        token = os.path.join(self.folder, "token")
        with open(token, "w", encoding="ascii") as f:
            f.write(STATIC + "\n")
        done = subprocess.run([os.environ["PLOP_CTL"], "--server", "https://127.0.0.1:%d" % self.port, "--token-file", token, "--ca-file",
                               os.path.join(self.folder, "pem"), "ps", "--json"], capture_output=True, text=True, timeout=DEADLINE, check=False)
        assert done.returncode == 0 and json.loads(done.stdout), done.stderr
        until("the registration", lambda: self.server.status()["gateway"] == "https://127.0.0.1:%d" % self.port, DEADLINE)

    def test_large(self):
        """As much as an answer may have, read slowly."""
        with self.shaken() as s:
            s.sendall(b"GET /app.js HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n\r\n")
            got = b""
            while True:
                some = s.recv(1000)
                if not some:
                    break
                got += some
        head, _, page = got.partition(b"\r\n\r\n")
        assert b" 200 " in head and int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]) == len(page) > 1 << 18

    def test_renewed(self):
        before = self.context()
        certify(self.folder, "second")
        until("the new one is taken", lambda: self.is_trusted() and not self.is_trusted(before), DEADLINE)
        with open(os.path.join(self.folder, "pem"), "w", encoding="ascii") as f:
            f.write("nothing\n")
        self.log.flush()
        until("it is said", lambda: self.is_trusted(None) and "Going on with the certificate before" in self.logged(), DEADLINE)

    def logged(self):
        with open(self.log.name, encoding="utf-8") as f:
            return f.read()

    def is_trusted(self, context=False):
        """By the certificate that is there; None: whatever it is."""
        if context is None:
            context = ssl._create_unverified_context()  # pylint: disable=protected-access
        with socket.create_connection(("127.0.0.1", self.port), DEADLINE) as s:
            try:
                with (context or self.context()).wrap_socket(s, server_hostname="127.0.0.1"):
                    return True
            except ssl.SSLCertVerificationError:
                return False

    def test_others(self):
        """Whoever does not speak TLS, or says nothing, or goes away in the middle, keeps nobody out."""
        assert not raw(self.port, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").startswith(b"HTTP")
        with contextlib.ExitStack() as many:
            for i in range(80):
                s = many.enter_context(socket.create_connection(("127.0.0.1", self.port), DEADLINE))
                if i % 2:
                    s.sendall(b"\x16\x03\x01\x02\x00\x01")
            assert self.get("/v1/status", GOOD)[0] == 200
        with self.shaken() as s:
            s.sendall(b"GET /v1/status HTTP/1.1\r\n")
        with self.shaken() as s:
            s.sendall(b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n\r\n")
        assert self.get("/v1/status", GOOD)[0] == 200
        assert request(self.path, "GET", "/v1/status")[0] == 200
