# SPDX-License-Identifier: BSD-2-Clause
"""What happens around the samples: accounting, saving, restarting, targets that end, exec, fork, lie, or are no Python."""
import json
import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time

import pytest

import host
from host import Plopd, Recorder, Workload, accounted, collapsed
from waiting import until

PLOPD = ("--hz", 200)

PYTHON = sys.executable
BUSY = "import sys\nprint('READY', flush=True)\ndef spin():\n    x = 1\n    while True:\n        x = x * 33 & 65535\nspin()\n"


def spinning(stacks):
    """Samples whose innermost function is spin."""
    return sum(count for stack, count in stacks if stack[-1][0] == "spin")


def refused(arguments):
    """A plopd that must not come up: its exit status and what it said."""
    done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30)
    return done.returncode, done.stdout.decode(errors="replace")


def test_every_tick_is_accounted_for(root):
    with Plopd("--hz", 200, "--window", 2) as daemon, Workload(PYTHON, code=BUSY):
        windows = until("three windows are saved", lambda: len([w for w in daemon.get("/v1/windows")["windows"]
                                                                if not w["running"]]) >= 3
                        and daemon.get("/v1/windows")["windows"])
        for window in windows:
            assert accounted(window), window
        for one, next_one in zip(windows, windows[1:]):
            assert one["end"] == next_one["start"], "windows follow one another without a gap"
        # those that end at a multiple of their length are aligned to the clock; on a busy machine one may end late
        late = sorted(window["start"] % 2.0 for window in windows[1:-1])
        assert late[0] < 0.2, late
        profile = daemon.get("/v1/profile?format=json")
        assert accounted(profile), profile
        assert profile["samples"] == profile["python"], "no selector: all Python ticks are in the profile"
        assert sum(n["self"] for n in profile["nodes"]) == profile["samples"]
        status = daemon.status()
        assert accounted(status["samples"]), status
        assert host.hardly_lost(status["samples"], others=True), status["samples"]


def test_the_running_window_is_saved_at_the_end(root):
    with Plopd("--window", 600) as daemon, Workload(PYTHON, code=BUSY) as work:
        daemon.profiled(work.pid)
        until("samples", lambda: daemon.process_of(work.pid)["samples"] > 50)
        assert daemon.stop() == 0
        assert not os.path.exists(daemon.socket), "the socket is gone"
        daemon.start()
        windows = [w for w in daemon.get("/v1/windows")["windows"] if not w["running"]]
        assert len(windows) == 1
        assert windows[0]["samples"] > 50
        assert accounted(windows[0])
        stacks = collapsed(daemon.ctl("export", "--since", "1h", "pid=%d" % work.pid, "-f", "collapsed").out)
        assert spinning(stacks) > 50


