# SPDX-License-Identifier: BSD-2-Clause
"""Known shares of CPU in four functions, on every interpreter that the machine has, with one thread and with eight: the sampled
counts must agree by a chi-square test at p = 0.001, and every frame's function, file and line must be right."""
import pytest

import host
import truth
from chi_square import against_known

HZ = 999
PLOPD = ("--hz", HZ)
SECONDS = 2.5
ROOTS = {"<module>", "Thread._bootstrap", "_bootstrap", "__bootstrap", "[native thread]", "[no Python frame]", "[exec or exit]"}


def check_frames(known, stacks):
    for stack, _ in stacks:
        function, file, line = stack[-1]
        facts = known["functions"].get(function)
        # while a function is being entered (RESUME, 3.11+), CPython has it on its def line
        assert not facts or (file == known["file"] and line in facts["lines"] + [facts["line"]]), stack
        assert not any(name in ("[unresolved]", "[stale code]") for name, _, _ in stack), stack
        assert stack[0][0] in ROOTS, stack


def compare(daemon, python, threads, length):
    return compare_run(*truth.run_known(daemon, python, "shares.py", "--wait", "--threads", threads, "--seconds", SECONDS * length))


def compare_run(known, measured, stacks, _):
    """All that the process did between its start and its end: the four functions, the loop around them, and the rest of it."""
    check_frames(known, stacks)
    inside, outside = truth.below(stacks, "run", known["file"])
    counts = truth.add_up((stack[-1][0] if stack[-1][0] in measured["cpu"] else "other", count) for stack, count in inside
                          if stack[0][2] != known["settle"])
    counts["outside"] = outside
    shares = dict(measured["cpu"], other=measured["other"], outside=measured["outside"])
    said = " ".join("%s %d" % (name, counts.get(name, 0)) for name in sorted(shares))
    return [(said,) + against_known(counts, shares) + (sum(count for _, count in stacks),)]


@pytest.fixture(scope="module")
def compared(plopd, at_once):
    """Each with one thread and with eight: what was compared."""
    def compare_both(row):
        return {threads: truth.repeated([], lambda length, threads=threads: compare(plopd, row[1], threads, length)) for threads in (1, 8)}
    return at_once(2, compare_both)


def test_there_are_interpreters(interpreters):
    assert interpreters, "no interpreter at all"


def test_shares(compared, interpreter):
    print("; ".join("%d threads: %s" % (threads, said) for threads, rows in compared(interpreter).items() for said in rows))


def test_names(plopd, interpreters):
    status = plopd.status()
    assert host.accounted(status["samples"]), status["samples"]
    named = status["symbols"]
    share = 1 - named["unresolved"] / float(sum(named[k] for k in ("resolved", "captured", "unresolved")) or 1)
    print("named frames: %.4f %%, lost %s" % (100 * share, status["samples"]["lost"]))
    assert share > 0.999, named
