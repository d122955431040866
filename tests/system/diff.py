# SPDX-License-Identifier: BSD-2-Clause
"""plopctl diff: what became slower from one version to the next, of windows of which it is known; and what it says to bad input. The
windows are made beforehand (made_versions.c), so that little of it depends on the machine."""
import html
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree

import pytest

import host
from waiting import until

SIDES = ("service=shop", "--base", "version=1.0", "--new", "version=1.1")
STILL = ("service=still", "--base", "version=1", "--new", "version=2")
NAMES = {"slow_view": "slower", "quick_view": "faster", "moved_view": "moved", "helper": "moved"}


@pytest.fixture(scope="module")
def plopd(root, tmp_path_factory):
    state = tmp_path_factory.mktemp("state")
    subprocess.run([os.environ["PLOP_VERSIONS"], str(state)], check=True)
    with host.Plopd(state=str(state)) as daemon:
        yield daemon


def changed(functions):
    return {f["name"]: f["verdict"] for f in functions if f["verdict"] not in ("same", "unclear")}


def test_versions(plopd):
    done = plopd.ctl("diff", *SIDES, "--json")
    assert done.returncode == 0, done
    answer = json.loads(done.out)
    assert changed(answer["functions"]) == NAMES, changed(answer["functions"])
    assert answer["base"]["windows"] == answer["new"]["windows"] == 40 and not answer["warnings"], answer
    found = {f["name"]: f for f in answer["functions"]}
    slow = found["slow_view"]
    assert answer["functions"][0] is slow or answer["functions"][0]["name"] == "slow_view"
    assert slow["file"] == "/srv/releases/1.1/views.py" and slow["kind"] == "python", slow
    assert slow["files"] == ["/srv/releases/1.0/views.py"], slow
    assert 0.2 < slow["relative"] < 0.4 and slow["low"] <= slow["delta"] <= slow["high"], slow
    assert abs(slow["delta"] - (slow["new_self"] - slow["base_self"])) < 1e-9, slow
    assert found["handle"]["base_total"] == found["handle"]["new_total"] == 1, found["handle"]
    assert sum(f["base_self"] for f in answer["functions"]) == pytest.approx(1)
    assert sum(f["new_self"] for f in answer["functions"]) == pytest.approx(1)


def test_table_and_exit_status(plopd):
    done = plopd.ctl("diff", *SIDES, "--fail-above", "5%")
    assert done.returncode == 1 and "1 function is slower by more than 5 %" in done.err, done
    lines = done.out.splitlines()
    slower = [line for line in lines if line.startswith("slower")]
    assert len(slower) == 1 and re.search(r" \+(2\d|3\d) % .* slow_view \(/srv/releases/1.1/views.py\)$", slower[0]), done
    verdicts = [line.split()[0] for line in lines[4:-1]]
    # of what is not clear, five at most
    assert verdicts[:4] == ["slower", "faster", "moved", "moved"] and set(verdicts[4:]) <= {"unclear"} and len(verdicts) <= 9, done
    assert lines[-1].startswith("4 changed, "), done
    assert plopd.ctl("diff", *SIDES, "--fail-above", "50").returncode == 0
    # the same code says nothing
    done = plopd.ctl("diff", *STILL, "--fail-above", "0")
    assert done.returncode == 0 and "\n0 changed, " in done.out, done


def test_times(plopd):
    """Two times in place of two versions; and the same by HTTP."""
    middle = "@%d" % (time.time() - 70 * 20)
    done = plopd.ctl("diff", "service=shop", "--base", "until=" + middle, "--new", "since=" + middle, "--json")
    assert done.returncode == 0 and changed(json.loads(done.out)["functions"]) == NAMES, done
    answer = plopd.get("/v1/diff?from=0&service=shop&base.version=1.0&new.version=1.1")
    assert changed(answer["functions"]) == NAMES, answer
    # other processes, and more of them
    done = plopd.ctl("diff", "--base", "service=shop", "--new", "service=still")
    assert done.returncode == 0 and "other processes ran: shop has 100 %" in done.err, done


