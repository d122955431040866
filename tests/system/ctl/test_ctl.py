# SPDX-License-Identifier: BSD-2-Clause
"""plopctl and the HTTP server on a Unix socket, against ctl_server, whose answers are known."""
import concurrent.futures
import fcntl
import gzip
import json
import os
import pty
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import unittest

import pytest

from patience import PATIENCE
from server import BAD_CHUNKS, CHUNKED, DEADLINE, GARBAGE, Program, Server, connect, error_of, raw, request
from waiting import until

CTL = os.environ["PLOP_CTL"]
PROFILE = b"main (/srv/web.py:3);handle (/srv/web.py:9) 90\n"


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="plop-ctl-")
        os.chmod(self.folder, 0o755)
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = os.path.join(self.folder, "plopd.sock")
        self.server = Server(self.path)
        self.addCleanup(self.end_server)

    def end_server(self):
        if self.server:
            server, self.server = self.server, None
            # Sanitizers and leaks show as a status of their own.
            assert server.end() == 0

    def ctl(self, *arguments, **options):
        return subprocess.run([CTL, *arguments, "--socket", self.path], cwd=self.folder, capture_output=True, text=True,
                              timeout=DEADLINE, check=False, **options)

    def left(self):
        return sorted(n for n in os.listdir(self.folder) if n != "plopd.sock")

    def refused(self, status, said, *arguments):
        done = self.ctl(*arguments)
        assert done.returncode == status, done.stderr
        assert said in done.stderr
        assert done.stderr.startswith("plopctl: "), done.stderr
        assert done.stdout == ""


