# SPDX-License-Identifier: BSD-2-Clause
"""What one user's processes do to have plopd spend time and memory on them: forged interpreters, files that are none, tens of thousands
of mappings. It has bounds, which plopd says; nobody else is the worse for it."""
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

import pytest

import host
from flood import answer
from hostile_means import Means
from waiting import until

PLOPD = ("--window", 10)

OTHER = 64304
# So long at least, and until the user has used up what is in reserve: on a busy machine who attacks gets little done.
SECONDS, LONGEST = 12.0, 90.0
# Of the issue: root's status within 100 ms, and less than one in a thousand of others' ticks lost.
MEDIAN_S, LOST = 0.1, 0.001
# daemon/target/effort.h: what comes in, and what is in reserve
CPU_PART, HOST_PART, RESERVE_S = 100, 200, 30
# A question that is under way is not ended for it, and three seconds is what one may take.
ONE_QUESTION = 3.0
# daemon/target/shares.h says what users can bring it to.
RESIDENT = 144 << 20

BUSY = """
def witness():
    x = 1
    for i in range(20000):
        x = x * 33 & 65535
print("READY", flush=True)
while True:
    witness()
"""


def rate():
    """CPU seconds that come in in a second."""
    return max(os.cpu_count() / HOST_PART, 1 / CPU_PART)


def resident(pid):
    with open("/proc/%d/statm" % pid) as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def lost(before, after):
    """For want of room or time: what cannot be read of those who attack is their own."""
    return sum(after["lost"][cause] - before["lost"][cause] for cause in ("stacks_full", "frames_full", "drain"))


@pytest.fixture(scope="module")
def means():
    with Means() as all_means:
        yield all_means


@pytest.fixture(scope="module")
def trusted(plopd):
    os.chmod(plopd.folder, 0o755)
    return plopd.socket.replace(".sock", "-trusted.sock")


def become_other():
    os.setgroups([])
    os.setresgid(OTHER, OTHER, OTHER)
    os.setresuid(OTHER, OTHER, OTHER)


def begin_witness():
    return host.Workload(sys.executable, code=BUSY, preexec_fn=become_other, cwd="/")


@pytest.fixture(scope="module")
def attacked(plopd, trusted, means):
    """What was seen while all means were tried at once."""
    seen = {"took": [], "resident": 0}
    with begin_witness() as witness:
        plopd.profiled(witness.pid)
        began = time.monotonic()
        before = plopd.status()
        processes = means.begin_all()
        # each but those that end is there, and is known, or is said why not
        while time.monotonic() - began < SECONDS or not seen["status"]["shares"]["looks_refused"]:
            assert time.monotonic() - began < LONGEST, seen["status"]
            took, seen["status"] = answer(trusted, 0)
            seen["took"].append(took)
            seen["resident"] = max(seen["resident"], resident(plopd.process.pid))
            time.sleep(0.05)
        seen["seconds"] = time.monotonic() - began
        seen["gone"] = [kind for kind, process in processes.items() if process.poll() is not None]
        until("the witness has samples", lambda: plopd.process_of(witness.pid)["samples"] > 20, 60)
        seen["witness"] = plopd.process_of(witness.pid)
        seen["said"] = until("it is said of a process", lambda: [
            p["status"] for p in json.loads(plopd.ctl("ps", "--json").out) if "have cost plopd more than they may" in p["status"]], 60)
        seen["dump"] = plopd.ctl("dump", "-p", processes["forged"].pid, "--json")
        own = subprocess.run([host.program("plopctl"), "--socket", plopd.socket, "status"], stdout=subprocess.PIPE, check=True)
        seen["text"] = own.stdout.decode()
        means.end()
    after = seen["status"]
    seen["lost"], seen["ticks"] = lost(before["samples"], after["samples"]), after["samples"]["ticks"] - before["samples"]["ticks"]
    seen["spent"] = after["cost"]["users_cpu_seconds"]
    seen["cpu"] = after["cost"]["cpu_seconds"] - before["cost"]["cpu_seconds"]
    print("attack of %.1f s: plopd took %.2f s of CPU, of which %.2f on account; root's status %.1f ms in the median, %.0f at most; %d MB "
          "resident; %d of %d ticks lost; %s" % (seen["seconds"], seen["cpu"], seen["spent"], 1e3 * statistics.median(seen["took"]), 1e3 * max(
              seen["took"]), seen["resident"] >> 20, seen["lost"], seen["ticks"], {k: n for k, n in after["shares"].items() if n}))
    return seen


def test_means(attacked):
    """All of them went on: what is not tried bounds nothing."""
    assert not attacked["gone"], attacked["gone"]


