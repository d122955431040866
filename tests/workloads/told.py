# SPDX-License-Identifier: BSD-2-Clause
"""What CPython itself says of the stacks that a workload burns CPU in. Imported by workloads; Python 2.7, 3.6 and later.

A workload calls note() in each function that burns, once for every way to it, and then tell(), which prints

    FACT PID {"files": [...], "paths": [[[NAME, FILE, LINE], ...], ...], "lines": [[NAME, FILE, [LINE, ...]], ...], "hooks": [...],
              "made": [[NAME, FILE, LINE], ...]}

with the paths root first. tests/system/possible.py compares samples with them.
"""
import dis
import json
import os
import sys

noting = True
paths = set()
lines = {}
hooks = set()
made = set()
files = set()


def name_of(code):
    return getattr(code, "co_qualname", code.co_name)


def lines_of(code):
    """Of the whole code object; its first line as well, where 3.11 and later are while it is entered. 0: some of it has no line."""
    found = {line for _, line in dis.findlinestarts(code) if line}
    found.add(code.co_firstlineno)
    if hasattr(code, "co_lines") and any(line is None for _, _, line in code.co_lines()):
        found.add(0)
    return found


def know(code):
    if code.co_flags & (0x20 | 0x80 | 0x200):  # CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR
        made.add((name_of(code), code.co_filename, code.co_firstlineno))
    lines.setdefault((name_of(code), code.co_filename), set()).update(lines_of(code))


def hook(function):
    """One that may be called from anywhere, such as a trace function."""
    know(function.__code__)
    files.add(function.__code__.co_filename)
    hooks.add(name_of(function.__code__))
    return function


def note():
    frame = sys._getframe(1)
    files.add(frame.f_code.co_filename)
    path = []
    while frame:
        know(frame.f_code)
        path.append((name_of(frame.f_code), frame.f_code.co_filename, frame.f_lineno))
        frame = frame.f_back
    paths.add(tuple(reversed(path)))


def tell():
    """Ends the noting and prints what was noted, in one write: several interpreters of one process may do so at once."""
    global noting
    noting = False
    facts = {"files": sorted(files), "paths": sorted(paths), "hooks": sorted(hooks), "made": sorted(made),
             "lines": [[name, path, sorted(numbers)] for (name, path), numbers in sorted(lines.items())]}
    data = ("FACT %d %s\n" % (os.getpid(), json.dumps(facts))).encode()
    while data:
        data = data[os.write(1, data):]
