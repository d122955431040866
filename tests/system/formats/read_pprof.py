# SPDX-License-Identifier: BSD-2-Clause
"""The pprof of every Go here reads what plop wrote: every sample, label, name and line of -raw, the sums of -top, the source with its
sums, as text, as a page and in the web view, and two files made one.

write_formats wrote the file into $PLOP_WRITTEN.
"""
import collections
import html
import json
import os
import re

import pytest

import pprof

here = os.path.dirname(os.path.abspath(__file__))


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


@pytest.fixture(scope="module", params=pprof.gos() or [None])
def tool(request):
    """pprof of each Go here."""
    if not request.param:
        pytest.skip(pprof.NONE)
    version, path = pprof.ready(request.param)
    print("pprof of " + version)
    return path


@pytest.fixture(scope="module")
def folder():
    return os.environ["PLOP_WRITTEN"]


@pytest.fixture(scope="module")
def path(folder):
    return os.path.join(folder, "known.pb.gz")


@pytest.fixture(scope="module")
def expected():
    with open(os.path.join(here, "expected.json"), encoding="utf-8") as f:
        return json.load(f)


@pytest.fixture(scope="module")
def want(expected):
    starts = {name: line for name, _, line, _, _ in expected["functions"]}
    found = collections.Counter()
    for process in expected["processes"]:
        for s in process["stacks"]:
            frames = tuple((name, file, line, starts[name]) for name, file, line in reversed(s["frames"]))
            found[(s["count"], s["count"] * 10000000, process["comm"], process["pid"], s["thread"], frames)] += 1
    return found


def test_raw(tool, path, want):
    raw = pprof.run(tool, "-raw", path)
    got = read_raw(raw)
    assert got == want, f"only here: {got - want}\nmissing: {want - got}"
    assert "samples/count cpu/nanoseconds[dflt]" in raw, raw
    assert "Period: 10000000\n" in raw and "Duration: 30s\n" in raw, raw
    assert "ticks=6000 python=100 other=5893" in raw and "lost.fault=4" in raw and "lost.drain=3" in raw, raw


def test_top(tool, path, expected):
    top = pprof.run(tool, "-top", "-unit=ms", "-nodecount=100", path)
    for name, _, _, own, total in expected["functions"]:
        line = rf"^ +{own * 10 or 0}(?:ms)? +[\d.]+% +[\d.]+% +{total * 10}ms +[\d.]+% +{re.escape(name)}$"
        assert re.search(line, top, re.M), f"{name!r} {own} {total} not in\n{top}"
    # As the manual has it: what keeps functions of one name apart.
    apart = pprof.run(tool, "-top", "-unit=ms", "-nodecount=100", "-filefunctions", path)
    assert re.search(r"910ms +[\d.]+% +<module> /srv/app\.py$", apart, re.M), apart
    # A bare 200 would be taken for a range of numeric labels.
    only = pprof.run(tool, "-top", "-unit=ms", "-tagfocus=pid=^200$", path)
    assert re.search(r"Showing nodes accounting for 160ms", only), only


def test_source(tool, path, folder):
    """Lines of Job.work: 12 has 610 ms of its own, and 14 called it for 200 of them. The listing as a page counts a
    line of a recursion at each of its frames, and so has 810 for line 12 as its total."""
    sources = os.path.join(folder, "sources")
    os.makedirs(sources, exist_ok=True)
    with open(os.path.join(sources, "app.py"), "w", encoding="utf-8") as f:
        f.writelines("statement %d\n" % n for n in range(1, 96))
    where = ["-unit=ms", "-trim_path=/srv", "-source_path=" + sources]
    for text in (pprof.run(tool, *where, "-list=^Job.work$", path), plain(pprof.run(tool, *where, "-weblist=^Job.work$", "-output=/dev/stdout", path))):
        assert re.search(r"610ms +[68]10ms .*statement 12\b", text), text
        assert re.search(r" \. +200ms .*statement 14\b", text), text
        assert re.search(r" \. +\. .*statement 11\b", text), text
        assert "statement 90" not in text, text
    # the whole program, as the page without a choice shows it
    assert re.search(r" \. +910ms .*statement 90\b", plain(pprof.run(tool, *where, "-weblist=.", "-output=/dev/stdout", path)))
    # as record and export tell people to open it
    with pprof.pages(tool, "-filefunctions", *where, path) as page:
        text = plain(page("source?f=%5EJob.work%24"))
        assert re.search(r"610ms +[68]10ms .*statement 12\b", text), text
        assert "Job.work" in page("top") and "Job.work" in page("flamegraph") and "Job.work" in page("peek?f=Job.work")
        assert re.search(r" \. +910ms .*statement 90\b", plain(page("source")))


def plain(page):
    """A page of HTML as the text that a browser would show."""
    return html.unescape(re.sub(r"<[^>]*>", " ", page))


def test_merged(tool, path, folder, want):
    both = os.path.join(folder, "both.pb.gz")
    pprof.run(tool, "-proto", "-output=" + both, path, path)
    got = read_raw(pprof.run(tool, "-raw", both))
    assert got == collections.Counter({(2 * s[0], 2 * s[1], *s[2:]): n for s, n in want.items()}), got