def test_deploys(plopd):
    done = plopd.ctl("deploys", "--json")
    found = json.loads(done.out)["deploys"]
    named = [(d["service"], d["version"], d["before"]) for d in found if d["service"] in ("shop", "still")]
    assert sorted(named[:2]) == [("shop", "1.1", "1.0"), ("still", "2", "1")], named
    assert sorted(named[2:]) == [("shop", "1.0", None), ("still", "1", None)], named
    first = {d["version"]: d["first"] for d in found if d["service"] == "shop"}
    assert first["1.1"] - first["1.0"] == 40 * 20, first
    done = plopd.ctl("deploys", "service=shop", "version=1.1")
    lines = done.out.splitlines()
    assert done.returncode == 0 and len(lines) == 2 and lines[1].split()[2:4] == ["shop", "1.1"], done
    done = plopd.ctl("deploys", "--since", "1min")
    assert done.returncode == 0 and "shop" not in done.out, done
    assert plopd.ctl("deploys", "--since", "never").returncode == 2


def test_files(plopd, tmp_path):
    """The same out of files, in both formats; and how sure it is of many of them."""
    for form in ("pb.gz", "collapsed"):
        paths = []
        for version in ("1.0", "1.1"):
            paths.append(tmp_path / (version + "." + form))
            assert plopd.ctl("export", "--since", "1h", "service=shop", "version=" + version, "-o", paths[-1]).returncode == 0
        done = plopd.ctl("diff", "--base", paths[0], "--new", paths[1], "--json", "--fail-above", "5%")
        assert done.returncode == 1 and "1 function is slower" in done.err, done
        answer = json.loads(done.out)
        assert changed(answer["functions"]) == NAMES, changed(answer["functions"])
        assert answer["base"]["windows"] == 1 and "two files" in answer["warnings"][0], answer["warnings"]
        assert plopd.ctl("diff", "--base", paths[0], "--new", paths[0], "--fail-above", "0").returncode == 0
    done = plopd.ctl("diff", "--base", *[paths[0]] * 12, "--new", *[paths[1]] * 12)
    assert done.returncode == 0 and not done.err and "slow_view" in done.out, done


def frames_of(text):
    """{function: (left edge, width, what is said of it)} of a drawn flame graph, of those with one frame."""
    found = re.findall(r'<svg x="([\d.]+)%" y="\d+" width="([\d.]+)%" height="17"><title>([^<]*)</title><rect ', text)
    return {said.split("\n")[0].split(" (")[0]: (float(x), float(width), html.unescape(said)) for x, width, said in found}


def page_data(done):
    """What is in a page that plopctl diff wrote, for the viewer's code in it to draw."""
    assert done.returncode == 0 and done.out.startswith("<!DOCTYPE html>"), done
    assert "default-src 'none'; script-src 'sha256-" in done.out and " src=" not in done.out.split("<script type=")[0], done.out[:2000]
    return json.loads(re.search(r'<script type="application/json" id="data">([^<]*)</script>', done.out).group(1))


def test_flame_graph(plopd, tmp_path):
    """What is drawn is as wide as the mean of both sides, and says of a function what the table says."""
    answer = json.loads(plopd.ctl("diff", *SIDES, "--json").out)
    told = {f["name"]: f for f in answer["functions"]}
    paths = [tmp_path / ("%s.pb.gz" % version) for version in ("1.0", "1.1")]
    for path in paths:
        done = plopd.ctl("export", "--since", "1h", "service=shop", "version=" + path.name[:3], "-o", path)
        assert done.returncode == 0, done
    for sides in (SIDES, ("--base", paths[0], "--new", paths[1])):
        path = tmp_path / "changed.svg"
        done = plopd.ctl("diff", *sides, "-o", path)
        assert done.returncode == 0 and not done.out, done
        text = path.read_text()
        xml.etree.ElementTree.fromstring(text)
        frames = frames_of(text)
        assert set(NAMES) <= set(frames), sorted(frames)
        assert frames["all"][:2] == (0, 100), frames["all"]
        for name, verdict in NAMES.items():
            f = told[name]
            width = 50 * (f["base_total"] + f["new_total"])
            assert abs(frames[name][1] - width) < 0.01, (name, frames[name], width)
            assert "\n%s" % verdict in frames[name][2], frames[name]
        data = page_data(plopd.ctl("diff", *sides, "-f", "html"))
        assert changed(data["diff"]["functions"]) == NAMES, changed(data["diff"]["functions"])
        for side in ("base", "new"):
            assert data[side]["samples"] == data["diff"][side]["samples"] > 0, data[side].keys()
    done = plopd.ctl("diff", *SIDES, "-f", "svg", "--fail-above", "5%")
    assert done.returncode == 1 and done.out.startswith("<svg "), done


