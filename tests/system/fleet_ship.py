# SPDX-License-Identifier: BSD-2-Clause
"""
Windows on their way to a real ClickHouse: what is in plop.db is there, to the sample, whoever was killed meanwhile and however often it
was sent; and what is wrong is one sentence, and costs no sample.
"""
import collections
import contextlib
import json
import os
import random
import sqlite3
import subprocess
import sys
import time

import pytest

import clickhouse
import host
from ports import free_port
from waiting import until

PLOPD = ("--window", 1, "--hz", 200)
SERVICES = ["shop", "it's; DROP TABLE samples --\"`\\", "a\nb\tc", "long" * 1000, "<b>ä\u202e"]
BUSY = "import time\nprint('READY', flush=True)\ndef outer(n):\n    return sum(i * i for i in range(n))\nwhile True:\n    outer(2000)\n    time.sleep(0.001)\n"


@pytest.fixture(scope="module", params=clickhouse.VERSIONS)
def node(request):
    with clickhouse.store(request.param) as running:
        yield running


class Shipping(host.Gateway):
    """plop-gateway before a plopd, with these options of [fleet]."""

    def __init__(self, plopd, folder, node, database, **options):
        self.plopd, self.folder, self.process = plopd, str(folder), None
        self.state, self.log = os.path.join(self.folder, "gateway"), os.path.join(self.folder, "gateway.log")
        self.environment = None  # of this process
        os.makedirs(self.state, exist_ok=True)
        self.headers = {"Authorization": "Bearer a-token-that-lasts"}
        self.options = dict(dict(store="clickhouse=%s/%s" % (node.url, database), user=clickhouse.USER, state_dir=self.state,
                                 password_file=os.path.join(self.folder, "password"), delay="0s"), **options)
        self.password(clickhouse.PASSWORD)

    def password(self, text):
        with open(os.path.join(self.folder, "password"), "w", encoding="utf-8") as f:
            f.write(text + "\n")

    def command(self):
        config = os.path.join(self.folder, "plop.conf")
        with open(config, "w", encoding="utf-8") as f:
            f.write("[gateway]\ntoken = a-token-that-lasts\n[fleet]\n")
            f.writelines("%s = %s\n" % each for each in self.options.items())
        self.port = free_port()
        return [host.program("plop-gateway"), "--config", config, "--socket", self.plopd.socket, "--state-dir", self.plopd.state,
                "--listen", "127.0.0.1:%d" % self.port]

    def init(self):
        subprocess.run(self.command() + ["--init-store"], check=True, stdout=subprocess.DEVNULL, timeout=60)

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(), stderr=log, env=self.environment)
        until("plop-gateway answers", lambda: self.get("/v1/status")[0] == 200)
        return self

    def end(self, kill=False):
        if self.process:
            (self.process.kill if kill else self.process.terminate)()
            self.process.wait(20)
            self.process = None

    def fleet(self):
        status, body = self.get("/v1/fleet")
        assert status == 200, body
        return json.loads(body)

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def all_there(self, deadline=60):
        """Until the store has what plop.db has, plopd being at an end."""
        with contextlib.closing(sqlite3.connect("file:%s/plop.db?mode=ro" % self.plopd.state, uri=True)) as db:
            last = db.execute("SELECT end_ns FROM windows ORDER BY id DESC LIMIT 1").fetchone()[0] / 1e9

        def looked():
            facts = self.fleet()
            return facts["shipped_to"] and abs(facts["shipped_to"] - last) < 0.01 and not facts["behind"] and facts["error"] is None
        until(lambda: "all is shipped: %s" % self.fleet(), looked, deadline)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.end()


@contextlib.contextmanager
def busy(services, version=""):
    """Pythons of these services."""
    with contextlib.ExitStack() as stack:
        for each in services:
            stack.enter_context(host.Workload(sys.executable, code=BUSY, env=dict(os.environ, PLOP_SERVICE=each, PLOP_VERSION=version)))
        yield


def in_file(plopd):
    """What plop.db has: windows, ticks, samples."""
    with contextlib.closing(sqlite3.connect("file:%s/plop.db?mode=ro" % plopd.state, uri=True)) as db:
        return db.execute("SELECT count(*), sum(ticks), sum(samples) FROM windows").fetchone()


