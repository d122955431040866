# SPDX-License-Identifier: BSD-2-Clause
"""
What stands between plop-gateway and the fleet's store, or is in its place: it answers slowly, by halves, that it has no room or too much
to do, or not at all. And hosts that are not what they were. The totals are those of plop.db then, and no sample is lost meanwhile.
"""
import contextlib
import http.client
import os
import shutil
import sqlite3
import time

import pytest

import clickhouse
import host
import loopback
from fleet_ship import PLOPD, Shipping, accounted, busy, in_file, in_store, is_whole, windows
from waiting import until


@pytest.fixture(scope="module")
def node():
    with clickhouse.nodes() as running:
        yield running[0]


class Between(loopback.Server):
    """Hands on what it is asked, but for what .fault does with it; has what it was told to do, in order."""

    def __init__(self, node):
        self.node, self.fault, self.asked = node, None, 0
        super().__init__(Handler)


class Handler(loopback.Handler):
    def hand_on(self, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.node.port, timeout=60)
        headers = {key: value for key, value in self.headers.items() if key.lower() not in ("host", "accept-encoding")}
        connection.request("POST", self.path, body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked += 1
        fault = self.server.fault
        with contextlib.suppress(OSError, http.client.HTTPException):
            if not fault or not fault(self, body):
                self.answer(*self.hand_on(body))


def status(number, **headers):
    def fault(handler, _):
        handler.answer(number, b"Code: 252. DB::Exception: Too many parts\n", **headers)
        return True
    return fault


def too_large(handler, body):
    """Any that is longer than some rows."""
    if len(body) > 2500 and "samples" in handler.path:
        handler.answer(413, b"too large")
        return True
    return False


def arrives_unanswered(handler, body):
    """It is done, and nobody hears of it: every other time."""
    if handler.server.asked % 2:
        handler.hand_on(body)
        handler.close_connection = True
        handler.connection.close()
        return True
    return False


def half_an_answer(handler, body):
    """A success, whose body does not come, now and then."""
    if handler.server.asked % 7 == 3:
        handler.hand_on(body)
        handler.half_an_answer()
        return True
    return False


def slow(handler, body):
    time.sleep(0.3)
    return False


FAULTS = {
    "429": (status(429, Retry_After="1"), "429"),
    "500": (status(500), "500"),
    "unanswered": (arrives_unanswered, None),
    "half": (half_an_answer, None),
    "slow": (slow, None),
    "too_large": (too_large, None),
}


@pytest.mark.parametrize("name", FAULTS)
def test_totals_are_those_of_plop_db(root, node, folder, name):
    fault, words = FAULTS[name]
    with Between(node) as between, host.Plopd(*PLOPD) as plopd, busy(["shop", "it's"]):
        gateway = Shipping(plopd, folder, node, "fault_" + name, rows="100", store="clickhouse=%s/fault_%s" % (between.url, name))
        gateway.init()
        between.fault = fault
        with gateway:
            if words:
                until(lambda: "it is said: %s" % gateway.fleet(), lambda: words in (gateway.fleet()["error"] or ""), 30)
                facts = gateway.fleet()
                assert facts["windows"] == 0 and facts["failures"] and facts["retry"], facts
            windows(plopd, 5)
            accounted(plopd)
            if words:
                between.fault = None
            assert plopd.stop() == 0
            gateway.all_there(90)
        assert in_store(node, "fault_" + name) == in_file(plopd)
        is_whole(node, "fault_" + name)


def test_a_store_that_never_answers_keeps_nobody(root, node, folder):
    """The gateway answers others at once meanwhile, and ends when it is told to."""
    def never(handler, body):
        handler.server.hung = True
        time.sleep(60)
        return True

    with Between(node) as between, host.Plopd(*PLOPD) as plopd, busy(["shop"]):
        between.fault, between.hung = never, False
        with Shipping(plopd, folder, node, "never", store="clickhouse=%s/never" % between.url) as gateway:
            until("it is asked", lambda: between.hung, 30)
            began = time.monotonic()
            for _ in range(10):
                assert gateway.get("/v1/status")[0] == 200
            assert time.monotonic() - began < 5
            began = time.monotonic()
            gateway.end()
            assert time.monotonic() - began < 5
        accounted(plopd)


def test_two_hosts_of_one_name(root, node, folder):
    """Each has its own folder, so each is one; and a host that is installed anew is a third."""
    totals = []
    for n in range(3):
        with host.Plopd(*PLOPD) as plopd, busy(["shop"]):
            where = os.path.join(folder, str(n))
            os.makedirs(where)
            gateway = Shipping(plopd, where, node, "hosts")
            gateway.init()
            windows(plopd, 2)
            assert plopd.stop() == 0
            with gateway:
                gateway.all_there()
            totals.append(in_file(plopd))
    assert in_store(node, "hosts") == tuple(sum(each) for each in zip(*totals))
    assert node.ask("SELECT uniqExact(host_id), uniqExact(host) FROM hosts.windows") == "3\t1\n"


def test_another_plop_db(root, node, folder):
    """One that was removed, and an older copy that was put back: what there is goes on."""
    database, seen = "another", []
    with host.Plopd(*PLOPD) as plopd, busy(["shop"]):
        with Shipping(plopd, folder, node, database) as gateway:
            gateway.init()
            gateway.end()
            gateway.start()
            copy = os.path.join(folder, "copy")
            for turn in range(3):
                if turn:
                    assert plopd.stop() == 0
                    gateway.all_there()
                    seen.append(in_file(plopd))
                    path = os.path.join(plopd.state, "plop.db")
                    if turn == 1:
                        with contextlib.closing(sqlite3.connect(path)) as db:
                            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                        shutil.copyfile(path, copy)
                    for suffix in ("", "-wal", "-shm"):
                        with contextlib.suppress(FileNotFoundError):
                            os.unlink(path + suffix)
                    if turn == 2:
                        shutil.copyfile(copy, path)
                    plopd.start()
                had = in_file(plopd)[0] if turn == 2 else 0
                windows(plopd, had + 3)
            assert plopd.stop() == 0
            gateway.all_there()
        # the copy's own windows were there already
        first, second, third = seen[0], seen[1], in_file(plopd)
        assert in_store(node, database) == tuple(a + b - c for a, b, c in zip(second, third, (0, 0, 0)))
        assert first[0] < third[0]
