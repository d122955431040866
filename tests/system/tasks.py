# SPDX-License-Identifier: BSD-2-Clause
"""Recordings with --async, on every interpreter from 3.11 on: each coroutine of the workload is run by one task alone, so no sample
may show it in another's; the chains of those that await are the ones that the workload makes; and the shares of tasks that run the
same function are those that they measured themselves, by a chi-square test at p = 0.001."""
import contextlib
import json
import os
import re

import pytest

import host
import truth
from chi_square import against_known
from waiting import until

HZ = 999
SECONDS = 1.6
FILE = os.path.join(host.WORKLOADS, "tasks.py")
# A name that is not ASCII.
RENAMED = "[task renamed \u00fc\u4e2d]"

# Whose coroutine it is.
OWNERS = {
    "nested_outer": "nested", "nested_middle": "nested", "nested_leaf": "nested", "chain_outer": "chain-outer",
    "chain_deeper": "chain-outer", "chain_middle": "chain-middle", "chain_leaf": "chain-leaf", "gathers": "gathers", "left": "left",
    "right": "right", "groups": "groups", "member": "member", "renamed_leaf": RENAMED[6:-1], "default": "default",
    "consumes": "consumes", "generates": "consumes", "produced": "produced", "awaits_by_wrapper": "awaits",
    "awaits_by_generator": "awaits", "Waits.__await__": "awaits", "awaitable_leaf": "awaitable-leaf", "popularity": "popularity",
    "popular": "popular", "shares": "shares", "in_thread": "in-thread", "thread_leaf": "in-thread",
}

# What lies between the event loop and a function: from 3.14 on, and before where that is less.
# The coroutines of tasks that nobody has named.
UNNAMED = ("main", "thread_main", "eager_main", "default_leaf")

# Tasks that nobody has named, main's among them, are one; their coroutines tell them apart.
MAIN = ["[task]", "main"]
CHAINS = {
    "nested_leaf": (MAIN + ["[task nested]", "nested_outer", "nested_middle"], None),
    "chain_leaf": (MAIN + ["[task chain-outer]", "chain_outer", "chain_deeper", "[task chain-middle]", "chain_middle",
                           "[task chain-leaf]"], None),
    "left": (MAIN + ["[task gathers]", "gathers", "[task left]"], ["[task left]"]),
    "right": (MAIN + ["[task gathers]", "gathers", "[task right]"], ["[task right]"]),
    "member": (MAIN + ["[task groups]", "groups", "TaskGroup.__aexit__", "TaskGroup._aexit", "[task member]"], ["[task member]"]),
    "renamed_leaf": (MAIN + [RENAMED, "renamed"], None),
    "default_leaf": (MAIN + ["[task default]", "default", "[task]"], None),
    "produced": (MAIN + ["[task consumes]", "consumes", "generates", "[task produced]"], None),
    "awaitable_leaf": (MAIN + ["[task awaits]", "awaits_by_wrapper", "awaits_by_generator", "Waits.__await__",
                               "[task awaitable-leaf]"], None),
    "by_hand_leaf": (MAIN + ["[task by-hand]", "by_hand"], ["by_hand"]),
    "thread_leaf": (["[task]", "thread_main", "[task in-thread]", "in_thread"], None),
    "eager_after": (["[task]", "eager_main", "[task eager-child]", "eager_child"], None),
}


# Of tasks_deep.py.
TASKS_DEEP = {"leaf": "leaf", "circle": "c", "selfish": "s"}
WITH_CHAINS = {
    "leaf": ["[more awaiting]"] + [name for i in range(15, 1, -1) for name in ("[task t%d]" % i, "coroutines")] +
            ["[task t1]"] + ["coroutines"] * 32 + ["[more awaiting]", "[task t0]", "coroutines", "[task leaf]"],
    "circle": ["[more awaiting]"] + ["[task b]", "sleep", "[task a]", "sleep"] * 8 + ["[task c]"],
    "selfish": ["[task s]"],
}


class Run:
    """What the workload said of a run, and its samples."""

    def __init__(self, version, done, stacks):
        self.version, self.cpu = version, done["cpu"]
        assert all(re.match(r"Task-\d+$", name) for name in done["default"] + list(done["mains"].values())), done
        with open(FILE, encoding="utf-8") as f:
            self.lines = f.read().splitlines()
        # a coroutine is a leaf of whoever makes it, on its first line
        self.stacks = [(stack[:-1] if self.is_made(stack[-1]) else stack, count) for stack, count in stacks]
        self.whole = sum(count for _, count in stacks)

    def is_made(self, frame):
        return frame[1] == FILE and re.match(r"\s*(async )?def ", self.lines[frame[2] - 1]) is not None

    def owner(self, name):
        return "" if name in UNNAMED else OWNERS.get(name)


