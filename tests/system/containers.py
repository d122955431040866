# SPDX-License-Identifier: BSD-2-Clause
"""Interpreters in another root, and interpreters whose file goes away or is replaced: plop must see the binary that runs, with its
version, names, lines and host pid, never what lies at its path by now, or on the host. Containers are made without an engine: own
mount, pid, user and cgroup namespaces, an overlay over the Debian root that tests/pythons --make has, cgroups named as Docker does."""
import concurrent.futures
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import pytest

import host
from waiting import until

ROOT = os.path.join(host.TESTS, ".cache", "pythons", "root")
NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--user", "--map-root-user", "--cgroup"]
HZ = 500
SAMPLES = 50
# idle between, so that eight of them leave the CPUs to others
SCRIPT = """import sys, time


def spin_%(tag)s():
    x = 1
    while True:
        for _ in range(50000):
            x = x * 33 & 65535
        time.sleep(0.01)


def run():
    spin_%(tag)s()


sys.stdout.write("READY %%s %%d\\n" %% (sys.version.split()[0], __import__("os").getpid()))
sys.stdout.flush()
run()
"""
LINES = {"spin": range(4, 10), "run": range(12, 14), "<module>": (18,)}


def child_of(pid):
    """The host's pid of the only child."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % name) as f:
                if int(f.read().rsplit(")", 1)[1].split()[1]) == pid:
                    return int(name)
        except OSError:
            pass
    return None


class Process:
    """A Python of its own script. exe: the path that it was started by, as it sees it itself."""

    def __init__(self, tag, command, script, exe, environment=None, cgroup=None, contained=False):
        self.tag, self.exe, self.file, self.contained = tag, exe, script, contained
        self.container = cgroup and re.search("[0-9a-f]{64}", cgroup).group()
        self.popen = subprocess.Popen(command, env=dict(os.environ, **(environment or {})), stdout=subprocess.PIPE,
                                      preexec_fn=cgroup and (lambda: join(cgroup)))
        line = self.popen.stdout.readline().decode().split()
        assert line and line[0] == "READY", "%s did not start: %s" % (tag, command)
        self.version, self.own_pid = line[1], int(line[2])
        self.pid = child_of(self.popen.pid) if contained else self.popen.pid

    def end(self):
        self.popen.kill()
        self.popen.wait()
        self.popen.stdout.close()


def write_script(folder, tag):
    path = os.path.join(folder, tag + ".py")
    with open(path, "w") as f:
        f.write(SCRIPT % {"tag": tag})
    return path


def on_host(folder, tag, python, environment=None):
    script = write_script(folder, tag)
    return Process(tag, [python, script], script, python, environment)


def contained(folder, tag, program, original=None, cgroup=None):
    """A container with program, which is a copy of the root's file original."""
    inner = os.path.join(folder, "container-" + tag)
    os.mkdir(inner)
    command = NAMESPACES + [sys.executable, os.path.join(host.WORKLOADS, "contained.py"), inner, ROOT, write_script(folder, tag),
                            program + ("=" + original if original else ""), "/srv/app.py"]
    return Process(tag, command, "/srv/app.py", program, None, cgroup, True)


def beside(folder, tag, other):
    """Another process in other's container, of what is at other's path now."""
    shutil.copy(write_script(folder, tag), "/proc/%d/root/srv/%s.py" % (other.pid, tag))
    command = ["nsenter", "-t", str(other.pid), "--mount", "--pid", "--user", "--cgroup", "--root", "--wd=/", other.exe, "/srv/%s.py" % tag]
    return Process(tag, command, "/srv/%s.py" % tag, other.exe, None, None, True)


def replace(path, by):
    """As package managers do: another file is renamed over it."""
    shutil.copy(by, path + ".new")
    os.rename(path + ".new", path)


def hierarchies():
    """Mount points of the unified hierarchy and of systemd's own of version 1."""
    found = []
    with open("/proc/mounts") as f:
        for line in f:
            _, path, kind, options = line.split()[:4]
            if kind == "cgroup2" or kind == "cgroup" and "name=systemd" in options.split(","):
                found.append(path)
    return found


