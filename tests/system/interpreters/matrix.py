# SPDX-License-Identifier: BSD-2-Clause
"""The interpreters that plop is tested with: one row for each kind that it must know, and where this machine has it.

    matrix.py       (tests/pythons --matrix)

A row that is absent has a reason: in absent.txt beside this file, or written by tests/pythons --builds into its cache.
"""
import collections
import glob
import os
import subprocess
import sys
import sysconfig

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(os.path.dirname(HERE))
CACHE = os.path.join(TESTS, ".cache", "pythons")


def known(word=""):
    """The versions that plop knows, oldest first: of the files that it has for them, those that say word."""
    found = []
    for path in glob.glob(os.path.join(os.path.dirname(TESTS), "daemon", "python", "version_*.c")):
        with open(path) as f:
            if word in f.read():
                found.append(tuple(map(int, os.path.basename(path)[:-2].split("_")[1:])))
    assert found, "no files of versions"
    return ["%d.%d" % version for version in sorted(found)]


VERSIONS = known()
FREE_THREADED = [version + "t" for version in known(".objects_free_threaded")]
JIT = ["3.13", "3.14", "3.15"]

# paths: commands, or what the test makes the row of; empty: absent, with the reason
Row = collections.namedtuple("Row", "name what paths reason")


def reasons():
    """What is written down, by row; tests/pythons' own findings before the general ones."""
    known = {}
    for path in (os.path.join(HERE, "absent.txt"), os.path.join(CACHE, "absent")):
        if os.path.exists(path):
            with open(path) as f:
                known.update(line.strip().split(None, 1) for line in f if line.strip() and not line.startswith("#"))
    return known


def listed():
    """(version, path, build) as tests/pythons has them."""
    done = subprocess.run([os.path.join(TESTS, "pythons")], stdout=subprocess.PIPE, check=True)
    return [line.split(None, 2) for line in done.stdout.decode().splitlines()]


def minor(version):
    return ".".join(version.split("rc")[0].split(".")[:2])


def existing(*patterns):
    return [path for pattern in patterns for path in sorted(glob.glob(pattern))][:1]


def jit(version, found):
    """Debian's have it, and do not use it unless told."""
    if version == "3.13":
        return existing(os.path.join(CACHE, "odd", "python3.13j"))
    check = "import sys; sys.exit(not sys._jit.is_available())"
    return [path for v, path, build in found if minor(v) == version and build == "static"
            and subprocess.run([path, "-c", check], stderr=subprocess.DEVNULL).returncode == 0][:1]


def rows():
    found = listed()
    why = reasons()
    libpl = sysconfig.get_config_var("LIBPL")
    archive = os.path.join(libpl, sysconfig.get_config_var("LIBRARY"))
    library = existing(os.path.join(sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("INSTSONAME")))
    pic = existing(archive.replace(".a", "-pic.a"))
    forged = [path for v, path, build in found if minor(v) in ("3.13", "3.14", "3.15") and build == "static" and CACHE in path][-1:]
    uwsgi = existing("/usr/lib/uwsgi/plugins/python3*_plugin.so") if os.path.exists("/usr/bin/uwsgi-core") else []
    table = [(v, "", [path for w, path, build in found if minor(w) == v and "-" not in build]) for v in VERSIONS]
    table += [(v, "free-threaded", [path for w, path, build in found if minor(w) + "t" == v and "-freethreaded" in build])
              for v in FREE_THREADED]
    table += [("debug", "a debug build", [path for _, path, build in found if build.endswith("-debug")]),
              ("debug-3.9", "a debug build with a layout by table", existing(os.path.join(CACHE, "odd", "python3.9d"))),
              ("trace-refs", "a build with Py_TRACE_REFS, refused", existing(os.path.join(CACHE, "odd", "python2.7-dbg")))]
    table += [("jit-" + v, "with the JIT at work", jit(v, found)) for v in JIT]
    table += [
        ("static", "the interpreter in the executable", [path for _, path, build in found if build.startswith("static")]),
        ("shared", "an executable linked to libpython", library + sorted(glob.glob(os.path.join(
            CACHE, "root", "usr", "lib", "*-linux-gnu*", "libpython3.*.so.1.0")))),
        ("pie", "static, position-independent", pic),
        ("no-pie", "static, at a fixed address", existing(archive)),
        ("stripped", "static, without .symtab", pic),
        ("unexported", "static, without .symtab, _PyRuntime not exported", pic),
        ("renamed", "a copy called worker", existing("/usr/bin/python3")),
        ("uwsgi", "libpython in uWSGI by its plugin", uwsgi),
        ("gdb", "libpython in gdb", existing("/usr/bin/gdb")),
        ("dlopen", "libpython loaded long after exec", library),
        ("pypy", "PyPy, refused", existing("/usr/bin/pypy3")),
        ("unknown", "says that it is 3.16, refused", forged),
    ]
    return [Row(name, what, paths, None if paths else why.get(name)) for name, what, paths in table]


def show(row):
    if row.paths:
        where = " ".join(row.paths)
    else:
        where = "absent: " + (row.reason or "NO REASON RECORDED")
    return "%-11s %s%s" % (row.name, row.what + ": " if row.what else "", where)


def required():
    """Whether a row that is absent without a reason is a failure."""
    return os.environ.get("CI") == "true" or os.environ.get("PLOP_REQUIRE_MATRIX") == "1"


def main():
    table = rows()
    for row in table:
        print(show(row))
    return 1 if required() and any(not row.paths and not row.reason for row in table) else 0


if __name__ == "__main__":
    sys.exit(main())
