# SPDX-License-Identifier: BSD-2-Clause
"""Work that repeats exactly, by its thread's CPU time: four functions in turn, 50, 30, 15 and 5 % of each period. For 3.7 and later.

    lockstep.py --period MILLISECONDS --seconds S [--cpu N] [--lives S]

With --cpu on that CPU, before all others (SCHED_RR) where that is allowed. Without --lives one thread works that is there from the
start; with it, threads that are made one after the other, each for that much CPU time. Says READY PID {"file": ..., "realtime":
...}, waits for a line on its standard input, says DONE PID {"cpu": {function: seconds}, "threads": N} after S seconds of CPU time
and waits for the end of its standard input.
"""
import argparse
import json
import os
import sys
import threading
from time import thread_time

SHARES = (0.50, 0.30, 0.15, 0.05)


def alpha(end):
    while thread_time() < end:
        pass
    return thread_time()


def beta(end):
    while thread_time() < end:
        pass
    return thread_time()


def gamma(end):
    while thread_time() < end:
        pass
    return thread_time()


def delta(end):
    while thread_time() < end:
        pass
    return thread_time()


FUNCTIONS = (alpha, beta, gamma, delta)


def work(spent, period, seconds):
    """For so much CPU time; each period begins when it should, so that what is late does not add up."""
    begin = now = thread_time()
    ends = [sum(SHARES[:i + 1]) * period for i in range(4)]
    while now - begin < seconds:
        for i, function in enumerate(FUNCTIONS):
            before = now
            now = function(begin + ends[i])
            spent[i] += now - before
        begin, seconds = begin + period, seconds - period


def run(options, spent, begun):
    """One thread, or several, each for options.lives."""
    if not options.lives:
        begun.wait()
        work(spent, options.period / 1000, options.seconds)
        return 1
    begun.wait()
    for n in range(round(options.seconds / options.lives)):
        thread = threading.Thread(target=work, args=(spent, options.period / 1000, options.lives))
        thread.start()
        thread.join()
    return n + 1


def alone(cpu):
    if cpu is None:
        return False
    os.sched_setaffinity(0, {cpu})
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        return False
    return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--period", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--cpu", type=int)
    parser.add_argument("--lives", type=float)
    options = parser.parse_args()
    realtime = alone(options.cpu)
    spent, begun, threads = [0.0] * 4, threading.Event(), []
    worker = threading.Thread(target=lambda: threads.append(run(options, spent, begun)))
    worker.start()
    print("READY %d %s" % (os.getpid(), json.dumps({"file": os.path.abspath(__file__), "realtime": realtime})), flush=True)
    sys.stdin.readline()
    begun.set()
    worker.join()
    print("DONE %d %s" % (os.getpid(), json.dumps({"cpu": dict(zip((f.__name__ for f in FUNCTIONS), spent)), "threads": threads[0]})),
          flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
