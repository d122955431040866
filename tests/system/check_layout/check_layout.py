# SPDX-License-Identifier: BSD-2-Clause
"""Every interpreter is started, discovered, and its thread states
and frames are read from outside with the layout. Names, files, lines, thread ids have to be what the
interpreter says of itself; the checks of its code objects may not change while they are at work. $PLOP_WALK_LIVE is walk_live.c."""
import json
import os
import subprocess

import pytest

import host

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON_YES = "1"


def control_characters_replaced(text):
    return "".join("\ufffd" if ord(c) < 32 or 0x7f <= ord(c) < 0xa0 or 0xd800 <= ord(c) < 0xe000 else c for c in text)


def walk(pid):
    done = subprocess.run([os.environ["PLOP_WALK_LIVE"], str(pid)], capture_output=True, timeout=60, text=True)
    assert done.returncode == 0, done.stderr
    found, threads = None, []
    for line in done.stdout.splitlines():
        kind, *fields = line.split("\t")
        if kind == "P":
            found = fields
        elif kind == "T":
            threads.append({"ident": int(fields[0]), "native": int(fields[1]), "stack": [], "checks": []})
        elif kind == "F":
            name, file, first, at, check = fields
            threads[-1]["stack"].append([name, file, int(first), int(at)])
            threads[-1]["checks"].append(check)
        elif kind == "C":
            threads[-1]["in_chunk"] = int(fields[0])
    return found, threads


def compare(version, said, threads):
    """Every thread that the interpreter reports, in the walk's words."""
    by_ident = {t["ident"]: t for t in threads}
    assert said["main"] in by_ident, "the main thread's id is not among %s" % sorted(by_ident)
    frames = 0
    assert len(said["threads"]) == 4, "%d threads came to rest" % len(said["threads"])
    for t in said["threads"]:
        seen = by_ident[t["ident"]]
        expected = [[control_characters_replaced(n), control_characters_replaced(f), first, at]
                    for n, f, first, at in t["stack"]]
        assert seen["stack"] == expected, "thread %d:\n%s\nexpected\n%s" % (
            t["ident"], seen["stack"][:12], expected[:12])
        if version >= (3, 11):
            assert seen["native"] == t["native"], (seen["native"], t["native"])
            # The clamp of the kernel's window: the innermost frames lie in the chunk that datastack_chunk names.
            assert seen["in_chunk"] > 0, "no frame of thread %d lies in its newest chunk" % t["ident"]
        frames += len(expected)
    return frames


def checks_of(threads):
    return {tuple(frame[:3]): check for t in threads for frame, check in zip(t["stack"], t["checks"])}


def ask(target, command):
    target.stdin.write(command)
    target.stdin.flush()
    line = target.stdout.readline()
    assert line, "the target ended"
    return json.loads(line)


def commands():
    """(version, what runs target.py) of every interpreter; those of the cache's root there as well."""
    found = []
    for version, path, _ in host.listed():
        target = "target_2.py" if version.startswith("2.") else "target.py"
        found.append(pytest.param(version, [path, os.path.join(HERE, target)], id=path))
        root = os.path.join(os.path.dirname(os.path.dirname(path)), "root")
        name = "/usr/bin/" + os.path.basename(path)
        if os.path.exists(root + name) and os.geteuid() == 0:
            with open(os.path.join(HERE, "target.py"), encoding="utf-8") as f:
                text = f.read()
            found.append(pytest.param(version, ["chroot", root, name, "-X", "utf8", "-c", text], id="chroot " + name))
    return found


@pytest.mark.parametrize("version, command", commands())
def test_layout(version, command):
    target = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/")
    try:
        said = ask(target, b"r")
        found, threads = walk(target.pid)
        assert found[0] == PYTHON_YES, found
        assert found[1] == version, "called %s, is %s" % (found[1], version)
        numbers = tuple(int(n) for n in version.split("rc")[0].split(".")[:2])
        frames = compare(numbers, said, threads)
        before = checks_of(threads)
        ask(target, b"w")
        said = ask(target, b"r")
        _, threads = walk(target.pid)
        compare(numbers, said, threads)
        after = checks_of(threads)
        changed = [k for k, v in before.items() if k in after and after[k] != v]
        assert not changed, "checks changed of %s" % changed
        assert len(set(before.values())) == len(before), "two code objects have the same check"
        print("%s: %d threads, %d frames, %d code objects" % (version, len(threads), frames, len(before)))
    finally:
        target.kill()
        target.wait()
