# SPDX-License-Identifier: BSD-2-Clause
"""
What a host and its processes can be in: stopped, in a frozen control group, at the breakpoint of a debugger, dumping core; a fork bomb,
execs as fast as they go, a CPU that goes away, /proc that is hidden, a clock that a library makes up, no descriptor left, plopd killed
for want of memory. plopd goes on, others' profiles are true, and all ticks are accounted for.
"""
import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import pytest

import host
from waiting import until

PLOPD = ("--window", 1)
BUSY = """
import sys
def spin():
    print("READY", flush=True)
    x = 1
    while True:
        x = x * 33 & 65535
spin()
"""
FORKS, FORK_S, EXEC_S = 5000, 10, 5
BOMB = r"""
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static void forks(int n)
{
	while (n > 0) {
		pid_t pid = fork();
		if (pid == 0) {
			sleep(1);
			_exit(0);
		}
		if (pid < 0)
			wait(NULL);
		else
			n--;
	}
	while (wait(NULL) > 0)
		;
}
/* It executes itself until a time, and says how often it did. */
static int execs(char *argv[])
{
	struct timespec now;
	char n[16];
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec >= atol(argv[2])) {
		printf("%s\n", argv[3]);
		return 0;
	}
	snprintf(n, sizeof(n), "%d", atoi(argv[3]) + 1);
	execl("/proc/self/exe", argv[0], argv[1], argv[2], n, NULL);
	return 1;
}
int main(int argc, char *argv[])
{
	if (argc == 4)
		return execs(argv);
	forks(atoi(argv[1]));
	return 0;
}
"""


@pytest.fixture(scope="module")
def bomb(root):
    with tempfile.TemporaryDirectory(prefix="plop-bomb-") as folder:
        path = os.path.join(folder, "bomb")
        subprocess.run(["gcc", "-static", "-O1", "-o", path, "-x", "c", "-"], input=BOMB.encode(), check=True)
        yield path


@pytest.fixture
def work(plopd):
    with host.Workload(sys.executable, code=BUSY) as running:
        plopd.profiled(running.pid)
        yield running


def samples(daemon, work):
    process = daemon.process_of(work.pid)
    return process["samples"] if process else 0


def state_of(pid):
    with open("/proc/%d/stat" % pid, "rb") as f:
        return f.read().rsplit(b")", 1)[1].split()[0].decode()


def goes_on(daemon, work, least=20):
    """More samples of it, and all of its stacks true."""
    before = samples(daemon, work)
    until("it is sampled again", lambda: samples(daemon, work) >= before + least, 30)
    stacks = host.collapsed(daemon.record(work.pid, 0.5))
    assert stacks and all([name for name, _, _ in frames] in (["<module>", "spin"], ["<module>"]) or frames[0][0].startswith("[")
                          for frames, _ in stacks), stacks
    assert host.accounted(daemon.status()["samples"])


def a_cycle_passes(daemon):
    """What was sampled before is collected: that comes once a second."""
    beats = daemon.status()["uptime_s"] + 1.2
    until("a cycle passes", lambda: daemon.status()["uptime_s"] > beats)


def stands_still(daemon, work):
    """A second in which plopd answers, lists it, dumps it or says why not, and records nothing of it."""
    a_cycle_passes(daemon)
    before = samples(daemon, work)
    begun = time.monotonic()
    assert daemon.process_of(work.pid), "it is not listed"
    dump = daemon.ctl("dump", "-p", work.pid, "--json")
    assert dump.returncode == 0 and any(f["function"] == "spin" for t in json.loads(dump.out)["threads"] for f in t["frames"]), (dump.out, dump.err)
    assert time.monotonic() - begun < 5
    a_cycle_passes(daemon)
    assert samples(daemon, work) == before


def test_stopped(plopd, work):
    os.kill(work.pid, signal.SIGSTOP)
    until("it is stopped", lambda: state_of(work.pid) == "T")
    stands_still(plopd, work)
    os.kill(work.pid, signal.SIGCONT)
    goes_on(plopd, work)


