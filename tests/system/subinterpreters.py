# SPDX-License-Identifier: BSD-2-Clause
"""Sub-interpreters, run by the main thread and by another: each sample must show the frames of the interpreter that ran, below them those
of the one that called it, so the samples' shares must be those of the CPU time that the threads themselves measured (chi-square,
p = 0.001)."""
import json

import pytest

import host
import possible
from chi_square import chi_square

PLOPD = ("--hz", 500)
ROWS = [row for row in host.one_of_each(host.pythons()) if row[0] >= (3, 8)]
# A thread that ends, and one that has no thread state any more; one that compiles the program of a sub-interpreter, which runs nothing
# yet.
HEADINGS = ["[exec or exit]", "[native thread]", "[no Python frame]"]
ROLES = ["own", "alpha", "beta", "plain"]


def role(stack):
    """Whose stack it is; the main thread between its turns counts as nobody's."""
    return next((name for name, _, _ in stack if name in ROLES), None)


def called(stack):
    """Where the frames of a sub-interpreter begin; 0: there are none. What it runs is a text."""
    return next((i for i, (name, file, _) in enumerate(stack) if i and name == "<module>" and file in ("<string>", "<script>")), 0)


def parts(stacks):
    """Each interpreter's frames for themselves, as their programs told them."""
    for stack, count in stacks:
        at = called(stack)
        if at:
            assert stack[at - 1][0] in ("once", "Role.once"), "a sub-interpreter is called by what cannot call it: %s" % stack
            yield stack[at:], count
        else:
            assert role(stack) not in ("alpha", "beta"), "without its caller: %s" % stack
        yield (stack[:at] if at else stack), 0 if at else count


def sample(daemon, python, seconds):
    """Its stacks, the CPU time of the roles, and what its programs told."""
    with host.Workload(python, "subinterpreters.py", "--cpu", seconds, ready=False) as work:
        facts = [work.line("FACT")[1] for _ in range(3)]
        work.line("READY")
        daemon.profiled(work.pid)
        recording = host.Recording(daemon, work.pid)
        work.go()
        cpu = json.loads(work.line("DONE")[1])
        return recording.stop(), cpu, facts


def fits(version, build, stacks, cpu, facts, again):
    total = possible.Possible(facts).check(parts(stacks), HEADINGS)
    counts = dict.fromkeys(ROLES, 0)
    for stack, count in stacks:
        if role(stack):
            counts[role(stack)] += count
    x, bound = chi_square([counts[name] for name in ROLES], [cpu[name] for name in ROLES])
    print("%d.%-3d %-20s %s of %d, chi2 %.2f (bound %.2f)%s" % (version + (build, " ".join("%s %d" % (n, counts[n]) for n in ROLES), total,
                                                                          x, bound, ", repeated" if again else "")), flush=True)
    assert sum(counts.values()) > 0.9 * total, "too many are nobody's: %s" % stacks[:5]
    return x <= bound


@pytest.fixture(scope="module")
def sampled(plopd, at_once):
    return at_once(3, lambda row: sample(plopd, row[1], 3))


def test_there_are_interpreters():
    assert ROWS, "no interpreter at all"


@pytest.mark.parametrize("row", ROWS, ids=host.called)
def test_shares(plopd, sampled, row):
    # an honest comparison fails once in a thousand: it is repeated on fresh data of twice the length
    assert fits(row[0], row[2], *sampled(row), False) or fits(row[0], row[2], *sample(plopd, row[1], 6), True), "the shares are wrong"


def test_accounted(plopd):
    samples = plopd.status()["samples"]
    assert host.accounted(samples), samples
    print("lost %s" % samples["lost"])
