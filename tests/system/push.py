# SPDX-License-Identifier: BSD-2-Clause
"""
A push, acted out: gunicorn serves an application under a load that goes up and down, and is pushed anew twice. The first push makes one
function 30 % slower, moves half of another to a helper, and makes one faster: plopd finds the first, by itself, and nothing else. The second
changes nothing, and nothing is found. Versions are told by the commit of the folder that gunicorn works in.
"""
import json
import os
import random
import subprocess
import threading
import time
import urllib.request

import pytest

import client
import host
import pypi
from ports import free_port
from waiting import until

PYTHON = "/usr/bin/python3"
PACKAGES = ["gunicorn==21.2.0", "packaging==24.2"]
# How often each function goes round its loop for one request; what count() does in stock()'s stead.
LOOPS = {"price": 30000, "stock": 30000, "render": 25000, "journal": 15000}
PUSHED = dict(LOOPS, price=39000, stock=15000, render=17500, count=15000)
COMMITS = {"first": "1" * 40, "slower": "2" * 40, "same": "3" * 40}


def loop(name, rounds, then=""):
    return "def %s(n=%d):\n    x = 1\n    for i in range(n):\n        x = (x * 31 + i) & 0xffff\n%s    return x\n\n" % (name, rounds, then)


def release(folder, loops, commit):
    """The application in a folder of its own, beside those before, at that commit."""
    os.makedirs(os.path.join(folder, ".git"))
    with open(os.path.join(folder, ".git", "HEAD"), "w", encoding="utf-8") as f:
        f.write(commit + "\n")
    with open(os.path.join(folder, "shop.py"), "w", encoding="utf-8") as f:
        for name, rounds in sorted(loops.items()):
            f.write(loop(name, rounds, "    count()\n" if name == "stock" and "count" in loops else ""))
        f.write("def app(environ, start):\n    price()\n    stock()\n    render()\n    journal()\n"
                "    start('200 OK', [('Content-Length', '2')])\n    return [b'ok']\n")
    return folder


class Load:
    """Requests one after the other, some seconds with a break after each and some without."""
    def __init__(self, port):
        self.url, self.ended = "http://127.0.0.1:%d/" % port, threading.Event()
        self.thread = threading.Thread(target=self.work)
        self.answered = 0
        self.thread.start()

    def work(self):
        chance = random.Random(7)
        while not self.ended.is_set():
            pause, until_s = chance.choice((0, 0.005, 0.015)), time.monotonic() + chance.uniform(0.2, 0.8)
            while time.monotonic() < until_s and not self.ended.wait(pause):
                try:
                    with urllib.request.urlopen(self.url, timeout=10) as answer:
                        self.answered += answer.status == 200
                except OSError:
                    # between two versions
                    self.ended.wait(0.05)

    def end(self):
        self.ended.set()
        self.thread.join()


class Server:
    def __init__(self, packages, folder, port):
        environ = dict(os.environ, PYTHONPATH=packages, PLOP_SERVICE="pushed-shop")
        environ.pop("PLOP_VERSION", None)
        self.process = subprocess.Popen([PYTHON, "-m", "gunicorn", "--workers", "1", "--bind", "127.0.0.1:%d" % port, "--log-level", "warning",
                                         "shop:app"], cwd=folder, env=environ, process_group=0)

    def end(self):
        self.process.terminate()
        self.process.wait(30)


@pytest.fixture
def packages():
    folder, why = pypi.installed(PYTHON, PACKAGES)
    if not folder:
        pytest.skip(why)
    return folder


def samples_of(daemon, version):
    """How many windows a version has, and samples in them."""
    found = json.loads(daemon.ctl("diff", "service=pushed-shop", "--base", "version=" + version, "--new", "version=" + version, "--json").out or "{}")
    return found.get("new", {}).get("windows", 0), found.get("new", {}).get("samples", 0)


