# SPDX-License-Identifier: BSD-2-Clause
"""Greenlets that switch often, each at a depth of its own, by greenlet itself or (--gevent) by gevent with a monkey-patched sleep. All
functions of a greenlet end in its letter. Runs until its input ends."""
import argparse
import sys

parser = argparse.ArgumentParser()
parser.add_argument("--gevent", action="store_true")
parser.add_argument("--sleep", type=float, default=0.0)
options = parser.parse_args()

if options.gevent:
    from gevent import monkey
    monkey.patch_all()

import threading  # noqa: E402
import time  # noqa: E402

DEPTHS = {"A": 2, "B": 30, "C": 400}

FUNCTIONS = """
def work_%(letter)s():
    x = 0
    for i in range(2000):
        x += i
    return x

def down_%(letter)s(n):
    if n > 1:
        return down_%(letter)s(n - 1) + 1
    while not ended():
        work_%(letter)s()
        switch()
    return 0

def run_%(letter)s():
    down_%(letter)s(%(depth)d)
"""

over = []
switch = None


def ended():
    return bool(over)


for letter, depth in DEPTHS.items():
    exec(compile(FUNCTIONS % {"letter": letter, "depth": depth}, __file__, "exec"))


def by_gevent():
    global switch
    import gevent

    def switch():
        time.sleep(options.sleep)
    workers = [gevent.spawn(globals()["run_" + letter]) for letter in DEPTHS]
    watch = gevent.get_hub().threadpool.spawn(sys.stdin.read)
    print("READY 0", flush=True)
    watch.wait()
    over.append(True)
    gevent.joinall(workers)


def by_greenlet():
    global switch
    from greenlet import getcurrent, greenlet
    main = getcurrent()

    def switch():
        main.switch()
    workers = [greenlet(globals()["run_" + letter]) for letter in DEPTHS]
    threading.Thread(target=lambda: (sys.stdin.read(), over.append(True)), daemon=True).start()
    print("READY 0", flush=True)
    while not over:
        for worker in workers:
            worker.switch()


if options.gevent:
    by_gevent()
else:
    by_greenlet()
