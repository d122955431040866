# SPDX-License-Identifier: BSD-2-Clause
"""A rule about the versions of CPython: each has its file, documents say which there are, and how one is added is told in full."""
import glob
import os
import re


def text(top, path):
    with open(os.path.join(top, path), encoding="utf-8") as f:
        return f.read()


def ranges(of):
    """[(3, 6), (3, 7), (3, 9)] as "3.6 to 3.7 and 3.9"."""
    runs = []
    for version in sorted(of):
        if runs and runs[-1][1] == (version[0], version[1] - 1):
            runs[-1][1] = version
        else:
            runs.append([version, version])
    said = ["%d.%d" % first + (" to %d.%d" % last if first != last else "") for first, last in runs]
    return " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said)


def versions(top):
    """daemon/python has a file for each version of CPython; the documents agree, and CONTRIBUTING.md names all its parts."""
    room = os.path.join("daemon", "python")
    known = {}
    for path in glob.glob(os.path.join(top, room, "version_*.c")):
        found = re.fullmatch(r"version_(\d+)_(\d+)\.c", os.path.basename(path))
        known[tuple(map(int, found.groups()))] = text(top, path)
    header, build, how_to = (text(top, path) for path in (os.path.join(room, "version.h"), os.path.join(room, "CMakeLists.txt"), "CONTRIBUTING.md"))
    for version in known:
        for where, word in ((header, r"V\(%d_%d\)"), (build, r"\bversion_%d_%d\.c\b")):
            if not re.search(word % version, where):
                yield "%s: version_%d_%d.c is not in version.h and in CMakeLists.txt" % ((room,) + version)
    free = {v for v, body in known.items() if ".objects_free_threaded = " in body}
    tasks = {v for v, body in known.items() if "TASKS_BY_" in body}
    without = {v for v in free if "TASKS_BY_TABLE" in known[v]}
    listed = ["%d.%d" % v for v in sorted(free)]
    profiled = "CPython %s" % ranges(known)
    without_gil = "free-threaded %s and %s" % (", ".join(listed[:-1]), listed[-1]) if listed else ""
    shown = "CPython %s (without the GIL %s alone)" % (ranges(tasks), ranges(without)) if without else ""
    for path, sentence in (("README.md", profiled), ("README.md", without_gil), ("ARCHITECTURE.md", profiled), ("ARCHITECTURE.md", without_gil),
                           ("daemon/man/plopctl.1", shown)):
        if sentence not in re.sub(r"\s+", " ", text(top, path)):
            yield '%s: says nowhere "%s", as %s has it' % (path, sentence, room)
    section = re.search(r"^## To add a Python version\n(.*?)(?=^## |\Z)", how_to, re.M | re.S)
    body = re.search(r"struct python_version \{\n(.*?)^\};", header, re.M | re.S)
    parts = re.findall(r"(\w+);", re.sub(r"/\*.*?\*/", "", body.group(1), flags=re.S)) if body else []
    if not section or not parts:
        yield "CONTRIBUTING.md, %s/version.h: no section on how to add a Python version, or no struct python_version" % room
        return
    for name in ["`.%s`" % part for part in parts] + ["`PYTHON_VERSIONS`", "`%s/version_3_NN.c`" % room, "`%s/CMakeLists.txt`" % room]:
        if name not in section.group(1):
            yield "CONTRIBUTING.md: to add a Python version does not name %s" % name


RULES = {"versions": versions}

HOW_TO = "## To add a Python version\n\n`daemon/python/version_3_NN.c`, `.version`, `.two`, `PYTHON_VERSIONS`, `daemon/python/CMakeLists.txt`\n"
SPDX = "/* SPDX-License-Identifier: BSD-2-Clause */\n"
VERSION_H = SPDX + "V(3_6) V(3_7)\nstruct python_version {\n\tint version; /* x; */\n\tint two;\n};\n"
GOOD = {
    "daemon/python/CMakeLists.txt": "# SPDX-License-Identifier: BSD-2-Clause\nplop_room(python SOURCES version_3_6.c version_3_7.c)\n",
    "daemon/python/version.h": VERSION_H,
    "daemon/python/version_3_6.c": SPDX + ".tasks = TASKS_NONE\n",
    "daemon/python/version_3_7.c": SPDX + ".tasks = TASKS_NONE\n",
}
BAD = [
    ("versions", "README.md", "CPython 3.6 to 3.8\n"),
    ("versions", "ARCHITECTURE.md", "CPython 3.7\n"),
    ("versions", "CONTRIBUTING.md", "to add one: .version, .two\n"),
    ("versions", "CONTRIBUTING.md", HOW_TO.replace("`.two`", "two")),
    ("versions", "CONTRIBUTING.md", HOW_TO.replace("version_3_NN", "layout_3_NN")),
    ("versions", "daemon/python/CMakeLists.txt", "plop_room(python SOURCES version_3_6.c)\n"),
    ("versions", "daemon/python/version.h", VERSION_H.replace("V(3_6)", "")),
    ("versions", "daemon/python/version_3_7.c", SPDX + ".objects_free_threaded = {}, .tasks = TASKS_BY_TABLE\n"),
]
