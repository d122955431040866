# SPDX-License-Identifier: BSD-2-Clause
"""Comes to rest in known places and says where: one line of JSON for each b"r" on stdin; b"w" makes it work and come
back. For CPython 3.6 and later; target_2.py is the same for 2.7."""
import _thread
import json
import os
import sys
import threading

lock = _thread.allocate_lock()
lock.acquire()
started = _thread.allocate_lock()
waiting = 0
rest = True


def wait():
    global waiting
    with started:
        waiting += 1
    if rest: lock.acquire()  # noqa: E701, the line of interest is the one that blocks


class Größe:
    def methode(self):
        return [wait() for _ in range(1)]

    @staticmethod
    def statisch():
        return Größe().methode()


def generator():
    yield (lambda: Größe.statisch())()


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
    # Code of a made-up file, with names outside of Latin-1 and far outside of the first plane.
    source = "\n" * 70000 + "def функция():\n\n    𐍈()\n"
    scope = {"𐍈": nested}
    exec(compile(source, "/tmp/файл 𝒳 é.py", "exec"), scope)
    return scope["функция"]


bodies = [nested, lambda: deep(10), lambda: deep(700), decorated()]


def stack_of(frame):
    rows = []
    while frame is not None:
        code = frame.f_code
        name = getattr(code, "co_qualname", code.co_name)
        rows.append([name, code.co_filename, code.co_firstlineno, frame.f_lineno])
        frame = frame.f_back
    return rows


def report():
    me = _thread.get_ident()
    native = {t.ident: getattr(t, "native_id", 0) for t in threading.enumerate()}
    threads = [{"ident": ident, "native": native.get(ident, 0), "stack": stack_of(frame)}
               for ident, frame in sys._current_frames().items() if ident != me]
    sys.stdout.write(json.dumps({"main": me, "threads": threads}) + "\n")
    sys.stdout.flush()


def work():
    """All the functions many times, traced and monitored meanwhile: nothing of it may change what tells a code object."""
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
        if n == 150 and hasattr(sys, "monitoring"):
            m = sys.monitoring
            m.use_tool_id(3, "plop-test")
            m.register_callback(3, m.events.LINE, lambda *a: None)
            m.set_events(3, m.events.LINE | m.events.PY_START)
        if n == 180 and hasattr(sys, "monitoring"):
            sys.monitoring.set_events(3, 0)
            sys.monitoring.free_tool_id(3)
    rest = True


sys.setrecursionlimit(5000)
threading.stack_size(16 << 20)
threads = [threading.Thread(target=body, daemon=True) for body in bodies]
for t in threads:
    t.start()
deadline = threading.Event()
for _ in range(500):
    with started:
        if waiting == len(bodies):
            break
    deadline.wait(0.01)
deadline.wait(0.05)
for command in iter(lambda: os.read(0, 1), b""):
    if command == b"w":
        work()
        sys.stdout.write("{}\n")
        sys.stdout.flush()
    else:
        report()
