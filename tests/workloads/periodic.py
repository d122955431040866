# SPDX-License-Identifier: BSD-2-Clause
"""A workload with a rhythm: at the start of every 50 ms by the clock it burns 5 ms of CPU in a(), then 3 ms in b(), then sleeps.
For 2.7, 3.6 and later.

    periodic.py [--seconds S] [--phase MILLISECONDS]

The periods begin MILLISECONDS after a multiple of 50 ms. Says READY PID {"file": ...}, waits for a line on its standard input, says
DONE PID {"cpu": {"a": seconds, "b": seconds}, "wall": seconds, "periods": N, "late": how many were skipped}
after S seconds and waits for the end of its standard input.
"""
import argparse
import json
import os
import sys
import time

sys.dont_write_bytecode = True
from cputime import thread_time  # noqa: E402

PERIOD, A, B = 0.050, 0.005, 0.003


def a(begun, turns):
    x = turns
    while thread_time() - begun < A:
        for i in range(turns):
            x = (x * 33 + i) & 0xFFFF
    return thread_time()


def b(begun, turns):
    x = turns
    while thread_time() - begun < B:
        for i in range(turns):
            x = (x * 33 + i) & 0xFFFF
    return thread_time()


def run(seconds, phase):
    spent, periods, late = {"a": 0.0, "b": 0.0}, 0, 0
    start = time.time()
    at = (int(start / PERIOD) + 2) * PERIOD + phase
    while at < start + seconds:
        time.sleep(max(at - time.time(), 0))
        begun = thread_time()
        middle = a(begun, 100)
        end = b(middle, 100)
        spent["a"] += middle - begun
        spent["b"] += end - middle
        periods += 1
        at += PERIOD
        while at < time.time():
            at += PERIOD
            late += 1
    time.sleep(max(at - time.time(), 0))
    return {"cpu": spent, "wall": time.time() - start, "periods": periods, "late": late}


def main():
    parser = argparse.ArgumentParser(description="8 ms of CPU at the start of every 50 ms")
    parser.add_argument("--seconds", type=float, default=20.0, help="at most 300")
    parser.add_argument("--phase", type=float, default=0.0)
    options = parser.parse_args()
    print("READY %d %s" % (os.getpid(), json.dumps({"file": os.path.abspath(__file__)})))
    sys.stdout.flush()
    sys.stdin.readline()
    done = run(min(options.seconds, 300.0), options.phase / 1000)
    print("DONE %d %s" % (os.getpid(), json.dumps(done)))
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
