# SPDX-License-Identifier: BSD-2-Clause
"""A plopd or plop-gateway one of whose syscalls fails, by strace -e inject, and what must hold of it whichever that is."""
import collections
import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
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
# what is said without a fault, too
ORDINARY = ("sampling at", "more names and stacks", "Cannot examine process 1,", "asked for by user", "serving", "listening", "plopd answers at", "stopping", "where budget is")
UP_S, END_S, RECORD_S, ANSWER_S = 40, 30, 10, 5

# What no kernel does, and libraries take for impossible: what they make of it is theirs.
NOT_PLOPS = {
    "brk": "the kernel gives the old break, never an error",
    "futex": "the C library aborts by any error that it does not know",
    "epoll_ctl": "sd-event forgets whom it could not take out of the set, and the set tells of him",
    "exit": "there is no coming back", "exit_group": "there is no coming back", "execve": "it is no plopd yet",
    "rt_sigprocmask": "sd-event and nss-systemd hold for true that it cannot fail",
    "write": "an eventfd, by which a worker's thread is heard, takes a write whenever its counter has room",
    "rt_sigreturn": "there is no coming back", "restart_syscall": "the kernel's own",
}
# Not from some call on: the dynamic linker dies without a table of its own.
ONCE_ONLY = {"mmap"}
# Before it, the dynamic linker's own.
FROM = {"mmap": 10}


class Injected:
    """A program by strace. inject: as strace's, "NAME:error=EIO:when=3"; None: all syscalls are counted instead."""

    def __init__(self, inject):
        self.folder = tempfile.mkdtemp(prefix="plop-test-")
        self.log, self.trace = os.path.join(self.folder, "log"), os.path.join(self.folder, "trace")
        options = ["-e", "trace=" + inject.split(":")[0], "-e", "inject=" + inject] if inject else []
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["strace", "-f", "--seccomp-bpf", "-qq", "-o", self.trace, *options, *self.command()],
                                            stdout=log, stderr=log, stdin=subprocess.DEVNULL, process_group=0)
        # so that it ends with a test that is ended itself
        host.Workload.running.append(self)

    def ended(self):
        return self.process.poll() is not None

    def pid(self):
        """plopd's; None: it has ended."""
        try:
            with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid), encoding="ascii") as f:
                return int(f.read().split()[0])
        except (OSError, IndexError):
            return None

    def said(self):
        """The lines of its log, but for what is said without a fault, too: whom even root may not look at is such a line."""
        with open(self.log, encoding="utf-8", errors="replace") as f:
            lines = f.read().splitlines()
        return [line for line in lines if not any(words in line for words in ORDINARY)]

    def injected(self):
        with open(self.trace, encoding="utf-8", errors="replace") as f:
            return "INJECTED" in f.read()

    def counts(self):
        """{syscall: how often one thread made it} of one without a fault, that has ended."""
        found = collections.defaultdict(collections.Counter)
        with open(self.trace, encoding="utf-8", errors="replace") as f:
            for line in f:
                call = re.match(r"(\d+) +(\w+)\(", line)
                if call:
                    found[call.group(2)][call.group(1)] += 1
        return {name: max(threads.values()) for name, threads in found.items()}

    def terminate(self):
        pid = self.pid()
        if pid:
            os.kill(pid, signal.SIGTERM)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        host.end_group(self.process)
        host.Workload.running.remove(self)
        shutil.rmtree(self.folder, ignore_errors=True)


class InjectedPlopd(Injected):
    """seed: what its state directory is a copy of."""

    def __init__(self, inject, seed):
        self.seed = seed
        super().__init__(inject)

    def command(self):
        self.state, self.socket = os.path.join(self.folder, "state"), os.path.join(self.folder, "plopd.sock")
        shutil.copytree(self.seed, self.state)
        return [host.program("plopd"), "--state-dir", self.state, "--socket", self.socket, "--window", "1"]

    def answers(self):
        """As to one who is trusted."""
        try:
            status, body = client.ask(self.socket, "GET", "/v1/status", seconds=ANSWER_S)
        except OSError:
            return False
        return status == 200 and b'"store":' in body

    def status(self):
        status, body = client.ask(self.socket, "GET", "/v1/status", seconds=ANSWER_S)
        assert status == 200, body
        return client.json.loads(body.decode())

    def is_blind(self):
        """It has said that there are processes which it cannot look at."""
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return "Cannot examine process" in f.read()

    def has_set_aside(self):
        """It has said that it keeps a file which it could not read."""
        return any("it is kept as" in line for line in self.said())

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


