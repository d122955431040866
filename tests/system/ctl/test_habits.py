# SPDX-License-Identifier: BSD-2-Clause
"""What plopctl makes of what people type, what record says on a terminal, and the programs that it starts; against ctl_server."""
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

import terminal
from server import DEADLINE, Program
from test_ctl import CTL, PROFILE, Case
from waiting import until

PYTHON = sys.executable


class Meant(Case):
    def test_did_you_mean(self):
        for said, *arguments in (("no command stats; did you mean status?", "stats"), ("did you mean record?", "recodrd"),
                                 ("did you mean export?", "exp"), ("did you mean top?", "tpo"),
                                 ("record: there is no option --durration; did you mean --duration?", "record", "-a", "--durration=5s"),
                                 ("did you mean --since?", "export", "--sicne", "1h"), ("did you mean --json?", "status", "--jsno"),
                                 ("did you mean --socket?", "ps", "--sokcet", "x"), ("did you mean --help?", "open", "--hlep"),
                                 ("did you mean --processes?", "top", "--proceses"), ("did you mean --pid?", "dump", "--pdi", "1"),
                                 ("did you mean service=web?", "export", "srvvice=web"), ("did you mean unit=a=b?", "ps", "untit=a=b"),
                                 ("did you mean container=x?", "record", "contaainer=x"), ("did you mean version=1?", "top", "vversion=1")):
            self.refused(2, said, *arguments)

    def test_nothing_is_guessed(self):
        for arguments in (("nonsense",), ("record", "--colour"), ("export", "colour=red"), ("record", "-a", "--")):
            done = self.ctl(*arguments)
            assert "did you mean" not in done.stderr
        # an option's argument is none of the options, a part of an option's name is that option
        self.refused(1, "cannot write --durration", "record", "-a", "-d", "0.1", "-o", "--durration/x")
        self.refused(1, "cannot write --durration", "record", "-a", "-d0.1", "-ao", "--durration/x")
        done = self.ctl("record", "-a", "--dur", "0.1", "--form=collapsed", "-o", "-")
        assert (done.returncode, done.stdout.encode()) == (0, PROFILE), done.stderr

    def test_a_number_is_a_process(self):
        for arguments, pids in ((("4711",), [4711]), (("4711", "-p", "5", "pid=6"), [4711, 5, 6])):
            done = self.ctl("record", *arguments, "-d", "100ms", "-f", "collapsed", "-o", "-")
            assert (done.returncode, done.stdout.encode()) == (0, PROFILE), done.stderr
            assert json.loads(self.server.status()["test_body"])["pid"] == pids
        self.refused(2, "not a process id, a number from 1", "record", "0")
        self.refused(2, "exclude", "record", "-a", "4711")
        self.refused(2, "to start a program: plopctl record -- python3", "record", "python3", "app.py", "--reload")

    def test_selectors(self):
        done = self.ctl("record", "service=web", "service=shop", "gil=held", "-d", "100ms", "-f", "collapsed", "-o", "-")
        assert (done.returncode, done.stdout.encode()) == (0, PROFILE), done.stderr
        body = json.loads(self.server.status()["test_body"])
        assert (body["all"], body["selectors"]) == (True, ["service=web", "service=shop"])
        self.refused(3, "no process with service=nobody", "record", "service=nobody", "-o", "-", "-f", "collapsed")
        self.refused(3, "no process of service=nobody", "top", "-1", "service=nobody")

    def test_one_of_several(self):
        done = self.ctl("record", "-p", "422", "-p", "4711", "-d", "100ms", "-f", "collapsed", "-o", "-")
        assert (done.returncode, done.stdout.encode()) == (0, PROFILE), done.stderr
        assert "process 422 is not Python (it is bash); going on without it" in done.stderr
        # alone it is what was meant
        self.refused(3, "422 is not Python", "record", "-p", "422")


