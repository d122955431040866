# SPDX-License-Identifier: BSD-2-Clause
"""A workload whose split of CPU time is known: four functions with 50, 30, 15 and 5 %.

    shares.py [--threads N] [--depth N] [--seconds S] [--until-eof | --wait]

Each thread keeps an account of the CPU time (its own clock, not the wall's) spent inside each function and always calls the
one that is furthest behind its share, for a chunk of pseudo-random length of about a millisecond. So the shares hold on any
machine and any interpreter (2.7, 3.6 and later), whatever the GIL, a busy neighbour or a slow loop do.

Prints one line when the threads are about to start:
    READY PID {"file": ..., "functions": {NAME: {"share": 0.5, "line": FIRST, "lines": [ALL THAT CAN BE EXECUTING]}}, ...}
and one at the end, with what was measured, in seconds of CPU:
    DONE PID {"cpu": {NAME: seconds}, "other": seconds, "outside": seconds}
"cpu" is the time of the functions, "other" that of the loop that calls them without the call of settle(), which is on the line
"settle" of READY, and "outside" what the process had besides. It ends after --seconds, or earlier with --until-eof when its standard input is closed. With --wait it
waits for a line on its standard input after READY, and for the end of it after DONE, and --seconds are of CPU.
"""
import argparse
import json
import os
import select
import sys
import threading
import time

if sys.version_info >= (3, 3):
    def cpu_clock():
        return time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID)

    def process_clock():
        return time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID)
else:
    import ctypes

    class Timespec(ctypes.Structure):
        _fields_ = [("sec", ctypes.c_long), ("nsec", ctypes.c_long)]

    _libc = ctypes.CDLL(None)
    _libc.clock_gettime.argtypes = [ctypes.c_int, ctypes.POINTER(Timespec)]

    def cpu_clock(which=3):  # CLOCK_THREAD_CPUTIME_ID, linux/time.h
        now = Timespec()
        _libc.clock_gettime(which, ctypes.byref(now))
        return now.sec + now.nsec * 1e-9

    def process_clock():
        return cpu_clock(2)  # CLOCK_PROCESS_CPUTIME_ID


def settle():
    """Two readings. A call of the kernel after a while without one takes three times as long as the next, so the first is as good as
    any for the time of what ran before, and the second is where the account of the rest goes on."""
    first = cpu_clock()
    return first, cpu_clock()


# Four copies of one loop: self time must be each function's own, so they share no helper. The lines between "x = 1" and the
# return are the ones that the time is spent on; body_lines() finds them by that shape.
def half(n):
    x = 1
    while n > 0:
        x = (x * 33 + n) & 0xFFFF
        n -= 1
    return x


def third(n):
    x = 1
    while n > 0:
        x = (x * 33 + n) & 0xFFFF
        n -= 1
    return x


def seventh(n):
    x = 1
    while n > 0:
        x = (x * 33 + n) & 0xFFFF
        n -= 1
    return x


def twentieth(n):
    x = 1
    while n > 0:
        x = (x * 33 + n) & 0xFFFF
        n -= 1
    return x


SHARES = [(half, 0.50), (third, 0.30), (seventh, 0.15), (twentieth, 0.05)]


def body_lines(function):
    first = function.__code__.co_firstlineno
    return list(range(first + 1, first + 6))


def settle_line():
    with open(half.__code__.co_filename) as f:
        return next(number for number, text in enumerate(f, 1) if text.endswith("  #=settle\n"))


def unit_count():
    """How many turns of the loop take a millisecond of CPU here."""
    turns = 1000
    while True:
        begin = cpu_clock()
        half(turns)
        spent = cpu_clock() - begin
        if spent > 0.005:
            return max(int(turns * 0.001 / spent), 10)
        turns *= 2


class Worker(object):
    def __init__(self, turns, seed, stop):
        self.turns = turns
        self.stop = stop
        self.random = seed * 7919 + 1
        self.spent = [0.0] * len(SHARES)
        self.overall = self.settled = 0.0

    def chunk(self):
        """Between 0.3 and 1.7 ms, so that no beat with the profiler's tick can build up."""
        self.random = (self.random * 1103515245 + 12345) & 0x7FFFFFFF
        return self.turns * (300 + (self.random >> 8) % 1400) // 1000

    def run(self):
        begin = cpu_clock()
        before = begin
        while not self.stop():
            total = sum(self.spent)
            index = max(range(len(SHARES)), key=lambda i: SHARES[i][1] * total - self.spent[i])
            chunk = self.chunk()
            before = cpu_clock()
            SHARES[index][0](chunk)
            first, second = settle()  #=settle
            self.spent[index] += first - before
            self.settled += second - first
        self.overall = cpu_clock() - begin

    def nested(self, depth):
        if depth <= 0:
            return self.run()
        return self.nested(depth - 1)


def main():
    parser = argparse.ArgumentParser(description="four functions with 50, 30, 15 and 5 % of the CPU time")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--depth", type=int, default=0, help="call through this many further frames first")
    parser.add_argument("--seconds", type=float, default=30.0, help="at most 900")
    parser.add_argument("--until-eof", action="store_true", help="end when standard input is closed")
    parser.add_argument("--wait", action="store_true", help="begin at a line on standard input")
    options = parser.parse_args()

    seconds = min(options.seconds, 900.0)
    deadline = time.time() + seconds
    begun = None
    ended = []

    def out_of_time():
        if begun is not None and process_clock() - begun < seconds:
            return False
        return bool(ended) or begun is not None or time.time() >= deadline

    if options.depth > 500:
        sys.setrecursionlimit(options.depth + 1000)
        threading.stack_size(256 << 20)
    turns = unit_count()
    workers = [Worker(turns, seed, out_of_time) for seed in range(options.threads)]
    facts = {
        "settle": settle_line(),
        "file": os.path.abspath(half.__code__.co_filename),
        "threads": options.threads,
        "depth": options.depth,
        "python": "%d.%d.%d" % sys.version_info[:3],
        "functions": {
            f.__name__: {"share": share, "line": f.__code__.co_firstlineno, "lines": body_lines(f)}
            for f, share in SHARES
        },
    }
    print("READY %d %s" % (os.getpid(), json.dumps(facts, sort_keys=True)))
    sys.stdout.flush()

    if options.wait:
        sys.stdin.readline()
        begun = process_clock()
    if options.until_eof:
        def watch():
            while not out_of_time():
                if select.select([0], [], [], 1.0)[0] and not os.read(0, 4096):
                    ended.append(True)

        watcher = threading.Thread(target=watch)
        watcher.daemon = True
        watcher.start()
    if options.threads == 1 and options.depth <= 500:
        workers[0].nested(options.depth)
    else:
        threads = [threading.Thread(target=w.nested, args=(options.depth,)) for w in workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    cpu = {f.__name__: sum(w.spent[i] for w in workers) for i, (f, _) in enumerate(SHARES)}
    overall = sum(w.overall for w in workers)
    other = overall - sum(cpu.values()) - sum(w.settled for w in workers)
    outside = process_clock() - (begun or 0.0) - overall
    print("DONE %d %s" % (os.getpid(), json.dumps({"cpu": cpu, "other": other, "outside": outside}, sort_keys=True)))
    sys.stdout.flush()
    if options.wait:
        sys.stdin.read()


if __name__ == "__main__":
    main()
