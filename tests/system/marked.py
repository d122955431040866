# SPDX-License-Identifier: BSD-2-Clause
"""Processes of two users and root whose names are unmistakable, and what of them is in an answer of plopd's: for access_routes.py."""
import contextlib
import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import client
import host

# Others than access.py's, which may run beside this.
ONE, TWO = 61011, 61012
# Whoever shows plop-gateway a token of one service, which is root's: no user, but like one to whoever asks what may be seen.
SERVICE, SERVES = -1, "zqroot"
SCOPE = {"Plop-Scope": "may=record&service=sv_" + SERVES}
CTL_DONE, CTL_FAILED, CTL_NO_TARGET, CTL_NOT_ALLOWED = 0, 1, 3, 4

# Whose each process is, to see: {tag: uid}. What ONE executes setuid, what was root's before and what shuts itself is nobody's.
OWNERS = {"zqroot": 0, "zqone": ONE, "zqtwo": TWO, "zqsetuid": None, "zqdropped": None, "zqchange": ONE, "zqbecame": None, "zqkeeps": ONE,
          "shut_zqkeeps": None}
# Units that are made, and who is in them.
SHARED, FOREIGN = "shared-zq%d.service" % os.getpid(), "foreign-zq%d.service" % os.getpid()
UNITS = {SHARED: ("zqroot", "zqone", "zqtwo", "zqsetuid"), FOREIGN: ("zqdropped",)}
FROM_THE_START = ("zqroot", "zqone", "zqtwo", "zqsetuid", "zqdropped")
KINDS = ("fn_", "th_", "tk_", "cm_", "sv_", "vr_", "file_")
IDS = re.compile(r'(?:pid|tid|thread)"?\s*[=:]\s*"?(\d+)')


def become(uid):
    def run():
        if uid:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
    return run


def may_see(uid, tag):
    return uid == 0 or OWNERS[tag] == uid or (uid == SERVICE and tag == SERVES)


def connects_as(uid):
    """(user, headers)"""
    return (0, SCOPE) if uid == SERVICE else (uid, {})


