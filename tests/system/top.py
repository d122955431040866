# SPDX-License-Identifier: BSD-2-Clause
"""plopctl top: what it shows of workloads whose shares are known, as text and on a terminal of its own; its keys, its sizes, that it
leaves the terminal as it was, that it outlives plopd, and what it costs."""
import concurrent.futures
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

import host
import terminal
from chi_square import chi_square
from waiting import until

HZ = 499
# windows so short that some end in between
PLOPD = ("--hz", HZ, "--window", 5)
# Three quarters of the time in hot, one in warm, by the thread's own clock; cold is all that the other process does.
SHARES = """
import time
def hot():
    end = time.thread_time() + 0.015
    while time.thread_time() < end:
        pass
def warm():
    end = time.thread_time() + 0.005
    while time.thread_time() < end:
        pass
print("READY", flush=True)
while True:
    hot()
    warm()
"""
SPIN = "print('READY', flush=True)\nwhile True:\n    pass\n"
# 40 functions, for something to scroll in.
MANY = """
import time
source = "def cold%02d():\\n end = time.thread_time() + 0.001\\n while time.thread_time() < end:\\n  pass\\n"
for i in range(40):
    exec(source % i)
every = [globals()["cold%02d" % i] for i in range(40)]
print("READY", flush=True)
while True:
    for f in every:
        f()
    time.sleep(0.02)
"""
COLUMNS = {"f": "FUNCTION", "p": "COMMAND"}
DOWN, PAGE_DOWN, END, HOME = "\x1bOB", "\x1b[6~", "\x1bOF", "\x1bOH"


def screens(text):
    """Of what -b prints: [(seconds, {function or PID: (self, total, rate)}), ...]."""
    found = []
    for screen in text.strip().split("\n\nplop top"):
        head, _, body = screen.partition("*")
        rows = {}
        for line in body.splitlines()[1:]:
            words = line.split()
            if "COMMAND" in body.splitlines()[0]:
                rows[int(words[0])] = tuple(float(w) for w in words[1:4])
            else:
                rows[words[3]] = tuple(float(w) for w in words[:3])
        found.append((float(head.split("last ")[1].split(" s")[0]), rows))
    return found


def batch(daemon, *arguments):
    done = daemon.ctl("top", *arguments)
    assert done.returncode == 0, done.err
    return screens(done.out)


def test_idle(root):
    """A plopd that samples only when it is asked says so."""
    with host.Plopd(start=False) as daemon:
        config = os.path.join(daemon.folder, "plop.conf")
        with open(config, "w") as f:
            f.write("[plopd]\nmode = on-demand\n")
        daemon.arguments += ["--config", config]
        daemon.start()
        done = daemon.ctl("top", "-1")
        assert done.returncode == 1 and "its mode is on-demand" in done.err and "plopctl record" in done.err, done.err
        with terminal.Terminal(command(daemon)) as t:
            t.shows("its mode is on-demand")
            t.type("q")
            assert t.end() == 0 and t.restored(), t.raw[-200:]


@pytest.fixture(scope="module")
def busy(plopd):
    with host.Workload(sys.executable, code=SHARES) as work:
        plopd.profiled(work.pid)
        yield work


@pytest.fixture(scope="module")
def many(plopd):
    with host.Workload(sys.executable, code=MANY) as work:
        plopd.profiled(work.pid)
        yield work


@pytest.fixture(scope="module")
def watched(plopd, busy, many):
    """A plopctl top that runs all the while: (terminal, when it was looked at first, its CPU seconds then)."""
    with terminal.Terminal(command(plopd)) as t:
        t.shows("SAMPLES/S")
        over = threading.Event()

        def read():
            """So that it never waits for its terminal."""
            while not over.is_set():
                t.read(0.1)

        thread = threading.Thread(target=read)
        thread.start()
        yield t, time.monotonic(), cpu_seconds(t.pid)
        over.set()
        thread.join()


def test_shares(plopd, busy, watched):
    for length in (1, 2):
        seconds, rows = batch(plopd, "-p", busy.pid, "-1", "-i", 4 * length)[-1]
        counts = [rows[name][2] * seconds for name in ("hot", "warm")]
        x, bound = chi_square(counts, (3, 1))
        print("hot %d, warm %d samples in %.1f s: %.1f %% and %.1f %% of self; chi-square %.1f of %.1f" % (
            counts[0], counts[1], seconds, rows["hot"][0], rows["warm"][0], x, bound))
        assert sum(row[0] for row in rows.values()) <= 100 + 0.05 * len(rows), rows
        assert rows["<module>"][1] > 99, rows
        if x < bound:
            return
    raise AssertionError("hot and warm are not 3 to 1")


