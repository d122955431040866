# SPDX-License-Identifier: BSD-2-Clause
"""Functions that are made, called and freed, one after the other at one address, with frames of other functions between.

    replaced.py TAG RATE SECONDS [--wait]

Prints "READY PID"; with --wait it goes on when a line comes. Then for SECONDS (at most 60) it has RATE pairs of functions a second,
of which the n-th are outer_TAG_n and inner_TAG_n: outer calls three functions that stay, these call inner, which is busy until its
time is over. Prints "DONE PID {n: seconds of CPU that the n-th pair took}". Python 2.7, 3.6 and later.
"""
import argparse
import json
import os
import sys
import time

CPU = getattr(time, "process_time", None) or time.clock

SOURCE = """def inner_{0}(until, now):
    x = 1
    while now() < until:
        for i in range(20):
            x = x * 33 & 65535
def outer_{0}(until, now):
    third(inner_{0}, until, now)
"""


def first(inner, until, now):
    inner(until, now)


def second(inner, until, now):
    first(inner, until, now)


def third(inner, until, now):
    second(inner, until, now)


def pair(tag, n, until):
    """One pair: made here, so that it is freed at the return."""
    scope = {"third": third}
    exec(compile(SOURCE.format("%s_%d" % (tag, n)), "<pair>", "exec"), scope)
    outer = scope.pop("outer_%s_%d" % (tag, n))
    began = CPU()
    outer(until, time.time)
    scope.clear()  # inner's, which is its own global
    return CPU() - began


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tag")
    parser.add_argument("rate", type=float)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--wait", action="store_true")
    options = parser.parse_args()
    print("READY %d" % os.getpid())
    sys.stdout.flush()
    if options.wait:
        sys.stdin.readline()
    took, n, begin = {}, 0, time.time()
    while time.time() < begin + min(options.seconds, 60):
        n += 1
        took[n] = pair(options.tag, n, begin + n / options.rate)
    print("DONE %d %s" % (os.getpid(), json.dumps(took)))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
