# SPDX-License-Identifier: BSD-2-Clause
# -*- coding: utf-8 -*-
"""Threads with names of all kinds, each at work in a function of its own.

    named_threads.py

Prints "READY PID", when all are in theirs, and a line "NAMES" with JSON: what each thread is called by the function that it is in, or null for those that
threading did not start. Then for a line on stdin: "rename" gives one another name, "end" ends one; each is answered by a line
"DONE". Python 2.7, 3.6 and later.
"""
import json
import os
import sys
import threading
import time

try:
    from _thread import start_new_thread
except ImportError:
    from thread import start_new_thread

names = {}
kinds = ["raw", "dummy"]
ended = []
FUNCTION = """def %s(me=None):
    started(%r, me)
    while not over(%r):
        n = 0
        while n < 20000:
            n += 1
        time.sleep(0.002)
"""


def started(function, me):
    names[function] = threading.current_thread().name if me is None else me


def over(function):
    return function in ended


def function(name):
    scope = {"started": started, "over": over, "time": time}
    exec(compile(FUNCTION % (name, name, name), __file__, "exec"), scope)
    return scope[name]


class WithFew(threading.Thread):
    def __init__(self, **arguments):
        self.before = 1
        threading.Thread.__init__(self, **arguments)
        self.after = 2


class WithMany(threading.Thread):
    """More attributes than instances share the keys of (30 from 3.11 on)."""
    def __init__(self, **arguments):
        for n in range(70):
            setattr(self, "attribute_%d" % n, n)
        threading.Thread.__init__(self, **arguments)


class WithSlots(threading.Thread):
    __slots__ = ("one", "two")


class Text(str):
    pass


def start(kind, name=None, make=threading.Thread):
    kinds.append(kind)
    thread = make(target=function(kind), name=name)
    thread.daemon = kind != "lasting"
    thread.start()
    return thread


def start_all():
    start("plain", "worker")
    start("lasting", "not a daemon")
    start("unnamed")
    start("long", "a-name-of-more-than-fifteen-bytes")
    start("huge", "x" * 1000)
    start("wide", "façade, работа, 東京, 🐍")
    start("latin", "façade" if sys.version_info >= (3,) else "facade")
    start("control", "two\nlines\x7f")
    start("number", 7)
    start("text", Text("a subclass of str"))
    start("few", "of a class with a few attributes", WithFew)
    start("many", "of a class with many attributes", WithMany)
    start("slots", "of a class with slots", WithSlots)
    vars(start("asked", "whose dict was asked for"))["more"] = 1
    thread = start("replaced", "whose dict was replaced")
    thread.__dict__ = dict(thread.__dict__)
    thread = start("deleted", "whose dict has deletions")
    thread.extra = 1
    del thread.extra
    vars(thread).pop("_target", None)
    thread = start("crowded", "with attributes of others")
    for n in range(100):
        setattr(thread, "attribute_%d" % n, n)
    start_new_thread(function("raw"), ("",))
    start_new_thread(function("dummy"), ())
    if sys.version_info >= (3,):
        from concurrent.futures import ThreadPoolExecutor
        pool = ThreadPoolExecutor(1)
        pool.submit(function("pooled"))
        kinds.append("pooled")
        return pool
    return None


def main():
    pool = start_all()  # noqa: F841, it would end
    thread = start("renamed", "before")
    start("ending", "ends before the recording does")
    while set(names) != set(kinds):
        time.sleep(0.01)
    # those that threading did not start: it calls one of them Dummy, if it is asked
    names["raw"] = names["dummy"] = None
    sys.stdout.write("READY %d\n" % os.getpid())
    sys.stdout.write("NAMES %s\n" % json.dumps(names))
    sys.stdout.flush()
    for line in iter(sys.stdin.readline, ""):
        if line == "rename\n":
            thread.name = "after"
        else:
            ended.append("ending")
        sys.stdout.write("DONE\n")
        sys.stdout.flush()
    os._exit(0)  # the one that is no daemon goes on


if __name__ == "__main__":
    main()
