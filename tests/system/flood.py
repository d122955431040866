# SPDX-License-Identifier: BSD-2-Clause
"""
Nobody keeps others out of plopd: while one user connects to it as fast as can be, holds all that it lets him have and does
not read what it answers, root's status comes at once and every time, other users are served, and no tick is lost.
"""
import grp
import json
import os
import socket
import stat
import statistics
import struct
import subprocess
import sys
import time

import pytest

import host
from waiting import until

PLOPD = ("--window", 2)

FLOODER, OTHER = 64301, 64302
SECONDS = 6.0
# Of issue 9: status under 100 ms, and under 0.1 % of the ticks lost, while it goes on.
MEDIAN_S, LOST = 0.1, 0.001

# Three processes of the flooder: connections that say nothing, made as fast as can be; ones that ask and do not read; and
# whole requests, one after the other. They end when their standard input does, or after a while.
FLOOD = r"""
import os, select, socket, sys, time
path, kind, end = sys.argv[1], sys.argv[2], time.monotonic() + float(sys.argv[3])
held, made = [], 0
print("READY", flush=True)
while time.monotonic() < end and not select.select([0], [], [], 0)[0]:
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(1)
    try:
        s.connect(path)
        if kind != "silent":
            s.sendall(b"GET /v1/%s HTTP/1.1\r\nHost: x\r\n\r\n" % (b"stream" if kind == "deaf" else b"processes"))
        if kind == "asking":
            s.recv(65536)
    except OSError:
        pass
    if kind != "silent":
        time.sleep(0.005)
    made += 1
    held.append(s)
    if len(held) > (0 if kind == "asking" else 200):
        held.pop(0).close()
print(made, flush=True)
"""


def become(uid):
    def run():
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    return run


BUSY = """
import select
print("READY", flush=True)
while not select.select([0], [], [], 0)[0]:
    sum(range(10000))
"""


class Flood:
    def __init__(self, path):
        self.processes = [subprocess.Popen([sys.executable, "-c", FLOOD, path, kind, "60"], stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE, preexec_fn=become(FLOODER), cwd="/")
                          for kind in ("silent", "deaf", "asking")]
        for process in self.processes:
            assert process.stdout.readline() == b"READY\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.stdin.close()
        self.made = [int(process.stdout.read() or 0) for process in self.processes]
        for process in self.processes:
            process.wait(20)
            process.stdout.close()


def answer(path, uid):
    """Seconds until the whole answer to a user's GET /v1/status, and the answer; None: he was refused."""
    os.seteuid(uid)
    try:
        begun = time.monotonic()
        with socket.socket(socket.AF_UNIX) as s:
            # blocking, so that connect() waits for its turn in the queue
            for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
                s.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", 10, 0))
            s.connect(path)
            s.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
            text = b""
            while True:
                more = s.recv(65536)
                if not more:
                    break
                text += more
        took = time.monotonic() - begun
    finally:
        os.seteuid(0)
    head, _, body = text.partition(b"\r\n\r\n")
    return (took, json.loads(body.decode())) if b" 200 " in head.split(b"\r\n")[0] else None


@pytest.fixture(scope="module")
def trusted(plopd):
    """The socket of those who are trusted."""
    os.chmod(plopd.folder, 0o755)
    return plopd.socket.replace(".sock", "-trusted.sock")


def test_sockets(plopd, trusted):
    mode = os.stat(trusted)
    try:
        group = grp.getgrnam("plop").gr_gid
    except KeyError:
        group = None
    want = 0o600 if group is None else 0o660
    assert stat.S_IMODE(mode.st_mode) == want, oct(mode.st_mode)
    assert group is None or mode.st_gid == group, mode.st_gid
    assert stat.S_IMODE(os.stat(plopd.socket).st_mode) == 0o666
    for uid in (OTHER, FLOODER):
        try:
            answer(trusted, uid)
        except PermissionError:
            continue
        raise AssertionError("a stranger could use " + trusted)
    took, said = answer(trusted, 0)
    assert said["pid"] == plopd.process.pid, said


def status_by_plopctl(daemon, times):
    begun = time.monotonic()
    done = daemon.ctl("status", "--json")
    times.append(time.monotonic() - begun)
    assert done.returncode == 0, done.err
    return json.loads(done.out)


@pytest.fixture(scope="module")
def flooded(plopd, trusted):
    """What was seen before the flood and meanwhile."""
    seen = {"quiet": [], "root": [], "direct": [], "others": [], "refused": 0}
    with host.Workload(sys.executable, code=BUSY) as work:
        until("samples", lambda: plopd.status()["samples"]["python"] > 0)
        for _ in range(20):
            status_by_plopctl(plopd, seen["quiet"])
        with Flood(plopd.socket) as flood:
            before = plopd.status()["samples"]
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                after = status_by_plopctl(plopd, seen["root"])["samples"]
                seen["direct"].append(answer(trusted, 0)[0])
                served = answer(plopd.socket, OTHER)
                seen["refused"] += served is None
                if served:
                    seen["others"].append(served[0])
            assert all(process.poll() is None for process in flood.processes), "the flood did not last"
        assert work.process.poll() is None
    seen["ticks"] = after["ticks"] - before["ticks"]
    seen["lost"] = sum(after["lost"][cause] - n for cause, n in before["lost"].items() if cause not in host.OF_OTHERS)
    print("flood: %s connections; root's status: plopctl %d times, median %.0f ms (alone %.0f), plopd's answer %.1f ms; another "
          "user's %.1f ms, refused %d times; %d of %d ticks lost" % (flood.made, len(seen["root"]), *(1e3 * statistics.median(n) for n in (
              seen["root"], seen["quiet"], seen["direct"], seen["others"] or [9])), seen["refused"], seen["lost"], seen["ticks"]))
    assert min(flood.made) > 100, flood.made
    return seen


def test_status(flooded):
    """What plopctl itself needs is the machine's affair: its CPUs are the flooder's as well."""
    root, quiet, direct = flooded["root"], flooded["quiet"], flooded["direct"]
    assert len(root) > 20 and statistics.median(root) < max(MEDIAN_S, 4 * statistics.median(quiet)), root
    assert statistics.median(direct) < MEDIAN_S, direct


def test_others(flooded):
    others = flooded["others"]
    assert others and flooded["refused"] == 0 and statistics.median(others) < MEDIAN_S, (flooded["refused"], others)


def test_ticks(flooded):
    assert flooded["ticks"] > 100 and flooded["lost"] <= LOST * flooded["ticks"], (flooded["lost"], flooded["ticks"])


def test_afterwards(plopd, trusted, flooded):
    """All is as before."""
    until("the flooder is served again", lambda: answer(plopd.socket, FLOODER))
    assert plopd.stop() == 0, plopd.said()
    assert not os.path.exists(trusted) and not os.path.exists(plopd.socket)