def make_cgroups():
    """Two control groups named after containers: ("as plop shows it", its folder) each; none where they cannot be made."""
    found = []
    for mount in (hierarchies() * 2)[:2]:
        number = len(found)
        container = ("%02x" % (os.getpid() % 256) + "%d" % number) * 21 + "a"
        name = ("docker-%s.scope" if number == 0 else "docker/%s") % container
        path = os.path.join(mount, "plop-test-%d-%d" % (os.getpid(), number), name)
        try:
            os.makedirs(path)
        except OSError as e:
            print("without a container's id: no control group can be made: %s" % e)
            remove_cgroups([path])
            break
        found.append(path)
    return found


def remove_cgroups(paths):
    for path in paths:
        while "plop-test-" in path:
            # who was killed in it may take a moment to be gone
            until("%s is empty" % path, lambda: removed(path))
            path = os.path.dirname(path)


def removed(path):
    try:
        os.rmdir(path)
    except OSError:
        pass
    return not os.path.isdir(path)


def join(cgroup):
    with open(os.path.join(cgroup, "cgroup.procs"), "w") as f:
        f.write(str(os.getpid()))


def check_entry(entry, process):
    """What ps says."""
    assert entry["python"] == process.version, "%s: %s, not %s" % (process.tag, entry["python"], process.version)
    assert entry["exe"] in (process.exe, process.exe + " (deleted)"), "%s: %s" % (process.tag, entry["exe"])
    if process.container:
        assert entry["container"] == process.container, "%s: container %r" % (process.tag, entry["container"])
        assert process.container in entry["cgroup"], entry["cgroup"]


def check_stacks(stacks, process):
    """Its own functions, file and lines, and nobody else's; returns the samples."""
    names = ["<module>", "run", "spin_" + process.tag]
    for stack, _ in stacks:
        got = [name for name, _, _ in stack]
        assert got == names, "%s: %s" % (process.tag, got)
        for name, file, line in stack:
            assert file == process.file, "%s: %s in %s" % (process.tag, name, file)
            # on a def line: while a function is being entered, from 3.11 on
            lines = LINES[name.split("_")[0]]
            assert line in lines, "%s: %s at line %d" % (process.tag, name, line)
    return sum(count for _, count in stacks)


def record(daemon, process):
    daemon.profiled(process.pid)
    check_entry(daemon.process_of(process.pid), process)
    seen = 0
    # noisy CPUs: as long as it takes
    for _ in range(20):
        seen += check_stacks(host.collapsed(daemon.record(process.pid, 0.5)), process)
        if seen >= SAMPLES:
            return seen
    raise AssertionError("%s: only %d samples" % (process.tag, seen))


def check(what, daemon, processes):
    with concurrent.futures.ThreadPoolExecutor(len(processes)) as pool:
        seen = list(pool.map(lambda process: record(daemon, process), processes))
    print("%s: %s" % (what, ", ".join("%s %s %d samples" % (p.tag, p.version, n) for p, n in zip(processes, seen))), flush=True)


def start_on_host(folder):
    """An interpreter where it is, a copy of it, and a copy of a libpython."""
    plain = next((path for _, path, build in host.pythons() if path.startswith("/usr/bin/") and build == "static"), None)
    library = next(((path, find_library(path)) for _, path, build in host.pythons() if build == "shared" and find_library(path)), None)
    processes, files = [], []
    if plain:
        processes.append(on_host(folder, "plain", plain))
        files.append(os.path.join(folder, os.path.basename(plain)))
        shutil.copy(plain, files[-1])
        processes.append(on_host(folder, "copy", files[-1]))
    else:
        print("without a deleted executable: /usr/bin has no static interpreter")
    if library:
        files.append(os.path.join(folder, os.path.basename(library[1])))
        shutil.copy(library[1], files[-1])
        processes.append(on_host(folder, "library", library[0], {"LD_PRELOAD": files[-1]}))
        processes[-1].exe = os.path.realpath(library[0])
        with open("/proc/%d/maps" % processes[-1].pid) as f:
            assert files[-1] in f.read()
    else:
        print("without a deleted library: no interpreter has one")
    return processes, files


def find_library(python):
    """The libpython that an interpreter runs by."""
    said = subprocess.run([python, "-c", "import sys; sys.stdout.write(open('/proc/self/maps').read())"], stdout=subprocess.PIPE, check=True)
    found = re.search(r"/\S*/libpython\S*", said.stdout.decode())
    return found and found.group()


def why_no_containers():
    if not os.path.isdir(ROOT):
        return "there is no other root (tests/pythons --make makes it)"
    done = subprocess.run(NAMESPACES + ["true"], stderr=subprocess.PIPE)
    return done.returncode and "no namespaces: " + done.stderr.decode(errors="replace").strip()