def comparison(daemon, version):
    """The last comparison of a version, and the names of what is slower in the application."""
    done = daemon.ctl("regressions", "service=pushed-shop", "version=" + version, "--json")
    if done.returncode == 3:
        return None  # no sample of it yet
    answer = json.loads(done.out)
    # a system call of gunicorn's costs more while others keep the caches busy, as tests beside this one do
    return answer["comparisons"] and (answer["comparisons"][0], {f["name"] for f in answer["regressions"] if f["file"].endswith("/shop.py")})


def test_push(root, tmp_path, packages):
    port = free_port()
    version = {name: "git-" + commit[:12] for name, commit in COMMITS.items()}
    folders = {name: release(str(tmp_path / "releases" / str(list(COMMITS).index(name) + 1)), LOOPS if name == "first" else PUSHED, commit) for name, commit in COMMITS.items()}
    began = time.monotonic()
    with host.Plopd("--window", 1, "--hz", 1000) as daemon:
        server, load = Server(packages, folders["first"], port), Load(port)
        try:
            # later there are no more of it: enough on a slow machine as well
            until("the first version has windows", lambda: samples_of(daemon, version["first"])[0] >= 14, 120, 0.5)
            until("the first version has samples", lambda: samples_of(daemon, version["first"])[1] >= 3500, 120, 0.5)
            assert not json.loads(daemon.ctl("regressions", "--json").out)["comparisons"]
            server.end()
            server = Server(packages, folders["slower"], port)
            # what ten windows do not tell for sure, more of them do
            until(lambda: "the regression is found: " + daemon.ctl("diff", "service=pushed-shop", "--base", "version=" + version["first"], "--new",
                                                                   "version=" + version["slower"]).out,
                  lambda: comparison(daemon, version["slower"]) and comparison(daemon, version["slower"])[1], 150, 0.5)
            found, names = comparison(daemon, version["slower"])
            assert names == {"price"}, (found, names)
            assert found["before"] == version["first"] and min(found["base"]["windows"], found["new"]["windows"]) >= 10, found
            server.end()
            server = Server(packages, folders["same"], port)
            until("the same code is compared", lambda: comparison(daemon, version["same"]), 150, 0.5)
            found, names = comparison(daemon, version["same"])
            assert not names and found["before"] == version["slower"], (found, names)
        finally:
            load.end()
            server.end()
        check_told(daemon, version)
        deploys = json.loads(daemon.ctl("deploys", "service=pushed-shop", "--json").out)["deploys"]
        assert [(d["version"], d["before"]) for d in deploys] == [
            (version["same"], version["slower"]), (version["slower"], version["first"]), (version["first"], None)], deploys
        before = json.loads(daemon.ctl("regressions", "--json").out)
        daemon.stop()
        daemon.start()
        assert until("the next plopd knows it", lambda: json.loads(daemon.ctl("regressions", "--json").out)["comparisons"])
        assert json.loads(daemon.ctl("regressions", "--json").out) == before
    print("a push, and one of the same code: %.0f s, %d requests" % (time.monotonic() - began, load.answered))


def check_told(daemon, version):
    """In the log one line, in Prometheus' metrics, and by plopctl."""
    with open(daemon.log, encoding="utf-8", errors="replace") as f:
        lines = [line for line in f if "is slower than" in line and "shop.py" in line]
    assert len(lines) == 1 and "price" in lines[0] and version["slower"] in lines[0] and version["first"] in lines[0], lines
    found = json.loads(daemon.ctl("regressions", "service=pushed-shop", "--json").out)["comparisons"]
    metrics = client.ask(daemon.socket.replace(".sock", "-trusted.sock"), "GET", "/metrics")[1].decode()
    for name in ("slower", "same"):
        count = next(c["regressions"] for c in found if c["version"] == version[name])
        assert 'plop_regressions{uid="%d",service="pushed-shop",version="%s"} %d\n' % (os.getuid(), version[name], count) in metrics, metrics
    out = daemon.ctl("regressions", "service=pushed-shop").out
    assert "price (" in out and version["same"] + " after " + version["slower"] in out, out
