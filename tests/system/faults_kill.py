# SPDX-License-Identifier: BSD-2-Clause
"""
plopd, its helpers and plop-gateway are killed at random while they are at work: windows are saved, processes start and end, people ask
and record. What is left is a sound plop.db with all that was saved, what starts next goes on, and a helper that is killed costs nothing
but what it was at.
"""
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

import host
from waiting import until

ROUNDS = int(os.environ.get("PLOP_FAULTS_ROUNDS", "4"))
SEED = int(os.environ.get("PLOP_FAULTS_SEED", "0")) or int(time.time())
BUSY = """
print("READY", flush=True)
def spin():
    x = 1
    while True:
        x = x * 33 & 65535
spin()
"""
SHORT = """
import subprocess, sys
print("READY", flush=True)
while True:
    subprocess.run([sys.executable, "-S", "-E", "-c", "sum(range(200000))"])
"""


class Asking:
    """People who ask all the time, and record, whoever is there to answer."""

    def __init__(self, daemon, pid):
        self.daemon, self.pid, self.end = daemon, pid, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.end.is_set():
            for arguments in (("ps",), ("record", "-p", self.pid, "-d", "200ms", "-F", "300", "--name", "kept", "-f", "collapsed", "-o", "/dev/null"),
                              ("export", "--since", "1h", "-f", "json", "-o", "/dev/null")):
                try:
                    done = self.daemon.ctl(*arguments, timeout=30)
                except subprocess.TimeoutExpired:
                    continue
                # cut off, it says so in words; it does not die of it
                assert done.returncode >= 0 and (done.returncode == 0 or done.err.startswith("plopctl: ")), (arguments, done.returncode, done.err)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        self.thread.join()


@pytest.fixture(scope="module")
def works(root):
    print("PLOP_FAULTS_SEED=%d" % SEED, flush=True)
    with host.Workload(sys.executable, code=BUSY) as busy, host.Workload(sys.executable, code=SHORT):
        yield busy


def windows_of(daemon):
    """(id, samples) of those that are saved."""
    return {w["id"]: w["samples"] for w in daemon.get("/v1/windows?from=0")["windows"] if not w["running"]}


def sound(daemon):
    done = daemon.ctl("fsck", os.path.join(daemon.state, "plop.db"))
    assert done.returncode == 0, done.err


def test_plopd(works):
    """What was listed as saved is there afterwards, with what it had; each start takes the place of what was killed."""
    drawn = random.Random(SEED)
    with host.Plopd("--window", 1) as daemon:
        for _ in range(ROUNDS):
            with Asking(daemon, works.pid):
                until("a window is saved", lambda: len(windows_of(daemon)) > 1)
                time.sleep(drawn.uniform(0, 1.5))
                saved = windows_of(daemon)
                daemon.process.kill()
                daemon.process.wait()
            sound(daemon)
            daemon.start()
            after = windows_of(daemon)
            lost = {n: samples for n, samples in saved.items() if after.get(n) != samples}
            # what the last list had may have been on its way to the disk
            assert set(lost) <= {max(saved)}, (saved, after)
            daemon.profiled(works.pid)
        left = [name for name in os.listdir(daemon.state) if not name.startswith("plop.")]
        assert not left, left
        assert host.accounted(daemon.status()["samples"])
        assert daemon.stop() == 0


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as f:
        return [int(n) for n in f.read().split()]


def test_helpers(works):
    """The spawner's children are killed, again and again; then the spawner: plopd ends with one sentence, and leaves nothing."""
    drawn = random.Random(SEED)
    with host.Plopd("--window", 1) as daemon:
        daemon.profiled(works.pid)
        spawner, = children(daemon.process.pid)
        with Asking(daemon, works.pid):
            killed, end = 0, time.monotonic() + 5
            while time.monotonic() < end:
                for pid in children(spawner):
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
                time.sleep(drawn.uniform(0.02, 0.3))
        assert killed > 3, killed
        status = daemon.status()
        assert host.accounted(status["samples"]), status["samples"]
        # said once, not each time
        assert daemon.said().count("A helper ended before its time") <= 1, daemon.said()
        with host.Workload(sys.executable, code=BUSY) as new:
            daemon.profiled(new.pid)
            stacks = host.collapsed(daemon.record(new.pid, 0.5))
            assert any(frames[-1][0] == "spin" for frames, _ in stacks), stacks
        daemon.profiled(works.pid)
        before = len(daemon.said().splitlines())
        os.kill(spawner, signal.SIGKILL)
        assert daemon.process.wait(20) == 1
        said = daemon.said().splitlines()[before:]
        assert len(said) == 1 and "reads others by has ended" in said[0], said
        assert not os.path.exists(daemon.socket)
        sound(daemon)
        print("%d helpers killed" % killed)


def test_gateway(works):
    """It is killed while it answers; the next one answers the same."""
    drawn = random.Random(SEED)
    with host.Plopd("--window", 1) as daemon:
        until("windows are saved", lambda: len(windows_of(daemon)) > 1)
        for _ in range(ROUNDS // 2):
            with host.Gateway(daemon) as gateway:
                answers = []
                asks = threading.Thread(target=lambda: answers.extend(asked(gateway)))
                asks.start()
                time.sleep(drawn.uniform(0.05, 0.5))
                gateway.process.kill()
                gateway.process.wait()
                asks.join()
                assert all(status in (0, 200) for status in answers), answers
        assert daemon.status()["samples"]
        with host.Gateway(daemon) as gateway:
            status, body = gateway.get("/v1/windows?from=0")
            assert status == 200 and json.loads(body)["windows"]
        sound(daemon)
        assert daemon.stop() == 0


def asked(gateway):
    """The status of each answer, up to the first that did not come."""
    found = []
    for path in ("/v1/status", "/v1/windows?from=0", "/v1/profile?from=0", "/v1/processes") * 50:
        try:
            found.append(gateway.get(path)[0])
        except (OSError, host.http.client.HTTPException):
            return found
        if not found[-1]:
            return found
    return found