class Metrics(http.server.BaseHTTPRequestHandler):
    """A service that tells Prometheus of 600 requests in the last minute."""

    def do_GET(self):
        self.send_response(200 if self.path == "/metrics" else 404)
        self.end_headers()
        self.wfile.write(b'http_requests_total{code="200"} 500\nhttp_requests_total{code="500"} 100\n'
                         b"process_start_time_seconds %f\n" % (time.time() - 60))

    def log_message(self, *_):
        pass


@pytest.fixture
def metrics():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metrics) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield "metrics=http://127.0.0.1:%d/metrics" % server.server_port
        server.shutdown()


def reading(path, count, age):
    """A file that says so many requests, and is so many seconds old."""
    path.write_text("http_requests_total %d\n" % count)
    os.utime(path, (time.time() - age, time.time() - age))
    return "metrics=%s" % path


def test_per(plopd, tmp_path, metrics):
    """CPU a request: of two readings in files, 5 a second, and of a service that is asked, 10 a second."""
    files = [reading(tmp_path / "2.prom", 1300, 1000), reading(tmp_path / "1.prom", 800, 1100)]
    base, new = (*SIDES[1:3], *files), (*SIDES[3:], metrics)
    done = plopd.ctl("diff", SIDES[0], "--per", "requests", *base, *new, "--json")
    assert done.returncode == 0, done
    answer = json.loads(done.out)
    per = answer["per"]
    assert per["counter"] == "http_requests_total" and per["base"]["count"] == 500 and per["new"]["count"] == 600, per
    for side, rate in (("base", 5), ("new", 10)):
        s = answer[side]
        assert per[side]["cpu"] == pytest.approx(s["samples"] / s["hz"] / s["seconds"] / rate, rel=0.05), (per, s)
    slow = next(f for f in answer["functions"] if f["name"] == "slow_view")
    assert slow["new_per"] == pytest.approx(slow["new_self"] * per["new"]["cpu"]), slow
    done = plopd.ctl("diff", SIDES[0], "--per", "http_requests_total", *base, *new)
    assert done.returncode == 0 and re.search(r"\n[\d.]+ ms of CPU time for each of http_requests_total, now [\d.]+ \(-\d", done.out), done

    def refused(status, words, *arguments):
        done = plopd.ctl("diff", SIDES[0], *arguments)
        assert done.returncode == status and words in done.err and not done.out, (arguments, done)

    refused(1, "has no counter orders", "--per", "orders", *base, *new)
    refused(1, "HTTP status 404", "--per", "requests", *base, *SIDES[3:], metrics + "x")
    refused(1, "No such file", "--per", "requests", *SIDES[1:3], "metrics=/none", *new)
    refused(1, "does not say process_start_time_seconds", "--per", "requests", *SIDES[1:3], files[0], *new)
    refused(1, "nothing of http_requests_total was counted", "--per", "requests", *SIDES[1:3], files[0], files[0], *new)
    # before plopd is asked
    for some in ((*base, *SIDES[3:]), (*SIDES[1:3], *new), (*SIDES[1:3], *SIDES[3:])):
        refused(2, "--per wants metrics=FILE", "--per", "requests", *some, "--socket", "/none")
    refused(2, "metrics= is for --per COUNTER", *base, *new)
    refused(2, "--base may have metrics= twice at most", "--per", "requests", *base, files[0], *new)
    refused(2, "is of one side", "--per", "requests", files[0], *base, *new)


