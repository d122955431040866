# SPDX-License-Identifier: BSD-2-Clause
"""Reuse: of code objects' addresses, thousands a second and after long use, and of a process's number within a window. No frame
may have a name, a file, a line or a caller of another."""
import concurrent.futures
import json
import os
import re
import signal
import sys
import time

import pytest

import host
from host import TESTS, Workload

sys.path.insert(1, os.path.join(TESTS, "workloads"))
import generated  # noqa: E402

PLOPD = ("--hz", 500)
LAST_PID = "/proc/sys/kernel/ns_last_pid"
# [truncated]: up to 3.12 a tick between two stores of a call may find a chain of frames that ends nowhere, and has no names.
UNNAMED = ("[stale code]", "[unresolved]", "[truncated]")
HEADINGS = ("[interpreter finalised]", "[exec or exit]")
HELPER_LINES = {10, 11, 12, 13}
OWN = os.path.join(host.WORKLOADS, "generated.py")


def wrong_frame(frame):
    """What contradicts itself in one frame of the generated program; None when nothing does."""
    name, file, line = frame
    kind = re.match(r"(f|kept)_(\d+)$|(same)$", name)
    if kind:
        expected = generated.shape(kind.group(1) or "same", int(kind.group(2) or 0))
        lines = {line for n in (0, 1) for line in generated.shape("same", n)[2:5]} if name == "same" else set(expected[2:5])
        return None if file == expected[1] and line in lines | {expected[2] + 1} else "another's file or line"
    if re.match(r"(helper|after)_\d$", name):
        return None if file == "<helpers>" and line in HELPER_LINES else "another's file or line"
    if file.startswith("<frozen "):
        return None if name not in ("<module>", "main") else "another's file"
    if file.startswith("<"):
        return None if name == "<module>" else "another's file"
    # its standard library: main() reads a line before and after, and says what it counted
    return None if os.path.basename(file) == "generated.py" or "/lib/python" in file else "a strange file"


def wrong_call(caller, callee):
    """What contradicts itself in a call of the generated program."""
    kind = re.match(r"(f|kept)_(\d+)$|(same)$", caller[0])
    if kind:
        n = int(kind.group(2)) if kind.group(2) else int(caller[2] > 14)
        expected = generated.shape(kind.group(1) or "same", n)
        return None if caller[2] == expected[4] and callee[0] == expected[5] else "calls another's callee, or from another's line"
    if callee[0] == "same":
        # while it is made or entered it is on its first lines, else on those of its half
        expected = generated.shape("same", int(caller[0][-1]))
        return None if caller[0].startswith("run_same_") and callee[2] in set(expected[2:5]) | {11} else "the other one's line"
    if re.match(r"f_\d+$", callee[0]):
        return None if caller[0] == "run_f" else "another's caller"
    if re.match(r"kept_\d+$", callee[0]):
        return None if caller[0] == "main" else "another's caller"
    return "nobody calls that there" if re.match(r"(helper|after)_", callee[0]) else None


def check(stacks):
    """(samples, {why: those with a frame without a name}) of the generated program; fails when a frame is another's."""
    total, unnamed = 0, {}
    for stack, count in stacks:
        total += count
        if len(stack) == 1 and stack[0][0] in HEADINGS:
            continue
        for why in {name for name, _, _ in stack if name in UNNAMED}:
            unnamed[why] = unnamed.get(why, 0) + count
        for i, frame in enumerate(stack):
            if frame[0].startswith("["):
                assert frame[0] in UNNAMED, stack[:20]
                continue
            why = wrong_frame(frame)
            if not why and i and not stack[i - 1][0].startswith("["):
                why = wrong_call(stack[i - 1], frame)
            assert not why, "%s: %s" % (why, stack[:20])
    return total, unnamed


def addresses(daemon, python, seconds, keep):
    """What was made at which address, and the stacks."""
    with Workload(python, "generated.py", "--keep", keep, "--seconds", seconds) as work:
        daemon.profiled(work.pid)
        recording = host.Recording(daemon, work.pid)
        work.go()
        made = json.loads(work.line("DONE")[1])
        return made, recording.stop()


def named(made, stacks, seconds, keep):
    """Whether nearly all samples have their names; none may have a wrong one."""
    total, unnamed = check(stacks)
    print("%s; %d samples, none wrong, without a name: %s" % (
        ", ".join("%s %d (%d at an old address)" % (kind, made[kind][0], made[kind][1]) for kind in sorted(made)), total, unnamed or "none"),
        flush=True)
    assert made["f"][1] and made["same"][1] and (made["kept"][1] or keep < 10), "no address was used again, so that nothing was tested"
    # Settled code, of ten seconds, is confirmed once a cycle: where it is replaced, its samples of about a second have no name.
    kept = {stale: sum(count for stack, count in stacks if len(stack) == 3 and stack[1][0] == "main" and is_kept(stack[2], stale))
            for stale in (False, True)}
    replaced = made["kept"][0] - 1 if keep > 10 else 0
    return sum(unnamed.values()) - min(kept[True], replaced * 2 * sum(kept.values()) / seconds) < 0.02 * total


