# SPDX-License-Identifier: BSD-2-Clause
"""A pool of workers for tests/bench: pool.py PROCESSES, until it is ended."""
import multiprocessing
import sys
import time

import functions

STEPS = functions.load()


def work(n):
    total = STEPS.run(n % 64, 15, 4000)
    time.sleep(0.1)
    return total


def main():
    with multiprocessing.get_context("fork").Pool(int(sys.argv[1])) as pool:
        print("READY", flush=True)
        while True:
            pool.map(work, range(256), chunksize=4)


if __name__ == "__main__":
    main()
