# SPDX-License-Identifier: BSD-2-Clause
"""What one user can take of what all share: each bound is reached by a user who asks for as much as can be had, while root's questions
are answered at once and what is always on loses nothing."""
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time

import pytest

import access
import host
from waiting import until

ONE, TWO, THREE, FOUR, FIVE = 61001, 61002, 61003, 61004, 61005
SUB = 7100000  # the first of sub-uids that the test gives to ONE
RATE = 2000
MB = 1 << 20
# plopd and who asks it come before what the test has run, and what runs on the machine anyway: the scheduler's shares are not plop's.
NICE = 10

# Two threads that hand a byte round: as many switches as there can be.
SWITCHES = """
import os, sys, threading
pipes = os.pipe(), os.pipe()
def turn(a, b):
    while True:
        os.read(a, 1)
        os.write(b, b'x')
for i in range(2):
    threading.Thread(target=turn, args=(pipes[i][0], pipes[1 - i][1]), daemon=True).start()
os.write(pipes[0][1], b'x')
sys.stdout.write("READY %d\\n" % os.getpid())
sys.stdout.flush()
sys.stdin.readline()
"""


class Users(access.Users):
    def __init__(self, daemon):
        super().__init__(daemon)
        self.others, self.made = [], set()
        self.distinct = shutil.copy(os.path.join(host.WORKLOADS, "distinct.py"), self.folder)

    def run(self, uid, *command, nice=NICE):
        """A program of a user's that says READY."""
        def begin():
            os.nice(nice)
            if uid:
                access.become(uid)()

        process = subprocess.Popen([sys.executable] + [str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   preexec_fn=begin, cwd="/")
        self.others.append(process)
        assert process.stdout.readline().startswith(b"READY"), command
        self.daemon.profiled(process.pid)
        return process

    def end(self):
        for process in self.others:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()
        self.others = []

    def begin_recording(self, uid, **body):
        status, answer = self.http(uid, "POST", "/v1/recordings", dict({"duration_s": 300}, **body))
        return status, json.loads(answer.decode())

    def recorded(self, uid, **body):
        status, answer = self.begin_recording(uid, **body)
        assert status == 201, (status, answer)
        self.made.add((uid, answer["id"]))
        return answer["id"]

    def look(self, uid, recording):
        return self.get(uid, "/v1/recordings/" + recording)

    def forget(self, uid, recordings):
        """Ends and fetches them."""
        for recording in recordings:
            self.http(uid, "DELETE", "/v1/recordings/" + recording)
        for recording in recordings:
            until("it ends", lambda r=recording: self.http(uid, "GET", "/v1/recordings/" + r)[0] == 404
                       or self.look(uid, r)["state"] == "done")
            self.http(uid, "GET", "/v1/recordings/%s?format=json" % recording)
            self.http(uid, "DELETE", "/v1/recordings/" + recording)
            self.made.discard((uid, recording))

    def shares(self, uid=0):
        return self.json(uid, "status", "--json")["shares"]


def resident(pid):
    with open("/proc/%d/statm" % pid) as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pids):
    """That the processes have used."""
    ticks = 0
    for pid in pids:
        with open("/proc/%d/stat" % pid) as f:
            ticks += sum(int(n) for n in f.read().rsplit(")", 1)[1].split()[11:13])
    return ticks / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def unaffected(daemon, what):
    """While it goes on root is answered within 100 ms, most times, and of 1,000 ticks that are always on less than one is lost."""
    took, most, over = [], [0], threading.Event()
    before = daemon.status()["samples"]

    def watch():
        while not over.is_set():
            began = time.monotonic()
            assert daemon.status()
            took.append(time.monotonic() - began)
            most[0] = max(most[0], resident(daemon.process.pid))
            over.wait(0.05)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        # somebody who takes CPU, so that there are ticks to be lost
        with host.Workload(sys.executable, code="print('READY', flush=True)\nwhile True:\n pass"):
            yield most
    finally:
        over.set()
        thread.join()
    after = daemon.status()["samples"]
    ticks = after["ticks"] - before["ticks"]
    lost = {cause: after["lost"][cause] - n for cause, n in before["lost"].items()}
    # a thread between two stores, and a page that is not there, are of the process itself, which has just begun; what plop cannot
    # profile, and has too many threads, is another test's
    own = sum(lost.pop(cause) for cause in ("fault", "corrupt"))
    for cause in host.OF_OTHERS:
        del lost[cause]
    print("%s: status in %.0f ms (median of %d, %.0f at most), %d of %d ticks lost, %d for reasons of the process's own, %.0f MB at most" % (
        what, 1000 * statistics.median(took), len(took), 1000 * max(took), sum(lost.values()), ticks, own, most[0] / 1e6))
    assert len(took) >= 20 and ticks >= 300, (len(took), ticks)
    assert statistics.median(took) < 0.1, took
    assert sum(lost.values()) <= 0.001 * ticks and own <= 1 + 0.01 * ticks, (before, after)


