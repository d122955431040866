# SPDX-License-Identifier: BSD-2-Clause
"""Nothing keeps step with the ticks: work that repeats exactly, at periods that are multiples and fractions of the ticks', in
threads that are there and in threads that come, is sampled by all kinds of recordings at once. The shares of its four
functions must be those that it measured, with at most 1.3 times the variance of independent samples, and the number of
samples what its CPU time is worth.

The workload runs on the CPU that was most idle, before all other programs where that is allowed. What has a higher priority
still, and what the kernel keeps for others of each second, disturbs it; that hides a lock step and never makes one. plopd comes
before all others too: where the other CPUs are busy its changes of the periods come late, and what that does is not the matter here.
"""
import json
import os
import re
import sys
import time

import pytest

import host
import recordings
import truth
from chi_square import bound, chi_square

HZ = 100
PLOPD = ("--hz", HZ)
# (period in ms, CPU time in s that a thread lives: None: one is there from the start), the seconds of CPU time of each.
RUNS = ((20, None), (10, 1.0), (2.5, None), (5, 0.04))
SECONDS = 12
VARIANCE = 1.3
# What the number of samples may be wrong by in 20 s. In fewer it is more, as what is off are single ticks.
COUNT = 0.01


def kinds(workload, group):
    """The name, the rate and the request of each recording. What has the daemon's own rate shares the ticks that are always on."""
    rows = [("always on", HZ, {"pid": workload.pid})]
    rows += [("pid", hz, {"pid": workload.pid, "hz": hz}) for hz in (400, 997, 5000)]
    if group:
        rows += [("cgroup", hz, {"cgroup": group.path, "hz": hz}) for hz in (100, 400, 997, 5000)]
    return rows + [("all", hz, {"all": True, "hz": hz}) for hz in (400, 997, 5000)]


def idlest():
    """Of the CPUs that this test may use the one that was most idle of late."""
    def idle():
        with open("/proc/stat") as f:
            rows = [line.split() for line in f if line.startswith("cpu") and line[3].isdigit()]
        return {int(row[0][3:]): int(row[4]) for row in rows}
    before = idle()
    time.sleep(0.5)
    after = idle()
    return max(os.sched_getaffinity(0), key=lambda cpu: after[cpu] - before.get(cpu, after[cpu]))


def family(pid):
    """A process and those that it forked."""
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return [pid] + [each for child in f.read().split() for each in family(int(child))]


def in_time(daemon):
    """Has plopd's loop, and its helpers, run as soon as they wake, where that is allowed."""
    try:
        for pid in family(daemon.process.pid):
            os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        print("plopd has no real-time priority: on a busy machine its changes come late")


class Run:
    """What all recordings of one run have: counts by function, what the run measured, and whether it had its CPU for itself."""

    def __init__(self, daemon, root, period, lives, seconds, beside=None):
        arguments = ["--period", period, "--seconds", seconds, "--cpu", idlest()] + (["--lives", lives] if lives else [])
        with recordings.Group(root, "lockstep") as group, host.Workload(sys.executable, "lockstep.py", *arguments) as work:
            said = json.loads(work.ready[1])
            self.realtime = said["realtime"]
            daemon.profiled(work.pid)
            group.join(work.pid)
            rows = kinds(work, group)
            running = [host.Recording(daemon, **request) for _, _, request in rows]
            self.beside = beside(work.pid) if beside else None
            begun = time.monotonic()
            work.go()
            done = json.loads(work.line("DONE")[1])
            self.wall = time.monotonic() - begun
            self.known, self.threads = done["cpu"], done["threads"]
            # what else runs on the host may be more than one answer holds
            stacks = [recording.stop(work.pid) for recording in running]
            if self.beside:
                self.beside.stop()
            work.end()
        self.counts = [(name, hz, self.of_functions(s, said["file"])) for (name, hz, _), s in zip(rows, stacks)]

    def of_functions(self, stacks, file):
        return truth.add_up((stack[-1][0], count) for stack, count in stacks if stack[-1][1] == file and stack[-1][0] in self.known)

    def compare(self):
        """[(kind, hz, chi-square, how far the number of samples is from what is right as a part of it)]"""
        worth = sum(self.known.values())
        rows = []
        for name, hz, counts in self.counts:
            n = sum(counts.values())
            x, _ = chi_square([counts.get(f, 0) for f in self.known], list(self.known.values())) if n else (0, 0)
            rows.append((name, hz, x, n / (hz * worth) - 1))
        return rows