def test_the_end_while_clients_wait(root):
    with Plopd("--window", 600) as daemon, Workload(PYTHON, code=BUSY) as work:
        daemon.profiled(work.pid)
        curl = ["curl", "-sSN", "--unix-socket", daemon.socket]
        waiting = [subprocess.Popen(curl + ["http://plop" + path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                   for path in ("/debug/pprof/profile?seconds=300", "/v1/stream", "/debug/pprof/profile?seconds=300&pid=%d" % work.pid)]
        try:
            until("two recordings run", lambda: daemon.status()["recordings"] == 2)
            assert waiting[1].stdout.readline() == b"event: window\n"
            assert daemon.stop() == 0, daemon.said()
            for client in waiting:
                client.communicate(timeout=20)
        finally:
            for client in waiting:
                client.kill()
                client.communicate()


def test_a_profile_begins_with_its_first_window(root):
    with Plopd("--window", 600) as daemon:
        began = time.time()
        until("some ticks", lambda: daemon.status()["samples"]["ticks"] > 10)
        profile = daemon.get("/v1/profile")
        assert profile["duration_s"] < time.time() - began + 10, "not the ten minutes that were asked for"


def test_stopped_recording_is_whole_and_then_forgotten(root):
    with Plopd("--hz", 200) as daemon, Workload(PYTHON, code=BUSY) as work:
        daemon.profiled(work.pid)
        recorder = Recorder(daemon, "-p", work.pid, form="json")
        state = until("it has samples", lambda: (daemon.get("/v1/recordings/r1")["samples"] > 300) and daemon.get("/v1/recordings/r1"))
        profile = recorder.stop()
        assert accounted(profile), profile
        assert profile["duration_s"] >= state["elapsed_s"], "up to the signal, not up to the last look"
        assert daemon.get("/v1/recordings/r1").get("error") == "there is no such recording"


def test_second_plopd_and_newer_database_are_refused(root):
    with Plopd() as daemon:
        status, said = refused([host.program("plopd"), "--state-dir", daemon.state, "--socket", daemon.socket + "2"])
        assert status == 1, said
        assert daemon.state in said
        assert daemon.status() is not None, "the first one is not disturbed"
        daemon.stop()
        path = os.path.join(daemon.state, "plop.db")
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA user_version = 1000")
        db.close()
        with open(path, "rb") as f:
            before = f.read()
        status, said = refused(daemon.command())
        assert status == 1, said
        assert "newer" in said
        with open(path, "rb") as f:
            assert before == f.read(), "nothing of it was touched"


def test_full_disk(root):
    with Plopd(start=False, state=None) as daemon:
        disk = os.path.join(daemon.folder, "disk")
        os.mkdir(disk)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", disk], check=True)
        try:
            daemon.state = disk
            daemon.arguments = ["--window", "1"]
            daemon.start()
            until("a window is saved", lambda: daemon.status()["store"]["windows"] > 0)
            ballast = os.open(os.path.join(disk, "ballast"), os.O_WRONLY | os.O_CREAT)
            try:
                while os.write(ballast, b"x" * 4096):
                    pass
            except OSError:
                os.close(ballast)
            with Workload(PYTHON, code=BUSY) as work:
                error = until("the full disk is told", lambda: daemon.status()["store"]["error"], 30)
                assert disk in error
                daemon.profiled(work.pid)
                assert spinning(collapsed(daemon.record(work.pid, 1))) > 5, "sampling goes on"
            os.unlink(os.path.join(disk, "ballast"))
            until("it is saved again", lambda: not daemon.status()["store"]["error"], 30)
        finally:
            daemon.stop()
            subprocess.run(["umount", disk], check=True)


def test_pids_that_cannot_be_recorded(plopd):
    sleep = subprocess.Popen(["sleep", "60"])
    try:
        for pid, word in ((4194304, "no process"), (sleep.pid, "not Python"), (2, "not Python")):
            done = plopd.ctl("record", "-p", pid, "-d", "1s", "-o", "/dev/null", "-f", "collapsed")
            assert done.returncode == 3, done.err
            assert word in done.err
            assert str(pid) in done.err
    finally:
        sleep.kill()
        sleep.wait()


def test_unknown_version_is_said(plopd):
    # a library that says it is 3.16, in a shell
    forged = os.path.join(host.BUILD, "tests", "unit", "python", "libpython-fake-316.so")
    if not os.path.exists(forged):
        pytest.skip("%s was not built" % forged)
    busy = subprocess.Popen(["sh", "-c", "while :; do :; done"], env=dict(os.environ, LD_PRELOAD=forged))
    try:
        entry = until("it is listed", lambda: plopd.process_of(busy.pid))
        assert entry["status"] == "CPython 3.16 is not known to this plop"
        done = plopd.ctl("record", "-p", busy.pid, "-d", "1s", "-f", "collapsed", "-o", "/dev/null")
        assert done.returncode == 3, done.err
        assert "CPython 3.16 is not known" in done.err
    finally:
        busy.kill()
        busy.wait()


def test_target_that_ends_early(plopd):
    with Workload(PYTHON, code=BUSY) as work:
        plopd.profiled(work.pid)
        with Recorder(plopd, "-p", work.pid, seconds=60) as recorder:
            until("samples", lambda: plopd.get("/v1/recordings/r%d" % last_recording(plopd))["samples"] > 20)
            work.process.kill()
            assert spinning(recorder.finish(30)) > 20


def last_recording(plopd):
    for n in range(100, 0, -1):
        if "state" in plopd.get("/v1/recordings/r%d" % n):
            return n
    raise AssertionError("no recording")


def test_fork_exec_and_threads(plopd):
    code = ("import os, sys, threading, hashlib, time\nhere = threading.Lock()\nhere.acquire()\n"
            "def spin():\n    end = time.time() + 300\n    x = 1\n    while time.time() < end:\n        for i in range(9999):\n"
            "            x = x * 33 & 65535\n"
            "def in_c():\n    here.release()\n    while True:\n        hashlib.pbkdf2_hmac('sha256', b'x', b'y', 200000)\n"
            "if os.fork() == 0:\n    threading.Thread(target=in_c, daemon=True).start()\n    here.acquire()\n"
            "    print('READY', os.getpid(), flush=True)\n    spin()\n    os._exit(0)\nelse:\n    os.wait()\n")
    with Workload(PYTHON, code=code) as work:
        child = int(work.ready[0])
        try:
            assert plopd.profiled(child)["pid"] == child
            stacks = collapsed(plopd.record(child, 2))
        finally:
            os.kill(child, signal.SIGKILL)
    functions = {stack[-1][0] for stack, _ in stacks}
    assert "spin" in functions
    assert "in_c" in functions, "a thread that has released the GIL shows its own stack"
    for stack, _ in stacks:
        names = [f[0] for f in stack]
        assert not ("spin" in names and "in_c" in names), "one thread's stack: %s" % names


def test_exec_to_python_and_to_something_else(plopd):
    second = "def spin():\n    x = 1\n    while True:\n        x = x * 33 & 65535\nprint('SECOND', flush=True)\nspin()\n"
    code = "import os, sys\nprint('READY', flush=True)\nsys.stdin.readline()\nos.execv(sys.executable, ['python', '-c', %r])\n" % second
    with Workload(PYTHON, code=code) as work:
        plopd.profiled(work.pid)
        work.process.stdin.write(b"\n")
        work.process.stdin.flush()
        work.line("SECOND")
        stacks = collapsed(plopd.record(work.pid, 1))
        assert spinning(stacks) > 0.9 * sum(count for _, count in stacks)
    code = "import os, sys\nprint('READY', flush=True)\nsys.stdin.readline()\nos.execv('/bin/sleep', ['sleep', '60'])\n"
    with Workload(PYTHON, code=code) as work:
        plopd.profiled(work.pid)
        work.process.stdin.write(b"\n")
        work.process.stdin.flush()
        until("it is not listed any more", lambda: plopd.process_of(work.pid) is None)


def test_short_processes_are_named(plopd):
    code = ("import time\ndef brief():\n    end = time.process_time() + 0.1\n    while time.process_time() < end:\n        pass\n"
            "brief()\n")
    recorder = Recorder(plopd, "-a")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(20):
        subprocess.run([PYTHON, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    stacks = recorder.stop()
    brief = sum(count for stack, count in stacks if any(f[0] == "brief" for f in stack))
    unnamed = sum(count for stack, count in stacks if any(f[0].startswith("[unresolved") for f in stack))
    # most of what they use is used in brief(), most of them are gone before their ticks are looked at
    assert brief > used * 200 / 2
    assert unnamed <= brief / 100


def test_deep_recursion_is_cut_at_the_root(plopd):
    with Workload(PYTHON, "deep.py", "--depth", 1500, "--seconds", 60) as work:
        plopd.profiled(work.pid)
        stacks = collapsed(plopd.record(work.pid, 1))
    whole = [stack for stack, _ in stacks if stack[-1][0] == "burn"]
    assert whole
    for stack in whole:
        assert stack[0][0] == "[truncated]"
        assert len(stack) == 1 + 1024
    assert plopd.status()["samples"]["truncated"] > 0


def test_hostile_names(plopd):
    evil = "<img src=x onerror=alert(1)>"
    code = ("def spin():\n    x = 1\n    while True:\n        x = x * 33 & 65535\n"
            "spin.__code__ = spin.__code__.replace(co_name=%r, **({'co_qualname': %r} if hasattr(spin.__code__, 'co_qualname') else {}),"
            " co_filename='/tmp/a;b\\nc\\udcff.py')\nprint('READY', flush=True)\nspin()\n") % (evil, evil)
    with Workload(PYTHON, code=code) as work:
        plopd.profiled(work.pid)
        stacks = collapsed(plopd.record(work.pid, 1))
        graph = json.loads(plopd.record(work.pid, 1, "json"))
    assert any(stack[-1][0] == evil for stack, _ in stacks), stacks[:3]
    node = next(n for n in graph["nodes"] if n["function"] == evil)
    assert "\n" not in node["file"]


def test_a_target_that_lies_in_its_memory(plopd):
    # its own frame becomes its own caller: a stack without an end
    code = ("import ctypes, sys, hashlib, struct\n"
            "def lie():\n    f = sys._getframe()\n    at = ctypes.cast(id(f) + 24, ctypes.POINTER(ctypes.c_uint64))[0]\n"
            "    off = {11: 48}.get(sys.version_info[1], 8)\n    slot = ctypes.cast(at + off, ctypes.POINTER(ctypes.c_uint64))\n"
            "    keep = slot[0]\n    print('READY', flush=True)\n    while True:\n        slot[0] = at\n"
            "        hashlib.pbkdf2_hmac('sha256', b'x', b'y', 300000)\n        slot[0] = keep\nlie()\n")
    if sys.version_info < (3, 11):
        pytest.skip("the lie is told for 3.11 and later, this is %d.%d" % sys.version_info[:2])
    before = plopd.status()["samples"]["lost"]["corrupt"]
    with Workload(PYTHON, code=code) as work:
        plopd.profiled(work.pid)
        until("ticks are lost for it", lambda: plopd.status()["samples"]["lost"]["corrupt"] > before + 10)
        stacks = collapsed(plopd.record(work.pid, 1))
    # what is left are the moments in which it tells the truth
    assert not [stack for stack, _ in stacks if len(stack) > 3]


def test_garbage_on_the_socket(root):
    with Plopd() as daemon:
        for data in (b"\0" * 5000, b"GET / HTTP/9.9\r\n\r\n", b"\xff\xfe" * 100 + b"\r\n\r\n", b"POST /v1/recordings HTTP/1.1\r\n"
                     b"Host: x\r\nContent-Length: 99999999\r\n\r\n", b"GET /v1/nothing HTTP/1.1\r\nHost: x\r\n\r\n"):
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(20)
                s.connect(daemon.socket)
                try:
                    s.sendall(data)
                    answer = s.recv(65536)
                except (ConnectionResetError, BrokenPipeError):
                    answer = b""
                if answer:
                    assert answer.startswith(b"HTTP/1.1 4") or answer.startswith(b"HTTP/1.1 5"), answer[:80]
                    assert b'"error"' in answer
            assert daemon.status() is not None
        for body, code in (("{", 400), ("[]", 400), ('{"pid": "x"}', 400), ('{"all": true, "duration_s": -1}', 400),
                           ('{"all": true, "wall": "yes"}', 400)):
            done = subprocess.run(["curl", "-s", "-w", "%{http_code}", "-o", "/dev/null", "--unix-socket", daemon.socket, "-d", body,
                                   "http://plop/v1/recordings"], stdout=subprocess.PIPE)
            assert done.stdout.decode() == str(code), body
