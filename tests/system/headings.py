# SPDX-License-Identifier: BSD-2-Clause
"""Ticks of which no Python function can be told: before an interpreter is up, after it is gone, in one that crashes; and idle
ones, fresh forks, and memory that is not resident. Each has its own heading, none is unknown, and the sums are exact."""
import json
import os
import resource
import shlex
import subprocess
import sys
import unittest

import host
from chi_square import chi_square
from host import Plopd, Recording, Workload, accounted, until

HZ = 500
PHASES = ["before", "during", "atexit", "after"]


def phase(version, stack):
    """The phase of embed.c that a stack is of; None: none of them."""
    names = [name for name, _, _ in stack]
    if names == ["[interpreter starting]"]:
        return "before"
    # 3.6 leaves no mark that it has finalised, and its thread state where it was
    if names == ["[interpreter finalised]"] or names == ["[no Python frame]"] and version == (3, 6):
        return "after"
    # a function that was freed before the end of its last second is not confirmed any more
    if "during" in names or "[stale code]" in names:
        return "atexit" if "finish" in names else "during"
    return None


def unknown(stacks):
    return [(stack, count) for stack, count in stacks if any(name == "[unresolved]" for name, _, _ in stack)]


def built(folder):
    """(version, program) of embed.c against each interpreter that has headers and a shared library."""
    programs = []
    for version, python, _ in host.one_of_each([entry for entry in host.pythons() if "/.cache/" not in entry[1]]):
        flags = []
        for options in (["--embed", "--cflags", "--ldflags"], ["--cflags", "--ldflags"]):
            try:
                done = subprocess.run([python + "-config"] + options, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            except FileNotFoundError:
                break
            if done.returncode == 0:
                flags = shlex.split(done.stdout.decode())
                break
        program = os.path.join(folder, "embed-%d.%d" % version)
        done = subprocess.run(["gcc", "-o", program, os.path.join(host.WORKLOADS, "embed.c")] + flags, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) if flags else None
        if done and done.returncode == 0:
            programs.append((version, program))
        else:
            print("%d.%d: embed.c was not built: %s" % (version + (done.stdout.decode()[-300:] if done else "no python-config",)))
    return programs


class Embedded(Workload):
    """A workload that is no Python program."""

    def __init__(self, program):
        super().__init__(program, code=None, name=os.devnull)


class Headings(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Plopd("--hz", HZ)

    @classmethod
    def tearDownClass(cls):
        cls.daemon.__exit__(None)

    def tearDown(self):
        samples = self.daemon.status()["samples"]
        self.assertTrue(accounted(samples), samples)

    def phases(self, group):
        """The samples of each phase, and its CPU time, for several programs at the same time."""
        works = [Embedded(program) for _, program in group]
        try:
            for work in works:
                self.daemon.profiled(work.pid)
            recordings = [Recording(self.daemon, work.pid) for work in works]
            for work in works:
                work.go()
            cpu = [json.loads(work.line("DONE")[1]) for work in works]
            stacks = [recording.stop() for recording in recordings]
        finally:
            for work in works:
                work.__exit__()
        results = []
        for (version, _), mine, spent in zip(group, stacks, cpu):
            self.assertEqual(unknown(mine), [])
            counts = dict.fromkeys(PHASES, 0)
            rest = 0
            for stack, count in mine:
                if phase(version, stack):
                    counts[phase(version, stack)] += count
                else:
                    rest += count
            results.append((counts, rest, spent))
        return results

    def test_before_and_after_the_interpreter(self):
        programs = built(self.daemon.folder)
        self.assertTrue(programs, "gcc and an interpreter with headers are needed")
        for group in host.several(programs, 4):
            for entry, result in zip(group, self.phases(group)):
                for attempt in (1, 2):
                    counts, rest, spent = result
                    x, bound = chi_square([counts[p] for p in PHASES], [spent[p] for p in PHASES])
                    print("%d.%-3d %s, %d others, chi2 %.2f (bound %.2f)" % (entry[0] + (counts, rest, x, bound)), flush=True)
                    if x <= bound:
                        break
                    # an honest comparison fails once in a thousand: it is repeated on fresh data
                    self.assertEqual(attempt, 1, "%d.%d: the shares are wrong" % entry[0])
                    result = self.phases([entry])[0]

    def test_idle(self):
        with Workload(sys.executable, code="import sys\nprint('READY', flush=True)\nsys.stdin.readline()\n") as work:
            self.daemon.profiled(work.pid)
            work.asleep()

            def ticks_after(ticks):
                until("ticks elsewhere", lambda: self.daemon.status()["samples"]["ticks"] > ticks)
                return self.daemon.status()["samples"]["ticks"]

            # what it did before it began to wait is collected within some cycles of 1000 ticks
            now = ticks_after(ticks_after(0) + 2000)
            samples = self.daemon.process_of(work.pid)["samples"]
            ticks_after(now + 2000)
            self.assertEqual(self.daemon.process_of(work.pid)["samples"], samples)
            self.assertEqual(self.daemon.process_of(work.pid)["status"], "profiled")

    def test_crashed(self):
        # sudo may have taken the right to dump core away for good: then it crashes without
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        size = 1 << 28 if hard == resource.RLIM_INFINITY else min(hard, 1 << 28)
        if size == 0:
            print("not tested: a crash that dumps core, as the hard limit of core files is 0 here")
        code = ("import os, resource, sys\nresource.setrlimit(resource.RLIMIT_CORE, (%d, %d))\n"
                "os.chdir(%r)\nkept = [b'x' * 4096 + b'%%d' %% i for i in range(20000)]\nprint('READY', flush=True)\nsys.stdin.readline()\n"
                "def last():\n    x = 1\n    for i in range(3000000):\n        x = x * 33 & 65535\n    os.abort()\nlast()\n" % (size, hard, self.daemon.folder))
        with Workload(sys.executable, code=code) as work:
            self.daemon.profiled(work.pid)
            recording = Recording(self.daemon, work.pid)
            work.go()
            self.assertEqual(work.process.wait(60), -6)
        stacks = recording.stop()
        self.assertEqual(unknown(stacks), [])
        last = sum(count for stack, count in stacks if stack[-1][0] == "last")
        alone = {stack[0][0]: count for stack, count in stacks if stack[0][0].startswith("[")}
        print("crashed: %d samples in the function before, then %s" % (last, alone))
        self.assertGreater(last, 10)
        self.assertLessEqual(set(alone), {"[dumping core]", "[exec or exit]"}, alone)

    def test_fresh_fork(self):
        code = ("import hashlib, os, sys\ndef digest():\n    hashlib.pbkdf2_hmac('sha256', b'x', b'y', 100000)\ndigest()\n"
                "print('READY', flush=True)\nsys.stdin.readline()\nfor i in range(10):\n    if os.fork() == 0:\n        digest()\n"
                "        os._exit(0)\n    os.wait()\nprint('DONE', flush=True)\n")
        with Workload(sys.executable, code=code) as work:
            self.daemon.profiled(work.pid)
            recording = Recording(self.daemon, None)
            work.go()
            work.line("DONE")
        stacks = [(stack, count) for stack, count in recording.stop() if stack[-1][:2] == ("digest", "<string>")
                  or any(name.startswith("[un") for name, _, _ in stack)]
        self.assertEqual(unknown(stacks), [], "a child that touches nothing of Python's is named")
        self.assertGreater(sum(count for _, count in stacks), 50)

    def test_memory_that_is_not_resident(self):
        # MADV_PAGEOUT is 21 (linux/mman.h, 5.4). Without swap it takes away what a file has, as the interpreter's constants;
        # with swap, all.
        code = ("import ctypes, sys, time\nlibc = ctypes.CDLL(None, use_errno=True)\n"
                "areas = []\nfor line in open('/proc/self/maps'):\n    where = line.split()\n"
                "    low, high = (int(x, 16) for x in where[0].split('-'))\n"
                "    if where[1][0] == 'r' and not where[-1].startswith('[v'):\n        areas.append((low, high - low))\n"
                "def out():\n    taken = 0\n    for low, size in areas:\n"
                "        taken += libc.madvise(ctypes.c_void_p(low), ctypes.c_size_t(size), 21) == 0\n    return taken\n"
                "def busy():\n    end = time.process_time() + 0.01\n    while time.process_time() < end:\n        pass\n"
                "print('READY', out(), flush=True)\nsys.stdin.readline()\n"
                "while True:\n    busy()\n    out()\n")
        beside = "print('READY', flush=True)\nwhile True:\n    pass"
        with Workload(sys.executable, code=code) as work, Workload(sys.executable, code=beside) as other:
            if int(work.ready[0]) == 0:
                self.skipTest("this kernel takes nothing out (MADV_PAGEOUT)")
            self.daemon.profiled(work.pid)
            self.daemon.profiled(other.pid)
            before = self.daemon.status()["samples"]
            recording, others = Recording(self.daemon, work.pid), Recording(self.daemon, other.pid)
            work.go()
            until("samples", lambda: self.daemon.process_of(work.pid)["samples"] > 500, 60)
            stacks = recording.stop()
            others.stop()
        total = sum(count for _, count in stacks)
        after = self.daemon.status()["samples"]
        faults = after["lost"]["fault"] - before["lost"]["fault"]
        named = sum(count for stack, count in stacks if stack[0][:2] == ("<module>", "<string>"))
        print("taken out of memory again and again: %d samples, %d named, %d unnamed, %d lost for memory that was not there" % (
            total, named, sum(count for _, count in unknown(stacks)), faults))
        self.assertEqual(unknown(stacks), [])
        self.assertGreater(named, 0.9 * total)
        # each recording tells of its own losses: all of them are of the one
        self.assertEqual(others.lost(), {}, others.said)
        self.assertLessEqual(recording.said["lost_total"], faults)
        self.assertGreaterEqual(recording.said["lost_total"], 0.5 * faults, recording.said)


if __name__ == "__main__":
    host.need_root()
    unittest.main(verbosity=2)
