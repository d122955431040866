# SPDX-License-Identifier: BSD-2-Clause
"""Functions made by exec() and freed, thousands a second, so that code objects come to lie where others have lain.

    generated.py [--keep S] [--seconds S]

What each of them looks like follows from its number, so that any wrong combination of name, file, line and callee
contradicts itself; shape() says how, for tests too. Prints "READY PID", waits for a line on its standard input, and prints after S
seconds (60, at most 900)
    DONE PID {KIND: [how many, how many of them at an address that had one before]}
and waits for a line again. Python 2.7, 3.6 and later.

Three kinds: f_N of file <gen N>; same of file <same>, of which there are two that differ in nothing but the lines and the callee;
kept_N of file <kept N>, which is in use for --keep seconds (12) and then replaced at its address.
"""
import argparse
import json
import os
import sys
import time


def helper():
    x = 1
    for i in range(100):
        x = x * 33 & 65535


def named(name):
    """A helper under another name; its lines are helper's."""
    scope = {}
    exec(compile("\n" * 9 + "def %s():\n    x = 1\n    for i in range(100):\n        x = x * 33 & 65535\n" % name, "<helpers>", "exec"), scope)
    return scope[name]


def shape(kind, n):
    """Name, file, line of the def, of the loop and of the call, name of the callee."""
    if kind == "f":
        first = 1 + n % 97
        loop = first + 2 + n % 3
        return "f_%d" % n, "<gen %d>" % n, first, loop, loop + 1 + n % 5, "helper_%d" % (n % 7)
    if kind == "same":
        return "same", "<same>", 10, 12 + n % 2 * 4, 13 + n % 2 * 4, "after_%d" % (n % 2)
    return "kept_%d" % n, "<kept %d>" % n, 50 + n % 7, 60 + n, 61 + n, "helper_%d" % (n % 7)


def source(kind, n):
    name, _, first, loop, call, callee = shape(kind, n)
    return "\n" * (first - 1) + "def %s(n):\n    x = 1\n" % name + "\n" * (loop - first - 2) + \
        "    for i in range(n): x = x * 33 & 65535\n" + "\n" * (call - loop - 1) + "    %s()\n" % callee


class Maker(object):
    def __init__(self):
        self.helpers = {name: named(name) for name in ["helper_%d" % i for i in range(7)] + ["after_0", "after_1"]}
        self.seen = {}
        self.counts = {}

    def make(self, kind, n):
        scope = dict(self.helpers)
        exec(compile(source(kind, n), shape(kind, n)[1], "exec"), scope)
        return scope.pop(shape(kind, n)[0])  # with it there, it would be freed by the garbage collector only

    def count(self, kind, function):
        count = self.counts.setdefault(kind, [0, 0])
        count[0] += 1
        address = id(function.__code__)
        if len(self.seen) > 100000:
            self.seen.clear()
        count[1] += address in self.seen
        self.seen[address] = True


def run_f(maker, n):
    function = maker.make("f", n)
    maker.count("f", function)
    function(1500)


def run_same_0(maker):
    function = maker.make("same", 0)
    maker.count("same", function)
    function(1500)


def run_same_1(maker):
    function = maker.make("same", 1)
    maker.count("same", function)
    function(1500)


def replace(maker, kept, n):
    """A successor at the address of the one that was kept, if one of the first few comes to lie there; else at any that had one."""
    address = id(kept[0].__code__)
    del kept[:]
    tried = []
    for _ in range(300):
        tried.append(maker.make("kept", n))
        if id(tried[-1].__code__) == address:
            break
    else:
        tried.append(([one for one in tried if id(one.__code__) in maker.seen] or tried)[-1])
    maker.count("kept", tried[-1])
    kept.append(tried[-1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", type=float, default=12.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    maker = Maker()
    n, kept_n = 0, 0
    kept = [maker.make("kept", kept_n)]
    maker.count("kept", kept[0])
    print("READY %d" % os.getpid())
    sys.stdout.flush()
    sys.stdin.readline()
    began = time.time()
    swap = began + options.keep
    while time.time() < began + min(options.seconds, 900.0):
        for _ in range(10):
            run_f(maker, n)
            n += 1
        run_same_0(maker)
        run_same_1(maker)
        kept[0](6000)
        if time.time() > swap:
            swap += options.keep
            kept_n += 1
            replace(maker, kept, kept_n)
    print("DONE %d %s" % (os.getpid(), json.dumps(maker.counts)))
    sys.stdout.flush()
    sys.stdin.readline()


if __name__ == "__main__":
    main()
