# SPDX-License-Identifier: BSD-2-Clause
"""
Threads that the kernel makes for a process, io_uring's here: they have the thread pointer of the thread that submitted, and are that
thread's in nothing else. Samples, time off CPU and dumps call them [kernel worker].
"""
import json
import sys

import pytest

import host

WORKER = "[kernel worker]"


def check_stacks(stacks, said):
    """All of the workers is under their heading, and none of it where the submitter sleeps."""
    worked = slept = 0
    for frames, weight in stacks:
        names = [name for name, _, _ in frames]
        if said == "wall" and names[1] == "[began before the recording]":
            continue  # it was on its way to a CPU, so nothing was read of it
        worker = names[0].startswith("thread_name=iou-")
        assert worker == (WORKER in names), (said, names)
        assert not worker or names[1] == WORKER, (said, names)
        worked += weight if worker else 0
        slept += weight if "Ring.submits_and_waits" in names or "submits_and_waits" in names else 0
    # the kernel's work is nearly all that there is: the submitter's own is some 100 us of each 10 ms
    assert worked > 3 * slept or said == "wall", (said, worked, slept)
    assert worked > 0, (said, stacks)
    return "%s: %d of the workers, %d of the submitter" % (said, worked, slept)


def record(daemon, pid, *options):
    done = daemon.ctl("record", "-p", pid, "-d", "1s", "-F", 400, "-f", "collapsed", "-g", "thread_name", "-o", "-", *options)
    assert done.returncode == 0, done.err
    return host.collapsed(done.out)


def check_dump(daemon, pid):
    done = daemon.ctl("dump", "-p", pid, "--json")
    assert done.returncode == 0, done.err
    threads = json.loads(done.out)["threads"]
    workers = [t for t in threads if t["name"].startswith("iou-")]
    assert workers and all(t["kernel"] and not t["python"] and t["syscall"] is None for t in workers), threads
    assert [(t["tid"], t["kernel"]) for t in threads if t["python"]] == [(pid, False)], threads
    text = daemon.ctl("dump", "-p", pid).out
    assert "\n%s " % WORKER in text, text


def check(daemon, work):
    daemon.profiled(work.pid)
    said = [check_stacks(record(daemon, work.pid), "a recording"), check_stacks(record(daemon, work.pid, "--wall"), "wall")]
    check_dump(daemon, work.pid)
    done = daemon.ctl("export", "--since", "1m", "-f", "collapsed", "-o", "-", "pid=%d" % work.pid)
    assert done.returncode == 0, done.err
    counts = {}
    for frames, count in host.collapsed(done.out):
        counts[frames[0][0]] = counts.get(frames[0][0], 0) + count
    assert counts[WORKER] > 0.8 * sum(counts.values()), counts
    return said + ["always on: %s" % counts]


@pytest.fixture(scope="module")
def early(root):
    """A workload that is there before plopd."""
    with host.Workload(sys.executable, "io_uring.py", ready=False) as work:
        line = work.process.stdout.readline().decode()
        if not line.startswith("READY"):
            pytest.skip("io_uring does not work here: " + line)
        yield work


@pytest.fixture(scope="module")
def plopd(early):
    with host.Plopd() as daemon:
        yield daemon


def test_plopd_after_it(plopd, early):
    print("%s" % check(plopd, early))


def test_plopd_before_it(plopd, early, workload):
    print("%s" % check(plopd, workload(sys.executable, "io_uring.py")))
