# SPDX-License-Identifier: BSD-2-Clause
"""Fork servers, exec and short processes: children have names from their first tick on, and after exec nothing of the program
before is left."""
import concurrent.futures
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import threading
import urllib.request

import pytest

import host
from host import Recording, Workload
from waiting import until

HZ = 500
PLOPD = ("--hz", HZ)
APP = "prefork_app"
# those of another root cannot start themselves: sys.executable knows nothing of their loader
STARTED = [row for row in host.one_of_each([row for row in host.pythons() if "/.cache/" not in row[1]]) if row[0] >= (3, 6)]
STARTING = ("[interpreter starting]", "[exec or exit]")


def tally(stacks, inner, outer):
    """(samples with inner below outer, those with a frame without a name)."""
    named = unnamed = 0
    for stack, count in stacks:
        names = [name for name, _, _ in stack]
        named += count * (inner in names and outer in names and names.index(outer) < names.index(inner))
        unnamed += count * any(name.startswith("[") and name not in STARTING for name in names)
    return named, unnamed


def children(plopd, entry, how):
    """All of the CPU time that the children measured in work() must be found there, from the first tick on."""
    version, python, build = entry
    # another name for each, as two run at once
    file = shutil.copy(os.path.join(host.WORKLOADS, "forks.py"), os.path.join(plopd.folder, "forks_%s_%s.py" % (host.called(entry), how)))
    with Workload([python, file, how], env=dict(os.environ, PYTHONPATH=host.WORKLOADS)) as work:
        plopd.profiled(work.pid)
        recording = Recording(plopd, None)
        work.go()
        cpu = json.loads(work.line("DONE")[1])["cpu"]
        stacks = recording.stop()
    mine = [(stack, count) for stack, count in stacks if any(os.path.basename(of) == os.path.basename(file) for _, of, _ in stack)]
    in_work = sum(count for stack, count in mine if any(name == "work" for name, _, _ in stack))
    _, unnamed = tally(mine, "inner", "work")
    print("%d.%-3d %-8s %-20s %d samples of %.0f expected in work(), %d unnamed" % (version + (build, how, in_work, cpu * HZ, unnamed)),
          flush=True)
    assert unnamed < 0.01 * in_work, mine
    return in_work, cpu


