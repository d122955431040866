# SPDX-License-Identifier: BSD-2-Clause
"""plop-gateway and plopd's helpers confine themselves, say so where that is not to be had, and do their work either way."""
import os
import subprocess
import sys

import pytest

import host
from ports import free_port
from waiting import until

PLOPD = ["--window", 2]
NO_LANDLOCK = "confined to its system calls, not its files: this kernel has no Landlock"
NO_FILTER = "seccomp fails: Operation not permitted"


def facts_of(folder):
    with open(folder + "/status") as lines:
        return dict(line.rstrip("\n").split(":\t", 1) for line in lines if ":\t" in line)


class Gateway:
    def __init__(self, plopd, folder, letters="", **environment):
        self.log, port = os.path.join(folder, "gateway.log"), free_port()
        command = (host.failing(folder, letters) if letters else []) + [
            host.program("plop-gateway"), "--config", "/dev/null", "--socket", plopd.socket, "--state-dir", plopd.state, "--listen",
            "127.0.0.1:%d" % port]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stderr=log, env=dict(os.environ, **environment))

    def said(self):
        with open(self.log, encoding="utf-8") as f:
            return f.read()

    def __enter__(self):
        until("plop-gateway and plopd have met", lambda: "plopd answers" in self.said())
        return self

    def __exit__(self, *_):
        self.process.terminate()
        assert self.process.wait(20) == 0


def test_gateway(plopd, folder):
    with Gateway(plopd, folder) as gateway:
        threads = "/proc/%d/task" % gateway.process.pid
        for thread in os.listdir(threads):
            facts = facts_of(os.path.join(threads, thread))
            # SECCOMP_MODE_FILTER
            assert (facts["Seccomp"], facts["NoNewPrivs"]) == ("2", "1"), facts
        said = gateway.said()
    if NO_LANDLOCK in said:
        pytest.skip(NO_LANDLOCK)
    assert "plop-gateway: confined to its files (Landlock" in said and ") and its system calls\n" in said, said


@pytest.mark.parametrize("letters, words", [
    ("l", NO_LANDLOCK), ("s", "not its system calls: " + NO_FILTER), ("ls", "not confined: this kernel has no Landlock, and " + NO_FILTER)])
def test_gateway_without(plopd, folder, letters, words):
    with Gateway(plopd, folder, letters) as gateway:
        assert words in gateway.said(), gateway.said()


def test_gateway_unwanted(plopd, folder):
    with Gateway(plopd, folder, PLOP_CONFINE="no") as gateway:
        assert "not confined: PLOP_CONFINE=no\n" in gateway.said(), gateway.said()
        assert facts_of("/proc/%d" % gateway.process.pid)["Seccomp"] == "0"


def test_helpers_without(root, folder):
    daemon = host.Failing(*PLOPD)
    with daemon:
        assert "Helpers may make all system calls" not in daemon.said()
        daemon.stop()
        daemon.fail("s")
        daemon.start()
        with host.Workload(sys.executable, "shares.py", "--seconds", "60", "--until-eof") as work:
            daemon.profiled(work.pid)
        said = daemon.said().count("Helpers may make all system calls, for seccomp(2) fails: Operation not permitted")
        assert said == 1, daemon.said()
