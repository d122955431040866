# SPDX-License-Identifier: BSD-2-Clause
"""Five hundred functions that call each other, as a module of its own.

    functions.load()                the module; made and compiled when it is first asked for
    module.run(route, depth, work)  goes through depth of them, another way for each route, and works in the last

A route always takes the same way: a program has many stacks, but the same ones all the time.
"""
import importlib.util
import os
import sys
import tempfile

MANY = 500

HEAD = '''"""Generated."""


def leaf(route, work):
    names = {}
    for i in range(work):
        key = "%d-%d" % (route, i & 31)
        names[key] = names.get(key, 0) + (i * 33 & 255)
    return sum(names.values())


def run(route, depth, work):
    return CALLS[route * 7 % len(CALLS)](route, depth - 2, work)

'''

ONE = '''
def step_%d(route, left, work):
    words = ["%%d" %% (route + i) for i in range(%d)]
    if left <= 0:
        return leaf(route, work)
    return len(words) + CALLS[(%d + left * 17 + route) %% len(CALLS)](route, left - 1, work)

'''


def text():
    parts = [ONE % (i, 2 + i % 5, i * 31) for i in range(MANY)]
    return HEAD + "\n".join(parts) + "\nCALLS = [%s]\n" % ", ".join("step_%d" % i for i in range(MANY))


def load():
    folder = tempfile.mkdtemp(prefix="plop-bench-")
    path = os.path.join(folder, "steps.py")
    try:
        with open(path, "w", encoding="utf-8") as f:
            f.write(text())
        spec = importlib.util.spec_from_file_location("steps", path)
        module = importlib.util.module_from_spec(spec)
        sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
        spec.loader.exec_module(module)
        sys.dont_write_bytecode = before
    finally:
        if os.path.exists(path):
            os.unlink(path)
        os.rmdir(folder)
    return module
