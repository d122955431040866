# SPDX-License-Identifier: BSD-2-Clause
"""Every kind of interpreter that plop must know, on one plopd: the rows of interpreters/matrix.py. Those that are profiled run a
tree of calls whose names, files and lines are known, several at once, and plopctl record -p of each must show exactly
these, under the right version. Those that are refused must be refused with the right words, and their ticks counted."""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time

import pytest

import host
from waiting import until

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "interpreters")
sys.path.insert(0, HERE)
import matrix  # noqa: E402, it lies in that folder

HZ = 500
AT_ONCE = 8
SAMPLES = 200
TREE = os.path.join(HERE, "tree.py")
PLOPD = ("--hz", HZ)
TABLE = matrix.rows()
ROWS = {row.name: row for row in TABLE}
HOME = {"PYTHONHOME": sysconfig.get_config_var("prefix")}
SPIN = "x = 1\nwhile True:\n    x = x * 33 & 65535\n"
# A thread of the program's own, or one that is between two calls from C.
OTHERS = ("[native thread]", "[no Python frame]")


def target(command, environment=None, ready="READY"):
    """A command that says READY once, like a workload, on either of its outputs."""
    return host.Workload(command, ready=ready, stderr=subprocess.STDOUT, env=dict(os.environ, **(environment or {})))


class Case:
    """
    One interpreter to be profiled. command: or a function of a folder that builds it there, and gives it and its environment.
    within: a compiler may have moved lines, but not out of their function.
    """

    def __init__(self, name, command, environment=None, within=False):
        self.name, self.command, self.environment, self.within = name, command, environment, within
        self.target = self.facts = None

    def start(self, stack, folder):
        if callable(self.command):
            self.command, self.environment = self.command(folder)
        self.target = stack.enter_context(target(self.command, self.environment))
        self.facts = json.loads(self.target.ready[1])
        self.pid = int(self.target.ready[0])


def wrong(case, stack):
    """What is wrong with a stack of the tree, or None: its frames are a path's, up to some depth."""
    facts = case.facts
    root, frames = stack[:len(facts["root"])], stack[len(facts["root"]):]
    if [list(f) for f in root] != facts["root"]:
        return "not under the root"
    if not frames or any(f[1] != facts["file"] for f in frames):
        return "not all in the tree's file"
    names = [f[0] for f in frames]
    paths = [p for p in facts["paths"] if [name for name, _ in p][:len(names)] == names]
    if not paths:
        return "not a path"
    bodies = {(name, first): last for name, first, last in facts["bodies"]}
    for depth, (name, _, line) in enumerate(frames):
        inner = depth == len(frames) - 1
        if inner or case.within:
            if not any(n == name and first <= line <= last for (n, first), last in bodies.items()):
                return "line %d is not in %s" % (line, name)
        elif not any(p[depth][1] == line for p in paths):
            return "%s does not call from line %d" % (name, line)
    return None


def judge(case, entry, stacks):
    """All that must hold of a recording, and one line that says what it was."""
    total = sum(count for _, count in stacks)
    assert total >= SAMPLES / 2, "%s: only %d samples" % (case.name, total)
    assert entry["python"] == case.facts["version"], "%s: called %s, is %s" % (case.name, entry["python"], case.facts["version"])
    assert entry["symbolized_percent"] == 100, "%s: %s %% have names" % (case.name, entry["symbolized_percent"])
    assert case.facts["jit"] is not False or not case.name.startswith("jit"), "%s: the JIT is off" % case.name
    others = sum(count for stack, count in stacks if len(stack) == 1 and stack[0][0] in OTHERS)
    strange = [(wrong(case, stack), stack, count) for stack, count in stacks if not (len(stack) == 1 and stack[0][0] in OTHERS)]
    strange = [s for s in strange if s[0]]
    assert not strange, "%s: %s" % (case.name, strange[:3])
    assert others <= total / 50, "%s: %d of %d samples outside of Python" % (case.name, others, total)
    lengths = {len(case.facts["root"]) + len(p) for p in case.facts["paths"]}
    whole = sum(count for stack, count in stacks if len(stack) in lengths)
    assert whole > 0.9 * (total - others), "%s: only %d of %d at a leaf" % (case.name, whole, total)
    seen = {stack[-1][2] for stack, _ in stacks}
    if not case.within:
        for busy in case.facts["busy"]:
            assert set(busy) <= seen, "%s: no samples on lines %s, only on %s" % (case.name, busy, sorted(seen))
    print("%-18s %-8s %5d samples, %d at a leaf, %d stacks" % (case.name, entry["python"], total, whole, len(stacks)), flush=True)


def profiled(daemon, case):
    def entry():
        assert case.target is None or case.target.process.poll() is None, "%s ended" % case.name
        found = daemon.process_of(case.pid)
        assert not found or found["status"] == "profiled", "%s: %s" % (case.name, found)
        return found

    return until("%s (process %d) is profiled" % (case.name, case.pid), entry, 60)


