# SPDX-License-Identifier: BSD-2-Clause
"""A thousand threads in a process: each sample shows the stack of the thread that ran. Threads that burn CPU in C with the GIL
released show their own Python stack, with the share of the CPU that they measured themselves (chi-square, p = 0.001)."""
import contextlib
import json

import pytest

import host
from chi_square import chi_square
from waiting import until

HZ = 500
PLOPD = ("--hz", HZ)
THREADS = 1000
BOOTSTRAP = {"Thread._bootstrap", "Thread._bootstrap_inner", "Thread.run", "_bootstrap", "_bootstrap_inner", "__bootstrap",
             "__bootstrap_inner", "run"}
ROLES = {"derive": ["derive"], "compress": ["compress"], "work": ["<module>", "main", "work"]}


def own(stack):
    """The number of the thread whose stack it is; -1: the main thread's. Fails when it is several threads' in one."""
    names = [name for name, _, _ in stack if name not in BOOTSTRAP]
    if names[0] == "<module>":
        assert names in (["<module>"], ["<module>", "main"]), stack
        return -1
    number = int(names[0].split("_")[1])
    assert names in (["own_%d" % number, "remainder_%d" % (number % 7), "burn"][:n] for n in (1, 2, 3)), stack
    return number


def fits(entry, role, cpu, stacks):
    version, _, build = entry
    counts = dict.fromkeys(cpu, 0)
    for stack, count in stacks:
        names = [name for name, _, _ in stack if name not in BOOTSTRAP]
        roles = [name for name in names if name in cpu]
        if roles:
            # alone on its stack, but for the clock that it reads
            assert names in (ROLES[roles[0]], ROLES[roles[0]] + ["cpu_clock"]), stack
            counts[roles[0]] += count
    x, bound = chi_square([counts[name] for name in sorted(cpu)], [cpu[name] for name in sorted(cpu)])
    total = sum(count for _, count in stacks)
    print("%d.%-3d %-20s main thread: %s; %s of %d, chi2 %.2f (bound %.2f)" % (
        version + (build, role, " ".join("%s %d" % (n, counts[n]) for n in sorted(cpu)), total, x, bound)), flush=True)
    assert sum(counts.values()) > 0.95 * total, stacks
    return x <= bound


def released(daemon, rows, role, seconds):
    """What the threads of each measured themselves, and the stacks."""
    with contextlib.ExitStack() as stack:
        works = [stack.enter_context(host.Workload(python, "released.py", role, "--cpu", seconds)) for _, python, _ in rows]
        for work in works:
            daemon.profiled(work.pid)
        recordings = [host.Recording(daemon, work.pid) for work in works]
        for work in works:
            work.go()
        return [(json.loads(work.line("DONE")[1]), recording.stop()) for work, recording in zip(works, recordings)]


@pytest.fixture(scope="module")
def measured(plopd, in_groups):
    return {role: in_groups(5, lambda rows, role=role: released(plopd, rows, role, 0.6)) for role in ("wait", "work")}


@pytest.mark.parametrize("role", ("wait", "work"))
def test_released(plopd, measured, one_of_each, role):
    # an honest comparison fails once in a thousand: it is repeated on fresh data of twice the length
    assert fits(one_of_each, role, *measured[role](one_of_each)) or \
        fits(one_of_each, role, *released(plopd, [one_of_each], role, 1.2)[0]), "the shares are wrong"


def many(daemon, rows):
    """The stacks of a thousand threads in each, of which as many are met as chance has it."""
    with contextlib.ExitStack() as stack:
        works = [stack.enter_context(host.Workload(python, "threads.py", "--threads", THREADS, "--seconds", 200, ready=False))
                 for _, python, _ in rows]
        for work in works:
            work.line("READY")
            daemon.profiled(work.pid)
        recordings = [host.Recording(daemon, work.pid) for work in works]
        begin = daemon.least(works)
        until("samples of each", lambda: daemon.least(works) - begin > THREADS / 2, 60)
        return [recording.stop() for recording in recordings]


@pytest.fixture(scope="module")
def met(plopd, in_groups):
    return in_groups(4, lambda rows: many(plopd, rows))


def test_many(met, one_of_each):
    version, _, build = one_of_each
    stacks = met(one_of_each)
    total = sum(count for _, count in stacks)
    seen = {own(stack) for stack, _ in stacks}
    print("%d.%-3d %-20s %d samples, %d of %d threads met" % (version + (build, total, len(seen - {-1}), THREADS)), flush=True)
    # half a sample a thread: 1 - exp(-0.5) of them are met when the samples fall at random
    assert len(seen) > THREADS / 10, len(seen)


def test_accounted(plopd):
    samples = plopd.status()["samples"]
    assert host.accounted(samples), samples
    print("lost %s" % samples["lost"])
