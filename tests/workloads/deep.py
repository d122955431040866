# SPDX-License-Identifier: BSD-2-Clause
"""A busy loop at an exact number of Python frames, for tests/bench.

    deep.py [--depth N] [--seconds S] [--until-eof]

The stack is <module>, then N - 2 times descend(), then burn(): N frames. Prints "READY PID N" once it is there, ends after
--seconds (30, at most 900), or with --until-eof when its standard input is closed. Python 2.7, 3.6 and later.
"""
import argparse
import os
import select
import sys
import time


def burn(options, deadline):
    sys.stdout.write("READY %d %d\n" % (os.getpid(), options.depth))
    sys.stdout.flush()
    x = 1
    while time.time() < deadline:
        if options.until_eof and select.select([0], [], [], 0)[0] and not os.read(0, 4096):
            break
        n = 300000
        while n > 0:
            x = (x * 33 + n) & 0xFFFF
            n -= 1
    return x


def descend(left, options, deadline):
    if left <= 0:
        return burn(options, deadline)
    return descend(left - 1, options, deadline)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="a busy loop at an exact number of Python frames")
    parser.add_argument("--depth", type=int, default=33, help="frames in all, 3 or more")
    parser.add_argument("--seconds", type=float, default=30.0, help="at most 900")
    parser.add_argument("--until-eof", action="store_true", help="end when standard input is closed")
    arguments = parser.parse_args()
    if arguments.depth < 3:
        parser.error("--depth must be 3 or more")
    if arguments.depth > 900:
        sys.setrecursionlimit(arguments.depth + 100)
    descend(arguments.depth - 3, arguments, time.time() + min(arguments.seconds, 900.0))
