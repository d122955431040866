# SPDX-License-Identifier: BSD-2-Clause
"""Programs of very many functions, no two of whose stacks are alike, root's and started before plopd and after: what each takes of a
window, of the store and of a call graph is bounded, the rest is [other] and is said, every sum stays what it was, and nobody else
loses anything."""
import contextlib
import json
import os
import sys

import pytest

import host
from waiting import until

FUNCTIONS, DEPTH, NODES = 60000, 300, 5000
MB = 1 << 20
OTHER = "[other]"
CODE = """
import random, sys, types
def stay():
    x = 0
    for i in range(4000):
        x += i
def pick():
    return choice(functions)
def f(left):
    return pick()(left - 1) if left else stay()
choice, functions = random.choice, []
for i in range(%d):
    code = f.__code__.replace(co_name="function_%%d" %% i, co_firstlineno=i + 1)
    if hasattr(code, "co_qualname"):
        code = code.replace(co_qualname=code.co_name)
    functions.append(types.FunctionType(code, globals()))
sys.setrecursionlimit(%d)
print("READY 0", flush=True)
while True:
    pick()(%d)
""" % (FUNCTIONS, 2 * DEPTH + 100, DEPTH)
SMALL = """
def inner():
    return sum(i for i in range(2000))
def outer():
    return inner() + inner()
print("READY 0", flush=True)
while True:
    outer()
"""


def resident(pid):
    with open("/proc/%d/statm" % pid) as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def check_graph(graph, what):
    """A call graph of the program's: bounded, and whole."""
    assert len(graph["nodes"]) <= NODES + 1 and len(graph["edges"]) <= 5 * NODES, (what, len(graph["nodes"]), len(graph["edges"]))
    assert sum(node["self"] for node in graph["nodes"]) == graph["total"] == sum(p["total"] for p in graph["processes"]), what
    others = [node for node in graph["nodes"] if node["function"] == OTHER]
    assert len(others) == 1 and others[0]["file"] == "" and others[0]["total"] <= graph["total"], (what, others)
    assert all(0 <= edge[end] < len(graph["nodes"]) for edge in graph["edges"] for end in ("source", "target")), what
    # all of it begins at the module, and main and what it calls are heavy
    module = next(node for node in graph["nodes"] if node["function"] == "<module>")
    assert module["total"] > 0 and any(edge["source"] == module["id"] for edge in graph["edges"]), (what, module)
    return others[0]


@pytest.fixture(scope="module")
def programs(root):
    """Root's, of which the third is small, beside two large ones; the second begins after plopd."""
    with contextlib.ExitStack() as stack:
        before = stack.enter_context(host.Workload(sys.executable, code=CODE))
        small = stack.enter_context(host.Workload(sys.executable, code=SMALL))
        daemon = stack.enter_context(host.Plopd("--window", 4, "--hz", 400))
        after = stack.enter_context(host.Workload(sys.executable, code=CODE))
        large = (before.pid, after.pid)
        for pid in large + (small.pid,):
            daemon.profiled(pid)
        begun = resident(daemon.process.pid)
        for pid in large:
            said = "Process %d has more names and stacks in a window than the 2 MB" % pid
            until("a process is beyond its part", lambda text=said: text in daemon.said(), 60)
        saved = daemon.status()["store"]["windows"]
        until("windows are saved", lambda: daemon.status()["store"]["windows"] >= saved + 2, 40)
        yield daemon, large, small.pid, begun


def test_shares(programs):
    daemon, large, _, _ = programs
    status = daemon.status()
    assert status["shares"]["window_process_merged"] > 0 == status["shares"]["window_merged"], status["shares"]
    assert host.accounted(status["samples"]), status["samples"]
    for pid in large:
        assert daemon.said().count("Process %d has more names" % pid) == 1, "each is named once"


def test_profile(programs):
    daemon, large, _, _ = programs
    check_graph(daemon.get("/v1/profile?format=json&pid=%d" % large[0]), "profile")


def test_exports(programs):
    daemon, large, small, _ = programs
    for pid in large:
        answer = daemon.ctl("export", "--since", "1m", "-f", "json", "pid=%d" % pid, "-o", os.path.join(daemon.folder, "graph.json"))
        assert answer.returncode == 0 and "of these samples are [other]" in answer.err, answer.err
        with open(os.path.join(daemon.folder, "graph.json")) as f:
            text = f.read()
        assert len(text) < 4 * MB, len(text)
        check_graph(json.loads(text), "export")
    # what has room for all of them has all, and says if there are too many for one answer
    answer = daemon.ctl("export", "--since", "5s", "-f", "collapsed", "pid=%d" % large[0])
    assert answer.returncode == 0, answer.err
    stacks = host.collapsed(answer.out)
    functions = {name for stack, _ in stacks for name, _, _ in stack}
    assert len(functions) > NODES and any(stack == [(OTHER, "", 0)] for stack, _ in stacks), len(functions)
    # who is small beside them loses nothing
    answer = daemon.ctl("export", "--since", "1m", "-f", "collapsed", "pid=%d" % small)
    assert "outer" in answer.out and "inner" in answer.out and OTHER not in answer.out + answer.err, answer.out[:500]


def test_recording(programs):
    """A recording has a bound of memory; its call graph has the same bound as all."""
    daemon, (pid, _), _, _ = programs
    path = os.path.join(daemon.folder, "recorded.json")
    done = daemon.ctl("record", "-p", pid, "-d", "3s", "-F", "400", "-f", "json", "-o", path)
    assert done.returncode == 0 and "functions of least weight are one in this call graph, [other]" in done.err, done.err
    with open(path) as f:
        graph = json.load(f)
    check_graph(graph, "recording")
    assert len(graph["nodes"]) == NODES + 1 and graph["merged"]["functions"] > 0, (len(graph["nodes"]), graph["merged"])


def test_memory(programs):
    daemon, _, _, begun = programs
    status, grown = daemon.status(), (resident(daemon.process.pid) - begun) / MB
    each = status["store"]["bytes"] / status["store"]["windows"] / MB
    # two processes of 2 MB each at most, of which not all is new in each window
    assert each < 5, (each, status["store"])
    assert grown < 80, grown
    print("%d windows of %.1f MB, plopd grew by %.0f MB and takes %.1f %% of a CPU; %s" % (
        status["store"]["windows"], each, grown, status["cost"]["daemon_cpu_percent"], status["shares"]))
    assert daemon.stop() == 0
