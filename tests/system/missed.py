# SPDX-License-Identifier: BSD-2-Clause
"""Processes in which an interpreter is not where one would look first: its text lies at other places as well, or not in its file any
more; another interpreter is there that does not run; its library has another name, or is a part of another; its file is one that root
may not open; there are more mappings or threads than one looks at. Each is started before plopd and after it, and has to be listed, and
its samples have to be those of its function, whose name says which process it is."""
import contextlib
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import time

import pytest

import host
from waiting import until

PYTHON = "/usr/bin/python3"
NOBODY = 65534
LEAST = 12  # samples of each, at plopd's own rate; the recording has twice as many
SHARE = 0.95
THREADS = 3000  # more than the kernel side looks at
MAPPINGS = 100000  # of which hidden.c makes some three quarters

WORK = ("import os, time\ndef work_%s():\n x = 1\n up = time.process_time() + 0.01\n while time.process_time() < up:\n"
        "  for i in range(2000):\n   x = x * 33 & 65535\nos.write(1, b'READY %%d\\n' %% os.getpid())\n"
        "while True:\n work_%s()\n time.sleep(0.08)\n")
# The main thread's state is the last one of the list.
MANY = ("import threading\nthreading.stack_size(65536)\nlock = threading.Lock()\nlock.acquire()\nfor i in range(%d):\n"
        " t = threading.Thread(target=lock.acquire)\n t.daemon = True\n t.start()\n" % THREADS)
# A page of libffi's own text is mapped once more, where it has static trampolines.
CALLBACK = """
import ctypes
def text():
 return [l.split()[-1] for l in open("/proc/self/maps") if "libffi" in l and "x" in l.split()[1]]
call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda x: x)
assert call(7) == 7
"""


