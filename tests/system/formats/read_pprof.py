#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The pprof of every Go here reads what plop wrote: every sample, label, name and line of -raw, and the sums of -top.

Usage: read_pprof.py DIR, where write_formats wrote. Exit status 77: there is no Go here.
"""
import collections
import json
import os
import re
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(here))
sys.dont_write_bytecode = True
import pprof  # noqa: E402

SKIP = 77


def read_raw(text):
    """Samples of -raw as a counter of (count, cpu ns, comm, pid, thread, frames leaf first)."""
    locations = {}
    body = text[text.index("\nLocations\n") + len("\nLocations\n") : text.index("\nMappings\n") + 1]
    # A name may hold a line end: a location lasts until the next one begins.
    found = re.findall(r"^ *(\d+): 0x0 M=1 (.*?)(?=\n *\d+: 0x0 M=1 |\Z)", body, re.S | re.M)
    # Go 1.19's prints FILE:LINE, today's FILE:LINE:COLUMN (Location.string() in its profile.go); plop writes no columns, which reads 0.
    column = ":0" if all(re.search(r":\d+:0 s=\d+\(\)\n*$", rest) for _, rest in found) else ""
    for number, rest in found:
        match = re.fullmatch(r"(.*) ([^ ]*):(\d+)" + column + r" s=(\d+)\(\)", rest.rstrip("\n"), re.S)
        assert match, f"location {number}: {rest!r}"
        name, file, line, start = match.groups()
        locations[int(number)] = (name, file, int(line), int(start))
    samples = collections.Counter()
    body = text[text.index("\nSamples:\n") : text.index("\nLocations\n") + 1]
    pattern = r"^ +(\d+) +(\d+): ([\d ]+?) *\n +comm:\[(.*)\] pid:\[(\d+)\] thread:\[(\d+)\]\n"
    for count, cpu, ids, comm, pid, thread in re.findall(pattern, body, re.M):
        frames = tuple(locations[int(i)] for i in ids.split())
        samples[(int(count), int(cpu), comm, int(pid), int(thread), frames)] += 1
    return samples


def main(folder):
    found = pprof.all_ready()
    if not found:
        print("skipped:", pprof.NONE)
        return SKIP
    with open(os.path.join(here, "expected.json"), encoding="utf-8") as f:
        expected = json.load(f)
    starts = {name: line for name, _, line, _, _ in expected["functions"]}
    want = collections.Counter()
    for process in expected["processes"]:
        for s in process["stacks"]:
            frames = tuple((name, file, line, starts[name]) for name, file, line in reversed(s["frames"]))
            want[(s["count"], s["count"] * 10000000, process["comm"], process["pid"], s["thread"], frames)] += 1

    for version, tool in found:
        check(tool, os.path.join(folder, "known.pb.gz"), want, expected["functions"])
        print(f"{sum(want.values())} samples, {len(expected['functions'])} functions by pprof of {version}: as written")
    return 0


def check(tool, path, want, functions):
    raw = pprof.run(tool, "-raw", path)
    got = read_raw(raw)
    assert got == want, f"only here: {got - want}\nmissing: {want - got}"
    assert "samples/count cpu/nanoseconds[dflt]" in raw, raw
    assert "Period: 10000000\n" in raw and "Duration: 30s\n" in raw, raw
    assert "ticks=6000 python=100 other=5893" in raw and "lost.fault=4" in raw and "lost.drain=3" in raw, raw

    top = pprof.run(tool, "-top", "-unit=ms", "-nodecount=100", path)
    for name, _, _, own, total in functions:
        line = rf"^ +{own * 10 or 0}(?:ms)? +[\d.]+% +[\d.]+% +{total * 10}ms +[\d.]+% +{re.escape(name)}$"
        assert re.search(line, top, re.M), f"{name!r} {own} {total} not in\n{top}"
    # A bare 200 would be taken for a range of numeric labels.
    only = pprof.run(tool, "-top", "-unit=ms", "-tagfocus=pid=^200$", path)
    assert re.search(r"Showing nodes accounting for 160ms", only), only


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