def record(daemon, cases):
    """Profiles all of them at once, each by a plopctl of its own: {name: (what ps says, stacks)}."""
    with contextlib.ExitStack() as stack:
        for case in cases:
            case.start(stack, daemon.folder)
        for case in cases:
            profiled(daemon, case)
        recorders = [(case, stack.enter_context(host.Recorder(daemon, "-p", case.pid, wait=False))) for case in cases]

        def running():
            ended = [(case.name, recorder.process.stderr.read()) for case, recorder in recorders if recorder.process.poll() is not None]
            assert not ended, ended
            return daemon.status()["recordings"] >= len(cases)

        until("all recordings run", running, 60)
        before = {case.pid: daemon.process_of(case.pid)["samples"] for case in cases}
        entries = {}

        def enough():
            entries.update((p["pid"], p) for p in daemon.processes())
            return all(case.pid in entries and entries[case.pid]["samples"] - before[case.pid] >= SAMPLES for case in cases)

        # asking costs the CPU that they are to have
        until("%d samples of each" % SAMPLES, enough, 120, 0.1)
        for _, recorder in recorders:
            recorder.process.send_signal(signal.SIGINT)
        return {case.name: (entries[case.pid], recorder.finish()) for case, recorder in recorders}


def below_root(program):
    """How a program runs with the C library, the loader and the modules of the cache's newer Debian: command and environment."""
    root = os.path.join(matrix.CACHE, "root")
    loader = matrix.existing(root + "/usr/lib64/ld-linux-*.so.*", root + "/usr/lib/ld-linux-*.so.*")[0]
    libraries = matrix.existing(root + "/usr/lib/*-linux-gnu*")[0]
    return [loader, "--library-path", libraries, "--argv0", program, program], {"PYTHONHOME": os.path.join(root, "usr")}


def link(folder, name, *options):
    """interpreters/embed.c as a program of that name."""
    program = os.path.join(folder, name)
    libraries = (sysconfig.get_config_var("LIBS") + " " + sysconfig.get_config_var("SYSLIBS")).split()
    subprocess.run(["gcc", "-o", program, os.path.join(HERE, "embed.c")] + list(options) + libraries + ["-lexpat", "-lz"]
                   if any(o.endswith(".a") for o in options) else
                   ["gcc", "-o", program, os.path.join(HERE, "embed.c")] + list(options) + libraries, check=True)
    return program


def renamed(folder, path):
    copy = os.path.join(folder, "worker")
    shutil.copyfile(path, copy)
    os.chmod(copy, 0o755)
    return [copy, TREE], HOME


def linked(folder, name, path):
    """Against a libpython; one of the cache's runs below the cache's root."""
    program = link(folder, name, path, "-Wl,--allow-shlib-undefined")
    command, environment = below_root(program) if path.startswith(matrix.CACHE) else ([program], HOME)
    return command + [TREE], environment


def built_forms():
    """The same CPython linked in every way."""
    forms = {"pie": ("-pie", "-rdynamic"), "no-pie": ("-no-pie", "-rdynamic"), "stripped": ("-pie", "-rdynamic", "-s"),
             "unexported": ("-pie", "-s")}
    for name, options in sorted(forms.items()):
        for path in ROWS[name].paths[:1]:
            yield Case(name, lambda folder, name=name, path=path, options=options: (
                [link(folder, "form-" + name, *options, path), TREE], HOME))
    for path in ROWS["shared"].paths:
        name = "shared " + os.path.basename(path)[len("libpython"):].split(".so")[0]
        yield Case(name, lambda folder, name=name, path=path: linked(folder, name.replace(" ", "-"), path))
    for path in ROWS["renamed"].paths:
        yield Case("renamed", lambda folder, path=path: renamed(folder, path))


def all_cases():
    """Every kind that is started in the same way."""
    for name in matrix.VERSIONS + matrix.FREE_THREADED + ["debug", "debug-3.9"]:
        for n, path in enumerate(ROWS[name].paths):
            yield Case(name + ("" if n == 0 else " (%d)" % (n + 1)), [path, TREE])
    for version in matrix.JIT:
        for path in ROWS["jit-" + version].paths:
            # 3.13's traces do not say where they are; from 3.14 on they do
            yield Case("jit-" + version, [path, TREE], {"PYTHON_JIT": "1"}, within=version == "3.13")
    for path in ROWS["gdb"].paths:
        yield Case("gdb", [path, "-nx", "-batch", "-ex", "python import sys; sys.argv = ['tree.py']", "-x", TREE])
    yield from built_forms()


CASES = list(all_cases())


@pytest.fixture(scope="module")
def recorded(plopd):
    """
    A function that gives the case of a name, what ps says of it, and its stacks: with as many others as are recorded at once, when
    the first of them is asked for.
    """
    results, failures = {}, {}

    def result(name):
        at = [case.name for case in CASES].index(name)
        group = CASES[at - at % AT_ONCE:][:AT_ONCE]
        if name not in results and name not in failures:
            try:
                results.update(record(plopd, group))
            except Exception as e:
                failures.update((case.name, e) for case in group)
        if name in failures:
            raise failures[name]
        return (CASES[at],) + results[name]

    return result


