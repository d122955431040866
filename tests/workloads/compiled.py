# SPDX-License-Identifier: BSD-2-Clause
"""For tests/nuitka to compile: functions that burn, one of them through a generator, and a thread that sleeps. Prints "READY PID" and
works until its standard input ends."""
import os
import sys
import threading


def burn(turns):
    x = 1
    for i in range(turns):
        x = (x * 33 + i) & 0xFFFF
    return x


def numbers(count):
    for _ in range(count):
        yield burn(2000)


def work(over):
    while not over.is_set():
        sum(numbers(50))


def sleeper(over):
    sys.stdin.read()
    over.set()


def main():
    over = threading.Event()
    threading.Thread(target=sleeper, args=(over,)).start()
    print("READY %d" % os.getpid(), flush=True)
    work(over)


if __name__ == "__main__":
    main()
