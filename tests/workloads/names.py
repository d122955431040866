# SPDX-License-Identifier: BSD-2-Clause
"""Functions with names and files of every kind, each of which burns the same CPU time. For CPython 2.7 to 3.15.

names.py FIRST FOLDER ROUNDS: prints READY, the number of cases and them as JSON: [name, file, first line, last line] each;
on a line of standard input all of them run ROUNDS times, then it prints DONE and stays until the input's end. The functions
made here begin at lines FIRST, FIRST + 100 and so on. 2.7's names are bytes, which the JSON has as Latin-1.
"""
import importlib
import json
import os
import sys
import time
import types
import zipfile

PYTHON3 = sys.version_info[0] >= 3
SLICE = 0.004
SOURCE = ("def spin(until, clock):\n    x = 1\n    while clock() < until:\n        for _ in range(500):\n"
          "            x = x * 33 & 65535\n")
clock = time.process_time if PYTHON3 else time.clock

# (name, file); None: as the compiler made it
CASES = [
    (u"ascii", u"/srv/ascii.py"),
    (u"latin_\xe9\xff", u"/srv/latin_\xfc.py"),
    (u"ucs2_\u65e5\u672c\u20ac", u"/srv/ucs2_\u0444.py"),
    (u"ucs4_\U0001f40d\U0001d518", u"/srv/ucs4_\U0001f600.py"),
    (u"low_\udc80_low", u"/srv/caf\udce9.py"),
    (u"\ud83d_high", u"/srv/\ud800.py"),
    (u"ucs4_and_lone_\U0001f40d\udfff", u"/srv/\udfff\U0001f40d.py"),
    (u"new\nline 7", u"/srv/new\nline.py"),
    (u"carriage\rreturn\ttab", u"/srv/\x1b[31m.py"),
    (u"c1_\x85_\x9b_del_\x7f", u"/srv/separators_\u2028_\u2029.py"),
    (u"semi;colon", u"/srv/a;b.py"),
    (u"nul\0here", u"/srv/nul\0here.py"),
    (u" blank before and behind ", u"/srv/with a blank.py"),
    (u"it's \"quoted\" `so` \\n \\", u"C:\\srv\\it's \"quoted\".py"),
    (u"like (a/frame.py:3) 17", u"/srv/like (a/frame.py:3) 17"),
    (u"[truncated]", u"/srv/brackets.py"),
    (u"<lambda>", u"<string>"),
    (u"<img src=x onerror=alert(1)>", u"<script>alert(1)</script>"),
    (u"no_file", u""),
    (u"", u"/srv/no_name.py"),
    (u"Outer.<locals>." * 200 + u"qualified", u"/srv/qualified.py"),
    (u"long_file", u"/" + u"d/" * 2045 + u"f.py"),
    (u"long_file_ucs2", u"/" + u"\u65e5" * 4091 + u".py"),
    (u"n" * 5000, u"/srv/" + u"f" * 5000),
]


def text(s):
    """What CPython of this version takes for s: UTF-8 bytes in 2.7."""
    return s if PYTHON3 else s.encode("utf-8")


def renamed(code, name, file):
    if hasattr(code, "replace"):
        new = {"co_name": name, "co_filename": file}
        if hasattr(code, "co_qualname"):
            # so that a profile with the plain name where there is a qualified one is wrong
            new.update(co_name="plain", co_qualname=name)
        return code.replace(**new)
    head = (code.co_argcount,) + ((code.co_kwonlyargcount,) if PYTHON3 else ())
    return types.CodeType(*(head + (code.co_nlocals, code.co_stacksize, code.co_flags, code.co_code, code.co_consts,
                                    code.co_names, code.co_varnames, file, name, code.co_firstlineno, code.co_lnotab)))


def made(first, name, file):
    """A function at line first, called name, in file."""
    space = {}
    exec(compile("\n" * (first - 1) + SOURCE, "made.py", "exec"), space)
    code = renamed(space["spin"].__code__, name, file)
    return types.FunctionType(code, space), (name, file, first, first + 5)


def zipped(folder, first):
    """A function of a module that lies in an archive."""
    archive = os.path.join(folder, "x.zip")
    if not os.path.exists(archive):
        with zipfile.ZipFile(archive + ".new.%d" % os.getpid(), "w") as z:
            z.writestr("plop_zipped_%d.py" % first, "\n" * (first - 1) + SOURCE)
        os.rename(archive + ".new.%d" % os.getpid(), archive)
    sys.path.insert(0, archive)
    module = importlib.import_module("plop_zipped_%d" % first)
    return module.spin, ("spin", os.path.join(archive, "plop_zipped_%d.py" % first), first, first + 5)


def frozen():
    """A function of <frozen importlib._bootstrap>, with a caller that keeps it busy."""
    from importlib import _bootstrap
    function = _bootstrap._handle_fromlist
    names = ("decoder",) * 2000

    def spin_frozen(until, clock):
        while clock() < until:
            function(json, names, None)

    first = function.__code__.co_firstlineno
    return spin_frozen, (function.__name__, "<frozen importlib._bootstrap>", first, first + 60)


def functions(first, folder):
    cases = [(text(name), text(file)) for name, file in CASES]
    if PYTHON3:
        # not compact in memory: an instance of a subclass, as path libraries have it for files
        subclass = type("Path", (str,), {})
        cases.append((subclass("subclass_ascii"), subclass("/srv/subclass_ascii.py")))
        cases.append((subclass(u"subclass_\u65e5"), subclass(u"/srv/subclass_\U0001f600.py")))
    else:
        cases.append((b"latin_1_\xe9_bytes", b"/srv/latin_1_\xe9.py"))
    found = [made(first + 100 * i, name, file) for i, (name, file) in enumerate(cases)]
    found.append(zipped(folder, first + 100 * len(cases)))
    if PYTHON3:
        found.append(frozen())
    return found


def main(first, folder, rounds):
    os.makedirs(folder)
    cases = functions(first, folder)
    known = [case if PYTHON3 else (case[0].decode("latin-1"), case[1].decode("latin-1")) + case[2:] for _, case in cases]
    sys.stdout.write("READY %d %s\n" % (len(known), json.dumps(known)))
    sys.stdout.flush()
    sys.stdin.readline()
    for _ in range(rounds):
        for function, _ in cases:
            function(clock() + SLICE, clock)
    sys.stdout.write("DONE\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