def streamed(daemon):
    """
    Of the windows' first events and of all others [seconds, ticks] in sum; how many windows began; and what the saved ones of
    that time have of ticks a second.
    """
    began = time.time()
    done = subprocess.run(["curl", "-sN", "--max-time", "9", "--unix-socket", daemon.socket, "http://plop/v1/stream"],
                          stdout=subprocess.PIPE, timeout=60)
    windows = [w for w in daemon.get("/v1/windows")["windows"] if not w["running"] and w["start"] >= began]
    events = [json.loads(line[6:].decode()) for line in done.stdout.splitlines() if line.startswith(b"data: ")]
    # not of the very first, whose window may be the one in which plopd itself began
    first, later, last, begun = [0.0, 0], [0.0, 0], events[0], 0
    for event in events[1:]:
        begins = last["start"] != event["start"]
        kind = first if begins else later
        kind[0] += event["end"] - (event["start"] if begins else last["end"])
        kind[1] += event["ticks"] - (0 if begins else last["ticks"])
        begun += begins
        last = event
    return first, later, begun, sum(w["ticks"] for w in windows) / sum(w["end"] - w["start"] for w in windows)


def test_ticks_of_each_event(start_plopd):
    """
    What the stream says of its time is of its ticks, also in the first event of a window: their rate is that of all others,
    which is the one of the windows that are saved.
    """
    # many windows, since their first events are short
    daemon = start_plopd("--hz", HZ, "--window", 2)
    with contextlib.ExitStack() as busy_cpus:
        # a CPU that idles has no ticks
        for cpu in os.sched_getaffinity(0):
            work = busy_cpus.enter_context(host.Workload(sys.executable, code=SPIN))
            os.sched_setaffinity(work.pid, {cpu})
        first, later, begun, saved = streamed(daemon)
        # events may come when windows begin: then there is nothing in their first ones
        if first[0] < 0.5:
            time.sleep(0.5)
            first, later, begun, saved = streamed(daemon)
    # where the machine itself does not run all the while there are fewer ticks than were asked for
    rate = later[1] / later[0]
    expected = rate * first[0]
    print("stream: %.0f ticks in %d windows' first events (%.2f s), %.0f by the rate of the others (%.2f s); that is %.0f a second, "
          "of saved windows %.0f" % (first[1], begun, first[0], expected, later[0], rate, saved))
    assert later[1] > 1000 and 0.9 < rate / saved < 1.1, (rate, saved, later)
    # a window begins as late as plopd's loop comes to it
    assert abs(first[1] - expected) <= 0.1 * expected + 0.05 * begun * rate, (first, expected, begun)


def test_text_alone(plopd, busy, many):
    began = time.monotonic()
    (seconds, rows), = batch(plopd, "-P", "--once")
    took = time.monotonic() - began
    assert busy.pid in rows and many.pid in rows, rows
    # a second from now on, not what the window has by now
    assert 0.8 < seconds < took + 0.5, (seconds, took)
    cgroup, comm = plopd.process_of(busy.pid)["cgroup"], plopd.process_of(many.pid)["comm"]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        of_pid, functions, selected, of_cgroup = [screen[0][1] for screen in pool.map(lambda arguments: batch(plopd, "-1", *arguments), (
            ("-P", "-p", many.pid), ("-p", many.pid), ("-P", many.pid, "comm=%s" % comm), ("-P", "-c", cgroup)))]
    assert list(of_pid) == [many.pid] and of_pid[many.pid][0] == 100, of_pid
    assert any(name.startswith("cold") for name in functions) and "hot" not in functions, functions
    assert list(selected) == [many.pid], selected
    assert busy.pid in of_cgroup, of_cgroup


def test_refused(plopd):
    for arguments, status, said in ((["-p", 1], 3, "process 1 is not Python"), (["-p", 4194304], 3, "no process 4194304"), (["-u", "none"], 3, "no process of unit none.service"),
                                    (["-c", "/none"], 3, "no process of cgroup /none"), (["-p", "x"], 2, "process id"),
                                    (["-u", "x.slice"], 3, "no process of unit x.slice"), (["-c", "x"], 3, "no process of cgroup /x"), (["-c", ""], 2, "path"),
                                    (["-i", 0], 2, "1 to 60"),
                                    (["-b", 0], 2, "from 1"), (["-a", "-p", 1], 2, "exclude"), (["x"], 2, "not a selector"), (["comm=none"], 3, "no process of comm=none"), ([], 1, "-b 1")):
        done = plopd.ctl("top", *arguments)
        assert done.returncode == status and said in done.err and not done.out, (arguments, done.returncode, done.err)
    with terminal.Terminal(command(plopd), term="dumb") as t:
        assert t.end() == 1 and b"plopctl export" in t.raw, t.raw


def command(daemon, *arguments):
    return [host.program("plopctl"), "--socket", daemon.socket, "top"] + [str(a) for a in arguments]


def first_row(lines):
    return lines[5].split()[3] if len(lines[5].split()) > 3 else ""


def paused(t, what="", question=lambda lines: True):
    """Pauses on a screen of which question is true, and returns it when it is drawn to its end."""
    def pause():
        t.type(" ")
        lines = t.until("a screen that stays", lambda now: "PAUSED" in "".join(now) and now == t.read(0.3))
        if question(lines):
            return lines
        t.type(" ")
        t.until("it goes on", lambda now: "PAUSED" not in "".join(now) and now[0] != lines[0])
        return None

    return until(lambda: "paused on %s; the last screen:\n%s" % (what, "\n".join(t.screen.lines())), pause, 60)


