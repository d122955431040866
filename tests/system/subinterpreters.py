# SPDX-License-Identifier: BSD-2-Clause
"""Sub-interpreters, run by the main thread and by another: each sample must show the frames of the interpreter that ran, below them those
of the one that called it, so the samples' shares must be those of the CPU time that the threads themselves measured (chi-square,
p = 0.001)."""
import json
import sys

import host
import possible
from chi_square import chi_square

HZ = 500
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


def sample(daemon, group, seconds):
    """For each interpreter of the group: its stacks, and the CPU time of the roles."""
    works = [host.Workload(python, "subinterpreters.py", "--cpu", seconds, ready=False) for _, python, _ in group]
    try:
        facts = [[work.line("FACT")[1] for _ in range(3)] for work in works]
        for work in works:
            work.line("READY")
            daemon.profiled(work.pid)
        recordings = [host.Recording(daemon, work.pid) for work in works]
        for work in works:
            work.go()
        cpu = [json.loads(work.line("DONE")[1]) for work in works]
        return [(r.stop(), c, f) for r, c, f in zip(recordings, cpu, facts)]
    finally:
        for work in works:
            work.__exit__()


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


def main():
    host.need_root()
    found = [entry for entry in host.one_of_each(host.pythons()) if entry[0] >= (3, 8)]
    assert found, "no interpreter at all"
    with host.Plopd("--hz", HZ) as daemon:
        for group in host.several(found, 3):
            failed = [entry for entry, result in zip(group, sample(daemon, group, 3)) if not fits(entry[0], entry[2], *result, False)]
            # an honest comparison fails once in a thousand: it is repeated on fresh data of twice the length
            for entry in failed:
                assert fits(entry[0], entry[2], *sample(daemon, [entry], 6)[0], True), "%d.%d: the shares are wrong" % entry[0]
        status = daemon.status()
    assert host.accounted(status["samples"]), status["samples"]
    print("%d interpreters, lost %s" % (len(found), status["samples"]["lost"]))


if __name__ == "__main__":
    sys.exit(main())
