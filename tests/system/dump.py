# SPDX-License-Identifier: BSD-2-Clause
"""plopctl dump: every thread of every interpreter with its stack, lines, state and the GIL; no stack that never was; processes in
namespaces of their own; after fork(); a thousand threads; and what is refused."""
import json
import os
import re
import signal
import subprocess
import time

import pytest

import host
from containers import child_of
from waiting import until

WORKLOAD = os.path.join(host.WORKLOADS, "dumped.py")
PYPY = "/usr/bin/pypy3"
NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
# What each kind of waiting is in the kernel; time.sleep() was select() before 3.11.
SLEEPS = {"sleeps": ("clock_nanosleep", "select", "pselect6"), "locks": ("futex",), "receives": ("recvfrom",), "main": ("futex",)}
BUSY = ("computes_this", "computes_that", "hashes")
# Who calls whom in dumped.py calls.
CALLERS = {"calls": ("run",), "one": ("calls", "deep"), "one_below": ("one",), "two": ("calls", "some"), "two_below": ("two",),
           "some": ("calls",), "deep": ("calls", "deep"), "run": ("_bootstrap_inner",), "_bootstrap_inner": ("_bootstrap",)}
FORKED = """import os, sys, threading, time
def idle():
    time.sleep(1000)
for n in range(3):
    thread = threading.Thread(target=idle)
    thread.daemon = True
    thread.start()
pid = os.fork()
if pid:
    sys.stdout.write("READY %d\\n" % pid)
    sys.stdout.flush()
    os.waitpid(pid, 0)
def child():
    time.sleep(1000)
child()
"""


def lines():
    """Function: line of what it does."""
    with open(WORKLOAD) as f:
        return {m.group(1): n for n, line in enumerate(f, 1) for m in [re.search("# line of ([a-z_]+)", line)] if m}


LINES = lines()


def dump(daemon, pid):
    done = daemon.ctl("dump", "-p", pid, "--json")
    assert done.returncode == 0, done.err
    return json.loads(done.out)


def plain(name):
    """A function's name without its class, as it is before 3.11; the interpreter's mangling taken off."""
    return name.rsplit(".", 1)[-1].replace("__bootstrap", "_bootstrap")


def by_function(answer):
    """The threads by the function of dumped.py that they are in."""
    found = {}
    for thread in answer["threads"]:
        assert thread["python"], "a thread that Python does not know: %s" % thread
        own = [f for f in thread["frames"] if f["file"] == WORKLOAD]
        assert own, thread
        assert thread["readable"] and not thread["truncated"], thread
        name = own[0]["function"]
        assert name not in found, "two threads in %s" % name
        found[name] = dict(thread, own=own)
    return found


def is_there(thread, name):
    """Whether the thread does what it will do from now on; until then it is on its way there."""
    line = thread["own"][0]["line"] == LINES[name]
    return line and (name == "hashes" or not thread["changing"] and thread["syscall"] in SLEEPS[name] and thread["gil"] is None)


def settled(daemon, pid):
    """Waits until every thread whose line is known has come to it."""
    def all_there():
        threads = by_function(dump(daemon, pid))
        return all(is_there(threads[name], name) for name in threads if name in LINES)
    until("the threads of process %d are where they shall be" % pid, all_there, 60)


def check_waiting(threads, pid):
    """Those that wait, whose every fact is known."""
    for name, calls in SLEEPS.items():
        thread = threads[name]
        assert not thread["changing"] and thread["state"] == "sleeping" and thread["syscall"] in calls, thread
        assert thread["gil"] is None, thread
        assert thread["own"][0]["line"] == LINES[name], "%s: line %d, not %d" % (name, thread["own"][0]["line"], LINES[name])
        names = [plain(f["function"]) for f in thread["frames"]]
        if name == "main":
            assert thread["tid"] == pid and names[-2:] == ["main", "<module>"] and "join" in names, thread
        else:
            assert names == [name, "run", "_bootstrap_inner", "_bootstrap"], names
            assert thread["name"] == name, thread
    tids = {thread["tid"] for thread in threads.values()}
    assert tids == {int(n) for n in os.listdir("/proc/%d/task" % pid)}, tids


def knows_gil(version, free_threaded):
    return not free_threaded and version >= (3, 8)


