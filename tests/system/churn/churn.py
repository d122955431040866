# SPDX-License-Identifier: BSD-2-Clause
"""Processes and code objects come and go; plopd's memory stays below 64 MB and does not grow.

First simulated, by churn_plopd: all of plopd but its kernel side, a window after the other; with PLOP_WHOLE_DAY=1 a million short processes
and a million code objects in one that stays, as many as in a day of 2,880 windows, and three minutes long. Then real ones, under a real
plopd: some thousand programs that a Python starts, and a Python that makes functions, calls them and forgets them."""
import json
import os
import subprocess
import sys
import tempfile
import time

import host
from waiting import until

MEMORY_MAX = 64e6
# (windows, processes in each, code objects in each); the last quarter must be as large as the one before
BRIEF = (240, 500, 6000)
WHOLE = (2880, 348, 348)

SPAWN = ("import os, sys\nprint('READY')\nsys.stdout.flush()\nfor word in iter(sys.stdin.readline, ''):\n"
         "    for i in range(int(word)):\n        os.spawnv(os.P_WAIT, '/bin/true', ['true'])\n        if i % 10 == 0:\n"
         "            os.spawnv(os.P_WAIT, sys.executable, [sys.executable, '-S', '-E', '-c', 'pass'])\n"
         "    print('DONE')\n    sys.stdout.flush()\n")
# each function runs for some 100 us, under a name of its own and at an address that another had before
FORGET = ("import types\nprint('READY', flush=True)\n"
          "def burn():\n    x = 1\n    for i in range(2000):\n        x = x * 33 & 65535\n"
          "n = 0\nwhile True:\n    n += 1\n    types.FunctionType(burn.__code__.replace(co_name='burn_%d' % n, co_firstlineno=n % 100000 + 1), {})()\n")


def memory(pid):
    """(resident, the most there was) in bytes."""
    with open("/proc/%d/status" % pid) as f:
        kilobytes = {line.split(":")[0]: line.split()[1] for line in f if line.startswith(("VmRSS", "VmHWM"))}
    return int(kilobytes["VmRSS"]) * 1024, int(kilobytes["VmHWM"]) * 1024


def test_simulated():
    windows, processes, codes = WHOLE if os.environ.get("PLOP_WHOLE_DAY") == "1" else BRIEF
    # what a disk takes for 2,880 windows is no matter here
    folder = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="plop-churn-", dir=folder) as state, \
            host.Workload(sys.executable, code="import sys\nprint('READY', flush=True)\nsys.stdin.read()\n") as parent:
        began = time.monotonic()
        done = subprocess.run([os.path.join(host.BUILD, "tests", "system", "churn", "churn_plopd"), state, str(parent.pid), str(windows),
                               str(processes), str(codes)], stdout=subprocess.PIPE, check=True)
    said = json.loads(done.stdout.decode())
    quarters = said["resident"]
    print("simulated: %d windows, %d processes, %d code objects in %.0f s; resident by quarter %s MB" % (
        windows, said["processes"], said["codes"], time.monotonic() - began, " ".join("%.1f" % (r / 1e6) for r in quarters)), flush=True)
    assert said["processes"] == windows * processes, said
    assert said["python"] == windows * (2 * processes + codes) and said["drain"] == 0, "a sample found no home: %s" % said
    assert said["unresolved"] == 0, said
    # those of the last window end with the next ones; the ends that were not heard of are found
    assert said["targets"] <= 3 * processes + 2, "ended processes stay: %s" % said
    assert max(quarters) < MEMORY_MAX, quarters
    assert quarters[3] < max(quarters[1], quarters[2]) * 1.1 + 2e6, "it grows: %s" % quarters


def test_real_processes(start_plopd):
    """What a host does that starts programs all the time; the first tenth warms up."""
    daemon = start_plopd("--window", 2, "--hz", 200)
    with host.Workload(sys.executable, code=SPAWN) as work:
        daemon.profiled(work.pid)
        seen = []
        for count in (300, 1350, 1350):
            work.process.stdin.write(b"%d\n" % count)
            work.process.stdin.flush()
            work.line("DONE")
            seen.append(memory(daemon.process.pid)[0])
        # others of this host end meanwhile: all that is listed must have been there at some look
        until("nothing that ended is listed", lambda: all(os.path.exists("/proc/%d" % p["pid"])
                                                               for p in json.loads(daemon.ctl("ps", "--json").out)))
        assert daemon.process_of(work.pid), "the one that starts them is not listed"
        known = daemon.status()["processes"]
    print("3,300 real processes: resident %s MB, %d processes known after" % (" ".join("%.1f" % (r / 1e6) for r in seen), known), flush=True)
    assert seen[2] < seen[0] * 1.1 + 3e6, "it grows: %s" % seen


def test_real_code(start_plopd):
    """Functions that are made and forgotten, ten thousand a second; three windows fill the caches."""
    daemon, seconds = start_plopd("--window", 2, "--hz", 5000), 16
    with host.Workload(sys.executable, code=FORGET) as work:
        daemon.profiled(work.pid)
        seen = []
        for _ in range(4):
            time.sleep(seconds / 4.0)
            seen.append(memory(daemon.process.pid)[0])
        status = daemon.status()
    resident, most = memory(daemon.process.pid)
    named = status["symbols"]
    share = 1 - named["unresolved"] / float(sum(named[k] for k in ("resolved", "captured", "unresolved")))
    print("code objects for %g s: resident %s MB, the most %.1f MB; %d samples, %.3f %% named, %.2f s of plopd's CPU time" % (
        seconds, " ".join("%.1f" % (r / 1e6) for r in seen), most / 1e6, status["samples"]["python"], 100 * share,
        status["cost"]["cpu_seconds"]), flush=True)
    assert most < MEMORY_MAX, most
    assert host.accounted(status["samples"]), status["samples"]
    assert share > 0.99, named
