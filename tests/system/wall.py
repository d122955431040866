#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Wall-clock recordings against threads that measure their own waiting: the time off CPU of each role, and what it waited for, must be
theirs within 2 % or 1 ms a wait."""
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import host  # noqa: E402

ROUNDS = 40
# How each role waits: what the system call may be, by what CPython makes of it.
CALLS = {"sleeps": ("clock_nanosleep", "select", "pselect6"), "locks": ("futex",), "receives": ("recvfrom", "poll"),
         "selects": ("select", "pselect6", "poll")}


class Waiting(host.Workload):
    def go(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()


def start(plopd, pid, name):
    path = os.path.join(plopd.folder, name)
    command = [host.program("plopctl"), "--socket", plopd.socket, "record", "-p", str(pid), "--wall", "-d", "120s", "-f", "collapsed",
               "-o", path]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.path = path
    return process


def stop(process):
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said.decode()
    with open(process.path) as f:
        return host.collapsed(f.read()), said.decode()


def off_cpu(stacks, function):
    """{what it waited for: seconds} of the stacks with that function innermost below the leaf that says so."""
    found = {}
    for frames, weight in stacks:
        if len(frames) > 1 and frames[-1][0].startswith("[") and frames[-2][0] == function:
            found[frames[-1][0]] = found.get(frames[-1][0], 0) + weight / 1e6
    return found


def knows_gil(version):
    return not version.endswith("t") and tuple(map(int, version.split("."))) >= (3, 8)


def gil_said(version):
    """What record's closing lines say of the GIL, or why they say nothing."""
    if version.endswith("t"):
        return "no GIL to tell of: this Python is free-threaded"
    return "GIL held" if knows_gil(version) else "nothing is known of the GIL"


def near(what, measured, truth, waits):
    error = abs(measured - truth)
    assert error <= max(0.02 * truth, 0.001 * waits), "%s: %.4f s off CPU, by its own clock %.4f" % (what, measured, truth)
    return 100.0 * error / truth if truth else 0.0


def compare(version, stacks, truth):
    errors = []
    for role, calls in CALLS.items():
        waited = off_cpu(stacks, role)
        errors.append(near("%s %s" % (version, role), sum(waited.values()), truth[role], ROUNDS))
        asleep = {k: v for k, v in waited.items() if k.startswith("[sleeping")}
        named = sum(v for k, v in asleep.items() if k in ["[sleeping: %s]" % call for call in calls])
        # on a busy machine a thread that has woken waits for a CPU longer than it slept
        assert named > 0.95 * sum(asleep.values()) > 0.5 * (truth[role] - waited.get("[runnable]", 0)), (version, role, waited)
    contended = off_cpu(stacks, "contends")
    if "gil_1" in truth:
        wanted = truth["gil_1"] + truth["gil_2"]
        errors.append(near("%s contends" % version, sum(contended.values()), wanted, ROUNDS))
        # those that wait without a GIL that plop knows wait on some futex
        gil, asleep = contended.get("[waiting for the GIL]", 0), contended.get("[sleeping: futex]", 0)
        if knows_gil(version):
            assert gil > 0.1 * wanted and asleep < 0.05 * wanted, (version, contended)
        else:
            assert gil == 0, (version, contended)
    print("%-6s error of each role %s %%" % (version, " ".join("%.2f" % e for e in errors)), flush=True)


def roles(plopd):
    found = [(version, path, build) for version, path, build in host.one_of_each(host.pythons()) if version >= (3, 6)]
    for group in host.several(found, 2):
        works = [Waiting(path, "waits.py", "--rounds", ROUNDS) for _, path, _ in group]
        try:
            for work in works:
                plopd.profiled(work.pid)
            recordings = [start(plopd, work.pid, "wall-%d" % work.pid) for work in works]
            host.until("the recordings run", lambda: plopd.status()["recordings"] == len(works))
            for work in works:
                work.go()
            truths = [json.loads(work.line("DONE")[1]) for work in works]
            for (version, _, build), recording, truth in zip(group, recordings, truths):
                name = "%d.%d%s" % (version + ("t" if "freethreaded" in build else "",))
                stacks, said = stop(recording)
                assert "threads' time" in said and gil_said(name) in said, (name, said)
                compare(name, stacks, truth)
        finally:
            for work in works:
                work.__exit__()


def full_cpu(plopd):
    """Two processes that share one CPU: what one does not get is [runnable], and its own clocks know how much."""
    code = ("import os, sys, time\nos.sched_setaffinity(0, {%d})\nprint('READY', flush=True)\nsys.stdin.readline()\n"
            "def shares():\n    n = 0\n    began, used = time.monotonic(), time.thread_time()\n"
            "    while time.monotonic() - began < 2:\n        for i in range(20000): n += i\n"
            "    return time.monotonic() - began - (time.thread_time() - used)\n"
            "spent = shares()\nprint('DONE 0 %%r' %% spent, flush=True)\nsys.stdin.readline()\n") % min(os.sched_getaffinity(0))
    with Waiting(sys.executable, code=code) as one, Waiting(sys.executable, code=code) as two:
        for work in (one, two):
            plopd.profiled(work.pid)
        recording = start(plopd, one.pid, "full")
        host.until("the recording runs", lambda: plopd.status()["recordings"] == 1)
        for work in (one, two):
            work.go()
        truth = float(one.line("DONE")[1])
        two.line("DONE")
        waited = off_cpu(stop(recording)[0], "shares")
        print("full CPU: %.3f s of 2 runnable, by its own clocks %.3f" % (waited.get("[runnable]", 0), truth))
        near("full CPU", waited.get("[runnable]", 0), truth, 50)


def all_of_it(plopd):
    """What a wall recording says of a thread adds up to its length, whoever slept before it began."""
    code = ("import threading, time, sys\nfor _ in range(3): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
            "print('READY', flush=True)\nsys.stdin.readline()\n")
    with Waiting(sys.executable, code=code) as work:
        plopd.profiled(work.pid)
        done = plopd.ctl("record", "-p", work.pid, "--wall", "-d", "2s", "-f", "collapsed", "-o", "-", timeout=60)
        assert done.returncode == 0, done.err
        total = sum(weight for _, weight in host.collapsed(done.out)) / 1e6
        print("four threads asleep for 2 s: %.3f s" % total)
        assert abs(total - 8) < 0.16, done.out
        assert " s asleep" in done.err and "no sample" not in done.err, done.err
        done = plopd.ctl("record", "-p", work.pid, "-d", "1s", "-f", "collapsed", "-o", "-", timeout=60)
        assert done.returncode == 0 and "--wall records time spent waiting" in done.err, done.err


def main():
    host.need_root()
    with host.Plopd() as plopd:
        began = time.monotonic()
        all_of_it(plopd)
        full_cpu(plopd)
        roles(plopd)
        print("ok, %.0f s" % (time.monotonic() - began))


if __name__ == "__main__":
    main()
