# SPDX-License-Identifier: BSD-2-Clause
"""Processes whose memory or files are not answered for: a file system that hangs (FUSE), page faults that are the process's own to
answer (userfaultfd) and that it does not. plopd has to say so of them, and nobody else may be the worse for it, whether plopd comes
before or after them."""
import json
import os
import socket
import statistics
import subprocess
import threading
import time

import pytest

import host
from waiting import until

PYTHON = "/usr/bin/python3"
BUSY = "def witness():\n x = 1\n for i in range(100000):\n  x = x * 33 & 65535\nprint('READY', flush=True)\nwhile True:\n witness()\n"
SPIN = "print('READY', flush=True)\nwhile True:\n pass\n"
SECONDS = 5
# A second and a half is what a helper gets; then come the answers of all others.
PATIENCE = 30


class HungFileSystem:
    """A file system with the Python interpreter as its only file, which answers until it is told to hang."""

    def __init__(self, folder):
        os.mkdir(folder)
        self.file = os.path.join(folder, "file")
        self.server = subprocess.Popen([PYTHON, os.path.join(host.WORKLOADS, "hung_fs.py"), folder, os.path.realpath(PYTHON)],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.server.stdout.readline() == b"READY\n", "the file system is not mounted"

    def hang(self):
        self.server.stdin.write(b"hang\n")
        self.server.stdin.flush()
        assert self.server.stdout.readline() == b"HUNG\n"

    def end(self):
        self.server.stdin.close()
        self.server.wait(20)
        self.server.stdout.close()


class Latency:
    """How long GET /v1/status takes, asked all the while in a thread of its own."""

    def __init__(self, daemon):
        self.path, self.seconds, self.failed, self.stopping = daemon.socket, [], 0, False
        self.thread = threading.Thread(target=self.run)

    def ask(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(PATIENCE)
            s.connect(self.path)
            s.sendall(b"GET /v1/status HTTP/1.1\r\nHost: plop\r\n\r\n")
            answer = b""
            while True:
                more = s.recv(65536)
                if not more:
                    break
                answer += more
        assert b" 200 " in answer.split(b"\r\n", 1)[0], answer[:200]

    def run(self):
        while not self.stopping:
            began = time.monotonic()
            try:
                self.ask()
            except (OSError, AssertionError):
                self.failed += 1
            self.seconds.append(time.monotonic() - began)
            time.sleep(0.02)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.thread.join()


def cpu_seconds(pid):
    fields = open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def lost(status):
    """Ticks that were lost for want of room or time; what cannot be read of the silent ones is another matter."""
    return sum(n for cause, n in status["samples"]["lost"].items() if cause in ("stacks_full", "frames_full", "drain"))


def is_said(daemon, pid, words):
    entry = daemon.process_of(pid)
    return entry and words in entry["status"] and entry


def check_witness(daemon, witness):
    """What everybody else has of plopd while some are silent: all samples, all names, quick answers."""
    before, began, used = daemon.status(), time.monotonic(), cpu_seconds(witness.pid)
    stacks = host.collapsed(daemon.record(witness.pid, SECONDS))
    # that of the recording's time: it takes plopctl a while to begin and to fetch
    used = (cpu_seconds(witness.pid) - used) * SECONDS / (time.monotonic() - began)
    counted = sum(n for _, n in stacks)
    named = sum(n for frames, n in stacks if any(f[0] == "witness" for f in frames))
    after = daemon.status()
    ticks = after["samples"]["ticks"] - before["samples"]["ticks"]
    # three take turns on two CPUs, and what the witness has of them is another while plopctl begins
    assert abs(counted - 100 * used) <= max(0.25 * 100 * used, 30), (counted, used)
    assert named >= 0.95 * counted, (named, counted)
    assert lost(after) - lost(before) <= 0.001 * ticks, (before["samples"], after["samples"])
    dump = json.loads(daemon.ctl("dump", "-p", witness.pid, "--json").out)
    assert dump["threads"][0]["frames"], dump
    return counted, used


def check_silent_dump(daemon, pid):
    began = time.monotonic()
    done = daemon.ctl("dump", "-p", pid)
    took = time.monotonic() - began
    assert done.returncode == 1 and "does not let itself be read" in done.err, (done.returncode, done.err)
    assert took < PATIENCE, took


def check_within_exec(daemon, pid):
    """Events on its threads cannot be had, as execve() has a lock that this takes; so they are on the CPUs."""
    began = time.monotonic()
    done = daemon.ctl("record", "-p", pid, "-F", 400, "-d", "0.5s", "-f", "collapsed", "-o", os.path.join(daemon.folder, "exec"))
    assert done.returncode == 0 and time.monotonic() - began < PATIENCE, (done.returncode, done.err)


def check_profile(daemon, pid):
    """What the kernel saw of it: the function, whose line table nobody can read, has its name and no line."""
    stacks = host.collapsed(daemon.record(pid, 1))
    leaves = [frames[-1] for frames, _ in stacks]
    assert any(leaf[0] == "silent_work" for leaf in leaves), leaves


def silent_workloads(fs):
    yield "page faults that nobody answers", host.Workload(PYTHON, "silent.py", "table"), True
    yield "a file system that hangs", host.Workload(PYTHON, "silent.py", "table", fs.file), True
    yield "an environment that nobody answers for", host.Workload(PYTHON, "silent.py", "environ"), False


@pytest.mark.parametrize("order", ("before", "after"))
def test_silent(root, folder, order):
    """plopd comes before those that are silent, or after them."""
    if not os.path.exists("/dev/fuse"):
        pytest.skip("there is no /dev/fuse, for a file system that hangs")
    fs = HungFileSystem(os.path.join(folder, order))
    daemon = host.Plopd("--window", 2, start=order == "before")
    works = []
    try:
        with daemon:
            witness = host.Workload(PYTHON, code=BUSY)
            works.append(witness)
            silent = list(silent_workloads(fs))
            works += [work for _, work, _ in silent]
            program, within_exec = host.Workload(fs.file, code=SPIN), host.Workload(PYTHON, "silent.py", "exec", fs.file)
            works += [program, within_exec]
            if order == "before":
                daemon.profiled(program.pid)
                daemon.profiled(within_exec.pid)
            fs.hang()
            within_exec.go()
            within_exec.line("SILENT")
            for _, work, _ in silent:
                work.go()
                work.line("SILENT")
            if order == "after":
                daemon.start()
                until("an interpreter that cannot be opened is listed, with the reason",
                           lambda: is_said(daemon, program.pid, "not profiled"), PATIENCE)
            daemon.profiled(witness.pid)
            with Latency(daemon) as latency:
                for what, work, blocks in silent:
                    if not blocks:
                        daemon.profiled(work.pid)
                        continue
                    check_silent_dump(daemon, work.pid)
                    until("it is said of the one with " + what, lambda w=work: is_said(daemon, w.pid, "not answered for"),
                               PATIENCE)
                if order == "before":
                    check_within_exec(daemon, within_exec.pid)
                counted, used = check_witness(daemon, witness)
                for _, work, blocks in silent:
                    if blocks:
                        check_profile(daemon, work.pid)
            median = statistics.median(latency.seconds)
            print("plopd %s: %d samples in %.2f s of CPU of the witness; status took %.0f ms in the median of %d, %.0f at most"
                  % (order, counted, used, 1000 * median, len(latency.seconds), 1000 * max(latency.seconds)))
            assert latency.failed == 0 and median < 0.1, (latency.failed, median)
            began = time.monotonic()
            assert daemon.stop() == 0
            assert time.monotonic() - began < 10
            # nothing of it keeps the next one out
            daemon.start()
            daemon.profiled(witness.pid)
    finally:
        fs.end()
        for work in works:
            work.__exit__()
