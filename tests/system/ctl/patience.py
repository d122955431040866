# SPDX-License-Identifier: BSD-2-Clause
"""
Clients whom the server on a Unix socket waits for, and in the end cuts: each takes the ten seconds of its patience, or more. path:
of a ctl_server of its own.
"""
import json
import socket
import time

from server import DEADLINE, connect, error_of, raw, request
from waiting import until


def silent_clients(path):
    """They do not hold the rest."""
    def silent():
        s = connect(path)
        s.sendall(b"GET /v1/st")
        return s

    waiting = [silent() for _ in range(19)]
    assert request(path, "GET", "/v1/status")[0] == 200
    # One too many, and again: the oldest gives way, and whoever means it is served all the while.
    for _ in range(60):
        waiting.append(silent())
        assert request(path, "GET", "/v1/status")[0] == 200
    answers = [error_of(s.recv(65536))[0] for s in waiting]
    for s in waiting:
        s.close()
    first_kept = answers.index(408)
    assert answers == [503] * first_kept + [408] * (len(answers) - first_kept)
    assert len(answers) - first_kept >= 18


def slow_bodies(path):
    """Nor do those that send a byte now and then."""
    slow = []
    for framing in (b"Content-Length: 1000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n1000\r\n"):
        for _ in range(15):
            s = connect(path)
            s.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\n" + framing + b"a")
            slow.append(s)
    for _ in range(20):
        assert json.loads(request(path, "POST", "/echo", "hello")[2])["body"] == "hello"
    seen = []

    def all_cut():
        for s in list(slow):
            s.settimeout(0.001)
            try:
                s.sendall(b"a")
            except OSError:
                pass  # cut: what was said is there to be read
            try:
                said = s.recv(4096)
            except TimeoutError:
                continue
            except OSError:
                said = b""
            if said:
                seen.append(error_of(said)[0])
            slow.remove(s)
            s.close()
        return not slow

    # Now and then a byte is not enough either: the time is for the whole request.
    until("all are cut", all_cut, 30, 0.5)
    assert set(seen) <= {408, 503}
    assert 408 in seen


def ask(path, size):
    """A client that asks for so many bytes and does not read them."""
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(DEADLINE)
    s.connect(path)
    s.sendall(b"GET /large?thread=%d HTTP/1.0\r\n\r\n" % size)
    return s


def answers_that_wait(path):
    """They are bounded."""
    waiting = [ask(path, 20 << 20) for _ in range(2)]
    trickling = ask(path, 700000)
    for s in [*waiting, trickling]:
        assert b" 200 " in s.recv(15)
    begun = time.monotonic()
    status, said = error_of(raw(path, b"GET /large?thread=%d HTTP/1.0\r\n\r\n" % (20 << 20)))
    assert status == 503
    assert "wait to be fetched" in said
    # Small ones are always given.
    assert request(path, "GET", "/v1/status")[0] == 200
    # Who does not read is cut after ten seconds, and who reads too slowly soon after.
    def both():
        with ask(path, 20 << 20) as held:
            return b" 200 " in held.recv(15) and request(path, "GET", "/large?thread=%d" % (20 << 20))[0] == 200

    until("the room of both", both, DEADLINE)
    assert time.monotonic() - begun > 8
    for s in waiting:
        read = 0
        try:
            while more := s.recv(1 << 20):
                read += len(more)
        except ConnectionError:
            pass
        assert read < 20 << 20
        s.close()
    read, at = 0, 0
    try:
        while more := trickling.recv(1000):
            read, at = read + len(more), time.monotonic()
            time.sleep(0.05)
    except ConnectionError:
        pass
    assert read < 700000
    assert at - begun < 40
    trickling.close()


PATIENCE = (silent_clients, slow_bodies, answers_that_wait)
