# SPDX-License-Identifier: BSD-2-Clause
"""always, on-demand and periodic: when perf events are open, what is saved, and that a reload loses nothing."""
import os
import signal
import subprocess
import sys
import time

import pytest

import host
from waiting import until

BURN = "print('READY', flush=True)\ndef spin():\n    n = 0\n    for i in range(20000): n += i\nwhile True: spin()\n"


@pytest.fixture(scope="module")
def work(root):
    with host.Workload(sys.executable, code=BURN) as running:
        yield running


def events(plopd):
    """How many perf events plopd has open."""
    folder = "/proc/%d/fd" % plopd.process.pid
    found = 0
    for fd in os.listdir(folder):
        try:
            found += os.readlink(os.path.join(folder, fd)) == "anon_inode:[perf_event]"
        except OSError:
            pass
    return found


def configure(plopd, **options):
    with open(plopd.config, "w") as f:
        f.write("[plopd]\n" + "".join("%s = %s\n" % item for item in options.items()))


def reload(plopd, **options):
    configure(plopd, **options)
    plopd.process.send_signal(signal.SIGHUP)
    until("the mode is " + options["mode"], lambda: plopd.status()["mode"] == options["mode"])


def started(**options):
    plopd = host.Plopd(start=False)
    plopd.config = os.path.join(plopd.folder, "plop.conf")
    configure(plopd, **options)
    plopd.arguments += ["--config", plopd.config]
    plopd.start()
    return plopd


def saved(plopd):
    return [w for w in plopd.get("/v1/windows")["windows"] if not w["running"]]


def test_on_demand(work):
    with started(mode="on-demand", window="1s") as plopd:
        plopd.profiled(work.pid)
        assert events(plopd) == 0, "perf events are open though nobody asked"
        cpu = plopd.status()["cost"]["cpu_seconds"]
        until("some windows' time has passed", lambda: plopd.status()["uptime_s"] > 3)
        used = plopd.status()["cost"]["cpu_seconds"] - cpu
        stacks = host.collapsed(plopd.record(work.pid, 3))
        assert sum(n for s, n in stacks if any(f[0] == "spin" for f in s)) > 20, stacks
        assert events(plopd) == 0, "perf events are left after the recording"
        status = plopd.status()
        assert status["samples"]["ticks"] == 0 and status["mode"] == "on-demand", status["samples"]
        assert not saved(plopd), saved(plopd)
        print("on-demand: no event before and after, %.1f ms of CPU in 3 s asked by the test" % (1000 * used))
        # to always and back, by reload
        reload(plopd, mode="always", window="1s")
        assert events(plopd) > 0
        until("two windows are saved", lambda: len(saved(plopd)) >= 2)
        reload(plopd, mode="on-demand", window="1s")
        until("the events are closed", lambda: events(plopd) == 0)
        until("the last window is saved", lambda: sum(w["ticks"] for w in saved(plopd)) == plopd.status()["samples"]["ticks"])
        for window in saved(plopd):
            assert host.accounted(window), window
        print("always, by reload: %d ticks, all of them in %d windows" % (plopd.status()["samples"]["ticks"], len(saved(plopd))))


def test_gone(work):
    """Who asks and goes away leaves nothing to the next recording, which may well have the same channel."""
    with started(mode="on-demand", hz=5000) as plopd:
        plopd.profiled(work.pid)
        path = os.path.join(plopd.folder, "next")
        for _ in range(5):
            asked = subprocess.Popen(["curl", "-sS", "--unix-socket", plopd.socket, "-o", os.devnull,
                                      "http://plop/debug/pprof/profile?seconds=30&pid=%d" % work.pid])
            until("it runs", lambda: plopd.status()["recordings"] == 1)
            time.sleep(0.3)
            asked.kill()
            asked.wait()
            until("it is gone", lambda: plopd.status()["recordings"] == 0)
            done = plopd.ctl("record", "-p", work.pid, "-F", 10, "-d", "500ms", "-f", "collapsed", "-o", path)
            assert done.returncode == 0, done.err
            with open(path) as f:
                counted = sum(count for _, count in host.collapsed(f.read()))
            assert counted <= 20, "%d samples of half a second at 10 Hz" % counted
        print("after one at 5000 Hz that nobody waits for any more: %d samples at 10 Hz" % counted)


def test_rate(work):
    with started(mode="always", hz="100", window="600s") as plopd:
        until("samples", lambda: (plopd.process_of(work.pid) or {}).get("samples", 0) > 20)
        configure(plopd, mode="always", hz="250", window="600s")
        plopd.process.send_signal(signal.SIGHUP)
        until("the rate is 250", lambda: plopd.status()["hz"] == 250)
        until("the first window is saved", lambda: saved(plopd))
        until("samples at the new rate", lambda: plopd.get("/v1/windows")["windows"][-1]["samples"] > 20)
        windows = plopd.get("/v1/windows")["windows"]
        assert [w["hz"] for w in windows] == [100, 250], windows
        configure(plopd, mode="sometimes")
        plopd.process.send_signal(signal.SIGHUP)
        until("the bad word is refused", lambda: "must be always, on-demand or periodic" in plopd.said())
        assert plopd.status()["mode"] == "always" and events(plopd) > 0
        print("another rate: %s" % [(w["hz"], w["samples"]) for w in windows])


def test_periodic(work):
    # ten are not a multiple of three: it is one window all the same
    options = {"mode": "periodic", "every": "10s", "window": "3s"}
    with started(**options) as plopd:
        until("a window begins", lambda: events(plopd) > 0, 30)
        # a reload in the middle does not end it
        plopd.process.send_signal(signal.SIGHUP)
        until("the configuration is read", lambda: "configuration read" in plopd.said())
        assert events(plopd) > 0, "the reload has ended the window"
        until("it ends", lambda: events(plopd) == 0, 30)
        until("it is saved", lambda: saved(plopd), 30)
        until("the next begins", lambda: events(plopd) > 0, 30)
        until("it ends", lambda: events(plopd) == 0, 30)
        until("it is saved", lambda: len(saved(plopd)) == 2, 30)
        windows = saved(plopd)
        print("periodic: %s" % [(round(w["end"] - w["start"], 2), w["samples"]) for w in windows])
        for window in windows:
            assert host.accounted(window) and window["samples"] > 20 and window["end"] - window["start"] > 2, window
        # one period apart, as far as a busy machine keeps its time
        assert 8 < windows[1]["start"] - windows[0]["start"] < 12, windows
        assert len(saved(plopd)) == 2, saved(plopd)


def test_periodic_by_reload(work):
    """The window that runs when always becomes periodic goes on to its end, and is one."""
    with started(mode="always", window="5s") as plopd:
        until("a window begins", lambda: saved(plopd), 30)
        before = len(saved(plopd))
        reload(plopd, mode="periodic", every="3600s", window="5s")
        assert events(plopd) > 0, "the reload has ended the window"
        until("it ends", lambda: events(plopd) == 0, 30)
        until("it is saved", lambda: sum(w["ticks"] for w in saved(plopd)) == plopd.status()["samples"]["ticks"], 30)
        windows = saved(plopd)
        print("periodic, by reload: %s" % [(round(w["end"] - w["start"], 2), w["samples"]) for w in windows])
        assert len(windows) == before + 1 and windows[-1]["end"] - windows[-1]["start"] > 4, windows