def keys(t):
    lines = t.until("hot is on top", lambda now: first_row(now) == "hot")
    assert lines[0].startswith("plop top") and "Ticks/s:" in lines[1] and "plop itself" in lines[2], lines
    for key in ("p", "f", "\t", "\t"):
        t.type(key)
        t.shows(COLUMNS.get(key, ""))
    t.shows("FUNCTION")
    t.type("t")
    t.shows("*TOTAL%")
    t.until("<module> has the most in total", lambda now: first_row(now) == "<module>")
    t.type("<")
    t.shows("*SELF%")
    t.type("h")
    t.shows("Keys:")
    t.type("x")
    t.until("no help", lambda now: not any("Keys:" in line for line in now))
    t.type("/WAR")
    t.until("only warm, while it is typed", lambda now: first_row(now) == "warm" and not any("hot" in line for line in now[5:]))
    t.type("\r")
    t.shows("filter: WAR")
    t.type("/\x1b")
    t.until("hot again", lambda now: first_row(now) == "hot")
    t.type("+")
    t.shows("every 2 s")
    t.type("-")
    t.shows("every 1 s")
    before = paused(t)
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        assert t.read(0.1) == before, "it goes on while paused"
    t.type(" ")
    t.until("it goes on", lambda now: now[0] != before[0] and "PAUSED" not in now[3])


def sizes(t):
    t.until("a screen full of functions", lambda now: "cold" in now[23])
    for columns, rows in ((132, 40), (20, 6), (1, 1), (60, 12)):
        t.resize(columns, rows)
        t.until("a head line as wide as the screen", lambda now, c=columns: now[0].startswith("plop top"[:c]))
    lines = t.until("a row in each line", lambda now: all(".py" in line or "<string>" in line for line in now[5:]))
    assert len(lines) == 12 and all(len(line) <= 60 for line in lines), lines
    # more than two pages of the small screen
    t.resize(80, 24)
    t.until("a screen full of functions", lambda now: "cold" in now[23])
    paused(t, "a screen full of functions", lambda now: "cold" in now[23])
    t.resize(60, 12)
    first = t.until("a small one", lambda now: "cold" in now[11] and now == t.read(0.3))
    t.type(DOWN)
    t.until("one row down", lambda now: now[5] == first[6])
    t.type(PAGE_DOWN)
    t.until("a page down", lambda now: first[5] not in now and now[5] not in first)
    t.type(PAGE_DOWN * 10)
    last = t.until("at the end", lambda now: now[11] and not set(now[5:]) & set(first[5:]) and now == t.read(0.3))
    t.type(HOME)
    t.until("at the start", lambda now: now[5:] == first[5:])
    t.type(END)
    t.until("at the end", lambda now: now[5:] == last[5:])
    t.type(HOME)
    t.until("at the start", lambda now: now[5:] == first[5:])


def test_keys(plopd, busy):
    with terminal.Terminal(command(plopd, "-p", busy.pid)) as t:
        keys(t)
        t.type("q")
        assert t.end() == 0 and t.restored(), t.raw[-200:]


def test_sizes(plopd, many):
    with terminal.Terminal(command(plopd, "-p", many.pid)) as t:
        sizes(t)
        t.type("q")
        assert t.end() == 0 and t.restored(), t.raw[-200:]


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT), ids=lambda number: number.name)
def test_ends(plopd, busy, number):
    """However it ends, the terminal is as it was."""
    with terminal.Terminal(command(plopd, "-p", busy.pid)) as t:
        t.shows("hot")
        os.kill(t.pid, number)
        status = t.end()
        assert status == 0 and t.restored(), (number, status, t.raw[-200:])


def test_cost(watched):
    t, began, used = watched
    until("20 s have passed", lambda: t.read(0.1) and time.monotonic() - began >= 20, 30, 0)
    share = (cpu_seconds(t.pid) - used) / (time.monotonic() - began)
    print("plopctl top used %.2f %% of a core in %.1f s, at one screen a second" % (100 * share, time.monotonic() - began))
    assert share < 0.01, share


def outlives(daemon, t):
    """plopd goes away and comes back."""
    t.until("hot is on top", lambda now: first_row(now) == "hot")
    daemon.stop()
    lines = t.shows("plopd went away")
    assert first_row(lines) == "hot", lines
    daemon.start()
    t.until("it goes on", lambda now: "went away" not in now[3] and first_row(now) == "hot")


def test_outlives_plopd_and_the_process(plopd, busy):
    with terminal.Terminal(command(plopd, "-p", busy.pid)) as t:
        outlives(plopd, t)
        busy.process.kill()
        t.shows("no process of pid %d runs any more" % busy.pid)
        t.type("q")
        assert t.end() == 0 and t.restored(), t.raw[-200:]
