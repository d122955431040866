# SPDX-License-Identifier: BSD-2-Clause
"""
A fleet's store of two nodes that go and come back, that is full, whose certificate is wrong, whose clock is. One plopd saves windows
meanwhile, and each test ships all of them to a database of its own: totals are those of plop.db, to the sample, and no sample is lost.
"""
import contextlib
import os
import random
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
import time

import pytest

import clickhouse
import host
from fleet_faults import Between
from fleet_ship import PLOPD, SERVICES, Shipping, accounted, busy, by_service, in_file, in_store, is_whole, windows
from waiting import until


@pytest.fixture(scope="module")
def cluster():
    with clickhouse.nodes(2) as running:
        yield running


@pytest.fixture(scope="module")
def load(plopd):
    """What runs all the time."""
    with busy(SERVICES):
        yield plopd


def shipping(load, folder, cluster, database, **options):
    """A gateway before the first node; the tables are there, on both."""
    place = "clickhouse=%%s/%s?cluster=%s" % (database, clickhouse.CLUSTER)
    for node in reversed(cluster):
        gateway = Shipping(load, folder, node, database, **dict(options, store=place % node.url))
        gateway.init()
    gateway.options.update(options)
    return gateway


def agree(gateway, node, database, least=1):
    """All up to a time is there, as plop.db has it."""
    said = until(lambda: "windows arrive: %s" % gateway.fleet(), lambda: (lambda f: f if f["error"] is None and f["behind"] <= 2 and f["windows"]
                                                                         else None)(gateway.fleet()), 90)
    gateway.end(kill=True)
    with contextlib.closing(sqlite3.connect("file:%s/plop.db?mode=ro" % gateway.plopd.state, uri=True)) as db:
        last = int(node.ask("SELECT max(end_ns) FROM %s.windows" % database))
        of_file = db.execute("SELECT count(*), sum(ticks), sum(samples) FROM windows WHERE end_ns <= ?", (last,)).fetchone()
    assert of_file[0] >= least, (of_file, said)
    assert in_store(node, database) == of_file, said
    is_whole(node, database)
    accounted(gateway.plopd)


def test_windows_go_together(load, folder, cluster):
    """They wait for one another. Whoever is killed meanwhile, a node in the midst of an insert as well, all is there once."""
    gateway = shipping(load, folder, cluster, "together", delay="4s")
    with gateway:
        until(lambda: "they wait: %s" % gateway.fleet(), lambda: gateway.fleet()["windows"] and gateway.fleet()["behind"] >= 2, 30)
        assert gateway.fleet()["error"] is None
        gateway.end(kill=True)
        before = in_store(cluster[0], "together")[0]
        gateway.start()
        until(lambda: "three come at once: %s" % gateway.fleet(), lambda: gateway.fleet()["windows"] >= 3, 30)
        assert in_store(cluster[1], "together")[0] >= before + 3
        for node in cluster[::-1]:
            time.sleep(random.uniform(0.5, 4))
            gateway.end(kill=True)
            gateway.start()
            time.sleep(random.uniform(0, 4))
            node.stop(kill=True)
            time.sleep(random.uniform(0, 2))
            node.start()
        agree(gateway, cluster[0], "together", 10)


def test_what_is_urgent_does_not_wait(load, folder, cluster):
    """What waits behind an outage comes in few inserts, and then nothing does for an hour, but the first window of a version."""
    version = "shop-%d" % os.getpid()
    windows(load, 12)
    had = in_file(load)[0]
    with shipping(load, folder, cluster, "gathered", delay="1h", deploy_windows=1) as gateway:
        until(lambda: "what waits has come: %s" % gateway.fleet(), lambda: gateway.fleet()["windows"] >= had, 60)
        parts = cluster[0].ask("SELECT count() FROM system.parts WHERE database = 'gathered' AND table = 'windows_local'")
        assert int(parts) < had / 2, (parts, had)
        before = gateway.fleet()["windows"]
        windows(load, in_file(load)[0] + 2)
        assert gateway.fleet()["windows"] <= before + 1, gateway.fleet()
        with busy([version], version="7"):
            until("it came at once", lambda: version in by_service(cluster[0], "gathered"), 20)
        gateway.end(kill=True)
    gateway.options["delay"] = "0s"
    with gateway:
        agree(gateway, cluster[0], "gathered", had)


def test_both_nodes_down(load, folder, cluster):
    """Then what waits comes in order, by no more than the rate at which it catches up."""
    gateway = shipping(load, folder, cluster, "outage")
    for node in cluster:
        node.stop(kill=True)
    with gateway:
        until(lambda: "it is said: %s" % gateway.fleet(), lambda: "does not answer" in (gateway.fleet()["error"] or ""), 30)
        cluster[0].start()
        until(lambda: "half a cluster is none: %s" % gateway.fleet(), lambda: "says no" in (gateway.fleet()["error"] or ""), 60)
        accounted(load)
        windows(load, 40)
        waits = in_file(load)[0]
        cluster[1].start()
        with contextlib.closing(sqlite3.connect("file:%s/plop.db?mode=ro" % load.state, uri=True)) as db:
            ends = [each[0] for each in db.execute("SELECT end_ns FROM windows ORDER BY id")]
        began, there = None, 0
        while there < waits:
            found = [int(n) for n in cluster[0].ask("SELECT DISTINCT end_ns FROM outage.windows ORDER BY end_ns").split()]
            assert found[:len(ends)] == ends[:len(found)], "they are the first ones"
            if found and began is None:
                began, first = time.monotonic(), len(found)
            there = len(found)
            assert began is None or time.monotonic() < began + 60, gateway.fleet()
            time.sleep(0.05)
        assert time.monotonic() - began >= (waits - first) / 20 * 0.7 - 1
        agree(gateway, cluster[0], "outage", waits)


