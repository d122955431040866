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
import tempfile
import time

import host
from host import until

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "interpreters")
sys.path.insert(0, HERE)
import matrix  # noqa: E402, it lies in that folder

HZ = 500
AT_ONCE = 8
SAMPLES = 200
TREE = os.path.join(HERE, "tree.py")
SPIN = "x = 1\nwhile True:\n    x = x * 33 & 65535\n"
# A thread of the program's own, or one that is between two calls from C.
OTHERS = ("[native thread]", "[no Python frame]")


class Target(host.Workload):
    """A command that says READY once, like a Workload."""

    def __init__(self, command, environment=None, ready="READY"):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        env=dict(os.environ, **(environment or {})))
        self.pid = self.process.pid
        self.ready = self.line(ready) if ready else None


class Case:
    """One interpreter to be profiled. within: a compiler may have moved lines, but not out of their function."""

    def __init__(self, name, command, environment=None, within=False):
        self.name, self.command, self.environment, self.within = name, command, environment, within
        self.target = self.facts = None

    def start(self, stack):
        self.target = stack.enter_context(Target(self.command, self.environment))
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


def judge(case, entry, text):
    """All that must hold of a recording, and one line that says what it was."""
    stacks = host.collapsed(text)
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
    """Profiles all of them at once, each by a plopctl of its own."""
    with contextlib.ExitStack() as stack:
        for case in cases:
            case.start(stack)
        before = {case.pid: profiled(daemon, case)["samples"] for case in cases}
        recorders = []
        for case in cases:
            path = os.path.join(daemon.folder, "record-%d" % case.pid)
            recorders.append((case, path, subprocess.Popen(
                [host.program("plopctl"), "--socket", daemon.socket, "record", "-p", str(case.pid), "-d", "300s", "-f", "collapsed",
                 "-o", path], stderr=subprocess.PIPE)))

        def running():
            ended = [(case.name, recorder.stderr.read()) for case, _, recorder in recorders if recorder.poll() is not None]
            assert not ended, ended
            return daemon.status()["recordings"] >= len(cases)

        until("all recordings run", running, 60)
        entries = {}

        def enough():
            time.sleep(0.2)  # ps costs the CPU that they are to have
            listed = json.loads(daemon.ctl("ps", "--json").out)
            entries.update((p["pid"], p) for p in listed)
            return all(case.pid in entries and entries[case.pid]["samples"] - before[case.pid] >= SAMPLES for case in cases)

        until("%d samples of each" % SAMPLES, enough, 120)
        for case, path, recorder in recorders:
            recorder.send_signal(signal.SIGINT)
        for case, path, recorder in recorders:
            _, said = recorder.communicate(timeout=60)
            assert recorder.returncode == 0, said.decode()
            with open(path) as f:
                judge(case, entries[case.pid], f.read())


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


def built_forms(folder, rows):
    """The same CPython linked in every way."""
    home = {"PYTHONHOME": sysconfig.get_config_var("prefix")}
    forms = {"pie": ("-pie", "-rdynamic"), "no-pie": ("-no-pie", "-rdynamic"), "stripped": ("-pie", "-rdynamic", "-s"),
             "unexported": ("-pie", "-s")}
    cases = []
    for name, options in sorted(forms.items()):
        for path in rows[name].paths[:1]:
            cases.append(Case(name, [link(folder, "form-" + name, *(options + (path,))), TREE], home))
    for path in rows["shared"].paths:
        name = "shared " + os.path.basename(path)[len("libpython"):].split(".so")[0]
        program = link(folder, name.replace(" ", "-"), path, "-Wl,--allow-shlib-undefined")
        own = path.startswith(matrix.CACHE)
        command, environment = below_root(program) if own else ([program], home)
        cases.append(Case(name, command + [TREE], environment))
    for path in rows["renamed"].paths:
        copy = os.path.join(folder, "worker")
        shutil.copyfile(path, copy)
        os.chmod(copy, 0o755)
        cases.append(Case("renamed", [copy, TREE], home))
    return cases


def cases_of(folder, rows):
    cases = []
    for name in matrix.VERSIONS + matrix.FREE_THREADED + ["debug", "debug-3.9"]:
        for n, path in enumerate(rows[name].paths):
            cases.append(Case(name + ("" if n == 0 else " (%d)" % (n + 1)), [path, TREE]))
    for version in matrix.JIT:
        for path in rows["jit-" + version].paths:
            # 3.13's traces do not say where they are; from 3.14 on they do
            cases.append(Case("jit-" + version, [path, TREE], {"PYTHON_JIT": "1"}, within=version == "3.13"))
    for path in rows["gdb"].paths:
        cases.append(Case("gdb", [path, "-nx", "-batch", "-ex", "python import sys; sys.argv = ['tree.py']", "-x", TREE]))
    return cases + built_forms(folder, rows)


