# SPDX-License-Identifier: BSD-2-Clause
"""Functions that are not what the interpreter makes of a file: such as have an address in the name of their file, which are the same in every
process; and such as Nuitka has compiled, which samples and dumps show alike, without a line."""
import collections
import json
import os
import subprocess
import sys

import host

HZ = 500
LEAST = 100
MADE = {"first": "<@made(__main__.first)>", "second": "<made second>", "third": "<made-third>"}
COMPILED = ["<module>", "main", "work", "numbers", "burn"]


def check_addresses(daemon, pythons, early):
    works = early + [host.Workload(python, "addressed.py") for python in pythons]
    for work in works:
        daemon.profiled(work.pid)
    recordings = [host.Recording(daemon, work.pid) for work in works]
    host.until("each has samples", lambda: daemon.least(works) >= LEAST, 60)
    for work, recording in zip(works, recordings):
        found = collections.defaultdict(set)
        for stack, _ in recording.stop():
            for name, file, _ in stack:
                if name in MADE:
                    found[name].add(file)
        assert found == {name: {file} for name, file in MADE.items()}, dict(found)
        dump = json.loads(daemon.ctl("dump", "-p", work.pid, "--json").out)
        frames = [frame for thread in dump["threads"] for frame in thread.get("frames", [])]
        assert all(frame["file"] == MADE[frame["function"]] for frame in frames if frame["function"] in MADE), frames
        work.end()
    print("%d processes, the same names in all" % len(works), flush=True)


class Compiled(host.Workload):
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdout=subprocess.PIPE, stdin=subprocess.PIPE)
        self.pid = self.process.pid
        self.ready = self.line("READY")


def parsed(text):
    """[([(function, line), ...] root first, count), ...] of collapsed stacks, lines as they are written."""
    for line in text.splitlines():
        frames, count = line.rsplit(" ", 1)
        yield [(frame.split(" (")[0], frame[:-1].rsplit(":", 1)[-1]) for frame in frames.split(";")], int(count)


def check_compiled(daemon, work):
    daemon.profiled(work.pid)
    total = whole = 0
    for stack, count in parsed(daemon.record(work.pid, 1)):
        names = [name for name, _ in stack]
        total += count
        if names[:2] == COMPILED[:2]:
            assert names == COMPILED[:len(names)] or "work" in names, stack
            assert all(line == "compiled" for name, line in stack if name in COMPILED), stack
            whole += count if names == COMPILED else 0
    assert whole > 0.8 * total > 20, (whole, total)

    def dumped():
        threads = {t["tid"]: t for t in json.loads(daemon.ctl("dump", "-p", work.pid, "--json").out)["threads"]}
        main = threads[work.pid]
        assert main["state"] == "running" and main["readable"], main
        sleeping = [t for t in threads.values() if t["frames"] and t["frames"][-1]["function"].endswith("_bootstrap")]
        assert len(sleeping) == 1 and [f["function"] for f in sleeping[0]["frames"]][0] == "sleeper", sleeping
        assert all(f["compiled"] and f["line"] == 0 for f in main["frames"] if f["function"] in COMPILED), main
        assert not sleeping[0]["frames"][-1]["compiled"] and sleeping[0]["frames"][-1]["line"] > 0, sleeping
        return [f["function"] for f in reversed(main["frames"])] == COMPILED
    host.until("a dump has the whole stack", dumped)
    said = daemon.ctl("dump", "-p", work.pid).out
    assert "compiled.py:compiled)" in said and "not readable" not in said and "ended" not in said, said
    work.end()
    print("compiled: %d samples of %d are whole" % (whole, total), flush=True)


def find_compiled():
    """Its path; None, with the reason printed."""
    listed = subprocess.run([os.path.join(host.TESTS, "nuitka"), "--make"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
    lines = listed.stdout.decode().splitlines()
    if not lines:
        print("without a compiled program: " + listed.stderr.decode().strip())
        return None
    print("compiled by Nuitka for CPython %s" % lines[0].split()[1], flush=True)
    return lines[0].split()[0]


def main():
    host.need_root()
    found = host.one_of_each(host.pythons())
    program = find_compiled()
    early = [host.Workload(found[0][1], "addressed.py"), host.Workload(found[-1][1], "addressed.py")]
    compiled = [Compiled(program)] if program else []
    with host.Plopd("--hz", HZ) as daemon:
        check_addresses(daemon, [found[0][1], found[len(found) // 2][1], found[-1][1]], early)
        if program:
            check_compiled(daemon, compiled[0])
            check_compiled(daemon, Compiled(program))
        status = daemon.status()
    assert host.accounted(status["samples"]), status["samples"]


if __name__ == "__main__":
    sys.exit(main())