def in_store(node, database):
    heads = node.ask("SELECT count(), sum(ticks), sum(samples) FROM %s.windows FINAL" % database).split()
    samples = node.ask("SELECT sum(samples) FROM %s.samples FINAL" % database).strip()
    assert heads[2] == samples, "the heads of windows count %s samples, and their rows %s" % (heads[2], samples)
    return tuple(int(each) for each in heads)


def by_service(node, database):
    rows = node.ask("SELECT hex(service), sum(samples) FROM %s.samples FINAL GROUP BY service" % database).splitlines()
    return {bytes.fromhex(row.split("\t")[0]).decode(): int(row.split("\t")[1]) for row in rows}


def by_service_of(plopd):
    found = collections.Counter()
    for window in plopd.get("/v1/windows")["windows"]:
        for process in window["processes"]:
            found[process["service"]] += process["samples"]
    return found


def is_whole(node, database):
    """All that samples name is there."""
    for what in ("stack", "process"):
        lost = node.ask("SELECT count() FROM %s.samples WHERE %s_id GLOBAL NOT IN (SELECT %s_id FROM %s.%s)"
                        % (database, what, what, database, "processes" if what == "process" else "stacks"))
        assert lost == "0\n", "%s samples of a %s that is not there" % (lost.strip(), what)


def windows(plopd, n):
    def saved():
        try:
            return in_file(plopd)[0] >= n
        except sqlite3.Error:
            return False
    until("plop.db has %d windows" % n, saved, 60)


def accounted(plopd):
    said = plopd.status()["samples"]
    assert host.accounted(said) and host.hardly_lost(said, others=True), said


def test_whoever_is_killed(root, node, folder):
    """The gateway at any time, and the store; each row is there once, and each name is what it was."""
    with host.Plopd(*PLOPD) as plopd, busy(SERVICES):
        gateway = Shipping(plopd, folder, node, "killed")
        gateway.init()
        try:
            for turn in range(6):
                gateway.start()
                time.sleep(random.uniform(0.2, 2.5))
                if turn == 2:
                    node.stop(kill=True)
                if turn == 3:
                    until(lambda: "it is said: %s" % gateway.fleet(), lambda: "does not answer" in (gateway.fleet()["error"] or ""), 30)
                    node.start()
                gateway.end(kill=True)
            windows(plopd, 12)
            accounted(plopd)
            services = by_service_of(plopd)
            assert plopd.stop() == 0
            gateway.start()
            gateway.all_there()
            assert in_store(node, "killed") == in_file(plopd)
            is_whole(node, "killed")
            found = by_service(node, "killed")
            assert set(services) <= set(found), (services, found)
            # all is sent again, as where what was sent is not known any more
            rows = in_store(node, "killed")
            gateway.end(kill=True)
            os.unlink(os.path.join(gateway.state, "shipped"))
            gateway.start()
            gateway.all_there()
            assert gateway.fleet()["windows"] == rows[0]
            assert in_store(node, "killed") == rows == in_file(plopd)
        finally:
            gateway.end()


@pytest.mark.parametrize("wrong, words", [
    ("password", "user and password_file in [fleet] of plop.conf"),
    ("tables", "plop-gateway --init-store"),
    ("newer", "of a newer plop (version 99, this one knows 2): update plop on this host"),
])
def test_what_is_wrong_is_one_sentence(root, node, folder, wrong, words):
    database = "wrong_" + wrong
    with host.Plopd(*PLOPD) as plopd, busy(["shop"]):
        gateway = Shipping(plopd, folder, node, database)
        if wrong != "tables":
            gateway.init()
        if wrong == "newer":
            node.ask("INSERT INTO %s.plop_schema (version) FORMAT TabSeparated" % database, b"99\n")
        if wrong == "password":
            gateway.password("of somebody else")
        with gateway:
            until(lambda: "it is said: %s" % gateway.fleet(), lambda: words in (gateway.fleet()["error"] or ""), 30)
            until(lambda: "windows wait: %s" % gateway.fleet(), lambda: gateway.fleet()["behind"] >= 3, 30)
            facts = gateway.fleet()
            assert facts["windows"] == 0 and facts["retry"] and facts["lag_s"] >= 0, facts
            assert sum(words in line for line in gateway.said().splitlines()) == 1, gateway.said()
            assert clickhouse.PASSWORD not in gateway.said()
            accounted(plopd)
            # once it is mended all goes on by itself
            if wrong == "password":
                gateway.password(clickhouse.PASSWORD)
            elif wrong == "tables":
                subprocess.run(gateway.command()[:3] + ["--init-store"], check=True, stdout=subprocess.DEVNULL, timeout=60)
                gateway.port = int(gateway.process.args[-1].rsplit(":", 1)[1])
            else:
                return
            assert plopd.stop() == 0
            gateway.all_there(90)
            assert in_store(node, database) == in_file(plopd)


