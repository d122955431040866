# SPDX-License-Identifier: BSD-2-Clause
"""
Windows on their way to the profile stores of others: a stand-in for each, which holds every request to what that store documents. What is
in plop.db is there, to the sample, whoever was killed; what was sent and not answered may be there twice, and nothing else is.
"""
import collections
import json
import os
import random
import subprocess
import time
import types

import pytest

import host
import otel_receiver
import stores
from fleet_ship import PLOPD, Shipping, accounted, busy, by_service_of, in_file, status_of, windows
from ports import free_port
from waiting import until


class Pushing(Shipping):
    """plop-gateway before a plopd, which ships to that address of a store of that kind."""

    def __init__(self, plopd, folder, kind, url, **options):
        node = types.SimpleNamespace(url=url)
        super().__init__(plopd, folder, node, "", **dict(dict(store="%s=%s" % (kind, url), user="", password_file=""), **options))

    def token(self, text):
        path = os.path.join(self.folder, "token")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text + "\n")
        return path

    def refused(self):
        """What it says where it does not start."""
        done = subprocess.run(self.command(), stderr=subprocess.PIPE, timeout=30)
        assert done.returncode == 1, done
        return done.stderr.decode()


@pytest.mark.parametrize("kind", stores.KINDS)
def test_whoever_is_killed(root, folder, kind):
    """The gateway, at any time: it begins behind the last answer that it has heard."""
    services, kills = ["shop", "<b>ä\u202e", "long" * 1000], 5
    with stores.Store(kind) as store, host.Plopd(*PLOPD) as plopd, busy(services, "7"):
        gateway = Pushing(plopd, folder, kind, store.url + "/", region="eu", rows=100)
        try:
            for _ in range(kills):
                gateway.start()
                time.sleep(random.uniform(0.2, 2))
                gateway.end(kill=True)
            windows(plopd, 8)
            accounted(plopd)
            assert plopd.stop() == 0
            gateway.start()
            gateway.all_there()
            facts = gateway.fleet()
            found = collections.Counter()
            for window in json.loads(gateway.get("/v1/windows")[1])["windows"]:
                for process in window["processes"]:
                    found[process["service"]] += process["samples"]
        finally:
            gateway.end()
        count, _, samples = in_file(plopd)
        assert not store.broken and not facts["refused"], (store.broken, facts)
        assert store.total == samples, (store.total, store.repeated, samples)
        # no kill cost more than one request twice
        assert store.asked <= 4 * count * (1 + len(found)) + kills and len(store.seen) + kills >= store.asked, (store.asked, len(store.seen))
        assert store.taken["shop"] == found["shop"], (store.taken, found)


def before_it_is_read(handler, *_):
    """The connection ends, every other time, and nothing has arrived."""
    if handler.server.asked % 2:
        handler.close_connection = True
        return True
    return False


def unanswered(handler, service, samples, body):
    """It has arrived, and nobody hears of it, now and then."""
    if handler.server.asked % 3 == 1:
        handler.server.take(handler.path, body, service, samples)
        handler.close_connection = True
        return True
    return False


def half_an_answer(handler, service, samples, body):
    """A success, whose words do not come whole: it is one."""
    if handler.server.asked % 3 == 1:
        handler.server.take(handler.path, body, service, samples)
        handler.half_an_answer()
        return True
    return False


def says(status):
    def fault(handler, *_):
        handler.answer(status, b"no\n", Retry_After="1")
        return True
    return fault


