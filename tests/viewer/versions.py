# SPDX-License-Identifier: BSD-2-Clause
"""Keeps one CPU busy in parse and render, which takes as much longer as its argument says, until its standard input is closed; prints
"READY PID" first. What its service and version are is in its environment."""
import os
import select
import sys


def parse(n):
    total = 0
    for i in range(n):
        total += i * i
    return total


def render(n):
    total = 0
    for i in range(n):
        total += i ^ n
    return total


def escape(n):
    return sum(i & 7 for i in range(n))


def main(times):
    print("READY", os.getpid(), flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        parse(20000)
        render(10000 * times)
        escape(10000)


main(int(sys.argv[1]))
