# SPDX-License-Identifier: BSD-2-Clause
"""Recordings of processes, control groups and units, at a rate of their own: who is in them, and that none disturbs another."""
import bisect
import json
import os
import subprocess
import sys
import time

import pytest

import host
from chi_square import chi_square
from waiting import until

BURN = """
import sys, threading
def spin_%(name)s():
    n = 0
    for i in range(20000): n += i
    return n
print("READY", flush=True)
threading.Thread(target=lambda: (sys.stdin.read(), __import__("os")._exit(0)), daemon=True).start()
while True: spin_%(name)s()
"""


def burner(name):
    return host.Workload(sys.executable, code=BURN % {"name": name})


def folders():
    """(v2, v1): where a control group can be made, or None."""
    with open("/proc/self/mounts") as f:
        mounts = [line.split() for line in f]
    v2 = next((m[1] for m in mounts if m[2] == "cgroup2"), None)
    v1 = next((m[1] for m in mounts if m[2] == "cgroup" and "name=systemd" in m[3]), None)
    return v2, v1


class Group:
    """A control group of this test's own."""

    def __init__(self, root, name):
        self.path = "/plop-test-%d/%s" % (os.getpid(), name)
        self.folder = root + self.path
        os.makedirs(self.folder)

    def join(self, pid):
        with open(os.path.join(self.folder, "cgroup.procs"), "w") as f:
            f.write(str(pid))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        def gone():
            try:
                os.rmdir(self.folder)
                return True
            except OSError:
                return not os.path.exists(self.folder)
        until("the control group can go", gone)
        try:
            os.rmdir(os.path.dirname(self.folder))
        except OSError:
            pass


def start(plopd, *arguments, seconds=60, form="json"):
    return host.Recorder(plopd, *arguments, seconds=seconds, form=form, wait=False)


def names(stacks):
    """The spin_ functions of a profile, with their samples."""
    found = {}
    for frames, count in stacks:
        for function in {f for f, _, _ in frames if f.startswith("spin_")}:
            found[function[5:]] = found.get(function[5:], 0) + count
    return found


def test_rates(plopd):
    """Each rate is the recording's alone: the always-on one keeps its own, and the ticks add up in each."""
    with burner("one") as one, burner("two") as two:
        for work in (one, two):
            plopd.profiled(work.pid)
        before = plopd.status()["samples"]
        began = time.monotonic()
        running = [start(plopd, "-p", one.pid, "-F", hz, seconds=4) for hz in (50, 400, 1000)]
        running.append(start(plopd, "-p", two.pid, seconds=4))
        profiles = [recorder.finish() for recorder in running]
        after, seconds = plopd.status()["samples"], time.monotonic() - began
        for profile, hz in zip(profiles, (50, 400, 1000, 100)):
            assert profile["hz"] == hz, profile["hz"]
            assert host.accounted(profile), {k: profile[k] for k in ("ticks", "python", "other", "lost")}
            mine = {p["pid"] for p in profile["processes"]}
            assert mine == ({two.pid} if hz == 100 else {one.pid}), mine
        per_hz = [p["samples"] / p["hz"] / p["duration_s"] for p in profiles[:3]]
        print("rates: %s samples at 50, 400 and 1000 Hz, %s of a CPU" % (
            [p["samples"] for p in profiles[:3]], ["%.2f" % n for n in per_hz]))
        # the same process in the same seconds: its share of a CPU is the same whoever measures
        x, most = chi_square([p["samples"] for p in profiles[:3]], [p["hz"] * p["duration_s"] for p in profiles[:3]])
        assert x < most, (x, per_hz)
        ticks = after["ticks"] - before["ticks"]
        # status is up to a second old
        assert ticks < 1.1 * 100 * (seconds + 1) * (os.cpu_count() or 1), "the always-on rate changed: %d in %.1f s" % (ticks, seconds)


@pytest.fixture(params=("v2", "v1"))
def hierarchy(request):
    """(where control groups of a version can be made, the version)"""
    root = dict(zip(("v2", "v1"), folders()))[request.param]
    if not root:
        pytest.skip("no hierarchy of %s is mounted here" % request.param)
    return root, request.param


def test_groups(plopd, hierarchy):
    """A control group with what is below, and who joins while it is recorded, by fork and by being moved in."""
    root, version = hierarchy
    with Group(root, "outer") as outer, Group(root, "outer/inner.service") as inner, \
            burner("in") as within, burner("below") as below, burner("late") as late, burner("out") as out:
        for work in (within, below, late, out):
            plopd.profiled(work.pid)
        outer.join(within.pid)
        inner.join(below.pid)
        whole = start(plopd, "-c", outer.path, seconds=5, form="collapsed")
        unit = start(plopd, "-u", "inner.service", "-F", "200", seconds=5, form="collapsed")
        until("both recordings run", lambda: plopd.status()["recordings"] == 2)
        inner.join(late.pid)
        whole, unit = names(whole.finish()), names(unit.finish())
        print("%s: %s in the group, %s in the unit below" % (version, whole, unit))
        assert set(whole) == {"in", "below", "late"}, whole
        assert set(unit) == {"below", "late"}, unit
        for work in (within, below, late, out):
            work.end()
    refused = plopd.ctl("record", "-c", outer.path, "-d", "1s", "-o", "-")
    assert refused.returncode == 3 and "there is no cgroup" in refused.err, refused.err