def with_subuids(daemon):
    """Has plopd see an /etc/subuid of the test's own: in a mount namespace, so that nobody else does."""
    path, plain = os.path.join(daemon.folder, "subuid"), daemon.command
    with open(path, "w") as f:
        f.write("%d:%d:1000\n" % (ONE, SUB))
    daemon.command = lambda: ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/subuid && exec "$@"', path] + plain()


@pytest.fixture(scope="module")
def plopd(root):
    before = os.nice(0)
    os.nice(-NICE)
    with host.Plopd("--window", 5, start=False) as daemon:
        # a root that is no mount point, as in a chroot, cannot be made private
        daemon.subuids = os.path.exists("/etc/subuid") and subprocess.run(["unshare", "--mount", "true"], stderr=subprocess.PIPE,
                                                                          check=False).returncode == 0
        if daemon.subuids:
            with_subuids(daemon)
        else:
            print("not tested here: sub-uids, for want of an /etc/subuid or of a mount namespace of the test's own")
        daemon.start()
        yield daemon
    os.nice(before - os.nice(0))


@pytest.fixture(scope="module")
def everybody(plopd):
    users = Users(plopd)
    yield users
    users.done()


@pytest.fixture
def users(everybody):
    """Plopd as each user sees it; what a test has them run ends with it."""
    yield everybody
    everybody.end()
    # what a test that failed has left
    for uid, recording in sorted(everybody.made):
        everybody.forget(uid, [recording])


# Root's, until it is told to be a user's: without executing anything.
GIVES_UP_ROOT = """
import os, runpy, sys
sys.stdout.write("READY %%d\\n" %% os.getpid())
sys.stdout.flush()
sys.stdin.readline()
os.setgroups([])
os.setresgid(*3 * [int(sys.argv[1])])
os.setresuid(*3 * [int(sys.argv[1])])
sys.argv[1:] = []
runpy.run_path(%r, run_name="__main__")
"""


def test_root_given_up(users):
    """Who begins as root and then becomes a user, without exec, is held to that user's shares."""
    with host.Plopd("--hz", 1000, "--window", 60) as daemon:
        others = Users(daemon)
        try:
            process = others.run(0, "-c", GIVES_UP_ROOT % others.distinct, FOUR, nice=NICE - 5)
            process.stdin.write(b"\n")
            process.stdin.flush()
            until("FOUR has used up what a process has of a window", lambda: others.shares(FOUR)["window_process_merged"] > 0, 60)
        finally:
            others.end()
            others.done()
    print("root given up: its stacks count as its user's")


def test_rate_asked(users):
    pid = users.run(ONE, users.distinct, "--depth", 30).pid
    status, answer = users.begin_recording(ONE, pid=pid, hz=10000)
    assert status == 422 and "%d together" % RATE in answer["error"] and "-F" in answer["hint"], (status, answer)
    first = users.recorded(ONE, pid=pid, hz=1500)
    status, answer = users.begin_recording(ONE, pid=pid, hz=501)
    assert status == 429 and "500 are left" in answer["error"], (status, answer)
    # a sub-uid is the user; another user is not
    if users.daemon.subuids:
        status, answer = users.begin_recording(SUB + 5, all=True, hz=501)
        assert status == 429 and "500 are left" in answer["error"], (status, answer)
    refused = 3 if users.daemon.subuids else 2
    other = users.recorded(TWO, all=True, hz=RATE)
    # ticks that are there anyway cost nothing, and root may have as many as there can be
    second, third = users.recorded(ONE, pid=pid), users.recorded(ONE, pid=pid, hz=500)
    roots = users.recorded(0, pid=pid, hz=10000)
    users.forget(ONE, [first, second, third])
    users.forget(TWO, [other])
    users.forget(0, [roots])
    users.forget(ONE, [users.recorded(ONE, pid=pid, hz=RATE)])
    assert users.shares(ONE)["rate_refused"] == refused and users.shares(TWO)["rate_refused"] == 0, users.shares(ONE)
    assert users.shares()["rate_refused"] == refused, users.shares()
    for uid in (ONE, 0):
        assert "rate refused %d" % refused in users.ctl(uid, "status").out, users.ctl(uid, "status").out
    assert "nothing was refused" in users.ctl(TWO, "status").out, users.ctl(TWO, "status").out
    users.end()
    print("rate: %d samples a second for one user%s" % (RATE, ", sub-uids included" if users.daemon.subuids else ""))


