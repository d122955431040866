# SPDX-License-Identifier: BSD-2-Clause
"""Many Pythons of all versions that start at once, and end soon: hardly a tick on them may be lost. While an interpreter starts it
touches its memory for the first time, and is often interrupted where it links one frame to another."""
import subprocess

import pytest

import host
from waiting import until

PLOPD = ("--hz", 997)
AT_ONCE = 56
ROUNDS = 2
# up to 3.12 a tick between two stores finds no chain of frames: of all of these it is a few in thousands
MOST = 0.004
CODE = """
def deep(n):
    return sorted([n], key=lambda k: deep(n - 1)) if n else 0
import json, decimal, argparse, logging
for i in range(20):
    deep(60)
"""


def start(pythons, n):
    return [subprocess.Popen([pythons[i % len(pythons)], "-c", CODE], stdin=subprocess.DEVNULL) for i in range(n)]


def tally(daemon):
    samples = daemon.status()["samples"]
    return samples["python"], samples["lost"]


def measure(daemon, title, pythons):
    before, lost_before = tally(daemon)
    for _ in range(ROUNDS):
        for process in start(pythons, AT_ONCE):
            assert process.wait(300) == 0
    # what is counted is drained within a second
    until("samples", lambda: tally(daemon)[0] > before)
    python, lost = tally(daemon)
    wrong = {cause: lost[cause] - lost_before[cause] for cause in ("fault", "corrupt")}
    python -= before
    print("%s: %d samples, lost %s" % (title, python, wrong), flush=True)
    assert python > 300, "too few to tell"
    assert sum(wrong.values()) <= max(3, MOST * python), "%s of %d" % (wrong, python)


def test_several_steps(plopd):
    """Those whose frames are linked in several steps."""
    linked = [python for version, python, _ in host.one_of_each(host.pythons()) if version in ((3, 11), (3, 12))]
    if not linked:
        pytest.skip("there is no 3.11 and no 3.12")
    measure(plopd, "3.11 and 3.12", linked)


def test_all_versions(plopd):
    measure(plopd, "all versions", [python for _, python, _ in host.one_of_each(host.pythons())])


def test_accounted(plopd):
    samples = plopd.status()["samples"]
    assert host.accounted(samples), samples