def uwsgi(daemon, folder, rows):
    """uWSGI starts to work, and to be Python's caller, with its first request."""
    socket = os.path.join(folder, "http")
    command = ["/usr/bin/uwsgi-core", "--plugin", rows["uwsgi"].paths[0], "--http-socket", socket,
               "--wsgi-file", os.path.join(HERE, "wsgi.py"), "--need-app"]
    case = Case("uwsgi", command)

    def start(stack):
        server = stack.enter_context(Target(command, ready=None))
        until("uWSGI listens", lambda: server.process.poll() is not None or os.path.exists(socket))
        client = subprocess.Popen(["curl", "-s", "--unix-socket", socket, "http://uwsgi/"], stdout=subprocess.DEVNULL)
        stack.callback(client.wait)
        stack.callback(client.kill)
        server.ready = server.line("READY")
        case.facts, case.pid = json.loads(server.ready[1]), int(server.ready[0])

    case.start = start
    record(daemon, [case])


def dlopen(daemon, folder, rows):
    """A program that plopd has found not to be Python becomes one."""
    case = Case("dlopen", None)

    def start(stack):
        program = link(folder, "late", "-DLATE")
        target = stack.enter_context(Target([program, rows["dlopen"].paths[0], TREE], ready="WAITING"))
        done = daemon.ctl("record", "-p", target.pid, "-d", "1s", "-f", "collapsed", "-o", "/dev/null")
        assert done.returncode == 3 and "not Python" in done.err, done.err
        time.sleep(2)  # long after exec: what plopd does at an exec has been done
        target.process.stdin.write(b"\n")
        target.process.stdin.flush()
        target.ready = target.line("READY")
        case.facts, case.pid = json.loads(target.ready[1]), target.pid

    case.start = start
    record(daemon, [case])


def refused(daemon, name, command, environment, words):
    """Neither recorded nor walked: exit status 3 with these words, and its ticks counted as lost."""
    with Target(command, environment, ready=None) as target:
        entry = until("%s is listed" % name, lambda: daemon.process_of(target.pid))
        assert words in entry["status"], entry
        done = daemon.ctl("record", "-p", target.pid, "-d", "1s", "-f", "collapsed", "-o", "/dev/null")
        assert done.returncode == 3, (done.returncode, done.err)
        assert words.split()[0] in done.err and str(target.pid) in done.err, done.err
        before = daemon.status()["samples"]["lost"]["unsupported"]
        after = until("ticks of %s are lost[unsupported]" % name,
                      lambda: daemon.status()["samples"]["lost"]["unsupported"] >= before + 50
                      and daemon.status()["samples"]["lost"]["unsupported"], 60)
        entry = daemon.process_of(target.pid)
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


def refusals(daemon, folder, rows):
    for path in rows["pypy"].paths:
        refused(daemon, "pypy", [path, "-c", SPIN], None, "PyPy")
    for path in rows["trace-refs"].paths:
        refused(daemon, "trace-refs", [path, "-c", SPIN], None, "CPython 2.7.18 was built with Py_TRACE_REFS")
    for path in rows["unknown"].paths:
        command, environment = forge(folder, path)
        refused(daemon, "unknown", command + ["-c", SPIN], environment, "CPython 3.16 is not known to this plop")


def main():
    host.need_root()
    table = matrix.rows()
    for row in table:
        print(matrix.show(row), flush=True)
    unexplained = [row.name for row in table if not row.paths and not row.reason]
    assert not (unexplained and matrix.required()), "absent, and nobody knows why: %s" % " ".join(unexplained)
    rows = {row.name: row for row in table}
    folder = tempfile.mkdtemp(prefix="plop-interpreters-")
    try:
        with host.Plopd("--hz", HZ) as daemon:
            cases = cases_of(folder, rows)
            for n in range(0, len(cases), AT_ONCE):
                record(daemon, cases[n:n + AT_ONCE])
            if rows["uwsgi"].paths:
                uwsgi(daemon, folder, rows)
            if rows["dlopen"].paths:
                dlopen(daemon, folder, rows)
            refusals(daemon, folder, rows)
            status = daemon.status()
            assert host.accounted(status["samples"]), status["samples"]
            print("%d interpreters, ticks %s" % (len(cases), status["samples"]))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
