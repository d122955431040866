# SPDX-License-Identifier: BSD-2-Clause
"""
HTTP over plopd's Unix socket without a process for each question: where tests ask again and again
until something is so, these would have the CPUs that are to be measured.
"""
import contextlib
import ctypes
import http.client
import json
import os
import platform
import socket

# Linux changes the ids of one thread alone; libc's functions change those of all.
SETGROUPS, SETRESUID, SETRESGID = {"x86_64": (116, 117, 119), "aarch64": (159, 147, 149)}[
    platform.machine()]
LIBC = ctypes.CDLL(None, use_errno=True)


def change(call, *arguments):
    if LIBC.syscall(call, *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]) < 0:
        raise OSError(ctypes.get_errno(), "the user of a thread cannot be changed")


@contextlib.contextmanager
def acting(uid):
    """What the calling thread connects meanwhile has this user, and its group, at the other end."""
    if not uid:
        yield
        return
    groups = os.getgroups()
    change(SETGROUPS, 0, None)
    change(SETRESGID, -1, uid, -1)
    change(SETRESUID, -1, uid, -1)
    try:
        yield
    finally:
        change(SETRESUID, -1, 0, -1)
        change(SETRESGID, -1, 0, -1)
        change(SETGROUPS, len(groups), (ctypes.c_uint * len(groups))(*groups))


class Connection(http.client.HTTPConnection):
    """To a Unix socket, as a user."""

    def __init__(self, path, uid=0, seconds=60):
        super().__init__("plop", timeout=seconds)
        self.path, self.uid = path, uid

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        with acting(self.uid):
            self.sock.connect(self.path)


def ask(path, method, target, body=None, uid=0, seconds=60, headers=None):
    """(status, body) of an answer; body: what is sent as JSON, None: nothing. OSError: none came."""
    with contextlib.closing(Connection(path, uid, seconds)) as c:
        try:
            c.request(method, target, json.dumps(body) if body is not None else None, headers or {})
            answer = c.getresponse()
            return answer.status, answer.read()
        except http.client.HTTPException as e:
            raise OSError("no whole answer from %s" % path) from e
