# SPDX-License-Identifier: BSD-2-Clause
"""Rules about the documents of the top level: what they name is there, the map is whole, and the README stays short."""
import glob
import os
import re

DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
README_WORDS = 1200
FOLDERS = r"(?:bpf|daemon|include|viewer|systemd|tests|findings)"
MADE = "tests/.cache/"  # by the tests, when they are run
PROGRAMS = {"plopctl": "plopctl.1", "plopd": "plopd.8", "plop-gateway": "plop-gateway.8"}
KINDS = {
    "unit": "tests/unit/{0}/check_{1}.c",
    "system": "tests/system/{0}.py",
    "fuzz": "tests/fuzz/fuzz_{0}.c",
    "lint": "tests/lint/{0}.bash",
}


def read(top, path):
    try:
        with open(os.path.join(top, path), encoding="utf-8") as f:
            return f.read()
    except FileNotFoundError:
        return ""


def anchors(body):
    """The anchors that GitHub gives the headings of a document."""
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in re.findall(r"^#+ (.*)", body, re.M)}


def code(body):
    """(line, text) of all that is code: fenced or indented lines, and spans in backticks."""
    fenced = False
    for number, line in enumerate(body.splitlines(), 1):
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield number, line.strip()
        else:
            for span in re.findall(r"`([^`]+)`", line):
                yield number, span


def links(top, document, body):
    for number, line in enumerate(body.splitlines(), 1):
        for target in re.findall(r"\]\(([^)]+)\)", line):
            path, _, anchor = target.partition("#")
            if ":" in path:
                continue
            if path and not os.path.exists(os.path.join(top, path)):
                yield "%s:%d: %s does not exist" % (document, number, path)
            elif anchor and anchor not in anchors(read(top, path or document)):
                yield "%s:%d: %s has no heading #%s" % (document, number, path or document, anchor)


def paths(top, document, body):
    """Words of code that begin like a path of this tree; capitals (ROOM, NN) stand for anything."""
    for number, text in code(body):
        for word in re.findall(r"(?<![\w/.$-])(?:\./)?(%s/[\w./*+-]*|quickstart)" % FOLDERS, text):
            pattern = re.sub(r"[A-Z][A-Z_]+", "*", word.rstrip("."))
            if not word.startswith(MADE) and not glob.glob(os.path.join(top, pattern)):
                yield "%s:%d: %s does not exist" % (document, number, word)


def options(words):
    """Those of a command, up to what belongs to a program that it starts, to a pipe or to the next command."""
    for word in words:
        if word in ("--", "&&", "|", ";", "#"):
            return
        found = re.match(r"-(-[a-z][\w-]*|\w)", word)
        if found:
            yield found.group(1)


def commands(top, document, body):
    """Programs are called by the options and commands that they have."""
    known = set(re.findall(r'\{ "(\w+)", ctl_', read(top, "daemon/plopctl.c")))
    presets = set(re.findall(r'"name": "([\w-]+)"', read(top, "CMakePresets.json")))
    for number, text in code(body):
        words = text.split()
        for at, word in enumerate(words):
            where = "%s:%d: " % (document, number)
            script = word[2:] if word.startswith("./") else word
            if at and words[at - 1] not in ("sudo", "&&", "|", ";") and "=" not in words[at - 1]:
                continue
            if word == "cmake" and "--preset" in words[at:] and (words[at:] + [""])[words[at:].index("--preset") + 1] not in presets:
                yield where + "no such preset in CMakePresets.json: " + text
            if word == "plopctl" and at + 1 < len(words) and words[at + 1] not in known and re.match(r"[a-z]+$", words[at + 1]):
                yield where + "plopctl has no command " + words[at + 1]
            for option in options(words[at + 1:]):
                if word in PROGRAMS and not re.search(r"Fl %s\b" % re.escape(option), read(top, "daemon/man/" + PROGRAMS[word])):
                    yield where + "%s has no option -%s" % (word, option)
                elif re.match(r"quickstart$|tests/", script) and "-" + option not in read(top, script):
                    yield where + "%s has no option -%s" % (script, option)


def tests(top, document, body):
    """Names of tests, such as lint.docs, in backticks."""
    lists = [p for kind in KINDS for p in glob.glob(os.path.join(top, "tests", kind, "**", "CMakeLists.txt"), recursive=True)]
    declared = " ".join(read(top, p) for p in lists)
    for number, text in code(body):
        found = re.fullmatch(r"(unit|system|fuzz|lint)\.(\w[\w-]*)(?:\.(\w+))?", text)
        if not found:
            continue
        kind, name, rest = found.groups()
        there = os.path.exists(os.path.join(top, KINDS[kind].format(name, rest)))
        if kind == "lint":
            there = re.search(r"[ (]%s[ )]" % re.escape(name), declared)
        if not there and not re.search(r"NAME %s |plop_system_test\(%s " % (re.escape(text), re.escape(text.partition(".")[2])), declared):
            yield "%s:%d: there is no test %s" % (document, number, text)


