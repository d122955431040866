# SPDX-License-Identifier: BSD-2-Clause
"""Labels: what a process's environment says of it, what its threads are called, and what somebody notes of a recording, in every format;
selecting and grouping by them. pprof is read by protobuf.py, and by Go's where there is one."""
import ast
import collections
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import pytest

import host
import pprof
from protobuf import Profile
from waiting import until

LABELS = {"env": "prod", "run": "it's \"7\"; \u00fc", "service": "mine"}
SERVICES = ("PLOP_SERVICE", "PLOP_VERSION", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "DD_SERVICE", "DD_VERSION", "SENTRY_RELEASE")
# (environment, service, version); None: as nothing in the environment says.
PROCESSES = [
    ({"PLOP_SERVICE": "web", "PLOP_VERSION": "1.2", "DD_SERVICE": "no", "DD_VERSION": "0"}, "web", "1.2"),
    ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=shop,service.version=7", "DD_SERVICE": "no"}, "shop", "7"),
    ({"OTEL_SERVICE_NAME": "otel", "DD_VERSION": "3"}, "otel", "3"),
    ({"DD_SERVICE": "dd", "SENTRY_RELEASE": "r9"}, "dd", "r9"),
    ({}, None, None),
]
BURN = """
import sys
def spin():
    n = 0
    for i in range(20000): n += i
    return n
sys.stdout.write("READY\\n")
sys.stdout.flush()
while True: spin()
"""
# Two threads that threading knows nothing of, named as any program can (PR_SET_NAME is 15, linux/prctl.h), and a main thread that waits. Both
# are ready when all have their names.
NAMED = """
import ctypes, sys, _thread
prctl = ctypes.CDLL(None).prctl
def work(name, named):
    prctl(15, name, 0, 0, 0)
    named.release()
    while True:
        n = 0
        for i in range(20000): n += i
for name in (b"worker-a", b"worker-b"):
    named = _thread.allocate_lock()
    named.acquire()
    _thread.start_new_thread(work, (name, named))
    named.acquire()
print("READY", flush=True)
sys.stdin.read()
"""
# One that threading names, whatever the kernel is told.
THREADING = """
import ctypes, sys, threading
named = threading.Lock()
named.acquire()
def work():
    ctypes.CDLL(None).prctl(15, b"unlike", 0, 0, 0)
    named.release()
    while True:
        n = 0
        for i in range(20000): n += i
threading.Thread(target=work, name="a-pool-of-workers-7", daemon=True).start()
named.acquire()
print("READY", flush=True)
sys.stdin.read()
"""


def environment(**values):
    return dict({name: value for name, value in os.environ.items() if name not in SERVICES}, **values)


Running = collections.namedtuple("Running", "works named")


@pytest.fixture(scope="module")
def running(root):
    """One process for each of PROCESSES, and two with the names that their threads have; all before plopd."""
    with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory(prefix="plop-test-") as folder:
        script = os.path.join(folder, "burn.py")
        with open(script, "w", encoding="utf-8") as f:
            f.write(BURN)
        works = [stack.enter_context(host.Workload(sys.executable, script, env=environment(**values))) for values, _, _ in PROCESSES]
        named = {stack.enter_context(host.Workload(sys.executable, code=code, env=environment(PLOP_SERVICE="named"))): names
                 for code, names in ((NAMED, {"worker-a", "worker-b"}), (THREADING, {"a-pool-of-workers-7"}))}
        yield Running(works, named)


@pytest.fixture(scope="module")
def plopd(running):
    with host.Plopd() as daemon:
        for work in running.works + list(running.named):
            daemon.profiled(work.pid)
        yield daemon


@pytest.fixture(scope="module")
def recorded(plopd):
    """{form: Recorder} of the host with LABELS, all made at once and ended."""
    notes = [word for item in LABELS.items() for word in ("-l", "%s=%s" % item)]
    recorders = {form: host.Recorder(plopd, "-a", "-F", 400, *notes, *more, seconds=4, form=form, wait=False) for form, more in (
        ("pprof", ()), ("json", ()), ("speedscope", ()), ("plop", ()), ("collapsed", ("--group-by", "service,thread_name")))}
    return {form: (recorder.finish(120), recorder.path) for form, recorder in recorders.items()}


def test_version_of_a_script(plopd, running):
    """Without a word in the environment it is when the script was written, or the commit of a work tree that the folder is in."""
    written = time.strftime("mtime-%Y-%m-%dT%H:%M:%SZ", time.gmtime(os.stat(running.works[-1].process.args[1]).st_mtime))
    assert plopd.process_of(running.works[-1].pid)["version"] == written


