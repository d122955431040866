# SPDX-License-Identifier: BSD-2-Clause
"""A thread that goes from one interpreter into another and from there into a third: samples and dumps show the frames of all three,
one below the other, whichever interpreter is the newest, with the GIL and without, and whether plopd was there first or not."""
import collections
import json

import pytest

import host
from waiting import until

ROWS = [row for row in host.one_of_each(host.pythons()) if row[0] >= (3, 8)]
PATH = ["<module>", "main", "call", "<module>", "middle", "<module>", "innermost"]
LEAST = 60


def names(stack):
    return [name.split("<locals>.")[-1] for name, _, _ in stack]


def without_the_gil(version):
    """Before 3.11 nothing tells which of two interpreters a thread without the GIL is in."""
    return "older" if version >= (3, 11) else "newer"


def main_thread(daemon, pid):
    dump = json.loads(daemon.ctl("dump", "-p", pid, "--json").out)
    found = [t for t in dump["threads"] if t["tid"] == pid]
    return found[0] if found else None


def check_dump(daemon, work):
    """All that a dump says is so; and one of them has all of it."""
    def whole():
        thread = main_thread(daemon, work.pid)
        if thread is None:
            return False
        stack = [frame["function"] for frame in reversed(thread["frames"])]
        # a module may be importing something
        assert stack[:len(PATH)] == PATH[:len(stack)] or stack[:4] == PATH[:4], stack
        return stack[:len(PATH)] == PATH and not thread["changing"]
    until("a dump has the whole stack", whole)


def check_samples(title, stacks):
    counts = collections.Counter()
    for stack, count in stacks:
        found = names(stack)
        if "innermost" in found:
            assert found[:len(PATH)] == PATH, "%s: %s" % (title, found)
            counts["whole"] += count
        elif "middle" in found:
            assert found[:5] == PATH[:5], "%s: %s" % (title, found)
            counts["middle"] += count
        else:
            counts["else"] += count
    print("%s: %s" % (title, dict(counts)), flush=True)
    # with room for chance, where a busy machine gave it little CPU
    others = counts["middle"] + counts["else"]
    assert others < counts["whole"] / 3 + 3 * others ** 0.5, stacks


def check(daemon, work):
    """The stacks, once there are enough, and a dump is right."""
    daemon.profiled(work.pid)
    recording = host.Recording(daemon, work.pid)
    until("there are samples", lambda: daemon.least([work]) >= LEAST, 60)
    check_dump(daemon, work)
    return recording.stop()


@pytest.fixture(scope="module")
def early(root):
    """Some that are there before plopd, by their interpreter."""
    works = {row: host.Workload(row[1], "nested.py", "older") for row in ROWS[:5]}
    yield works
    for work in works.values():
        work.__exit__()


@pytest.fixture(scope="module")
def plopd(early):
    with host.Plopd("--hz", 500) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def recorded(plopd, early, at_once):
    """Of each interpreter, by the mode; that of the early ones as well."""
    def record(row):
        found = {"before plopd": check(plopd, early[row])} if row in early else {}
        if row in early:
            early[row].end()
        for name, mode, options in (("newer", "newer", ()), ("older", "older", ()), ("released", without_the_gil(row[0]), ("--release",))):
            if name == "older" and row in early:
                continue
            with host.Workload(row[1], "nested.py", mode, *options) as work:
                found[name] = check(plopd, work)
                work.end()
        return found
    return at_once(5, record)


def test_there_are_interpreters():
    assert ROWS, "no interpreter at all"


@pytest.mark.parametrize("row", ROWS, ids=host.called)
def test_stacks(recorded, row):
    for mode, stacks in recorded(row).items():
        check_samples("%s %s" % (host.called(row), mode), stacks)


def test_lost(plopd):
    samples = plopd.status()["samples"]
    assert host.accounted(samples), samples
    # of the whole host, on which others may run
    lost = samples["lost"]
    assert lost["fault"] + lost["corrupt"] < 0.01 * samples["ticks"], samples
