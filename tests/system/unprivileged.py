# SPDX-License-Identifier: BSD-2-Clause
"""plopd runs and samples as an unprivileged user with the five capabilities, as its unit has it. Without one that it cannot do
without it ends and says which; without one that it can do without, plopd --check says so."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

import pytest

import host
from waiting import until

CAPABILITIES = ["bpf", "perfmon", "sys_ptrace", "dac_read_search", "checkpoint_restore"]
# linux/capability.h
BITS = {"bpf": 39, "perfmon": 38, "sys_ptrace": 19, "dac_read_search": 2, "checkpoint_restore": 40}
REQUIRED = ["bpf", "perfmon", "sys_ptrace"]
OPTIONAL = ["checkpoint_restore", "dac_read_search"]
NOBODY = 65534


def as_nobody(capabilities, command):
    caps = ",".join(["-all"] + ["+" + name for name in capabilities])
    return ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups", "--no-new-privs", "--inh-caps=" + caps,
            "--ambient-caps=" + caps, "--bounding-set=" + caps] + command


class Unit:
    """plopd as its unit has it."""

    def __init__(self, folder):
        # A copy, because the folders above the build may be closed to others.
        self.plopd = shutil.copy(host.program("plopd"), folder)
        self.plopctl = host.program("plopctl")
        self.state = os.path.join(folder, "state")
        self.socket = os.path.join(folder, "plopd.sock")
        os.mkdir(self.state)
        os.chown(self.state, NOBODY, NOBODY)

    def command(self):
        return [self.plopd, "--state-dir", self.state, "--socket", self.socket, "--window", "2"]

    def ask(self, *arguments):
        done = subprocess.run([self.plopctl, "--socket", self.socket] + list(arguments), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=20)
        return json.loads(done.stdout.decode()) if done.returncode == 0 else None


def facts_of(pid):
    with open("/proc/%d/status" % pid) as lines:
        return dict(line.rstrip("\n").split(":", 1) for line in lines if ":" in line)


def fact_of(pid, key):
    try:
        return facts_of(pid)[key].strip()
    except (FileNotFoundError, ProcessLookupError, KeyError):
        return None


def spawner_of(pid):
    """Of a helper: the process that its spawner is a child of."""
    spawner = fact_of(pid, "PPid")
    return spawner and int(fact_of(int(spawner), "PPid") or 0)


@pytest.fixture(scope="module")
def unit():
    if os.getuid() != 0:
        pytest.skip("needs root, to become another user that keeps capabilities")
    folder = tempfile.mkdtemp(prefix="plop-unprivileged-", dir="/var/tmp")
    os.chmod(folder, 0o755)
    os.chown(folder, NOBODY, NOBODY)
    yield Unit(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def target(unit):
    """The pid of a process of root's."""
    with host.Workload(sys.executable, "shares.py", "--seconds", "120", "--until-eof") as work:
        yield work.pid


@pytest.fixture(scope="module")
def daemon(unit, target):
    process = subprocess.Popen(as_nobody(CAPABILITIES, unit.command()))
    yield process
    if process.poll() is None:
        process.kill()
        process.wait()


def test_samples(unit, daemon, target):
    status = until("plopd answers", lambda: daemon.poll() is not None or unit.ask("status", "--json"))
    assert daemon.poll() is None, "plopd ended with %s" % daemon.poll()
    assert status["pid"] == daemon.pid, status

    facts = facts_of(daemon.pid)
    allowed = sum(1 << BITS[name] for name in CAPABILITIES)
    for kind in ("CapEff", "CapPrm", "CapBnd"):
        held = int(facts[kind], 16)
        assert held & ~allowed == 0, "%s holds more than the five: %x" % (kind, held & ~allowed)
    assert facts["Uid"].split() == [str(NOBODY)] * 4, facts["Uid"]

    def named():
        for process in unit.ask("ps", "--json") or []:
            if process["pid"] == target and process["status"] == "profiled" and process["samples"] >= 100:
                return process
        return None

    process = until("100 samples of root's process %d" % target, named)
    assert process["symbolized_percent"] > 99.0, process
    assert process["exe"], "plopd cannot read /proc/%d/exe: %s" % (target, process)
    until("a window is saved", lambda: unit.ask("status", "--json")["store"]["windows"] >= 1)
    status = unit.ask("status", "--json")
    samples = status["samples"]
    assert samples["ticks"] == samples["python"] + samples["other"] + sum(samples["lost"].values()), samples
    collapsed = subprocess.run([unit.plopctl, "--socket", unit.socket, "export", "-f", "collapsed", "pid=%d" % target],
                               stdout=subprocess.PIPE, timeout=20, check=True).stdout.decode()
    assert "half (" in collapsed, collapsed[:2000]
    print("as uid %d: %d ticks, %d in Python, process %d at %.1f %% named" %
          (NOBODY, samples["ticks"], samples["python"], target, process["symbolized_percent"]))


