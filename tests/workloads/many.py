# SPDX-License-Identifier: BSD-2-Clause
"""Many Python processes at once.

    many.py [--idle N] [--busy N] [--seconds S] [--until-eof]

Starts N idle and N busy interpreters (of the kind that runs this file) and prints "READY PID PID ..." when each has said that
it runs; the idle ones first. They end with their parent, which ends after --seconds (60, at most 900), or with --until-eof when
its standard input is closed. Python 2.7, 3.6 and later.
"""
import argparse
import os
import select
import subprocess
import sys
import time

# A child ends when its standard input does, which is a pipe that only the parent holds: no child outlives it.
IDLE = r"""
import os, sys
sys.stdout.write("%d\n" % os.getpid()); sys.stdout.flush()
os.read(0, 1)
"""
BUSY = r"""
import os, select, sys
sys.stdout.write("%d\n" % os.getpid()); sys.stdout.flush()
def burn(n):
    x = 1
    while n > 0:
        x = (x * 33 + n) & 0xFFFF
        n -= 1
while not select.select([0], [], [], 0)[0]:
    burn(100000)
"""


def start(program, name):
    return subprocess.Popen([sys.executable, "-c", program, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            close_fds=True)


def main():
    parser = argparse.ArgumentParser(description="many Python processes at once")
    parser.add_argument("--idle", type=int, default=49)
    parser.add_argument("--busy", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60.0, help="at most 900")
    parser.add_argument("--until-eof", action="store_true", help="end when standard input is closed")
    options = parser.parse_args()
    if options.idle + options.busy > 2000:
        parser.error("at most 2000 processes")

    deadline = time.time() + min(options.seconds, 900.0)
    children = []
    try:
        children += [start(IDLE, "idle") for _ in range(options.idle)]
        children += [start(BUSY, "busy") for _ in range(options.busy)]
        pids = [int(child.stdout.readline()) for child in children]
        print("READY " + " ".join(str(pid) for pid in pids))
        sys.stdout.flush()
        while time.time() < deadline:
            if not options.until_eof:
                time.sleep(max(deadline - time.time(), 0))
            elif select.select([0], [], [], max(deadline - time.time(), 0))[0] and not os.read(0, 4096):
                break
    finally:
        for child in children:
            child.stdin.close()
        for child in children:
            child.wait()


if __name__ == "__main__":
    main()