def start_containers(folder, cgroups):
    """One with the root's own interpreter, one with another at the path of the host's."""
    first, second = sorted(n for n in os.listdir(ROOT + "/usr/bin") if re.match(r"python3\.\d+$", n))[:2]
    cgroups = cgroups + [None, None]
    path = os.path.realpath("/usr/bin/python3") if os.path.exists("/usr/bin/python3") else "/usr/bin/python3.11"
    return [contained(folder, "other_root", "/usr/bin/" + first, None, cgroups[0]),
            contained(folder, "same_path", path, "/usr/bin/" + second, cgroups[1])]


def replaced(folder, process):
    """Puts the newest interpreter in the place of process's, and starts that beside it."""
    newest = sorted(n for n in os.listdir(ROOT + "/usr/bin") if re.match(r"python3\.\d+$", n))[-1]
    replace("/proc/%d/root%s" % (process.pid, process.exe), os.path.join(ROOT, "usr/bin", newest))
    other = beside(folder, "beside", process)
    assert other.version != process.version, other.version
    return other


def rewritten(folder, daemon, container):
    """The newest interpreter, once another of the same path, inode, size and mtime has run and was seen."""
    first, *_, newest = sorted(os.path.join(ROOT, "usr/bin", n) for n in os.listdir(ROOT + "/usr/bin") if re.match(r"python3\.\d+$", n))
    path = "/proc/%d/root/usr/bin/rewritten" % container.pid
    known = Process.__new__(Process)
    known.pid, known.exe = container.pid, "/usr/bin/rewritten"
    size = max(os.path.getsize(first), os.path.getsize(newest))
    inodes, before = set(), None
    for tag, original in (("written", first), ("rewritten", newest)):
        with open(original, "rb") as f, open(path, "r+b" if before else "wb") as to:
            to.write(f.read().ljust(size, b"\0"))
        os.chmod(path, 0o755)
        os.utime(path, (1700000000, 1700000000))
        inodes.add(os.stat(path).st_ino)
        process = beside(folder, tag, known)
        if before:
            assert len(inodes) == 1 and process.version != before
            return process
        before = process.version
        record(daemon, process)
        os.kill(process.pid, signal.SIGKILL)
        # nsenter waits for it; a busy file could not be written
        process.popen.wait(20)
        process.end()


@pytest.fixture(scope="module")
def shared():
    """The folder, and what runs: started by the tests one after the other, and ended in the reverse order."""
    processes, cgroups = [], []
    with tempfile.TemporaryDirectory(prefix="plop-test-") as folder:
        try:
            yield folder, processes, cgroups
        finally:
            for process in reversed(processes):
                process.end()
            remove_cgroups(cgroups)


@pytest.fixture(scope="module")
def missing():
    """Why there are no containers; None: there are."""
    reason = why_no_containers()
    if reason:
        print("without containers: " + reason)
    return reason


@pytest.fixture(scope="module")
def files(root, shared, missing):
    """Of the host's processes, and the containers: those that are to be deleted."""
    folder, processes, cgroups = shared
    started, found = start_on_host(folder)
    processes += started
    if not missing:
        cgroups += make_cgroups()
        processes += start_containers(folder, cgroups)
        assert all(p.own_pid == 1 and p.pid != 1 for p in processes[-2:]), "no pid namespace"
    if not processes:
        pytest.skip("nothing to test with: no static interpreter, no libpython and no containers")
    return found


@pytest.fixture(scope="module")
def plopd(files):
    with host.Plopd("--hz", HZ) as daemon:
        yield daemon


def test_as_they_are(plopd, shared):
    check("as they are", plopd, shared[1])


def test_deleted_and_replaced(plopd, shared, files, missing):
    folder, processes, _ = shared
    for path in files:
        os.unlink(path)
    if not missing:
        processes.append(replaced(folder, processes[-1]))
        processes.append(rewritten(folder, plopd, processes[-2]))
    check("deleted and replaced", plopd, processes)


def test_by_a_plopd_that_comes_later(plopd, shared, start_plopd):
    plopd.stop()
    check("by a plopd that comes later", start_plopd("--hz", HZ), shared[1])
    for process in shared[1]:
        assert process.popen.poll() is None, "%s ended" % process.tag