def check_gil(answer, threads, version):
    """Who may have the GIL, or wait for it; returns what was seen of it."""
    gil = {name: threads[name]["gil"] for name in threads if threads[name]["gil"]}
    seen = {kind for kind in gil.values()}
    assert set(gil) <= set(BUSY), gil
    if answer["free_threaded"]:
        assert answer["gil"] == "none" and not gil, answer
    elif not knows_gil(version, False):
        assert answer["gil"] == "unknown" and "held" not in seen, answer
    else:
        assert answer["gil"] in ("held", "free", "changing"), answer["gil"]
        assert (answer["gil"] == "held") == ("held" in seen), answer
        assert list(gil.values()).count("held") <= 1, gil
    if threads["hashes"]["state"] == "running" and threads["hashes"]["gil"] is None:
        seen.add("released")
    return seen


def check_busy(daemon, version, python):
    """Computing threads, as often as it takes to see the GIL held, waited for and released."""
    with host.Workload(python, "dumped.py", "busy") as work:
        daemon.profiled(work.pid)
        settled(daemon, work.pid)
        seen, wanted, dumps = set(), {"released"}, []

        def all_seen():
            answer = dump(daemon, work.pid)
            threads = by_function(answer)
            assert set(threads) == set(SLEEPS) | set(BUSY), sorted(threads)
            if knows_gil(version, answer["free_threaded"]):
                wanted.update(("held", "waiting"))
            check_waiting(threads, work.pid)
            seen.update(check_gil(answer, threads, version))
            assert threads["hashes"]["own"][0]["line"] == LINES["hashes"] or threads["hashes"]["changing"], threads["hashes"]
            dumps.append(answer)
            return wanted <= seen

        until(lambda: "saw only %s of %s" % (sorted(seen), sorted(wanted)), all_seen, 60, 0)
        # at least a few, whatever was seen
        for _ in range(3):
            check_waiting(by_function(dump(daemon, work.pid)), work.pid)
        return "%d dumps until the GIL was %s" % (len(dumps), ", ".join(sorted(seen)))


def check_calls(daemon, python):
    """No stack in which a function was called by one that never calls it, or that has no beginning."""
    with host.Workload(python, "dumped.py", "calls") as work:
        daemon.profiled(work.pid)
        changing, leaves = 0, set()
        for _ in range(60):
            stack = dump(daemon, work.pid)["threads"][1]
            names = [plain(f["function"]) for f in stack["frames"]]
            if not names and stack["changing"]:
                # on a busy machine two readings may have nothing in common
                changing += 1
                continue
            assert names and names[-1] == "_bootstrap", names
            for callee, caller in zip(names, names[1:]):
                assert caller in CALLERS[callee], "%s called by %s: %s" % (callee, caller, names)
            leaves.add(names[0])
            changing += stack["changing"]
        assert changing < 60, "no stack of a busy thread could be read"
        return "60 stacks with %d innermost functions, %d of them cut" % (len(leaves), changing)


@pytest.fixture(scope="module")
def dumped(plopd, at_once):
    def dumps(row):
        version, python, _ = row
        return "; ".join((check_busy(plopd, version, python), check_calls(plopd, python)))
    return at_once(4, dumps)


def test_dumps(dumped, interpreter):
    print("%s: %s" % (host.called(interpreter), dumped(interpreter)), flush=True)


def test_text(plopd, one_of_each):
    """What a person reads."""
    daemon, (version, python, build) = plopd, one_of_each
    with host.Workload(python, "dumped.py") as work:
        daemon.profiled(work.pid)
        settled(daemon, work.pid)
        done = daemon.ctl("dump", "-p", work.pid)
        assert done.returncode == 0, done.err
        assert re.match(r"Process %d: \S+.*\nPython %d\.%d\.\d+ \(/\S+\)\n" % ((work.pid,) + version), done.out), done.out
        assert re.search(r'\nThread %d "[^"]+": sleeping in futex\n' % work.pid, done.out), done.out
        assert "\n    sleeps (%s:%d)\n" % (WORKLOAD, LINES["sleeps"]) in done.out, done.out
        assert "sleeping in recvfrom\n    receives (" in done.out, done.out
        free_threaded = "freethreaded" in build
        gil = "Free-threaded: there is no GIL" if free_threaded else "GIL: free" if knows_gil(version, False) else "GIL: plop does not know"
        assert "\n" + gil in done.out, done.out


def ends():
    """The oldest interpreter and the newest."""
    found = host.pythons()
    return [found[0], found[-1]] if found else []


