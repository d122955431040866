# SPDX-License-Identifier: BSD-2-Clause
"""A workload that knows how its CPU time is split, by function and by line. For 2.7, 3.6 and later.

    known.py [--seconds S] PHASE...

Each phase is a function of that name below, which S seconds of CPU are spent in (its thread's own clock), one after the other:
    lines   lines of one function, in the statements that have lines of their own in CPython's line tables
    short   functions of a few instructions that are called millions of times
    many    200 functions, whose shares fall off with their number
    mixed   lines that call C (with the GIL and without it), one that calls Python from C, one that stays in Python
Says READY PID {"files": [...], "settle": LINE, "lineless": [FUNCTION, ...]}, the latter those of its functions in which
CPython gives some instructions no line, and waits for a line on its standard input; spends the time; says
    DONE PID {"phases": {PHASE: {"line": {LINE: seconds}, "laps": {LINE: LINE}, "leaf": {FUNCTION: seconds}, "ratio": {FUNCTION: calls},
              "rest": seconds, "overall": seconds}}, "outside": seconds, "cpu": seconds}
and waits for the end of its standard input. "line" is the time while a line of the phase's own function was current, in it or
in what it called, "laps" has the line on which its section goes on into Account.lap(), up to the end of settle() on the
latter's line "settle"; "rest" is the time of the other lines. "leaf" is the time of functions themselves without settle(). "ratio" is the
proportion in which functions that are the same but for their names were called; their time is not known, how it compares is.
"""
import argparse
import gc
import hashlib
import json
import os
import sys
import zlib

sys.dont_write_bytecode = True
import cputime  # noqa: E402
from cputime import SETTLE_LINE, Account, process_time, spin, turns_in_a_millisecond  # noqa: E402

if sys.version_info < (3,):
    range = xrange  # noqa: F821 # pylint: disable=all


class Manager(object):
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


def lines(account):
    x = 1
    some, lap, skip, manager = account.some, account.lap, account.skip, Manager()
    while not account.over():
        for i in range(some(1.0)): x = (x * 33 + i) & 0xFFFF  # noqa: E701 #=inline
        lap("inline")
        x = spin(some(2.0))  #=call
        lap("call")
        x = spin(some(0.5)) + spin(some(0.5))  #=twice
        lap("twice")
        if x >= 0:
            x = spin(some(0.7))  #=branch
        lap("branch")
        try:
            x = spin(some(1.3))  #=try
            lap("try")
            raise ValueError(x)
        except ValueError:
            skip()
            x = spin(some(0.4))  #=except
            lap("except")
        finally:
            x = spin(some(3.0))  #=finally
            lap("finally")
        x = sum([(x * 33 + i) & 0xFFFF for i in range(some(1.5))])  #=comprehension
        lap("comprehension")
        (lambda: spin(some(0.8)))()  #=lambda
        lap("lambda")
        with manager:
            skip()
            x = spin(some(1.1))  #=with
            lap("with")
        skip()
        x = [
            spin(some(0.6)),  #=element
            lap("element"),
            spin(some(1.8)),  #=another
            lap("another"),
        ]
        for i in (1, 2, 3):
            skip()
            x = spin(some(0.3))  #=turn
            lap("turn")


def leaf_a(n):
    return (n * 33 + 7) & 0xFFFF


def leaf_b(n):
    return (n * 33 + 7) & 0xFFFF


def leaf_c(n):
    return (n * 33 + 7) & 0xFFFF


def leaf_d(n):
    return (n * 33 + 7) & 0xFFFF


def short(account):
    a, b, c, d = leaf_a, leaf_b, leaf_c, leaf_d
    some, lap, skip = account.some, account.lap, account.skip
    elevens = sixes = 0
    while not account.over():
        turns = some(0.2)
        elevens += turns
        skip()
        for i in range(turns): a(i); b(a(i)); a(i); c(i); a(b(i)); d(i); b(a(i)); c(i)  # noqa: E701,E702 #=eleven
        lap("eleven")
        turns = some(0.2)
        sixes += turns
        skip()
        for i in range(turns): b(i); a(c(i)); d(i); a(b(i))  # noqa: E701,E702 #=six
        lap("six")
    # how often each was called in a turn of the one and of the other
    return {"ratio": {"leaf_a": 5 * elevens + 2 * sixes, "leaf_b": 3 * elevens + 2 * sixes, "leaf_c": 2 * elevens + sixes,
                      "leaf_d": elevens + sixes}}


NFUNCTIONS = 200


