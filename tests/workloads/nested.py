# SPDX-License-Identifier: BSD-2-Clause
"""A thread in three interpreters: the first calls the second, which calls the third, which burns CPU.

    nested.py newer|older [--release]

Of the two that it makes, the newer one is called last, or first. With --release it burns in C, without the GIL. Prints
"READY PID" and works until its standard input ends. Python 3.8 and later.
"""
import os
import sys
import threading

if sys.version_info >= (3, 13):
    import _interpreters as interpreters
else:
    import _xxsubinterpreters as interpreters

execute = getattr(interpreters, "exec", None) or interpreters.run_string

INNER = """
import hashlib
def innermost():
    if %r:
        for i in range(4):
            hashlib.sha512(data)
    else:
        x = 1
        for i in range(300000):
            x = x * 33 & 0xffff
data = b"x" * 4000000
innermost()
"""
OUTER = """
import sys
if sys.version_info >= (3, 13):
    import _interpreters as interpreters
else:
    import _xxsubinterpreters as interpreters
execute = getattr(interpreters, "exec", None) or interpreters.run_string
def middle():
    for i in range(20):
        execute(%d, %r)
middle()
"""


def call(interpreter, program):
    execute(interpreter, program)


def main():
    first, second = interpreters.create(), interpreters.create()
    outer, inner = (second, first) if sys.argv[1] == "older" else (first, second)
    program = OUTER % (int(inner), INNER % ("--release" in sys.argv))
    over = threading.Event()

    def wait():
        sys.stdin.read()
        over.set()
    threading.Thread(target=wait, daemon=True).start()
    print("READY %d" % os.getpid(), flush=True)
    while not over.is_set():
        call(outer, program)
    os._exit(0)


if __name__ == "__main__":
    main()
