# SPDX-License-Identifier: BSD-2-Clause
"""Known shares of CPU time by function and by line, on every interpreter that the machine has: lines in each kind of statement,
tiny functions called millions of times, 200 functions, and lines that go between Python and C. The workload measures
its own time; each sample of it is put into a class, and the counts must agree with the measured times at p = 0.001."""
import pytest

import host
import truth
from chi_square import against_known

HZ = 1999
PLOPD = ("--hz", HZ)
SECONDS = 1.0
# Lines on which nothing but one C function runs: no frame may be below the line's own.
ONLY_C = {"crc32", "sha256", "sorted", "compress"}


def check_frames(stacks, ready):
    """Every frame of ours has a name, and a line unless CPython itself gives an instruction of that function none."""
    for stack, _ in stacks:
        for function, file, line in stack:
            assert function not in ("[unresolved]", "[stale code]"), stack
            if file in ready["files"]:
                assert line > 0 or function in ready["lineless"], ("no line", stack)
            if file == "<many>":
                first = 7 * int(function[1:4]) + 1
                assert first <= line < first + 6, ("not a line of " + function, stack)


def settling(stack):
    """Whether it is in what a section ends with, see Account.lap()."""
    return any(frame[0] == "settle" for frame in stack)


def compare_phase(name, facts, stacks, ready):
    """The comparisons of one phase."""
    inside, _ = truth.below(stacks, name, ready["files"][0])
    rows = []
    samples = sum(count for _, count in inside)
    if "line" in facts:
        known = {int(line): seconds for line, seconds in facts["line"].items()}
        counts = truth.add_up((truth.line_of(stack, facts, ready), count) for stack, count in inside)
        rows.append((name + " by line", ) + against_known(counts, dict(known, rest=facts["rest"])) + (samples,))
        for stack, count in inside:
            section = facts["names"].get(str(stack[0][2]))
            assert section not in ONLY_C or len(stack) == 1, ("frames below a call of C", stack)
    if "leaf" in facts:
        counts = truth.add_up((stack[-1][0] if stack[-1][0] in facts["leaf"] else "rest", count) for stack, count in inside
                              if not settling(stack))
        rows.append((name + " by function",) + against_known(counts, dict(facts["leaf"], rest=facts["rest"])) + (samples,))
    if "ratio" in facts:
        counts = truth.add_up((stack[-1][0], count) for stack, count in inside if stack[-1][0] in facts["ratio"])
        rows.append((name + " by function",) + against_known(counts, facts["ratio"]) + (sum(counts.values()),))
    return rows


def compare(daemon, python, ticks, length):
    ready, done, stacks, _ = truth.run_known(daemon, python, "known.py", "--seconds", SECONDS * length,
                                             "lines", "short", "many", "mixed")
    check_frames(stacks, ready)
    # What the process did altogether: its phases, and the little around them.
    known = {name: facts["overall"] for name, facts in done["phases"].items()}
    counts = {name: sum(count for _, count in truth.below(stacks, name, ready["files"][0])[0]) for name in known}
    total = sum(count for _, count in stacks)
    counts["outside"] = total - sum(counts.values())
    ticks.append((total, done["cpu"] * HZ))
    rows = [("phases",) + against_known(counts, dict(known, outside=done["outside"])) + (total,)]
    for name, facts in done["phases"].items():
        rows += compare_phase(name, facts, stacks, ready)
    return rows


@pytest.fixture(scope="module")
def ticks():
    """(samples, expected samples) of every run."""
    return []


@pytest.fixture(scope="module")
def compared(plopd, at_once, ticks):
    comparisons = []
    yield at_once(2, lambda row: truth.repeated(comparisons, lambda length: compare(plopd, row[1], ticks, length)))
    print("%d comparisons, %d over their bound at first" % (len(comparisons), sum(1 for row in comparisons if row[1] > row[2])))


def test_shares(compared, interpreter):
    print("\n    ".join([host.called(interpreter)] + compared(interpreter)), flush=True)


def test_accounted(plopd, ticks):
    samples = plopd.status()["samples"]
    assert host.accounted(samples), samples
    if ticks:
        counted, expected = (sum(column) for column in zip(*ticks))
        print("%d samples, %.3f of CPU time times rate" % (counted, counted / expected))
