# SPDX-License-Identifier: BSD-2-Clause
"""What a sample costs in the kernel, of two plopd at once on the same processes: this one and that of an older commit.

Each turn starts the processes anew and times their first ten seconds, and then, when plop's program has settled on them, some
seconds more. Half of the turns have the older plopd start first, half the other: whichever is second may find warm caches. Beside
both runs the floor, a program that at each tick reads the clock and 4 kB of what runs: no profiler can do with less.
"""
import contextlib
import os
import re
import signal
import statistics
import subprocess
import time

import baseline
import host
import meter
from waiting import until

FIRST = 10  # seconds; PLOP_SETTLED_SECONDS
SETTLE = 2.5  # more, until nothing of the first ten seconds is in what follows
SETTLED = {1000: 3, 100: 6}
TURNS = 10
MANY = 12  # turns of threads(), which are short
TURN_MS = 20  # that one of a thousand threads works before it wakes the next

ASYNC = """
import asyncio, os
def spin(n):
    x = 1
    while n:
        x = (x * 33 + n) & 65535
        n -= 1
async def leaf(depth):
    if depth:
        return await leaf(depth - 1)
    while True:
        spin(20000)
        await asyncio.sleep(0)
async def awaits(task):
    await task
async def main():
    tasks = [asyncio.create_task(leaf(8), name="leaf %d" % n) for n in range(8)]
    tasks += [asyncio.create_task(awaits(task), name="awaits") for task in tasks]
    print("READY", os.getpid(), flush=True)
    await asyncio.gather(*tasks)
asyncio.run(main())
"""


def cpus():
    """Where busy processes are pinned, one on each: all CPUs, up to four."""
    return sorted(os.sched_getaffinity(0))[:4]


