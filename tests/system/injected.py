# SPDX-License-Identifier: BSD-2-Clause
"""A plopd or plop-gateway one of whose syscalls fails, by strace -e inject, and what must hold of it whichever that is."""
import collections
import os
import re
import shutil
import signal
import subprocess
import tempfile

import client
import host
from waiting import until

BUSY = """
import time
print("READY", flush=True)
def spin():
    end = time.monotonic() + 0.02
    while time.monotonic() < end:
        pass
def outer():
    while True:
        spin()
        time.sleep(0.05)
outer()
"""
STACK = re.compile(r"<module>(;outer(;spin)?)?|\[[^;]*\]")
FILES = {"plop.db", "plop.db-wal", "plop.db-shm", "plop.lock", "plop.reserve"}
UP_S, END_S, RECORD_S, ANSWER_S = 40, 30, 10, 5

# What no kernel does, and libraries take for impossible: what they make of it is theirs.
NOT_PLOPS = {
    "brk": "the kernel gives the old break, never an error",
    "futex": "the C library aborts by any error that it does not know",
    "epoll_ctl": "sd-event forgets whom it could not take out of the set, and the set tells of him",
    "exit": "there is no coming back", "exit_group": "there is no coming back", "execve": "it is no plopd yet",
    "rt_sigreturn": "there is no coming back", "restart_syscall": "the kernel's own",
}
# They go on until a deadline that is longer than a test: an eventfd takes a write until its counter is full, and so does it here.
ONCE_ONLY = {"write"}


