# SPDX-License-Identifier: BSD-2-Clause
"""Rules about what takes bytes from others: each parser is in tests/fuzz/parsers.txt with the fuzz target that covers it, or the reason why none
does; and each claim of SECURITY.md names a test that is there."""
import os
import re

LIST = "tests/fuzz/parsers.txt"
# What a file calls that takes bytes apart, and what a function of its own is called that does.
CALLS = re.compile(
    r"\b(?:json_load\w*|sscanf|strto(?:l|ul|ll|ull|d)|inflate|libdeflate_\w*decompress\w*|recv|recvmsg|sqlite3_column_(?:blob|text)|fgets|"
    r"getline|ini_parse\w*|reader_read\w*|reader_u64|unpack_(?:take|bytes|u32|text)|rows_(?:u8|u32|u64|string|more)|packed_get\w*|pread|read|"
    r"\w+__unpack|MHD_\w*connection_value\w*)\(|CURLOPT_WRITEFUNCTION")
NAMED = re.compile(r"^(?!static)[a-z][\w \*]*?\b\w+_(?:parse|decode|unpack)\(", re.M)


def read(top, path):
    try:
        with open(os.path.join(top, path), encoding="utf-8") as f:
            return f.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


def sources(top):
    """The C files of daemon/ and bpf/ that take bytes apart."""
    for part in ("daemon", "bpf"):
        for folder, _, entries in sorted(os.walk(os.path.join(top, part))):
            for entry in sorted(entries):
                path = os.path.relpath(os.path.join(folder, entry), top)
                if not path.endswith(".c"):
                    continue
                code = re.sub(r"/\*.*?\*/", "", read(top, path), flags=re.S)
                if part == "bpf" or CALLS.search(code) or NAMED.search(code):
                    yield path


def parsers(top):
    """No parser is without a fuzz target, or a reason."""
    listed, targets = {}, set()
    body = read(top, LIST)
    if body is None:
        yield "%s: it is not there" % LIST
        return
    for number, line in enumerate(body.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        found = re.fullmatch(r"(\S+) +(-|[a-z]+(?:,[a-z]+)*)(?: +(\S.*))?", line)
        if not found:
            yield "%s:%d: it is no FILE TARGET,... REASON" % (LIST, number)
            continue
        path, names, reason = found.groups()
        listed[path] = names
        if read(top, path) is None:
            yield "%s:%d: %s does not exist" % (LIST, number, path)
        if names == "-" and not reason:
            yield "%s:%d: why is %s not fuzzed?" % (LIST, number, path)
        for name in names.split(",") if names != "-" else ():
            targets.add(name)
            if read(top, "tests/fuzz/fuzz_%s.c" % name) is None:
                yield "%s:%d: there is no tests/fuzz/fuzz_%s.c" % (LIST, number, name)
    for path in sources(top):
        if path not in listed:
            yield "%s: it takes bytes apart, and %s does not say which fuzz target covers it" % (path, LIST)
    folder = os.path.join(top, "tests", "fuzz")
    for entry in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        found = re.fullmatch(r"fuzz_(\w+)\.c", entry)
        if found and found.group(1) not in targets:
            yield "tests/fuzz/%s: %s does not say what it covers" % (entry, LIST)


KINDS = {"unit": "tests/unit/{0}/check_{1}.c", "system": "tests/system/{0}.py", "fuzz": "tests/fuzz/fuzz_{0}.c", "viewer": "tests/viewer/{0}.test.mjs",
         "boot": "tests/boot/{0}.py", "lint": "tests/lint/{0}.bash", "tick": "tests/tick/check_{0}.c"}
CLAIMS = "## What each may do, and what shows it"


def test_path(top, kind, first, second):
    """Where a test is: by its name, or, in a folder of its own, as its line in CMakeLists.txt says."""
    path = KINDS.get(kind, "?").format(first, second)
    if kind != "system" or os.path.exists(os.path.join(top, path)):
        return path
    line = re.compile(r"plop_system_test\(%s \d+ .*?FILE (\w+)" % re.escape(first))
    folders = os.path.join(top, "tests", "system")
    for folder in sorted(os.listdir(folders)) if os.path.isdir(folders) else ():
        found = line.search(read(top, os.path.join("tests/system", folder, "CMakeLists.txt")) or "")
        if found:
            return os.path.join("tests/system", folder, found.group(1) + ".py")
    return path


def claims(top):
    """In that chapter of SECURITY.md each row of a table ends with tests, and each of them has the function that is named."""
    body = read(top, "SECURITY.md") or ""
    rows = 0
    inside = False
    for number, line in enumerate(body.splitlines(), 1):
        if line.startswith("## "):
            inside = line == CLAIMS
        if not inside or not line.startswith("|") or re.fullmatch(r"[|\- ]+", line):
            continue
        rows += 1
        last = line.rstrip("| ").rsplit("|", 1)[1]
        named = re.findall(r"`([a-z]+)\.([a-z_0-9]+)(?:\.([a-z_0-9]+))?(?:::([a-z_0-9]+))?`", last)
        if not named and rows > 1 and not last.strip() == "test":
            yield "SECURITY.md:%d: it names no test" % number
        for kind, first, second, function in named:
            path = test_path(top, kind, first, second)
            text = read(top, path)
            if text is None:
                yield "SECURITY.md:%d: there is no %s" % (number, path)
            elif function and not re.search(r"\b(?:test_)?%s\b" % function, text):
                yield "SECURITY.md:%d: %s has no %s" % (number, path, function)
    if rows == 0:
        yield "SECURITY.md: there is no table below \"%s\"" % CLAIMS


RULES = {"parsers": parsers, "claims": claims}
_TABLE = CLAIMS + "\n\n| what | test |\n|---|---|\n| it holds | %s |\n"
GOOD = {
    LIST: "# FILE TARGET\ndaemon/low/take.c   low\nbpf/x.bpf.c  -  nobody sends it anything\n",
    "tests/fuzz/fuzz_low.c": "/* SPDX-License-Identifier: BSD-2-Clause */\n",
    "daemon/low/take.c": "/* SPDX-License-Identifier: BSD-2-Clause */\nint low_parse(const char *text);\n",
    "tests/unit/low/check_low.c": "/* SPDX-License-Identifier: BSD-2-Clause */\nSTART_TEST(holds)\n",
}
SECURITY = _TABLE % "`unit.low.low::holds`"
BAD = [
    ("parsers", LIST, "daemon/low/take.c low\n"),
    ("parsers", LIST, "daemon/low/take.c low\nbpf/x.bpf.c -\n"),
    ("parsers", LIST, "daemon/low/take.c none\nbpf/x.bpf.c - x\n"),
    ("parsers", LIST, "daemon/low/take.c low\nbpf/x.bpf.c - x\ndaemon/low/gone.c low\n"),
    ("parsers", LIST, "bpf/x.bpf.c - nobody sends it anything\n"),
    ("parsers", "daemon/low/low.c", "/* SPDX-License-Identifier: BSD-2-Clause */\nvoid f(void)\n{\n\trecv(1, 0, 0, 0);\n}\n"),
    ("claims", "SECURITY.md", "nothing\n"),
    ("claims", "SECURITY.md", _TABLE % "it does"),
    ("claims", "SECURITY.md", _TABLE % "`unit.low.low::does_not`"),
    ("claims", "SECURITY.md", _TABLE % "`system.nothing`"),
]