def test_a_share_of_the_windows(root, node, folder):
    """Others are passed over, and what is there weighs as much more."""
    with host.Plopd(*PLOPD) as plopd, busy(["shop"]):
        gateway = Shipping(plopd, folder, node, "share", share="0.5", region="eu'1")
        gateway.init()
        with gateway:
            windows(plopd, 10)
            assert plopd.stop() == 0
            gateway.all_there()
            facts = gateway.fleet()
        assert facts["windows"] + facts["passed_over"] == in_file(plopd)[0], facts
        assert node.ask("SELECT DISTINCT weight FROM share.samples") in ("2000000\n", "")
        assert node.ask("SELECT DISTINCT region FROM share.windows") in ("eu\\'1\n", "")


def test_first_windows_of_a_version(root, node, folder):
    """They are there, all of them, though hardly a window is shipped otherwise."""
    with host.Plopd(*PLOPD) as plopd:
        gateway = Shipping(plopd, folder, node, "deploys", share="0.000001", share_least="0.000001", deploy_windows=3)
        gateway.init()
        with gateway, busy(["shop-%d" % os.getpid()], version="7"):
            windows(plopd, 8)
            assert plopd.stop() == 0
            gateway.all_there()
        first = node.ask("SELECT uniqExact(window), min(weight), max(weight) FROM deploys.samples WHERE service = 'shop-%d'" % os.getpid())
        assert first == "3\t1000000\t1000000\n"
        assert node.ask("SELECT DISTINCT weight FROM deploys.windows") == "0\n"
        # a gateway that begins again knows which versions are no new ones
        gateway.end(kill=True)
        with plopd, busy(["shop-%d" % os.getpid()], version="7"):
            plopd.start()
            with gateway:
                before = in_file(plopd)[0]
                windows(plopd, before + 3)
                assert plopd.stop() == 0
                gateway.all_there()
        assert node.ask("SELECT uniqExact(window) FROM deploys.samples WHERE service = 'shop-%d'" % os.getpid()) == "3\n"


def test_no_store(root, folder):
    with host.Plopd(*PLOPD) as plopd, host.Gateway(plopd) as gateway:
        status, body = gateway.get("/v1/fleet")
        assert (status, json.loads(body)) == (200, {"store": None})
        assert gateway.get("/v1/fleet", Authorization="Bearer of-somebody-else")[0] == 401
        status, body = gateway.get("/v1/outliers")
        assert status == 501 and "plop-gateway --store" in json.loads(body)["hint"]


def status_of(plopd, *arguments):
    done = subprocess.run([host.program("plopctl"), "fleet", "status", "--socket", plopd.socket, *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=30)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_plopctl_says_how_it_goes(start_plopd, node, tmp_path):
    plopd = start_plopd(*PLOPD)
    assert status_of(plopd)[::2] == (1, "plopctl: fleet: plop-gateway is not running, and it ships windows\n"
                                        "plopctl: try: systemctl start plop-gateway\n")
    with Shipping(plopd, tmp_path, node, "told", store="") as gateway:
        until("the gateway is known", lambda: "ships to no store" in status_of(plopd)[2])
        assert status_of(plopd)[0] == 1
    with busy(["shop"]), Shipping(plopd, tmp_path, node, "told") as gateway:
        status, said, _ = until("no tables", lambda: (lambda x: x if "--init-store" in x[1] else None)(status_of(plopd)))
        assert status == 1 and "\nerror " in said, said
        gateway.init()
        status, said, complaint = until("windows arrive", lambda: (lambda x: x if x[0] == 0 and "last shipped   20" in x[1] else None)(status_of(plopd)), 60)
        assert complaint == "" and "error" not in said and "store          clickhouse=" in said, said
        print(said)
        facts = json.loads(status_of(plopd, "--json")[1])
        assert facts["windows"] and facts["samples"] and facts["error"] is None, facts
