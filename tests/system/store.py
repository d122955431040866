# SPDX-License-Identifier: BSD-2-Clause
"""What can happen to plop.db and to the clock while plopd runs, and before: it goes on, keeps what it can, and says so in one sentence."""
import glob
import json
import os
import shutil
import sqlite3
import struct
import subprocess
import sys
import time

import pytest

import host
from waiting import until

BUSY = "print('READY', flush=True)\ndef spin():\n    x = 1\n    while True:\n        x = x * 33 & 65535\nspin()\n"
DAY = 86400


def notices(daemon):
    return [n["text"] for n in daemon.status()["notices"]]


def told(daemon, *words):
    """The sentence with all of the words, once there is one."""
    said = until("status says %s" % (words,), lambda: next((t for t in notices(daemon) if all(w in t for w in words)), None), 30)
    until("the log says so", lambda: said in daemon.said())
    assert "NOTICE" in daemon.ctl("status").out
    return said


def stored(daemon):
    return [w for w in daemon.get("/v1/windows?from=0")["windows"] if not w["running"]]


def saved(daemon, least):
    """Until windows are saved in the file that is there now; status counts just these."""
    until("%d windows are saved" % least, lambda: daemon.status()["store"]["windows"] >= least, 30)
    with sqlite3.connect("file:%s?mode=ro" % os.path.join(daemon.state, "plop.db"), uri=True) as db:
        inside = db.execute("SELECT count(*) FROM windows").fetchone()[0]
    db.close()
    status = daemon.status()["store"]
    assert inside >= least and abs(status["windows"] - inside) <= 2, (inside, status)
    assert status["error"] is None and status["unsaved"] == 0, status
    return status


def aside(daemon, why):
    """The one file that was set aside for that reason."""
    found = [p for p in glob.glob(os.path.join(daemon.state, "plop.db.2*Z.*")) if p.endswith("." + why)]
    assert len(found) == 1, (why, os.listdir(daemon.state))
    return found[0]