def test_bad_input(plopd, tmp_path):
    def refused(status, words, *arguments):
        done = plopd.ctl("diff", *arguments)
        assert done.returncode == status and words in done.err and not done.out, (arguments, done)

    refused(3, "try: --new version=1.1, which is near", "service=shop", "--base", "version=1.0", "--new", "version=1.11")
    refused(3, "no samples of --base service=shap", "--base", "service=shap", "--new", "service=shop")
    refused(2, "say what to compare")
    refused(2, "not a selector", "--base", "colour=red", "--new", "version=1")
    refused(2, "not a time", "--base", "since=never", "--new", "version=1")
    refused(2, "not a number of percent", *SIDES, "--fail-above", "five")
    refused(2, "there is -f svg and -f html", *SIDES, "-f", "pprof")
    refused(2, "there is -f svg and -f html", *SIDES, "-o", "changed.png")
    refused(2, "the other side is none", "--base", "no-file", "--new", "version=1")
    refused(2, "no selectors", "service=shop", "--base", "no-file", "--new", "no-file")
    refused(1, "cannot read no-file: No such file", "--base", "no-file", "--new", "no-file")
    broken = tmp_path / "broken"
    broken.write_text("main;work 3\nmain work\n")
    refused(1, 'line 2 is not "frame;frame COUNT"', "--base", broken, "--new", broken)
    # a time without data is no error
    done = plopd.ctl("diff", "--base", "until=@1000000000", "since=@900000000", "--new", "since=2h")
    assert done.returncode == 0 and "no samples in the time of the base side" in done.err, done


def test_selectors_that_match_nothing(plopd, tmp_path):
    """Exit status 3 and what is near, by every command that asks of the past; a time without data is no error."""
    path = tmp_path / "nothing.pb.gz"
    for arguments in (["export", "--since", "1d", "-f", "collapsed"], ["export", "--since", "1d", "-o", path], ["series"], ["series", "--json"],
                      ["labels", "version"], ["deploys"], ["deploys", "--json"], ["regressions"]):
        done = plopd.ctl(*arguments, "service=shap")
        assert done.returncode == 3 and not done.out, (arguments, done)
        assert "%s: there are no samples of service=shap in that time\n" % arguments[0] in done.err, (arguments, done)
        assert "try: service=shop, which is near\n" in done.err, (arguments, done)
    assert not path.exists()
    # of processes there is something, and of samples nothing
    done = plopd.ctl("export", "--since", "1d", "service=shop", "label.run=7")
    assert done.returncode == 3 and "of recordings alone" in done.err and "service" not in done.err.splitlines()[1], done
    # nothing was compared yet, though there is something of these
    done = plopd.ctl("regressions", "service=shop", "version=1.0", "--json")
    assert done.returncode == 0 and json.loads(done.out)["regressions"] == [], done
    for form, empty in (("collapsed", ""), ("json", None)):
        done = plopd.ctl("export", "-f", form, "--since", "@900000000", "--until", "@1000000000", "service=shap")
        assert done.returncode == 0 and "there are no samples in that time" in done.err, done
        assert done.out == empty if form == "collapsed" else json.loads(done.out)["samples"] == 0, done
    for arguments in (["series"], ["labels", "version"]):
        done = plopd.ctl(*arguments, "--since", "@900000000", "--until", "@1000000000", "service=shap")
        assert done.returncode == 0 and not done.out and " in that time" in done.err, (arguments, done)


# What a push makes of it: another function above it, and other names. What refine does is on other lines then, so that it may be another one.
PROGRAM = """
import sys
{added}
def {price}(n):
    total = 0
    for i in range(n):
        total += i * i % 7
        total ^= (i << 3) & 255
        if i & 1:
            total -= len(str(i))
    return total

def {refine}(n):
    total = 0
    for i in range(n):
{body}
    return total

def serve():
    while True:
        {price}(3000)
        {refine}(3000)

print("READY", flush=True)
serve()
"""
LOOPS = ("total += i * i % 7", "total ^= (i << 3) & 255", "total -= len(str(i))")


