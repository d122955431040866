# SPDX-License-Identifier: BSD-2-Clause
"""Functions with made-up names of files that have an address in them, as beartype and others make them. Prints "READY PID" and works
until its standard input ends. Every Python."""
import os
import sys
import threading

SOURCE = """
def %s(turns):
    x = 1
    while turns:
        x = x * 33 & 0xFFFF
        turns -= 1
"""


def make(name, form):
    """form has place for an address."""
    space = {}
    exec(compile(SOURCE % name, form % id(space), "exec"), space)
    return space[name]


def main():
    made = [make("first", "<@made(__main__.first) at 0x%x>"), make("second", "<made second 0x%016x>"), make("third", "<made-third-%d>")]
    over = threading.Event()

    def wait():
        sys.stdin.read()
        over.set()
    thread = threading.Thread(target=wait)
    thread.start()
    sys.stdout.write("READY %d\n" % os.getpid())
    sys.stdout.flush()
    while not over.is_set():
        for function in made:
            function(20000)


main()
