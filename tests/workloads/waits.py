# SPDX-License-Identifier: BSD-2-Clause
"""waits.py [--rounds N]: threads that wait in known ways, each of which measures its own time off CPU.

Prints READY PID, waits for a line, does its rounds, and prints DONE and, as JSON, for each role the seconds that its blocking line took,
or that its thread spent without a CPU."""
import json
import os
import select
import socket
import sys
import threading
import time

try:
    clock = time.monotonic
except AttributeError:  # 2.7
    clock = time.time

spent = {}


def cpu():
    return time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID)


def sleeps(rounds):
    total = 0.0
    for _ in range(rounds):
        began = clock()
        time.sleep(0.05)
        total += clock() - began
    spent["sleeps"] = total


def locks(rounds, lock):
    total = 0.0
    for _ in range(rounds):
        began = clock()
        lock.acquire()
        total += clock() - began
    spent["locks"] = total


def unlocks(rounds, lock):
    for _ in range(rounds):
        time.sleep(0.03)
        while not lock.locked():  # taken late, on a busy machine
            time.sleep(0.001)
        lock.release()


def receives(rounds, end):
    total = 0.0
    for _ in range(rounds):
        began = clock()
        end.recv(1)
        total += clock() - began
    spent["receives"] = total


def sends(rounds, end):
    for _ in range(rounds):
        time.sleep(0.04)
        end.send(b"x")


def selects(rounds, end):
    total = 0.0
    for _ in range(rounds):
        began = clock()
        select.select([end], [], [], 0.02)
        total += clock() - began
    spent["selects"] = total


def contends(rounds, name):
    """Holds the GIL whenever it can; what it is not on a CPU it waits for the GIL, or for a CPU."""
    began, used, n = clock(), cpu(), 0
    while clock() - began < rounds * 0.02:
        for i in range(20000):
            n += i
    spent[name] = clock() - began - (cpu() - used)
    return n


def run(targets):
    threads = [threading.Thread(target=target, args=arguments) for target, arguments in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main():
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 40
    lock = threading.Lock()
    lock.acquire()
    one, other = socket.socketpair()
    quiet, _keep = socket.socketpair()
    print("READY %d" % os.getpid())
    sys.stdout.flush()
    sys.stdin.readline()
    run([(sleeps, (rounds,)), (locks, (rounds, lock)), (unlocks, (rounds, lock)), (receives, (rounds, one)), (sends, (rounds, other)),
         (selects, (rounds, quiet))])
    if hasattr(time, "clock_gettime"):
        run([(contends, (rounds, "gil_1")), (contends, (rounds, "gil_2"))])
    print("DONE %d %s" % (os.getpid(), json.dumps(spent)))
    sys.stdout.flush()
    sys.stdin.readline()


if __name__ == "__main__":
    main()