def is_kept(frame, stale):
    return frame[0] == "[stale code]" if stale else frame[0].startswith("kept_")


def check_addresses(daemon, row, seconds, keep, measured):
    """Where plopd did not get the CPU in time, records are lost, and names with them: again then, with nothing beside."""
    if not named(*measured, seconds, keep):
        dropped = daemon.status()["symbols"]["dropped_records"]
        print("%d records were lost; again" % dropped, flush=True)
        assert named(*addresses(daemon, row[1], seconds, keep), seconds, keep), "samples without a name"


def count_pairs(stacks):
    """{tag: {n: samples of inner_TAG_n}}, and those of outer_TAG_n that have a name, and that have none; fails when the two differ."""
    counts, named, unnamed = {}, 0, 0
    for stack, count in stacks:
        pair = {kind: (tag, int(n)) for kind, tag, n in (m.groups() for m in (
            re.match(r"(inner|outer)_(\w+)_(\d+)$", name) for name, _, _ in stack) if m)}
        if "inner" not in pair:
            continue
        assert pair.get("outer", pair["inner"]) == pair["inner"], "another's caller: %s" % stack
        named += count * ("outer" in pair)
        unnamed += count * ("outer" not in pair)
        tag, n = pair["inner"]
        counts.setdefault(tag, {}).setdefault(n, 0)
        counts[tag][n] += count
    return counts, named, unnamed


def replaced(daemon, python, tag):
    """{tag: {n: seconds of CPU of its n-th pair}} of processes that live for more than a cycle, and for half of one."""
    took = {}
    for seconds in (1.2, 0.5):
        for rate in (10, 100, 1000):
            with Workload(python, "replaced.py", "%sr%ds%d" % (tag, rate, seconds * 10), rate, seconds) as work:
                took[work.process.args[2]] = {int(n): cpu for n, cpu in json.loads(work.line("DONE")[1]).items()}
                work.process.wait(30)
    return took


# an old one, one in the middle, a new one
REPLACED = [row for row in host.one_of_each(host.pythons()) if row[0] in ((3, 8), (3, 11), (3, 14)) and "free" not in row[2]]


@pytest.fixture(scope="module")
def replacements(plopd):
    recordings = {hz: host.Recording(plopd, hz=hz) for hz in (100, 1000)}
    with concurrent.futures.ThreadPoolExecutor(len(REPLACED)) as pool:
        ran = list(pool.map(lambda row: replaced(plopd, row[1], "v%d%d" % row[0]), REPLACED))
    return {tag: took for each in ran for tag, took in each.items()}, {hz: recording.stop() for hz, recording in recordings.items()}


@pytest.mark.parametrize("hz", [100, 1000])
def test_functions_replaced_at_one_address(replacements, hz):
    """10, 100 and 1,000 times a second: none has a caller of another time, nor more samples than its own CPU time."""
    took, stacks = replacements
    counts, named, unnamed = count_pairs(stacks[hz])
    print("%d functions replaced: %d samples with their callers, %d without" % (sum(map(len, took.values())), named, unnamed))
    for tag, seen in counts.items():
        for n, count in seen.items():
            most = took[tag][n] * hz
            assert count <= most + 6 * most ** 0.5 + 4, "%s_%d took %.4f s, and has %d samples" % (tag, n, took[tag][n], count)
    assert counts and named > 2 * unnamed, "%d with their callers, %d without" % (named, unnamed)


PROGRAM = """import sys, time, os
{pad}
def {name}_inner():
    x = 1
    for i in range(1000):
        x = x * 33 & 65535
def {name}():
    begin = time.time()
    while os.times()[0] + os.times()[1] < {seconds}:
        {name}_inner()
def fork():
    with open("{last}", "w") as f:
        f.write(sys.argv[1])
    pid = os.fork()
    if pid == 0:
        {name}()
        os._exit(0)
    print("FORKED %d" % pid)
    sys.stdout.flush()
    os.waitpid(pid, 0)
fork() if len(sys.argv) > 1 else {name}()
"""


def program(name, seconds, pad):
    return PROGRAM.format(name=name, seconds=seconds, pad="\n" * pad, last=LAST_PID)


def last_pid(pid):
    with open(LAST_PID, "w") as f:
        f.write(str(pid - 1))