def test_cpu(attacked):
    """What was spent on two users, of whom one did nothing of note; what is on nobody's account is what an idle plopd takes, and more."""
    bound = rate() * (RESERVE_S + attacked["seconds"])
    assert bound / 2 < attacked["spent"] < 2 * bound + ONE_QUESTION, (attacked["spent"], bound)
    assert attacked["cpu"] < attacked["spent"] + 0.1 * attacked["seconds"], (attacked["cpu"], attacked["spent"])


def test_told(attacked):
    shares = attacked["status"]["shares"]
    assert shares["looks_refused"] > 0, shares
    assert "looks refused" in attacked["text"], attacked["text"]
    assert attacked["said"]


def test_memory(attacked):
    assert attacked["resident"] < RESIDENT, attacked["resident"]


def test_others(attacked):
    """Their ticks are not lost, and their functions have names."""
    assert attacked["lost"] <= LOST * attacked["ticks"], (attacked["lost"], attacked["ticks"])
    assert attacked["witness"]["symbolized_percent"] >= 95, attacked["witness"]


def test_status(attacked):
    assert len(attacked["took"]) > 20 and statistics.median(attacked["took"]) < MEDIAN_S, attacked["took"]


def test_afterwards(plopd, attacked):
    """What it took is given back, and the user has names again some time later."""
    assert attacked
    until("the processes are forgotten", lambda: not [p for p in json.loads(plopd.ctl("ps", "--json").out) if "forged" in p["exe"]])
    with begin_witness() as witness:
        plopd.profiled(witness.pid)


def test_root_may_ask(attacked):
    """Who is trusted is answered, however much the user has spent."""
    done = attacked["dump"]
    assert done.returncode == 0 and json.loads(done.out)["threads"], done.err


def put(kind, path):
    """What is no file to be read, in the place of one that plopd looks for a version in."""
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "long":
        with open(path, "wb") as f:
            f.truncate(1 << 40)
    else:
        os.symlink({"endless": "/dev/zero", "ring": os.path.basename(path), "root": "/proc/self/root/proc/self/environ",
                    "own": "/proc/self/fd/0"}[kind], path)


def test_files(folder, start_plopd):
    """A FIFO, a terabyte of nothing, an endless file, a link to itself, links through /proc: each process is profiled as all others are."""
    works = []
    for kind in ("fifo", "long", "endless", "ring", "root", "own"):
        work = os.path.join(folder, kind)
        os.makedirs(os.path.join(work, ".git"))
        for name in ("HEAD", "packed-refs"):
            put(kind, os.path.join(work, ".git", name))
        script = os.path.join(work, "app.py")
        with open(script, "w") as f:
            f.write(BUSY.replace("while True:", "import time\nwhile True:\n    time.sleep(0.05)"))
        works.append(host.Workload([sys.executable, script], cwd=work))
        os.unlink(script)
        put(kind, script)
    try:
        daemon = start_plopd()
        for work in works:
            daemon.profiled(work.pid)
            entry = daemon.process_of(work.pid)
            assert entry["status"] == "profiled", entry
            # of a file, however long, the time is known; of anything else nothing
            assert not entry["version"] or os.path.basename(os.path.dirname(entry["cmdline"])) == "long", entry
    finally:
        for work in works:
            work.__exit__()

# Copies of Python have its library by this.
DEEP = """
import os, sys, time
for i in range(%d):
    if os.fork() == 0:
        time.sleep(600)
        os._exit(0)
print("READY", flush=True)
sys.stdin.read()
"""
PATH_BYTES, PATH_CUT, CHILDREN = 4 << 20, 256, 1400


def test_paths(folder, start_plopd):
    """A program whose path has 3,600 bytes forks 1,400 times, and each child has that path: it is cut where it would take too much."""
    deep = folder
    for n in range(17):
        deep = os.path.join(deep, "%02d" % n + "d" * 200)
        os.mkdir(deep)
    os.chmod(folder, 0o755)
    program = shutil.copy(os.path.realpath("/usr/bin/python3"), os.path.join(deep, "python3"))
    assert len(program) * CHILDREN > PATH_BYTES
    daemon = start_plopd()
    with host.Workload([program, "-c", DEEP % CHILDREN], env={"PYTHONHOME": "/usr"}, preexec_fn=become_other, cwd="/") as work:
        daemon.profiled(work.pid)
        until("all are known", lambda: daemon.status()["processes"] > CHILDREN, 60)
        status = daemon.status()
        assert status["shares"]["paths_cut"] > 0 and status["memory"]["processes"] < PATH_BYTES + 4096 * CHILDREN, status
        paths = [p["exe"] for p in json.loads(daemon.ctl("ps", "--json").out)]
    assert any(path == program for path in paths) and any(path.endswith("\u2026") and len(path.encode()) <= PATH_CUT for path in paths)
