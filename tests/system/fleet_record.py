# SPDX-License-Identifier: BSD-2-Clause
"""
`plopctl fleet record`: what is asked of several hosts through the store is what their plop.db have, to the sample, and no sum over the
fleet is another one by that.
"""
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import urllib.error
import urllib.request

import pytest

import clickhouse
import host
from fleet_server import DONE, FAILED, NO_TARGET, NOT_ALLOWED, USAGE, Said, at
from fleet_ship import Shipping, busy
from fleet_source import TOKEN, gateway_of
from waiting import until

PLOPD = ("--window", 1, "--hz", 200)


@pytest.fixture(scope="module", params=clickhouse.VERSIONS)
def node(request):
    with clickhouse.store(request.param) as running:
        yield running


class Fleet:
    """Hosts that ship some windows to a store, and a plop-gateway that serves it."""

    def __init__(self, hosts, gateway, folder):
        self.hosts, self.gateway = hosts, gateway
        self.token = os.path.join(folder, "token")
        with open(self.token, "w") as f:
            f.write(TOKEN + "\n")

    def plopctl(self, *arguments):
        return Said("fleet", "record", *arguments, *at(self.gateway.port), "--token-file", self.token)

    def post(self, **body):
        request = urllib.request.Request("http://127.0.0.1:%d/v1/fleet/record" % self.gateway.port, json.dumps(body).encode(),
                                         {"Authorization": "Bearer " + TOKEN})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as e:
            return e.code, json.loads(e.read())


@contextlib.contextmanager
def fleet_of(node, database, folder, *options):
    """A host for each of the options."""
    with contextlib.ExitStack() as stack:
        hosts = []
        for number, each in enumerate(options):
            plopd = stack.enter_context(host.Plopd(*PLOPD))
            here = os.path.join(folder, str(number))
            os.mkdir(here)
            shipping = Shipping(plopd, here, node, database, **dict({"poll": "1s"}, **each))
            if not number:
                shipping.init()
            hosts.append(stack.enter_context(shipping))
        served = os.path.join(folder, "served")
        os.mkdir(served)
        yield Fleet(hosts, stack.enter_context(gateway_of(node.url + "/" + database, served)), folder)


def seen(node, database, hosts):
    until("%d hosts were seen" % hosts,
          lambda: node.ask("SELECT uniqExact(host_id) FROM %s.samples WHERE service = 'shop'" % database) == "%d\n" % hosts, 60)


def had(plopd, begin, end):
    """What plop.db has of windows that overlap a time."""
    with contextlib.closing(sqlite3.connect("file:%s/plop.db?mode=ro" % plopd.state, uri=True)) as db:
        return db.execute("SELECT sum(samples) FROM windows WHERE start_ns < ? AND end_ns > ?", (end * 10**9, begin * 10**9)).fetchone()[0]


def weighted(node, database):
    """What all sums over hosts are made of."""
    samples = node.ask("SELECT hex(service), version, sum(samples * weight) AS w FROM %s.samples FINAL GROUP BY service, version HAVING w > 0 "
                       "ORDER BY service, version" % database)
    heads = node.ask("SELECT sum(weight * ticks), sum(weight * samples), sum(weight) FROM %s.windows FINAL" % database)
    return samples, heads


def test_hosts_send_what_they_have(root, node, folder):
    few = dict(share="0.3")
    with busy(["shop", "mail"], version="7"), fleet_of(node, "asked", folder, few, few, dict(few, poll="0")) as fleet:
        seen(node, "asked", 3)
        kept = os.path.join(folder, "kept.collapsed")
        done = fleet.plopctl("service=shop", "-d", "7s", "--in", "3s", "--wait", "8s", "--hosts", "3", "-o", kept)
        # the one that asks for nothing is missing, and named
        assert done.status == DONE and "3 of 3 hosts are asked" in done.complaint, done.complaint
        assert "1 of 3 hosts have not sent all of it: " in done.complaint and " samples in " in done.complaint, done.complaint
        request = done.complaint.split("request ")[1].split(":")[0]
        status, state = fleet.gateway.ask("/v1/fleet/record/" + request)
        assert status == 200 and sum(h["sent"] for h in state["hosts"]) == 2 and state["selectors"] == "service=shop", state
        status, all_of_it = fleet.gateway.ask("/v1/profile", request=request, format="json")
        assert status == 200, all_of_it
        sent = {h["host_id"] for h in state["hosts"] if h["sent"]}
        asked = [each for each in fleet.hosts if each.fleet()["host_id"] in sent]
        for each in fleet.hosts:
            assert each.plopd.stop() == 0
        for each in fleet.hosts:
            each.all_there()
        status, all_of_it = fleet.gateway.ask("/v1/profile", request=request, format="json")
        # of the host that asks for nothing there may be windows by its plan
        planned = int(node.ask("SELECT sum(samples) FROM asked.samples FINAL WHERE host_id NOT IN (%s) AND window IN (SELECT window FROM asked.windows WHERE "
                               "start_ns < %d AND end_ns > %d)" % (",".join(str(int(h, 16)) for h in sent), state["to"] * 10**9, state["from"] * 10**9)))
        assert all_of_it["total"] == planned + sum(had(each.plopd, state["from"], state["to"]) for each in asked) > 0
        assert all_of_it["tally"]["ticks"] if "tally" in all_of_it else all_of_it["ticks"]
        with open(kept) as f:
            shop = sum(int(line.rsplit(" ", 1)[1]) for line in f)
        assert 0 < shop < all_of_it["total"]
        # some of it weighs nothing
        assert int(node.ask("SELECT count() FROM asked.windows FINAL WHERE weight = 0")) > 0
        no_sum_is_another(node, fleet, asked[0], folder)