class Said(Case):
    """What record says at its end, and when it is interrupted."""

    def on_a_terminal(self, *arguments, columns=100):
        return terminal.Terminal([CTL, "record", *arguments, "--socket", self.path], columns=columns, rows=40)

    def test_the_hottest_functions(self):
        for form, name, opens in (("collapsed", "x", "flamegraph.pl"), ("pprof", "y.pb.gz", "go tool pprof -http=: "), ("plop", "z", "")):
            path = os.path.join(self.folder, name)
            with self.on_a_terminal("4711", "-d", "200ms", "-f", form, "-o", path) as t:
                assert t.end() == 0
                lines = [line for line in t.read(0) if line]
            at = next(i for i, line in enumerate(lines) if "hottest functions" in line)
            assert lines[at + 1] == " 100.0 %  handle (/srv/web.py:7)"
            assert not any("main (" in line for line in lines), lines
            assert ("to open it: " in lines[-1]) == bool(opens), lines
            assert opens in lines[-1]
        # elsewhere there is nobody to read it
        done = self.ctl("record", "4711", "-d", "100ms", "-o", "x")
        assert "hottest" not in done.stderr
        assert "to open it" not in done.stderr

    def test_two_ctrl_c(self):
        """A recording that does not end: the second Ctrl-C says that nothing was kept."""
        kept = os.path.join(self.folder, "kept.pb.gz")
        with self.on_a_terminal("555", "-d", "1h", "-o", kept) as t:
            t.shows("samples")
            polls = self.server.status()["test_polls"]
            t.type("\x03")
            # from then on it asks only whether it has ended, and often
            until("it is being stopped", lambda: self.server.status()["test_polls"] > polls + 20, DEADLINE)
            t.type("\x03")
            assert t.end() == 130
            assert any("nothing was kept" in line for line in t.read(0)), t.read(0)
        assert self.left() == []


SIGNALS = r"""
import os, signal, sys, time
seen = []
for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT):
    signal.signal(n, lambda n, _: (seen.append(signal.Signals(n).name), os.write(1, b"GOT %d\n" % len(seen))))
print("READY", os.getpid(), flush=True)
while len(seen) < int(sys.argv[1]):
    time.sleep(0.01)
time.sleep(0.3)
print(*seen, flush=True)
sys.exit(5)
"""
SHOW = r"""
import json, os, signal, sys
print(json.dumps({"arguments": sys.argv[1:], "environment": dict(os.environ), "folder": os.getcwd(), "ids": os.getresuid() + os.getresgid(),
                  "group": os.getpgrp(), "session": os.getsid(0), "parent": os.getppid(), "input": sys.stdin.readline(),
                  "blocked": [int(n) for n in signal.pthread_sigmask(signal.SIG_BLOCK, [])], "files": sorted(os.listdir("/proc/self/fd")),
                  "cgroup": open("/proc/self/cgroup").read(), "ignored": signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN}))
"""