def test_a_full_disk(load, folder):
    """It is said, and all goes on by itself when there is room."""
    data = os.path.join(folder, "data")
    with clickhouse.nodes() as (node,):
        node.stop()
        moved = os.path.join(node.folder, "data")
        os.rename(moved, data)
        os.mkdir(moved)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "plop-full", moved], check=True)
        try:
            subprocess.run(["cp", "-a", data + "/.", moved], check=True)
            node.start()
            with shipping(load, folder, [node], "full") as gateway:
                until(lambda: "windows arrive: %s" % gateway.fleet(), lambda: gateway.fleet()["windows"], 30)
                with contextlib.suppress(OSError), open(os.path.join(moved, "filler"), "wb", buffering=0) as f:
                    while True:
                        f.write(bytes(1 << 16))
                said = until(lambda: "it is said: %s" % gateway.fleet(), lambda: gateway.fleet()["error"], 60)
                assert "says no (500" in said and said.endswith("it is asked again later"), said
                until(lambda: "windows wait: %s" % gateway.fleet(), lambda: gateway.fleet()["behind"] >= 2, 30)
                os.unlink(os.path.join(moved, "filler"))
                agree(gateway, node, "full")
        finally:
            node.stop()
            subprocess.run(["umount", moved], check=True)


def certificates(folder):
    """{name: (file of certificate and key)}, and the file of the authority that signed "right" and "expired"."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    for authority in ("ours", "theirs"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", authority + ".key", "-out",
                authority + ".pem", "-subj", "/CN=" + authority, "-days", "2")
    with open(os.path.join(folder, "names"), "w", encoding="ascii") as f:
        f.write("subjectAltName=IP:127.0.0.1\n")
    made = {}
    for name, authority, days in (("right", "ours", "2"), ("expired", "ours", "-1"), ("others", "theirs", "2")):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", name + ".key", "-out", name + ".csr",
                "-subj", "/CN=store")
        openssl("x509", "-req", "-in", name + ".csr", "-CA", authority + ".pem", "-CAkey", authority + ".key", "-CAcreateserial", "-out",
                name + ".pem", "-days", days, "-extfile", "names")
        made[name] = (os.path.join(folder, name + ".pem"), os.path.join(folder, name + ".key"))
    return made, os.path.join(folder, "ours.pem")


class Tls:
    """Hands on to a node what comes by TLS, with .certificate."""

    def __init__(self, node, certificate):
        self.node, self.certificate = node, certificate
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.url = "https://127.0.0.1:%d" % self.listening.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                plain, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(plain,), daemon=True).start()

    def serve(self, plain):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.certificate)
        with contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as client, \
                socket.create_connection(("127.0.0.1", self.node.port)) as node:
            back = threading.Thread(target=self.pump, args=(node, client), daemon=True)
            back.start()
            self.pump(client, node)
            back.join()

    @staticmethod
    def pump(one, other):
        with contextlib.suppress(OSError):
            while True:
                data = one.recv(65536)
                if not data:
                    break
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)


def test_certificates(load, folder, cluster):
    """One that is not trusted, or has expired, is told as such, and nothing is sent; with the right one all goes on by itself."""
    made, authority = certificates(folder)
    shipping(load, folder, cluster, "tls")
    server = Tls(cluster[0], made["others"])
    with Shipping(load, folder, cluster[0], "tls", store="clickhouse=%s/tls?cluster=%s" % (server.url, clickhouse.CLUSTER), ca_file=authority) as gateway:
        for name in ("others", "expired"):
            server.certificate = made[name]
            before = gateway.fleet()["failures"]
            until(lambda: "it is tried twice: %s" % gateway.fleet(), lambda: gateway.fleet()["failures"] >= before + 2, 40)
            facts = gateway.fleet()
            assert "has a certificate that is not trusted" in facts["error"] and facts["error"].endswith("see ca_file in [fleet] of plop.conf"), facts
            assert facts["windows"] == 0
        server.certificate = made["right"]
        agree(gateway, cluster[0], "tls")
    server.listening.close()


@pytest.mark.parametrize("shift_s", (-86400 * 3, 86400 * 400))
def test_a_wrong_clock(load, folder, cluster, shift_s):
    """A gateway whose clock is not that of its windows ships each of them, and does not wait for a time that does not come."""
    clock, database = os.path.join(folder, "clock"), "clock_%s" % ("behind" if shift_s < 0 else "ahead")
    with open(clock, "wb") as f:
        f.write(shift_s.to_bytes(8, sys.byteorder, signed=True))
    gateway = shipping(load, folder, cluster, database, delay="2s")
    gateway.environment = dict(os.environ, PLOP_TEST_CLOCK=clock, LD_PRELOAD=os.path.join(host.BUILD, "tests", "system", "libshifted_clock.so"))
    with gateway:
        agree(gateway, cluster[0], database)


def test_a_proxy(load, folder, cluster):
    """The one that the environment names is asked, and no_proxy says who is not."""
    with Between(cluster[0]) as proxy:
        gateway = shipping(load, folder, cluster, "proxied")
        gateway.environment = dict(os.environ, http_proxy=proxy.url, no_proxy="127.0.0.1")
        with gateway:
            until(lambda: "windows arrive: %s" % gateway.fleet(), lambda: gateway.fleet()["windows"], 30)
            assert proxy.asked == 0
        gateway.environment["no_proxy"] = ""
        with gateway:
            until(lambda: "windows arrive: %s" % gateway.fleet(), lambda: gateway.fleet()["windows"], 30)
            assert proxy.asked >= 4
            agree(gateway, cluster[0], "proxied")
