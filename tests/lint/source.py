# SPDX-License-Identifier: BSD-2-Clause
"""The rules of this repository that no foreign tool knows.

    source.py RULE [TOP]     RULE: layering, spdx, sizes, columns, stderr, json, packages, names; docs, readme, tree of docs.py; versions of versions.py;
                           parsers, claims of parsers.py
    source.py self-test      each rule against a small tree that breaks it

Prints one line for each finding, and exits with 1 when there is any.
"""
import os
import re
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import docs  # noqa: E402
import parsers  # noqa: E402
import versions  # noqa: E402

SKIPPED = {".git", ".cache", "node_modules", "__pycache__", "corpus", "regression", "golden", "fixtures"}
MAX_LINES = 600
MAX_FUNCTION = 80
MAX_COLUMNS = 100


def files(top, *suffixes):
    """Paths below top, relative; build trees and what npm brings are left out."""
    for folder, names, entries in os.walk(top):
        relative = os.path.relpath(folder, top)
        names[:] = sorted(n for n in names if n not in SKIPPED and not (relative == "." and n.startswith("build")))
        for entry in sorted(entries):
            if entry.endswith(suffixes):
                yield os.path.normpath(os.path.join(relative, entry))


def text(top, path):
    with open(os.path.join(top, path), encoding="utf-8") as f:
        return f.read()


def rooms(top):
    """Each room of daemon/ with the rooms it may include: the USES of its plop_room(), and theirs."""
    uses = {}
    for path in files(os.path.join(top, "daemon"), "CMakeLists.txt"):
        for body in re.findall(r"plop_room\(([^)]*)\)", text(top, os.path.join("daemon", path))):
            words = body.split()
            listed = []
            if "USES" in words:
                for word in words[words.index("USES") + 1:]:
                    if word in ("LIBS", "SOURCES"):
                        break
                    listed.append(word)
            uses[words[0]] = listed
    reach = {}
    for room in uses:
        seen, todo = set(), list(uses[room])
        while todo:
            other = todo.pop()
            if other not in seen:
                seen.add(other)
                todo += uses.get(other, [])
        reach[room] = seen
    return reach


def layering(top):
    """#include lines keep to plop_room's USES, no two rooms use each other, and only sampler includes BPF skeletons."""
    reach = rooms(top)
    if not reach:
        yield "daemon: no plop_room() found"
    for room, below in sorted(reach.items()):
        if room in below:
            yield "daemon/%s/CMakeLists.txt: %s uses itself in a circle" % (room, room)
    for path in files(os.path.join(top, "daemon"), ".c", ".h"):
        room = path.split(os.sep)[0] if os.sep in path else None
        for number, line in enumerate(text(top, os.path.join("daemon", path)).splitlines(), 1):
            found = re.match(r'\s*#\s*include\s+["<]([^">]+)[">]', line)
            if not found:
                continue
            target = found.group(1)
            where = "daemon/%s:%d" % (path, number)
            if target.endswith(".skel.h") and room != "sampler":
                yield "%s: only sampler includes skeletons" % where
            other = target.split("/")[0]
            if "/" not in target or other not in reach:
                continue
            if room and room in reach and other != room and other not in reach[room]:
                yield "%s: %s may not include %s (see plop_room in daemon/%s)" % (where, room, other, room)
    for path in files(os.path.join(top, "include"), ".h"):
        for number, line in enumerate(text(top, os.path.join("include", path)).splitlines(), 1):
            if re.match(r'\s*#\s*include\s+"(?!plop/)', line):
                yield "include/%s:%d: includes something of one side" % (path, number)


LICENSES = {
    "bpf": "(GPL-2.0-only OR BSD-2-Clause)",
    "include": "(GPL-2.0-only OR BSD-2-Clause)",
}


def spdx(top):
    """The first line (the second below "#!") names the licence; below bpf/ and include/ it is the double one."""
    scripts = [p for p in ("quickstart", "tests/run", ".ci/run") if os.path.exists(os.path.join(top, p))]
    for path in list(files(top, ".c", ".h", ".py", ".bash", ".mjs", ".js", ".css", ".cmake", ".proto", "CMakeLists.txt",
                           ".service.in")) + scripts:
        head = text(top, path).split("\n", 2)
        line = head[1] if head[0].startswith("#!") and len(head) > 1 else head[0]
        found = re.search(r"SPDX-License-Identifier: (.*?)\s*(\*/|-->)?$", line)
        wanted = LICENSES.get(path.split(os.sep)[0], "BSD-2-Clause")
        if path.endswith("CMakeLists.txt"):
            wanted = "BSD-2-Clause"
        if not found:
            yield "%s:1: no SPDX-License-Identifier" % path
        elif found.group(1) != wanted and not (wanted == "BSD-2-Clause" and found.group(1) == LICENSES["bpf"]):
            yield "%s:1: licence is %s, not %s" % (path, found.group(1), wanted)


