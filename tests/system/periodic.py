# SPDX-License-Identifier: BSD-2-Clause
"""A workload that works for 8 ms at the start of every 50 ms, sampled every 5 ms: were the ticks in step with it, each period would
have all of them at the same places. The shares of its two functions and of the time that it sleeps must be those that it
measured (chi-square, p = 0.001), on every interpreter."""
import json
import os
import subprocess

import pytest

import host
import truth
from chi_square import against_known

HZ = 200
PLOPD = ("--hz", HZ)
SECONDS = 8
PERIOD_MS = 50
# How many run on one CPU at a time; each has its own part of the 50 ms.
ON_ONE_CPU = 4


class Run:
    """One workload on one CPU, with its recording."""

    def __init__(self, daemon, python, number, cpus, seconds):
        phase = PERIOD_MS * (number // len(cpus)) // ON_ONE_CPU
        self.work = host.Workload(python, "periodic.py", "--seconds", seconds, "--phase", phase)
        subprocess.run(["taskset", "-pc", str(cpus[number % len(cpus)]), str(self.work.pid)], check=True, stdout=subprocess.DEVNULL)
        self.file = json.loads(self.work.ready[1])["file"]
        daemon.profiled(self.work.pid)
        self.recording = host.Recording(daemon, self.work.pid)

    def compare(self):
        done = json.loads(self.work.line("DONE")[1])
        stacks = self.recording.stop()
        inside, _ = truth.below(stacks, "run", self.file)
        counts = truth.add_up((name, count) for stack, count in inside for name, _, _ in stack if name in done["cpu"])
        ticks = round(HZ * done["wall"])
        counts["asleep"] = ticks - sum(counts.values())
        known = dict(done["cpu"], asleep=done["wall"] - sum(done["cpu"].values()))
        said = "%d periods (%d skipped), %s" % (done["periods"], done["late"], " ".join(
            "%s %d of %.1f" % (name, counts.get(name, 0), ticks * known[name] / done["wall"]) for name in sorted(known)))
        return [(said,) + against_known(counts, known) + (ticks,)]


def attempt(daemon, group, seconds):
    """One run of all of the group: the comparisons of each."""
    cpus = sorted(os.sched_getaffinity(0))
    runs = []
    try:
        for number, (_, python, _) in enumerate(group):
            runs.append(Run(daemon, python, number, cpus, seconds))
        for run in runs:
            run.work.go()
        return [run.compare() for run in runs]
    finally:
        for run in runs:
            run.work.__exit__()


def show(row, comparisons):
    """Prints them; whether one is over its bound."""
    version, _, build = row
    for what, x, bound, _, ticks in comparisons:
        print("%d.%-3d %-20s %s: chi2 %.1f of %.1f, %d ticks" % (version + (build, what, x, bound, ticks)), flush=True)
    return any(x > bound for _, x, bound, _, _ in comparisons)


@pytest.fixture(scope="module")
def compared(plopd, in_groups):
    return in_groups(ON_ONE_CPU * len(os.sched_getaffinity(0)), lambda rows: attempt(plopd, rows, SECONDS))


def test_shares(plopd, compared, interpreter):
    # those that fail once in a thousand times
    assert not show(interpreter, compared(interpreter)) or not show(interpreter, attempt(plopd, [interpreter], 2 * SECONDS)[0]), \
        "the ticks go with the workload's rhythm"


def test_accounted(plopd):
    samples = plopd.status()["samples"]
    assert host.accounted(samples), samples
    print("lost %s" % samples["lost"])