def test_mark(root, tmp_path):
    """A version that is set by hand: for those that run and those that begin, over the environment's, and for the next plopd as well."""
    script = tmp_path / "burn.py"
    script.write_text(BURN)
    environ = environment(PLOP_SERVICE="pushed", PLOP_VERSION="1")

    def versions(daemon):
        return sorted((p["version"], p["version_from"]) for p in daemon.processes() if p["service"] == "pushed" and p["status"] == "profiled")

    with contextlib.ExitStack() as stack:
        stack.enter_context(host.Workload(sys.executable, str(script), env=environ))
        with host.Plopd("--window", 1) as daemon:
            until("it is profiled", lambda: versions(daemon) == [("1", "environment")])
            until("it is saved", lambda: any(d["version"] == "1" for d in json.loads(daemon.ctl("deploys", "--json").out)["deploys"]), 30)
            done = daemon.ctl("mark", "service=pushed", "version=abc123")
            assert done.returncode == 0 and not done.err and not done.out, done
            assert versions(daemon) == [("abc123", "mark")]
            stack.enter_context(host.Workload(sys.executable, str(script), env=environ))
            until("the second has it", lambda: versions(daemon) == [("abc123", "mark")] * 2)

            def deploys():
                found = json.loads(daemon.ctl("deploys", "service=pushed", "--json").out)["deploys"]
                return {d["version"]: d["before"] for d in found}
            until("it is a deploy", lambda: deploys() == {"abc123": "1", "1": None}, 30)
            for arguments, words in ((("version=1",), "say of what"), (("service=pushed",), "say which version"), (("pid=1", "version=1"), "unit"),
                                     (("service=pushed", "version=\x07"), "control")):
                done = daemon.ctl("mark", *arguments)
                assert done.returncode != 0 and words in done.err, done
            done = daemon.ctl("mark", "-u", "not-there", "version=7")
            assert done.returncode == 0 and "unit=not-there.service runs" in done.err, done
            daemon.stop()
            daemon.start()
            until("the next plopd has it", lambda: versions(daemon) == [("abc123", "mark")] * 2)
            assert deploys() == {"abc123": "1", "1": None}

            def listed():
                return {tuple(mark["selectors"]): mark["version"] for mark in json.loads(daemon.ctl("mark", "--list", "--json").out)["marks"]}
            assert listed() == {("service=pushed",): "abc123", ("unit=not-there.service",): "7"}, listed()
            done = daemon.ctl("mark", "--list")
            assert re.search(r"^20.* abc123 +service=pushed$", done.out, re.M) and not done.err, done
            # plop.db has them, and so has a copy of it; there is no other file
            copy = str(tmp_path / "copy.db")
            assert daemon.ctl("backup", copy).returncode == 0
            assert not os.path.exists(os.path.join(daemon.state, "marks.json"))
            done = daemon.ctl("mark", "--remove", "service=pushed")
            assert done.returncode == 0 and not done.err and not done.out, done
            assert versions(daemon) == [("1", "environment")] * 2 and listed() == {("unit=not-there.service",): "7"}
            done = daemon.ctl("mark", "--remove", "service=pushed")
            assert done.returncode == 3 and "no version is set by hand for service=pushed" in done.err and "--list" in done.err, done
            assert daemon.ctl("mark", "-u", "not-there", "version=").returncode == 0 and listed() == {}
            done = daemon.ctl("mark", "--list")
            assert done.returncode == 0 and not done.out and "no version is set by hand" in done.err, done
            for arguments, words in ((("--list", "service=x"), "--list is of all"), (("--remove", "service=x", "version=1"), "wants no version"),
                                     (("--remove",), "say of what")):
                done = daemon.ctl("mark", *arguments)
                assert done.returncode == 2 and words in done.err, done
            daemon.stop()
            shutil.copy(copy, os.path.join(daemon.state, "plop.db"))
            for name in ("plop.db-wal", "plop.db-shm"):
                os.unlink(os.path.join(daemon.state, name))
            # one of an older plopd, beside it, is taken over once
            older = os.path.join(daemon.state, "marks.json")
            for marks, version in ((None, "abc123"), ([{"uid": None, "selectors": ["service=pushed"], "version": "older", "time": 1.5}], "older"), (None, "older")):
                if marks:
                    with open(older, "w", encoding="utf-8") as f:
                        json.dump({"marks": marks}, f)
                daemon.start()
                until("it has the version", lambda: versions(daemon) == [(version, "mark")] * 2)
                until("the file is gone", lambda: not os.path.exists(older))
                daemon.stop()


