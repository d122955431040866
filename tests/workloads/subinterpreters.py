# SPDX-License-Identifier: BSD-2-Clause
"""Sub-interpreters: one that the main thread runs in turns with its own work, one that another thread runs, and beside them a
thread of the main interpreter. From 3.12 on the sub-interpreters have a GIL of their own.

    subinterpreters.py [--cpu S]

Tells the stacks of each interpreter (three FACT lines, see told.py), prints "READY PID", waits for a line on its standard input,
works until the threads have used S seconds of CPU (3, at most 60), and prints
    DONE PID {ROLE: seconds of CPU}
with the roles own, alpha (both the main thread's), beta, plain. Python 3.8 and later.
"""
import argparse
import json
import os
import sys
import threading
import time

import told

if sys.version_info >= (3, 13):
    import _interpreters as interpreters
else:
    import _xxsubinterpreters as interpreters

execute = getattr(interpreters, "exec", None) or interpreters.run_string

# The program of a sub-interpreter; the same text each time, so that its lines stay what they were.
PROGRAM = """import sys
sys.path[:0] = [%r]
import subinterpreters_part as part
part.%s(%d)
"""


@told.hook
def cpu():
    return time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID)


def burn(turns):
    if told.noting:
        told.note()
    x = 1
    while turns > 0:
        x = (x * 33 + turns) & 0xFFFF
        turns -= 1


def own(turns):
    burn(turns)


def plain(turns):
    burn(turns)


class Role:
    def __init__(self, name, turns):
        self.name = name
        self.turns = turns
        self.spent = 0.0
        self.interpreter = None

    def once(self, turns):
        begin = cpu()
        if self.name in ("alpha", "beta"):
            if self.interpreter is None:
                self.interpreter = interpreters.create()
            execute(self.interpreter, PROGRAM % (os.path.dirname(os.path.abspath(__file__)), self.name, turns))
        else:
            globals()[self.name](turns)
        self.spent += cpu() - begin


@told.hook
def spent(role):
    return role.spent


def work(roles, ready, seconds):
    """A first short turn of each; ready() returns when it is to begin; then ever the one that is behind."""
    left = list(roles)
    while left or sum(map(spent, roles)) < seconds:
        role = left.pop() if left else min(roles, key=spent)
        role.once(1 if ready else role.turns)
        if not left and ready:
            ready()
            ready = None
            for role in roles:
                role.spent = 0.0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cpu", type=float, default=3.0, help="of all threads; at most 60")
    seconds = min(parser.parse_args().cpu, 60.0) / 3
    begin_at = cpu()
    told.noting = False
    burn(200000)
    told.noting = True
    turns = max(int(200000 * 0.02 / (cpu() - begin_at)), 100)  # 20 ms

    roles = [Role(name, turns) for name in ("own", "alpha", "beta", "plain")]
    noted, begin = threading.Semaphore(0), threading.Event()

    @told.hook
    def wait():
        noted.release()
        begin.wait()

    threads = [threading.Thread(target=work, args=([role], wait, seconds)) for role in roles[2:]]

    def start():
        for thread in threads:
            thread.start()
            noted.acquire()
        told.files.add(__file__)
        told.hook(start)
        told.tell()
        print("READY %d" % os.getpid(), flush=True)
        sys.stdin.readline()
        begin.set()

    work(roles[:2], start, seconds)
    for thread in threads:
        thread.join()
    spent = {}  # no comprehension: up to 3.11 it is a function, and nobody told of it
    for role in roles:
        spent[role.name] = role.spent
    print("DONE %d %s" % (os.getpid(), json.dumps(spent)), flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main()