class InjectedGateway(Injected):
    """plop-gateway before a plopd without faults."""
    PATHS = ("/v1/status", "/v1/windows?from=0", "/v1/profile?from=0", "/", "/v1/processes", "/metrics")

    def __init__(self, inject, plopd):
        self.plopd = plopd
        super().__init__(inject)

    def command(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        config = os.path.join(self.folder, "gateway.conf")
        with open(config, "w", encoding="utf-8") as f:
            f.write("[gateway]\ntoken = a-token-that-lasts\n")
        return [host.program("plop-gateway"), "--config", config, "--socket", self.plopd.socket, "--state-dir", self.plopd.state, "--listen",
                "127.0.0.1:%d" % self.port]

    def get(self, path):
        """The status of the answer; 0: none came."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_S)) as c:
            try:
                c.request("GET", path, headers={"Authorization": "Bearer a-token-that-lasts"})
                answer = c.getresponse()
                answer.read()
                return answer.status
            except (OSError, http.client.HTTPException):
                return 0

    def answers(self):
        return self.get("/v1/status") == 200


def make_seed(folder):
    """A state directory with some windows."""
    path = os.path.join(folder, "seed")
    with host.Plopd("--window", 1) as daemon:
        until("windows are saved", lambda: daemon.status()["store"]["windows"] >= 3)
        assert daemon.stop() == 0
        shutil.copytree(daemon.state, path)
    return path


def counted(seed, work):
    """The syscalls of a plopd that starts, is asked, records and ends."""
    with InjectedPlopd(None, seed) as plopd:
        until("it answers", plopd.answers, UP_S)
        begun = plopd.status()["store"]["windows"]
        until("windows are saved", lambda: plopd.status()["store"]["windows"] > begun + 2, UP_S)
        plopd.record(work.pid)
        plopd.terminate()
        plopd.process.wait(END_S)
        return plopd.counts()


def counted_gateway(plopd):
    """... of a plop-gateway that starts, is asked and ends."""
    with InjectedGateway(None, plopd) as gateway:
        until("it answers", gateway.answers, UP_S)
        assert all(gateway.get(path) == 200 for path in gateway.PATHS)
        gateway.terminate()
        gateway.process.wait(END_S)
        return gateway.counts()


def check_gateway(inject, plopd):
    """As check()."""
    with InjectedGateway(inject, plopd) as gateway:
        until("%s: it answers or ends: %s" % (inject, gateway.said()), lambda: gateway.ended() or gateway.answers() or gateway.said(), UP_S)
        up = not gateway.ended() and (gateway.answers() or not waits_for_end(gateway))
        if up:
            good = all([gateway.get(path) == 200 for path in gateway.PATHS])
            assert good or gateway.said(), "%s: it does not answer, and nobody was told" % inject
            gateway.terminate()
        until("%s: it ends; said: %s" % (inject, gateway.said()), gateway.ended, END_S)
        check_end(inject, gateway, up)
        return result_of(inject, gateway, up)


def check_end(inject, program, up):
    """With which exit status it ended, and what it said."""
    said = program.said()
    # 127: the dynamic linker, which says so by itself
    assert program.process.returncode in (0, 1, 127), (inject, program.process.returncode, said)
    if program.process.returncode:
        assert said and len(said[-1]) > 40, (inject, said)
    if not up:
        # helpers end with the process that forked them, and may be heard of before it is; and plop-gateway says to what it is confined
        sentences = [line for line in said if "A helper ended" not in line and ": confined to " not in line]
        assert len(sentences) == 1, (inject, "one sentence", said)


def result_of(inject, program, up):
    if not program.injected():
        return None
    return "%s: %s; %s" % (inject, "went on" if up else "ended", program.said()[:2])


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
    # the one answer that was hit is its client's to ask for again
    if not plopd.ended() and (plopd.answers() or plopd.answers()):
        now = plopd.status()
        assert host.accounted(now["samples"]), now["samples"]
        assert good or plopd.said() or plopd.is_blind() or now["store"]["error"] or now["notices"], "it is worse, and nobody was told: %s" % now
    else:
        assert plopd.said(), "it does not answer, and nobody was told"


def check_files(plopd):
    left = {name for name in os.listdir(plopd.state) if not re.match(r"plop\.db\.2.*Z\.", name)} if plopd.has_set_aside() else set(os.listdir(plopd.state))
    assert left <= FILES, "left half-written: %s" % sorted(left - FILES)
    done = subprocess.run([host.program("plopctl"), "fsck", os.path.join(plopd.state, "plop.db")], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 0, done.stderr.decode()


def check(inject, seed, work):
    """What must hold, whichever syscall fails. Returns what happened in words; None: no such call was made."""
    with InjectedPlopd(inject, seed) as plopd:
        until("%s: it answers or ends: %s" % (inject, plopd.said()), lambda: plopd.ended() or plopd.answers() or plopd.said(), UP_S)
        up = not plopd.ended() and (plopd.answers() or not waits_for_end(plopd))
        if up:
            try:
                try:
                    check_running(plopd, work)
                except OSError:
                    # the one answer that was hit
                    check_running(plopd, work)
            except OSError:
                until("who does not answer has ended, or says why: %s" % plopd.said(), lambda: plopd.ended() or plopd.said(), END_S)
            plopd.terminate()
        until("%s: it ends; said: %s" % (inject, plopd.said()), plopd.ended, END_S)
        check_end(inject, plopd, up)
        check_files(plopd)
        return result_of(inject, plopd, up)


def waits_for_end(plopd):
    """Whether one that said something before it answers ends by it."""
    try:
        until("it ends or answers", lambda: plopd.ended() or plopd.answers(), 10)
    except AssertionError:
        return False
    return plopd.ended()
