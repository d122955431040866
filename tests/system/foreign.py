# SPDX-License-Identifier: BSD-2-Clause
"""The same run profiled at the same time by plop and by another profiler: CPython 3.15's profiling.sampling, and Debian's austin on
the versions that it knows. Shares by line and by function must agree (two-sample chi-square, p = 0.001)."""
import itertools
import json
import os
import subprocess
import threading

import pytest

import host
import truth
from chi_square import against_other
from foreign_programs import foreign_program
from waiting import until

HZ = 999
PLOPD = ("--hz", HZ)
SECONDS = 1.2
# Others sample by the wall's time: while the workload waits for a CPU they see it again and again at the same place. That is taken
# out, see counted(), as long as it is little. On a busy machine Linux makes a process of real time wait for 5 %.
WAITED = 0.10
LONGEST = 12
TRIES = 2
# What austin 3.7.0 knows; on others it crashes or says that it does not know them.
AUSTIN_KNOWS = [(3, minor) for minor in range(8, 14)]


class Busy(Exception):
    pass


def austin_command(austin, pid, path):
    return [austin, "-i", "1ms", "-p", str(pid), "-o", path]


def sampling_command(python, pid, path):
    return [python, "-m", "profiling.sampling", "attach", "-r", str(HZ), "--gecko", "-o", path, str(pid)]


def austin_samples(path, _):
    """austin writes a line for each sample, with the microseconds since the one before at its end."""
    with open(path) as f:
        for text in f:
            if not text.startswith("#") and ";" in text:
                parts = [part.rsplit(":", 2) for part in text.rsplit(" ", 1)[0].split(";") if part.count(":") >= 2]
                yield tuple((function, file, int(line or 0)) for file, function, line in parts)


def sampling_samples(path, files):
    """The format of Firefox's profiler, which keeps the samples' order. It tells the last part of a file's name only."""
    with open(path) as f:
        whole = json.load(f)
    thread, strings = whole["threads"][0], whole["shared"]["stringArray"]
    frames, functions, stacks = thread["frameTable"], thread["funcTable"], thread["stackTable"]
    longer, known = {os.path.basename(name): name for name in files}, {}
    for stack in thread["samples"]["stack"]:
        if stack not in known:
            found, at = [], stack
            while at is not None:
                frame = stacks["frame"][at]
                function = frames["func"][frame]
                at_file = functions["fileName"][function]
                file = "" if at_file is None else strings[at_file]  # none: <GC> and the like
                found.append((strings[functions["name"][function]], longer.get(os.path.basename(file), file), frames["line"][frame] or 0))
                at = stacks["prefix"][at]
            known[stack] = tuple(reversed(found))
        yield known[stack]


def counted(samples):
    """[(stack, count), ...]. More than LONGEST times the same stack one after the other is a workload that waits for a CPU, which
    counts once: it stays at no line for so long when it runs."""
    groups = ((stack, len(list(same))) for stack, same in itertools.groupby(samples))
    return [(list(stack), n if n <= LONGEST else 1) for stack, n in groups]


def at_once(pid):
    """Lets a process run before all that is not of real time, for the few seconds that this takes."""
    try:
        os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(1))
    except OSError:
        pass  # not everywhere allowed; then quiet_run() says how it was


def scheduled(pid):
    """Nanoseconds on a CPU, and nanoseconds of waiting for one (Documentation/scheduler/sched-stats.rst)."""
    with open("/proc/%d/schedstat" % pid) as f:
        return [int(word) for word in f.read().split()[:2]]


def naps(pid):
    """How often a process has gone to sleep by itself."""
    with open("/proc/%d/status" % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith("voluntary_ctxt_switches"))


def run(daemon, python, command, seconds):
    """One run of known.py: what it said, plop's stacks, and where the other profiler's are."""
    path = os.path.join(daemon.folder, "foreign.txt")
    with host.Workload(python, "known.py", "--seconds", seconds, "lines", "many", "mixed") as work:
        ready = json.loads(work.ready[1])
        at_once(work.pid)
        daemon.profiled(work.pid)
        recording = host.Recording(daemon, work.pid)
        other = subprocess.Popen(command(work.pid, path), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                 preexec_fn=lambda: at_once(0))
        said = []
        reader = threading.Thread(target=lambda: said.append(other.stderr.read().decode(errors="replace")))
        reader.start()
        try:
            # it sleeps from sample to sample: so it has begun
            until("the other profiler samples", lambda: other.poll() is not None or naps(other.pid) > 300, 60)
            assert other.poll() is None, "it ended with %s" % other.returncode
            before = scheduled(work.pid)
            work.go()
            done = json.loads(work.line("DONE")[1])
            ran, waited = (b - a for a, b in zip(before, scheduled(work.pid)))
            stacks = recording.stop()
            work.end()
            other.wait(60)
        finally:
            if other.poll() is None:
                other.kill()
            reader.join()
    assert os.path.exists(path), "it wrote nothing: " + said[0]
    return ready, done, stacks, path, waited / float(ran)


