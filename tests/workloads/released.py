# SPDX-License-Identifier: BSD-2-Clause
"""Threads that burn CPU in C with the GIL released.

    released.py MAIN [--cpu S]

One thread derives keys (hashlib), another compresses (zlib); the main thread waits for them (MAIN: wait) or works in Python
meanwhile (MAIN: work). Prints "READY PID", waits for a line on its standard input, works until the threads have used about S
seconds of CPU each (2, at most 60), and prints
    DONE PID {FUNCTION: seconds of CPU}
and waits for a line again. Python 2.7, 3.6 and later.
"""
import argparse
import hashlib
import json
import os
import sys
import threading
import zlib

from shares import cpu_clock

spent = {}


def derive(seconds):
    data = os.urandom(1 << 20)
    begin = cpu_clock()
    while cpu_clock() - begin < seconds:
        if hasattr(hashlib.pbkdf2_hmac, "__code__"):  # 2.7 without OpenSSL has one in Python
            zlib.compress(data, 9)
        else:
            hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 30000)
    spent["derive"] = cpu_clock() - begin


def compress(seconds):
    data = os.urandom(1 << 20)
    begin = cpu_clock()
    while cpu_clock() - begin < seconds:
        zlib.compress(data)
    spent["compress"] = cpu_clock() - begin


def work(seconds):
    begin = cpu_clock()
    while cpu_clock() - begin < seconds:
        x = 1
        n = 10000
        while n > 0:
            x = (x * 33 + n) & 0xFFFF
            n -= 1
    spent["work"] = cpu_clock() - begin


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("main", choices=("wait", "work"))
    parser.add_argument("--cpu", type=float, default=2.0)
    options = parser.parse_args()
    seconds = min(options.cpu, 60.0)
    print("READY %d" % os.getpid())
    sys.stdout.flush()
    sys.stdin.readline()
    threads = [threading.Thread(target=function, args=(seconds,)) for function in (derive, compress)]
    for thread in threads:
        thread.start()
    if options.main == "work":
        work(seconds)
    for thread in threads:
        thread.join()
    print("DONE %d %s" % (os.getpid(), json.dumps(spent)))
    sys.stdout.flush()
    sys.stdin.readline()


if __name__ == "__main__":
    main()