class Floor:
    """The program that only reads, at a rate."""

    def __init__(self, hz):
        command = [os.path.join(host.BUILD, "tests", "bench", "bench_primitives"), "--floor", str(hz)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"READY\n", "the floor did not start"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate()


def sampling():
    """The ids of the kernel's BPF programs that run at each tick: those of plop, and the floor."""
    said = subprocess.run(["bpftool", "prog", "show"], stdout=subprocess.PIPE, check=True).stdout.decode()
    return {int(n) for n in re.findall(r"^(\d+): \w+ +name (?:plop_tick|floor_tick)", said, re.M)}


def ticks(pid):
    """(ns, runs) of the sampling programs that a process has open."""
    wanted = sampling()
    programs = [value for number, value in meter.programs(pid).items() if number in wanted]
    return sum(ns for ns, _ in programs), sum(runs for _, runs in programs)


class Both:
    """Both plopd and the floor; builds: {name: a build, or None for this one}, in the order that they start in."""

    def __init__(self, builds, hz, *arguments, floor=True):
        self.stack = contextlib.ExitStack()
        with contextlib.ExitStack() as failed:
            failed.push(self.stack)
            self.daemons = {name: self.stack.enter_context(host.Plopd("--hz", hz, *arguments, build=build)) for name, build in builds.items()}
            self.pids = {name: daemon.process.pid for name, daemon in self.daemons.items()}
            self.ids = {name: None for name in builds}
            if floor:
                self.pids["floor"] = self.stack.enter_context(Floor(hz)).process.pid
            failed.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        return self.stack.__exit__(*what)

    def ticks(self):
        """{name: (ns, runs)} of the programs that sample."""
        return {name: ticks(pid) for name, pid in self.pids.items()}

    def each(self, seconds):
        """{name: ns for each tick} of the next seconds."""
        before = self.ticks()
        time.sleep(seconds)
        return self.since(before)

    def since(self, before):
        after, result = self.ticks(), {}
        for name, (ns, runs) in after.items():
            ns, runs = ns - before[name][0], runs - before[name][1]
            assert runs > 0, "no tick of %s" % name
            result[name] = ns / runs
        return result

    def lost(self):
        """What this plopd has lost, by cause, if that is more than the tests allow."""
        samples = self.daemons["now"].status()["samples"]
        return {} if host.hardly_lost(samples, others=True) else {cause: n for cause, n in samples["lost"].items() if n}


def cpu(interpreter, commit, turns, window=10):
    """Costs of plopd's own CPU, in seconds for each second, at 100 Hz with a busy process on each CPU: of whole windows."""
    costs, orders = Costs(), 1 if commit is None else 2
    for order in range(orders):
        with Both(builds(commit, order), 100, "--window", window, floor=False) as both, busy(interpreter, 33):
            time.sleep(window + SETTLE)
            for _ in range(-(-turns // orders)):
                spent = {name: meter.Spent(pid) for name, pid in both.pids.items()}
                time.sleep(window)
                costs.add({name: (lambda wall, used, _: used / wall)(*each.now()) for name, each in spent.items()})
    return costs


def builds(commit, turn):
    """Both, in the order of this turn; commit None: this one alone."""
    if commit is None:
        return {"now": None}
    both = {"base": baseline.built(commit), "now": None}
    return both if turn % 2 == 0 else dict(reversed(both.items()))


@contextlib.contextmanager
def busy(interpreter, depth):
    """A process of so many frames on each CPU."""
    with contextlib.ExitStack() as stack:
        for cpu in cpus():
            work = stack.enter_context(host.Workload(interpreter, "deep.py", "--depth", depth, "--seconds", 600, ready=False))
            os.sched_setaffinity(work.pid, {cpu})
        yield


class Costs:
    """Medians of turns, in ns: of one state (first ten seconds or settled) of each program."""

    def __init__(self):
        self.turns = []

    def add(self, turn):
        self.turns.append(turn)

    def median(self, name):
        return statistics.median(turn[name] for turn in self.turns)

    def ratio(self, name, to):
        """Median of each turn's ratio, the least and the most."""
        ratios = [turn[name] / turn[to] for turn in self.turns]
        return statistics.median(ratios), min(ratios), max(ratios)


def walk(interpreter, hz, depth, commit, turns, first=FIRST, settle=SETTLE, settled=None):
    """(first, settled) costs of processes that are at so many frames, and what was lost, by cause."""
    new, old, lost = Costs(), Costs(), {}
    orders = 1 if commit is None else 2
    for order in range(orders):
        with Both(builds(commit, order), hz) as both:
            for _ in range(-(-turns // orders)):
                before = both.ticks()
                with busy(interpreter, depth):
                    time.sleep(first)
                    new.add(both.since(before))
                    time.sleep(settle)
                    old.add(both.each(settled or SETTLED[hz]))
            lost.update(both.lost())
    return new, old, lost


def threads(interpreter, commit, turns=MANY):
    """Costs of a process with one thread and of one with a thousand, both settled and each alone by turns."""
    one, many = Costs(), Costs()
    with Both(builds(commit, 0), 1000, floor=False) as both, contextlib.ExitStack() as stack:
        works = [stack.enter_context(host.Workload(interpreter, "threads.py", "--threads", n, "--turn", TURN_MS if n > 1 else 1000, "--seconds",
                                                   900, "--same")) for n in (1, 1000)]
        time.sleep(FIRST + SETTLE)
        for work in works:
            work.process.send_signal(signal.SIGSTOP)
        for _ in range(turns):
            for work, costs in zip(works, (one, many)):
                work.process.send_signal(signal.SIGCONT)
                costs.add(both.each(1.5))
                work.process.send_signal(signal.SIGSTOP)
    return one, many


def recording(daemon, pid):
    """plopctl record --async at work; begun again while the process is not known yet, as it may be on demand."""
    command = [daemon.program("plopctl"), "--socket", daemon.socket, "record", "-p", str(pid), "--async", "-F", "1000", "-d", "300s",
               "-f", "collapsed", "-o", os.path.join(daemon.folder, "tasks")]

    def begun():
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        until("the recording runs", lambda: process.poll() is not None or daemon.status()["recordings"])
        return process if process.poll() is None else None

    return until("process %d is recorded" % pid, begun, pause=0.5)


def tasks(interpreter, commit, turns, seconds=3):
    """Costs of the samples of recordings with --async, of a program of tasks that await each other; nothing else is sampled."""
    costs = Costs()
    orders = 1 if commit is None else 2
    for order in range(orders):
        with host.Workload(interpreter, code=ASYNC) as work, Both(builds(commit, order), 100, "--mode", "on-demand", floor=False) as both:
            recordings = []
            try:
                for daemon in both.daemons.values():
                    recordings.append(recording(daemon, work.pid))
                time.sleep(FIRST + SETTLE)
                for _ in range(-(-turns // orders)):
                    costs.add(both.each(seconds))
            finally:
                for process in recordings:
                    process.kill()
                    process.wait()
    return costs
