# SPDX-License-Identifier: BSD-2-Clause
"""Threads that each do one thing, on a line that says so in its comment.

    dumped.py [waiting | busy | calls]

waiting: threads that sleep, wait for a lock and for a socket, and the main thread, which joins them. busy: also two that compute, and
one that does so without the GIL. calls: one that calls one() and two() in turn, which call what only they call. Prints
"READY PID" when every thread is in its function, though perhaps not on its line yet; ends when killed. Python 2.7, 3.6 and later.
"""
import hashlib
import os
import socket
import sys
import threading
import time

lock = threading.Lock()
near, far = socket.socketpair()


def sleeps(here):
    here.release()
    time.sleep(1000)  # line of sleeps


def locks(here):
    here.release()
    lock.acquire()  # line of locks


def receives(here):
    here.release()
    near.recv(1)  # line of receives


def computes_this(here):
    here.release()
    x = 1
    while True:
        x = x * 33 & 65535


def computes_that(here):
    here.release()
    x = 1
    while True:
        x = x * 33 & 65535


def hashes(here):
    data = b"x" * (1 << 24)
    here.release()
    while True:
        hashlib.sha256(data)  # line of hashes


def one_below(x):
    return x + 1


def one(x):
    return one_below(x)


def two_below(x):
    return x + 2


def two(x):
    return two_below(x)


def some(values):
    for value in values:
        yield two(value)


def deep(n):
    return deep(n - 1) + deep(n - 2) if n > 1 else one(n)


def calls(here):
    here.release()
    x = 1
    while True:
        x = one(x)
        x = two(x)
        sum(some((1, 2, 3)))
        x = deep(5) & 65535


def main(mode):
    functions = {"waiting": [sleeps, locks, receives], "calls": [calls],
                 "busy": [sleeps, locks, receives, computes_this, computes_that, hashes]}[mode]
    lock.acquire()
    threads, heres = [], []
    for function in functions:
        # a lock of C's, whose release() is no Python frame on anybody's stack
        heres.append(threading.Lock())
        heres[-1].acquire()
        threads.append(threading.Thread(target=function, name=function.__name__, args=(heres[-1],)))
        threads[-1].daemon = True
        threads[-1].start()
    for here in heres:
        here.acquire()
    print("READY %d" % os.getpid())
    sys.stdout.flush()
    threads[0].join()  # line of main


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "waiting")