def functions(lines):
    """(name, first line, length) of each function: kernel style has their braces alone in column 0."""
    begin = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            begin = number
        elif line == "}" and begin:
            name = None
            for back in range(begin - 2, max(begin - 8, -1), -1):
                found = re.match(r"[A-Za-z_].*?([A-Za-z_]\w*)\(", lines[back])
                if found:
                    name = found.group(1)
                    break
            yield name or "?", begin, number - begin - 1
            begin = None


def sizes(top):
    """Files have at most 600 lines, functions at most 80."""
    longest = []
    for path in files(top, ".c", ".h", ".py", ".bash", ".js", ".mjs"):
        if path == os.path.join("bpf", "vmlinux.h"):
            continue  # bpftool's
        lines = text(top, path).splitlines()
        if len(lines) > MAX_LINES:
            yield "%s: %d lines, more than %d" % (path, len(lines), MAX_LINES)
        if path.endswith((".c", ".h")):
            for name, first, length in functions(lines):
                longest.append((length, name, path))
                if length > MAX_FUNCTION:
                    yield "%s:%d: %s() has %d lines, more than %d" % (path, first, name, length, MAX_FUNCTION)
    for length, name, path in sorted(longest, reverse=True)[:5]:
        print("longest functions: %3d lines, %s() in %s" % (length, name, path))


def columns(top):
    """Comments in C are no wider than the code: 100 columns, a tab being 8."""
    for path in files(top, ".c", ".h"):
        if path == os.path.join("bpf", "vmlinux.h"):
            continue  # bpftool's
        lines = text(top, path).splitlines()
        inside = False
        for number, line in enumerate(lines, 1):
            comment = inside or "/*" in line or "//" in line
            if "/*" in line or "*/" in line:
                inside = line.rfind("/*") > line.rfind("*/")
            width = len(line.expandtabs(8))
            if comment and width > MAX_COLUMNS:
                yield "%s:%d: a comment of %d columns, more than %d" % (path, number, width, MAX_COLUMNS)


# Where stderr is written to on purpose: the log itself, and plopctl, whose messages are for the person who called it.
STDERR = re.compile(r"daemon/(util/log\.c|plopctl\.c|ctl/)")


def stderr(top):
    """Messages of plopd and plop-gateway go through util/log."""
    for path in files(top, ".c"):
        if not path.startswith("daemon" + os.sep) or STDERR.match(path):
            continue
        for number, line in enumerate(text(top, path).splitlines(), 1):
            if re.search(r"fprintf\(\s*stderr|\bperror\(|fputs\([^;]*\bstderr\)", line):
                yield "%s:%d: writes to stderr past the log" % (path, number)


def json(top):
    """What is written as JSON goes through util/json, whose types the compiler checks; jansson reads."""
    for path in files(os.path.join(top, "daemon"), ".c", ".h"):
        for number, line in enumerate(text(top, os.path.join("daemon", path)).splitlines(), 1):
            if re.search(r"\bjson_v?pack(_ex)?\b", line):
                yield "daemon/%s:%d: json_pack() checks no argument, json_put_*() of util/json.h does" % (path, number)


def packages(top):
    """What the README has installed to build by hand is what tests/setup.bash has: the first of alternatives."""
    listed = re.search(r"^build_packages=\((.*?)\)", text(top, "tests/setup.bash"), re.M | re.S)
    shown = re.search(r"apt install ((?:.*\\\n)*.*)", text(top, "README.md"))
    if not listed or not shown:
        yield "README.md, tests/setup.bash: no apt install there, or no build_packages here"
        return
    wanted = {word.strip('"').split("|")[0] for word in listed.group(1).split()} | {"npm"}
    for word in sorted(wanted ^ set(shown.group(1).replace("\\", " ").split())):
        yield "README.md: %s is in one of apt install and build_packages" % word


def names(top):
    """BPF programs and maps have names of at most 15 characters, so that bpftool shows them whole; no registry is named."""
    for path in files(os.path.join(top, "bpf"), ".bpf.c", ".bpf.h"):
        body = text(top, os.path.join("bpf", path))
        for name in re.findall(r'^SEC\("[^"]+"\)\n(?:[a-z_]+ )*?int (?:BPF_PROG\()?(\w+)', body, re.M) + \
                re.findall(r'^\} (\w+) SEC\("\.maps"\)', body, re.M):
            if len(name) > 15:
                yield "bpf/%s: %s has more than 15 characters" % (path, name)
    for path in files(top, "package-lock.json"):
        if '"resolved":' in text(top, path):
            yield "%s: names a registry (omit-lockfile-registry-resolved=true in .npmrc leaves it out)" % path