def test_service_of_a_script(plopd, running):
    told = plopd.process_of(running.works[-1].pid)
    if told["container"] or told["unit"].endswith(".service"):
        pytest.skip("the container or the unit of this host names the service")
    assert told["service"] == "burn.py", told


def test_pprof(plopd, running, recorded):
    works, named = running
    profile = Profile(recorded["pprof"][0])
    samples, comments = [(values[0], labels) for _, values, labels in profile.samples], profile.comments
    for work, (_, service, version) in zip(works, PROCESSES):
        told = plopd.process_of(work.pid)
        mine = [labels for _, labels in samples if labels["pid"] == str(work.pid)]
        assert mine, "no sample of %s" % service
        for labels in mine:
            assert labels["service"] == (service or told["service"]), labels
            assert labels.get("version", "") == (told["version"] if version is None else version), labels
            for key in ("unit", "cgroup", "container"):
                assert labels.get(key, "") == (told.get(key) or ""), (key, labels, told)
            assert labels["env"] == "prod" and labels["run"] == LABELS["run"] and labels["label.service"] == "mine", labels
            assert labels["thread"] == labels["pid"] and labels["thread_name"] == labels["comm"], labels
    for work, names in named.items():
        found = {labels["thread_name"] for _, labels in samples if labels["pid"] == str(work.pid)}
        assert names <= found, (names, found)
    for key, value in LABELS.items():
        assert "label.%s=%s" % (key, value) in comments, comments
    print("pprof: %d samples with the labels of %d processes, of their threads and of the recording" % (
        sum(count for count, _ in samples), len(works)))


def test_read_by_go(recorded):
    found, path = pprof.all_ready(), recorded["pprof"][1]
    if not found:
        pytest.skip("%s: its pprof was not asked" % pprof.NONE)
    for version, tool in found:
        tags = "\n" + pprof.run(tool, "-tags", path)
        for key, value in (("service", "shop"), ("version", "r9"), ("thread_name", "worker-a"), ("env", "prod"), ("label.service", "mine")):
            assert "\n " + key + ":" in tags, (version, key, tags)
            part = tags[tags.index("\n " + key + ":"):]
            assert value in part, (version, key, value, tags)
        print("pprof of %s read the same labels" % version)


def test_texts(recorded):
    graph = recorded["json"][0]
    assert graph["labels"] == LABELS and graph["unit"] == "samples", graph["labels"]
    assert {"web", "shop", "dd"} <= {p["service"] for p in graph["processes"]}
    assert {"worker-a", "worker-b"} <= {t["name"] for t in graph["threads"]}
    scope = json.loads(recorded["speedscope"][0].decode())
    assert scope["plop"]["labels"] == LABELS and "env=prod" in scope["name"], scope["name"]
    plop = recorded["plop"][0].decode()
    assert isinstance(ast.literal_eval(plop), dict)
    for item in LABELS.items():
        assert "\n# label.%s=%s\n" % item in plop, plop[-400:]


def test_groups(running, recorded):
    """record --group-by service,thread_name."""
    services, threads = set(), set()
    for frames, _ in recorded["collapsed"][0]:
        (service, _, _), (thread, _, _) = frames[:2]
        assert service.startswith("service=") and thread.startswith("thread_name="), frames
        services.add(service[8:])
        threads.add(thread[12:])
    assert {service for _, service, _ in PROCESSES if service} <= services, services
    assert set().union(*running.named.values()) <= threads, threads


def ask(plopd, method, path, body=None):
    command = ["curl", "-sS", "-w", "\n%{http_code}", "-X", method, "--unix-socket", plopd.socket, "http://plop" + path]
    done = subprocess.run(command + (["-d", body] if body else []), stdout=subprocess.PIPE, check=True, timeout=60)
    answer, status = done.stdout.decode().rsplit("\n", 1)
    return int(status), json.loads(answer)


def test_selecting(plopd, running):
    """One recording, asked for in parts."""
    named = running.named
    status, made = ask(plopd, "POST", "/v1/recordings", json.dumps({"all": True, "duration_s": 2, "hz": 300, "labels": {"env": "prod"}}))
    assert status == 201, made
    path = "/v1/recordings/" + made["id"]
    until("the recording ends", lambda: ask(plopd, "GET", path)[1]["state"] == "done")

    def samples(query):
        status, graph = ask(plopd, "GET", path + "?format=json" + query)
        assert status == 200, graph
        return graph["samples"], graph

    whole = samples("")[0]
    assert whole > 0 and samples("&label.env=prod")[0] == whole and samples("&label.env=test")[0] == 0 and samples("&state=running")[0] == whole
    assert samples("&state=sleeping")[0] == 0
    work = next(iter(named))
    parts = [samples("&pid=%d&thread_name=%s" % (work.pid, name))[0] for name in sorted(named[work])]
    both, graph = samples("&pid=%d&thread_name=worker-a&thread_name=worker-b&group_by=thread_name" % work.pid)
    assert all(parts) and both == sum(parts), (parts, both)
    groups = {n["function"]: n["total"] for n in graph["nodes"] if n["function"].startswith("thread_name=")}
    assert groups == {"thread_name=" + name: n for name, n in zip(sorted(named[work]), parts)}, groups
    assert {n["self"] for n in graph["nodes"] if n["function"] in groups} == {0}
    status, said = ask(plopd, "GET", path + "?format=json&group_by=colour")
    assert status == 400 and "different keys" in said["error"], said
    print("one recording of %d samples: %s by its threads' names" % (whole, groups))