def quiet_run(daemon, python, command, seconds):
    """A run in which the workload had a CPU whenever it wanted one."""
    for _ in range(TRIES):
        *found, waited = run(daemon, python, command, seconds)
        if waited <= WAITED:
            return found
        os.unlink(found[-1])
    raise Busy("the workload waited for a CPU for %.1f %% of its CPU time, in the last of %d runs" % (100 * waited, TRIES))


def classes(stacks, name, facts, ready):
    """Counts by line and by function of one phase, and of what is left out of both: reading the clock, which is a call of the
    kernel, and stacks that cannot be, with a function of another phase at their end. ARCHITECTURE.md says why others have them."""
    inside, _ = truth.below(stacks, name, ready["files"][0])
    kernel = sum(count for stack, count in inside if stack[-1][0] == "thread_time")
    torn = sum(count for stack, count in inside if name != "many" and stack[-1][1] == "<many>")
    kept = [(stack, count) for stack, count in inside
            if stack[-1][0] != "thread_time" and (name == "many" or stack[-1][1] != "<many>")]
    lines = truth.add_up((truth.line_of(stack, facts, ready) if "line" in facts else stack[0][2], count) for stack, count in kept)
    return lines, truth.add_up((stack[-1][0], count) for stack, count in kept), kernel, torn


def attempt(daemon, python, command, austin, length):
    ready, done, stacks, path = quiet_run(daemon, python, command, SECONDS * length)
    theirs = counted((austin_samples if austin else sampling_samples)(path, ready["files"]))
    os.unlink(path)
    rows = []
    for name, facts in sorted(done["phases"].items()):
        a, b = classes(stacks, name, facts, ready), classes(theirs, name, facts, ready)
        print("    %s: in the kernel ours %d, theirs %d; torn ours %d, theirs %d" % (name, a[2], b[2], a[3], b[3]))
        assert a[3] == 0, "a stack that cannot be"
        for what, ours, others in (("line", a[0], b[0]), ("function", a[1], b[1])):
            x, bound, n = against_other(ours, others)
            # others drop, or misplace, what they found the target changing under, which falls on functions that C calls: see ARCHITECTURE.md
            if name == "mixed" and (not austin or what == "function"):
                print("    mixed by %s: chi2 %.1f of %.1f, not held against either" % (what, x, bound))
                continue
            rows.append(("%s by %s, %d of theirs" % (name, what, sum(others.values())), x, bound, n, sum(ours.values())))
            if x > bound:
                far = sorted(set(ours) | set(others), key=lambda k: -abs(ours.get(k, 0) - others.get(k, 0)))[:6]
                print("    farthest apart, ours and theirs: " + ", ".join(
                    "%s %d %d" % (k, ours.get(k, 0), others.get(k, 0)) for k in far))
    return rows


def compare(daemon, title, python, command, austin=False):
    try:
        said = truth.repeated([], lambda length: attempt(daemon, python, command, austin, length))
    except Busy as e:
        pytest.skip("not compared: %s" % e)
    print("%s\n    %s" % (title, "\n    ".join(said)), flush=True)


def rows(knows):
    """One of each version that the other profiler knows, of the plain builds."""
    found = {}
    for row in host.pythons():
        if "-" not in row[2] and knows(row):
            found.setdefault(row[0], row)
    return list(found.values())


@pytest.mark.parametrize("row", rows(lambda row: row[0] in AUSTIN_KNOWS and "/.cache/" not in row[1]), ids=host.called)
def test_austin(plopd, row):
    austin, version = foreign_program("austin")
    compare(plopd, "%s with austin %s" % (host.called(row), version), row[1], lambda pid, path: austin_command(austin, pid, path), True)


@pytest.mark.parametrize("row", rows(lambda row: row[0] == (3, 15)), ids=host.called)
def test_profiling_sampling(plopd, row):
    compare(plopd, "%s with profiling.sampling" % host.called(row), row[1], lambda pid, path: sampling_command(row[1], pid, path))
