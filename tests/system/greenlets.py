# SPDX-License-Identifier: BSD-2-Clause
"""Greenlets and gevent, with Debian's packages: a stack is exactly that of the greenlet that runs, from its first function on, whatever
greenlet ran before; also what plopctl dump shows of such a thread, and where it waits."""
import json
import os
import subprocess

import pytest

import host
from waiting import until

HZ = 999
ENOUGH = 1500
PYTHON = "/usr/bin/python3"
FILE = os.path.join(host.WORKLOADS, "greenlets.py")
DEPTHS = {"A": 2, "B": 30, "C": 400}  # as in the workload


def letter_of(name):
    return name[-1] if name[:-1] in ("run_", "down_", "work_") else None


def check(stack):
    """The letter of the greenlet that a stack is of, None: of the main one, or of gevent's hub."""
    names = [name for name, _, _ in stack]
    letters = {letter_of(name) for name in names} - {None}
    assert not any(name in ("[unresolved]", "[stale code]", "[truncated]", "[no Python frame]") for name in names), stack
    if not letters:
        # of a greenlet that is just made or over, nothing
        assert not any(name in ("ended", "switch") for name in names) or names[0] == "<module>", stack
        return None
    assert len(letters) == 1, stack
    letter = letters.pop()
    deep = names.count("down_" + letter)
    assert names[:1 + deep] == ["run_" + letter] + ["down_" + letter] * deep and deep <= DEPTHS[letter], stack
    rest = names[1 + deep:]
    assert not rest or deep == DEPTHS[letter] and rest[0] in ("work_" + letter, "switch", "ended"), stack
    return letter


@pytest.fixture(scope="module", autouse=True)
def packages():
    if subprocess.run([PYTHON, "-c", "import gevent, greenlet"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        pytest.skip("%s has no greenlet or no gevent (python3-greenlet, python3-gevent)" % PYTHON)


def recorded(daemon, *arguments, **more):
    with host.Workload(PYTHON, "greenlets.py", *arguments) as work:
        daemon.profiled(work.pid)
        recording = host.Recording(daemon, work.pid, hz=HZ, **more)
        until("there are samples enough", lambda: recording.state()["samples"] > (50 if more else ENOUGH), 60)
        dumps = [json.loads(daemon.ctl("dump", "-p", work.pid, "--json").out) for _ in range(5)]
        stacks, said = recording.stop(), recording.said
        work.end()
    return stacks, said, dumps


@pytest.mark.parametrize("arguments", ((), ("--gevent",)), ids=("greenlet", "gevent"))
def test_on_cpu(plopd, arguments):
    stacks, said, dumps = recorded(plopd, *arguments)
    counts = {}
    for stack, count in stacks:
        letter = check(stack)
        counts[letter] = counts.get(letter, 0) + count
    # each does the same work in its turn
    busy = [counts.get(letter, 0) for letter in DEPTHS]
    assert min(busy) > 0.15 * sum(busy) and sum(busy) > 0.6 * said["samples"], counts
    assert host.hardly_lost(said), said
    for dump in dumps:
        for thread in dump["threads"]:
            check([(frame["function"], frame["file"], frame["line"]) for frame in reversed(thread["frames"])])
    print("%s: %s, lost %d of %d" % (" ".join(arguments) or "greenlet", sorted(counts.items(), key=str), said["lost_total"], said["ticks"]), flush=True)


def test_off_cpu(plopd):
    """Where gevent sleeps is its hub, whoever called the patched sleep."""
    stacks, said, _ = recorded(plopd, "--gevent", "--sleep", "0.002", wall=True)
    waited = 0
    for stack, us in stacks:
        leaf = stack[-1][0]
        if stack[0][0] == "[began before the recording]":
            continue  # it woke before it could be read
        letter = check(stack[:-1] if leaf.startswith("[") else stack)
        if leaf.startswith("[sleeping: epoll"):
            assert letter is None and stack[-2][0] == "Hub.run", stack
            waited += us
    assert waited > 0, stacks
    print("gevent waits in its hub: %.1f s of %.1f s" % (waited / 1e6, said["elapsed_s"]), flush=True)


def test_accounted(plopd):
    samples = plopd.status()["samples"]
    assert host.accounted(samples), samples
