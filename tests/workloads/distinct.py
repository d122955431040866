# SPDX-License-Identifier: BSD-2-Clause
"""Stacks no two of which are alike: the most that one process can ask of what counts stacks.

    distinct.py [--depth N] [--functions N] [--renamed] [--seconds S]

Goes down N frames (900) by a way drawn anew each time, through one or more functions each of which calls itself or another from a
line of its own, stays there for 50 us, and comes back. Prints "READY PID"; ends after S seconds (300, at most 900), or when its
standard input is closed. --renamed: before each way one of the functions
gets a name of 400 letters that cannot be packed well (Python 3.11). Else Python 3.6 and later.
"""
import argparse
import base64
import collections
import os
import random
import select
import sys
import time

ONE = """
def f%d(way, left):
    if left == 0:
        return stay()
    next = functions[way %% count]
    if way & 1:
        return next(way >> 1, left - 1)
    return next(way >> 1, left - 1)
"""


def stay():
    end = time.perf_counter() + 0.00005
    while time.perf_counter() < end:
        pass


class Renaming:
    def __init__(self):
        # so that no name's place is another's soon
        self.kept = collections.deque(maxlen=50000)

    def one(self, function):
        code, name = function.__code__, base64.b64encode(os.urandom(300)).decode()
        self.kept.append(code)
        function.__code__ = code.replace(co_name=name, co_qualname=name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="stacks no two of which are alike")
    parser.add_argument("--depth", type=int, default=900)
    parser.add_argument("--functions", type=int, default=50)
    parser.add_argument("--renamed", action="store_true")
    parser.add_argument("--seconds", type=float, default=300.0, help="at most 900")
    arguments = parser.parse_args()
    functions = []
    scope = {"functions": functions, "stay": stay, "count": arguments.functions}
    for n in range(arguments.functions):
        exec(compile("\n" * n + ONE % n, "<distinct>", "exec"), scope)
        functions.append(scope["f%d" % n])
    renaming, turn = Renaming(), 0
    sys.setrecursionlimit(arguments.depth + 100)
    end = time.time() + min(arguments.seconds, 900.0)
    sys.stdout.write("READY %d\n" % os.getpid())
    sys.stdout.flush()
    while time.time() < end:
        if arguments.renamed:
            turn = (turn + 1) % len(functions)
            renaming.one(functions[turn])
        functions[0](random.getrandbits(arguments.depth + 32), arguments.depth)
        if select.select([0], [], [], 0)[0] and not os.read(0, 4096):
            break
