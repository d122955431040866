# SPDX-License-Identifier: BSD-2-Clause
"""ticks = python + other + lost{cause}, exactly: in status, in metrics, for every window, in the database, in every format of a
recording and of an export. Under load: threads, processes of some milliseconds, and an interpreter of an unknown version."""
import json
import os
import re
import sqlite3
import zlib
import subprocess
import sys
import threading

import pytest

import exports
import host
from waiting import until

CAUSES = ("fault", "stacks_full", "frames_full", "unsupported", "corrupt", "drain", "threads", "rate")
# Those that the store has a column for: a user's rate bounds recordings alone.
STORED = CAUSES[:-1]
PLOPD = ("--hz", 500, "--window", 2)
FORGED = os.path.join(host.BUILD, "tests", "unit", "python", "libpython-fake-316.so")
BUSY = ("import threading, zlib\ndef spin():\n    x = 1\n    while True:\n        x = x * 33 & 65535\n"
        "def pack():\n    while True:\n        zlib.crc32(b'x' * 100000)\n"
        "for f in (spin, pack):\n    threading.Thread(target=f, daemon=True).start()\nprint('READY', flush=True)\ninput()\n")
BRIEF = "for i in range(20000): pass"


def total(tally):
    return tally["python"] + tally["other"] + sum(tally["lost"].values())


def exact(where, tally):
    """Fails unless every tick is accounted for, with all causes there."""
    assert set(tally["lost"]) == set(CAUSES), "%s: causes %s" % (where, sorted(tally["lost"]))
    assert tally["ticks"] == total(tally), "%s: %d ticks, but %d accounted for: %s" % (where, tally["ticks"], total(tally), tally)
    return tally


def flat(tally):
    return [tally["ticks"], tally["python"], tally["other"]] + [tally["lost"][cause] for cause in CAUSES]


def summed(tallies):
    return [sum(column) for column in zip(*map(flat, tallies))]


class Load:
    """Processes of some milliseconds, one after the other; a busy one with threads; an unknown interpreter."""

    def __init__(self):
        self.ended = threading.Event()
        self.started = 0
        self.work = host.Workload(sys.executable, code=BUSY)
        self.shell = subprocess.Popen(["sh", "-c", "while :; do :; done"], env=dict(os.environ, LD_PRELOAD=FORGED))
        self.churn = threading.Thread(target=self.brief)
        self.churn.start()

    def brief(self):
        while not self.ended.is_set():
            subprocess.run([sys.executable, "-S", "-E", "-c", BRIEF], check=True)
            self.started += 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.churn.join()
        self.shell.kill()
        self.shell.wait()
        self.work.__exit__()


def metrics(daemon):
    text = subprocess.run(["curl", "-sS", "--unix-socket", daemon.socket, "http://plop/metrics"], stdout=subprocess.PIPE,
                          check=True).stdout.decode()
    value = {k: int(float(v)) for k, v in re.findall(r"^plop_(\w+)_ticks_total ([\d.e+]+)$", text, re.M)}
    value["lost"] = {k: int(float(v)) for k, v in re.findall(r'^plop_lost_ticks_total\{cause="(\w+)"\} ([\d.e+]+)$', text, re.M)}
    value["ticks"] = int(float(re.search(r"^plop_ticks_total ([\d.e+]+)$", text, re.M).group(1)))
    return value


def printed(daemon):
    """The tally of what status prints for people."""
    text = daemon.ctl("status").out
    ticks, python, other, lost = (int(n.replace(",", "")) for n in re.search(
        r"ticks +([\d,]+): python ([\d,]+) \(.*?\), other ([\d,]+) .*\n *lost +([\d,]+)", text).groups())
    causes = {k: int(n.replace(",", "")) for k, n in re.findall(r"(\w+) ([\d,]+)", re.search(r" lost +[\d,]+(.*)", text).group(1))}
    assert sum(causes.values()) == lost, text
    return {"ticks": ticks, "python": python, "other": other, "lost": dict(dict.fromkeys(CAUSES, 0), **causes)}


def numbers(data):
    """All LEB128 numbers of some bytes."""
    found, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            found.append(value)
            value, shift = 0, 0
    return found


def counted(blob):
    """The samples of a row of counts: the last section has them, one by one, and the first their sum for each process."""
    packed = blob
    for _ in range(4):
        packed = packed[next(i for i, byte in enumerate(packed) if byte < 128) + 1:]
    sizes = numbers(blob[:len(blob) - len(packed)])
    data = zlib.decompress(packed)
    assert sum(sizes) == len(data), (sizes, len(data))
    counts = sum(numbers(data[sum(sizes[:3]):]))
    assert counts == sum(numbers(data[:sizes[0]])[2::3])
    return counts


def check_database(path):
    """The file itself."""
    with sqlite3.connect("file:%s?mode=ro" % path, uri=True) as db:
        rows = db.execute("SELECT id, start_ns, end_ns, samples, ticks, python, other, %s FROM windows ORDER BY start_ns" % ", ".join(
            "lost_" + cause for cause in STORED)).fetchall()
        windows = []
        for number, start, end, samples, ticks, python, other, *lost in rows:
            window = exact("row %d" % number, {"ticks": ticks, "python": python, "other": other, "lost": dict(zip(STORED, lost), rate=0)})
            assert samples == python, "row %d has %d samples of %d" % (number, samples, python)
            stored = counted(db.execute("SELECT data FROM counts WHERE id = ?", (number,)).fetchone()[0])
            assert stored == samples, "the counts of window %d are %d samples of %d" % (number, stored, samples)
            windows.append((start, end, window))
    db.close()
    return windows


