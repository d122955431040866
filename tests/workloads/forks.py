# SPDX-License-Identifier: BSD-2-Clause
"""Children that work from the moment on that they are there.

    forks.py HOW [--children N] [--cpu S]

HOW is fork (os.fork), multiprocessing-fork, spawn or forkserver (multiprocessing's ways; Python 3). Prints "READY PID", waits for a
line on its standard input, runs N children (8, at most 64), two at a time, of which each uses S seconds of CPU (0.1) in work(), and
prints "DONE PID {"cpu": seconds}" with the CPU that all of the children used in work(). Python 2.7, 3.6 and later.
"""
import argparse
import json
import os
import sys

from shares import cpu_clock


def inner():
    x = 1
    for i in range(1000):
        x = x * 33 & 65535


def work(seconds, told):
    begin = cpu_clock()
    while cpu_clock() - begin < seconds:
        inner()
    os.write(told, b"%.6f\n" % (cpu_clock() - begin))


def by_fork(seconds, told):
    pid = os.fork()
    if pid == 0:
        work(seconds, told)
        os._exit(0)
    return lambda: os.waitpid(pid, 0)


def spawned(seconds, path):
    # a spawned child inherits no descriptors
    work(seconds, os.open(path, os.O_WRONLY))


def by_multiprocessing(how):
    import multiprocessing
    context = multiprocessing.get_context(how)

    def begin(seconds, told):
        child = context.Process(target=spawned, args=(seconds, "/proc/%d/fd/%d" % (os.getpid(), told)))
        child.start()
        return child.join
    return begin


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("how", choices=("fork", "multiprocessing-fork", "spawn", "forkserver"))
    parser.add_argument("--children", type=int, default=8)
    parser.add_argument("--cpu", type=float, default=0.1)
    options = parser.parse_args()
    begin = by_fork if options.how == "fork" else by_multiprocessing(options.how.split("-")[-1])
    left, running = min(options.children, 64), []
    heard, told = os.pipe()
    print("READY %d" % os.getpid())
    sys.stdout.flush()
    sys.stdin.readline()
    while left or running:
        if left and len(running) < 2:
            running.append(begin(options.cpu, told))
            left -= 1
        else:
            running.pop(0)()
    os.close(told)
    with os.fdopen(heard) as f:
        print("DONE %d %s" % (os.getpid(), json.dumps({"cpu": sum(map(float, f.read().split()))})))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