class Injected:
    """A plopd by strace. inject: as strace's, "NAME:error=EIO:when=3"; None: all syscalls are counted instead."""

    def __init__(self, inject, seed):
        self.folder = tempfile.mkdtemp(prefix="plop-test-")
        self.state, self.socket = os.path.join(self.folder, "state"), os.path.join(self.folder, "plopd.sock")
        self.log, self.trace = os.path.join(self.folder, "log"), os.path.join(self.folder, "trace")
        shutil.copytree(seed, self.state)
        options = ["-e", "trace=" + inject.split(":")[0], "-e", "inject=" + inject] if inject else []
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["strace", "-f", "--seccomp-bpf", "-qq", "-o", self.trace, *options, host.program("plopd"),
                                             "--state-dir", self.state, "--socket", self.socket, "--window", "1"],
                                            stdout=log, stderr=log, stdin=subprocess.DEVNULL, process_group=0)

    def ended(self):
        return self.process.poll() is not None

    def pid(self):
        """plopd's; None: it has ended."""
        try:
            with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid), encoding="ascii") as f:
                return int(f.read().split()[0])
        except (OSError, IndexError):
            return None

    def answers(self):
        try:
            return client.ask(self.socket, "GET", "/v1/status", seconds=ANSWER_S)[0] == 200
        except OSError:
            return False

    def status(self):
        status, body = client.ask(self.socket, "GET", "/v1/status", seconds=ANSWER_S)
        assert status == 200, body
        return client.json.loads(body.decode())

    def said(self):
        """The lines of its log, but for what is said without a fault, too: whom even root may not look at is such a line."""
        with open(self.log, encoding="utf-8", errors="replace") as f:
            lines = f.read().splitlines()
        return [line for line in lines if not any(words in line for words in ("sampling at", "more names and stacks", "Cannot examine process 1,", "asked for by user"))]

    def is_blind(self):
        """It has said that there are processes which it cannot look at."""
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return "Cannot examine process" in f.read()

    def injected(self):
        with open(self.trace, encoding="utf-8", errors="replace") as f:
            return "INJECTED" in f.read()

    def record(self, pid):
        """(plopctl's exit status, or None where it waited in vain, stacks)"""
        path = os.path.join(self.folder, "recorded")
        try:
            done = subprocess.run([host.program("plopctl"), "--socket", self.socket, "record", "-p", str(pid), "-d", "300ms", "-F", "300",
                                   "-f", "collapsed", "-o", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=RECORD_S)
        except subprocess.TimeoutExpired:
            return None, []
        if not os.path.exists(path):
            return done.returncode, []
        with open(path, encoding="utf-8") as f:
            return done.returncode, [";".join(name for name, _, _ in frames) for frames, _ in host.collapsed(f.read())]

    def terminate(self):
        pid = self.pid()
        if pid:
            os.kill(pid, signal.SIGTERM)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if not self.ended():
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def make_seed(folder):
    """A state directory with some windows."""
    path = os.path.join(folder, "seed")
    with host.Plopd("--window", 1) as daemon:
        until("windows are saved", lambda: daemon.status()["store"]["windows"] >= 3)
        assert daemon.stop() == 0
        shutil.copytree(daemon.state, path)
    return path


def counted(seed, work):
    """{syscall: how often one thread made it} of a plopd that starts, is asked, records and ends."""
    counts = collections.defaultdict(collections.Counter)
    with Injected(None, seed) as plopd:
        until("it answers", plopd.answers, UP_S)
        begun = plopd.status()["store"]["windows"]
        until("windows are saved", lambda: plopd.status()["store"]["windows"] > begun + 2, UP_S)
        plopd.record(work.pid)
        plopd.terminate()
        plopd.process.wait(END_S)
        with open(plopd.trace, encoding="utf-8", errors="replace") as f:
            for line in f:
                found = re.match(r"(\d+) +(\w+)\(", line)
                if found:
                    counts[found.group(2)][found.group(1)] += 1
    return {name: max(threads.values()) for name, threads in counts.items()}


def check_running(plopd, work):
    """It goes on: either all is as without the fault, or it was said. Whatever is recorded is true."""
    begun = plopd.status() if plopd.answers() else None
    status, stacks = plopd.record(work.pid)
    assert all(STACK.fullmatch(stack) for stack in stacks), stacks
    good = bool(begun) and status == 0 and bool(stacks)
    try:
        if begun:
            until("windows are saved", lambda: plopd.status()["store"]["windows"] > begun["store"]["windows"], 8)
    except (AssertionError, OSError):
        good = False
    if not plopd.ended() and plopd.answers():
        now = plopd.status()
        assert host.accounted(now["samples"]), now["samples"]
        assert good or plopd.said() or plopd.is_blind() or now["store"]["error"] or now["notices"], "it is worse, and nobody was told: %s" % now
    else:
        assert plopd.said(), "it does not answer, and nobody was told"


def check_files(plopd):
    left = set(os.listdir(plopd.state))
    assert left <= FILES, "left half-written: %s" % sorted(left - FILES)
    done = subprocess.run([host.program("plopctl"), "fsck", os.path.join(plopd.state, "plop.db")], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 0, done.stderr.decode()


def check(inject, seed, work):
    """What must hold, whichever syscall fails. Returns what happened in words; None: no such call was made."""
    with Injected(inject, seed) as plopd:
        until("%s: it answers or ends: %s" % (inject, plopd.said()), lambda: plopd.ended() or plopd.answers() or plopd.said(), UP_S)
        up = not plopd.ended() and (plopd.answers() or not waits_for_end(plopd))
        if up:
            try:
                check_running(plopd, work)
            except OSError:
                until("who does not answer has ended, or says why: %s" % plopd.said(), lambda: plopd.ended() or plopd.said(), END_S)
            plopd.terminate()
        until("%s: it ends; said: %s" % (inject, plopd.said()), plopd.ended, END_S)
        said = plopd.said()
        # 127: the dynamic linker, which says so by itself
        assert plopd.process.returncode in (0, 1, 127), (inject, plopd.process.returncode, said)
        if plopd.process.returncode:
            assert said and len(said[-1]) > 40, (inject, said)
        if not up:
            assert len(said) == 1, (inject, "one sentence", said)
        check_files(plopd)
        if not plopd.injected():
            return None
        return "%s: %s; %s" % (inject, "went on" if up else "ended", said[:2])


def waits_for_end(plopd):
    """Whether one that said something before it answers ends by it."""
    try:
        until("it ends or answers", lambda: plopd.ended() or plopd.answers(), 10)
    except AssertionError:
        return False
    return plopd.ended()
