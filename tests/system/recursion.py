# SPDX-License-Identifier: BSD-2-Clause
"""Recursion on every interpreter: a stack of 1,000 frames is complete; of 3,000 the leaf-most 1,024 are kept, its root is marked,
and that is counted."""
import os
import signal

import pytest

import host
from waiting import until

ROWS = host.one_of_each(host.pythons())

MAX_DEPTH = 1024  # include/plop/limits.h, the default of the option


def stacks_of(daemon, depth, samples):
    """All interpreters at once, at that depth: the stacks of each. They stand still until all are there."""
    works = [host.Workload(python, "deep.py", "--depth", depth, "--seconds", 200, ready=False) for _, python, _ in ROWS]
    try:
        for work in works:
            work.line("READY")
            os.kill(work.pid, signal.SIGSTOP)
        for work in works:
            daemon.profiled(work.pid)
        recordings = [host.Recording(daemon, work.pid) for work in works]
        for work in works:
            os.kill(work.pid, signal.SIGCONT)
        until("samples of each", lambda: daemon.least(works) >= samples, 60)
        return {row: recording.stop() for row, recording in zip(ROWS, recordings)}
    finally:
        for work in works:
            work.__exit__()


def names(stack):
    return [name for name, _, _ in stack]


@pytest.fixture(scope="module")
def whole(plopd):
    return stacks_of(plopd, 1000, 30)


@pytest.fixture(scope="module")
def cut(plopd, whole):
    """The stacks, and what was counted before."""
    before = plopd.status()["samples"]
    assert before["truncated"] == 0, before
    return stacks_of(plopd, 3000, 30), before


def test_there_are_interpreters():
    assert ROWS, "no interpreter at all"


@pytest.mark.parametrize("row", ROWS, ids=host.called)
def test_1000_frames(whole, row):
    wanted = ["<module>"] + 998 * ["descend"] + ["burn"]
    for stack, _ in whole[row]:
        assert names(stack) == wanted, "%d frames, from %s to %s" % (len(stack), stack[:3], stack[-3:])
    print("%d samples, all complete" % sum(c for _, c in whole[row]), flush=True)


@pytest.mark.parametrize("row", ROWS, ids=host.called)
def test_3000_frames(cut, row):
    wanted = ["[truncated]"] + (MAX_DEPTH - 1) * ["descend"] + ["burn"]
    for stack, _ in cut[0][row]:
        assert names(stack) == wanted, "%d frames, from %s to %s" % (len(stack), stack[:3], stack[-3:])
    print("%d samples, all cut at the root" % sum(c for _, c in cut[0][row]), flush=True)


def test_counted(plopd, cut):
    stacks, before = cut
    total = sum(count for each in stacks.values() for _, count in each)
    samples = plopd.status()["samples"]
    assert host.accounted(samples), samples
    assert total <= samples["truncated"] <= samples["python"] - before["python"], samples
    print("truncated %d, lost %s" % (samples["truncated"], samples["lost"]))