def test_matrix():
    """Each row is there, or somebody knows why it is not."""
    for row in TABLE:
        print(matrix.show(row), flush=True)
    unexplained = [row.name for row in TABLE if not row.paths and not row.reason]
    assert not (unexplained and matrix.required()), "absent, and nobody knows why: %s" % " ".join(unexplained)


@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_stacks(recorded, name):
    judge(*recorded(name))


def test_uwsgi(plopd):
    """uWSGI starts to work, and to be Python's caller, with its first request."""
    if not ROWS["uwsgi"].paths:
        pytest.skip(matrix.show(ROWS["uwsgi"]))
    socket = os.path.join(plopd.folder, "http")
    command = ["/usr/bin/uwsgi-core", "--plugin", ROWS["uwsgi"].paths[0], "--http-socket", socket,
               "--wsgi-file", os.path.join(HERE, "wsgi.py"), "--need-app"]
    case = Case("uwsgi", command)

    def start(stack, _):
        server = stack.enter_context(target(command, ready=None))
        until("uWSGI listens", lambda: server.process.poll() is not None or os.path.exists(socket))
        client = subprocess.Popen(["curl", "-s", "--unix-socket", socket, "http://uwsgi/"], stdout=subprocess.DEVNULL)
        stack.callback(client.wait)
        stack.callback(client.kill)
        server.ready = server.line("READY")
        case.facts, case.pid = json.loads(server.ready[1]), int(server.ready[0])

    case.start = start
    judge(case, *record(plopd, [case])["uwsgi"])


def test_dlopen(plopd):
    """A program that plopd has found not to be Python becomes one."""
    if not ROWS["dlopen"].paths:
        pytest.skip(matrix.show(ROWS["dlopen"]))
    case = Case("dlopen", None)

    def start(stack, _):
        late = stack.enter_context(target([link(plopd.folder, "late", "-DLATE"), ROWS["dlopen"].paths[0], TREE], ready="WAITING"))
        done = plopd.ctl("record", "-p", late.pid, "-d", "1s", "-f", "collapsed", "-o", "/dev/null")
        assert done.returncode == 3 and "not Python" in done.err, done.err
        time.sleep(2)  # long after exec: what plopd does at an exec has been done
        late.process.stdin.write(b"\n")
        late.process.stdin.flush()
        late.ready = late.line("READY")
        case.facts, case.pid = json.loads(late.ready[1]), late.pid

    case.start = start
    judge(case, *record(plopd, [case])["dlopen"])


def refused(daemon, name, command, environment, words):
    """Neither recorded nor walked: exit status 3 with these words, and its ticks counted as lost."""
    def listed(pid):
        """Not what it is until it executes the program: a fork of this test."""
        entry = daemon.process_of(pid)
        return entry and "pytest" not in entry["cmdline"] and entry

    with target(command, environment, ready=None) as other:
        entry = until("%s is listed" % name, lambda: listed(other.pid))
        assert words in entry["status"], entry
        done = daemon.ctl("record", "-p", other.pid, "-d", "1s", "-f", "collapsed", "-o", "/dev/null")
        assert done.returncode == 3, (done.returncode, done.err)
        assert words.split()[0] in done.err and str(other.pid) in done.err, done.err
        before = daemon.status()["samples"]["lost"]["unsupported"]
        after = until("ticks of %s are lost[unsupported]" % name,
                      lambda: daemon.status()["samples"]["lost"]["unsupported"] >= before + 50
                      and daemon.status()["samples"]["lost"]["unsupported"], 60)
        entry = daemon.process_of(other.pid)
        assert entry["samples"] == 0, entry
        print("%-18s refused: %s; %d ticks lost[unsupported]" % (name, entry["status"], after - before), flush=True)


def forge(folder, path):
    """A copy of Debian's interpreter at path that calls itself 3.16 where its table of offsets does: it does not care. The command."""
    root = os.path.join(matrix.CACHE, "root")
    with open(os.path.join(root, "usr", "bin", os.path.basename(path)), "rb") as f:
        content = bytearray(f.read())
    number = bytes([int(os.path.basename(path).split(".")[1]), 3, 0, 0, 0, 0])
    at = content.index(b"xdebugpy")
    while content[at + 10:at + 16] != number:  # not the table, but what looks for one
        at = content.index(b"xdebugpy", at + 1)
    content[at + 10] = 16
    copy = os.path.join(folder, "python3.16")
    with open(copy, "wb") as f:
        f.write(content)
    os.chmod(copy, 0o755)
    return below_root(copy)


@pytest.mark.parametrize("name, words", (("pypy", "PyPy"), ("trace-refs", "CPython 2.7.18 was built with Py_TRACE_REFS"),
                                         ("unknown", "CPython 3.16 is not known to this plop")))
def test_refused(plopd, name, words):
    if not ROWS[name].paths:
        pytest.skip(matrix.show(ROWS[name]))
    for path in ROWS[name].paths:
        command, environment = forge(plopd.folder, path) if name == "unknown" else ([path], None)
        refused(plopd, name, command + ["-c", SPIN], environment, words)


def test_accounted(plopd):
    samples = plopd.status()["samples"]
    assert host.accounted(samples), samples
    print("ticks %s" % samples)
