# SPDX-License-Identifier: BSD-2-Clause
# -*- coding: utf-8 -*-
"""target.py for CPython 2.7: names are byte strings, and what it does not have is left out."""
import json
import os
import sys
import thread
import threading

lock = thread.allocate_lock()
lock.acquire()
started = thread.allocate_lock()
waiting = 0
rest = True


def wait():
    global waiting
    with started:
        waiting += 1
    if rest: lock.acquire()  # noqa: E701, the line of interest is the one that blocks


class Old:
    def method(self):
        return [n for n in (wait() for _ in range(1))]


def generator():
    yield (lambda: Old().method())()


def nested():
    def inner(n):
        if n:
            return (
                inner(n -
                      1))
        for _ in generator():
            pass
    inner(3)


def deep(n):
    if n:
        return deep(n - 1)
    wait()


def decorated():
    # Far down in a made-up file with a name in UTF-8.
    scope = {"nested": nested}
    exec compile("\n" * 70000 + "def function():\n\n    nested()\n", "/tmp/файл 𝒳 é.py", "exec") in scope
    return scope["function"]


bodies = [nested, lambda: deep(10), lambda: deep(700), decorated()]


def stack_of(frame):
    rows = []
    while frame is not None:
        code = frame.f_code
        rows.append([code.co_name, code.co_filename, code.co_firstlineno, frame.f_lineno])
        frame = frame.f_back
    return rows


def report():
    me = thread.get_ident()
    threads = [{"ident": ident, "stack": stack_of(frame)} for ident, frame in sys._current_frames().items() if ident != me]
    sys.stdout.write(json.dumps({"main": me, "threads": threads}) + "\n")
    sys.stdout.flush()


def work():
    """All the functions many times, traced meanwhile: nothing of it may change what tells a code object."""
    global rest
    rest = False
    for n in range(300):
        for body in bodies:
            if body is not bodies[2] or n < 3:
                body()
        if n == 100:
            sys.settrace(lambda *a: None)
        if n == 120:
            sys.settrace(None)
    rest = True


sys.setrecursionlimit(5000)
threading.stack_size(16 << 20)
for body in bodies:
    t = threading.Thread(target=body)
    t.daemon = True
    t.start()
pause = threading.Event()
for _ in range(500):
    with started:
        if waiting == len(bodies):
            break
    pause.wait(0.01)
pause.wait(0.05)
for command in iter(lambda: os.read(0, 1), b""):
    if command == b"w":
        work()
        sys.stdout.write("{}\n")
        sys.stdout.flush()
    else:
        report()