class Started(Case):
    """plopctl record -- COMMAND."""

    def begin(self, *command, before=(), **options):
        return Program(CTL, "record", *before, "-o", "kept.pb.gz", "--socket", self.path, "--", *command, cwd=self.folder, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, **options)

    def record(self, *command, before=(), **options):
        return subprocess.run([CTL, "record", *before, "-o", "kept.pb.gz", "--socket", self.path, "--", *command], cwd=self.folder, text=True,
                              capture_output=True, timeout=DEADLINE, check=False, **options)

    def test_it_is_as_its_caller_would_start_it(self):
        environment = dict(os.environ, JOURNAL_STREAM="1:2", PLOP_TEST="a\nb")
        direct, recorded = (json.loads(subprocess.run([*how, PYTHON, "-c", SHOW, "-o", "--", "x y", ""], cwd=self.folder, input="hello\n",
                                                      text=True, stdout=subprocess.PIPE, check=True, timeout=DEADLINE, env=environment).stdout)
                            for how in ([], [CTL, "record", "-o", "kept.pb.gz", "--socket", self.path, "--"]))
        for key in direct:
            if key != "parent":
                assert recorded[key] == direct[key], key
        body = json.loads(self.server.status()["test_body"])
        assert set(body) == {"duration_s", "tree", "child"}
        assert body["duration_s"] == 86400
        assert self.left() == ["kept.pb.gz"]

    def test_exit_status(self):
        for code, status in (("", 0), ("import sys; sys.exit(3)", 3), ("import os; os.kill(os.getpid(), 9)", 137),
                             ("import os; os.abort()", 134)):
            done = self.record(PYTHON, "-c", code, before=("-f", "collapsed"))
            assert done.returncode == status, done.stderr
            assert "written to kept" in done.stderr
            with open(os.path.join(self.folder, "kept.pb.gz"), "rb") as f:
                assert f.read() == PROFILE
            os.unlink(os.path.join(self.folder, "kept.pb.gz"))

    def test_what_cannot_be_executed(self):
        plain = os.path.join(self.folder, "plain")
        with open(plain, "w", encoding="ascii"):
            pass
        for path, status, said in (("./not-there", 127, "No such file"), (plain, 126, "Permission denied")):
            done = self.record(path)
            assert done.returncode == status, done.stderr
            assert "cannot execute %s: %s" % (path, said) in done.stderr
        assert self.left() == ["plain"]

    def test_nothing_runs_without_a_recording(self):
        """The program is held until the recording runs, and ends unstarted where there is none."""
        mark = os.path.join(self.folder, "mark")
        for before, status, said in ((("-F", "7"), 3, "leave -F out"), (("-d", "1w"), 2, "-d 1w"), (("-a",), 2, "exclude"),
                                     (("-S", "/not-there"), 5, "cannot reach plopd")):
            done = self.record("touch", mark, before=before) if before[0] != "-S" else \
                subprocess.run([CTL, "record", *before, "--", "touch", mark], cwd=self.folder, text=True, capture_output=True, check=False,
                               timeout=DEADLINE)
            assert done.returncode == status, done.stderr
            assert said in done.stderr
        for out in ("-", "/dev/stdout"):
            done = self.ctl("record", "-o", out, "-f", "collapsed", "--socket", self.path, "--", "touch", mark)
            assert done.returncode == 2
            assert "has stdout for itself" in done.stderr
        done = self.ctl("record", "-o", "missing/x", "--", "touch", mark)
        assert done.returncode == 1
        assert self.left() == []

    def test_signals_are_passed_on(self):
        program = self.begin(PYTHON, "-c", SIGNALS, "4")
        program.process.stdout.readline()
        sent = []
        for n in (signal.SIGUSR1, signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            program.process.send_signal(n)
            sent.append(n.name)
            assert program.process.stdout.readline() == b"GOT %d\n" % len(sent)
        said, errors = program.process.communicate(timeout=DEADLINE)
        assert (said.decode().split(), program.process.returncode) == (sent, 5), errors
        assert self.left() == ["kept.pb.gz"]

    def test_ctrl_c_comes_once(self):
        """The terminal tells the whole process group; plopctl waits for the program, whatever is typed."""
        for keys, names in (("\x03", "SIGINT"), ("\x1c", "SIGQUIT")):
            with terminal.Terminal([CTL, "record", "-o", os.path.join(self.folder, "kept.pb.gz"), "--socket", self.path, "--", PYTHON, "-c", SIGNALS,
                                    "2"], columns=120, rows=40) as t:
                t.shows("READY")
                for n in (1, 2):
                    t.type(keys)
                    t.shows("GOT %d" % n)
                lines = t.shows(names + " " + names)
                assert not any(names + " " + names + " " + names in line for line in lines), lines
                assert t.end() == 5
                # the program has the terminal: nothing is drawn over what it writes
                assert b"[#" not in t.raw
                assert any("written to" in line for line in t.read(0)), t.read(0)

    def test_a_recording_that_ends_first(self):
        """The file is there as soon as that is so, and the program goes on."""
        program = self.begin(PYTHON, "-c", SIGNALS, "1", before=("-d", "100ms"))
        program.process.stdout.readline()
        until("the file", lambda: self.left() == ["kept.pb.gz"], DEADLINE)
        program.process.send_signal(signal.SIGTERM)
        said, errors = program.process.communicate(timeout=DEADLINE)
        assert (said, program.process.returncode) == (b"GOT 1\nSIGTERM\n", 5), errors

    def test_plopd_goes_away(self):
        """The program is none of plopd's: it goes on; a profile that fails shows where the program itself has not failed."""
        for number, status in (("0", 1), ("7", 7)):
            program = self.begin("sh", "-c", "echo READY; read x; exit %s" % number, stdin=subprocess.PIPE)
            program.process.stdout.readline()
            until("the recording", lambda: self.server.status()["test_recordings"], DEADLINE)
            self.end_server()
            assert b"plopd went away" in program.process.stderr.readline()
            assert program.process.poll() is None
            program.process.communicate(b"go\n", timeout=DEADLINE)
            assert program.process.returncode == status
            os.unlink(self.path)
            self.setUp()

    def test_a_killed_plopctl_leaves_no_held_program(self):
        """What waits to be executed ends with plopctl."""
        mark = os.path.join(self.folder, "mark")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "silent")
            with socket.socket(socket.AF_UNIX) as silent:
                silent.bind(path)
                silent.listen(8)
                process = subprocess.Popen([CTL, "record", "-o", "kept.pb.gz", "--socket", path, "--", "touch", mark], cwd=self.folder)
                with open("/proc/%d/task/%d/children" % (process.pid, process.pid), encoding="ascii") as f:
                    child = until("the held process", lambda: f.seek(0) or f.read().split(), DEADLINE)
                process.kill()
                process.wait()
                until("the held process ends", lambda: not is_there(child[0]), DEADLINE)
        assert not os.path.exists(mark)


def is_there(pid):
    """Not if it has ended, whoever is to take note of that."""
    try:
        with open("/proc/%s/status" % pid, encoding="ascii") as f:
            return not re.search(r"^State:\s+Z", f.read(), re.M)
    except OSError:
        return False
