# SPDX-License-Identifier: BSD-2-Clause
"""Keeps one CPU busy in a call graph of known shape, until its standard input is closed; prints "READY PID" first.

main calls busy, hub and a function whose name is HTML; hub calls eight functions; busy calls inner.
"""
import os
import select
import sys


def spin(n):
    total = 0
    for i in range(n):
        total += i * i
    return total


def inner(n):
    total = 0
    for i in range(n):
        total += i ^ n
    return total


def busy(n):
    return inner(n) + sum(i for i in (1, 2, 3))


def named(name):
    """A function of its own whose code object has this name; Python takes any text for it."""
    def template(n):
        total = 0
        for i in range(n):
            total += i & n
        return total
    if sys.version_info >= (3, 11):
        code = template.__code__.replace(co_name=name, co_qualname=name)
    else:
        code = template.__code__.replace(co_name=name)
    return type(template)(code, globals(), name)


leaves = [named("leaf_%d" % i) for i in range(8)]
evil = named("<img src=x onerror=alert(1)>")


def hub(n):
    for leaf in leaves:
        leaf(n)


def main():
    print("READY", os.getpid(), flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        busy(40000)
        hub(4000)
        evil(20000)
        spin(10000)


main()
