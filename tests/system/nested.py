# SPDX-License-Identifier: BSD-2-Clause
"""A thread that goes from one interpreter into another and from there into a third: samples and dumps show the frames of all three,
one below the other, whichever interpreter is the newest, with the GIL and without, and whether plopd was there first or not."""
import collections
import json
import sys

import host

HZ = 500
PATH = ["<module>", "main", "call", "<module>", "middle", "<module>", "innermost"]
LEAST = 60


def names(stack):
    return [name.split("<locals>.")[-1] for name, _, _ in stack]


def modes(version):
    yield "newer", []
    yield "older", []
    # before 3.11 nothing tells which of two interpreters a thread without the GIL is in
    yield ("older" if version >= (3, 11) else "newer"), ["--release"]


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
    host.until("a dump has the whole stack", whole)


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
    assert counts["whole"] > 3 * (counts["middle"] + counts["else"]), stacks


def start(group, mode, options):
    return [host.Workload(python, "nested.py", mode, *options) for _, python, _ in group]


def check(daemon, group, works, what):
    for work in works:
        daemon.profiled(work.pid)
    recordings = [host.Recording(daemon, work.pid) for work in works]
    host.until("each has samples", lambda: daemon.least(works) >= LEAST, 60)
    for work in works:
        check_dump(daemon, work)
    for (version, _, build), recording in zip(group, recordings):
        check_samples("%d.%d %s %s" % (version + (build, what)), recording.stop())
    for work in works:
        work.end()


def main():
    host.need_root()
    found = [entry for entry in host.one_of_each(host.pythons()) if entry[0] >= (3, 8)]
    assert found, "no interpreter at all"
    groups = host.several(found, 5)
    early = [start(groups[0], "older", [])]
    try:
        with host.Plopd("--hz", HZ) as daemon:
            check(daemon, groups[0], early.pop(), "older, before plopd")
            for group in groups:
                # all of a group are asked for the same
                for mode, options in sorted({(mode, tuple(options)) for version, _, _ in group for mode, options in modes(version)}):
                    some = [entry for entry in group if (mode, list(options)) in list(modes(entry[0]))]
                    if (mode, options) == ("older", ()) and group is groups[0]:
                        continue
                    check(daemon, some, start(some, mode, options), " ".join((mode,) + options))
            status = daemon.status()
        assert host.accounted(status["samples"]), status["samples"]
        # of the whole host, on which others may run
        lost = status["samples"]["lost"]
        assert lost["fault"] + lost["corrupt"] < 0.01 * status["samples"]["ticks"], status["samples"]
    finally:
        for works in early:
            for work in works:
                work.__exit__()


if __name__ == "__main__":
    sys.exit(main())