def program(version):
    body = LOOPS * 2 if version == 1 else ("if i < 0:", "    continue", "if i == n:", "    break", LOOPS[0], LOOPS[0], LOOPS[2])
    return PROGRAM.format(added="" if version == 1 else "\ndef quote(text):\n    return repr(text)\n", price=("price_of", "price")[version - 1],
                          refine=("refine_all", "refine")[version - 1], body="\n".join(" " * 8 + line for line in body))


def test_renamed(root, tmp_path):
    """A function with another name in the next version is told by the lines that its time is on; what may be another one is not."""
    script = tmp_path / "shop.py"
    with host.Plopd("--window", 1, "--hz", 1000) as daemon:
        for version in (1, 2):
            script.write_text(program(version))
            environ = dict(os.environ, PLOP_SERVICE="renamed", PLOP_VERSION=str(version))
            with host.Workload(sys.executable, script, env=environ) as work:
                until("it has samples", lambda: daemon.profiled(work.pid)["samples"] > 2000, 90)
        done = daemon.ctl("diff", "service=renamed", "--base", "version=1", "--new", "version=2", "--json")
        assert done.returncode == 0, done
        functions = {f["name"]: f for f in json.loads(done.out)["functions"]}
        price = functions["price"]
        assert price["was"] == "price_of" and "price_of" not in functions, functions
        assert price["base_self"] > 0.1 and price["new_self"] > 0.1 and price["file"] == str(script), price
        assert price["verdict"] not in ("new", "gone"), price
        # these are two
        assert functions["refine"]["base_self"] == 0 == functions["refine_all"]["new_self"], functions
        assert [f["name"] for f in functions.values() if f["was"] is not None] == ["price"], functions
        done = daemon.ctl("diff", "service=renamed", "--base", "version=1", "--new", "version=2")
        assert re.search(r"^(renamed|slower|faster|moved) .* price \(%s\), was price_of$" % re.escape(str(script)), done.out, re.M), done
        data = page_data(daemon.ctl("diff", "service=renamed", "--base", "version=1", "--new", "version=2", "-f", "html"))
        assert any(f["was"] == "price_of" for f in data["diff"]["functions"]), data["diff"]
        done = daemon.ctl("diff", "service=renamed", "--base", "version=1", "--new", "version=2", "-f", "svg")
        assert done.returncode == 0 and "was price_of" in done.out, done
        # one frame on both sides
        assert not re.search(r"<title>price_of ", done.out), done


BUSY = "print('READY', flush=True)\nwhile True: sum(range(1000))\n"


@pytest.mark.parametrize("looked", (40, None))
def test_compared_once(root, tmp_path, looked):
    """What was compared before plopd began is not compared again before it has twice as many windows, however it was read then."""
    state = tmp_path / "state"
    state.mkdir()
    subprocess.run([os.environ["PLOP_VERSIONS"], str(state)], check=True)
    # by ten minutes, of which there were three
    found = [dict(uid=0, service=service, version=version, before=before, time=time.time(), base={"windows": 4, "samples": 1},
                  new={"windows": 3, "samples": 1}, warnings=[], regressions=[], **({"looked": looked} if looked else {}))
             for service, version, before in (("shop", "1.1", "1.0"), ("still", "2", "1"))]
    (state / "regressions.json").write_text(json.dumps(found))
    with host.Plopd("--window", 1, state=str(state)) as daemon, host.Workload(sys.executable, code=BUSY):
        def windows():
            return {c["service"]: c["new"]["windows"] for c in daemon.get("/v1/regressions")["comparisons"] if c["service"] in ("shop", "still")}

        saved = daemon.status()["store"]["windows"]
        until("windows are saved", lambda: daemon.status()["store"]["windows"] >= saved + 4, 60)
        if looked:
            assert windows() == {"shop": 3, "still": 3}, windows()
        else:
            until("they are compared again", lambda: windows() == {"shop": 40, "still": 40}, 60)
        assert not any("looked" in c or "uid" in c for c in daemon.get("/v1/regressions")["comparisons"])
        assert not (state / "regressions.json").exists()
        known = daemon.get("/v1/regressions")
        daemon.stop()
        daemon.start()
        until("the next plopd has them", lambda: daemon.get("/v1/regressions") == known)