@pytest.mark.parametrize("row", ends(), ids=host.called)
def test_namespaces(plopd, row):
    """A process that sees itself as process 1, and has nothing of the host's /proc."""
    daemon, python = plopd, row[1]
    outer = subprocess.Popen(NAMESPACES + [python, WORKLOAD], stdout=subprocess.PIPE)
    try:
        line = outer.stdout.readline().split()
        if not line:
            pytest.skip("no namespaces: unshare does not work here")
        assert line == [b"READY", b"1"], line
        pid = child_of(outer.pid)
        daemon.profiled(pid)
        settled(daemon, pid)
        answer = dump(daemon, pid)
        threads = by_function(answer)
        assert set(threads) == set(SLEEPS), sorted(threads)
        check_waiting(threads, pid)
        assert threads["main"]["own_tid"] == 1 and threads["sleeps"]["own_tid"] != threads["sleeps"]["tid"], threads
        print("%s in its own namespaces: %d threads" % (python, len(threads)), flush=True)
    finally:
        outer.kill()
        outer.wait()
        outer.stdout.close()


def test_fork(plopd, one_of_each):
    """The child has one thread, whatever the interpreter still has of the parent's."""
    daemon, python = plopd, one_of_each[1]
    with host.Workload(python, code=FORKED) as work:
        child = int(work.ready[0])
        try:
            check_forked(daemon, python, child, work.pid)
        finally:
            os.kill(child, signal.SIGKILL)


def check_forked(daemon, python, child, parent):
    daemon.profiled(child)
    daemon.profiled(parent)

    def asleep(pid, function):
        """How many of the process's threads sleep in the function; 0: one of them is not asleep."""
        threads = dump(daemon, pid)["threads"]
        inner = [t["frames"][0]["function"] for t in threads if t["python"] and t["state"] == "sleeping" and t["frames"]]
        return inner.count(function) if len(inner) == len(threads) else 0

    until("the child of %s sleeps" % python, lambda: asleep(child, "child") == 1)
    until("the parent of %s and its threads sleep" % python, lambda: asleep(parent, "idle") == 3)
    for pid, count in ((child, 1), (parent, 4)):
        threads = dump(daemon, pid)["threads"]
        assert [t["tid"] for t in threads][:1] == [pid] and len(threads) == count, threads
        assert all(t["python"] and t["state"] == "sleeping" for t in threads), threads


def test_many(plopd):
    daemon = plopd
    with host.Workload(ends()[-1][1], "threads.py", "--threads", 1000) as work:
        daemon.profiled(work.pid)
        began = time.monotonic()
        answer = dump(daemon, work.pid)
        took = time.monotonic() - began
        assert not answer["truncated"] and len(answer["threads"]) == 1001, len(answer["threads"])
        owners = {f["function"] for t in answer["threads"] for f in t["frames"] if f["function"].startswith("own_")}
        assert len(owners) == 1000, len(owners)
        print("1001 threads: %.0f ms" % (1000 * took), flush=True)


def refused(daemon, status, words, *arguments):
    done = daemon.ctl("dump", *arguments)
    assert done.returncode == status and words in done.err, "%s: %d, %s" % (arguments, done.returncode, done.err)
    assert not done.out, done.out


def test_refusals(plopd):
    daemon = plopd
    refused(daemon, 2, "a process is missing")
    refused(daemon, 2, "not a process id", "-p", "self")
    refused(daemon, 2, "not a process id", "-p", "0")
    refused(daemon, 3, "no process 4194304", "-p", "4194304")
    done = subprocess.run([host.program("plopctl"), "--socket", daemon.socket + ".none", "dump", "-p", "1"], stderr=subprocess.PIPE)
    assert done.returncode == 5, done


@pytest.mark.parametrize("name, code, words", (("/usr/bin/sleep", None, "process %d is not Python"),
                                               (PYPY, "import time; print('READY', flush=True); time.sleep(1000)", "process %d is PyPy")),
                         ids=("sleep", "pypy"))
def test_not_cpython(plopd, name, code, words):
    if not os.path.exists(name):
        pytest.skip("there is no %s" % name)
    with host.Workload(name if code else [name, "1000"], code=code, ready=code and "READY") as other:
        if code:
            until("PyPy is known", lambda: plopd.process_of(other.pid))
        refused(plopd, 3, words % other.pid, "-p", other.pid)
