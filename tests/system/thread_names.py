# SPDX-License-Identifier: BSD-2-Clause
"""What threading calls the threads of a process, in every version, in dumps and recordings: names that are not ASCII, long, of all kinds
of instances; threads that are renamed, that end, and that threading did not start; a thousand of them."""
import json
import os
import re

import pytest

import host
from containers import child_of
from waiting import until

# so that 300 samples do not take seconds; a recording of another rate has ticks of its own, on each thread
PLOPD = ("--hz", 400)
NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
CUT = 256  # PLOP_MAX_THREAD_NAME


def shown(name):
    """As plop writes it."""
    text = re.sub("[\x00-\x1f\x7f-\x9f]", "\ufffd", name)
    return text if len(text) <= CUT else text[:CUT] + "\u2026"


def comm(pid, tid):
    with open("/proc/%d/task/%d/comm" % (pid, tid), encoding="utf-8", errors="replace") as f:
        return f.read()[:-1]


def dump(daemon, pid):
    done = daemon.ctl("dump", "-p", pid, "--json")
    assert done.returncode == 0, done.err
    return json.loads(done.out)


class Named(host.Workload):
    def __init__(self, python):
        super().__init__(python, "named_threads.py")
        line = self.process.stdout.readline().decode()
        assert line.startswith("NAMES "), line
        self.names = json.loads(line[6:])

    def ask(self, word):
        self.process.stdin.write(word.encode() + b"\n")
        self.process.stdin.flush()
        self.line("DONE")


def check_dump(daemon, work):
    """Every thread by the function that it is in; those that threading did not start, and the main thread, as the kernel has them."""
    found = set()
    for thread in dump(daemon, work.pid)["threads"]:
        functions = [f["function"] for f in thread["frames"] if f["function"] in work.names]
        if thread["tid"] == work.pid:
            assert thread["name"] == comm(work.pid, work.pid), thread
        elif functions:
            name = work.names[functions[-1]]
            wanted = comm(work.pid, thread["tid"]) if name is None else shown(name)
            assert thread["name"] == wanted, "%s is %r, not %r" % (functions[-1], thread["name"], wanted)
            found.add(functions[-1])
    return found


def recorded(daemon, pid, functions=(), at_the_end=lambda: None):
    """The threads' names of a recording of 300 samples and more, in which each of the functions is, however long they take."""
    recording = host.Recording(daemon, pid, seconds=120)

    def missing():
        text = recording.ask("GET", recording.path + "?format=collapsed")
        return set(functions) - {name for stack, _ in host.collapsed(text) for name, _, _ in stack}

    until(lambda: "there are samples of each thread: of %s" % sorted(missing()),
          lambda: recording.state()["samples"] > 300 and not missing(), 110, 0.1)
    at_the_end()
    recording.ask("DELETE", recording.path)
    until("the recording has ended", recording.done)
    return [t["name"] for t in recording.ask("GET", recording.path + "?format=json")["threads"]]


def check_recording(daemon, work):
    """The same of samples, of which one thread has another name in the end, and one has ended."""
    def change():
        work.ask("rename")
        work.ask("end")

    names = recorded(daemon, work.pid, work.names, change)
    wanted = {shown(name) for function, name in work.names.items() if name is not None and function != "renamed"} | {"after"}
    missing = wanted - set(names)
    assert not missing, "%s are not among %s" % (sorted(missing), sorted(names))
    assert "before" not in names and not any(re.match("Dummy-|MainThread", name) for name in names), names
    return len(names)


def check_groups(daemon, pid, own):
    """Each group has the function that belongs to its name."""
    done = daemon.ctl("record", "-p", pid, "-d", "2s", "-F", "500", "-g", "thread_name", "-f", "collapsed", "-o", "-")
    assert done.returncode == 0, done.err
    groups = {}
    for frames, _ in host.collapsed(done.out):
        functions = [name for name, _, _ in frames if name in own]
        if functions:
            groups.setdefault(frames[0][0], set()).add(functions[-1])
    for group, functions in groups.items():
        name = group[len("thread_name="):]
        for function in functions:
            # "Thread-1 (unnamed)" looks like a function with its place
            assert own[function] is None or shown(own[function]).split(" (")[0] == name, (group, function)
    assert len(groups) > len(own) / 2, (groups, done.err)
    # however long it takes to open an event on each thread
    assert float(re.search(r"samples in ([0-9.]+) s", done.err).group(1)) >= 2, done.err


def check(daemon, version, python, build):
    with Named(python) as work:
        assert len(work.names) >= 21, sorted(work.names)
        daemon.profiled(work.pid)
        found = set()
        until("all threads of %s were seen" % python, lambda: found.update(check_dump(daemon, work)) or found == set(work.names))
        named = check_recording(daemon, work)
        check_groups(daemon, work.pid, dict(work.names, renamed="after"))
        print("%s (%s): %d threads in dumps, %d in a recording" % (".".join(map(str, version)), build, len(found), named), flush=True)


@pytest.fixture(scope="module")
def checked(plopd, at_once):
    return at_once(2, lambda row: check(plopd, *row))


def test_names(checked, interpreter):
    checked(interpreter)


def ends():
    """The oldest interpreter and the newest."""
    found = host.pythons()
    return [found[0], found[-1]] if found else []


@pytest.mark.parametrize("python", [python for _, python, _ in ends()])
def test_namespaces(plopd, python):
    """Where the threads' ids are others than the host's."""
    with host.Workload(NAMESPACES + [python, os.path.join(host.WORKLOADS, "named_threads.py")], ready=None) as outer:
        if not outer.process.stdout.readline():
            pytest.skip("no namespaces: unshare does not work here")
        names = json.loads(outer.process.stdout.readline().decode()[6:])
        pid = child_of(outer.pid)
        plopd.profiled(pid)
        check_groups(plopd, pid, names)


@pytest.mark.parametrize("python", [python for _, python, _ in ends()])
def test_many(plopd, python):
    """A thousand that come at once."""
    with host.Workload(python, "threads.py", "--threads", 1000, "--same", "--seconds", 600) as work:
        plopd.profiled(work.pid)
        names = set(recorded(plopd, work.pid))
        wrong = [name for name in names if not re.match(r"Thread-\d+( \(own_0\))?$", name)]
        assert len(names) > 100 and wrong in ([], [comm(work.pid, work.pid)]), wrong
        print("%d threads of 1000 had samples, and their names" % len(names), flush=True)