class Plopctl(Case):
    def test_status(self):
        done = self.ctl("status")
        assert done.returncode == 0, done.stderr
        for text in ("100 Hz", "20,000", "60.0 %", "fault 10", "12 windows", "not running"):
            assert text in done.stdout
        assert max(map(len, done.stdout.splitlines())) <= 80
        said = json.loads(self.ctl("status", "--json").stdout)
        assert said["samples"]["lost"]["fault"] == 10

    def test_ps(self):
        done = self.ctl("ps")
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert len(lines) == 4
        # who uses most comes first
        assert re.search(r"^ +4711 3\.13\.0 +93\.5 +12,000 +100\.0 +8 web +python3 web\.py --port 80$", lines[1])
        assert re.search(r"^ +77 3\.9\.2 +5\.0 +70 .* shop +worker$", lines[2])
        assert "PyPy is not supported" in lines[3]
        assert [p["pid"] for p in json.loads(self.ctl("ps", "--json").stdout)] == [4711, 77, 12]
        for selectors, pids in ((["service=shop"], [77]), (["service=shop", "service=web"], [4711, 77]), (["service=shop", "version=8"], []),
                                (["cgroup=/system.slice"], [4711]), (["12"], [12]), (["unit="], [77, 12]), (["thread=1"], [4711, 77, 12])):
            assert [p["pid"] for p in json.loads(self.ctl("ps", "--json", *selectors).stdout)] == pids, selectors
        done = self.ctl("ps", "service=none")
        assert (done.returncode, done.stdout) == (0, "")
        assert "none of the 3 Python processes" in done.stderr

    def test_open_needs_a_gateway(self):
        self.refused(1, "plop-gateway is not running", "open")
        request(self.path, "POST", "/v1/gateway", '{"url":"http://127.0.0.1:7567"}')
        assert self.ctl("open").stdout == "http://127.0.0.1:7567/?token=good\n"

    def test_record_formats(self):
        for name, extension in (("pprof", "pb.gz"), ("collapsed", "collapsed"), ("speedscope", "speedscope.json"),
                                ("plop", "plop"), ("json", "json")):
            done = self.ctl("record", "-p", "4711", "-d", "100ms", "-f", name)
            assert done.returncode == 0, done.stderr
            assert "90 samples" in done.stderr
            assert "fault 2" in done.stderr
            [file] = self.left()
            assert re.search(r"^plop-4711-\d{8}-\d{6}\." + re.escape(extension) + "$", file)
            assert file in done.stderr
            assert done.stdout == ""
            with open(os.path.join(self.folder, file), "rb") as f:
                data = f.read()
            if name == "pprof":
                assert b"/srv/web.py" in gzip.decompress(data)
            elif name == "collapsed":
                assert data == PROFILE
            elif name in ("json", "speedscope"):
                json.loads(data)
            os.unlink(os.path.join(self.folder, file))

    def test_the_ending_tells_the_format(self):
        """In both commands alike, and -f wins over it; a name that tells none is pprof, stdout is text."""
        first = {"pprof": b"\x1f\x8b", "collapsed": b"main (/srv", "speedscope": b'{"$schema":', "json": b'{"type":"plop-callgraph"', "plop": b"{((", "svg": b"<svg ",
                 "html": b"<!DOCTYPE html>"}
        for command in (("record", "-p", "4711", "-d", "100ms"), ("export",)):
            for file, form, more in (("x.pb.gz", "pprof", ()), ("x.pprof", "pprof", ()), ("X.PB.GZ", "pprof", ()), ("x.collapsed", "collapsed", ()),
                                     ("x.folded", "collapsed", ()), ("x.txt", "collapsed", ()), ("x.speedscope.json", "speedscope", ()),
                                     ("x.json", "json", ()), ("x.plop", "plop", ()), ("x.svg", "svg", ()), ("x.html", "html", ()), ("x.pb.gz", "collapsed", ("-f", "collapsed")),
                                     ("x.dat", "pprof", ()), ("json", "pprof", ()), ("x.json.bak", "pprof", ()), ("x.dat", "json", ("-f", "json"))):
                if form in ("svg", "html") and command[0] == "record":
                    continue  # there is room for so many recordings
                done = self.ctl(*command, "-o", file, *more)
                assert (done.returncode, done.stdout) == (0, ""), done.stderr
                with open(os.path.join(self.folder, file), "rb") as f:
                    assert f.read(len(first[form])) == first[form], (command, file)
                assert "%s (%s)\n" % (file, form) in done.stderr
                told = file.endswith((".gz", ".GZ", ".pprof", ".collapsed", ".folded", ".txt", ".json", ".plop", ".svg", ".html")) or more
                assert ("%s: its ending tells no format, so it is pprof" % file in done.stderr) == (not told), done.stderr
                assert "to open it" not in done.stderr  # no terminal
                os.unlink(os.path.join(self.folder, file))
            for to in ((), ("-o", "-")) if command[0] == "export" else (("-o", "-"),):
                done = self.ctl(*command, *to)
                assert (done.returncode, done.stdout.encode()) == (0, PROFILE), done.stderr
        assert self.left() == []

    def test_record_of_a_busy_plopd(self):
        """A result that plopd has no time to write is asked for again."""
        done = self.ctl("record", "-p", "503", "-d", "100ms", "-f", "collapsed", "-o", "x")
        assert done.returncode == 0, done.stderr
        assert self.left() == ["x"]

    def test_record_by_name(self):
        """Whether it is kept is said, and one that is not has its file all the same."""
        for name, status, sentence in (("before", 0, "kept as before\n"), ("full", 1, "plopd does not keep it: the disk of /x is full\n")):
            done = self.ctl("record", "-p", "4711", "-d", "100ms", "-f", "collapsed", "-o", "x", "--name", name)
            assert done.returncode == status and sentence in done.stderr, (done.returncode, done.stderr)
            assert self.left() == ["x"]
            os.unlink(os.path.join(self.folder, "x"))

    def test_record_tasks(self):
        for pid, said in (("4711", False), ("310", True)):
            done = self.ctl("record", "-p", pid, "--async", "-d", "100ms", "-f", "collapsed", "-o", "-")
            assert done.returncode == 0, done.stderr
            assert ("no tasks: --async is for CPython 3.11" in done.stderr) == said, done.stderr
        done = self.ctl("record", "-p", "310", "-d", "100ms", "-f", "collapsed", "-o", "-")
        assert "no tasks" not in done.stderr

    def test_record_states(self):
        for pid, options, sentences in (
                ("77", (), ["GIL held 100 % of the time on CPU\n"]),
                ("88", (), ["GIL held 88 % of the time on CPU, not known for 12 %\n"]),
                ("99", ("--wall",), ["GIL held 88 % of the time on CPU, not known for 12 %, waited for 40 % of wall time\n",
                                     "10.0 s, of it 3.0 s asleep, 1.0 s runnable without a CPU, 1.5 s off CPU for a reason not known\n",
                                     "1 thread waited throughout and has no stack"]),
                ("77", ("--wall",), ["held 100 % of the time on CPU, waited for 40 %", "1.0 s runnable without a CPU\n"])):
            done = self.ctl("record", "-p", pid, *options, "-d", "100ms", "-f", "collapsed", "-o", "-")
            for sentence in sentences:
                assert sentence in done.stderr

    def test_record_to_a_pipe(self):
        done = self.ctl("record", "-a", "-d", "0.1", "-f", "collapsed", "-o", "-")
        assert done.stdout.encode() == PROFILE
        # No progress bar: every line of stderr is a whole message.
        assert "\r" not in done.stderr
        assert all(line.startswith("plopctl: ") for line in done.stderr.splitlines()), done.stderr
        assert self.left() == []

    def test_record_checks_first(self):
        self.refused(1, "cannot write", "record", "-p", "4711", "-o", os.path.join(self.folder, "missing", "x"))
        self.refused(1, "Is a directory", "record", "-p", "4711", "-o", self.folder)
        self.refused(1, "a file without a name", "record", "-p", "4711", "-o", "")
        os.symlink("nowhere", os.path.join(self.folder, "dangling"))
        self.refused(1, "cannot write dangling", "record", "-p", "4711", "-o", "dangling")
        os.unlink(os.path.join(self.folder, "dangling"))
        assert self.server.status()["test_recordings"] == 0
        assert self.left() == []

    def test_record_to_a_link(self):
        """What a link names is written, and the link stays; /dev/stdout is one, and root could replace it."""
        target, link = os.path.join(self.folder, "target"), os.path.join(self.folder, "link")
        for names in (target, "/proc/self/fd/1"):
            os.symlink(names, link)
            with open(target, "wb") as out:
                done = subprocess.run([CTL, "record", "-p", "4711", "-d", "100ms", "-f", "collapsed", "-o", link, "--socket", self.path],
                                      cwd=self.folder, stdout=out, stderr=subprocess.PIPE, timeout=DEADLINE, check=False)
            assert done.returncode == 0, done.stderr
            assert os.path.islink(link)
            with open(target, "rb") as f:
                assert f.read() == PROFILE
            os.unlink(link)
        assert self.left() == ["target"]
        done = self.ctl("record", "-p", "4711", "-d", "100ms", "-f", "collapsed", "-o", "/dev/stdout")
        assert (done.returncode, done.stdout.encode()) == (0, PROFILE), done.stderr

    def test_record_exit_statuses(self):
        self.refused(3, "no process 404", "record", "-p", "404")
        self.refused(3, "422 is not Python", "record", "-p", "422")
        self.refused(4, "another user's", "record", "-p", "403")
        self.refused(2, "-p PID", "record")
        self.refused(2, "exclude", "record", "-a", "-p", "1")
        self.refused(2, "-u b: one control group or unit", "record", "-u", "a", "-u", "b")
        self.refused(2, "-c /b: one control group or unit", "record", "-u", "a", "-c", "/b")
        for bad in (("-p", "0"), ("-p", "x"), ("-p", "99999999"), ("-d", "1w"), ("-d", "0"), ("-F", "0"),
                    ("-l", "k"), ("-l", "9=v"), ("-l", "k=a\nb"), ("-l", "k=" + 257 * "v"), ("-g", ""), ("-g", "colour"), ("-g", "pid,pid"),
                    ("-f", "xml"), ("-f", "png"), ("-c", "x"), ("-u", "x"), ("-F", "10001"), ("stray",), ("4711",)):
            self.refused(2, "", "record", "-a", *bad)
        self.refused(2, "-l env=prod and -l env=test exclude", "record", "-a", "-l", "env=prod", "-l", "a=b", "-l", "env=test")
        self.refused(2, "at most 16", "record", "-a", *[word for i in range(17) for word in ("-l", "k%d=v" % i)])
        assert self.left() == []

    def test_usage_and_reach(self):
        self.refused(2, "say what to compare", "diff")
        self.refused(2, "no command", "nonsense")
        self.refused(2, "not a selector", "export", "colour=red")
        self.refused(2, "not one of running, waiting for the GIL", "export", "state=idle")
        self.refused(2, "different keys", "export", "--group-by", "service,colour")
        self.refused(2, '--since teatime is not a time; it is one of: 10m, "1 hour ago", now, today', "export", "--since", "teatime")
        self.refused(2, '"2026-11-28 09:00" (the host', "export", "--until", "2026-11-28 9 am")
        self.refused(2, "not between 1970 and 2554", "export", "--since", "1960-01-01")
        self.refused(2, "30s or 1h30m", "record", "-a", "-d", "1h30")
        self.refused(1, "not a terminal", "top")
        self.refused(2, "not before", "export", "--since", "1m", "--until", "2m")
        path, self.path = self.path, os.path.join(self.folder, "nobody")
        self.refused(5, "cannot reach plopd at " + self.path, "status")
        self.path = path
        for command in ((), ("status",), ("ps",), ("record",), ("export",), ("dump",), ("top",), ("open",)):
            done = subprocess.run([CTL, *command, "--help"], capture_output=True, text=True, check=True, timeout=DEADLINE)
            assert "--socket" in done.stdout

    def test_export(self):
        done = self.ctl("export", "--since", "1h", "pid=4711", "comm=a&b=c%")
        assert (done.returncode, done.stdout.encode()) == (0, PROFILE), done.stderr
        done = self.ctl("export", "-f", "pprof", "-o", "x.pb.gz")
        assert "90 samples" in done.stderr
        assert self.left() == ["x.pb.gz"]

    def test_times_are_as_journalctl_takes_them(self):
        for since in ("yesterday", "1 hour ago", "1h30m", "-5min", "0:00", "yesterday 13:00", "2026-01-02 09:00", "@60"):
            done = self.ctl("export", "--since", since, "--until", "tomorrow")
            assert (done.returncode, done.stdout.encode()) == (0, PROFILE), done.stderr
        # the zone is the host's, and what it says is told
        done = self.ctl("export", "--since", "2026-01-02 12:00", "--until", "2026-01-02 09:00 UTC", env=dict(os.environ, TZ="EAT-3"))
        assert done.returncode == 2
        assert "--since 2026-01-02 12:00 (2026-01-02 12:00:00) is not before --until 2026-01-02 09:00 UTC (2026-01-02 12:00:00)" in done.stderr

    def test_config_names_the_socket(self):
        file = os.path.join(self.folder, "plop.conf")
        with open(file, "w", encoding="ascii") as f:
            f.write("[plopd]\nsocket = %s\n" % self.path)
        done = subprocess.run([CTL, "--config", file, "status"], capture_output=True, text=True, timeout=DEADLINE, check=False)
        assert done.returncode == 0, done.stderr
        with open(file, "a", encoding="ascii") as f:
            f.write("hz = 0\n")
        done = subprocess.run([CTL, "--config", file, "status"], capture_output=True, text=True, timeout=DEADLINE, check=False)
        assert done.returncode == 1
        assert "plop.conf:3: hz = 0: must be a number from 1 to 10000" in done.stderr


