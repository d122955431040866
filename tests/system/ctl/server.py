# SPDX-License-Identifier: BSD-2-Clause
"""The stand-in for plopd, and HTTP by hand: what the tests of plopctl and of plop-gateway share."""
import http.client
import json
import os
import signal
import socket
import subprocess

DEADLINE = 30


class Program:
    """A process that we started; ended by its pid, and its exit status looked at."""

    def __init__(self, *command, **options):
        self.process = subprocess.Popen(command, **options)

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            status = self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            for stream in (self.process.stdout, self.process.stderr):
                if stream:
                    stream.close()
        return status


class Server(Program):
    def __init__(self, path, state_dir=None):
        self.path = path
        super().__init__(os.environ["PLOP_SERVER"], path, *([state_dir] if state_dir else []), stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL if not os.environ.get("V") else None)
        if self.process.stdout.readline() != b"READY\n":
            raise AssertionError("ctl_server did not start")

    def status(self):
        return json.loads(request(self.path, "GET", "/v1/status")[2])


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=DEADLINE)
        self.unix_path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.unix_path)


def connection_to(where):
    """where: a socket's path, or a TCP port on loopback."""
    if isinstance(where, str):
        return UnixConnection(where)
    return http.client.HTTPConnection("127.0.0.1", where, timeout=DEADLINE)


def request(where, method, path, body=None, headers=None):
    """(status, headers, body)"""
    connection = connection_to(where)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def connect(where):
    if isinstance(where, str):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(DEADLINE)
        s.connect(where)
        return s
    return socket.create_connection(("127.0.0.1", where), timeout=DEADLINE)


def raw(where, data, finish=False):
    """Sends bytes, returns all that comes back until the server closes. A server that has heard enough may close early."""
    with connect(where) as s:
        try:
            s.sendall(data)
            if finish:
                s.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        answer = b""
        try:
            while True:
                more = s.recv(65536)
                if not more:
                    return answer
                answer += more
        except ConnectionError:
            return answer


def error_of(answer):
    """Status and error sentence of a raw answer, which must be JSON as the contract has it."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}
    assert headers["content-type"] == "application/json", headers
    assert headers["cache-control"] == "no-store", headers
    assert headers["x-content-type-options"] == "nosniff", headers
    said = json.loads(body)
    assert set(said) == {"error", "hint"} and said["error"], said
    return int(lines[0].split()[1]), said["error"]


# What a confused or hostile client may send, and the statuses that are fitting answers.
GARBAGE = [
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", {400}),
    (b"hello\r\n\r\n", {400}),
    (b"GET /v1/status\r\n\r\n", {400}),
    (b"GET /v1/status HTTP/1.1\r\n\r\n", {400}),
    (b"GET /v1/status HTTP/3.0\r\nHost: localhost\r\n\r\n", {505}),
    (b"GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n", {400}),
    (b"GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n", {400}),
    (b"GET /v1/%zz HTTP/1.0\r\nHost: localhost\r\n\r\n", {400}),
    (b"GET /v1/status?x=%ff HTTP/1.0\r\nHost: localhost\r\n\r\n", {400}),
    (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: other\r\n\r\n", {400}),
    (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\x01b\r\n\r\n", {400}),
    (b"GET / HTTP/1.1\r\nHost: localhost\r\n folded: x\r\n\r\n", {400}),
    (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n", {400}),
    (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", {400}),
    (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n", {501}),
    (b"GET /" + b"a" * 8000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", {414}),
    (b"GET /?" + b"a&" * 1000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", {400}),
    (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100000 + b"\r\n\r\n", {431}),
    (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 1000 + b"\r\n", {431}),
    (b"A" * 1000000, {400}),
    (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
    (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", {501}),
    (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
    (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", {400}),
    (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", {400}),
    (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5, 5\r\n\r\nhello", {400}),
    (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: +5\r\n\r\nhello", {400}),
    (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length:\r\n\r\n", {400}),
    (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n", {400}),
    (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length : 5\r\n\r\nhello", {400}),
    (b"get / HTTP/1.1\r\nHost: localhost\r\n\r\n", {400}),
    (b"G\xc3\x84T / HTTP/1.1\r\nHost: localhost\r\n\r\n", {400}),
    (b"AVERYLONGMETHODNAME / HTTP/1.1\r\nHost: localhost\r\n\r\n", {400}),
    (b"GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n", {400}),
    (b"GET / HTTP/1.1 \r\nHost: localhost\r\n\r\n", {400}),
    (b"GET / HTTP/1.1\nHost: localhost\n\n", {400}),
    (b"GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n", {400}),
    (b"GET / HTTP/1.1\r\nHost: localhost\r\n: nameless\r\n\r\n", {400}),
    (b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", {400}),
    (b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", {400}),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 505}),
]

CHUNKED = b"POST %s HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
# Bodies in chunks that are none; each is refused whatever the path.
BAD_CHUNKS = [
    (b"x\r\n", {400}), (b"-1\r\n", {400}), (b" 5\r\nhello\r\n0\r\n\r\n", {400}), (b"0x5\r\nhello\r\n0\r\n\r\n", {400}),
    (b"\r\n\r\n", {400}), (b"5\nhello\n0\n\n", {400}), (b"5\r\nhelloworld\r\n0\r\n\r\n", {400}),
    (b"5\r\nhell\r\n0\r\n\r\n", {400}), (b"5\r\nhello0\r\n\r\n", {400}), (b"5;a=b\r\nhello\r\n0\r\n\r\n", {400}),
    (b"5\t\r\nhello\r\n0\r\n\r\n", {400}), (b"5\r\nhello\r\nzz\r\n", {400}), (b"\0\r\n", {400}),
    (b"ffffffffffffffffffff\r\n", {413}), (b"fffff\r\n", {413}), (b"0000000000000005\r\nhello\r\n0\r\n\r\n", {413}),
    (b"0\r\nbad trailer\r\n\r\n", {400}), (b"0\r\nX: \x01\r\n\r\n", {400}), (b"0\r\nX: y\n\n", {400}),
    (b"0\r\n" + b"X: y\r\n" * 100 + b"\r\n", {431}), (b"0\r\nX: " + b"a" * 20000 + b"\r\n\r\n", {431}),
    (b"1\r\nx\r\n" * 30000, {413}), (b"A" * 200000, {413}), (b"g" * 200000, {400}),
]
