# SPDX-License-Identifier: BSD-2-Clause
"""Threads that know when they used how much CPU time. For 3.6 and later.

    clocked.py KIND

KIND: one (a thread that spins), pauses (12 that pause now and then), births (one thread after the other, each for some 3 ms of CPU
time), late (one that spins, and another after two seconds), crowd (one that spins, 200 that wait), leaderless (one that spins, in a process
whose first thread has ended), exec (spins, and after a second of CPU once more as another program).
Says READY PID, waits for a line on its standard input, says ACCOUNT 0 [[[time, CPU time], ...] for each thread] and ends.
"""
import ctypes
import json
import os
import sys
import threading
import time

ACCOUNT = []


def thread_time():
    return time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID)


def spin_clocked(turns):
    n = 0
    for i in range(turns):
        n += i
    return n


def few(turns, cpu):
    while thread_time() < cpu:
        spin_clocked(turns)


def work(turns, pause=0.0):
    mine = []
    ACCOUNT.append(mine)
    while True:
        mine.append((time.time(), thread_time()))
        spin_clocked(turns)
        mine.append((time.time(), thread_time()))
        if pause:
            time.sleep(pause)


def tell():
    sys.stdin.readline()
    # what each used up to the line is known when it has told a point after it
    told = [(mine, len(mine)) for mine in ACCOUNT[:]]
    while any(len(mine) == before for mine, before in told):
        time.sleep(0.001)
    print("ACCOUNT 0 " + json.dumps([mine[:] for mine in ACCOUNT[:] if len(mine) > 1]), flush=True)
    os._exit(0)


def start(target, *arguments):
    thread = threading.Thread(target=target, args=arguments, daemon=True)
    thread.start()
    return thread


def main():
    kind = sys.argv[1]
    start(tell)
    if kind == "crowd":
        threading.stack_size(65536)
        for _ in range(200):
            start(time.sleep, 60)
    if kind == "pauses":
        for _ in range(12):
            start(work, 20000, 0.02)
    print("READY %d" % os.getpid(), flush=True)
    if kind == "pauses":
        time.sleep(60)
    if kind == "births":
        mine = []
        ACCOUNT.append(mine)
        while True:
            start(few, 20000, 0.003).join()
            # all of the process, as nothing else runs
            mine.append((time.time(), time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID)))
    if kind == "late":
        threading.Timer(2, work, (20000,)).start()
    if kind == "leaderless":
        start(work, 20000)
        ctypes.CDLL(None).pthread_exit(None)
    if kind == "exec":
        end = time.process_time() + 1
        while time.process_time() < end:
            spin_clocked(20000)
        os.execv(sys.executable, [sys.executable] + sys.argv[:1] + ["one"])
    work(20000)


if __name__ == "__main__":
    main()