def no_sum_is_another(node, fleet, one, folder):
    """Sent again without any request, all that the store adds up is the same."""
    os.mkdir(os.path.join(folder, "again"))
    plain = Shipping(one.plopd, os.path.join(folder, "again"), node, "plain", share="0.3", poll="0")
    plain.init()
    shutil.copy(os.path.join(one.state, "host_id"), os.path.join(plain.state, "host_id"))
    fleet.hosts[0].end(), fleet.hosts[1].end()
    with plain:
        plain.all_there()
    of_one = "host_id = %d" % int(node.ask("SELECT any(host_id) FROM plain.windows") or 0)
    assert of_one != "host_id = 0"
    for table, what in (("samples", "hex(service), version, sum(samples * weight) AS w"), ("windows", "'', '', sum(ticks * weight) AS w")):
        said = [node.ask("SELECT %s FROM %s.%s FINAL WHERE %s GROUP BY %s HAVING w > 0 ORDER BY w" % (
            what, database, table, of_one, "service, version" if table == "samples" else "host_id")) for database in ("asked", "plain")]
        assert said[0] == said[1] != "", (table, said)


def test_all_is_asked_where_the_plan_tells_services(root, node, folder):
    """The first windows of a version are there; a request brings the rest of a later one."""
    with busy(["shop"], version="8"), fleet_of(node, "told", folder, dict(share="0.000001", share_least="0.000001", deploy_windows=2)) as fleet:
        seen(node, "told", 1)
        done = fleet.plopctl("service=shop", "-d", "2s", "--in", "4s", "--hosts", "5", "-f", "collapsed")
        assert done.status == DONE and b"outer" in done.out and "not sent" not in done.complaint, done.complaint
        heaviest = node.ask("SELECT max(weight) FROM told.samples WHERE window IN (SELECT window FROM told.windows WHERE weight = 0)")
        assert heaviest in ("0\n", "1000000\n")


def test_enough_of_waiting(root, node, folder):
    """What has arrived is written, and nothing is left beside it."""
    with busy(["shop"], version="8"), fleet_of(node, "enough", folder, dict(delay="6s")) as fleet:
        seen(node, "enough", 1)
        kept = os.path.join(folder, "kept")
        os.mkdir(kept)
        process = subprocess.Popen([host.program("plopctl"), "fleet", "record", "service=shop", "--in", "0s", "-d", "10m", "-o", kept + "/p.collapsed",
                                    *at(fleet.gateway.port), "--token-file", fleet.token], stderr=subprocess.PIPE)
        assert b"request " in process.stderr.readline()
        until("some of it has arrived", lambda: int(node.ask("SELECT count() FROM enough.windows WHERE end_ns > (SELECT max(from_s) FROM enough.requests) * "
                                                             "toUInt64(1000000000)")) > 1, 60)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read().decode()
        assert process.wait(30) == DONE and "1 of 1 hosts have not sent all of it" in said and " samples in " in said, said
        assert os.listdir(kept) == ["p.collapsed"] and os.path.getsize(kept + "/p.collapsed")


def test_what_is_refused(root, node, folder):
    with busy(["shop"], version="9"), fleet_of(node, "refused", folder, {}) as fleet:
        seen(node, "refused", 1)
        assert fleet.plopctl("service=nobody").sentence(NO_TARGET, "no host had samples of that within the last hour")
        for arguments, words in ((["-d", "2h"], "duration_s is not a number from 1 to 3600"), (["-d", "x"], "-d x is not a time"), (["--hosts", "0"], "--hosts 0"),
                                 (["colour=red"], "is not a selector")):
            done = fleet.plopctl(*arguments)
            assert done.status == USAGE and words in done.complaint, done.complaint
        done = fleet.plopctl("thread_name=a")
        assert done.status == USAGE and "no threads" in done.complaint, done.complaint
        for body, words in ((dict(hosts=1001), "hosts is not a number"), (dict(colour=1), "no object with"), (dict(selectors="a"), "no object with"),
                            (dict(selectors=[1]), "is not a selector"), (dict(wait_s=-1), "wait_s is not")):
            status, answer = fleet.post(**body)
            assert status == 400 and words in answer["error"], answer
        for path in ("/v1/fleet/record/0123456789abcdef", "/v1/fleet/record/x"):
            assert fleet.gateway.ask(path)[0] == 404
        assert fleet.gateway.ask("/v1/profile", request="0123456789abcdef")[0] == 404
        assert fleet.gateway.ask("/v1/profile", request="x")[0] == 400
        assert fleet.gateway.ask("/v1/series", request="0123456789abcdef")[0] == 400
        # so many an hour
        for _ in range(60):
            status, answer = fleet.post(hosts=1, duration_s=1, wait_s=3600)
            if status == 429:
                break
        assert fleet.post(hosts=1)[0] == 429
        Said("fleet", "record", *at(fleet.gateway.port)).sentence(NOT_ALLOWED, "a token is needed")
        Said("fleet", "record", "service=shop").sentence(USAGE, "say which plop-gateway serves the fleet")
        # a host's own gateway has no fleet
        own = fleet.hosts[0]
        token = os.path.join(folder, "own")
        with open(token, "w") as f:
            f.write("a-token-that-lasts\n")
        done = Said("fleet", "record", *at(own.port), "--token-file", token)
        assert done.status == FAILED and "is of a fleet, and this is one host" in done.complaint, done.complaint
