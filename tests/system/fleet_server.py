# SPDX-License-Identifier: BSD-2-Clause
"""`plopctl --server`: the same answers as the HTTP API, of a fleet and of a host, and one sentence for each thing that is wrong."""
import contextlib
import functools
import json
import os
import pty
import re
import select
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time
import zlib

import pytest

import clickhouse
import host
from fleet_source import BEGAN, TOKEN, WINDOW, WINDOWS, Rows, gateway_of, make_tables
from waiting import until

END = BEGAN + 2 * WINDOWS * WINDOW
HALF = BEGAN + WINDOWS * WINDOW
TIMES = ["--since", "@%d" % BEGAN, "--until", "@%d" % END]
DONE, FAILED, USAGE, NO_TARGET, NOT_ALLOWED, UNREACHABLE = range(6)
PLOPD = ("--window", 1, "--hz", 200)


@pytest.fixture(scope="module", params=clickhouse.VERSIONS)
def store(request):
    with clickhouse.store(request.param) as running:
        yield running


@pytest.fixture(scope="module")
def fleet(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fleet")
    make_tables(store, "plop", str(folder))
    Rows().insert(store, "plop")
    with gateway_of(store.url + "/plop", folder) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def token(tmp_path_factory):
    return write(tmp_path_factory.mktemp("token") / "token", TOKEN + "\n")


def write(path, text):
    path.write_text(text)
    return str(path)


class Said:
    """What plopctl said, and what it took."""

    def __init__(self, *arguments):
        with subprocess.Popen([host.program("plopctl"), *[str(a) for a in arguments]], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              stdin=subprocess.DEVNULL) as process:
            reader = threading.Thread(target=self.read, args=("complaint", process.stderr))
            reader.start()
            self.read("out", process.stdout)
            reader.join()
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = self.status = os.waitstatus_to_exitcode(status)
        self.complaint = self.complaint.decode()
        self.kilobytes = used.ru_maxrss

    def read(self, name, stream):
        setattr(self, name, stream.read())

    def sentence(self, status, words):
        """It has failed so, in one sentence and what to try."""
        lines = self.complaint.splitlines()
        assert self.status == status and not self.out, (self.status, self.out, self.complaint)
        assert words in lines[0] and 1 <= len(lines) <= 2 and lines[-1].startswith("plopctl: try: "), self.complaint
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", self.complaint), self.complaint
        return lines


def at(port, scheme="http"):
    return ["--server", "%s://127.0.0.1:%d" % (scheme, port)]


def rounded(value):
    """Numbers as plopctl prints them, with 15 digits."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return float("%.12g" % value) if isinstance(value, float) else value


@pytest.fixture(scope="module")
def ask(fleet, token):
    """plopctl, at the fleet's gateway."""
    def run(*arguments):
        return Said(arguments[0], *at(fleet.port), "--token-file", token, *arguments[1:])
    return run


@pytest.mark.parametrize("form", ["pprof", "collapsed", "speedscope", "json", "tree", "plop", "svg", "html", "top"])
def test_export_is_what_the_api_answers(fleet, ask, form):
    done = ask("export", *TIMES, "-f", form)
    status, body = fleet.ask("/v1/profile", **{"from": "%d.000000000" % BEGAN, "to": "%d.000000000" % END, "format": form})
    told = json.loads(done.out) if isinstance(body, (dict, list)) else done.out
    assert (done.status, status) == (DONE, 200) and told == body and body, done.complaint


def test_selectors_of_a_fleet(fleet, ask):
    for words, chosen in ((["host=web2"], {"host": "web2"}), (["region=eu", "service=shop"], {"region": "eu", "service": "shop"})):
        done = ask("export", *TIMES, "-f", "collapsed", *words)
        assert done.status == DONE and done.out == fleet.get("/v1/profile", format="collapsed", **chosen), done.complaint
    done = ask("export", *TIMES, "-f", "collapsed", "--group-by", "host,service")
    assert done.out == fleet.get("/v1/profile", format="collapsed", group_by="host,service")
    # which is near
    done = ask("export", *TIMES, "service=shap")
    assert done.status == NO_TARGET and "service=shop, which is near" in done.complaint
    # options may stand behind what they are for
    done = Said("diff", "--base", "host=web1", "--new", "host=web2", "--json", "--since", "@%d" % BEGAN, *at(fleet.port))
    assert done.status == NOT_ALLOWED, done.complaint
    assert Said("export", "host=web1").status == USAGE


def test_diff_is_what_the_api_answers(fleet, ask):
    done = ask("diff", "service=shop", "--since", "@%d" % BEGAN, "--until", "@%d" % END, "--base", "version=1", "--new", "version=2", "--json")
    told = fleet.get("/v1/diff", **{"from": BEGAN, "to": END, "base.version": 1, "new.version": 2, "service": "shop"})
    assert done.status == DONE and rounded(json.loads(done.out)) == rounded(told), done.complaint
    assert {f["name"]: f["verdict"] for f in told["functions"]}["slow"] == "slower"
    table = ask("diff", "service=shop", *TIMES, "--base", "until=@%d" % HALF, "--new", "since=@%d" % HALF)
    assert table.status == DONE and b"slow" in table.out, table.complaint


def test_lists_are_what_the_api_answers(fleet, ask):
    span = {"from": BEGAN, "to": END}
    done = ask("deploys", "--since", "@%d" % BEGAN, "--json")
    deploys = fleet.get("/v1/deploys", **{"from": BEGAN})
    assert done.status == DONE and json.loads(done.out)["deploys"] == deploys["deploys"] != [], done.complaint
    assert b"shop" in ask("deploys").out
    for arguments, path, more in ((["series", "service=shop", "-n", "slow"], "/v1/series", {"service": "shop", "function": "slow"}),
                                  (["labels", "host"], "/v1/labels/host", {}), (["labels", "service"], "/v1/labels/service", {}),
                                  (["lines", "-n", "slow"], "/v1/lines", {"function": "slow"})):
        done = ask(*arguments, *TIMES, "--json")
        assert done.status == DONE and rounded(json.loads(done.out)) == rounded(fleet.get(path, **span, **more)), (arguments, done.complaint)
    assert json.loads(ask("recordings", "--json").out) == fleet.get("/v1/recordings")["recordings"] == []
    status = ask("status")
    assert status.status == DONE and b"of a fleet\n  hosts       3\n" in status.out, status.out
    assert json.loads(ask("status", "--json").out)["store"]["hosts"] == 3


def test_a_host(root, start_plopd, tmp_path):
    """By its plop-gateway it says what plopd does."""
    plopd = start_plopd(*PLOPD)
    secret = write(tmp_path / "token", "a-token-that-lasts\n")
    with host.Workload(sys.executable, code="print('READY', flush=True)\nwhile True:\n    sum(range(1000))\n"), host.Gateway(plopd) as gateway:
        def both(*arguments):
            here = Said(*arguments, "--socket", plopd.socket)
            there = Said(*arguments, *at(gateway.port), "--token-file", secret)
            assert (here.status, there.status) == (DONE, DONE), (arguments, here.complaint, there.complaint)
            return here.out, there.out

        until("two windows have ended", lambda: len(plopd.get("/v1/windows")["windows"]) >= 3, 60)
        windows = [w for w in plopd.get("/v1/windows")["windows"] if w["samples"]]
        times = ["--since", "@%.9f" % windows[0]["start"], "--until", "@%.9f" % (windows[0]["end"] - 0.001)]
        for form in ("pprof", "collapsed", "json", "svg"):
            here, there = both("export", *times, "-f", form)
            assert here == there, form
        here, there = both("labels", "comm", *times, "--json")
        assert here == there
        for arguments in (["status"], ["ps"], ["recordings"], ["deploys"], ["series"], ["regressions"]):
            both(*arguments)
        kept = tmp_path / "kept.collapsed"
        done = Said("export", *times, "-o", kept, *at(gateway.port), "--token-file", secret)
        assert done.status == DONE and "samples" in done.complaint and "on all hosts that it is of" in done.complaint
        assert plopd.stop() == 0
        status = Said("status", *at(gateway.port), "--token-file", secret)
        assert status.status == DONE and b"without plopd\n" in status.out and b"NO PLOPD" in status.out, status.out
        assert Said("fleet", "status", *at(gateway.port), "--token-file", secret).sentence(FAILED, "that plop-gateway ships to no store")


def test_what_is_of_the_host_itself():
    for arguments in (["record", "-a"], ["open"], ["top", "-1"], ["dump", "1"], ["mark", "--list"], ["backup", "/tmp/none"], ["fsck"]):
        Said(*arguments, *at(1)).sentence(USAGE, "it is of the host itself, where plopd runs, and of no --server")


@pytest.mark.parametrize("url, words", [
    ("nowhere:7567", "it is not http://HOST:PORT"), ("ftp://nowhere", "it is not http://HOST:PORT"), ("", "it is not http://HOST:PORT"),
    ("http://", "it is not http://HOST:PORT"), ("http://me:secret@nowhere", "never in a URL"), ("http://nowhere/?token=abcd", "never in a URL"),
    ("http://nowhere/#a", "nothing is behind its path"),
])
def test_a_url_that_is_none(url, words):
    done = Said("export", "--server", url)
    assert done.status == USAGE and words in done.complaint and "secret" not in done.complaint.replace(url, ""), done.complaint


def test_who_may(fleet, tmp_path):
    Said("export", *at(fleet.port)).sentence(NOT_ALLOWED, "a token is needed")
    wrong = write(tmp_path / "wrong", "of-somebody-else\n")
    assert "--token-file FILE" in Said("deploys", *at(fleet.port), "--token-file", wrong).sentence(NOT_ALLOWED, "the token is not good")[1]
    for text in ("", "\n", "two words\n", "a\x1b[2J\n", "x" * 5000):
        done = Said("export", *at(fleet.port), "--token-file", write(tmp_path / "none", text))
        assert done.status == FAILED and "its first line is none" in done.complaint and "\x1b" not in done.complaint
    done = Said("export", *at(fleet.port), "--token-file", "/nowhere")
    assert done.status == FAILED and "cannot read a token from /nowhere: No such file" in done.complaint
    done = Said("export", *at(fleet.port), "--socket", "/nowhere")
    assert done.status == USAGE and "exclude each other" in done.complaint
    Said("export", *at(1)).sentence(UNREACHABLE, "cannot reach plop-gateway at http://127.0.0.1:1")


@contextlib.contextmanager
def serving(handle):
    """A server whose connections are handle()d: a socket, from which the request was read, for each."""
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            with contextlib.suppress(OSError):
                head = b""
                while b"\r\n\r\n" not in head:
                    more = self.request.recv(65536)
                    if not more:
                        return
                    head += more
                handle(self.request, head)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads, block_on_close = True, False

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def answer(body, status="200 OK", kind="application/json", more=b""):
    def handle(connection, _):
        connection.sendall(b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n%s\r\n"
                           % (status.encode(), kind.encode(), len(body), more) + body)
    return handle


@pytest.mark.parametrize("handle", [
    answer(b"<html>", kind="text/html"), answer(b"<html>", "404 Not Found", "text/html"), answer(b"no", "401 Unauthorized", "text/plain"),
    answer(b"", "302 Found", "text/html", b"Location: http://127.0.0.1:1/\r\n"), answer(b"{}", "302 Found", more=b"Location: /\r\n"),
    answer(b"<html>", "502 Bad Gateway", "text/html"),
])
def test_what_is_no_plop_gateway(handle, token, tmp_path):
    kept = tmp_path / "kept.pb.gz"
    with serving(handle) as port:
        for arguments in (["export", "-o", kept], ["export"], ["deploys"], ["status"], ["fleet", "status"]):
            Said(*arguments, *at(port), "--token-file", token).sentence(UNREACHABLE, "is no plop-gateway (HTTP status ")
    assert not kept.exists() and not list(tmp_path.iterdir())
    with serving(answer(b'{"message": "Not Found"}', "404 Not Found")) as port:
        done = Said("deploys", *at(port))
        assert done.status == NO_TARGET and "answered with HTTP status 404" in done.complaint
    with serving(answer(b"not json")) as port:
        done = Said("deploys", *at(port))
        assert done.status == FAILED and "is not JSON" in done.complaint


def endless_body(connection, _):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        connection.sendall(b"[" * 1000000)


def endless_headers(connection, _):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
    while True:
        connection.sendall(b"X-More: %s\r\n" % (b"x" * 1000) * 100)


def endless_line(connection, _):
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        connection.sendall(b"x" * 1000000)


def truncated(connection, _):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nPlop-Samples: 3\r\nContent-Length: 1000\r\n\r\n{\"deploys\": [")


def silent(connection, _):
    time.sleep(60)


def noise(connection, _):
    connection.sendall(os.urandom(100000))


@functools.lru_cache(maxsize=None)
def a_gigabyte():
    """That is a megabyte."""
    coder = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([*[coder.compress(b"[" * (1 << 20)) for _ in range(1024)], coder.flush()])


def bomb(connection, head):
    answer(a_gigabyte(), more=b"Content-Encoding: gzip\r\n")(connection, head)


@pytest.mark.parametrize("handle, words", [
    (endless_body, "answers with more than 64 MiB"), (bomb, "answers with more than 64 MiB"), (endless_headers, "answers with more than"),
    (endless_line, "answers with more than"), (truncated, "cannot reach plop-gateway"), (noise, "cannot reach plop-gateway"),
])
def test_an_answer_without_an_end_or_half_of_one(handle, words, tmp_path):
    kept = tmp_path / "kept.pb.gz"
    with serving(handle) as port:
        for arguments in (["deploys"], ["export", "-o", kept]):
            began = time.monotonic()
            done = Said(*arguments, *at(port))
            assert done.status in (FAILED, UNREACHABLE)
            done.sentence(done.status, words)
            assert done.kilobytes < 400000 and time.monotonic() - began < 60, (done.kilobytes, time.monotonic() - began)
    assert not list(tmp_path.iterdir())


def test_no_answer_at_all():
    """Each question has its time; that of the status of shipping is the shortest."""
    with serving(silent) as port:
        Said("fleet", "status", *at(port)).sentence(UNREACHABLE, "cannot reach plop-gateway")


ESCAPES = "\x1b]0;owned\x07\x1b[2J\u009b31m\u202e\r\n"


def on_a_terminal(*arguments):
    """What a terminal gets of it."""
    process, terminal = pty.fork()
    if not process:
        os.execv(host.program("plopctl"), [host.program("plopctl"), *[str(a) for a in arguments]])
    said = b""
    while select.select([terminal], [], [], 60)[0]:
        try:
            said += os.read(terminal, 65536)
        except OSError:
            break
    os.close(terminal)
    os.waitpid(process, 0)
    return said


def test_nothing_steers_the_terminal(tmp_path):
    each = {"service": ESCAPES, "version": ESCAPES, "before": ESCAPES, "first": 1, "last": 2}
    everything = {"deploys": [each], "error": ESCAPES, "hint": ESCAPES, "mode": "fleet", "version": ESCAPES, "store": {"path": ESCAPES, "error": ESCAPES},
                  "values": [{"value": ESCAPES, "samples": 3}], "recordings": [{"id": ESCAPES, "name": ESCAPES, "state": ESCAPES}], "points": [],
                  "label": ESCAPES, "functions": [dict(each, name=ESCAPES, file=ESCAPES, verdict=ESCAPES, lines=[{"line": 1, "calls": [each]}])],
                  "base": {"samples": 3, "windows": 3}, "new": {"samples": 3, "windows": 3}, "comparisons": [each], "regressions": [each]}
    shipping = dict(everything, store=ESCAPES, host_id=ESCAPES)
    for status in ("200 OK", "400 Bad Request", "404 Not Found"):
        for said, commands in ((everything, (["deploys"], ["deploys", "--json"], ["status"], ["labels", "service"], ["recordings"], ["export"],
                                             ["recordings", "show", ESCAPES], ["lines", "-n", "f"], ["diff", "--base", "service=a"], ["regressions"])),
                               (shipping, (["fleet", "status"], ["fleet", "status", "--json"]))):
            with serving(answer(json.dumps(said).encode(), status, more=b"Plop-Samples: 3\r\n")) as port:
                for arguments in commands:
                    shown = on_a_terminal(*arguments, *at(port)).replace(b"\r\n", b"\n").decode()
                    assert shown and not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", shown), (arguments, shown)


def pass_on(outer, request, port):
    with socket.create_connection(("127.0.0.1", port)) as inner:
        inner.sendall(request)
        data = True
        while data:
            data = inner.recv(65536)
            outer.sendall(data)


class Tls:
    """A certificate, and before a plop-gateway what shows it."""

    def __init__(self, folder, name="127.0.0.1"):
        self.ca, self.key = os.path.join(folder, "ca.pem"), os.path.join(folder, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.key, "-out", self.ca, "-days", "2", "-subj",
                        "/CN=" + name, "-addext", "subjectAltName=IP:127.0.0.1"], check=True, stderr=subprocess.DEVNULL)

    @contextlib.contextmanager
    def before(self, port):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca, self.key)

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                with contextlib.suppress(OSError), context.wrap_socket(self.request, server_side=True) as outer:
                    pass_on(outer, outer.recv(65536), port)

        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
            server.daemon_threads, server.block_on_close = True, False
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield server.server_address[1]
            server.shutdown()