def freezer():
    """(a new control group that can be frozen, the file, what freezes, what thaws); None: there is none here."""
    for top, name, freeze, thaw in (("/sys/fs/cgroup/freezer", "freezer.state", "FROZEN", "THAWED"), ("/sys/fs/cgroup/unified", "cgroup.freeze", "1", "0"),
                                    ("/sys/fs/cgroup", "cgroup.freeze", "1", "0")):
        path = os.path.join(top, "plop-test-%d" % os.getpid())
        try:
            os.mkdir(path)
        except OSError:
            continue
        if os.path.exists(os.path.join(path, name)):
            return path, os.path.join(path, name), freeze, thaw
        os.rmdir(path)
    return None


def write(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def test_frozen(plopd, work):
    found = freezer()
    if not found:
        pytest.skip("no control group can be frozen here")
    path, file, freeze, thaw = found
    try:
        write(os.path.join(path, "cgroup.procs"), str(work.pid))
        write(file, freeze)
        stands_still(plopd, work)
        write(file, thaw)
        goes_on(plopd, work)
    finally:
        write(file, thaw)
        work.__exit__()
        until("it is empty", lambda: not open(os.path.join(path, "cgroup.procs"), encoding="ascii").read())
        os.rmdir(path)


@pytest.mark.skipif(not shutil.which("gdb"), reason="gdb is not there")
def test_debugger(plopd, work):
    """gdb holds it, as it does at a breakpoint."""
    gdb = subprocess.Popen(["gdb", "-q", "-nx", "-p", str(work.pid)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until("gdb holds it", lambda: state_of(work.pid) == "t", 60)
        stands_still(plopd, work)
    finally:
        gdb.communicate(b"detach\nquit\n", 60)
    goes_on(plopd, work)


def test_dumps_core(plopd, work, folder):
    """One with 300 MB dumps core while others are profiled; then it is gone."""
    code = ("import os, resource\nresource.setrlimit(resource.RLIMIT_CORE, (-1, -1))\nblock = bytearray(b'x' * 300_000_000)\n"
            "print('READY', flush=True)\nos.sys.stdin.readline()\nos.abort()\n")
    if resource.getrlimit(resource.RLIMIT_CORE)[1] not in (-1, resource.RLIM_INFINITY):
        pytest.skip("the hard limit of core files is not infinite here")
    with host.Workload(sys.executable, code=code, cwd=folder) as dumps:
        plopd.profiled(dumps.pid)
        dumps.go()
        before = samples(plopd, work)
        assert dumps.process.wait(60) == -signal.SIGABRT
        until("the other one is sampled meanwhile", lambda: samples(plopd, work) > before)
        until("it is not listed any more", lambda: plopd.process_of(dumps.pid) is None)
    goes_on(plopd, work)


def memory(daemon):
    with open("/proc/%d/status" % daemon.process.pid, encoding="ascii") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmRSS"))


def lost_of(daemon):
    lost = daemon.status()["samples"]["lost"]
    return sum(n for cause, n in lost.items() if cause not in host.OF_OTHERS)


def survives(daemon, work, what, begin):
    """Something happens to the whole host: plopd answers, no tick of others is lost, and it is as large as before."""
    before, lost, had = memory(daemon), lost_of(daemon), samples(daemon, work)
    begun = time.monotonic()
    slowest = 0.0
    with begin() as process:
        while process.poll() is None:
            asked = time.monotonic()
            assert daemon.status(), what
            slowest = max(slowest, time.monotonic() - asked)
            time.sleep(0.1)
        if process.stdout:
            what += " %d a second" % (sum(map(int, process.stdout.read().split())) / EXEC_S)
        assert process.returncode == 0, process.returncode
    took = time.monotonic() - begun
    until("the other one is sampled", lambda: samples(daemon, work) > had)
    grown = memory(daemon) - before
    more = lost_of(daemon) - lost
    print("%s: %.1f s, status within %.0f ms, %d ticks lost, %.1f MB more" % (what, took, 1e3 * slowest, more, grown / 1e6))
    assert more <= 5 and grown < 40e6, (more, grown)
    goes_on(daemon, work)
    return took


def test_fork_bomb(plopd, work, bomb):
    """5,000 processes at once, each of which lives for a second."""
    took = survives(plopd, work, "%d forks" % FORKS, lambda: subprocess.Popen([bomb, str(FORKS)], process_group=0))
    assert took < 3 * FORK_S, took


def test_execs(plopd, work, bomb):
    """Programs that execute themselves as fast as they can, one for each CPU."""
    def begin():
        end = str(int(time.clock_gettime(time.CLOCK_MONOTONIC)) + EXEC_S)
        return subprocess.Popen(["sh", "-c", "for i in $(seq %d); do $0 exec %s 0 & done; wait" % (os.cpu_count(), end), bomb], process_group=0,
                                stdout=subprocess.PIPE)
    survives(plopd, work, "execs", begin)


def test_cpu_goes_away(plopd, work):
    """A CPU is taken away, and given back: what runs there then is sampled."""
    if os.environ.get("PLOP_FAULTS") != "all":
        pytest.skip("it would be taken from all that runs on this machine: PLOP_FAULTS=all does it")
    cpu = os.cpu_count() - 1
    path = "/sys/devices/system/cpu/cpu%d/online" % cpu
    try:
        write(path, "0")
    except OSError as e:
        pytest.skip("no CPU can be taken away here: %s" % e.strerror)
    try:
        goes_on(plopd, work)
    finally:
        write(path, "1")
    os.sched_setaffinity(work.pid, {cpu})
    goes_on(plopd, work)


def test_hidden_processes(work, folder):
    """/proc is mounted with hidepid=2: root sees all of it; a user sees his own."""
    command = "mount -t proc -o hidepid=2 proc /proc && exec \"$@\""
    try:
        done = subprocess.run(["unshare", "--mount", "sh", "-c", command, "sh", "true"], stderr=subprocess.PIPE, timeout=60)
    except OSError as e:
        pytest.skip("unshare: %s" % e)
    if done.returncode:
        pytest.skip("/proc cannot be mounted anew here: %s" % done.stderr.decode().strip())
    daemon = host.Plopd("--window", 1, start=False)
    own = daemon.command
    daemon.command = lambda: ["unshare", "--mount", "sh", "-c", command, "sh", *own()]
    with daemon:
        daemon.start()
        daemon.profiled(work.pid)
        goes_on(daemon, work)
        assert daemon.stop() == 0


FAKETIME = next((path for path in ("/usr/lib/%s-linux-gnu/faketime/libfaketime.so.1" % os.uname().machine,) if os.path.exists(path)), None)


@pytest.mark.skipif(not FAKETIME, reason="libfaketime is not there")
@pytest.mark.parametrize("shift", ("+3d", "-15d", "+0 x10", "2020-01-01 00:00:00"))
def test_clock_of_a_library(root, shift):
    """
    By libfaketime 0.9.10 no timer of CLOCK_MONOTONIC fires in time, and some cannot be set. It is told before anything is sampled.
    """
    daemon = host.Plopd("--window", 1, start=False)
    with daemon:
        done = subprocess.run(daemon.command(), env=dict(os.environ, LD_PRELOAD=FAKETIME, FAKETIME=shift), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60)
        said = done.stdout.decode()
        assert done.returncode == 1 and len(said.splitlines()) == 1 and "monotonic clock" in said and "libfaketime" in said, said
        assert not os.listdir(daemon.state)


@contextlib.contextmanager
def no_descriptors(daemon):
    """It gets none that is new: the bound is on their numbers, and it has the first three."""
    pid = daemon.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    try:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, before[1]))
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def test_no_descriptors(work):
    """None left: nobody is answered, it is said, sampling and saving go on, and afterwards all is as before."""
    with host.Plopd("--window", 1) as daemon:
        daemon.profiled(work.pid)
        until("a window is saved", lambda: daemon.status()["store"]["windows"] > 0)
        begun = daemon.status()
        spent = cpu_of(daemon)
        with no_descriptors(daemon):
            with contextlib.closing(host.client.Connection(daemon.socket, seconds=2)) as waits:
                with pytest.raises(OSError):
                    waits.request("GET", "/v1/status")
                    waits.getresponse()
            until("it is told", lambda: "Cannot accept connections" in daemon.said())
            time.sleep(2)
        assert cpu_of(daemon) - spent < 1.5, "it is busy with nothing"
        after = until("it answers again", daemon.status)
        assert after["samples"]["python"] > begun["samples"]["python"] + 50, (begun, after)
        assert after["store"]["windows"] > begun["store"]["windows"] and not after["store"]["error"], after["store"]
        goes_on(daemon, work)
        assert daemon.stop() == 0


def cpu_of(daemon):
    with open("/proc/%d/stat" % daemon.process.pid, encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def limited():
    """(a new control group, the file of its limit of memory, that of what it has); None: there is none here."""
    for path, limit, used in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
                              ("/sys/fs/cgroup", "memory.max", "memory.current")):
        path = os.path.join(path, "plop-test-memory-%d" % os.getpid())
        try:
            os.mkdir(path)
        except OSError:
            continue
        try:
            if os.path.exists(os.path.join(path, limit)):
                yield path, os.path.join(path, limit), os.path.join(path, used)
                return
        finally:
            until("the group is empty", lambda: not open(os.path.join(path, "cgroup.procs"), encoding="ascii").read())
            os.rmdir(path)
    yield None


def test_no_memory(work):
    """Killed by the kernel for want of memory while it works, it leaves nothing half-written, and the next plopd goes on."""
    with limited() as group, host.Plopd("--window", 1, start=False) as daemon:
        if not group:
            pytest.skip("no control group with a limit of memory can be made here")
        folder, limit, used = group
        plain = daemon.command()
        daemon.command = lambda: ["sh", "-c", "echo $$ > %s/cgroup.procs && exec \"$@\"" % folder, "sh", *plain]
        daemon.start()
        saved = until("windows are saved", lambda: (lambda n: n >= 2 and n)(daemon.status()["store"]["windows"]))
        # of its helpers, too: whichever is killed
        for more in (1 << 20, 1 << 19, 1 << 18, 0):
            with open(used, encoding="ascii") as f:
                have = int(f.read())
            with contextlib.suppress(OSError):
                write(limit, str(have + more))
            with contextlib.suppress(OSError, AssertionError, ValueError, subprocess.SubprocessError):
                daemon.ctl("record", "-p", work.pid, "--wall", "-F", "5000", "-d", "300ms", "-f", "collapsed", "-o", "/dev/null", timeout=20)
            if daemon.process.poll() is not None:
                break
        status = daemon.process.poll()
        print("with %d kB more than it had: %s; %s" % (more >> 10, "it went on" if status is None else "ended by %d" % status, daemon.said().splitlines()[-1]))
        assert status in (None, 1, -signal.SIGKILL), (status, daemon.said())
        daemon.process.kill()
        daemon.process.wait()
        done = daemon.ctl("fsck", os.path.join(daemon.state, "plop.db"))
        assert done.returncode == 0, done.err
        daemon.command = lambda: plain
        daemon.start()
        assert daemon.status()["store"]["windows"] >= saved
        daemon.profiled(work.pid)
        assert daemon.stop() == 0


def test_end(plopd):
    assert host.accounted(plopd.status()["samples"])
    assert plopd.stop() == 0