def test_refusals(plopd, hierarchy):
    with Group(hierarchy[0], "empty.service") as empty:
        for arguments in (("-c", empty.path), ("-u", "empty")):
            done = plopd.ctl("record", *arguments, "-d", "1s", "-o", "-")
            assert done.returncode == 3 and "has no process" in done.err, (done.returncode, done.err)
    done = plopd.ctl("record", "-u", "no-such-unit", "-o", "-")
    assert done.returncode == 3 and "there is no unit no-such-unit" in done.err, (done.returncode, done.err)
    done = plopd.ctl("record", "-c", "/../etc", "-o", "-")
    assert done.returncode == 3, done.err
    # an argument of the byte 0xff
    for selector in ("service=\udcff", "thread_name=\udcff"):
        done = plopd.ctl("record", selector, "-a", "-d", "1s", "-o", "-")
        assert done.returncode == 2 and "is not UTF-8" in done.err, (selector, done.err)


def test_forgotten(plopd):
    """One that has ended is forgotten while another runs, which may have its place in the kernel: that goes on."""
    with burner("one") as one:
        plopd.profiled(one.pid)
        ended = host.Recording(plopd, one.pid, hz=300)
        ended.ask("DELETE", ended.path)
        until("the recording has ended", ended.done)
        ended.ask("GET", ended.path + "?format=collapsed")
        other = host.Recording(plopd, one.pid, hz=300)
        ended.ask("DELETE", ended.path)
        before = other.state()["samples"]
        until("there are samples", lambda: other.state()["samples"] > before + 100)
        other.stop()
        one.end()


def used(account, begin, end):
    """CPU time between two points in time of threads that told theirs at points on either side."""
    def at(points, when):
        n = bisect.bisect([p[0] for p in points], when)
        if n in (0, len(points)):
            return points[0][1] if n == 0 else points[-1][1]
        (t, cpu), (later, more) = points[n - 1], points[n]
        return cpu + (more - cpu) * (when - t) / max(later - t, 1e-9)
    return sum(at(points, end) - at(points, begin) for points in account)


def clocked(plopd, kind, rates, seconds=6):
    """Recordings at once of a workload that measured itself: [(hz, samples of it, how many its CPU time is worth, profile), ...]"""
    with host.Workload(sys.executable, "clocked.py", kind) as work:
        plopd.profiled(work.pid)
        running = [start(plopd, "-p", work.pid, "-p", work.pid, "-F", hz, seconds=seconds) for hz in rates]
        profiles = [recorder.finish() for recorder in running]
        work.go()
        account = json.loads(work.line("ACCOUNT")[1])
    rows = []
    for hz, profile in zip(rates, profiles):
        assert profile["hz"] == hz and host.accounted(profile), profile["hz"]
        rows.append((hz, profile["samples"], hz * used(account, profile["start"], profile["end"]), profile))
        print("%s at %d Hz: %d samples of %.0f, %d ticks on others" % ((kind,) + rows[-1][:3] + (profile["other"],)), flush=True)
    return rows


@pytest.fixture(scope="module")
def before(plopd):
    """How many descriptors plopd has before the recordings at rates of their own."""
    return descriptors(plopd)


# Whether the events are on the threads: then there are no ticks on others, and there are others; nor on what the kernel takes
# to switch to the thread and away, which is much of one that hands the GIL round.
@pytest.mark.parametrize("kind, alone, most", (("one", True, 0.01), ("late", True, 0.01), ("pauses", True, 0.05), ("leaderless", True, 0.01),
                                               ("births", False, 0.02), ("crowd", False, 0.02)))
def test_threads(plopd, before, kind, alone, most):
    """The rate is that of the CPU time used, whoever looks at the same time, whatever threads come and go, and wherever the events are."""
    with burner("other"):
        for attempt in range(3):
            rows = clocked(plopd, kind, (250, 1000))
            # where events could not be put on all threads in 200 ms, they are on the CPUs
            if not alone or not any(profile["other"] for _, _, _, profile in rows):
                break
        for hz, samples, worth, profile in rows:
            # A recording begins and ends between two ticks, and half a one is missing of each of up to 13 threads; the
            # ticks of a CPU fall by chance on whom it has just then. A thread's period is drawn anew every 8 ticks or so, evenly
            # enough for many of them; each of the 12 that pause has two or three, whose mean is off by 0.75 of what
            # independent ticks would be.
            chance = 4 * worth ** 0.5 if not alone else 10 + (3 * 0.75 * worth ** 0.5 if kind == "pauses" else 0)
            assert abs(samples - worth) <= most * worth + chance, (kind, hz, samples, worth)
            assert (profile["other"] == 0) == alone, (kind, hz, profile["other"])


def command_line(pid):
    with open("/proc/%d/cmdline" % pid, "rb") as f:
        return f.read()


