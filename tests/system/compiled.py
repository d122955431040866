# SPDX-License-Identifier: BSD-2-Clause
"""Functions that are not what the interpreter makes of a file: such as have an address in the name of their file, which are the same in every
process; and such as Nuitka has compiled, which samples and dumps show alike, without a line."""
import collections
import json
import os
import subprocess

import pytest

import host
from waiting import until

HZ = 500
LEAST = 100
MADE = {"first": "<@made(__main__.first)>", "second": "<made second>", "third": "<made-third>"}
COMPILED = ["<module>", "main", "work", "numbers", "burn"]


@pytest.fixture(scope="module")
def early(root):
    """Processes that plopd finds when it begins: two with made-up files, and a compiled one (None, without Nuitka)."""
    found = host.one_of_each(host.pythons())
    program, _ = nuitka()
    works = [host.Workload(found[0][1], "addressed.py"), host.Workload(found[-1][1], "addressed.py")]
    compiled = program and host.Workload(program)
    yield works, compiled
    for work in works + [compiled] * bool(compiled):
        work.__exit__()


@pytest.fixture(scope="module")
def plopd(early):
    with host.Plopd("--hz", HZ) as daemon:
        yield daemon


def nuitka():
    """The path of a compiled program, and for which CPython; None, with the reason."""
    listed = subprocess.run([os.path.join(host.TESTS, "nuitka"), "--make"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
    lines = listed.stdout.decode().splitlines()
    return lines[0].split()[:2] if lines else (None, "no compiled program: " + listed.stderr.decode().strip())


def test_addresses(plopd, early, workload):
    found = host.one_of_each(host.pythons())
    works = early[0] + [workload(python, "addressed.py") for _, python, _ in (found[0], found[len(found) // 2], found[-1])]
    for work in works:
        plopd.profiled(work.pid)
    recordings = [host.Recording(plopd, work.pid) for work in works]
    until("each has samples", lambda: plopd.least(works) >= LEAST, 60)
    for work, recording in zip(works, recordings):
        made = collections.defaultdict(set)
        for stack, _ in recording.stop():
            for name, file, _ in stack:
                if name in MADE:
                    made[name].add(file)
        assert made == {name: {file} for name, file in MADE.items()}, dict(made)
        dump = json.loads(plopd.ctl("dump", "-p", work.pid, "--json").out)
        frames = [frame for thread in dump["threads"] for frame in thread.get("frames", [])]
        assert all(frame["file"] == MADE[frame["function"]] for frame in frames if frame["function"] in MADE), frames
        work.end()
    print("%d processes, the same names in all" % len(works), flush=True)


def parsed(text):
    """[([(function, line), ...] root first, count), ...] of collapsed stacks, lines as they are written."""
    for line in text.splitlines():
        frames, count = line.rsplit(" ", 1)
        yield [(frame.split(" (")[0], frame[:-1].rsplit(":", 1)[-1]) for frame in frames.split(";")], int(count)


@pytest.mark.parametrize("when", ("before plopd", "after plopd"))
def test_compiled(plopd, early, workload, when):
    program, built_for = nuitka()
    if not program:
        pytest.skip(built_for)
    work = early[1] if when == "before plopd" else workload(program)
    plopd.profiled(work.pid)
    total = whole = 0
    for stack, count in parsed(plopd.record(work.pid, 1)):
        names = [name for name, _ in stack]
        total += count
        if names[:2] == COMPILED[:2]:
            assert names == COMPILED[:len(names)] or "work" in names, stack
            assert all(line == "compiled" for name, line in stack if name in COMPILED), stack
            whole += count if names == COMPILED else 0
    assert whole > 0.8 * total > 20, (whole, total)

    def dumped():
        threads = {t["tid"]: t for t in json.loads(plopd.ctl("dump", "-p", work.pid, "--json").out)["threads"]}
        main = threads[work.pid]
        assert main["state"] == "running" and main["readable"], main
        sleeping = [t for t in threads.values() if t["frames"] and t["frames"][-1]["function"].endswith("_bootstrap")]
        assert len(sleeping) == 1 and [f["function"] for f in sleeping[0]["frames"]][0] == "sleeper", sleeping
        assert all(f["compiled"] and f["line"] == 0 for f in main["frames"] if f["function"] in COMPILED), main
        assert not sleeping[0]["frames"][-1]["compiled"] and sleeping[0]["frames"][-1]["line"] > 0, sleeping
        return [f["function"] for f in reversed(main["frames"])] == COMPILED
    until("a dump has the whole stack", dumped)
    said = plopd.ctl("dump", "-p", work.pid).out
    assert "compiled.py:compiled)" in said and "not readable" not in said and "ended" not in said, said
    work.end()
    print("compiled by Nuitka for CPython %s: %d samples of %d are whole" % (built_for, whole, total), flush=True)


def test_accounted(plopd):
    samples = plopd.status()["samples"]
    assert host.accounted(samples), samples