class Interrupted(Case):
    def begin(self, *arguments, **options):
        program = Program(CTL, "record", "-p", "4711", "-d", "1h", "-f", "collapsed", "-o", "kept", *arguments, "--socket",
                          self.path, cwd=self.folder, stderr=subprocess.PIPE, **options)
        until("the recording", lambda: self.server.status()["test_recordings"], DEADLINE)
        return program

    def test_ctrl_c_keeps_what_there_is(self):
        program = self.begin()
        program.process.send_signal(signal.SIGINT)
        said = program.process.stderr.read().decode()
        assert program.end(0) == 0, said
        assert "stopped early" in said
        with open(os.path.join(self.folder, "kept"), "rb") as f:
            assert f.read() == PROFILE
        assert self.left() == ["kept"]

    def test_a_duration_of_several_parts(self):
        program = self.begin("-d", "1h30m")
        assert json.loads(request(self.path, "GET", "/v1/recordings/r1")[2])["duration_s"] == 5400
        program.process.send_signal(signal.SIGINT)
        program.process.stderr.read()
        assert program.end(0) == 0

    def test_plopd_goes_away_at_once(self):
        program = self.begin()
        self.end_server()
        said = program.process.stderr.read().decode()
        assert program.end(0) == 1, said
        assert "plopd went away" in said
        assert "nothing had been received" in said
        assert self.left() == []

    def test_plopd_goes_away_later(self):
        program = self.begin()
        # the first is soon: most recordings are short
        until("a fetch of the profile so far", lambda: self.server.status()["test_fetches"], DEADLINE)
        elapsed = json.loads(request(self.path, "GET", "/v1/recordings/r1")[2])["elapsed_s"]
        assert elapsed < 8
        # plopctl asks for the next thing when it has that profile.
        polls = self.server.status()["test_polls"]
        until("the next question", lambda: self.server.status()["test_polls"] > polls, DEADLINE)
        self.end_server()
        said = program.process.stderr.read().decode()
        assert program.end(0) == 1, said
        assert "holds what had been received" in said
        with open(os.path.join(self.folder, "kept"), "rb") as f:
            assert f.read() == PROFILE

    def test_a_terminal_has_a_bar_and_no_binary(self):
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        refused = subprocess.run([CTL, "record", "-a", "-d", "0.1", "-f", "pprof", "-o", "-", "--socket", self.path], stdout=slave,
                                 stderr=subprocess.PIPE, timeout=DEADLINE, check=False)
        assert refused.returncode == 2
        assert b"terminal" in refused.stderr
        program = Program(CTL, "record", "-p", "4711", "-d", "1s", "-o", "x", "--socket", self.path, cwd=self.folder, stderr=slave)
        os.close(slave)
        seen = b""
        try:
            while True:
                more = os.read(master, 4096)
                if not more:
                    break
                seen += more
        except OSError:
            pass  # EIO: the other side has closed
        os.close(master)
        assert program.end(0) == 0
        bars = re.findall(rb"\[([#-]{24})\] ([0-9.]+)/1 s  90 samples  2 lost", seen)
        assert len(bars) >= 2, seen
        assert float(bars[0][1]) < float(bars[-1][1])
        assert b"written to x" in seen
        assert b"to open it: go tool pprof -http=: -filefunctions x" in seen