def with_trampolines():
    """(name, interpreter) of those whose callbacks of ctypes are such."""
    found = []
    for version, python, build in host.pythons():
        done = subprocess.run([python, "-c", CALLBACK + "print(len(text()))"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if done.returncode == 0 and int(done.stdout) > 1:
            found.append(("callback_%d_%d_%s" % (version + (build.replace("-", "_"),)), python))
    if not found:
        print("no interpreter here has a libffi with static trampolines: callbacks of ctypes are not tested")
    return found


class PrivateFileSystem:
    """One with an interpreter as its only file, that its user alone may look at."""

    def __init__(self, folder, path):
        os.mkdir(folder)
        self.file = os.path.join(folder, "file")
        self.server = subprocess.Popen([PYTHON, os.path.join(host.WORKLOADS, "hung_fs.py"), folder, os.path.realpath(path), str(NOBODY)],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.server.stdout.readline() == b"READY\n", "the file system is not mounted"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stdin.close()
        self.server.wait(20)
        self.server.stdout.close()


def own_library():
    return os.path.join(sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("INSTSONAME"))


def make_plugin(folder):
    """A library that the interpreter is linked into, as an application's plugin has it."""
    archive = os.path.join(sysconfig.get_config_var("LIBPL"), "libpython%d.%d-pic.a" % sys.version_info[:2])
    path = os.path.join(folder, "engine.so")
    subprocess.run(["gcc", "-shared", "-o", path, "-Wl,--whole-archive", archive, "-Wl,--no-whole-archive", "-lexpat", "-lz", "-lm"],
                   check=True)
    return path


class Cases:
    """Makes the programs once; starts them as often as wanted."""

    def __init__(self, folder, closed, mute):
        self.folder, self.closed, self.mute = folder, closed, mute
        self.own = own_library()
        # the loader knows a library by its inode: a copy is another one, with variables of its own
        os.mkdir(os.path.join(folder, "other"))
        self.other = os.path.join(folder, "other", os.path.basename(self.own))
        self.program = os.path.join(folder, "hidden")
        subprocess.run(["gcc", "-O1", "-D_GNU_SOURCE", "-o", self.program, os.path.join(host.WORKLOADS, "hidden.c"), "-ldl"], check=True)
        self.renamed = os.path.join(folder, "libengine.so")
        for copy in (self.renamed, self.other):
            subprocess.run(["cp", "-L", self.own, copy], check=True)
        self.plugin = make_plugin(folder)
        self.trampolines = with_trampolines()

    def many_threads(self):
        """An interpreter whose thread states say which is in use, and one whose do not."""
        yield "many_own", PYTHON
        newer = [path for version, path, build in host.pythons() if version >= (3, 12) and build in ("static", "shared")]
        if newer:
            yield "many_newer", newer[0]

    def start_mute(self):
        return host.Workload(["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups", "nice", "-n", "15", self.mute])

    def embedded(self, how, name, library, *more):
        return host.Workload([self.program, how, name, library] + list(more), ready="WAITING" if how == "late" else "READY")

    def start(self):
        yield "trampolines", self.embedded("trampolines", "trampolines", self.own)
        for name, python in self.trampolines:
            yield name, host.Workload([python, "-c", CALLBACK + "assert len(text()) > 1\n" + WORK % (name, name)])
        yield "huge", self.embedded("huge", "huge", self.own)
        yield "renamed", self.embedded("plain", "renamed", self.renamed)
        yield "plugin", self.embedded("plain", "plugin", self.plugin)
        yield "second", self.embedded("second", "second", self.own, self.other)
        with open("/proc/sys/vm/max_map_count") as f:
            if int(f.read()) >= MAPPINGS:
                yield "mappings", self.embedded("mappings", "mappings", self.own)
            else:
                print("vm.max_map_count is below %d: a process with so many mappings is not tested" % MAPPINGS)
        for name, python in self.many_threads():
            yield name, host.Workload([python, "-c", MANY + WORK % (name, name)])
        for name, file, is_library, home in self.closed:
            # the rights of root, but not its name: it may read the standard library wherever that is
            command = [self.program, "plain", name, file] if is_library else [file, "-S", "-c", WORK % (name, name)]
            yield name, host.Workload(["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups", "--inh-caps=+dac_read_search",
                                "--ambient-caps=+dac_read_search"] + command, env=dict(os.environ, PYTHONHOME=home))


# What a file would have to tell: it is linked statically, and is called like an interpreter.
MUTE = """#include <stdio.h>
#include <unistd.h>
int main(void)
{
	printf("READY %d\\n", (int)getpid());
	fflush(stdout);
	for (volatile unsigned int x = 1;; x = x * 33)
		;
}
"""


def make_mute(folder):
    path = os.path.join(folder, "mute")
    subprocess.run(["gcc", "-static", "-O1", "-o", path, "-x", "c", "-"], input=MUTE.encode(), check=True)
    return path


def check_mute(daemon, pid):
    """Listed with the reason, and its ticks are accounted for as lost."""
    entry = until("what cannot be told is listed", lambda: daemon.process_of(pid))
    assert "may not open its program" in entry["status"], entry
    before = daemon.status()["samples"]["lost"]["unsupported"]
    until(lambda: "ticks are lost for it: %s, lost %s, %d at first" % (daemon.process_of(pid), daemon.status()["samples"]["lost"], before),
          lambda: daemon.status()["samples"]["lost"]["unsupported"] >= before + 10, 60)


def samples_of(daemon):
    return {p["pid"]: p["samples"] for p in json.loads(daemon.ctl("ps", "--json").out)}


def check_samples(daemon, works):
    """Until each has some, which on a busy machine takes its time."""
    # the first at a rate of its own has to wait for its programs
    daemon.ctl("record", "-a", "-d", "100ms", "-F", "200", "-f", "collapsed", "-o", os.path.join(daemon.folder, "missed"))
    recorder = host.Recorder(daemon, "-a", "-F", 200, "--group-by", "pid")
    before = samples_of(daemon)

    def enough():
        now = samples_of(daemon)
        return all(now[pid] - before[pid] >= LEAST for _, pid in works)

    # ps costs the CPU that they are to have
    until("%d samples of each" % LEAST, enough, 60, 0.2)
    stacks = recorder.stop()
    for name, pid in works:
        mine = [(frames[1:], n) for frames, n in stacks if frames[0][0] == "pid=%d" % pid]
        total = sum(n for _, n in mine)
        named = sum(n for frames, n in mine if any(f[0] == "work_" + name for f in frames))
        print("  %-14s %4d samples, %4d in its function" % (name, total, named), flush=True)
        assert total >= LEAST, (name, total)
        # what lies between: the main loop
        module = sum(n for frames, n in mine if frames[-1][0] == "<module>")
        assert named + module >= SHARE * total and named > 0.5 * total, (name, mine)


def check_many(daemon, pid):
    """All threads are in a dump, the one that works with its function; hardly a sample waited for its state to be found."""
    dump = json.loads(daemon.ctl("dump", "-p", pid, "--json").out)
    assert len(dump["threads"]) == THREADS + 1 and dump["left_out"] == 0, (len(dump["threads"]), dump["left_out"])
    assert all(t["python"] for t in dump["threads"]), [t for t in dump["threads"] if not t["python"]][:3]
    main = next(t for t in dump["threads"] if t["tid"] == pid)
    assert main["frames"][-1]["function"] == "<module>", main


def check_late(daemon, cases):
    """Its interpreter is another than the one that was there when plopd looked first."""
    with cases.embedded("late", "late", cases.own, cases.other) as work:
        daemon.profiled(work.pid)
        time.sleep(0.5)
        work.go()
        work.line("READY")
        # when it has run for a second
        time.sleep(2)
        check_samples(daemon, [("late", work.pid)])


def closed_pythons(folder, stack):
    """
    (name, file, whether it is a library, PYTHONHOME) of interpreters in file systems that root may not look into: one of each version, as
    there are several ways to tell which it is.
    """
    ask = "import os, sys, sysconfig; v = sysconfig.get_config_var; print(sys.prefix); print(os.path.join(v('LIBDIR'), v('INSTSONAME')))"
    closed = []
    for version, path, build in host.pythons():
        name = "closed_%d_%d" % version
        if name in [c[0] for c in closed]:
            continue
        done = subprocess.run([path, "-c", ask], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if done.returncode or version < (3, 6) or build not in ("static", "shared"):
            continue
        prefix, library = done.stdout.decode().splitlines()
        file = os.path.realpath(library if build == "shared" else path)
        with open(file, "rb") as f:
            if f.read(4) != b"\x7fELF":
                continue
        closed.append((name, stack.enter_context(PrivateFileSystem(os.path.join(folder, name), file)).file, build == "shared", prefix))
    return closed


@pytest.fixture(scope="module")
def cases(root):
    with tempfile.TemporaryDirectory(prefix="plop-missed-") as folder, contextlib.ExitStack() as stack:
        os.chmod(folder, 0o755)
        mute = stack.enter_context(PrivateFileSystem(os.path.join(folder, "mute-fs"), make_mute(folder)))
        yield Cases(folder, closed_pythons(folder, stack), os.path.join(os.path.dirname(mute.file), "python-file"))


@pytest.fixture(scope="module", params=("after", "before"))
def order(request):
    """plopd comes after the processes, or before them."""
    return request.param


@pytest.fixture(scope="module")
def plopd(root, order):
    with host.Plopd("--window", 2, start=order == "before") as daemon:
        yield daemon


@pytest.fixture(scope="module")
def works(plopd, cases, order):
    """[(name, workload), ...], all profiled, and the one that cannot be told."""
    with contextlib.ExitStack() as stack:
        running = [(name, stack.enter_context(work)) for name, work in cases.start()]
        mute = stack.enter_context(cases.start_mute())
        if order == "after":
            plopd.start()
        for _, work in running:
            plopd.profiled(work.pid)
        yield running, mute


def test_samples(plopd, works):
    before = plopd.status()["samples"]
    check_samples(plopd, [(name, work.pid) for name, work in works[0]])
    after = plopd.status()["samples"]
    beyond = after["lost"]["threads"] - before["lost"]["threads"]
    print("  %d ticks lost[threads] of %d" % (beyond, after["ticks"] - before["ticks"]), flush=True)
    assert beyond <= 0.02 * (after["python"] - before["python"]) + 5, beyond


def test_many_threads(plopd, works):
    for name, work in works[0]:
        if name.startswith("many"):
            check_many(plopd, work.pid)


def test_late(plopd, works, cases, order):
    if order == "after":
        pytest.skip("plopd has to see its first interpreter")
    check_late(plopd, cases)


def test_mute(plopd, works):
    check_mute(plopd, works[1].pid)


def test_accounted(plopd, works):
    samples = plopd.status()["samples"]
    assert host.accounted(samples), samples
