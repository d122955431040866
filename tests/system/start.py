# SPDX-License-Identifier: BSD-2-Clause
"""plopctl record -- COMMAND: the profile of a program from its start to its end, with its children, whatever they execute, against
the CPU time that each part of it has measured."""
import os
import subprocess
import sys
import tempfile

import pytest

import host

PART, HZ = 0.4, 997
PLOPD = ("--window", 5)
# What plopd takes to see that a process is Python, and noise: of 400 samples.
LEAST, MOST = 0.75, 1.15

BURN = """
import os, time
def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
"""
# Runs while the interpreter starts, before the program does.
SITE = BURN + """
def at_start():
    burn(%g)
if os.environ.pop("PLOP_TEST_FIRST", None):
    at_start()
""" % PART
PROGRAM = BURN + """
import subprocess, sys
def in_main():
    burn(PART)
def in_fork():
    burn(PART)
def in_exec():
    burn(PART)
def nap():
    time.sleep(PART)
PART = %g
if sys.argv[1:] == ["exec"]:
    in_exec()
    sys.exit()
in_main()
if os.fork() == 0:
    in_fork()
    os._exit(0)
os.wait()
subprocess.run(["sh", "-c", '"$PLOP_TEST_PYTHON" "$0" exec; exit 0', __file__], check=True)
nap()
sys.exit(7)
""" % PART


class Programs:
    def __init__(self, daemon):
        self.daemon = daemon
        self.folder = tempfile.mkdtemp(dir=daemon.folder)
        for name, text in (("sitecustomize.py", SITE), ("program.py", PROGRAM)):
            with open(os.path.join(self.folder, name), "w") as f:
                f.write(text)

    def record(self, *options, command, python=sys.executable):
        """(what plopctl did, {function: count}): of the innermost function but burn()."""
        path = os.path.join(self.folder, "profile")
        done = subprocess.run([host.program("plopctl"), "--socket", self.daemon.socket, "record", "-f", "collapsed", "-o", path,
                               *[str(o) for o in options], "--", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                              cwd=self.folder, env=dict(os.environ, PYTHONPATH=self.folder, PLOP_TEST_FIRST="1", PLOP_TEST_PYTHON=python))
        done.err = done.stderr.decode()
        counts = {}
        if os.path.exists(path):
            with open(path) as f:
                for frames, count in host.collapsed(f.read()):
                    names = [name for name, _, _ in frames if name != "burn"]
                    counts[names[-1]] = counts.get(names[-1], 0) + count
            os.unlink(path)
        return done, counts


@pytest.fixture(scope="module")
def programs(plopd):
    made = Programs(plopd)
    done, _ = made.record(command=["true"])
    if "takes Linux 5.17" in done.err:
        assert host.linux() < (5, 17), "this kernel has them: %s" % done.err
        pytest.skip("this kernel has no perf events for one recording, see plopd --check")
    assert done.returncode == 0, done.err
    assert "no sample" in done.err, done.err
    return made


def ends():
    """The oldest interpreter with time.process_time(), and the newest."""
    found = {row[0]: row for row in host.one_of_each(host.pythons()) if row[0] >= (3, 6)}
    return [found[version] for version in sorted(found)[::len(found) - 1 or 1]]


@pytest.mark.parametrize("row", ends(), ids=host.called)
def test_parts(programs, row):
    """Every part of it has the samples that its CPU time is worth."""
    version, python, _ = row
    done, counts = programs.record("-F", HZ, command=[python, "program.py"], python=python)
    assert done.returncode == 7, (done.returncode, done.err)
    for part in ("at_start", "in_main", "in_fork", "in_exec"):
        share = counts.get(part, 0) / (PART * HZ)
        assert LEAST < share < MOST, (version, part, share, counts, done.err)
    print("%d.%d: samples of %s" % (version + (", ".join("%s %d" % item for item in sorted(counts.items()) if item[1] > 50),)))


def test_time(programs):
    """It ends before the program where it is told to, and the program goes on."""
    done, counts = programs.record("-d", "300ms", "-F", HZ, command=[sys.executable, "program.py"])
    assert done.returncode == 7, (done.returncode, done.err)
    assert counts.get("at_start", 0) > 0 and "in_exec" not in counts, counts
    # at the daemon's own rate, through a program that is not Python and becomes it
    done, counts = programs.record(command=["sh", "-c", "sleep 0.1; exec %s program.py" % sys.executable])
    assert done.returncode == 7 and all(counts.get(part) for part in ("at_start", "in_main", "in_fork", "in_exec")), (counts, done.err)


def test_wall(programs):
    done, counts = programs.record("--wall", command=[sys.executable, "program.py"])
    asleep = sum(count for name, count in counts.items() if name.startswith("[sleeping")) / 1e6
    # its nap, and that it waited for its children
    assert done.returncode == 7 and asleep > 0.9 * PART, (asleep, counts, done.err)
    print("wall: %.1f s asleep" % asleep)


def test_namespace(programs):
    """Where plopctl sees other process ids than plopd, whatever has that id there is not recorded, and nothing is started."""
    mark = os.path.join(programs.folder, "mark")
    done = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", host.program("plopctl"), "--socket", programs.daemon.socket, "record",
                           "-o", os.path.join(programs.folder, "none"), "--", "touch", mark], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=60)
    said = done.stderr.decode()
    if "unshare" in said:
        pytest.skip("no pid namespace can be made here: %s" % said.strip())
    assert done.returncode == 3 and ("different process ids" in said or "there is no process" in said), (done.returncode, said)
    assert sorted(os.listdir(programs.folder)) == ["program.py", "sitecustomize.py"], os.listdir(programs.folder)
    print("in another pid namespace: %s" % said.splitlines()[0])


def test_end(plopd, programs):
    assert plopd.status()["recordings"] == 0
    assert plopd.stop() == 0