def between(stack, function):
    """The names behind the event loop's Handle up to that function; None: it is not in the stack, or no Handle is."""
    names = [name for name, file, _ in stack]
    if function not in names or "Handle._run" not in names:
        return None
    return names[names.index("Handle._run") + 1:len(names) - 1 - names[::-1].index(function)]


def is_told(run, stack):
    """Each coroutine lies behind the mark of its own task; what awaits is at the line of an await. Returns whether all are told."""
    task, told = None, True
    marks = [i for i, frame in enumerate(stack) if frame[0].startswith("[task")]
    for i, (name, file, line) in enumerate(stack):
        if i in marks:
            assert not re.match(r"\[task Task-\d+\]$", name), stack
            task = name[6:-1]
        owner = run.owner(name)
        if file != FILE or owner is None:
            continue
        if task is None:
            told = False
        else:
            assert task == owner, (task, name, stack)
        if marks and i < marks[-1]:
            assert re.search(r"await|async |yield from", run.lines[line - 1]), (name, line, stack)
    return told


def check_owners(run):
    # eager_main is not what runs while it makes eager tasks, see check_eager()
    untold = sum(count for stack, count in run.stacks if not is_told(run, stack) and not any(f[0] == "eager_main" for f in stack))
    # a page of the target's that was not there at the tick
    assert untold <= 0.002 * run.whole, (untold, run.whole)
    return untold


def check_chains(run):
    seen = set()
    for stack, _ in run.stacks:
        for function, (new, old) in CHAINS.items():
            chain = between(stack, function)
            if chain is None:
                continue
            # 3.11 has no eager tasks: a coroutine that another calls by hand is the task's as well
            has_old = run.version < (3, 14) and old is not None and (function != "by_hand_leaf" or run.version > (3, 11))
            assert chain == (old if has_old else new), (function, stack)
            seen.add(function)
    missing = {name for name in CHAINS if name not in seen and (run.version >= (3, 12) or name != "eager_after")}
    assert not missing, missing


def check_several(run):
    """A task that two others await has nobody above it but their number; before they do, nobody at all."""
    chains = [(between(stack, "popular"), count) for stack, count in run.stacks]
    chains = [(chain, count) for chain, count in chains if chain is not None]
    assert all(chain in (["[task popular]"], ["[2 awaiting]", "[task popular]"]) for chain, _ in chains), chains
    assert any(len(chain) == 2 for chain, _ in chains), chains


def check_eager(run):
    """The first step of an eager task runs inside of another's: from 3.14 on it is told, before nothing is."""
    for stack, _ in run.stacks:
        names = [name for name, _, _ in stack]
        if "eager_before" not in names:
            continue
        child, marks = names.index("eager_child"), [name for name in names if name.startswith("[")]
        if run.version >= (3, 14):
            assert marks == ["[task eager-child]"] and names[child - 1] == marks[0], stack
        else:
            assert not marks, stack


def recorded(daemon, python, version, *arguments):
    with host.Workload(python, "tasks.py", *arguments) as work:
        daemon.profiled(work.pid)
        recording = host.Recording(daemon, work.pid, hz=HZ, **{"async": True})
        work.go()
        done = json.loads(work.line("DONE")[0])
        stacks, said = recording.stop(), recording.said
        work.end()
    assert said["async"] and said["async_possible"], said
    run = Run(version, done, stacks)
    # all that it did took options.seconds of CPU and more
    assert run.whole > 0.5 * HZ * SECONDS and host.hardly_lost(said), (said, stacks[:3])
    return run


def compare(daemon, python, version, length):
    run = recorded(daemon, python, version, "--seconds", SECONDS * length)
    untold = check_owners(run)
    check_chains(run)
    check_several(run)
    check_eager(run)
    counts = {}
    for stack, count in run.stacks:
        names = [name for name, _, _ in stack]
        if "timed" in names:
            task = [name for name in names[:names.index("timed")] if name.startswith("[task")][-1][6:-1]
            counts[task] = counts.get(task, 0) + count
    assert set(counts) == set(run.cpu), counts
    told = " ".join("%s %d" % pair for pair in sorted(counts.items()))
    return [("%s, %d without its task" % (told, untold),) + against_known(counts, run.cpu) + (run.whole,)]