def test_places(users):
    """Where none is left nobody learns how many others have, but root."""
    roots = [users.recorded(0, all=True) for _ in range(32)]
    status, answer = users.begin_recording(ONE, all=True)
    assert status == 429 and answer["error"] == "no more recordings may run now: one user may have 8, all users together 24", answer
    status, answer = users.begin_recording(0, all=True)
    assert status == 429 and answer["error"] == "32 recordings run already, and no more than 32 may", answer
    users.forget(0, roots)


def test_rate_made(users):
    """Busy processes have more samples than one: what is too much is lost, and said."""
    # whatever else runs on this machine: together they have more than one CPU
    pids = [users.run(ONE, users.distinct, "--depth", 10, nice=0).pid for _ in range(4 * os.cpu_count())]
    with unaffected(users.daemon, "rate"):
        recordings = [users.recorded(ONE, all=True, hz=RATE // 2) for _ in range(2)]
        began, used = time.monotonic(), cpu_seconds(pids)
        until(lambda: "1000 samples are lost: %.2f CPUs in use" % ((cpu_seconds(pids) - used) / (time.monotonic() - began)),
              lambda: users.look(ONE, recordings[0])["lost"]["rate"] >= 1000, 60)
        seconds = time.monotonic() - began
        cpus = (cpu_seconds(pids) - used) / seconds
        users.forget(ONE, recordings[1:])
    said = users.look(ONE, recordings[0])
    users.forget(ONE, recordings[:1])
    made = said["samples"]
    print("rate: %d samples and %d lost in %.1f s, by %.2f CPUs" % (made, said["lost"]["rate"], seconds, cpus))
    assert said["lost"]["rate"] >= 1000, (said, cpus)
    assert 100 < made <= RATE * (seconds + 2), (made, seconds)
    assert said["ticks"] == said["samples"] + sum(said["lost"].values()), said
    assert users.shares(ONE)["rate_lost"] >= 1000 > users.shares(TWO)["rate_lost"], users.shares(ONE)
    users.end()


def test_switches(users):
    pid = users.run(ONE, "-c", SWITCHES).pid
    status, answer = users.begin_recording(ONE, pid=pid, wall=True)
    if status == 501:
        users.end()
        pytest.skip(answer["error"])
    assert status == 201, answer
    with unaffected(users.daemon, "switches"):
        time.sleep(5)
    said = users.look(ONE, answer["id"])
    assert said["lost"]["rate"] > 1000, said
    users.forget(ONE, [answer["id"]])
    users.end()
    print("switches: %d beyond the rate in 5 s" % said["lost"]["rate"])


def test_tables(users):
    """Four users have the deepest stacks there are recorded as often as they may. While plopd does not come to drain the tables, what
    is too much is their loss alone."""
    pids = {uid: users.run(uid, users.distinct).pid for uid in (ONE, TWO, THREE, FOUR)}
    pids[FIVE] = users.run(FIVE, "-c", access.code("fives_busy"), nice=NICE - 5).pid
    with unaffected(users.daemon, "tables"):
        made = {uid: users.recorded(uid, pid=pids[uid], hz=1000 if uid == FIVE else RATE) for uid in pids}
        until("all have some samples", lambda: all(users.look(uid, made[uid])["samples"] > 300 for uid in made), 60)
    for _ in range(12):
        users.daemon.process.send_signal(signal.SIGSTOP)
        try:
            # not so long that what is always on, which takes what is free, needs all there is
            time.sleep(0.15)
        finally:
            users.daemon.process.send_signal(signal.SIGCONT)
        # it drains them meanwhile, and is not stopped again before
        drained = users.daemon.status()["samples"]["ticks"]
        until("the tables are drained", lambda: users.daemon.status()["samples"]["ticks"] > drained)
    # what was lost comes with the same cycle as what was not
    ticks = {uid: users.look(uid, recording)["ticks"] for uid, recording in made.items()}
    until("one more cycle of each", lambda: all(users.look(uid, made[uid])["ticks"] > n for uid, n in ticks.items()))
    said = {uid: users.look(uid, recording) for uid, recording in made.items()}
    for uid, recording in made.items():
        users.forget(uid, [recording])
    users.end()
    full = {uid: sum(s["lost"][cause] for cause in ("frames_full", "stacks_full")) for uid, s in said.items()}
    print("tables: beyond the share, of ticks: " + ", ".join("%d of %d" % (full[uid], s["ticks"]) for uid, s in sorted(said.items())))
    assert full.pop(FIVE) == 0, said[FIVE]
    assert min(full.values()) > 0, said


def test_memory(users):
    """Eight recordings of stacks no two of which are alike."""
    # beside other tests it is to have a CPU most of the time
    pid, roots_pid = users.run(ONE, users.distinct, nice=NICE - 5).pid, users.run(0, "-c", access.code("roots_busy")).pid
    before = resident(users.daemon.process.pid)
    with unaffected(users.daemon, "memory") as most:
        roots = users.recorded(0, pid=roots_pid, hz=200)
        recordings = [users.recorded(ONE, pid=pid, hz=RATE // 8) for _ in range(8)]
        until("all end", lambda: all(users.look(ONE, r)["state"] == "done" for r in recordings), 120)
        assert {users.look(ONE, r)["reason"] for r in recordings} == {"too large"}
        # each has what it had until then, and can be fetched
        for recording in recordings:
            assert users.look(ONE, recording)["samples"] > 50
        threads = [threading.Thread(target=users.http, args=(ONE, "GET", "/v1/recordings/%s?format=json" % r)) for r in recordings]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # the next one takes the place of the oldest
        ninth = users.recorded(ONE, pid=pid, hz=100)
        assert users.http(ONE, "GET", "/v1/recordings/" + recordings[0])[0] == 404
        assert users.look(0, roots)["state"] == "running"
    grown = (most[0] - before) / MB
    print("memory: plopd grew by %.0f MB" % grown)
    assert grown < 60, grown
    assert users.shares(ONE)["memory_ended"] >= 8, users.shares(ONE)
    users.forget(ONE, recordings + [ninth])
    users.forget(0, [roots])
    users.end()


def test_questions(users):
    """Two questions of a user wait for their answer, not more."""
    said = []

    def ask():
        said.append(users.http(ONE, "GET", "/v1/profile?format=json")[0])

    def many():
        threads = [threading.Thread(target=ask) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return 429 in said

    with unaffected(users.daemon, "questions"):
        until("a question too many", many, 60)
        time.sleep(4)
    assert set(said) <= {200, 429, 503} and 200 in said, said
    assert users.shares(ONE)["queries_refused"] >= said.count(429) > 0 == users.shares(TWO)["queries_refused"]
    print("questions: %d answered, %d refused" % (said.count(200), said.count(429)))


def test_store(users):
    """One user's stacks fill the store as fast as they can: nobody else's windows go for it."""
    config = os.path.join(users.daemon.folder, "small.conf")
    with open(config, "w") as f:
        f.write("[plopd]\nhz = 2500\nwindow = 2s\nmax_store = 16M\n")
    with host.Plopd("--config", config) as daemon:
        small = Users(daemon)
        try:
            fill_store(small)
        finally:
            small.end()
            small.done()
        assert daemon.stop() == 0


def fill_store(users):
    daemon, beyond = users.daemon, "[beyond this user's share]"
    users.begin("root_busy", 0)
    users.begin("two_busy", TWO)

    def store():
        return daemon.status()["store"]

    until("two windows are saved", lambda: store()["windows"] >= 2, 40)
    oldest, before = store()["oldest"], resident(daemon.process.pid)
    for _ in range(3):
        # so many functions that their stacks cannot be packed well, nor can their names
        users.run(ONE, users.distinct, "--functions", 4000, "--renamed", nice=NICE - 5)
    sizes = []
    until("ONE has used up a share of a window", lambda: users.shares(ONE)["window_merged"] > 0, 60)
    until("... and of the store", lambda: sizes.append(store()["bytes"]) or users.shares(ONE)["store_merged"] > 0, 120)
    saved = store()["windows"]
    until("three more windows are saved", lambda: sizes.append(store()["bytes"]) or store()["windows"] >= saved + 3, 60)
    assert store()["oldest"] == oldest, "the oldest window went"
    assert max(sizes) < 16 * MB, max(sizes)
    assert users.shares(TWO)["store_merged"] == users.shares(TWO)["window_merged"] == 0, users.shares(TWO)
    # each has what is his, by name, and ONE his counts
    for uid, name in ((TWO, "two_busy"), (0, "root_busy")):
        said = users.ctl(uid, "export", "-f", "collapsed", "pid=%d" % users.pid(name))
        assert said.returncode == 0, said.err
        text = said.out
        assert name in text and beyond not in text, text[:1000]
    processes = [users.others[0].pid, users.others[1].pid]
    answers = [users.ctl(ONE, "export", "--since", since, "-f", "collapsed", "pid=%d" % processes[0]) for since in ("10s", "1h")]
    for answer in answers:
        assert beyond in answer.out or (answer.returncode and ("MB" in answer.err or "MiB" in answer.err) and "shorter time" in answer.err), answer.err
    for window in daemon.get("/v1/windows")["windows"]:
        assert host.accounted(window) and window["samples"] == sum(p["samples"] for p in window["processes"]), window
    grown = (resident(daemon.process.pid) - before) / MB
    print("store: %.1f MB at most, %d windows, %s; plopd grew by %.0f MB" % (max(sizes) / MB, store()["windows"], users.shares(), grown))
    assert grown < 60, grown


# For every version, 2.7 too.
SPIN = "import sys\nsys.stdout.write('READY\\n')\nsys.stdout.flush()\nwhile True:\n pass"

# A 3.13 that has made its layout another one, and itself a process of a user.
FORGED = """
import ctypes, os, sys, time
runtime = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
number, uid = int(sys.argv[1]), int(sys.argv[2])
# where a thread state keeps the kernel's id of its thread (tests/unit/python/check_layout.c has the table): anywhere but where it
# is, since a 3.13 of root's that runs beside, of another test, would make that layout nobody's in particular
offset = ctypes.c_uint64.from_address(runtime + 200)
offset.value = [o for o in range(8, 1024, 8) if o != offset.value][number]
os.setgroups([])
os.setresgid(uid, uid, uid)
os.setresuid(uid, uid, uid)
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
sys.stdout.write("READY\\n")
sys.stdout.flush()
end = time.time() + 300
while time.time() < end:
    sum(range(20000))
    time.sleep(0.02)
"""


def test_layouts(users):
    """Layouts that nobody but one user's processes have do not keep others' out, and go with these."""
    found = {version: path for version, path, build in host.pythons() if "debug" not in build and "freethreaded" not in build}
    if (3, 13) not in found:
        pytest.skip("no CPython 3.13 here to forge layouts with")
    owners = [ONE] * 12 + [uid for uid in (TWO, THREE, FOUR, FIVE) for _ in range(8)]
    forged = []
    try:
        for number, uid in enumerate(owners):
            forged.append(subprocess.Popen([found[(3, 13)], "-c", FORGED, str(number), str(uid)], stdout=subprocess.PIPE))
        for process in forged:
            assert process.stdout.readline() == b"READY\n"
        # it takes interpreters for what they are when it first sees them; one of root's, not forged, is among them
        with host.Workload(found[(3, 13)], code=SPIN), host.Plopd("--window", 5) as daemon:
            mine = Users(daemon)
            try:
                layouts(mine, forged, owners, found)
            finally:
                mine.end()
                mine.done()
    finally:
        for process in forged:
            process.kill()
            process.wait()
            process.stdout.close()


def layouts(users, forged, owners, found):
    def profiled():
        pids = {p["pid"] for p in users.json(0, "ps", "--json") if p["status"] == "profiled"}
        return [uid for process, uid in zip(forged, owners) if process.pid in pids]

    def seen(what):
        """The event in words, and what was there when it did not come."""
        return lambda: "%s; profiled by user: %s; refused: %s" % (
            what, {uid: profiled().count(uid) for uid in sorted(set(owners))},
            {uid: users.shares(uid)["layouts_refused"] for uid in [0] + sorted(set(owners))})

    until(seen("some are refused"), lambda: users.shares()["layouts_refused"] > 0, 60)
    # users of other tests may have some of the 32
    until(seen("four of ONE's are refused"), lambda: users.shares(ONE)["layouts_refused"] >= 4, 60)
    got = until(seen("the rest is profiled, 28 to 32 of them"), lambda: 28 <= len(profiled()) <= 32 and profiled(), 60)
    assert max(got.count(uid) for uid in set(owners)) <= 8, got
    # what root brings is profiled, of whatever version
    for version in sorted(found):
        with host.Workload(found[version], code=SPIN) as work:
            users.daemon.profiled(work.pid)
    # those that were refused take the places of those that end
    before = set(process.pid for process, uid in zip(forged, owners) if uid == ONE)
    kept = {p["pid"] for p in users.json(0, "ps", "--json")} & before
    for process in forged:
        if process.pid in kept:
            process.kill()
    until(seen("the %d others of ONE's are profiled" % len(before - kept)), lambda: profiled().count(ONE) == len(before - kept), 60)
    print("layouts: %d of %d forged ones at once, 8 of a user at most; %d versions of root's beside them" % (
        len(got), len(owners), len(found)))


def test_end(everybody):
    assert everybody.daemon.stop() == 0
