# SPDX-License-Identifier: BSD-2-Clause
"""Who may ask: two users besides root see and record their own processes and nobody else's, in every answer that plopd gives; what runs
setuid, was privileged before, or may not be dumped is not its user's, also when a recording of the user's own process meets
it half way. And what one user can take of plopd is bounded."""
import gzip
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading

import pytest

import client
import host
from waiting import until

PLOPD = ("--window", 2)

ONE, TWO, NONE = 61001, 61002, 61003  # the last has no process
RECORDINGS, CONNECTIONS = 8, 32

# A function of a name of its own, on the CPU a third of the time: all of them share two CPUs.
BUSY = """
import os, sys, time
def %(name)s(n):
    x = 1
    while n > 0:
        x = (x * 33 + n) & 0xFFFF
        n -= 1
def main():
    end = time.time() + 300
    sys.stdout.write("READY %%d\\n" %% os.getpid())
    sys.stdout.flush()
    while time.time() < end%(until)s:
        %(name)s(20000)
        time.sleep(0.002)
"""
AFTER = "\n%(before)s\nmain()\n%(after)s"


def code(name, before="", after="", until=""):
    return BUSY % {"name": name, "until": until} + AFTER % {"before": before, "after": after}


def become(uid):
    def run():
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    return run


class Users:
    """The workloads, and plopd as each user sees it."""

    def __init__(self, daemon):
        self.daemon = daemon
        # Copies, because the folders above the build may be closed to others, and because of the setuid bit.
        self.folder = tempfile.mkdtemp(prefix="plop-access-", dir="/var/tmp")
        os.chmod(self.folder, 0o755)
        os.chmod(daemon.folder, 0o755)
        self.plopctl = shutil.copy(host.program("plopctl"), self.folder)
        self.setuid = shutil.copy(sys.executable, os.path.join(self.folder, "python-setuid"))
        os.chmod(self.setuid, 0o4755)
        # What may be executed and not read cannot be dumped (fs/exec.c, would_dump()).
        self.unreadable = shutil.copy(sys.executable, os.path.join(self.folder, "python-unreadable"))
        os.chmod(self.unreadable, 0o711)
        self.processes = {}

    def begin(self, name, uid, python=sys.executable, **options):
        process = subprocess.Popen([python, "-c", code(name, **options)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   preexec_fn=become(uid) if uid else None, cwd="/")
        self.processes[name] = process
        ready = process.stdout.readline().split()
        assert ready[:1] == [b"READY"] and int(ready[1]) == process.pid, (name, ready)
        return process

    def pid(self, name):
        return self.processes[name].pid

    def ctl(self, uid, *arguments):
        done = subprocess.run([self.plopctl, "--socket", self.daemon.socket] + [str(a) for a in arguments], cwd="/",
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                              preexec_fn=become(uid) if uid else None)
        done.out, done.err = done.stdout.decode(), done.stderr.decode()
        return done

    def json(self, uid, *arguments):
        done = self.ctl(uid, *arguments)
        assert done.returncode == 0, done.err
        return json.loads(done.out)

    def stacks(self, uid, *arguments):
        """The names of the workloads' functions that a profile has."""
        done = self.ctl(uid, *arguments)
        assert done.returncode == 0, done.err
        return self.names(done.out)

    def names(self, text):
        return sorted(name for name in self.processes if any(mark % name in text for mark in ("%s (", '"%s"', "'%s'")))

    def refused(self, uid, status, sentence, *arguments):
        done = self.ctl(uid, *arguments)
        assert done.returncode == status and sentence in done.err and not done.out, (done.returncode, done.err)

    def http(self, uid, method, path, body=None):
        """(status, body) of a request."""
        return client.ask(self.daemon.socket, method, path, body, uid, 30)

    def get(self, uid, path):
        status, body = self.http(uid, "GET", path)
        assert status == 200, (status, body)
        return json.loads(body.decode())

    def record(self, uid, pid=None, seconds=60):
        """The id of a recording that began."""
        body = {"pid": pid} if pid else {"all": True}
        status, answer = self.http(uid, "POST", "/v1/recordings", dict(body, duration_s=seconds))
        assert status == 201, (status, answer)
        return json.loads(answer.decode())["id"]

    def result(self, uid, recording):
        self.http(uid, "DELETE", "/v1/recordings/" + recording)
        until("recording %s ends" % recording,
                   lambda: self.get(uid, "/v1/recordings/" + recording)["state"] == "done")
        status, body = self.http(uid, "GET", "/v1/recordings/%s?format=collapsed" % recording)
        assert status == 200, (status, body)
        return self.names(body.decode())

    def done(self):
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()
        shutil.rmtree(self.folder)


def begin_all(users):
    users.begin("one_busy", ONE)
    users.begin("two_busy", TWO)
    users.begin("root_busy", 0)
    users.begin("setuid_busy", ONE, python=users.setuid)
    users.begin("dropped_busy", 0, before="os.setgroups([])\nos.setresgid(%d, %d, %d)\nos.setresuid(%d, %d, %d)" % ((ONE,) * 6))
    users.begin("shut_busy", ONE, python=users.unreadable)

    def counted():
        seen = {p["pid"]: p for p in users.json(0, "ps", "--json")}
        return all(seen.get(process.pid, {}).get("samples", 0) >= 20 for process in users.processes.values())

    until("20 samples of each", counted, 60)


@pytest.fixture(scope="module")
def users(plopd):
    """Six processes of theirs, with samples."""
    everybody = Users(plopd)
    try:
        if os.statvfs(everybody.folder).f_flag & os.ST_NOSUID:
            pytest.skip("%s is on a file system without setuid programs" % everybody.folder)
        assert os.stat(everybody.setuid).st_mode & stat.S_ISUID
        begin_all(everybody)
        yield everybody
    finally:
        everybody.done()


def test_ps(users):
    for uid, own in ((ONE, {"one_busy"}), (TWO, {"two_busy"})):
        pids = {p["pid"] for p in users.json(uid, "ps", "--json")}
        assert pids == {users.pid(name) for name in own}, (uid, pids)
        text = users.ctl(uid, "ps").out
        assert len(text.splitlines()) == 1 + len(own), text
        status = users.json(uid, "status", "--json")
        assert status["processes"] == len(own) and status["only_uid"] == uid, status
        assert status["samples"]["ticks"] == status["samples"]["python"] > 0 and host.accounted(status["samples"]), status
        assert status["version"] and status["hz"] == 100 and status["window_s"] == 2 and status["mode"] == "always", status
        assert not {"store", "window", "gateway", "symbols", "cost"} & set(status), status
        assert "of yours" in users.ctl(uid, "status").out
    everybody = {p["pid"] for p in users.json(0, "ps", "--json")}
    assert everybody >= {process.pid for process in users.processes.values()}, everybody
    print("ps, status: one process for each user, %d for root" % len(everybody))


def test_targets(users):
    """Which processes may be recorded, and what is said of the others."""
    mine = users.stacks(ONE, "record", "-p", users.pid("one_busy"), "-d", "1s", "-f", "collapsed", "-o", "-")
    assert mine == ["one_busy"], mine
    for name in ("two_busy", "root_busy", "setuid_busy", "dropped_busy", "shut_busy"):
        pid = users.pid(name)
        users.refused(ONE, 4, "process %d is not yours, or not there" % pid, "record", "-p", pid, "-d", "1s", "-o", "-")
        users.refused(ONE, 4, "process %d is not yours, or not there" % pid, "top", "-1", "-p", pid)
        users.refused(ONE, 4, "process %d is not yours, or not there" % pid, "dump", "-p", pid)
        # nor together with one's own
        users.refused(ONE, 4, "process %d is not yours, or not there" % pid, "record", "-p", users.pid("one_busy"), "-p", pid, "-o", "-")
    listed = users.ctl(ONE, "top", "-1", "-P")
    rows = [line.split()[0] for line in listed.out.partition("COMMAND\n")[2].splitlines() if line]
    assert listed.returncode == 0 and rows == [str(users.pid("one_busy"))], (listed.out, listed.err)
    # not Python, and nobody's business
    users.refused(ONE, 4, "process 1 is not yours, or not there", "record", "-p", "1", "-o", "-")
    # what is hidden from a user (hidepid) is told like what is not there
    users.refused(ONE, 4, "process 4194303 is not yours, or not there", "record", "-p", "4194303", "-o", "-")
    users.refused(0, 3, "there is no process 4194303", "record", "-p", "4194303", "-o", "-")
    users.refused(ONE, 4, "the viewer shows the processes of all users", "open")
    for method, path in (("GET", "/metrics"), ("POST", "/v1/gateway"), ("POST", "/v1/tokens/check"), ("POST", "/v1/tokens")):
        status, body = users.http(ONE, method, path, {"url": "http://x", "token": "x"} if method == "POST" else None)
        assert status == 403, (path, status, body)
    print("record -p, open: others' processes, a setuid one, one that was root and one that cannot be dumped are refused")


def stream(users, uid):
    with client.acting(uid):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(20)
        s.connect(users.daemon.socket)
    with s, s.makefile("rb") as lines:
        s.sendall(b"GET /v1/stream HTTP/1.1\r\nHost: plop\r\n\r\n")
        while True:
            line = lines.readline().decode()
            assert line, "the stream ended"
            # chunked; a window may be empty when it has just begun
            if line.startswith("data: ") and users.names(line):
                return line[6:]


def test_profiles(users):
    """Every answer that is made of the samples of all."""
    until("a window is saved", lambda: users.json(0, "status", "--json")["store"]["windows"] >= 2, 30)
    all_names = sorted(users.processes)
    forms = ("collapsed", "json", "speedscope", "plop")
    for form in forms:
        got = users.stacks(0, "export", "-f", form)
        assert got == all_names, (form, got)
    for uid, own in ((ONE, ["one_busy"]), (TWO, ["two_busy"])):
        for form in forms:
            got = users.stacks(uid, "export", "-f", form)
            assert got == own, (uid, form, got)
        got = users.ctl(uid, "export", "-f", "collapsed", "pid=%d" % users.pid("root_busy"))
        assert got.returncode == 3 and not got.out, (got.returncode, got.out, got.err)
        profile = users.get(uid, "/v1/profile?format=json")
        assert profile["ticks"] == profile["python"] and profile["other"] == 0 and host.accounted(profile), profile["ticks"]
        assert {p["pid"] for p in profile["processes"]} <= {users.pid(name) for name in own}, profile["processes"]
        windows = users.get(uid, "/v1/windows")["windows"]
        assert len(windows) >= 2, windows
        for window in windows:
            pids = {p["pid"] for p in window["processes"]}
            assert pids <= {users.pid(name) for name in own}, (uid, window)
            assert window["ticks"] == window["samples"] == window["python"] == sum(p["samples"] for p in window["processes"])
            assert host.accounted(window), window
        assert any(window["samples"] for window in windows), windows
        got = users.names(stream(users, uid))
        assert got == own, (uid, got)
        # its share of the ticks that are always on, and ticks of its own
        for rate in ([], ["-F", "499"]):
            done = users.ctl(uid, "record", "-a", "-d", "1s", "-f", "collapsed", "-o", "-", *rate)
            if "takes Linux 5.17" not in done.err:
                assert done.returncode == 0 and users.names(done.out) == own, (uid, rate, done.out, done.err)
        status, body = users.http(uid, "GET", "/debug/pprof/profile?seconds=1")
        text = gzip.decompress(body)
        got = [name for name in all_names if name.encode() in text]
        assert status == 200 and got == own, (uid, status, got)
    print("export in 4 formats, windows, stream, record -a, pprof: each user's own samples only")


def test_none(users):
    """A user who has no Python process is told so, and what of others' is for whom."""
    for uid, said in ((NONE, True), (ONE, False)):
        for arguments in (["ps"], ["record", "-a", "-d", "200ms", "-f", "collapsed", "-o", "-"], ["top", "-1"],
                          ["export", "--since", "1m", "-f", "collapsed"], ["export", "--since", "1m", "pid=1"]):
            done = users.ctl(uid, *arguments)
            # who has something has nothing of process 1
            assert done.returncode == (3 if uid == ONE and "pid=1" in arguments else 0), (uid, arguments, done.err)
            told = "no Python process of yours runs; root and members of group plop may ask" in done.err
            assert told == said, (uid, arguments, done.err)
    print("a user without a process: told so by ps, record -a, top and export")


def test_started(users):
    """What a user's plopctl starts is the user's, and the user's alone: not what it executes setuid."""
    burn = "import time\ndef %s():\n    end = time.process_time() + 0.3\n    while time.process_time() < end: pass\n%s()\n"
    names = ("begun_first", "begun_setuid", "begun_last")
    run = " ".join('"%s" -c "%s";' % (users.setuid if "setuid" in name else sys.executable, burn % (name, name)) for name in names)
    folder = os.path.join(users.folder, "open")
    os.mkdir(folder)
    os.chmod(folder, 0o777)
    for uid, expected in ((ONE, [True, False, True]), (0, [True, True, True])):
        path = os.path.join(folder, "profile-%d" % uid)
        done = users.ctl(uid, "record", "-F", 499, "-f", "collapsed", "-o", path, "--", "sh", "-c", run + " id -u; exit 9")
        if "takes Linux 5.17" in done.err:
            return
        with open(path) as f:
            text = f.read()
        assert done.returncode == 9 and done.out.split() == [str(uid)], (done.returncode, done.out, done.err)
        assert [name in text for name in names] == expected, (uid, text, done.err)
        assert not users.names(text), text
        assert os.stat(path).st_uid == uid
    print("record -- COMMAND: as its caller, without what it executes setuid")


def test_recordings(users):
    """A recording is its maker's."""
    mine, roots = users.record(ONE), users.record(0)
    for uid, recording in ((TWO, mine), (TWO, roots), (ONE, roots)):
        for method in ("GET", "DELETE"):
            for question in ("", "?format=collapsed"):
                status, body = users.http(uid, method, "/v1/recordings/" + recording + question)
                assert status == 404, (uid, recording, method, status, body)
    for uid in (ONE, 0):
        assert users.get(uid, "/v1/recordings/" + mine)["state"] == "running"
    for recording in (mine, roots):
        users.result(0, recording)
    print("recordings: another user's are not there")


def test_gateway(users):
    """plop-gateway as a user who is not in group plop says so, and does not take its own processes for all that there are."""
    config = os.path.join(users.folder, "plop.conf")
    with open(config, "w") as f:
        f.write("[gateway]\ntoken = 0123456789abcdef0123456789abcdef\n")
    gateway = shutil.copy(host.program("plop-gateway"), users.folder)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    process = subprocess.Popen([gateway, "--config", config, "--socket", users.daemon.socket, "--state-dir", users.daemon.state,
                                "--listen", "127.0.0.1:%d" % port], preexec_fn=become(TWO), cwd="/", stderr=subprocess.PIPE)
    try:
        said = b""
        while b"group plop" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        done = subprocess.run(["curl", "-sS", "-w", "%{http_code}", "-H", "Authorization: Bearer 0123456789abcdef0123456789abcdef",
                               "http://127.0.0.1:%d/v1/processes" % port], stdout=subprocess.PIPE, timeout=60)
        assert done.stdout.endswith(b"502") and b"does not trust plop-gateway" in done.stdout, done.stdout
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    print("plop-gateway: refused to somebody outside of group plop")


def test_limits(users):
    """One user cannot use up what there is for all."""
    mine = [users.record(ONE) for _ in range(RECORDINGS)]
    users.refused(ONE, 1, "%d recordings of yours run already" % RECORDINGS, "record", "-a", "-d", "1s", "-o", "-")
    status, _ = users.http(ONE, "GET", "/debug/pprof/profile?seconds=1")
    assert status == 429, status
    assert users.json(ONE, "status", "--json")["recordings"] == RECORDINGS
    others = users.record(TWO)
    assert users.json(TWO, "status", "--json")["recordings"] == 1
    for recording, uid in [(r, ONE) for r in mine] + [(others, TWO)]:
        users.result(uid, recording)
    # those that ended and were fetched by nobody do not push out anybody else's
    kept = users.record(0, seconds=0.1)
    until("it ends", lambda: users.get(0, "/v1/recordings/" + kept)["state"] == "done")
    for _ in range(70):
        short = users.record(ONE, seconds=0.1)
        until("it ends", lambda: users.get(ONE, "/v1/recordings/" + short)["state"] == "done")
    assert users.get(0, "/v1/recordings/" + kept)["state"] == "done"
    print("recordings: %d for one user" % RECORDINGS)


def test_exec(users):
    """A user's process becomes a setuid one in the middle of a recording, in the same window."""
    after = code("after_busy")
    users.begin("before_busy", ONE, until=" and not go", before="""
import threading
go = []
def wait():
    sys.stdin.readline()
    go.append(1)
threading.Thread(target=wait).start()""", after="os.execv(%r, [%r, '-c', %r])" % (users.setuid, "x", after))
    process = users.processes["after_busy"] = users.processes["before_busy"]
    pid = process.pid
    until("user and root see it", lambda: pid in {p["pid"] for p in users.json(ONE, "ps", "--json")})
    mine, all_mine, roots = users.record(ONE, pid), users.record(ONE), users.record(0, pid)
    samples = "/v1/recordings/" + mine
    until("10 samples", lambda: users.get(ONE, samples)["samples"] >= 10)
    process.stdin.write(b"go\n")
    process.stdin.flush()
    assert process.stdout.readline().split()[0] == b"READY"
    before = users.get(0, "/v1/recordings/" + roots)["samples"]
    until("20 samples of what it became", lambda: users.get(0, "/v1/recordings/" + roots)["samples"] >= before + 20)
    assert pid not in {p["pid"] for p in users.json(ONE, "ps", "--json")}
    users.refused(ONE, 4, "process %d is not yours, or not there" % pid, "record", "-p", pid, "-d", "1s", "-o", "-")
    got = users.result(0, roots)
    assert got == ["after_busy", "before_busy"], got
    got = users.result(ONE, mine)
    assert got == ["before_busy"], got
    got = users.result(ONE, all_mine)
    assert "before_busy" in got and "one_busy" in got and not {"after_busy", "setuid_busy", "two_busy", "root_busy"} & set(got), got
    # what is running, and what was saved
    for _ in range(2):
        selected = "pid=%d" % pid
        got = users.stacks(0, "export", "-f", "collapsed", selected), users.stacks(ONE, "export", "-f", "collapsed", selected)
        assert got == (["after_busy", "before_busy"], ["before_busy"]), got
        saved = users.json(0, "status", "--json")["store"]["windows"]
        until("one more window is saved", lambda: users.json(0, "status", "--json")["store"]["windows"] > saved)
    print("a process that executes a setuid program: counted up to there, by recordings and windows")


def connect(users, uid):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(30)
    with client.acting(uid):
        s.connect(users.daemon.socket)
    return s


def answer_of(s):
    """All that comes until the other side closes."""
    text = b""
    try:
        while True:
            some = s.recv(65536)
            if not some:
                break
            text += some
    except ConnectionResetError:
        pass
    return text.decode()


def pour(users, head):
    """Sends up to 1 GB: how many bytes were taken, and the answer."""
    sent, piece = 0, b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    with connect(users, ONE) as s:
        try:
            s.sendall(head)
            while sent < 1 << 30:
                sent += s.send(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return sent, answer_of(s)


def test_clients(users):
    """Clients that say nothing, or far too much."""
    for head, status in ((b"POST /v1/recordings HTTP/1.1\r\nHost: plop\r\nTransfer-Encoding: chunked\r\n\r\n", None),
                         (b"POST /v1/recordings HTTP/1.1\r\nHost: plop\r\nContent-Length: 1073741824\r\n\r\n", " 413 "),
                         (b"GET /", " 4")):
        sent, answer = pour(users, head)
        assert sent < 16 << 20, "%d bytes were taken after %s" % (sent, head)
        assert not status or not answer or status in answer.split("\r\n")[0], answer
    silent = [connect(users, ONE) for _ in range(CONNECTIONS)]
    with connect(users, ONE) as s:
        answer = answer_of(s)
        assert " 429 " in answer.split("\r\n")[0] and "uid %d has %d connections already" % (ONE, CONNECTIONS) in answer, answer
    assert users.json(TWO, "ps", "--json") and users.json(0, "ps", "--json")
    answers = []
    threads = [threading.Thread(target=lambda s=s: answers.append(answer_of(s))) for s in silent]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for s in silent:
        s.close()
    assert len(answers) == CONNECTIONS and all(" 408 " in a.split("\r\n")[0] for a in answers), answers
    assert users.json(ONE, "ps", "--json")
    print("connections: %d for one user; silent ones are cut off, and so is 1 GB" % CONNECTIONS)


def test_end(plopd):
    assert plopd.stop() == 0