def check_export(where, export, selected=False):
    """An export's own words; its stacks are the python ticks, or as many as it says of a selection."""
    samples = sum(count for _, count in export.stacks) if export.stacks is not None else sum(node[3] for node in export.nodes)
    if export.tally:
        exact(where, export.tally)
        assert samples == export.tally["samples"], "%s: %d samples, said %d" % (where, samples, export.tally["samples"])
        assert selected or samples == export.tally["python"], "%s: %d samples, %d python ticks" % (
            where, samples, export.tally["python"])
    return samples


@pytest.fixture(scope="module")
def load(plopd):
    if not os.path.exists(FORGED):
        pytest.skip("%s was not built" % FORGED)
    with Load() as running:
        plopd.profiled(running.work.pid)
        until("the unknown interpreter is found", lambda: plopd.status()["samples"]["lost"]["unsupported"] > 0)
        yield running


def test_recordings(plopd, load):
    with exports.Recordings(plopd) as recordings:
        until("three more windows", lambda: len(plopd.get("/v1/windows")["windows"]) >= 4, 60)
        found = recordings.stop()
    for form, export in found.items():
        check_export("recording as " + form, export)
        if form == "collapsed":
            assert export.tally is None
        else:
            assert export.tally["lost"]["unsupported"] > 0, "%s: nothing of the unknown interpreter" % form
    tally = found["json"].tally
    print("recorded: %s" % json.dumps({k: tally[k] for k in ("ticks", "python", "other", "lost")}))


def test_recording_of_one(plopd, load):
    """A recording of one process does not call another's losses its own."""
    def unsupported():
        return plopd.status()["samples"]["lost"]["unsupported"]

    recording, before = host.Recording(plopd, load.work.pid), unsupported()
    until("ticks of the unknown interpreter are lost", lambda: unsupported() > before + 100)
    stacks = recording.stop()
    assert sum(count for _, count in stacks) > 0 and "unsupported" not in recording.lost(), recording.said


@pytest.mark.parametrize("look", range(10))
def test_live(plopd, load, look):
    """What plopd says while all goes on; windows lie between what status said before and after them."""
    before = exact("status", plopd.status()["samples"])
    windows = plopd.get("/v1/windows")["windows"]
    after = exact("status", plopd.status()["samples"])
    for window in windows:
        exact("window of %s" % window["start"], window)
        assert window["samples"] == window["python"], window
    assert all(low <= mid <= high for low, mid, high in zip(flat(before), summed(windows), flat(after))), (
        flat(before), summed(windows), flat(after))
    exact("metrics", metrics(plopd))
    exact("status for people", printed(plopd))


@pytest.fixture(scope="module")
def saved(plopd, load):
    """(start, end, tally) of the windows in the file, after the load's end and plopd's; plopd runs again."""
    load.__exit__()
    print("%d short processes" % load.started)
    assert load.started > 10, "hardly any short processes"
    last = exact("status", plopd.status()["samples"])
    assert plopd.stop() == 0, plopd.said()
    windows = check_database(os.path.join(plopd.state, "plop.db"))
    plopd.start()
    return last, windows


def test_database(saved):
    last, windows = saved
    tally = summed([window for _, _, window in windows])
    assert all(a <= b for a, b in zip(flat(last), tally)), "status said %s, %s were saved" % (flat(last), tally)
    print("%d windows, ticks %d = python %d + other %d + lost %s" % (
        len(windows), tally[0], tally[1], tally[2], dict(zip(CAUSES, tally[3:]))))


@pytest.mark.parametrize("of", ("all", "one"))
def test_exports(plopd, load, saved, of):
    """The saved windows in every format, in whole and of one process; and the header of the HTTP answer."""
    _, windows = saved
    end = windows[-1][1] // 1000000000
    # the last one may have begun within that second
    want = summed([window for start, _, window in windows if start < end * 1000000000])
    selector = ("pid=%d" % load.work.pid,) if of == "one" else ()
    counted = set()
    for form in exports.FORMATS:
        path = os.path.join(plopd.folder, "export." + form)
        done = plopd.ctl("export", "--since", "1h", "--until", end, "-f", form, "-o", path, *selector)
        assert done.returncode == 0, done.err
        with open(path, "rb") as f:
            export = exports.READERS[form](f.read())
        counted.add(check_export("export as " + form, export, bool(selector)))
        assert form == "collapsed" or flat(export.tally) == want, "%s: %s, the windows %s" % (form, flat(export.tally), want)
        head = subprocess.run(["curl", "-sS", "-o", os.devnull, "-D", "-", "--unix-socket", plopd.socket,
                               "http://plop/v1/profile?format=%s&from=0&to=%d" % (form, end)], stdout=subprocess.PIPE, check=True)
        said = exports.tally_of_words(re.search(rb"(?im)^Plop-Ticks: (.*)$", head.stdout).group(1).decode())
        assert flat(exact("header with " + form, said)) == want, said
    assert len(counted) == 1, "the formats differ: %s" % counted
    samples = counted.pop()
    assert 0 < samples < want[1] if selector else samples == want[1], "%d samples of %d" % (samples, want[1])
    for python in (host.pythons()[0][1], sys.executable):
        subprocess.run([python, "-c", "import ast, sys; assert ast.literal_eval(open(sys.argv[1]).read())",
                        os.path.join(plopd.folder, "export.plop")], check=True)
