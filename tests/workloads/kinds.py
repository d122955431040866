# SPDX-License-Identifier: BSD-2-Clause
"""Every way that Python code comes to be on a stack, one after the other: generators, recursion through C, exceptions in flight,
trace functions, coroutines.

    kinds.py [--seconds S]

Goes once through all of them, tells their stacks (see told.py), prints "READY PID", waits for a line on its standard input,
and goes round for S seconds (60, at most 900), or until its standard input is closed. Python 2.7, 3.6 and later.
"""
import argparse
import functools
import os
import select
import sys
import time

import told


def burn(n=1500):
    if told.noting:
        told.note()
    x = 1
    while n > 0:
        x = (x * 33 + n) & 0xFFFF
        n -= 1
    return x


# generators: each takes from the next, so that all of them are on the stack
def innermost():
    for _ in range(3):
        burn()
        yield 1


def middle():
    for x in innermost():
        yield x


def outermost():
    for x in middle():
        burn()
        yield x


def generators():
    for _ in outermost():
        burn()


# recursion through C
def by_key(x):
    burn()
    return x


def by_reduce(a, b):
    return sorted([a, b], key=by_key)[0]


class Dynamic(object):
    def __getattr__(self, name):
        if name == "last":
            return functools.reduce(by_reduce, [3, 2, 1])
        return getattr(self, {"first": "second", "second": "last"}[name])

    def __lt__(self, other):
        burn()
        return False

    def __call__(self, x):
        burn()
        return x


def through_c():
    getattr(Dynamic(), "first")
    max([Dynamic(), Dynamic()])
    list(map(Dynamic(), [1]))
    list(map(lambda x: burn(), [1]))


def recurse(n):
    if n == 0:
        return burn()
    return sorted([1], key=lambda x: recurse(n - 1))


def mutual(n):
    # Python to Python and through C in turns
    if n == 0:
        return burn()
    return alternate(n - 1)


def alternate(n):
    return functools.reduce(lambda a, b: mutual(n), [1, 2])


# exceptions in flight
def deep(n):
    try:
        if n == 0:
            burn()
            raise ValueError(n)
        deep(n - 1)
    finally:
        burn()


def exceptions():
    try:
        deep(5)
    except ValueError:
        burn()
    for _ in range(20):
        try:
            int("none")
        except ValueError:
            pass
        try:
            thrower()
        except KeyError:
            pass


def thrower():
    try:
        raise KeyError(1)
    except KeyError:
        raise
    finally:
        burn()


# tracing on
@told.hook
def tracer(frame, event, arg):
    x = 1
    for i in range(50):
        x = x * 33 & 0xFFFF
    return tracer


@told.hook
def profiler(frame, event, arg):
    x = 1
    for i in range(3000):
        x = x * 33 & 0xFFFF


@told.hook
def monitor(code, place):
    x = 1
    for i in range(50):
        x = x * 33 & 0xFFFF


def traced_inner():
    burn(100)
    yield 1


def traced():
    for _ in traced_inner():
        burn(100)


def traces():
    sys.settrace(tracer)
    try:
        traced()
    finally:
        sys.settrace(None)


def profiles():
    sys.setprofile(profiler)
    try:
        traced()
    finally:
        sys.setprofile(None)


def monitors():
    tool = sys.monitoring
    tool.use_tool_id(2, "workload")
    try:
        tool.register_callback(2, tool.events.LINE, monitor)
        tool.register_callback(2, tool.events.PY_START, monitor)
        tool.set_events(2, tool.events.LINE | tool.events.PY_START)
        traced()
    finally:
        tool.set_events(2, 0)
        tool.free_tool_id(2)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds = min(parser.parse_args().seconds, 900.0)
    kinds = [generators, through_c, lambda: recurse(20), lambda: mutual(9), exceptions, traces, profiles]
    if sys.version_info >= (3, 6):
        import kinds_await
        kinds_await.burn = burn
        told.files.add(kinds_await.__file__)
        kinds += kinds_await.kinds
    if sys.version_info >= (3, 12):
        kinds.append(monitors)

    def once():
        for kind in kinds:
            kind()

    def rounds():
        # one place for all rounds, so that the first one tells the lines of all
        deadline = None
        while not deadline or time.time() < deadline:
            once()
            if told.noting:
                told.tell()
                print("READY %d" % os.getpid())
                sys.stdout.flush()
                sys.stdin.readline()
                deadline = time.time() + seconds
            if select.select([0], [], [], 0)[0]:
                break

    rounds()


if __name__ == "__main__":
    main()