def many_functions():
    """f000 to f199, in a file that there is not, each like spin()."""
    body = "".join("    %s\n" % line for line in ("x = 1", "while n > 0:", "    x = (x * 33 + n) & 0xFFFF", "    n -= 1", "return x"))
    space = {}
    source = "".join("def f%03d(n):\n%s\n" % (k, body) for k in range(NFUNCTIONS))
    exec(compile(source, "<many>", "exec"), space)
    return [space["f%03d" % k] for k in range(NFUNCTIONS)]


def many(account):
    some, lap, skip = account.some, account.lap, account.skip
    work = [(f, f.__name__, 30.0 / (k + 10)) for k, f in enumerate(FUNCTIONS)]
    while not account.over():
        for function, name, milliseconds in work:
            turns = some(milliseconds)
            skip()
            function(turns)
            lap(name)


def backwards(x):
    return -x


def mixed(account):
    some, lap = account.some, account.lap
    data = bytes(bytearray(k * k & 0xFF for k in range(1 << 18)))
    numbers = [(k * 7919) % 5003 for k in range(5000)]
    thing = {"numbers": numbers[:300], "words": ["%d" % k for k in numbers[:300]], "more": dict.fromkeys("abcdef", 1.5)}
    x = 1
    while not account.over():
        x = zlib.crc32(data, x & 0xFFFF)  #=crc32
        lap("crc32")
        x = spin(some(1.0))  #=python
        lap("python")
        hashlib.sha256(data).hexdigest()  #=sha256
        lap("sha256")
        sorted(numbers)  #=sorted
        lap("sorted")
        json.dumps(thing)  #=json
        lap("json")
        sorted(numbers, key=backwards)  #=key
        lap("key")
        for i in range(some(0.2)): x = (x * 33 + i) & 0xFFFF  # noqa: E701 #=inline_after_c
        lap("inline_after_c")
        zlib.compress(data[:20000])  #=compress
        lap("compress")


PHASES = {"lines": lines, "short": short, "many": many, "mixed": mixed}
FUNCTIONS = many_functions()


def markers(function):
    """{section: line} of the lines of a function that end in #=section, and of those that say lap("section")."""
    first, found, laps = function.__code__.co_firstlineno, {}, {}
    with open(__file__.replace(".pyc", ".py")) as f:
        for number, text in enumerate(f.read().splitlines()[first:], first + 1):
            if text and not text[0].isspace():
                break
            if "#=" in text:
                found[text.split("#=")[1]] = number
            if "lap(\"" in text:
                laps[text.split("\"")[1]] = number
    return found, laps


def lineless(code):
    """The names of the functions in a code object that have instructions without a line."""
    names = set()
    if hasattr(code, "co_lines") and any(line is None for _, _, line in code.co_lines()):
        names.add(getattr(code, "co_qualname", code.co_name))
    for constant in code.co_consts:
        if isinstance(constant, type(code)):
            names |= lineless(constant)
    return names


def facts_of(name, account):
    spent, rest = account.spent, account.rest()
    facts = {"rest": rest, "overall": rest + sum(spent.values())}
    if name == "many":
        facts["leaf"] = account.inner
    else:
        places, laps = markers(PHASES[name])
        facts["line"] = dict((places[section], seconds) for section, seconds in spent.items())
        facts["laps"] = dict((laps[section], line) for section, line in places.items())
        facts["names"] = dict((line, section) for section, line in places.items())
    return facts


def main():
    parser = argparse.ArgumentParser(description="phases with known shares of CPU time by function and by line")
    parser.add_argument("--seconds", type=float, default=2.0, help="of CPU for each phase, at most 300")
    parser.add_argument("phases", nargs="+", choices=sorted(PHASES))
    options = parser.parse_args()

    gc.disable()
    turns = turns_in_a_millisecond()
    files, without = [os.path.abspath(path).replace(".pyc", ".py") for path in (__file__, cputime.__file__)], set()
    for path in files:
        with open(path) as f:
            without |= lineless(compile(f.read(), path, "exec"))
    print("READY %d %s" % (os.getpid(), json.dumps({"files": files, "settle": SETTLE_LINE, "lineless": sorted(without)})))
    sys.stdout.flush()
    sys.stdin.readline()

    begun, done = process_time(), {}
    for number, name in enumerate(options.phases):
        account = Account(min(options.seconds, 300.0), turns, number + os.getpid())
        account.begin()
        more = PHASES[name](account)
        done[name] = facts_of(name, account)
        done[name].update(more or {})
    cpu = process_time() - begun
    outside = cpu - sum(phase["overall"] for phase in done.values())
    print("DONE %d %s" % (os.getpid(), json.dumps({"phases": done, "outside": outside, "cpu": cpu})))
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
