#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Labels: what a process's environment says of it, what its threads are called, and what somebody notes of a recording, in every format;
selecting and grouping by them. pprof is read by a decoder of this test's own, and by Go's where there is one."""
import ast
import contextlib
import gzip
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import host  # noqa: E402
import pprof  # noqa: E402

LABELS = {"env": "prod", "run": "it's \"7\"; \u00fc", "service": "mine"}
SERVICES = ("PLOP_SERVICE", "PLOP_VERSION", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "DD_SERVICE", "DD_VERSION", "SENTRY_RELEASE")
# (environment, service, version); the service None: as nothing in the environment says.
PROCESSES = [
    ({"PLOP_SERVICE": "web", "PLOP_VERSION": "1.2", "DD_SERVICE": "no", "DD_VERSION": "0"}, "web", "1.2"),
    ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=shop,service.version=7", "DD_SERVICE": "no"}, "shop", "7"),
    ({"OTEL_SERVICE_NAME": "otel", "DD_VERSION": "3"}, "otel", "3"),
    ({"DD_SERVICE": "dd", "SENTRY_RELEASE": "r9"}, "dd", "r9"),
    ({}, None, ""),
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


@contextlib.contextmanager
def environment(values):
    before = dict(os.environ)
    for name in SERVICES:
        os.environ.pop(name, None)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def fields(data):
    """(number, value) of a protobuf message: numbers, and bytes. The encoding is protobuf.dev/programming-guides/encoding."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        assert tag & 7 in (0, 2), "wire type %d" % (tag & 7)
        value, at = varint(data, at)
        if tag & 7 == 2:
            value, at = data[at:at + value], at + value
        yield tag >> 3, value


def read_pprof(path):
    """(samples, comments): each sample's first value and labels. Field numbers as in pprof's profile.proto."""
    with gzip.open(path) as f:
        message = list(fields(f.read()))
    strings = [value.decode() for number, value in message if number == 6]
    assert strings[0] == ""
    samples = []
    for sample in (value for number, value in message if number == 2):
        parts = list(fields(sample))
        values = next(value for number, value in parts if number == 2)
        pairs = [dict(fields(value)) for number, value in parts if number == 3]
        labels = {strings[pair[1]]: strings[pair[2]] for pair in pairs}
        assert len(labels) == len(pairs), "a key is there twice"
        samples.append((varint(values, 0)[0], labels))
    comments = []
    for number, value in message:
        if number == 13:
            at = 0
            while isinstance(value, bytes) and at < len(value):
                index, at = varint(value, at)
                comments.append(strings[index])
            if not isinstance(value, bytes):
                comments.append(strings[value])
    return samples, comments


def record(plopd, form, *arguments):
    """A plopctl record of the host under way, with the labels."""
    path = os.path.join(plopd.folder, "labels." + form)
    notes = [word for item in LABELS.items() for word in ("-l", "%s=%s" % item)]
    return path, subprocess.Popen([host.program("plopctl"), "--socket", plopd.socket, "record", "-a", "-d", "4s", "-F", "400", "-f", form,
                                   "-o", path] + notes + list(arguments), stderr=subprocess.PIPE)


def finish(path, process):
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 0, said.decode()
    return path


