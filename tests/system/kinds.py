# SPDX-License-Identifier: BSD-2-Clause
"""Generators, coroutines, recursion through C, exceptions in flight and trace functions, on every interpreter: each sampled stack
must be one that the interpreter itself told, frame by frame and line by line."""
import pytest

import host
import possible

PLOPD = ("--hz", 999)
# What must be met among the samples: at least one function of each kind.
SEEN = ["generators", "innermost", "by_key", "by_reduce", "Dynamic.__getattr__", "Dynamic.__lt__", "recurse", "mutual", "deep", "thrower",
        "traced_inner", "tracer", "profiler"]
SEEN_3 = ["leaf", "delegate", "bottom", "between", "together", "numbers", "Manager.__aenter__", "by_hand"]


def record(plopd, python):
    """What the workload says of itself, and its stacks."""
    with host.Workload(python, "kinds.py", ready=False) as work:
        facts = work.line("FACT")[1]
        work.line("READY")
        plopd.profiled(work.pid)
        recording = host.Recording(plopd, work.pid)
        work.go()
        host.until("enough samples", lambda: plopd.least([work]) > 900, 60)
        return facts, recording.stop()


@pytest.fixture(scope="module")
def recorded(plopd, at_once):
    return at_once(5, lambda row: record(plopd, row[1]))


def test_stacks(plopd, recorded, one_of_each):
    version, python, build = one_of_each
    wanted = SEEN + (SEEN_3 if version >= (3, 6) else []) + (["monitor"] if version >= (3, 12) else [])
    if version < (3, 11):
        wanted = [name.split(".")[-1] for name in wanted]  # no qualified names
    seen, total = set(), 0
    for attempt in range(4):  # what is short is met by luck: a slow machine may need more samples
        facts, stacks = recorded(one_of_each) if not attempt else record(plopd, python)
        try:
            total += possible.Possible([facts]).check(stacks)
        except AssertionError as e:
            # what plopd had no CPU to confirm in time has no name, which is no wrong one
            if attempt == 3 or not str(e).startswith("a frame without a name"):
                raise
            continue
        seen |= {frame[0] for stack, _ in stacks for frame in stack}
        if not set(wanted) - seen:
            break
    assert not set(wanted) - seen, "never met: %s" % sorted(set(wanted) - seen)
    print("%d.%-3d %-20s %5d samples, %d different stacks, all of them possible" % (version + (build, total, len(stacks))), flush=True)


def test_accounted(plopd):
    samples = plopd.status()["samples"]
    assert host.accounted(samples), samples
    print("lost %s" % samples["lost"])
