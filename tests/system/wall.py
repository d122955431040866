# SPDX-License-Identifier: BSD-2-Clause
"""Wall-clock recordings against threads that measure their own waiting: the time off CPU of each role, and what it waited for, must be
theirs within 2 % or 1 ms a wait."""
import contextlib
import json
import os
import sys
import time

import pytest

import host
from waiting import until

ROUNDS = 40
# How each role waits: what the system call may be, by what CPython makes of it.
CALLS = {"sleeps": ("clock_nanosleep", "select", "pselect6"), "locks": ("futex",), "receives": ("recvfrom", "poll"),
         "selects": ("select", "pselect6", "poll")}


def start(plopd, pid, **options):
    return host.Recorder(plopd, "-p", pid, "--wall", seconds=120, **options)


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


def test_full_cpu(plopd):
    """Two processes that share one CPU: what one does not get is [runnable], and its own clocks know how much."""
    code = ("import os, sys, time\nos.sched_setaffinity(0, {%d})\nprint('READY', flush=True)\nsys.stdin.readline()\n"
            "def shares():\n    n = 0\n    began, used = time.monotonic(), time.thread_time()\n"
            "    while time.monotonic() - began < 2:\n        for i in range(20000): n += i\n"
            "    return time.monotonic() - began - (time.thread_time() - used)\n"
            "spent = shares()\nprint('DONE 0 %%r' %% spent, flush=True)\nsys.stdin.readline()\n") % min(os.sched_getaffinity(0))
    with host.Workload(sys.executable, code=code) as one, host.Workload(sys.executable, code=code) as two:
        for work in (one, two):
            plopd.profiled(work.pid)
        recorder = start(plopd, one.pid)
        for work in (one, two):
            work.go()
        truth = float(one.line("DONE")[1])
        two.line("DONE")
        waited = off_cpu(recorder.stop(), "shares")
        print("full CPU: %.3f s of 2 runnable, by its own clocks %.3f" % (waited.get("[runnable]", 0), truth))
        near("full CPU", waited.get("[runnable]", 0), truth, 50)


# Threads that sleep, each by a function of its own name; one of them is no Python thread. A line has all of them woken.
SLEEPERS = """
import ctypes, os, sys, threading, time
lock, event = threading.Lock(), threading.Event()
lock.acquire()
ends = os.pipe()
def sleeps(): time.sleep(120)
def locks(): lock.acquire()
def reads(): os.read(ends[0], 1)
def waits(): event.wait()
def outer(inner): inner()
for f in (sleeps, locks, reads, waits):
    threading.Thread(target=outer, args=(f,), name=f.__name__, daemon=True).start()
libc = ctypes.CDLL(None)
native = ctypes.c_ulong()
libc.pthread_create(ctypes.byref(native), None, ctypes.cast(libc.pause, ctypes.c_void_p), None)
print("READY %d" % os.getpid(), flush=True)
sys.stdin.readline()
lock.release()
event.set()
os.write(ends[1], b"x")
sys.stdin.readline()
"""
ASLEEP = {"sleeps": ("clock_nanosleep", "select", "pselect6"), "locks": ("futex",), "reads": ("read",), "waits": ("futex",)}


def letters(pid):
    """What each thread does, as proc_pid_stat(5) has it."""
    for tid in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/stat" % (pid, tid)) as f:
            yield f.read().rpartition(")")[2].split()[0]


@pytest.fixture(scope="module")
def early(root):
    """There before plopd."""
    with host.Workload(sys.executable, code=SLEEPERS) as work:
        yield work


@pytest.fixture(scope="module")
def plopd(early):
    with host.Plopd() as daemon:
        daemon.profiled(early.pid)
        # the first has to wait for its programs
        done = daemon.ctl("record", "-p", early.pid, "--wall", "-d", "100ms", "-f", "collapsed", "-o", os.devnull)
        assert done.returncode == 0, done.err
        yield daemon


def newest():
    return max((v, p) for v, p, b in host.pythons() if "freethreaded" not in b)[1]


def test_asleep_before_plopd(plopd, early):
    check_sleepers(plopd, early, os.path.basename(sys.executable))


def test_asleep_after_plopd(plopd, workload):
    work = workload(newest(), code=SLEEPERS)
    check_sleepers(plopd, work, os.path.basename(newest()))
    done = plopd.ctl("record", "-p", work.pid, "-d", "1s", "-f", "collapsed", "-o", "-", timeout=60)
    assert done.returncode == 0 and "--wall records time spent waiting" in done.err, done.err


