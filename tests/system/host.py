# SPDX-License-Identifier: BSD-2-Clause
"""What the system tests share: a plopd of their own on a temporary folder, workloads, interpreters. conftest.py has the fixtures."""
import functools
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

import client
from recording import Recorder, Recording, collapsed  # noqa: F401
from waiting import until

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WORKLOADS = os.path.join(TESTS, "workloads")
BUILD = os.environ.get("PLOP_BUILD_DIR") or os.path.join(os.path.dirname(TESTS), "build-dev")


def program(name, build=None):
    return os.path.join(build or BUILD, "daemon", name)


def linux():
    """The kernel's version, as (5, 17)."""
    return tuple(int(n) for n in re.match(r"(\d+)\.(\d+)", os.uname().release).groups())


def need_root():
    if os.geteuid() != 0:
        print("SKIP: needs root, to load BPF programs")
        sys.exit(77)


@functools.lru_cache(maxsize=None)
def listed():
    """(version, path, build) of every supported interpreter, as tests/pythons writes them."""
    lines = subprocess.run([os.path.join(TESTS, "pythons")], stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
    return [tuple(line.split(None, 2)) for line in lines]


def pythons():
    """(version, path, build) of every supported interpreter; the version as a tuple."""
    return [(tuple(int(n) for n in version.split(".")[:2]), path, build) for version, path, build in listed()]


def called(row):
    """What one of pythons() is called, as 3.13-static."""
    version, _, build = row
    return "%d.%d-%s" % (version + (build,))


def end_group(leader):
    """Ends a subprocess.Popen, and what is left of the process group that it began, also if it has ended itself."""
    # the number of a leader that was waited for is somebody else's, if a process has it
    if leader.returncode is None or not os.path.exists("/proc/%d" % leader.pid):
        try:
            os.killpg(leader.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    leader.kill()
    leader.wait()


def end_all():
    """Ends every plopd and workload, for a test that is ended itself."""
    for workload in list(Workload.running):
        end_group(workload.process)
    for daemon in list(Plopd.running):
        if daemon.process.poll() is None:
            daemon.process.kill()


class Workload:
    """
    A program of tests/workloads up to its READY line (or a script, with code=, or, without either, python is the whole command),
    in a process group of its own with all that it starts. Not in a session: Linux gives each session the same share of the CPUs
    (sched_autogroup), whatever the nice values in it. options: of subprocess.Popen.
    """
    running = []

    def __init__(self, python, name=None, *arguments, code=None, ready="READY", **options):
        if code is not None:
            command = [python, "-c", code]
        elif name is not None:
            command = [python, os.path.join(WORKLOADS, name)]
        else:
            command = python if isinstance(python, list) else [python]
        options = dict({"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}, **options)
        self.process = subprocess.Popen(command + [str(a) for a in arguments], process_group=0, **options)
        self.pid = self.process.pid
        self.running.append(self)
        try:
            self.ready = self.line(ready) if ready else None
        except BaseException:
            # who never gets it cannot end it
            self.__exit__()
            raise

    def line(self, word):
        while True:
            line = self.process.stdout.readline().decode()
            if not line:
                raise AssertionError("the workload ended before it said " + word)
            if line.startswith(word):
                return line.split(None, 2)[1:]

    def asleep(self):
        """Waits until the main thread sleeps: what has said READY may not have come to wait for its line yet."""
        def state():
            with open("/proc/%d/stat" % self.pid, "rb") as f:
                return f.read().rsplit(b")", 1)[1].split()[0]
        until("process %d sleeps" % self.pid, lambda: state() == b"S")

    def go(self):
        """Lets one that waits for a line on its standard input begin."""
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()

    def end(self):
        """Closes its standard input, which ends those with --until-eof; kills it when that does not help."""
        try:
            self.process.stdin.close()
            self.process.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            pass
        self.__exit__()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end_group(self.process)
        if self in self.running:
            self.running.remove(self)
        for pipe in (self.process.stdin, self.process.stdout):
            try:
                if pipe:
                    pipe.close()
            except OSError:
                pass


class Plopd:
    """A plopd on a temporary state directory and socket. build: whose programs these are, if not BUILD's."""
    running = []

    def __init__(self, *arguments, state=None, start=True, build=None):
        self.build = build
        self.folder = tempfile.mkdtemp(prefix="plop-test-")
        self.state = state or os.path.join(self.folder, "state")
        os.makedirs(self.state, exist_ok=True)
        self.socket = os.path.join(self.folder, "plopd.sock")
        self.log = os.path.join(self.folder, "plopd.log")
        self.arguments = [str(a) for a in arguments]
        self.process = None
        if start:
            try:
                self.start()
            except BaseException:
                # who never gets it cannot end it
                self.__exit__(*sys.exc_info())
                raise

    def program(self, name):
        return program(name, self.build)

    def command(self):
        command = [self.program("plopd"), "--state-dir", self.state, "--socket", self.socket]
        if "--config" not in self.arguments:
            # at a high rate, on few CPUs that others use, it would take more than it may, and sample more seldom
            config = os.path.join(self.folder, "default.conf")
            with open(config, "w") as f:
                f.write("[plopd]\nbudget = 0\n")
            command += ["--config", config]
        return command + self.arguments

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log)
        if self not in self.running:
            self.running.append(self)
        until("plopd answers", lambda: self.process.poll() is not None or self.status(), 60)
        assert self.process.poll() is None, "plopd ended: " + self.said()

    def said(self):
        with open(self.log, "rb") as log:
            return log.read().decode(errors="replace")

    def ctl(self, *arguments, **options):
        """plopctl's result; .out and .err are text."""
        done = subprocess.run([self.program("plopctl"), "--socket", self.socket] + [str(a) for a in arguments],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=options.get("timeout", 60))
        done.out, done.err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        return done

    def status(self):
        """What plopctl status --json prints; None: there is no answer, or a refusal. As plopctl it asks as one who is trusted."""
        trusted = self.socket.replace(".sock", "-trusted.sock")
        try:
            status, body = client.ask(trusted if os.path.exists(trusted) else self.socket, "GET", "/v1/status")
        except OSError:
            return None
        return json.loads(body.decode()) if status == 200 else None

    def processes(self):
        """What plopctl ps --json prints."""
        return self.get("/v1/processes")

    def process_of(self, pid):
        """The entry of ps for pid, or None."""
        return next((p for p in self.processes() if p["pid"] == pid), None)

    def profiled(self, pid):
        def asked():
            process = self.process_of(pid)
            return process and process["status"] == "profiled" and process

        return until("process %d is profiled" % pid, asked)

    def least(self, works):
        """How many samples that one of the workloads has which has the fewest."""
        samples = {p["pid"]: p["samples"] for p in self.processes()}
        return min(samples.get(work.pid, 0) for work in works)

    def get(self, path):
        """The JSON answer of the API to a GET, also if it is an error."""
        return json.loads(client.ask(self.socket, "GET", path)[1].decode())

    def record(self, pid, seconds, form="collapsed"):
        path = os.path.join(self.folder, "record-%d.%s" % (pid, form))
        target = ["-p", pid] if pid else ["-a"]
        done = self.ctl("record", *target, "-d", "%gs" % seconds, "-f", form, "-o", path, timeout=seconds + 60)
        assert done.returncode == 0, done.err
        with open(path) as f:
            return f.read()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self in self.running:
            self.running.remove(self)
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if kind and os.path.exists(self.log):
            sys.stderr.write(self.said())
        shutil.rmtree(self.folder, ignore_errors=True)


class Gateway:
    """plop-gateway before a plopd, with a token that lasts; .headers: what shows it. On any free port of loopback."""

    def __init__(self, plopd, *settings):
        """settings: more lines of [gateway]."""
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.headers = {"Authorization": "Bearer a-token-that-lasts"}
        config = os.path.join(plopd.folder, "gateway.conf")
        with open(config, "w", encoding="utf-8") as f:
            f.write("\n".join(["[gateway]", "token = a-token-that-lasts", *settings, ""]))
        self.process = subprocess.Popen([plopd.program("plop-gateway"), "--config", config, "--socket", plopd.socket, "--state-dir",
                                         plopd.state, "--listen", "127.0.0.1:%d" % self.port], stderr=subprocess.DEVNULL)
        try:
            until("plop-gateway answers", lambda: self.get("/v1/status")[0] == 200)
        except BaseException:
            self.__exit__()
            raise

    def get(self, path, method="GET", body=None, **headers):
        """(status, body); (0, b""): it does not answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers=dict(self.headers, **headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        except ConnectionError:
            return 0, b""
        finally:
            connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)


def failing(folder, letters):
    """What stands before a command that is refused these, see failing.c; said again, of one that runs."""
    path = os.path.join(folder, "failing")
    with open(path, "r+b" if os.path.exists(path) else "wb") as f:
        f.write(letters.encode().ljust(16, b"\0"))
    return ["env", "LD_PRELOAD=" + os.path.join(BUILD, "tests", "system", "libfailing.so"), "PLOP_TEST_FAIL=" + path]


class Failing(Plopd):
    """A plopd that is refused what fail() says."""

    def __init__(self, *arguments):
        super().__init__(*arguments, start=False)
        self.fail("")
        self.start()

    def fail(self, letters):
        self.with_failing = failing(self.folder, letters)

    def command(self):
        return self.with_failing + super().command()

    def ask(self, path, wait=60):
        return subprocess.run(["curl", "-sS", "--max-time", str(wait), "-w", "%{http_code}", "--unix-socket", self.socket,
                               "http://plop" + path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=90).stdout.decode()


# What other tests' processes lose, beside which this one runs: an interpreter that plop cannot profile, and too many threads.
OF_OTHERS = ("unsupported", "threads")


def hardly_lost(said, others=False):
    """
    Whether no sample was lost but a few to a thread between two stores: up to 3.12 a tick there may find a chain of frames that
    leads nowhere. others: said is of the whole host.
    """
    lost = {cause: n for cause, n in said["lost"].items() if not others or cause not in OF_OTHERS}
    return lost.pop("fault") + lost.pop("corrupt") < 0.01 * said["ticks"] and not any(lost.values())


def accounted(tally):
    """Whether every tick of a status, window or profile is accounted for."""
    return tally["ticks"] == tally["python"] + tally["other"] + sum(tally["lost"].values())


def one_of_each(found):
    """Of pythons() one for each version, and one more where it is free-threaded."""
    kinds = {(version, "freethreaded" in build): (version, python, build) for version, python, build in found if "debug" not in build}
    return [kinds[key] for key in sorted(kinds)]


def several(items, size):
    """The items in groups of at most size: as many interpreters as two CPUs can run at once."""
    return [items[i:i + size] for i in range(0, len(items), size)]