def test_helpers(daemon):
    """Who reads targets has what that takes, no more: of capabilities, system calls and descriptors."""
    allowed, found = sum(1 << BITS[name] for name in ("sys_ptrace", "dac_read_search", "checkpoint_restore")), []
    family = {daemon.pid}
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
        try:
            facts = facts_of(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(facts["PPid"]) not in family:
            continue
        family.add(pid)
        found.append(facts["Name"].strip())
        for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
            assert int(facts[kind], 16) & ~allowed == 0, (facts["Name"], kind, facts[kind])
        if found[-1] == "plopd-helper":
            # SECCOMP_MODE_FILTER
            assert (facts["Seccomp"].strip(), facts["NoNewPrivs"].strip()) == ("2", "1"), facts
            fds = {fd: os.readlink("/proc/%d/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%d/fd" % pid)}
            assert set(fds) <= {"0", "1", "2", "3"} and fds["3"].startswith("socket:"), fds
    assert "plopd-helper" in found and "plopd-spawner" in found, found


def test_helper_that_is_ended(unit, daemon):
    """As the kernel does with one that makes a call of those that nothing but an attack makes."""
    def helpers():
        children = [int(p) for p in os.listdir("/proc") if p.isdigit()]
        return [pid for pid in children if fact_of(pid, "Name") == "plopd-helper" and spawner_of(pid) == daemon.pid]

    before = until("there is a helper", helpers)
    os.kill(before[0], signal.SIGSYS)
    with host.Workload(sys.executable, "shares.py", "--seconds", "120", "--until-eof") as work:
        until("another reads for plopd", lambda: any(p["pid"] == work.pid and p["status"] == "profiled"
                                                     for p in unit.ask("ps", "--json") or []))
        assert before[0] not in helpers()
    assert daemon.poll() is None


def test_stop(unit, daemon):
    daemon.terminate()
    assert daemon.wait(20) == 0, "SIGTERM: exit status %d" % daemon.returncode
    assert os.stat(os.path.join(unit.state, "plop.db")).st_uid == NOBODY


@pytest.mark.parametrize("name, arguments, expected", [(name, None, 1) for name in REQUIRED] + [(name, ["--check"], 0) for name in OPTIONAL],
                         ids=REQUIRED + OPTIONAL)
def test_missing(unit, name, arguments, expected):
    command = [unit.plopd] + arguments if arguments else unit.command()
    rest = [other for other in CAPABILITIES if other != name]
    process = subprocess.Popen(as_nobody(rest, command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        said = process.communicate(timeout=20)[0].decode()
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError("without CAP_%s it runs on as if nothing were missing: %s" %
                             (name.upper(), process.communicate()[0].decode()))
    told = [line for line in said.splitlines() if "CAP_" + name.upper() in line]
    assert process.returncode == expected, "without CAP_%s: exit status %d, %s" % (name.upper(), process.returncode, said)
    assert told, "without CAP_%s it says: %s" % (name.upper(), said)
    if expected:
        others = [other for other in rest if "CAP_" + other.upper() in told[0]]
        assert not others, "without CAP_%s it names others, too: %s" % (name.upper(), said)
    print("without CAP_%s: %s" % (name.upper(), told[0].strip()))


OWN = ["plop's programs: of " + what for what in ("ticks", "recordings", "time off CPU", "asyncio tasks")]


def check_of(command, **options):
    """What --check says of each feature, and its exit status."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, **options)
    said = done.stdout.decode()
    return {line[:42].strip(): line[43:] for line in said.splitlines() if len(line) > 43}, done.returncode, said


def test_check_loads_what_plopd_loads(unit):
    features, status, said = check_of(as_nobody(CAPABILITIES, [unit.plopd, "--check"]))
    assert status == 0, said
    parts = OWN if features["recordings at a rate of their own"] == "yes" else OWN[:1]
    assert [features.get(name) for name in parts] == ["yes"] * len(parts), said


def test_check_of_a_verifier_that_refuses(folder):
    """As older kernels did with programs that this one takes."""
    features, status, said = check_of(host.failing(folder, "v") + [host.program("plopd"), "--check"])
    assert status == 1 and features["loading BPF programs"] == "yes", said
    assert features[OWN[0]].startswith("NO (Permission denied); needs a verifier that takes them"), said