def check_sleepers(plopd, work, known):
    """Threads that sleep all through a recording have their stacks, and add up to its length, as do those that wake in it."""
    plopd.profiled(work.pid)
    work.asleep()
    until("all of them sleep", lambda: set(letters(work.pid)) == {"S"})
    done = plopd.ctl("record", "-p", work.pid, "--wall", "-d", "1s", "-f", "collapsed", "-o", "-", timeout=60)
    assert done.returncode == 0, done.err
    stacks = host.collapsed(done.out)
    total = sum(weight for _, weight in stacks) / 1e6
    assert abs(total - 6) < 0.12, done.out
    assert "0.0 s runnable" in done.err and "no stack" not in done.err and "not known" not in done.err.split("threads' time")[1], done.err
    for function, calls in ASLEEP.items():
        check_asleep(stacks, function, calls, 1.0, 1.0)
    native = sum(weight for frames, weight in stacks if [f[0] for f in frames] == ["[native thread]", "[sleeping: pause]"]) / 1e6
    assert abs(native - 1) < 0.05, done.out
    main_thread = sum(weight for frames, weight in stacks if frames[0][0] == "<module>") / 1e6
    assert abs(main_thread - 1) < 0.05, done.out
    first = time.monotonic()
    recorder = start(plopd, work.pid)
    began = time.monotonic()
    time.sleep(0.7)
    least = time.monotonic() - began
    work.go()
    time.sleep(0.3)
    most = time.monotonic() - first
    stacks = recorder.stop()
    for function in ("locks", "reads", "waits"):
        check_asleep(stacks, function, ASLEEP[function], least, most)
    print("asleep %s: %.3f s in 1 s of six threads" % (known, total), flush=True)


def check_asleep(stacks, function, calls, least, most):
    """The function, called by outer(), sleeps in one of the calls for so many seconds."""
    named = 0
    for frames, weight in stacks:
        names = [frame[0] for frame in frames]
        if function in names:
            assert names[names.index(function) - 1] == "outer", frames
            named += weight / 1e6 if names[-1] in ["[sleeping: %s]" % call for call in calls] else 0
    assert least - 0.05 < named < most + 0.05, (function, least, most, stacks)


# Four threads that want the GIL all the time, each of which tells how long it took and how much of that it was on a CPU.
WANTING = """
import os, sys, threading, time
spent = []
def wants(seconds):
    began, used, n = time.monotonic(), time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID), 0
    while time.monotonic() - began < seconds:
        for i in range(1000): n += i
    spent.append((time.monotonic() - began, time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID) - used))
print("READY %d" % os.getpid(), flush=True)
sys.stdin.readline()
threads = [threading.Thread(target=wants, args=(float(sys.argv[1]),)) for _ in range(4)]
for t in threads: t.start()
for t in threads: t.join()
print("DONE 0 %r" % (sum(e for e, _ in spent) - sum(c for _, c in spent)), flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("busy", (False, True), ids=("alone", "busy"))
def test_one_gil(plopd, busy):
    """
    Threads at one GIL: at any time one has it, or is to have it, and can wait for nothing but a CPU; the others wait for the GIL,
    whatever else the machine does.
    """
    seconds = 2.0
    with contextlib.ExitStack() as others:
        for _ in range(2 * len(os.sched_getaffinity(0)) if busy else 0):
            others.enter_context(host.Workload(sys.executable, code="print('READY', flush=True)\nwhile True: pass"))
        script = os.path.join(plopd.folder, "wanting.py")
        with open(script, "w") as f:
            f.write(WANTING)
        work = others.enter_context(host.Workload(sys.executable, script, seconds))
        plopd.profiled(work.pid)
        recorder = start(plopd, work.pid)
        work.go()
        off = float(work.line("DONE")[1])
        stacks = recorder.stop()
    waited = off_cpu(stacks, "wants")
    gil, runnable = waited.get("[waiting for the GIL]", 0), waited.get("[runnable]", 0)
    print("one GIL, %s: of %.2f s off CPU %.2f s waiting for the GIL, %.2f s runnable" % (
        "busy" if busy else "alone", off, gil, runnable), flush=True)
    near("one GIL", sum(waited.values()), off, 400)
    # three of four wait for it at any time; a thread that is given it may be a long time without a CPU
    assert gil >= 0.9 * 3 * seconds, waited
    assert runnable <= off - 0.9 * 3 * seconds, waited


@pytest.fixture(scope="module")
def recorded(plopd, in_groups):
    """For an interpreter: its stacks, what plopctl said, and what the threads measured themselves."""
    def record(rows):
        with contextlib.ExitStack() as stack:
            works = [stack.enter_context(host.Workload(path, "waits.py", "--rounds", ROUNDS)) for _, path, _ in rows]
            for work in works:
                plopd.profiled(work.pid)
            recorders = [stack.enter_context(start(plopd, work.pid)) for work in works]
            for work in works:
                work.go()
            truths = [json.loads(work.line("DONE")[1]) for work in works]
            return [(recorder.stop(), recorder.said, truth) for recorder, truth in zip(recorders, truths)]
    return in_groups(2, record)


@pytest.mark.parametrize("row", [row for row in host.one_of_each(host.pythons()) if row[0] >= (3, 6)], ids=host.called)
def test_roles(recorded, row):
    stacks, said, truth = recorded(row)
    name = "%d.%d%s" % (row[0] + ("t" if "freethreaded" in row[2] else "",))
    assert "threads' time" in said and gil_said(name) in said, (name, said)
    compare(name, stacks, truth)