FAULTS = {
    "429": dict(fault=says(429)),
    "500": dict(fault=says(500)),
    "dropped": dict(fault=before_it_is_read),
    "unanswered": dict(fault=unanswered),
    "half": dict(fault=half_an_answer),
    "too_large": dict(most=2),
    "burst": dict(rate=3000),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("kind", ["pyroscope", "otlp"])
def test_totals_are_those_of_plop_db(root, folder, kind, name):
    with stores.Store(kind) as store, host.Plopd(*PLOPD) as plopd, busy(["shop", "till"]):
        for key, value in FAULTS[name].items():
            setattr(store, key, value)
        gateway = Pushing(plopd, folder, kind, store.url)
        with gateway:
            if name in ("429", "500"):
                until(lambda: "it is said: %s" % gateway.fleet(), lambda: name in (gateway.fleet()["error"] or ""), 30)
                facts = gateway.fleet()
                assert facts["windows"] == 0 and facts["failures"] and facts["retry"], facts
            windows(plopd, 3)
            accounted(plopd)
            if name in ("429", "500"):
                store.fault = None
            assert plopd.stop() == 0
            if name == "burst":
                # what is larger than the burst never passes, so requests have become smaller
                until(lambda: "some are taken: %s" % gateway.fleet(), lambda: store.refused >= 3 and store.total, 60)
                store.rate = None
            gateway.all_there(90)
            facts = gateway.fleet()
        assert not store.broken and not facts["refused"], (store.broken, facts)
        assert store.total == in_file(plopd)[2]
        assert (store.repeated > 0) == (name == "unanswered"), store.repeated
        assert (store.refused > 0) == (name in ("too_large", "burst")), store.refused


@pytest.mark.parametrize("kind", stores.KINDS)
def test_a_token(root, folder, kind):
    """One that is wrong is one sentence, and windows wait; with the right one all goes on by itself."""
    with stores.Store(kind) as store, host.Plopd(*PLOPD) as plopd, busy(["shop"]):
        store.header = ("X-API-Key", "right") if kind == "coroot" else ("Authorization", "Bearer right")
        gateway = Pushing(plopd, folder, kind, store.url)
        gateway.options["token_file"] = gateway.token("of somebody else")
        with gateway:
            until(lambda: "it is said: %s" % gateway.fleet(), lambda: "token_file" in (gateway.fleet()["error"] or ""), 30)
            until(lambda: "windows wait: %s" % gateway.fleet(), lambda: gateway.fleet()["behind"] >= 3, 30)
            status, said, _ = status_of(plopd)
            assert status == 1 and "store          %s=%s" % (kind, store.url) in said and "no such project" in said, said
            assert sum("token_file" in line for line in gateway.said().splitlines()) == 1, gateway.said()
            assert "somebody" not in gateway.said() + said
            assert store.total == 0
            gateway.token("right")
            assert plopd.stop() == 0
            gateway.all_there(90)
            assert store.total == in_file(plopd)[2] and not store.broken, store.broken
        gateway.options.update(user="plop", password_file=gateway.token("right"))
        if kind != "coroot":
            assert "of which a store is shown one" in gateway.refused()


def test_a_tenant_and_a_password(root, folder):
    asked = []

    def fault(handler, *_):
        asked.append((handler.headers["X-Scope-OrgID"], handler.headers["Authorization"]))

    with stores.Store("pyroscope") as store, host.Plopd(*PLOPD) as plopd, busy(["shop"]):
        store.fault = fault
        gateway = Pushing(plopd, folder, "pyroscope", store.url, user="plop", tenant="team-1")
        gateway.options["password_file"] = gateway.token("secret")
        with gateway:
            until("one arrives", lambda: store.total)
    assert set(asked) == {("team-1", "Basic cGxvcDpzZWNyZXQ=")}


def test_what_is_refused_is_counted(root, folder):
    """And what comes behind it arrives."""
    def fault(handler, service, *_):
        if service == "till":
            handler.answer(400, b"not this one\n")
        return service == "till"

    with stores.Store("parca") as store, host.Plopd(*PLOPD) as plopd, busy(["shop", "till"]):
        store.fault = fault
        with Pushing(plopd, folder, "parca", store.url) as gateway:
            windows(plopd, 3)
            found = by_service_of(plopd)
            until("the rest has arrived", lambda: status_of(plopd)[0] == 0)
            _, said, _ = status_of(plopd)
            assert plopd.stop() == 0
            gateway.all_there()
            facts = gateway.fleet()
        assert "refused        " in said and "not this one" in said, said
        assert store.total + facts["refused"] == in_file(plopd)[2] and facts["samples"] == store.total, facts
        assert facts["refused"] >= found["till"] > 0 and "not this one" in facts["refusal"], (facts, found)


@pytest.mark.parametrize("share, weight", [("0.5", 2), ("0.3", 1 / 0.3)])
def test_a_share_of_the_windows(root, folder, share, weight):
    """What is there weighs as much more: exactly, where that is whole, and else to less than a sample a window."""
    with stores.Store("coroot") as store, host.Plopd(*PLOPD) as plopd, busy(["shop"]):
        gateway = Pushing(plopd, folder, "coroot", store.url, share=share)
        with gateway:
            windows(plopd, 10)
            assert plopd.stop() == 0
            gateway.all_there()
            facts = gateway.fleet()
        assert facts["windows"] + facts["passed_over"] == in_file(plopd)[0], facts
        if weight == 2:
            assert store.total == 2 * facts["samples"], (store.total, facts)
        else:
            assert abs(store.total - weight * facts["samples"]) < facts["windows"] + 1, (store.total, facts)


@pytest.mark.parametrize("options, words", [
    (dict(target=1000), "target in [fleet] of plop.conf is for a ClickHouse"),
    (dict(store="pyroscope=http://me:secret@127.0.0.1"), "options of their own in [fleet]"),
    (dict(store="pyroscope=http://127.0.0.1/?a=b"), "is no address of a store"),
    (dict(store="pyro=http://127.0.0.1"), "a kind of store and its URL"),
])
def test_what_cannot_be_is_said_at_once(root, folder, options, words):
    with host.Plopd(*PLOPD) as plopd:
        assert words in Pushing(plopd, folder, "parca", "http://127.0.0.1:1", **options).refused()


def test_only_a_clickhouse_has_tables(folder):
    config = os.path.join(folder, "plop.conf")
    with open(config, "w", encoding="utf-8") as f:
        f.write("[gateway]\ntoken = a-token-that-lasts\n[fleet]\nstore = parca=http://127.0.0.1:1\n")
    for option, words in (("--init-store", "there is no store that takes tables"),
                          ("--store=parca=http://127.0.0.1:1", "only a ClickHouse can be asked for all hosts")):
        done = subprocess.run([host.program("plop-gateway"), "--config", config, "--listen", "127.0.0.1:%d" % free_port(), option],
                              stderr=subprocess.PIPE, timeout=30)
        assert done.returncode == 1 and words in done.stderr.decode(), done


def test_the_collector(root, folder):
    """The receiver of the OpenTelemetry collector counts what plop.db has."""
    program, why = otel_receiver.built()
    if not program:
        pytest.skip(why)
    port = free_port()
    with host.Workload([program], None, "127.0.0.1:%d" % port) as receiver, host.Plopd(*PLOPD) as plopd, busy(["shop", "till"]):
        with Pushing(plopd, folder, "otlp", "http://127.0.0.1:%d" % port) as gateway:
            windows(plopd, 4)
            assert plopd.stop() == 0
            gateway.all_there()
            facts = gateway.fleet()
        total, samples = 0, in_file(plopd)[2]
        while total < samples:
            total += int(receiver.line("samples")[0])
        assert total == samples == facts["samples"], (total, samples, json.dumps(facts))
