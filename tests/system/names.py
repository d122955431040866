# SPDX-License-Identifier: BSD-2-Clause
"""Names and files of every kind, in every interpreter that the machine has, through every format and the store: each sample of
a known function must carry exactly its name and file, by the rule that plopctl(1) states, and as often in each format."""
import collections
import json
import os

import pytest

import exports
import host

PLOPD = ("--hz", 1000, "--window", 3600)
ROUNDS = 5
MAX_CHARS = 4096
CUT = "\u2026"
# what the workload runs to make its functions, in the store only
MAKER = ("<module>", "made.py")
BAD = "\ufffd"


def readable(s):
    """What plop makes of a name: what cannot be shown is U+FFFD; beyond the maximum it ends in an ellipsis."""
    shown = "".join(BAD if ord(c) < 0x20 or 0x7f <= ord(c) <= 0x9f or 0xd800 <= ord(c) <= 0xdfff else c for c in s[:MAX_CHARS])
    return shown + CUT if len(s) > MAX_CHARS else shown


def readable_bytes(data):
    """The same for 2.7, whose names are bytes and counted as such."""
    try:
        text = data[:MAX_CHARS].decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        text = data[:MAX_CHARS].decode("utf-8", "replace")
    return readable(text) + (CUT if len(data) > MAX_CHARS else "")


def as_collapsed(name, file):
    """Name and file as exports.collapsed() gives them: no line ends of any kind, and ";" stands between frames only."""
    return ("%s (%s" % (name, file)).replace(";", ":").replace("\u2028", BAD).replace("\u2029", BAD), None


class Case:
    def __init__(self, version, name, file, first, last):
        show = readable if version[0] > 2 else lambda s: readable_bytes(s.encode("latin-1"))
        self.name, self.file, self.first, self.last, self.version = show(name), show(file), first, last, version

    def __repr__(self):
        return "%s %.60a in %.60a at %d" % (self.version, self.name, self.file, self.first)


def short(value):
    text = ascii(value)
    return text if len(text) < 200 else text[:90] + " ... " + text[-90:]


def check_stacks(form, export, cases):
    """Samples by case; every leaf at a case's lines must be that case."""
    write = as_collapsed if form == "collapsed" else lambda *both: both
    by_line = {case.first // 100: case for case in cases if case.first >= 10000}
    others = {write(case.name, case.file) for case in cases if case.first < 10000}
    counts = collections.Counter()
    for stack, count in export.stacks:
        assert stack, "%s: a stack without frames" % form
        assert not any(name.startswith("[unresolved") for name, _, _ in stack), "%s: %s" % (form, short(stack))
        name, file, line = stack[-1]
        if (name, file) == write(*MAKER):
            continue
        if line >= 10000:
            case = by_line[line // 100]
            want = write(case.name, case.file)
            assert (name, file) == want, "%s: %s, not %s" % (form, short((name, file, line)), short(want))
            assert case.first <= line <= case.last, "%s: line %d of %r" % (form, line, case)
            counts[case] += count
        elif (name, file) in others:
            counts["frozen"] += count
    missing = [case for case in cases if case.first >= 10000 and not counts[case]]
    assert not missing, "%s: never seen: %s" % (form, missing)
    assert counts["frozen"], "%s: nothing of importlib._bootstrap" % form
    return counts


def check_nodes(form, export, cases):
    """The same of a call graph, whose lines are the functions' first."""
    counts = collections.Counter()
    by_line = {case.first: case for case in cases if case.first >= 10000}
    others = {(case.name, case.file) for case in cases if case.first < 10000}
    for name, file, first, own in export.nodes:
        case = by_line.get(first)
        if case and (name, file) != MAKER:
            assert (name, file) == (case.name, case.file), "%s: %s, not %s" % (form, short((name, file)), short((case.name, case.file)))
            counts[case] += own
        elif (name, file) in others:
            counts["frozen"] += own
    return counts


def counted(form, found, cases):
    export = found[form]
    return (check_stacks if export.stacks is not None else check_nodes)(form, export, cases)


def check_same(form, first, others):
    """All formats alike."""
    different = [(case, n, others[case]) for case, n in first.items() if n != others[case]]
    assert not different, "collapsed and %s differ: %s" % (form, different[:5])


def stored(daemon, pids):
    """What the store gives back, in each format."""
    found = {}
    for form in exports.FORMATS:
        path = os.path.join(daemon.folder, "export." + form)
        done = daemon.ctl("export", "--since", "1h", "-f", form, "-o", path, *["pid=%d" % pid for pid in pids])
        assert done.returncode == 0, done.err
        with open(path, "rb") as f:
            found[form] = exports.READERS[form](f.read())
    return found


@pytest.fixture(scope="module")
def works(plopd, interpreters):
    """One workload of each interpreter, and what is known of its names."""
    running, cases = [], []
    try:
        for n, (version, python, _) in enumerate(interpreters):
            running.append(host.Workload(python, "names.py", 10000 * (n + 1), os.path.join(plopd.folder, "zip-%d" % n), ROUNDS))
            cases += [Case(version, *case) for case in json.loads(running[-1].ready[1])]
        for work in running:
            plopd.profiled(work.pid)
        yield running, cases
    finally:
        for work in running:
            work.__exit__()


@pytest.fixture(scope="module")
def recorded(plopd, works):
    """{form: Export} of these processes only: others on the host may have names of their own at such lines."""
    running, _ = works
    with exports.Recordings(plopd, [work.pid for work in running]) as recordings:
        for work in running:
            work.go()
        for work in running:
            work.line("DONE")
        return recordings.stop()


@pytest.fixture(scope="module")
def stored_again(plopd, works, recorded):
    """The same by way of the database."""
    assert plopd.stop() == 0, plopd.said()
    plopd.start()
    return stored(plopd, [work.pid for work in works[0]])


@pytest.fixture(scope="module")
def counts(works, recorded):
    """Samples by case, in the first form."""
    return counted("collapsed", recorded, works[1])


@pytest.mark.parametrize("form", exports.FORMATS)
def test_recording(works, recorded, counts, form):
    check_same(form, counts, counted(form, recorded, works[1]))


@pytest.mark.parametrize("form", exports.FORMATS)
def test_store(works, recorded, counts, stored_again, form):
    again = counted("collapsed", stored_again, works[1])
    check_same(form, again, counted(form, stored_again, works[1]))
    assert all(again[case] >= n for case, n in counts.items()), "the store has less"


def test_all(works, counts):
    print("%d names of %d interpreters in %d formats: %d samples, fewest of one %d" % (
        len(works[1]), len(works[0]), len(exports.FORMATS), sum(counts.values()), min(counts.values())), flush=True)