def test_labels_that_are_refused(plopd):
    for labels, word in (({"9": "x"}, "no label"), ({"k": "x" * 257}, "no label"), ({"k": 7}, "no label"), ({"k": "a\nb"}, "no label"), ([], "an object"),
                         ({"k%d" % i: "" for i in range(17)}, "at most 16")):
        status, said = ask(plopd, "POST", "/v1/recordings", json.dumps({"all": True, "labels": labels}))
        assert status == 400 and word in said["error"], (labels, said)
    # far too many, and far too large: the limit is said, whatever is looked at first
    for labels, wanted, *words in (({"k%d" % i: "" for i in range(3000)}, 400, "at most 16"), ({"k%d" % i: "" for i in range(10000)}, 413, "65536 bytes", "at most 16 labels"),
                                 ({"k": "x" * 60000}, 400, "up to 256 bytes"), ({"k": "x" * 100000}, 413, "65536 bytes", "256 bytes")):
        status, said = ask(plopd, "POST", "/v1/recordings", json.dumps({"all": True, "labels": labels}))
        assert status == wanted and all(word in json.dumps(said) for word in words), (status, said)
    for arguments, word in ((["-l", "k=" + "x" * 100000], "up to 256 bytes"), ([w for i in range(10000) for w in ("-l", "k%d=x" % i)], "at most 16")):
        done = plopd.ctl("record", "-a", "-d", "1s", "-o", "/dev/null", *arguments)
        assert done.returncode == 2 and word in done.err, (done.returncode, done.err)
    status, said = ask(plopd, "POST", "/v1/recordings", '{"all": true, "labels": {"env": "a", "env": "b"}}')
    assert status == 400 and "env" in said["hint"], said


def test_wall(plopd, running):
    """Each thread's time, of those that run and of the main thread, which sleeps throughout and is seen by no tick."""
    work, names = next(iter(running.named.items()))
    groups = {}
    for frames, microseconds in host.Recorder(plopd, "-p", work.pid, "--wall", "-g", "thread_name,state", seconds=2, wait=False).finish():
        group = frames[0][0], frames[1][0]
        groups[group] = groups.get(group, 0) + microseconds
    threads = {name for name, _ in groups}
    with open("/proc/%d/comm" % work.pid, encoding="utf-8") as f:
        main_thread = f.read().strip()
    assert threads == {"thread_name=" + name for name in names | {main_thread}}, threads
    asleep = groups["thread_name=" + main_thread, "state=sleeping"]
    print("wall-clock time by thread and state, in microseconds: %s" % groups)
    assert 0.9 < asleep / (sum(groups.values()) / len(threads)) < 1.1, groups
    for name in names:
        assert groups["thread_name=" + name, "state=running"] > 0 and groups["thread_name=" + name, "state=waiting for the GIL"] > 0, groups


def test_export(plopd, running):
    """What is collected anyway has no names of threads, but all else."""
    def grouped():
        done = plopd.ctl("export", "--since", "5m", "--group-by", "pid,service,version")
        assert done.returncode == 0, done.err
        return {tuple(name for name, _, _ in frames[:3]) for frames, _ in host.collapsed(done.out)}

    want = {("pid=%d" % work.pid, "service=%s" % service, "version=%s" % version)
            for work, (_, service, version) in zip(running.works, PROCESSES) if service}
    until("all are exported", lambda: want <= grouped())
    done = plopd.ctl("export", "--group-by", "gil", "gil=held", "comm=python3")
    assert done.returncode == 0 and {frames[0][0] for frames, _ in host.collapsed(done.out)} == {"gil=held"}, (done.out[:300], done.err)
    done = plopd.ctl("export", "thread_name=worker-a")
    assert done.returncode == 3 and not done.out and "of recordings alone" in done.err, (done.returncode, done.err)