def test_replaced(plopd):
    """A program that executes another one is recorded on."""
    with host.Workload(sys.executable, "clocked.py", "exec") as work:
        plopd.profiled(work.pid)
        recording = host.Recording(plopd, work.pid, hz=500)
        until("the second program runs", lambda: command_line(work.pid).endswith(b"one\0"), 60)
        seen = recording.state()["samples"]
        # some of those that come next are still of the first: what was counted by then is up to a second old
        until("there are samples of it", lambda: recording.state()["samples"] > seen + 1200, 60)
        stacks = recording.stop()
    before, after = (sum(count for frames, count in stacks if "spin_clocked" == frames[-1][0] and (frames[-2][0] == "work") == second)
                     for second in (False, True))
    print("replaced: %d samples of the first program, %d of the second" % (before, after))
    assert min(before, after) > 50, (before, after)


def descriptors(plopd):
    return len(os.listdir("/proc/%d/fd" % plopd.process.pid))


def test_many(plopd):
    """32 at once, each exact; the 33rd is refused; an early end is one with what there is."""
    with burner("one") as one, burner("short") as short:
        for work in (one, short):
            plopd.profiled(work.pid)
        running = [start(plopd, "-p", one.pid, "-F", 100 + i) for i in range(31)]
        early = start(plopd, "-p", short.pid, "-F", "500")
        until("32 recordings run", lambda: plopd.status()["recordings"] == 32)
        done = plopd.ctl("record", "-p", one.pid, "-d", "1s", "-o", "-")
        assert done.returncode == 1 and "32 recordings" in done.err, (done.returncode, done.err)
        seen = plopd.process_of(short.pid)["samples"]
        # more than those of the second before the recording began, which may be counted only now
        until("the short one has samples", lambda: plopd.process_of(short.pid)["samples"] > seen + 110, 60)
        short.end()
        profile = early.finish()
        assert "ended early" in early.said and profile["samples"] > 0, early.said
        for recorder in running:
            recorder.process.terminate()
        profiles = [recorder.finish() for recorder in running]
        for i, profile in enumerate(profiles):
            assert profile["hz"] == 100 + i and host.accounted(profile), profile["hz"]
            assert {p["pid"] for p in profile["processes"]} == {one.pid}
        one.end()
        # Each counts the same seconds at its own rate.
        counts = [p["samples"] for p in profiles]
        weight = [p["hz"] * p["duration_s"] for p in profiles]
        x, most = chi_square(counts, weight)
        print("32 at once: %d samples, chi-square of their rates %.1f of at most %.2f" % (sum(counts), x, most))
        assert x < most, (counts, weight)


MANY_THREADS = """
import sys, threading
print("READY", flush=True)
sys.stdin.readline()
for i in range(40):
    t = threading.Thread(target=sum, args=(range(1000),))
    t.start()
    t.join()
while True: sum(range(1000))
"""


def test_what_plopd_does_not_get(root):
    """A recording that ends because plopd was refused what it takes says so, and why is in the log; a stream is answered."""
    with host.Failing() as daemon, host.Workload(sys.executable, code=MANY_THREADS) as work:
        daemon.profiled(work.pid)
        daemon.fail("t")
        done = daemon.ctl("record", "-p", work.pid, "-d", "60s", "-f", "json", "-o", "-")
        assert "ended early: plopd had no timer for it; its log says why" in done.err, (done.returncode, done.err)
        # one that has its programs loaded first needs a timer for that
        done = daemon.ctl("record", "-p", work.pid, "-d", "60s", "-f", "json", "-o", "-", "--async")
        assert done.returncode == 1 and "cannot begin a recording: Cannot allocate memory" in done.err, (done.returncode, done.err)
        assert daemon.ask("/v1/stream") == '{"error":"out of memory","hint":null}\n500'
        daemon.fail("")
        assert daemon.ask("/v1/stream", 1).endswith("200")
        with start(daemon, "-p", work.pid, "-F", 500) as recorder:
            until("it is there", lambda: daemon.status()["recordings"] == 1)
            until("it has begun", lambda: daemon.get("/v1/recordings/r3")["elapsed_s"] > 0)
            daemon.fail("p")
            # with these its events go to all CPUs
            work.go()
            profile = recorder.finish()
        assert "ended early: the kernel gave no perf events to go on with; plopd's log says why" in recorder.said, recorder.said
        assert profile["duration_s"] < 50, profile["duration_s"]
        daemon.fail("")
        with start(daemon, "-p", work.pid, "-F", 500, seconds=1) as recorder:
            assert recorder.finish()["samples"] > 100 and "ended early" not in recorder.said, recorder.said
        assert daemon.stop() == 0
        log = daemon.said()
        for said in ("Cannot go on with recording r3: Too many open files", "Cannot time recording r1: Cannot allocate memory"):
            assert said in log, log


def test_what_was_opened_is_closed(plopd, before):
    until("plopd has closed what it opened for recordings", lambda: descriptors(plopd) <= before)
    assert host.accounted(plopd.status()["samples"])
