# SPDX-License-Identifier: BSD-2-Clause
"""No global symbol is defined twice in what a program may be linked from.

    symbols.py BUILD        the rooms' libraries of a build tree: BUILD/daemon/rooms/ROOM/libplop_ROOM.a
    symbols.py self-test    libraries that are made for it, with the compiler $CC (default cc)

The linker does not say so: of a static library it takes only the objects that it misses something of, so that of two functions
of one name the first is called by all, whatever its signature is. Prints one line for each finding, and exits with 1 when there
is any.
"""
import os
import subprocess
import sys
import tempfile


def defined(library):
    """(name, object) of each global symbol that a library defines. Weak ones, which may be there twice, are left out."""
    for line in subprocess.run(["nm", "-A", "-g", "-P", "--defined-only", library], check=True, capture_output=True,
                               text=True).stdout.splitlines():
        # LIBRARY[OBJECT]: NAME TYPE VALUE SIZE
        where, _, symbol = line.partition("]: ")
        name, kind = symbol.split()[:2]
        if kind in "ABCDGRSTu":
            yield name, where.rpartition("[")[2]


def libraries(build):
    folder = os.path.join(build, "daemon", "rooms")
    for room in sorted(os.listdir(folder)):
        path = os.path.join(folder, room, "libplop_%s.a" % room)
        if os.path.exists(path):
            yield room, path


def twice(rooms):
    """A line for each name that is defined more than once, in one room or in two."""
    places = {}
    for room, path in rooms:
        for name, object_file in defined(path):
            places.setdefault(name, []).append("%s/%s" % (room, object_file.removesuffix(".o")))
    if not places:
        yield "no room's library defines anything: is the tree built?"
    for name, where in sorted(places.items()):
        if len(where) > 1:
            yield "%s is defined in %s" % (name, " and ".join(where))


def make(top, room, **sources):
    folder = os.path.join(top, "daemon", "rooms", room)
    os.makedirs(folder)
    objects = []
    for name, body in sources.items():
        objects.append(os.path.join(folder, name + ".o"))
        subprocess.run([os.environ.get("CC", "cc"), "-x", "c", "-c", "-o", objects[-1], "-"], input=body, text=True, check=True)
    subprocess.run(["ar", "rcs", os.path.join(folder, "libplop_%s.a" % room)] + objects, check=True)


def self_test():
    cases = [
        ("nothing twice", {}, 0),
        ("a function of another signature in another room", {"high": {"b": "int work(int x) { return x; }"}}, 1),
        ("a variable", {"high": {"b": "int state = 1;"}}, 1),
        ("two files of one room", {"high": {"b": "int x(void) { return 1; }", "c": "int x(void) { return 2; }"}}, 1),
        ("static and weak ones", {"high": {"b": "static int w(void) { return 1; } int (*v)(void) = w;"
                                           "__attribute__((weak)) int work(void) { return 1; }"}}, 0),
    ]
    for what, rooms, wanted in cases:
        with tempfile.TemporaryDirectory() as top:
            make(top, "low", a="int state; int work(void) { return state; }")
            for room, sources in rooms.items():
                make(top, room, **sources)
            found = list(twice(libraries(top)))
        if len(found) != wanted:
            yield "%s: found %s" % (what, found)
    with tempfile.TemporaryDirectory() as top:
        os.makedirs(os.path.join(top, "daemon", "rooms"))
        if len(list(twice(libraries(top)))) != 1:
            yield "a tree without libraries passes"


def main():
    found = list(self_test() if sys.argv[1] == "self-test" else twice(libraries(sys.argv[1])))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