@pytest.fixture(scope="module", autouse=True)
def patience():
    """
    {function: its result to come} of PATIENCE, each with a server of its own, while the other tests run: they wait for the end of
    the server's patience, which is ten seconds.
    """
    with tempfile.TemporaryDirectory(prefix="plop-ctl-") as folder, concurrent.futures.ThreadPoolExecutor(len(PATIENCE)) as pool:
        servers = {function: Server(os.path.join(folder, function.__name__)) for function in PATIENCE}
        yield {function: pool.submit(function, server.path) for function, server in servers.items()}
        pool.shutdown()
        for server in servers.values():
            # Sanitizers and leaks show as a status of their own.
            assert server.end() == 0


class Http(Case):
    def test_routes(self):
        assert request(self.path, "GET", "/v1/status")[0] == 200
        status, headers, body = request(self.path, "PUT", "/v1/recordings/r1")
        assert (status, headers["Allow"]) == (405, "GET, HEAD, DELETE")
        assert "hint" in json.loads(body)
        assert request(self.path, "GET", "/v1/nothing")[0] == 404
        assert request(self.path, "GET", "/forgetful")[0] == 500
        assert request(self.path, "GET", "/debug/pprof/profile")[2] == b"later\n"
        assert request(self.path, "GET", "/v1/stream")[2].count(b"event: window\ndata: ") == 5
        assert request(self.path, "GET", "/v1/profile?pids=1")[0] == 400

    def test_bodies(self):
        said = json.loads(request(self.path, "POST", "/echo", "a" * 65536)[2])
        assert said["body"] == "a" * 65536
        for size in (65537, 900000):
            status, said = error_of(raw(self.path, b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size + b"a" * size))
            assert status == 413
            assert "65536" in said
        chunked = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"1000\r\n" + b"a" * 4096 + b"\r\n") * 20
        assert error_of(raw(self.path, chunked + b"0\r\n\r\n"))[0] == 413

    def echoed(self, answer):
        """The body that came, of a raw answer behind any "100 Continue"."""
        *_, head, body = answer.split(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), answer
        return json.loads(body)["body"]

    def test_chunked_bodies(self):
        head = CHUNKED % b"/echo"
        generator = random.Random(4)
        for size in (0, 1, 5, 4096, 65535, 65536):
            data, at, body = b"a" * size, 0, b""
            while at < size:
                n = min(generator.choice((1, 17, 1000, 65536)), size - at)
                body += b"%x\r\n" % n + data[at:at + n] + b"\r\n"
                at += n
            body += generator.choice((b"0", b"00000")) + b"\r\n" + generator.choice((b"", b"X-Trailer: y\r\nZ:\r\n")) + b"\r\n"
            assert self.echoed(raw(self.path, head + body)) == data.decode()
        # In pieces, as it comes: the end of each line, and of each chunk, is anywhere.
        with connect(self.path) as s:
            for i in range(0, len(head), 7):
                s.sendall(head[i:i + 7])
            for piece in (b"1", b"0\r", b"\n0123456789", b"abcdef", b"\r\n", b"0\r\n", b"\r", b"\n"):
                s.sendall(piece)
            answer = b""
            while more := s.recv(65536):
                answer += more
        assert self.echoed(answer) == "0123456789abcdef"
        # Who waits for leave to send it is not left waiting.
        with connect(self.path) as s:
            s.sendall(head[:-2] + b"Expect: 100-continue\r\n\r\n")
            assert s.recv(65536).startswith(b"HTTP/1.1 100 ")
            s.sendall(b"5\r\nhello\r\n0\r\n\r\n")
            answer = b"\r\n\r\n"
            while more := s.recv(65536):
                answer += more
        assert self.echoed(answer) == "hello"

    def test_bad_chunks(self):
        for path in (b"/echo", b"/v1/recordings", b"/v1/status", b"/nothing"):
            for data, statuses in BAD_CHUNKS:
                with self.subTest(path=path, data=data[:60]):
                    assert error_of(raw(self.path, CHUNKED % path + data, finish=True))[0] in statuses
        generator = random.Random(5)
        for _ in range(300):
            answer = raw(self.path, CHUNKED % b"/echo" + bytes(generator.choices(b"0123456789abcdef\r\n;: x\0", k=generator.randrange(60))),
                         finish=True)
            if not answer.startswith(b"HTTP/1.1 200 "):
                assert error_of(answer)[0] in {400, 413, 431}
        assert self.server.status()["pid"] == self.server.process.pid

    def test_head(self):
        for path in ("/v1/status", "/v1/processes", "/v1/profile?format=collapsed", "/metrics", "/debug/pprof/profile", "/v1/nothing",
                     "/v1/profile?pids=1"):
            status, headers, body = request(self.path, "HEAD", path)
            get = request(self.path, "GET", path)
            assert (status, body, headers["Content-Type"]) == (get[0], b"", get[1]["Content-Type"]), path
            if path != "/v1/status":
                assert headers["Content-Length"] == str(len(get[2])), path
        status, headers, body = request(self.path, "HEAD", "/v1/stream?thread=1")
        assert (status, headers["Content-Type"], body) == (200, "text/event-stream", b"")
        until("the end of the stream", lambda: self.server.status()["test_waiting"] == 0, DEADLINE)
        for method, path, allow in (("HEAD", "/echo", "POST"), ("OPTIONS", "/v1/status", "GET, HEAD"), ("OPTIONS", "/echo", "POST"),
                                    ("TRACE", "/v1/status", "GET, HEAD"), ("BREW", "/v1/status", "GET, HEAD")):
            status, headers, _ = request(self.path, method, path)
            assert (status, headers["Allow"]) == (405, allow)
        # No body either where the request is refused before it is understood.
        answer = raw(self.path, b"HEAD /%zz HTTP/1.1\r\nHost: x\r\nX: \x01\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ") and answer.endswith(b"\r\n\r\n"), answer

    def test_garbage(self):
        for data, statuses in GARBAGE:
            with self.subTest(data=data[:60]):
                assert error_of(raw(self.path, data))[0] in statuses
        generator = random.Random(2)
        for _ in range(200):
            answer = raw(self.path, generator.randbytes(generator.randrange(1, 2000)), finish=True)
            assert error_of(answer)[0] == 400
        # Cut anywhere.
        whole = b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"
        for n in range(1, len(whole)):
            assert error_of(raw(self.path, whole[:n], finish=True))[0] == 400
        assert self.server.status()["pid"] == self.server.process.pid

    def test_a_client_that_leaves_is_noticed(self):
        for path in (b"/debug/pprof/profile?thread=1", b"/v1/stream?thread=1"):
            before = self.server.status()["test_gone"]
            s = socket.socket(socket.AF_UNIX)
            s.connect(self.path)
            s.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            until("the request", lambda: self.server.status()["test_waiting"] == 1, DEADLINE)
            s.close()
            until("gone", lambda before=before: self.server.status()["test_gone"] == before + 1, DEADLINE)
            assert self.server.status()["test_waiting"] == 0

    def test_answers_are_bounded(self):
        for kind in ("", "&cgroup=1"):
            answer = request(self.path, "GET", "/large?thread=%d%s" % ((32 << 20) - 3, kind))
            assert (answer[0], len(answer[2].strip(b'"\n'))) == (200, (32 << 20) - 3)
            status, said = error_of(raw(self.path, b"GET /large?thread=%d%s HTTP/1.0\r\n\r\n" % ((32 << 20) + 1, kind.encode())))
            assert status == 413
            assert "larger than 32 MiB" in said

    @unittest.skipIf(os.geteuid() != 0, "needs root to become somebody else")
    def test_trust(self):
        os.chmod(self.path, 0o777)
        assert request(self.path, "GET", "/trusted")[0] == 200
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            large = [request(self.path, "GET", "/large?thread=%d" % n)[0] for n in (8 << 20, (8 << 20) + 1)]
            said = (request(self.path, "GET", "/trusted")[0], json.loads(request(self.path, "POST", "/echo", "x")[2]), large)
            os.write(writing, json.dumps(said).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as f:
            said = f.read()
        os.waitpid(child, 0)
        assert json.loads(said) == [403, {"body": "x", "uid": 65534, "trusted": False}, [200, 413]]


@pytest.mark.parametrize("function", PATIENCE, ids=lambda function: function.__name__)
def test_patience(patience, function):
    patience[function].result()
