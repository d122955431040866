# SPDX-License-Identifier: BSD-2-Clause
"""How soon processes are known: a thousand that run already when plopd starts, within a second of its CPU time; and one that starts
later before its second tick, in every version.

The second is told by the samples: a new process burns ten phases of one tick's length each, a function for each, from its first
statement on. Were it not known in time, the first phases would have fewer samples than the others: a chi-square test over all ten.
What a hypervisor takes, it takes from all phases alike."""
import json
import os
import signal
import socket
import subprocess
import sys
import time

import host
from chi_square import chi_square

MANY = 1000
FORKS = 3  # children of each interpreter of the herd
PHASES = 10
HZ = 100
PROCESSES = 64  # that are started one after the other, spread over the versions

IDLE = ("import os, sys\npids = []\nfor _ in range(%d):\n    pid = os.fork()\n    if pid == 0:\n        os.read(0, 1)\n        os._exit(0)\n"
        "    pids.append(pid)\nos.write(1, (' '.join(str(p) for p in [os.getpid()] + pids) + '\\n').encode())\nos.read(0, 1)\n" % FORKS)
BURN = ("import time\nclock = getattr(time, 'process_time', None) or time.clock\nup = clock()\n" +
        "".join("def phase_%d():\n    while clock() < up + %g:\n        pass\nphase_%d()\n" % (i, (i + 1.0) / HZ, i) for i in range(PHASES)))


class Herd:
    """Some hundred idle interpreters of all versions, most of them forked children; they end when the pipe that they read does."""

    def __init__(self, many):
        pythons = [path for _, path, _ in host.pythons()]
        ours, theirs = os.pipe()
        self.stay, keep = os.pipe()
        self.keep = keep
        self.parents = []
        for n in range((many + FORKS) // (FORKS + 1)):
            self.parents.append(subprocess.Popen([pythons[n % len(pythons)], "-S", "-E", "-c", IDLE], stdin=self.stay, stdout=theirs))
        os.close(theirs)
        os.close(self.stay)
        self.pids = set()
        with os.fdopen(ours) as lines:
            for _ in self.parents:
                line = lines.readline()
                assert line, "an interpreter of the herd did not come up"
                self.pids |= {int(pid) for pid in line.split()}
        assert len(self.pids) >= many, "%d of %d processes" % (len(self.pids), many)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.keep)
        for parent in self.parents:
            parent.wait(60)


def first_answer(daemon):
    """Starts plopd; the seconds until it answers, which it does once all processes are in its table, and what it says."""
    request = b"GET /v1/status HTTP/1.1\r\nHost: plop\r\nConnection: close\r\n\r\n"
    with open(daemon.log, "ab") as log:
        began = time.monotonic()
        daemon.process = subprocess.Popen(daemon.command(), stdout=log, stderr=log)
    while True:
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(60)
            try:
                s.connect(daemon.socket)
                s.sendall(request)
                answer = b""
                while True:
                    part = s.recv(65536)
                    if not part:
                        break
                    answer += part
                return time.monotonic() - began, json.loads(answer.split(b"\r\n\r\n", 1)[1].decode())
            except (FileNotFoundError, ConnectionRefusedError):
                assert daemon.process.poll() is None, "plopd ended: " + daemon.said()
                assert time.monotonic() - began < 60, "plopd does not listen"
                time.sleep(0.001)


def known_at_start(daemon, herd):
    """(seconds, CPU seconds of plopd) until the whole herd is in the table."""
    seconds, status = first_answer(daemon)
    assert status["processes"] >= len(herd.pids), "%d of %d are known" % (status["processes"], len(herd.pids))
    known = {p["pid"] for p in json.loads(daemon.ctl("ps", "--json").out) if p["status"] == "profiled"}
    assert herd.pids <= known, "%d of the herd are missing" % len(herd.pids - known)
    return seconds, status["cost"]["cpu_seconds"]


def phases(daemon, processes):
    """Samples by phase of so many new processes, and those of them in frames without a name."""
    pythons = [path for _, path, _ in host.pythons()]
    path = os.path.join(daemon.folder, "phases")
    recording = subprocess.Popen([host.program("plopctl"), "--socket", daemon.socket, "record", "-a", "-d", "300s", "-f", "collapsed", "-o",
                                  path], stderr=subprocess.DEVNULL)
    host.until("the recording runs", lambda: daemon.status()["recordings"])
    for n in range(processes):
        subprocess.run([pythons[n % len(pythons)], "-S", "-E", "-c", BURN], check=True)
    recording.send_signal(signal.SIGINT)
    assert recording.wait(60) == 0, "the recording failed"
    with open(path) as f:
        stacks = host.collapsed(f.read())
    counts = [sum(n for stack, n in stacks if stack[-1][0] == "phase_%d" % i) for i in range(PHASES)]
    return counts, sum(n for stack, n in stacks if any(f[0].startswith("[unresolved") for f in stack))


def known_before_second_tick(daemon):
    for attempt in (1, 2):
        counts, unnamed = phases(daemon, PROCESSES * attempt)
        x, bound = chi_square(counts, [1] * PHASES)
        print("%d new processes, samples by phase of %d ms: %s, chi2 %.2f (bound %.2f), %d without a name%s" % (
            PROCESSES * attempt, 1000 // HZ, " ".join(str(n) for n in counts), x, bound, unnamed, "" if attempt == 1 else ", repeated"),
            flush=True)
        assert sum(counts) > PROCESSES * PHASES / 4, "hardly any samples: %s" % counts
        assert unnamed <= sum(counts) / 100.0, "%d of %d without a name" % (unnamed, sum(counts))
        # an honest comparison fails once in a thousand: it is repeated on fresh data of twice the length
        if x <= bound:
            return
    raise AssertionError("the phases of new processes have not the same number of samples: %s" % counts)


def main():
    host.need_root()
    with Herd(MANY) as herd, host.Plopd("--hz", HZ, start=False) as daemon:
        seconds, cpu = known_at_start(daemon, herd)
        print("%d processes are known after %.0f ms, %.0f ms of CPU time of plopd and its helpers (bound 1500)" % (len(herd.pids), 1000 * seconds, 1000 * cpu),
              flush=True)
        assert cpu < 1.5, cpu
        known_before_second_tick(daemon)
        samples = daemon.status()["samples"]
        assert host.accounted(samples), samples


if __name__ == "__main__":
    sys.exit(main())