def same_number(first, second, forked):
    """Runs first, and second with its number: by exec, or as a forked child. The number; None when another got it meanwhile."""
    begin = time.monotonic()
    work = Workload(first, code=program("alpha", 0.2, 0), ready=False)
    try:
        work.process.wait(30)
        if not forked:
            last_pid(work.pid)
            other = Workload(second, code=program("beta", 0.2, 40), ready=False)
        else:
            other = Workload(second, None, str(work.pid - 1), code=program("beta", 0.2, 40), ready=False)
        try:
            number = int(other.line("FORKED")[0]) if forked else other.pid
            other.process.wait(30)
        finally:
            other.__exit__()
    finally:
        work.__exit__()
    print("process %d, then process %d %s, %.1f s for both" % (work.pid, number, "forked" if forked else "executed",
                                                             time.monotonic() - begin), flush=True)
    return number if number == work.pid else None


@pytest.mark.skipif(not os.access(LAST_PID, os.W_OK), reason="%s is not there" % LAST_PID)
def test_numbers(plopd):
    """Two processes of one number one after the other, of different versions: each has its own names, none the other's."""
    by_version = {version: python for version, python, build in host.pythons() if "debug" not in build}
    versions = sorted(by_version)
    pairs = [(by_version[a], by_version[b]) for a, b in zip(versions, reversed(versions)) if a != b][:6]
    recording = host.Recording(plopd)
    reused = 0
    for i, (first, second) in enumerate(pairs):
        for attempt in range(5):
            if same_number(first, second, i % 2 == 1) is not None:
                reused += 1
                break
    counts = {"alpha": 0, "beta": 0}
    for stack, count in recording.stop():
        mine = {name.split("_")[0] for name, file, _ in stack if file == "<string>"} & set(counts)
        if not mine:
            continue
        assert len(mine) == 1, stack
        who = mine.pop()
        counts[who] += count
        names = [name for name, _, _ in stack if not name.startswith("[")]
        assert names[0] == "<module>" and set(names[1:]) <= {who, who + "_inner", "fork"}, stack
        begin = {"alpha": 3, "beta": 43}[who]
        for name, _, line in stack:
            assert name == "<module>" or begin <= line <= begin + 20, stack
    print("%d of %d numbers were used twice: %s" % (reused, len(pairs), counts))
    assert reused >= len(pairs) / 2, reused
    assert min(counts.values()) > 10 * reused, counts


# for long, with most of what is made kept: an old one and a new one
LONG = [row for row in host.one_of_each(host.pythons()) if row[0] in ((3, 9), (3, 10), (3, 12), (3, 13)) and "free" not in row[2]]
LONG = LONG[:1] + LONG[1:][-1:]


@pytest.fixture(scope="module")
def long_ones(plopd, at_once):
    return at_once(2, lambda row: addresses(plopd, row[1], 30, 12), LONG)


@pytest.mark.parametrize("row", LONG, ids=host.called)
def test_addresses_after_long_use(plopd, long_ones, row):
    check_addresses(plopd, row, 30, 12, long_ones(row))


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return [int(child) for child in f.read().split()]


def stop_helpers(pid, seconds):
    """Lets nobody who reads targets for plopd answer for so long, nor a new one begin."""
    spawners = children(pid)
    for spawner in spawners:
        os.kill(spawner, signal.SIGSTOP)
    helpers = [helper for spawner in spawners for helper in children(spawner)]
    for helper in helpers:
        os.kill(helper, signal.SIGSTOP)
    time.sleep(seconds)
    # what plopd has killed meanwhile is its spawner's child until that goes on
    for one in helpers + spawners:
        os.kill(one, signal.SIGCONT)


@pytest.mark.skipif(not os.path.exists("/proc/self/task/%d/children" % os.getpid()), reason="the kernel tells nobody's children")
def test_address_nobody_read(start_plopd):
    """Settled code that is replaced while whoever confirms it gives no answer: no name, and not its predecessor's."""
    daemon = start_plopd(*PLOPD)
    with Workload(sys.executable, "outlived.py", 12, 8) as work:
        daemon.profiled(work.pid)
        recording = host.Recording(daemon, work.pid)
        work.go()
        time.sleep(11.95)
        stop_helpers(daemon.process.pid, 6)
        assert json.loads(work.line("DONE")[1]), "it came to lie at another address"
        counts = {}
        for stack, count in recording.stop():
            pair = tuple(name for name, _, _ in stack if re.match(r"(kept|hold)_\d|\[stale", name))
            counts[pair] = counts.get(pair, 0) + count
    print(counts)
    assert not {pair for pair in counts if {name[-1] for name in pair} == {"0", "1"}}, counts
    assert sum(count for pair, count in counts.items() if "[stale code]" in pair) > 10, counts
    assert counts["kept_1", "hold_1"] > 500, "what was not confirmed is to be read at each tick from then on: %s" % counts


@pytest.fixture(scope="module")
def short_ones(plopd, at_once):
    return at_once(6, lambda row: addresses(plopd, row[1], 10, 3))


def test_addresses(plopd, short_ones, one_of_each):
    check_addresses(plopd, one_of_each, 10, 3, short_ones(one_of_each))


def test_accounted(plopd):
    samples = plopd.status()["samples"]
    assert host.accounted(samples), samples
    print("lost %s" % samples["lost"])
