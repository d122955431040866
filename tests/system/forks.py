# SPDX-License-Identifier: BSD-2-Clause
"""Fork servers, exec and short processes: children have names from their first tick on, and after exec nothing of the program
before is left."""
import json
import os
import re
import resource
import subprocess
import sys
import threading
import unittest
import urllib.request

import host
from host import Plopd, Recording, Workload, until

HZ = 500
APP = "prefork_app"
STARTING = ("[interpreter starting]", "[exec or exit]")


def tally(stacks, inner, outer):
    """(samples with inner below outer, those with a frame without a name)."""
    named = unnamed = 0
    for stack, count in stacks:
        names = [name for name, _, _ in stack]
        named += count * (inner in names and outer in names and names.index(outer) < names.index(inner))
        unnamed += count * any(name.startswith("[") and name not in STARTING for name in names)
    return named, unnamed


class Forks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Plopd("--hz", HZ)
        # those of another root cannot start themselves: sys.executable knows nothing of their loader
        cls.found = host.one_of_each([entry for entry in host.pythons() if "/.cache/" not in entry[1]])

    @classmethod
    def tearDownClass(cls):
        cls.daemon.__exit__(None)

    def children(self, entry, how):
        """All of the CPU time that the children measured in work() must be found there, from the first tick on."""
        version, python, build = entry
        with Workload(python, "forks.py", how) as work:
            self.daemon.profiled(work.pid)
            recording = Recording(self.daemon, None)
            work.go()
            cpu = json.loads(work.line("DONE")[1])["cpu"]
            stacks = recording.stop()
        mine = [(stack, count) for stack, count in stacks if any(file.endswith("/forks.py") or file == "forks.py" for _, file, _ in stack)]
        in_work = sum(count for stack, count in mine if any(name == "work" for name, _, _ in stack))
        _, unnamed = tally(mine, "inner", "work")
        print("%d.%-3d %-8s %-20s %d samples of %.0f expected in work(), %d unnamed" % (version + (build, how, in_work, cpu * HZ, unnamed)),
              flush=True)
        self.assertLess(unnamed, 0.01 * in_work, mine)
        return in_work, cpu

    def test_fork(self):
        for entry in host.one_of_each(host.pythons()):
            in_work, cpu = self.children(entry, "fork")
            # a child that were found only later would lack some of its 50 ticks; ticks themselves are lost to a hypervisor
            self.assertGreater(in_work, 0.8 * cpu * HZ, entry)

    def test_multiprocessing(self):
        for entry in self.found:
            if entry[0] >= (3, 6):
                for how in ("multiprocessing-fork", "spawn", "forkserver") if entry[0] in ((3, 8), (3, 12)) else ("spawn",):
                    in_work, cpu = self.children(entry, how)
                    self.assertGreater(in_work, 0.8 * cpu * HZ, entry)

    def test_prefork_server(self):
        gunicorn = "/usr/bin/gunicorn"
        if not os.path.exists(gunicorn):
            self.skipTest("%s is not there" % gunicorn)
        log = os.path.join(self.daemon.folder, "gunicorn.log")
        recording = Recording(self.daemon, None)
        server = subprocess.Popen(["/usr/bin/python3", gunicorn, "--workers", "16", "--bind", "127.0.0.1:0", "--chdir", host.WORKLOADS,
                                   "--log-file", log, APP + ":application"], env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1"))
        try:
            def port():
                with open(log) as f:
                    found = re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", f.read())
                return found and int(found.group(1))

            until("gunicorn is there", lambda: os.path.exists(log) and port())
            answered = self.load(port(), 600)
        finally:
            server.terminate()
            server.wait(20)
        stacks = [(stack, count) for stack, count in recording.stop() if any(APP in file or "gunicorn" in file for _, file, _ in stack)]
        named, unnamed = tally(stacks, "answer", "BaseApplication.run")
        mine = sum(count for stack, count in stacks if any(name == "answer" for name, _, _ in stack))
        print("gunicorn: %d workers answered, %d samples in answer(), %d unnamed" % (len(answered), mine, unnamed))
        self.assertGreater(len(answered), 8, "most of the 16 workers")
        self.assertEqual(named, mine, "each whole up to the master's frames, which its workers were forked in")
        self.assertGreater(mine, 600 * 0.005 * HZ / 2)
        self.assertLess(unnamed, 0.01 * mine)

    def load(self, port, requests):
        """Four clients ask so many times in all; the set of the processes that answered."""
        answered = set()

        def client():
            for _ in range(requests // 4):
                with urllib.request.urlopen("http://127.0.0.1:%d/" % port, timeout=30) as answer:
                    answered.add(int(answer.read()))

        clients = [threading.Thread(target=client) for _ in range(4)]
        for one in clients:
            one.start()
        for one in clients:
            one.join()
        return answered

    def test_exec_to_another_python(self):
        second = "print('SECOND', flush=True)\ndef later():\n    x = 1\n    while True:\n        x = x * 33 & 65535\nlater()\n"
        code = ("import os, sys\ndef earlier():\n    x = 1\n    for i in range(10 ** 6):\n        x = x * 33 & 65535\n"
                "print('READY', flush=True)\nsys.stdin.readline()\nearlier()\nos.execv(sys.argv[1], ['python', '-c', %r])\n" % second)
        pythons = [python for version, python, _ in self.found if version >= (3, 6)]
        for first, then in zip(pythons, reversed(pythons)):
            with Workload(first, None, then, code=code) as work:
                self.daemon.profiled(work.pid)
                recording = Recording(self.daemon, None)
                work.go()
                work.line("SECOND")
                until("samples of the second", lambda: (self.daemon.process_of(work.pid) or {}).get("samples", 0) > 100)
                stacks = [(stack, count) for stack, count in recording.stop() if stack[0][:2] == ("<module>", "<string>")]
            names = [{name for name, _, _ in stack} for stack, _ in stacks]
            self.assertTrue(any("earlier" in n for n in names) and any("later" in n for n in names), names)
            for n in names:
                self.assertFalse("earlier" in n and "later" in n, "of both programs: %s" % n)

    def test_exec_to_something_else(self):
        code = ("import os, sys\nprint('READY', flush=True)\nsys.stdin.readline()\n"
                "def before_the_shell():\n    os.execv('/bin/sh', ['sh', '-c', 'echo SHELL; while :; do :; done'])\nbefore_the_shell()\n")
        for version, python, _ in self.found:
            if version < (3, 6):
                continue
            with Workload(python, code=code) as work:
                self.daemon.profiled(work.pid)
                work.go()
                work.line("SHELL")
                before = self.daemon.status()["samples"]["other"]
                recording = Recording(self.daemon, None)
                until("ticks on the shell", lambda: self.daemon.status()["samples"]["other"] > before + 100)
                self.assertIsNone(self.daemon.process_of(work.pid))
                for stack, _ in recording.stop():
                    self.assertNotIn("before_the_shell", {name for name, _, _ in stack}, "a Python stack in a shell")

    def test_short_processes(self):
        """200 processes of 100 ms of CPU, two at a time: of what they use after the interpreter is up, 99 % has names and lines."""
        code = ("import time\ndef brief():\n    end = time.process_time() + 0.1\n    while time.process_time() < end:\n        pass\n"
                "brief()\n")
        recording = Recording(self.daemon, None)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        for i in range(100):
            python = self.found[i % len(self.found)][1] if self.found[i % len(self.found)][0] > (3, 2) else sys.executable
            running = [subprocess.Popen([python, "-c", code]) for _ in range(2)]
            for one in running:
                self.assertEqual(one.wait(60), 0)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        stacks = [(stack, count) for stack, count in recording.stop() if stack[0][:2] == ("<module>", "<string>")
                  or stack[0][0].startswith("[un") or stack[0][0] == "[stale code]"]
        brief = sum(count for stack, count in stacks if any(name == "brief" for name, _, _ in stack))
        whole = sum(count for stack, count in stacks if [name for name, _, _ in stack] == ["<module>", "brief"] and
                    stack[0][2] == 6 and 2 <= stack[1][2] <= 5)
        unnamed = sum(count for stack, count in stacks if any(name.startswith("[") for name, _, _ in stack))
        print("short processes: %d samples in brief() of %.0f expected, %d whole, %d unnamed; %.1f s of CPU in all" % (
            brief, 200 * 0.1 * HZ, whole, unnamed, used))
        self.assertGreater(brief, 0.8 * 200 * 0.1 * HZ)
        self.assertGreaterEqual(whole, 0.99 * (brief + unnamed))

    def test_zz_every_tick_is_accounted_for(self):
        samples = self.daemon.status()["samples"]
        print(samples)
        self.assertTrue(host.accounted(samples), samples)


if __name__ == "__main__":
    host.need_root()
    unittest.main(verbosity=2)
