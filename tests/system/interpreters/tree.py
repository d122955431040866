# SPDX-License-Identifier: BSD-2-Clause
"""Two paths of calls that take turns, whose every name, file and line is known. Needs nothing but what CPython has built in, and
runs in 2.7, 3.6 and later, as a script, in gdb, and imported by something else that calls grow().

    tree.py [SECONDS]

Says once where it is:
    READY PID {"version": ..., "file": ..., "root": [[NAME, FILE, LINE], ...], "paths": [[[NAME, LINE], ...], ...],
               "bodies": [[NAME, FIRST LINE, LAST LINE], ...], "busy": [[LINE, ...], ...], "jit": true, false or null}
"root" is what the interpreter itself says of the frames above grow(), outermost first; a path begins with grow() and
the lines are those of the calls, for the last frame its first. "busy" are the lines that the time goes to.
"""
import json
import os
import sys
import time

TURNS = 20000


def leaf(n):
    x = 1
    while n > 0:
        x = (x * 33 + n) & 0xFFFF
        n -= 1
    return x


class Twig(object):
    def leaf(self, n):
        x = 1
        while n > 0:
            x = (x * 35 + n) & 0xFFFF
            n -= 1
        return x


def left(n):
    return leaf(n)


def right(n):
    return Twig().leaf(n)


def deeper(depth, n):
    if depth > 0:
        return deeper(depth - 1, n)
    return left(n)


def grow(seconds):
    say(sys._getframe(1))
    deadline = time.time() + seconds
    while time.time() < deadline:
        deeper(5, TURNS)
        right(TURNS)


def name_of(code):
    return getattr(code, "co_qualname", code.co_name)


def say(frame):
    root = []
    while frame is not None:
        root.insert(0, [name_of(frame.f_code), frame.f_code.co_filename, frame.f_lineno])
        frame = frame.f_back
    first = dict((name, code.co_firstlineno) for name, code in (
        ("leaf", leaf.__code__), ("Twig.leaf", Twig.leaf.__code__), ("left", left.__code__), ("right", right.__code__),
        ("deeper", deeper.__code__), ("grow", grow.__code__)))
    twig = name_of(Twig.leaf.__code__)
    facts = {
        "version": "%d.%d.%d" % sys.version_info[:3] + ("" if sys.version_info[3] == "final" else "rc%d" % sys.version_info[4]),
        "file": leaf.__code__.co_filename,
        "root": root,
        "jit": sys._jit.is_enabled() if hasattr(sys, "_jit") else None,
        "paths": [
            [["grow", first["grow"] + 4]] + [["deeper", first["deeper"] + 2]] * 5 +
            [["deeper", first["deeper"] + 3], ["left", first["left"] + 1], ["leaf", first["leaf"]]],
            [["grow", first["grow"] + 5], ["right", first["right"] + 1], [twig, first["Twig.leaf"]]],
        ],
        "bodies": [[name, first[key], first[key] + length] for key, name, length in (
            ("leaf", "leaf", 5), ("Twig.leaf", twig, 5), ("left", "left", 1), ("right", "right", 1), ("deeper", "deeper", 3),
            ("grow", "grow", 5))],
        "busy": [[first["leaf"] + 3, first["leaf"] + 4], [first["Twig.leaf"] + 3, first["Twig.leaf"] + 4]],
    }
    sys.stdout.write("READY %d %s\n" % (os.getpid(), json.dumps(facts)))
    sys.stdout.flush()


if __name__ == "__main__":
    grow(float(sys.argv[1]) if sys.argv[1:] else 600.0)