def text_of(raw):
    """An answer as text; pprof is compressed."""
    return (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode(errors="replace")


def setuid_folder():
    """A new folder on a file system on which setuid programs are what they are; None: there is none."""
    for place in ("/var/tmp", "/tmp", "/run", "/root"):
        if os.path.isdir(place) and not os.statvfs(place).f_flag & (os.ST_NOSUID | os.ST_NOEXEC | os.ST_RDONLY):
            return tempfile.mkdtemp(prefix="plop-marked-", dir=place)
    return None


class Marked:
    """The processes, and plopd as each user sees it."""

    def __init__(self, daemon, folder):
        self.daemon, self.folder = daemon, folder
        self.processes, self.pids, self.cgroups = {}, {}, []
        self.foreign = {ONE: set(), TWO: set(), SERVICE: set()}
        os.chmod(folder, 0o755)
        os.chmod(daemon.folder, 0o755)
        self.plopctl = shutil.copy(host.program("plopctl"), folder)
        self.setuid = shutil.copy(sys.executable, os.path.join(folder, "python-zqsetuid"))
        os.chmod(self.setuid, 0o4755)

    def file(self, tag):
        path = os.path.join(self.folder, "file_%s.py" % tag)
        shutil.copy(os.path.join(host.WORKLOADS, "marked.py"), path)
        os.chmod(path, 0o644)
        return path

    def link(self, tag, python):
        """Python by a name that the kernel then calls the process by."""
        path = os.path.join(self.folder, "cm_" + tag)
        os.symlink(os.path.realpath(python), path)
        return path

    def begin(self, tag, uid, *then, python=sys.executable):
        environment = dict(os.environ, PLOP_SERVICE="sv_" + tag, PLOP_VERSION="vr_" + tag)
        # A child of a shell's: one of this test's own is a Python process, called as this one is, until it executes another.
        join = ["echo $$ >%s/cgroup.procs; " % c for c in self.cgroups if tag in UNITS[os.path.basename(c)]]
        other = ["setpriv", "--reuid=%d" % uid, "--regid=%d" % uid, "--clear-groups"] if uid else []
        command = other + [self.link(tag, python), self.file(tag), tag, *[str(t) for t in then]]
        self.processes[tag] = subprocess.Popen(["sh", "-c", "%s%s; :" % ("".join(join), " ".join(command))], stdin=subprocess.PIPE,
                                               stdout=subprocess.PIPE, cwd="/", env=environment)
        self.pids[tag] = int(self.said(tag, b"READY"))

    def said(self, tag, word):
        """What follows the word that it says next."""
        line = self.processes[tag].stdout.readline()
        assert line.startswith(word), (tag, line)
        return line[len(word):]

    def go(self, tag, line="go"):
        self.processes[tag].stdin.write(line.encode() + b"\n")
        self.processes[tag].stdin.flush()

    def begin_all(self):
        self.begin("zqroot", 0)
        self.begin("zqone", ONE)
        self.begin("zqtwo", TWO)
        self.begin("zqsetuid", ONE, python=self.setuid)
        self.begin("zqdropped", 0, "drop", ONE)

        def counted():
            status, raw = self.http(0, "GET", "/v1/profile?format=collapsed")
            return status == 200 and all(name + tag in raw.decode() for tag in FROM_THE_START for name in ("fn_", "task_"))

        host.until("samples of each", counted, 60)
        for tag in FROM_THE_START:
            for uid in self.foreign:
                if not may_see(uid, tag):
                    self.foreign[uid] |= {int(t) for t in os.listdir("/proc/%d/task" % self.pid(tag))}

    def pid(self, tag):
        return self.pids[tag]

    def make_cgroups(self):
        """Below each hierarchy's root a unit with processes of all, and one with none that is ONE's. Where none can be made, that is said."""
        with open("/proc/self/mounts") as f:
            mounts = [line.split() for line in f]
        for root in [m[1] for m in mounts if m[2] == "cgroup2" or m[2] == "cgroup" and "name=systemd" in m[3]]:
            try:
                for unit in UNITS:
                    folder = "%s/plop-marked-%d/%s" % (root, os.getpid(), unit)
                    os.makedirs(folder)
                    self.cgroups.append(folder)
            except OSError as e:
                print("below %s no cgroup of this test's own: %s" % (root, e))

    def cgroup(self, unit):
        """The path of one that was made; None: none was."""
        folder = next((c for c in self.cgroups if os.path.basename(c) == unit), None)
        return folder and folder[folder.index("/plop-marked-"):]

    def done(self):
        for tag, process in self.processes.items():
            # the shell waits for its child
            if process.poll() is None:
                os.kill(self.pids.get(tag, process.pid), signal.SIGKILL)
            process.wait()
            process.stdin.close()
            process.stdout.close()
        for folder in self.cgroups:
            os.rmdir(folder)
        for parent in {os.path.dirname(folder) for folder in self.cgroups}:
            os.rmdir(parent)
        shutil.rmtree(self.folder)

    # What plopd answers.

    def http(self, uid, method, path, body=None):
        """(status, body) of a request."""
        user, headers = connects_as(uid)
        return client.ask(self.daemon.socket, method, path, body, user, headers=headers)

    def json(self, uid, method, path, body=None):
        status, raw = self.http(uid, method, path, body)
        assert status in (200, 201), (uid, method, path, status, raw)
        self.check(uid, raw, "%s %s" % (method, path))
        return json.loads(raw.decode())

    def events(self, uid, path, n):
        """The first n events of a stream, as a list in JSON; more, until one has a sample."""
        user, headers = connects_as(uid)
        with contextlib.closing(client.Connection(self.daemon.socket, user)) as c:
            c.request("GET", path, headers=headers)
            answer, text = c.getresponse(), []
            assert answer.status == 200, (path, answer.status)
            while len(text) < n or "_zq" not in text[-1] and len(text) < 3 * n:
                line = answer.readline().decode()
                assert line, "the stream ended"
                if line.startswith("data: "):
                    text.append(line[6:])
            return "[%s]" % ",".join(text)

    def ctl(self, uid, *arguments):
        """(exit status, what it wrote, what it said)"""
        done = subprocess.run([self.plopctl, "--socket", self.daemon.socket] + [str(a) for a in arguments], cwd="/",
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, preexec_fn=become(uid))
        return done.returncode, done.stdout, done.stderr.decode()

    # What must, and must not, be in them.

    def check(self, uid, raw, what, kinds=(), tags=FROM_THE_START):
        """Nothing of what the user may not see is there; of what the user may see, each kind of name of each of the tags is."""
        # what a recording was asked for is told to who asked for it
        text = re.sub(r'"target": ?"[^"]*"', '"target":""', text_of(raw)) if uid else text_of(raw)
        for tag in OWNERS:
            at = text.find(tag)
            # a process that becomes another one is its user's until then
            assert at < 0 or may_see(uid, tag), "uid %d, %s: there is %r" % (uid, what, text[max(0, at - 200):at + 60])
        if uid:
            ids = {int(n) for n in IDS.findall(text)} & self.foreign[uid]
            assert not ids, "uid %d, %s: there are the ids %s" % (uid, what, sorted(ids))
            # the ancestor's format looks like it
            if text[:2] in ('{"', '[{'):
                self.check_counts(uid, json.loads(text), what)
        for tag in tags:
            for kind in kinds:
                assert not may_see(uid, tag) or kind + tag in text, "uid %d, %s: %s%s is not there: %r" % (uid, what, kind, tag, text[:2000])

    def check_counts(self, uid, value, what):
        """Whoever may not see all gets no count of all: every tick is one of the user's own, a sample or lost."""
        if isinstance(value, list):
            for v in value:
                self.check_counts(uid, v, what)
        elif isinstance(value, dict):
            if "ticks" in value:
                lost = value.get("lost") or {}
                own = value.get("python", value.get("samples"))
                # of a recording what was lost of its maker's processes is told, which is little
                few = 0.1 * own + 5 if "/v1/recordings" in what or "recording" in what else 0
                assert value["ticks"] == own + sum(lost.values()) and not value.get("other"), (uid, what, value)
                assert sum(lost.values()) <= few, (uid, what, value)
            for v in value.values():
                self.check_counts(uid, v, what)
