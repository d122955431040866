# SPDX-License-Identifier: BSD-2-Clause
"""What plopd's loop thread does at once is short, whoever asks for what: a machine of 1,000 Pythons is discovered and listed, the
first recording with asyncio tasks has its programs loaded, a profile of some 30 MB is recorded, saved and written. The bound is 20 ms
of the thread's CPU time at one event, as status tells it: the time by the clock depends on who else has the CPUs, and is printed."""
import os
import sys

import pytest

import host
from waiting import until

PROCESSES, MOST_MS, MB = 1000, 20, 10**6
# forked: 1,000 interpreters of their own would take 8 GB
SLEEPERS = """
import os, sys, time
for i in range(%d):
    if os.fork() == 0:
        # whoever reads nothing there has lost its parent
        os.read(0, 1)
        os._exit(0)
print("READY 0", flush=True)
os.read(0, 1)
""" % PROCESSES
# 20,000 functions that call each other at random: no two stacks are alike
MANY = """
import random, types
def stay():
    x = 0
    for i in range(4000):
        x += i
def f(left):
    return choice(functions)(left - 1) if left else stay()
choice, functions = random.choice, []
for i in range(20000):
    name = "function_%d_%s" % (i, "x" * 1480)
    code = f.__code__.replace(co_name=name, co_firstlineno=i + 1)
    if hasattr(code, "co_qualname"):
        code = code.replace(co_qualname=name)
    functions.append(types.FunctionType(code, globals()))
print("READY 0", flush=True)
while True:
    f(250)
"""
TASKS = """
import asyncio
def work():
    return sum(i for i in range(5000))
async def main():
    print("READY 0", flush=True)
    while True:
        work()
        await asyncio.sleep(0)
asyncio.run(main())
"""


def check(daemon, what):
    """The longest event since plopd began."""
    loop = daemon.status()["loop"]
    print("%s: %.1f ms of CPU time, %.1f ms by the clock, most of it %s; %d of %d events took more than %d ms by the clock" % (
        what, loop["longest_cpu_ms"], loop["longest_ms"], loop["longest_cpu_of"], loop["late"], loop["events"], MOST_MS))
    assert loop["events"] > 0 and 0 < loop["longest_cpu_ms"] < MOST_MS, (what, loop)
    assert loop["longest_cpu_of"], loop
    assert loop["longest_ms"] >= loop["recent_ms"] > 0 and loop["longest_cpu_ms"] >= loop["recent_cpu_ms"], loop


@pytest.fixture(scope="module")
def works(root):
    """What runs before plopd: (with asyncio tasks, of many functions)."""
    with host.Workload(sys.executable, code=SLEEPERS), host.Workload(sys.executable, code=TASKS) as tasks, \
            host.Workload(sys.executable, code=MANY) as many:
        yield tasks, many


@pytest.fixture(scope="module")
def plopd(works):
    with host.Plopd("-v", "--window", 5) as daemon:
        yield daemon


def test_discovery(plopd):
    until("all processes are known", lambda: plopd.status()["processes"] > PROCESSES, 60)
    check(plopd, "1,000 Pythons discovered")


def test_list(plopd):
    assert len(plopd.get("/v1/processes")) > PROCESSES
    check(plopd, "... and listed")


def test_recording_with_tasks(plopd, works):
    done = plopd.ctl("record", "-p", works[0].pid, "--async", "-d", "1s", "-o", os.path.join(plopd.folder, "tasks.collapsed"))
    assert done.returncode == 0, done.err
    check(plopd, "a recording with tasks")


def test_large_profile(plopd, works):
    path = os.path.join(plopd.folder, "many.speedscope.json")
    done = plopd.ctl("record", "-p", works[1].pid, "-F", "2000", "-d", "12s", "-o", path)
    assert done.returncode == 0, done.err
    size = os.path.getsize(path)
    print("%.1f MB, %s" % (size / MB, done.err.splitlines()[0]))
    # an answer may have 32 MiB
    assert size > 28 * MB, size
    check(plopd, "a profile of many MB")


def test_window(plopd):
    saved = plopd.status()["store"]["windows"]
    until("a window is saved", lambda: plopd.status()["store"]["windows"] > saved, 30)
    check(plopd, "a window saved")
    assert plopd.stop() == 0