RULES = {"layering": layering, "spdx": spdx, "sizes": sizes, "columns": columns, "stderr": stderr, "json": json, "packages": packages, "names": names}
RULES.update(docs.RULES)
RULES.update(versions.RULES)
RULES.update(parsers.RULES)


# For each rule a tree that keeps to it, and what to write to break it.
LICENSE_C = "/* SPDX-License-Identifier: BSD-2-Clause */\n"
GOOD = {
    "README.md": "    sudo apt install one \\\n      two npm\n\nCPython 3.6 to 3.7\n",
    "tests/setup.bash": "# SPDX-License-Identifier: BSD-2-Clause\nbuild_packages=(\n\tone \"two|three\"\n)\n",
    "daemon/low/CMakeLists.txt": "# SPDX-License-Identifier: BSD-2-Clause\nplop_room(low SOURCES low.c)\n",
    "daemon/high/CMakeLists.txt": "# SPDX-License-Identifier: BSD-2-Clause\nplop_room(high USES low LIBS X SOURCES high.c)\n",
    "daemon/low/low.c": LICENSE_C + '#include "low/low.h"\nint low(void)\n{\n\treturn 1;\n}\n',
    "daemon/high/high.c": LICENSE_C + '#include "low/low.h"\n',
    "bpf/x.bpf.c": '/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */\nSEC("perf_event")\nint plop_tick(void *c)\n{\n}\n',
    "viewer/package-lock.json": "{}",
    **docs.GOOD,
    **versions.GOOD,
    **parsers.GOOD,
    "SECURITY.md": parsers.SECURITY,
    "CONTRIBUTING.md": docs.GOOD["CONTRIBUTING.md"] + "\n" + versions.HOW_TO,
}
BAD = [
    ("layering", "daemon/low/low.c", LICENSE_C + '#include "high/high.h"\n'),
    ("layering", "daemon/high/high.c", LICENSE_C + '#include "plop.skel.h"\n'),
    ("layering", "daemon/low/CMakeLists.txt", "plop_room(low USES high SOURCES low.c)\n"),
    ("spdx", "daemon/low/low.c", "int x;\n"),
    ("spdx", "bpf/x.bpf.c", LICENSE_C),
    ("sizes", "daemon/low/low.c", LICENSE_C + "\n" * 600),
    ("sizes", "daemon/low/low.c", LICENSE_C + "int low(void)\n{\n" + "\tlow();\n" * 81 + "}\n"),
    ("columns", "daemon/low/low.c", LICENSE_C + "/* " + "x" * 95 + " */\n"),
    ("columns", "daemon/low/low.c", LICENSE_C + "struct x {\n\tint y; /* " + "x" * 80 + " */\n};\n"),
    ("columns", "daemon/low/low.c", LICENSE_C + "/*\n * " + "x" * 98 + "\n */\n"),
    ("stderr", "daemon/low/low.c", LICENSE_C + 'fprintf(stderr, "x");\n'),
    ("json", "daemon/low/low.c", LICENSE_C + 'json_t *x = json_pack("{s:i}", "x", 1);\n'),
    ("json", "daemon/low/low.c", LICENSE_C + 'json_t *x = json_pack_ex(&error, 0, "i", 1);\n'),
    ("packages", "README.md", "    sudo apt install one npm\n"),
    ("packages", "README.md", "    sudo apt install one two three npm\n"),
    ("packages", "README.md", "nothing\n"),
    ("names", "bpf/x.bpf.c", 'SEC("perf_event")\nint a_name_that_is_too_long(void *c)\n'),
    ("names", "viewer/package-lock.json", '{"resolved": ""}'),
] + docs.BAD + versions.BAD + parsers.BAD


def self_test():
    for rule, broken, content in [(rule, None, None) for rule in sorted(RULES)] + BAD:
        top = tempfile.mkdtemp()
        try:
            for path, good in GOOD.items():
                os.makedirs(os.path.dirname(os.path.join(top, path)), exist_ok=True)
                with open(os.path.join(top, path), "w", encoding="utf-8") as f:
                    f.write(content if path == broken else good)
            os.makedirs(os.path.join(top, "include"), exist_ok=True)
            found = list(RULES[rule](top))
        finally:
            shutil.rmtree(top)
        if bool(found) != bool(broken):
            yield "%s on %s finds %s" % (rule, broken or "the good tree", found)


def main():
    rule = sys.argv[1]
    top = sys.argv[2] if len(sys.argv) > 2 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    found = list(self_test() if rule == "self-test" else RULES[rule](os.path.abspath(top)))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