def text(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def check_pprof(plopd, path, works, named):
    samples, comments = read_pprof(path)
    for work, (_, service, version) in zip(works, PROCESSES):
        told = plopd.process_of(work.pid)
        mine = [labels for _, labels in samples if labels["pid"] == str(work.pid)]
        assert mine, "no sample of %s" % service
        for labels in mine:
            assert labels["service"] == (service or told["service"]), labels
            assert labels.get("version", "") == version, labels
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
    read_by_go(path)


def read_by_go(path):
    found = pprof.all_ready()
    for version, tool in found:
        tags = "\n" + pprof.run(tool, "-tags", path)
        for key, value in (("service", "shop"), ("version", "r9"), ("thread_name", "worker-a"), ("env", "prod"), ("label.service", "mine")):
            assert "\n " + key + ":" in tags, (version, key, tags)
            part = tags[tags.index("\n " + key + ":"):]
            assert value in part, (version, key, value, tags)
        print("pprof of %s read the same labels" % version)
    if not found:
        print("%s: its pprof was not asked" % pprof.NONE)


def check_texts(paths):
    graph = json.loads(text(paths["json"]))
    assert graph["labels"] == LABELS and graph["unit"] == "samples", graph["labels"]
    assert {"web", "shop", "dd"} <= {p["service"] for p in graph["processes"]}
    assert {"worker-a", "worker-b"} <= {t["name"] for t in graph["threads"]}
    scope = json.loads(text(paths["speedscope"]))
    assert scope["plop"]["labels"] == LABELS and "env=prod" in scope["name"], scope["name"]
    plop = text(paths["plop"])
    assert isinstance(ast.literal_eval(plop), dict)
    for item in LABELS.items():
        assert "\n# label.%s=%s\n" % item in plop, plop[-400:]


def check_groups(stacks, works, named):
    """record --group-by service,thread_name."""
    services, threads = set(), set()
    for frames, _ in stacks:
        (service, _, _), (thread, _, _) = frames[:2]
        assert service.startswith("service=") and thread.startswith("thread_name="), frames
        services.add(service[8:])
        threads.add(thread[12:])
    assert {service for _, service, _ in PROCESSES if service} <= services, services
    assert set().union(*named.values()) <= threads, threads


def ask(plopd, method, path, body=None):
    command = ["curl", "-sS", "-w", "\n%{http_code}", "-X", method, "--unix-socket", plopd.socket, "http://plop" + path]
    done = subprocess.run(command + (["-d", body] if body else []), stdout=subprocess.PIPE, check=True, timeout=60)
    answer, status = done.stdout.decode().rsplit("\n", 1)
    return int(status), json.loads(answer)


def check_selecting(plopd, named):
    """One recording, asked for in parts."""
    status, made = ask(plopd, "POST", "/v1/recordings", json.dumps({"all": True, "duration_s": 2, "hz": 300, "labels": {"env": "prod"}}))
    assert status == 201, made
    path = "/v1/recordings/" + made["id"]
    host.until("the recording ends", lambda: ask(plopd, "GET", path)[1]["state"] == "done")

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
    for labels, word in (({"9": "x"}, "no label"), ({"k": 7}, "no label"), ({"k": "a\nb"}, "no label"), ([], "an object"),
                         ({"k%d" % i: "" for i in range(17)}, "at most 16")):
        status, said = ask(plopd, "POST", "/v1/recordings", json.dumps({"all": True, "labels": labels}))
        assert status == 400 and word in said["error"], (labels, said)
    status, said = ask(plopd, "POST", "/v1/recordings", '{"all": true, "labels": {"env": "a", "env": "b"}}')
    assert status == 400 and "env" in said["hint"], said


def check_wall(plopd, work, names):
    """Each thread's time, of those that run and of the main thread, which sleeps throughout and is seen by no tick."""
    path = os.path.join(plopd.folder, "wall.collapsed")
    done = plopd.ctl("record", "-p", work.pid, "--wall", "-d", "2s", "-f", "collapsed", "-g", "thread_name,state", "-o", path)
    assert done.returncode == 0, done.err
    groups = {}
    for frames, microseconds in host.collapsed(text(path)):
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


def check_export(plopd, works):
    """What is collected anyway has no names of threads, but all else."""
    def grouped():
        done = plopd.ctl("export", "--since", "5m", "--group-by", "pid,service,version")
        assert done.returncode == 0, done.err
        return {tuple(name for name, _, _ in frames[:3]) for frames, _ in host.collapsed(done.out)}

    want = {("pid=%d" % work.pid, "service=%s" % service, "version=%s" % version)
            for work, (_, service, version) in zip(works, PROCESSES) if service}
    host.until("all are exported", lambda: want <= grouped())
    done = plopd.ctl("export", "thread_name=worker-a")
    assert done.returncode == 0 and not done.out and "of recordings alone" in done.err, (done.returncode, done.err)


def main():
    host.need_root()
    with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        script = os.path.join(folder, "burn.py")
        with open(script, "w", encoding="utf-8") as f:
            f.write(BURN)
        works, named = [], {}
        for values, _, _ in PROCESSES:
            with environment(values):
                works.append(stack.enter_context(host.Workload(sys.executable, script)))
        with environment({"PLOP_SERVICE": "named"}):
            named[stack.enter_context(host.Workload(sys.executable, code=NAMED))] = {"worker-a", "worker-b"}
            named[stack.enter_context(host.Workload(sys.executable, code=THREADING))] = {"a-pool-of-workers-7"}
        plopd = stack.enter_context(host.Plopd())
        for work in works + list(named):
            plopd.profiled(work.pid)
        told = plopd.process_of(works[-1].pid)
        if not told["container"] and not told["unit"].endswith(".service"):
            assert told["service"] == "burn.py", told
        running = {form: record(plopd, form) for form in ("pprof", "json", "speedscope", "plop")}
        running["collapsed"] = record(plopd, "collapsed", "--group-by", "service,thread_name")
        paths = {form: finish(*one) for form, one in running.items()}
        check_pprof(plopd, paths["pprof"], works, named)
        check_texts(paths)
        check_groups(host.collapsed(text(paths["collapsed"])), works, named)
        check_selecting(plopd, named)
        check_export(plopd, works)
        check_wall(plopd, *next(iter(named.items())))
    print("ok")


if __name__ == "__main__":
    main()