def attempt(daemon, root, seconds):
    """All runs: their chi-squares and errors by kind."""
    found = {}
    for period, lives in RUNS:
        run = Run(daemon, root, period, lives, seconds)
        rows = run.compare()
        print("%g ms, %d threads, %.1f s of CPU in %.1f s%s: %s" % (
            period, run.threads, sum(run.known.values()), run.wall, "" if run.realtime else " (no real-time priority to be had)",
            ", ".join("%s %d: %.1f %+.2f %%" % (name, hz, x, 100 * off) for name, hz, x, off in rows)), flush=True)
        for name, hz, x, off in rows:
            found.setdefault((name, hz), []).append((x, off, seconds / run.wall))
    return found


def wrong(found, seconds):
    """What is beyond the limits, in words."""
    said = []
    for (name, hz), rows in found.items():
        freedom = 3 * len(rows)
        # 1.3 times the variance is 1.3 times the statistic
        total, most = sum(x for x, _, _ in rows), VARIANCE * bound(freedom)
        if total > most:
            said.append("%s at %d Hz: chi-square %.1f of at most %.1f" % (name, hz, total, most))
        for _, off, share in rows:
            # Where the work had to wait for its CPU, the ticks of a CPU fall on it by chance: three sigma of those.
            chance = 3 * ((1 - min(share, 1)) / (hz * seconds)) ** 0.5
            if abs(off) > COUNT * 20 / seconds + chance:
                said.append("%s at %d Hz: the number of samples is wrong by %.2f %%" % (name, hz, 100 * off))
    return said


def test_nothing_keeps_step(plopd):
    root = recordings.folders()[0]
    if not root:
        pytest.skip("no hierarchy of control groups, version 2, is mounted here")
    in_time(plopd)
    failed = wrong(attempt(plopd, root, SECONDS), SECONDS)
    if failed:
        # an honest comparison fails once in a thousand times, and a neighbour on the machine can disturb one
        print("once more, for twice as long: " + "; ".join(failed), flush=True)
        failed = wrong(attempt(plopd, root, 2 * SECONDS), 2 * SECONDS)
    assert not failed, failed


def test_accounted(plopd):
    samples = plopd.status()["samples"]
    assert host.accounted(samples), samples


MOST = "/proc/sys/kernel/perf_event_max_sample_rate"


@pytest.fixture
def bounded():
    """The kernel lets through two ticks between two of its scheduler at most. This file's test runs alone."""
    with open(MOST) as f:
        before = f.read()
    try:
        # what is between two ticks of the scheduler is rounded up: at most 1,000 scheduler ticks a second
        with open(MOST, "w") as f:
            f.write("500")
        yield 500
    finally:
        with open(MOST, "w") as f:
            f.write(before)


@pytest.mark.skipif(not os.access(MOST, os.W_OK), reason="%s cannot be written here" % MOST)
def test_the_kernels_bound(bounded):
    """Ticks that the kernel stops are said, and how many they are is true."""
    with host.Workload(sys.executable, code="print('READY 0', flush=True)\nwhile True: pass") as work, \
            host.Plopd("--hz", 5000, "--window", 2) as daemon:
        above = "5000 ticks a second are more than kernel.perf_event_max_sample_rate, 500"
        assert above in daemon.said(), daemon.said()
        for own in ([], ["-F", "4000"], ["-F", "4000", "--wall"]):
            done = daemon.ctl("record", "-p", work.pid, "-d", "2s", *own, "-o", os.path.join(daemon.folder, "r.collapsed"))
            line = done.err.splitlines()[0]
            assert done.returncode == 0 and "perf_event_max_sample_rate, 500" in line, done.err
            assert re.search(r"stopped the ticks for [0-9]+ % of the time", line), line
        rate = host.until("ticks were stopped in a window", lambda: (lambda r: r["throttled_percent"] > 0 and r)(daemon.status()["rate"]), 20)
        # of 5,000 ticks a second at most 2,000 come through: 2 in each of 1,000 scheduler ticks; fewer are due on a busy machine
        assert rate["max_hz"] == 500 and 15 < rate["throttled_percent"] <= 100, rate
        assert rate["note"].startswith(above + ": the kernel stopped the ticks for"), rate
        assert above in daemon.ctl("status").out
        with open(MOST, "w") as f:
            f.write("100000")
        host.until("all is well again", lambda: daemon.status()["rate"]["note"] is None, 20)
        assert "RATE" not in daemon.ctl("status").out
        assert "lets through all ticks again" in daemon.said()
        done = daemon.ctl("record", "-p", work.pid, "-d", "1s", "-o", os.path.join(daemon.folder, "r.collapsed"))
        assert "perf_event_max_sample_rate" not in done.err, done.err