def test_tls(fleet, token, tmp_path):
    tls = Tls(str(tmp_path))
    with tls.before(fleet.port) as port:
        done = Said("export", *TIMES, "-f", "collapsed", *at(port, "https"), "--token-file", token, "--ca-file", tls.ca)
        assert done.status == DONE and done.out == fleet.get("/v1/profile", format="collapsed"), done.complaint
        lines = Said("export", *at(port, "https"), "--token-file", token).sentence(UNREACHABLE, "is not trusted: ")
        assert "--ca-file FILE" in lines[1]
        done = Said("export", *at(port, "https"), "--token-file", token, "--ca-file", "/nowhere")
        assert done.status == FAILED and "cannot read /nowhere: No such file" in done.complaint
        Said("export", *at(port, "https"), "--ca-file", token).sentence(UNREACHABLE, "is not trusted: ")
        # it is checked that it is of this host
        named = ["--server", "https://localhost:%d" % port]
        Said("export", *named, "--token-file", token, "--ca-file", tls.ca).sentence(UNREACHABLE, "is not trusted: ")


def test_below_a_path(fleet, token):
    """As behind a proxy that serves other things, too."""
    def below(connection, head):
        assert head.startswith(b"GET /plop/v1/"), head
        pass_on(connection, head.replace(b"/plop/v1/", b"/v1/", 1), fleet.port)

    with serving(below) as port:
        for end in ("", "/"):
            done = Said("deploys", "--server", "http://127.0.0.1:%d/plop%s" % (port, end), "--token-file", token, "--json")
            assert done.status == DONE and json.loads(done.out)["deploys"], done.complaint
