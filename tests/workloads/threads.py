# SPDX-License-Identifier: BSD-2-Clause
"""Many threads of which one works at a time: the work is handed round.

    threads.py [--threads N] [--turn MS] [--seconds S] [--same]

Each thread N has a function own_N of its own, which calls that one of seven functions of which N is a multiple by its remainder,
so that each stack tells whose it is. A thread works for MS milliseconds of CPU (2) and wakes the one that comes next. Prints
"READY PID" when all threads have had their turn, and ends after S seconds (60, at most 900). Python 2.7, 3.6 and later.
"""
import argparse
import os
import sys
import threading
import time


def burn(turns):
    x = 1
    while turns > 0:
        x = (x * 33 + turns) & 0xFFFF
        turns -= 1


def remainder_0(n):
    burn(n)


def remainder_1(n):
    burn(n)


def remainder_2(n):
    burn(n)


def remainder_3(n):
    burn(n)


def remainder_4(n):
    burn(n)


def remainder_5(n):
    burn(n)


def remainder_6(n):
    burn(n)


REMAINDERS = [remainder_0, remainder_1, remainder_2, remainder_3, remainder_4, remainder_5, remainder_6]

OWN = """def own_%d(mine, following, turns, ended):
    while True:
        mine.acquire()
        if not ended:
            remainder(turns[0])
        following.release()
        if ended:
            break
"""


def turns_of(milliseconds):
    best = None
    for _ in range(5):
        begin = time.time()
        burn(20000)
        spent = time.time() - begin
        best = spent if best is None else min(best, spent)
    return max(int(20000 * milliseconds / 1000.0 / best), 1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=1000, help="at most 2000")
    parser.add_argument("--turn", type=float, default=2.0, help="milliseconds")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--same", action="store_true", help="one function for all threads, instead of one for each")
    options = parser.parse_args()
    count, turns, ended = min(options.threads, 2000), [1], []  # a first turn is short, to be READY soon
    threading.stack_size(256 * 1024)
    # locks, which any thread may release; a semaphore would have Python functions of its own on the stacks
    locks = [threading.Lock() for _ in range(count + 1)]
    for lock in locks:
        lock.acquire()
    threads = []
    for n in range(count):
        which = 0 if options.same else n
        if which == n:
            scope = {"remainder": REMAINDERS[n % 7]}
            exec(compile(OWN % n, __file__, "exec"), scope)
        threads.append(threading.Thread(target=scope["own_%d" % which], args=(locks[n], locks[n + 1], turns, ended)))
        threads[-1].daemon = True
        threads[-1].start()
    deadline = None
    while deadline is None or time.time() < deadline:
        locks[0].release()
        locks[count].acquire()
        if deadline is None:
            deadline = time.time() + min(options.seconds, 900.0)
            turns[0] = turns_of(options.turn)
            print("READY %d" % os.getpid())
            sys.stdout.flush()
    ended.append(True)
    locks[0].release()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