@pytest.fixture(scope="module")
def measured(plopd, request):
    """What children() gives of an interpreter and a way, two of which run at once."""
    wanted = [item.callspec.params for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        running = {key: pool.submit(children, plopd, *key)
                   for key in [(params["one_of_each"], "fork") if "one_of_each" in params else (params["row"], params["how"]) for params in wanted]}
        yield lambda *key: running[key].result()


def test_fork(measured, one_of_each):
    in_work, cpu = measured(one_of_each, "fork")
    # a child that were found only later would lack some of its 50 ticks; ticks themselves are lost to a hypervisor
    assert in_work > 0.8 * cpu * HZ


@pytest.mark.parametrize("row, how", [(row, how) for row in STARTED for how in ("multiprocessing-fork", "spawn", "forkserver")
                                      if how == "spawn" or row[0] in ((3, 8), (3, 12))],
                         ids=lambda value: value if isinstance(value, str) else host.called(value))
def test_multiprocessing(measured, row, how):
    in_work, cpu = measured(row, how)
    assert in_work > 0.8 * cpu * HZ


def test_prefork_server(plopd):
    gunicorn = "/usr/bin/gunicorn"
    if not os.path.exists(gunicorn):
        pytest.skip("%s is not there" % gunicorn)
    log = os.path.join(plopd.folder, "gunicorn.log")
    recording = Recording(plopd, None)
    server = subprocess.Popen(["/usr/bin/python3", gunicorn, "--workers", "16", "--bind", "127.0.0.1:0", "--chdir", host.WORKLOADS,
                               "--log-file", log, APP + ":application"], env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1"))
    try:
        def port():
            with open(log) as f:
                found = re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", f.read())
            return found and int(found.group(1))

        until("gunicorn is there", lambda: os.path.exists(log) and port())
        answered = load(port(), 600)
    finally:
        server.terminate()
        server.wait(20)
    stacks = [(stack, count) for stack, count in recording.stop() if any(APP in file or "gunicorn" in file for _, file, _ in stack)]
    named, unnamed = tally(stacks, "answer", "BaseApplication.run")
    mine = sum(count for stack, count in stacks if any(name == "answer" for name, _, _ in stack))
    print("gunicorn: %d workers answered, %d samples in answer(), %d unnamed" % (len(answered), mine, unnamed))
    assert len(answered) > 8, "most of the 16 workers"
    assert named == mine, "each whole up to the master's frames, which its workers were forked in"
    assert mine > 600 * 0.005 * HZ / 2
    assert unnamed < 0.01 * mine


def load(port, requests):
    """Four clients ask so many times in all; the set of the processes that answered."""
    answered = set()

    def client():
        for _ in range(requests // 4):
            with urllib.request.urlopen("http://127.0.0.1:%d/" % port, timeout=30) as answer:
                answered.add(int(answer.read()))

    clients = [threading.Thread(target=client) for _ in range(4)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    return answered


def test_exec_to_another_python(plopd):
    second = "print('SECOND', flush=True)\ndef later():\n    x = 1\n    while True:\n        x = x * 33 & 65535\nlater()\n"
    code = ("import os, sys\ndef earlier():\n    x = 1\n    for i in range(10 ** 6):\n        x = x * 33 & 65535\n"
            "print('READY', flush=True)\nsys.stdin.readline()\nearlier()\nos.execv(sys.argv[1], ['python', '-c', %r])\n" % second)
    pythons = [python for version, python, _ in STARTED if version >= (3, 6)]

    def change(first, then):
        with Workload(first, None, then, code=code) as work:
            plopd.profiled(work.pid)
            recording = Recording(plopd, None)
            work.go()
            work.line("SECOND")
            until("samples of the second", lambda: (plopd.process_of(work.pid) or {}).get("samples", 0) > 100)
            stacks = [(stack, count) for stack, count in recording.stop(work.pid) if stack[0][:2] == ("<module>", "<string>")]
        names = [{name for name, _, _ in stack} for stack, _ in stacks]
        assert any("earlier" in n for n in names) and any("later" in n for n in names), names
        for n in names:
            assert not ("earlier" in n and "later" in n), "of both programs: %s" % n

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(change, pythons, reversed(pythons)))


def test_exec_to_something_else(plopd):
    code = ("import os, sys\nprint('READY', flush=True)\nsys.stdin.readline()\n"
            "def before_the_shell():\n    os.execv('/bin/sh', ['sh', '-c', 'echo SHELL; while :; do :; done'])\nbefore_the_shell()\n")
    for version, python, _ in STARTED:
        if version < (3, 6):
            continue
        with Workload(python, code=code) as work:
            plopd.profiled(work.pid)
            work.go()
            work.line("SHELL")
            before = plopd.status()["samples"]["other"]
            recording = Recording(plopd, None)
            until("ticks on the shell", lambda: plopd.status()["samples"]["other"] > before + 100)
            assert plopd.process_of(work.pid) is None
            for stack, _ in recording.stop():
                assert "before_the_shell" not in {name for name, _, _ in stack}, "a Python stack in a shell"


def test_short_processes(plopd):
    """100 processes of 100 ms of CPU, two at a time: of what they use after the interpreter is up, 99 % has names and lines."""
    code = ("import time\ndef brief():\n    end = time.process_time() + 0.1\n    while time.process_time() < end:\n        pass\n"
            "brief()\n")
    recording = Recording(plopd, None)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for i in range(50):
        python = STARTED[i % len(STARTED)][1] if STARTED[i % len(STARTED)][0] > (3, 2) else sys.executable
        running = [subprocess.Popen([python, "-c", code]) for _ in range(2)]
        for one in running:
            assert one.wait(60) == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    stacks = [(stack, count) for stack, count in recording.stop() if stack[0][:2] == ("<module>", "<string>")
              or stack[0][0].startswith("[un") or stack[0][0] == "[stale code]"]
    brief = sum(count for stack, count in stacks if any(name == "brief" for name, _, _ in stack))
    whole = sum(count for stack, count in stacks if [name for name, _, _ in stack] == ["<module>", "brief"] and
                stack[0][2] == 6 and 2 <= stack[1][2] <= 5)
    unnamed = sum(count for stack, count in stacks if any(name.startswith("[") for name, _, _ in stack))
    print("short processes: %d samples in brief() of %.0f expected, %d whole, %d unnamed; %.1f s of CPU in all" % (
        brief, 100 * 0.1 * HZ, whole, unnamed, used))
    assert brief > 0.8 * 100 * 0.1 * HZ
    assert whole >= 0.99 * (brief + unnamed)


def test_zz_every_tick_is_accounted_for(plopd):
    samples = plopd.status()["samples"]
    print(samples)
    assert host.accounted(samples), samples