def checkpoint(path):
    """All of it is in the file itself, none in the WAL."""
    db = sqlite3.connect(path, timeout=20)
    busy = until("the WAL is empty", lambda: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
    db.close()
    assert busy


def garbage_before(daemon):
    path, bad = os.path.join(daemon.state, "plop.db"), b"\xa5" * 20000
    with open(path, "wb") as f:
        f.write(bad)
    daemon.start()
    told(daemon, path, "is not a database", "it is kept as", "new file")
    with open(aside(daemon, "not-a-database"), "rb") as f:
        assert f.read() == bad
    saved(daemon, 3)


def bits_flipped(daemon):
    path = os.path.join(daemon.state, "plop.db")
    checkpoint(path)
    with open(path, "r+b") as f:
        pages = os.path.getsize(path) // 4096
        for page in range(1, pages):
            f.seek(page * 4096)
            f.write(b"\xff" * 12)
    answer = daemon.get("/v1/profile?from=0")
    # if no window was saved before
    assert "nodes" in answer or ("plop.db is damaged" in answer["error"] and "ask again" in answer["hint"]), answer
    told(daemon, path, "is damaged", "it is kept as")
    assert glob.glob(os.path.join(daemon.state, "plop.db.2*Z.malformed")), os.listdir(daemon.state)
    assert "nodes" in daemon.get("/v1/profile?from=0"), "the next question has an answer"
    saved(daemon, 2)


def truncated(daemon):
    path = os.path.join(daemon.state, "plop.db")
    checkpoint(path)
    os.truncate(path, 8192)
    told(daemon, path, "was truncated", "it is kept as")
    saved(daemon, 2)


def removed(daemon):
    before = saved(daemon, 6)
    for path in glob.glob(os.path.join(daemon.state, "plop.db*")):
        os.unlink(path)
    told(daemon, "plop.db was removed")
    status = saved(daemon, 1)
    assert status["windows"] < before["windows"] or status["oldest"] > before["oldest"], (before, status)


def removed_with_its_directory(daemon):
    oldest = saved(daemon, 2)["oldest"]
    shutil.rmtree(daemon.state)
    until("the directory is there again", lambda: os.path.exists(os.path.join(daemon.state, "plop.db")), 30)
    until("it is another store", lambda: (daemon.status()["store"]["oldest"] or 0) > oldest, 30)
    saved(daemon, 2)


@pytest.fixture(scope="module")
def work(root):
    with host.Workload(sys.executable, code=BUSY) as running:
        yield running


@pytest.fixture(scope="module")
def plopd(work):
    """The first test starts it."""
    with host.Plopd("--window", 1, start=False) as daemon:
        yield daemon


@pytest.mark.parametrize("step", (garbage_before, bits_flipped, truncated, removed, removed_with_its_directory),
                         ids=lambda step: step.__name__)
def test_damage(plopd, step):
    """One after the other, of one plopd."""
    step(plopd)


def profile_of(daemon, window):
    """Of that window alone: its ends, rounded, may lie in its neighbours."""
    return daemon.get("/v1/profile?from=%f&to=%f" % (window["start"] + 0.01, window["end"] - 0.01))


def test_backup(plopd):
    """A copy made while windows are saved is what was there, also for the plopd that gets it in place of its own."""
    saved(plopd, 3)
    window = stored(plopd)[-1]
    path = os.path.join(plopd.folder, "copy.db")
    done = plopd.ctl("backup", path)
    assert done.returncode == 0 and "windows" in done.err, done.err
    assert os.stat(path).st_mode & 0o777 == 0o600
    again = plopd.ctl("backup", path)
    assert again.returncode == 1 and "is there already" in again.err and "--force" in again.err, again.err
    assert plopd.ctl("backup", "--force", path).returncode == 0
    for checked in ([], [path]):
        done = plopd.ctl("fsck", *checked)
        assert done.returncode == 0 and "sound" in done.out and not done.err, (done.out, done.err)
    with host.Plopd("--mode", "on-demand", start=False) as other:
        # as the manual says
        shutil.copy(path, os.path.join(other.state, "plop.db"))
        other.start()
        assert not notices(other), notices(other)
        assert profile_of(other, window)["nodes"] == profile_of(plopd, window)["nodes"]
    # what fsck finds wrong, and what it does not find
    with sqlite3.connect(path) as db:
        db.execute("UPDATE windows SET samples = samples + 1 WHERE id = %d" % window["id"])
    db.close()
    done = plopd.ctl("fsck", path)
    assert done.returncode == 1 and "window %d cannot be read" % window["id"] in done.err and "fsck: 1 fault\n" in done.err, done.err
    assert "damaged" in done.out
    for bad, status, why in ((plopd.log, 1, "is no database of plop"), (path + "-none", 3, "there is no"), (plopd.folder, 1, "is no file")):
        done = plopd.ctl("fsck", bad)
        sentence, advice = done.err.splitlines()
        assert done.returncode == status and why in sentence and bad in sentence and not done.out, (done.out, done.err)
        assert "plopctl backup" in advice, advice
    # a full disk says so, and leaves nothing
    disk = os.path.join(plopd.folder, "disk")
    os.mkdir(disk)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", disk], check=True)
    try:
        full = plopd.ctl("backup", os.path.join(disk, "copy.db"))
        assert full.returncode == 1 and "no room" in full.err, full.err
        assert not os.listdir(disk)
    finally:
        subprocess.run(["umount", disk], check=True)
    assert plopd.ctl("backup", os.path.join(disk, "none", "copy.db")).returncode == 1
    assert plopd.ctl("backup").returncode == 2


def test_sampling_has_gone_on(plopd, work):
    plopd.profiled(work.pid)
    profile = plopd.get("/v1/profile?from=0&pid=%d" % work.pid)
    assert any(n["function"] == "spin" for n in profile["nodes"])
    assert host.accounted(plopd.status()["samples"])
    assert plopd.stop() == 0


def test_read_only(work):
    """The file system becomes read-only while plopd saves: it is said once, and all goes on when it can be written to again."""
    with host.Failing("--window", 1) as daemon:
        until("windows are saved", lambda: daemon.status()["store"]["windows"] >= 2, 30)
        daemon.fail("r")
        error = until("it is told", lambda: daemon.status()["store"]["error"], 30)
        assert daemon.state in error and "Read-only file system" in error, error
        python = daemon.status()["samples"]["python"]
        until("sampling goes on", lambda: daemon.status()["samples"]["python"] > python + 50, 30)
        until("more than one window is not saved", lambda: daemon.status()["store"]["unsaved"] >= 2, 30)
        before = daemon.status()["store"]["windows"]
        daemon.fail("")
        until("it is saved again", lambda: not daemon.status()["store"]["error"], 30)
        until("windows are saved", lambda: daemon.status()["store"]["windows"] > before, 30)
        assert daemon.said().count("Read-only file system") == 1, daemon.said()
        done = daemon.ctl("fsck")
        assert done.returncode == 0, done.err


class Shifted(host.Plopd):
    """A plopd whose time of day can be set."""

    def __init__(self, *arguments):
        super().__init__(*arguments, start=False)
        self.shift = os.path.join(self.folder, "shift")
        self.set(0)
        self.start()

    def set(self, seconds):
        with open(self.shift, "r+b" if os.path.exists(self.shift) else "wb") as f:
            f.write(struct.pack("=q", seconds))

    def command(self):
        return ["env", "LD_PRELOAD=" + os.path.join(host.BUILD, "tests", "system", "libshifted_clock.so"),
                "PLOP_TEST_CLOCK=" + self.shift] + super().command()


def all_stored(daemon):
    """Of the windows in the file: id, start, end, and how far the clock was set as each began, in seconds."""
    with sqlite3.connect("file:%s?mode=ro" % os.path.join(daemon.state, "plop.db"), uri=True) as db:
        found = db.execute("SELECT id, start_ns / 1e9, end_ns / 1e9, stepped_ns / 1e9 FROM windows ORDER BY id").fetchall()
    db.close()
    return found


def rolled_up(daemon):
    """Of each roll-up: its samples, and those of the windows that it is of."""
    with sqlite3.connect("file:%s?mode=ro" % os.path.join(daemon.state, "plop.db"), uri=True) as db:
        found = db.execute("SELECT samples, (SELECT sum(samples) FROM windows WHERE id BETWEEN first AND last) FROM rollups").fetchall()
    db.close()
    return found


def test_clock_set(root):
    """8 days ahead for four windows: none is older for it, and each tells what happened. Then before 1970. Each time is rolled up."""
    with Shifted("--window", 1) as daemon:
        now = time.time()
        until("some windows", lambda: len(stored(daemon)) >= 4, 30)
        first = all_stored(daemon)
        daemon.set(8 * DAY)
        told(daemon, "the clock was set forward by 8d")
        ahead = until("windows of the new time", lambda: [w for w in all_stored(daemon) if w[1] > now + 7 * DAY][2:], 30)
        daemon.set(0)
        told(daemon, "the clock was set back by 8d")
        until("windows of the old time again", lambda: len([w for w in all_stored(daemon) if w[0] > ahead[-1][0] and w[1] < now + DAY]) >= 3, 30)
        after = all_stored(daemon)
        assert after[:len(first)] == first, (first, after)
        steps = [w[3] for w in after if w[3]]
        assert len(steps) == 2 and abs(steps[0] - 8 * DAY) < 5 and abs(steps[1] + 8 * DAY) < 5, after
        listed = [w["clock_set_s"] for w in daemon.get("/v1/windows?from=0&to=%d" % (now + 10 * DAY))["windows"] if w["clock_set_s"]]
        assert sorted(listed) == sorted(steps), (listed, steps)
        assert all(0 < end - start < 5 for _, start, end, _ in after), after
        daemon.set(-int(now) - 1000)
        told(daemon, "the clock was set back by")
        early = until("windows of 1970", lambda: [w for w in all_stored(daemon) if w[1] < now - DAY][1:], 30)
        uptime = time.clock_gettime(time.CLOCK_BOOTTIME)
        assert all(0 < start < end <= uptime + 1 for _, start, end, _ in early), (early, uptime)
        assert all(after[i] == w for i, w in enumerate(all_stored(daemon)[:len(after)])), "none went"
        daemon.set(0)
        until("the time is right", lambda: all_stored(daemon)[-1][1] > now, 30)
        assert all_stored(daemon)[:len(after)] == after, "none went"
        assert daemon.status()["store"]["dropped"] == 0
        rolled = until("what was before the clock was set is rolled up", lambda: rolled_up(daemon)[2:], 30)
        assert all(samples == of_windows for samples, of_windows in rolled_up(daemon)), rolled
        print(json.dumps(daemon.status()["notices"]))
