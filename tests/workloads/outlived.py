# SPDX-License-Identifier: BSD-2-Clause
"""One function that is in use for long, and another then, at its address: nearly all time is in what they call.

    outlived.py BEFORE AFTER

kept_0 calls hold_0 for BEFORE seconds, then kept_1, made at its address, calls hold_1 for AFTER seconds; so kept_0 above hold_1 is
wrong. Prints "READY PID", waits for a line on its standard input, and prints "DONE PID true" where the address was the same.
"""
import json
import os
import sys
import time


def make(name, body):
    scope = {"time": time}
    exec("def %s(hold):\n    %s\n" % (name, body), scope)
    return scope.pop(name)


def spin(kept, hold, until):
    while time.time() < until:
        kept(hold)


def successor(address):
    """kept_1 at the address of a function that was just freed, if one of the first few comes to lie there."""
    tried = []
    while len(tried) < 1000 and not (tried and id(tried[-1].__code__) == address):
        tried.append(make("kept_1", "hold(4000)"))
    return tried[-1]


def main():
    before, after = float(sys.argv[1]), float(sys.argv[2])
    holds = [make("hold_%d" % n, "for i in range(hold): time") for n in (0, 1)]
    kept = make("kept_0", "hold(4000)")
    address = id(kept.__code__)
    print("READY %d" % os.getpid())
    sys.stdout.flush()
    sys.stdin.readline()
    began = time.time()
    spin(kept, holds[0], began + before)
    del kept
    kept = successor(address)
    spin(kept, holds[1], began + before + after)
    print("DONE %d %s" % (os.getpid(), json.dumps(id(kept.__code__) == address)))
    sys.stdout.flush()
    sys.stdin.readline()


if __name__ == "__main__":
    main()