def docs(top):
    """What the documents link to, every path, command, option and test that they name, is there."""
    for document in DOCUMENTS:
        body = read(top, document)
        for rule in (links, paths, commands, tests):
            yield from rule(top, document, body)


def readme(top):
    """The README is for a stranger, who reads so many words."""
    words = len(read(top, "README.md").split())
    if not 0 < words <= README_WORDS:
        yield "README.md: %d words, more than %d" % (words, README_WORDS)


def tree(top):
    """Every path of the map in ARCHITECTURE.md is there, and every folder of daemon/ is in the map."""
    lines = read(top, "ARCHITECTURE.md").splitlines()
    try:
        begin = next(i for i, line in enumerate(lines) if line.strip() == "```tree")
        end = next(i for i in range(begin + 1, len(lines)) if lines[i].strip() == "```")
    except StopIteration:
        yield "ARCHITECTURE.md: no block that begins with ```tree"
        return
    folder, named = "", set()
    for number in range(begin + 1, end):
        found = re.match(r"( *)(\S+)", lines[number])
        if not found or len(found.group(1)) > 4:
            continue
        path = found.group(2)
        if found.group(1):
            path = os.path.join(folder, path)
        elif path.endswith("/"):
            folder = path
        named.add(os.path.normpath(path))
        if not os.path.exists(os.path.join(top, path)):
            yield "ARCHITECTURE.md:%d: %s does not exist" % (number + 1, path)
    for room in sorted(os.listdir(os.path.join(top, "daemon"))):
        if os.path.isdir(os.path.join(top, "daemon", room)) and os.path.join("daemon", room) not in named:
            yield "ARCHITECTURE.md: daemon/%s is not in the map" % room


RULES = {"docs": docs, "readme": readme, "tree": tree}

# For source.py's self-test: what a good tree has besides, and what breaks a rule.
MAP = "```tree\ndaemon/   the programs\n  low/    below\n  high/   above\n  python/ versions\n  man/    pages\n```\n"
GOOD = {
    "ARCHITECTURE.md": "# The map\n" + MAP + "CPython 3.6 to\n3.7; `system.kept`, `unit.low.kept`, `lint.docs`\n",
    "daemon/plopctl.c": '/* SPDX-License-Identifier: BSD-2-Clause */\nstatic x commands[] = { { "ps", ctl_ps } };\n',
    "daemon/man/plopctl.1": ".It Fl -json\n.It Fl p\n",
    "CMakePresets.json": '{ "name": "dev" }\n',
    "tests/lint/CMakeLists.txt": "# SPDX-License-Identifier: BSD-2-Clause\nforeach(rule docs tree)\n",
    "tests/system/kept.py": "# SPDX-License-Identifier: BSD-2-Clause\n# --brief\n",
    "tests/unit/low/check_kept.c": "/* SPDX-License-Identifier: BSD-2-Clause */\n",
    "CONTRIBUTING.md": "[map](ARCHITECTURE.md#the-map)\n\n    sudo plopctl ps --json -p 1 # x --gone\n    cmake --preset dev\n"
                       "    tests/system/kept.py --brief\n`tests/.cache/bench`\n",
}
BAD = [
    ("tree", "ARCHITECTURE.md", MAP.replace("  high", "  gone/   x\n  high")),
    ("tree", "ARCHITECTURE.md", MAP.replace("  high/   above\n", "")),
    ("tree", "ARCHITECTURE.md", "no map\n"),
    ("readme", "README.md", "word " * (README_WORDS + 1)),
    ("docs", "README.md", "[x](gone.md)\n"),
    ("docs", "README.md", "[x](ARCHITECTURE.md#gone)\n"),
    ("docs", "README.md", "see `daemon/gone/x.c`\n"),
    ("docs", "README.md", "see `daemon/ROOM/gone.c`\n"),
    ("docs", "README.md", "    sudo ./quickstart\n"),
    ("docs", "README.md", "    plopctl gone\n"),
    ("docs", "README.md", "    sudo plopctl ps --gone\n"),
    ("docs", "README.md", "    plopctl ps -g\n"),
    ("docs", "README.md", "    true && tests/system/kept.py --gone\n"),
    ("docs", "README.md", "    cmake --preset gone\n"),
    ("docs", "README.md", "`system.gone`\n"),
    ("docs", "README.md", "`unit.low.gone`\n"),
    ("docs", "README.md", "`lint.gone`\n"),
]
