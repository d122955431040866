# SPDX-License-Identifier: BSD-2-Clause
"""
A process all of whose names are unmistakable: the function, the threads and the asyncio task have TAG in them, as have the file and the
link to Python that it is executed by, which the test makes.

    marked.py TAG                      says READY and works
    marked.py TAG shut                 ... on a line from standard input has itself made undumpable, and goes on under another name
    marked.py TAG drop UID             begins as root and changes its user first
    marked.py TAG exec                 ... on a line "PYTHON FILE TAG" from standard input executes another one of these
"""
import asyncio
import ctypes
import os
import sys
import threading
import time

PR_SET_DUMPABLE = 4
tag, then = sys.argv[1], sys.argv[2:]
libc = ctypes.CDLL(None)
names = {}


def make(name):
    """A function of that name which spins for a moment."""
    body = "def %s(n=3000):\n    x = 1\n    while n > 0:\n        x = (x * 33 + n) & 0xFFFF\n        n -= 1\n" % name
    exec(compile(body, __file__, "exec"), names)
    return names[name]


def work(name):
    spin = make(name)
    while True:
        spin()
        time.sleep(0.004)


async def task(name):
    spin = make(name)
    while True:
        spin()
        await asyncio.sleep(0.01)


def begin(name, thread):
    threading.Thread(target=work, args=(name,), name=thread, daemon=True).start()


async def main():
    await asyncio.create_task(task("task_" + tag), name="tk_" + tag)


def later():
    words = sys.stdin.readline().split()
    if then == ["exec"]:
        environment = dict(os.environ, PLOP_SERVICE="sv_" + words[2], PLOP_VERSION="vr_" + words[2])
        os.execve(words[0], words, environment)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    begin("fn_shut_" + tag, "th_shut_" + tag)
    sys.stdout.write("SHUT\n")
    sys.stdout.flush()


if then[:1] == ["drop"]:
    os.setgroups([])
    os.setresgid(*[int(then[1])] * 3)
    os.setresuid(*[int(then[1])] * 3)
begin("fn_" + tag, "th_" + tag)
if then[:1] in (["shut"], ["exec"]):
    threading.Thread(target=later, daemon=True).start()
sys.stdout.write("READY %d\n" % os.getpid())
sys.stdout.flush()
asyncio.run(main())