def late(daemon, python):
    """asyncio is imported after the recording began."""
    with host.Workload(python, "tasks.py", "--late") as work:
        daemon.profiled(work.pid)
        recording = host.Recording(daemon, work.pid, hz=HZ, **{"async": True})
        plain = host.Recording(daemon, work.pid, hz=HZ // 2)
        work.go()
        until("tasks are seen", lambda: "[task nested]" in recording.ask("GET", recording.path + "?format=collapsed"))
        stacks = plain.stop()
        recording.stop()
        work.end()
    marked = [stack for stack, _ in stacks if any(name.startswith("[task") for name, _, _ in stack)]
    assert stacks and not marked, marked[:3]


def off_cpu(daemon, python):
    """Time off CPU inside of a task is that task's; a wall-clock recording without tasks beside it has the same time without."""
    code = ("import asyncio, time\n"
            "def blocks(): time.sleep(0.02)\n"
            "async def sleeper():\n    while True:\n        blocks()\n        await asyncio.sleep(0.01)\n"
            "async def main(): await asyncio.create_task(sleeper(), name='blocker')\n"
            "print('READY 0', flush=True)\nasyncio.run(main())\n")
    with host.Workload(python, code=code) as work:
        daemon.profiled(work.pid)
        recordings = [host.Recording(daemon, work.pid, wall=True, **more) for more in ({"async": True}, {})]
        until("both have some time", lambda: all(r.state()["elapsed_s"] > 3 for r in recordings))
        told, plain = [recording.stop() for recording in recordings]
    asleep = [[(stack, count) for stack, count in stacks if stack[-1][0].startswith("[sleeping")] for stacks in (told, plain)]
    inside = [sum(count for stack, count in stacks if [name for name, _, _ in stack][-2:-1] == ["blocks"]) for stacks in asleep]
    for stack, _ in asleep[0]:
        names = [name for name, _, _ in stack]
        if "blocks" in names:
            assert between(stack, "blocks") == ["[task]", "main", "[task blocker]", "sleeper"], stack
        else:
            assert not [name for name in names if name.startswith("[task")], stack
    assert not any(name.startswith("[task") for stack, _ in plain for name, _, _ in stack), plain
    assert inside[0] and inside[1] and 0.8 < inside[0] / float(inside[1]) < 1.25, inside
    return "%.2f s asleep in a task" % (inside[0] / 1e6)


def named(daemon, python):
    """10,000 tasks with names of their own: so many names are shown, the rest is one, and no sample is lost for it."""
    code = ("import asyncio\n"
            "async def handler(): return sum(range(3000))\n"
            "async def plain(): return sum(range(3000))\n"
            "async def main():\n"
            "    while True:\n"
            "        for i in range(10000):\n"
            "            await asyncio.create_task(handler(), name='request-%d' % i)\n"
            "            (await asyncio.gather(asyncio.create_task(plain())))\n"
            "print('READY 0', flush=True)\nasyncio.run(main())\n")
    with host.Workload(python, code=code) as work:
        daemon.profiled(work.pid)
        recording = host.Recording(daemon, work.pid, hz=4000, **{"async": True})
        until("there are names enough", lambda: "[other tasks]" in recording.ask("GET", recording.path + "?format=collapsed"), 60)
        stacks, said = recording.stop(), recording.said
    assert host.hardly_lost(said), said
    names = {name for stack, _ in stacks for name, _, _ in stack if name.startswith("[task request-")}
    assert len(names) == 1000, len(names)
    for function, marks in (("handler", names | {"[other tasks]"}), ("plain", {"[task]"})):
        above = {names[names.index(function) - 1] for names in ([name for name, _, _ in stack] for stack, _ in stacks) if function in names}
        # main makes it; a name whose page is not there at the tick is not told
        assert above & marks and above <= marks | {"[task]", "main"}, (function, above - marks)


@contextlib.contextmanager
def of_depth(depth):
    """A plopd that walks no more than so many frames."""
    with host.Plopd(start=False) as daemon:
        config = os.path.join(daemon.folder, "plop.conf")
        with open(config, "w", encoding="ascii") as f:
            f.write("[plopd]\nmax_depth = %d\n" % depth)
        daemon.arguments += ["--config", config]
        daemon.start()
        yield daemon


def too_many(daemons, python, version):
    """Beyond the maxima it says that there is more, and a walk that would go round ends; also where the stack itself may not be deep."""
    with host.Workload(python, "tasks_deep.py") as work:
        for daemon in daemons.values():
            daemon.profiled(work.pid)
        recordings = {depth: host.Recording(daemon, work.pid, hz=HZ, **{"async": True}) for depth, daemon in daemons.items()}
        until("there are samples enough", lambda: all(r.state()["samples"] > 1000 for r in recordings.values()), 60)
        found = {depth: (recording.stop(), recording.said) for depth, recording in recordings.items()}
    for depth, (stacks, said) in found.items():
        assert host.hardly_lost(said), said
        seen = {name: [between(stack, name) for stack, _ in stacks if between(stack, name)] for name in WITH_CHAINS}
        # a page of the target's that was not there at the tick, as in check_owners()
        untold = sum(count for stack, count in stacks for name in WITH_CHAINS if between(stack, name) == [])
        assert untold <= 2 + 0.002 * said["samples"], (untold, said)
        for name, chains in seen.items():
            wanted = WITH_CHAINS[name] if depth > 24 else (["[more awaiting]"] if WITH_CHAINS[name][0] == "[more awaiting]" else []) + [
                "[task %s]" % TASKS_DEEP[name]]
            others = [chain for chain in chains if chain != wanted]
            assert not others, (name, depth, len(chains), others, wanted)
            assert chains or version < (3, 14) and name in ("circle", "selfish"), name


FOUND = [row for row in host.pythons() if row[0] >= (3, 11)]
FEW = host.one_of_each(FOUND)
ENDS = [FEW[0], FEW[-1]] if FEW else []


def test_there_are_interpreters():
    assert FOUND, "no interpreter from 3.11 on"


@pytest.fixture(scope="module")
def compared(plopd, at_once):
    return at_once(2, lambda row: truth.repeated([], lambda length: compare(plopd, row[1], row[0], length)))


@pytest.mark.parametrize("row", FOUND, ids=host.called)
def test_stacks_and_shares(compared, row):
    print("; ".join(compared(row)))


@pytest.fixture(scope="module")
def late_ones(plopd, at_once):
    return at_once(2, lambda row: late(plopd, row[1]), FEW)


@pytest.mark.parametrize("row", FEW, ids=host.called)
def test_late(late_ones, row):
    late_ones(row)


@pytest.fixture(scope="module")
def off_cpu_ones(plopd, at_once):
    return at_once(2, lambda row: off_cpu(plopd, row[1]), FEW)


@pytest.mark.parametrize("row", FEW, ids=host.called)
def test_off_cpu(off_cpu_ones, row):
    print(off_cpu_ones(row))


@pytest.fixture(scope="module")
def named_ones(plopd, at_once):
    return at_once(2, lambda row: named(plopd, row[1]), ENDS)


@pytest.mark.parametrize("row", ENDS, ids=host.called)
def test_many_names(named_ones, row):
    named_ones(row)


@pytest.fixture(scope="module")
def deep_ones(root, at_once):
    with of_depth(1024) as deep, of_depth(24) as shallow:
        yield at_once(2, lambda row: too_many({1024: deep, 24: shallow}, row[1], row[0]), FEW)


@pytest.mark.parametrize("row", FEW, ids=host.called)
def test_maxima(deep_ones, row):
    deep_ones(row)


def test_older(plopd):
    """Of a version that has no tasks to tell of, plopctl says so."""
    daemon, python = plopd, next((python for version, python, _ in host.pythons() if (3, 6) <= version < (3, 11)), None)
    if not python:
        pytest.skip("no interpreter from 3.6 to 3.10")
    with host.Workload(python, code="print('READY 0', flush=True)\nwhile True: pass") as work:
        daemon.profiled(work.pid)
        done = daemon.ctl("record", "-p", work.pid, "--async", "-d", "500ms", "-f", "collapsed", "-o", "-")
        assert done.returncode == 0 and "no tasks: --async is for CPython 3.11" in done.err, done.err
        assert "[task" not in done.out and "<module>" in done.out, done.out


def test_accounted(plopd):
    samples = plopd.status()["samples"]
    assert host.accounted(samples), samples
    print("lost %s" % samples["lost"])
