# SPDX-License-Identifier: BSD-2-Clause
"""
What plop-gateway tells of a fleet's hosts: those that do not run as the others of their service do, and what each did over time. The rows are
made here, as sums are known then.
"""
import json
import random
import subprocess
import time

import pytest

import clickhouse
import host
from fleet_source import HOSTILE, TOKEN, gateway_of, make_tables, served

WINDOW, WINDOWS = 30, 20
BEGAN = 1795000020 // 600 * 600
HALF = BEGAN + WINDOWS * WINDOW
END = HALF + WINDOWS * WINDOW
FUNCTIONS = ["f%d" % i for i in range(12)]
# Shares fall off as those of a real program do.
COST = {name: 60.0 / (i + 1) for i, name in enumerate(FUNCTIONS)}
DEAR, EVIL = "f2", "<b>&'\u202e" + "x" * 300
SHOP, WIDE, FEW = 14, 9, 3


class Fleet:
    """
    14 hosts of shop, on one of which f2 costs three times as much; 9 of a hostile name and hostile hosts; 3 of mail. shop and the hostile one
    have version 1 in the first ten minutes and version 2 behind that, in which f1 of shop costs half as much again; of mail one host has
    version 2, and nothing before.
    """

    def __init__(self):
        self.random = random.Random(11)
        self.tables = {name: [] for name in ("stacks", "processes", "samples", "windows")}
        self.samples = {}  # by (service, host, version)
        self.weights = {}
        self.stacks = {}
        for service, n in (("shop", SHOP), (HOSTILE, WIDE), ("mail", FEW)):
            for i in range(n):
                name = "%s%d" % (EVIL if service == HOSTILE else service, i)
                self.host(service, name, len(self.weights) + 1, dear=i == 3)

    def stack(self, names):
        if names not in self.stacks:
            self.stacks[names] = len(self.stacks) + 1
            n = len(names)
            self.tables["stacks"].append(dict(day=self.day(BEGAN), stack_id=self.stacks[names], functions=list(names), files=["/srv/app.py"] * n, lines=[9] * n,
                                              first_lines=[1] * n, kinds=[0] * n, modules=[""] * n))
        return self.stacks[names]

    @staticmethod
    def day(start):
        return time.strftime("%Y-%m-%d", time.gmtime(start))

    def host(self, service, name, ident, dear):
        self.weights[name] = 2 if ident % 3 == 0 else 1
        region, load = "eu" if ident % 2 else "us", self.random.uniform(0.8, 1.6)
        own = {f: self.random.gauss(1, 0.04) for f in FUNCTIONS}
        self.tables["processes"].append(dict(
            day=self.day(BEGAN), process_id=ident, host_id=ident, host=name, region=region, pid=ident % 30000 + 1, start_time=5.5, uid=1000, python="3.13.0",
            comm="python3", exe="/usr/bin/python3", cmdline="app.py " + name[:50], cgroup="/a/b", unit=service[:20] + ".service", container="", service=service,
            version="1"))
        for start in range(HALF if name == "mail2" else BEGAN, END, WINDOW):
            version = "1" if start < HALF or name in ("mail0", "mail1") else "2"
            window, total = self.random.getrandbits(63), 0
            weight = self.weights[name] * 1000000
            head = dict(host_id=ident, host=name, region=region, window=window, weight=weight)
            for f in FUNCTIONS:
                cost = COST[f] * load * own[f]
                if dear and f == DEAR:
                    cost *= 3
                if service == "shop" and version == "2" and f == "f1":
                    cost *= 1.5
                samples = max(1, round(self.random.gauss(cost, cost ** 0.5)))
                total += samples
                key = (service, name, version)
                self.samples[key] = self.samples.get(key, 0) + samples * self.weights[name]
                self.tables["samples"].append(dict(head, start=start, service=service, version=version, process_id=ident,
                                                   stack_id=self.stack(("<module>", "handle", f)), state=1, samples=samples))
            self.tables["windows"].append(dict(
                head, day=self.day(start), start=start, start_ns=start * 10**9, end_ns=(start + WINDOW) * 10**9, hz=100, stepped_ns=0, ticks=total,
                python=total, other=0, truncated=0, lost_causes=["fault"], lost_counts=[0], samples=total, rows=12, plop="1"))

    def insert(self, node, database):
        for table, rows in self.tables.items():
            body = "\n".join(json.dumps(row) for row in rows).encode()
            node.ask("INSERT INTO %s.%s FORMAT JSONEachRow" % (database, table), body, insert_distributed_sync=1)

    def hosts(self, service):
        return sorted({host for of, host, _ in self.samples if of == service})


@pytest.fixture(scope="module", params=[*clickhouse.VERSIONS, clickhouse.TWO])
def stores(request):
    with clickhouse.nodes_of(request.param) as running:
        yield running


@pytest.fixture(scope="module")
def rows():
    return Fleet()


@pytest.fixture(scope="module")
def fleet(stores, rows, tmp_path_factory):
    with served(stores, rows, tmp_path_factory.mktemp("fleet")) as gateway:
        yield gateway


def ask(fleet, path, **parameters):
    return fleet.get(path, **{"from": BEGAN, "to": END, **parameters})


def test_a_host_that_differs_is_told(fleet, rows):
    answer = ask(fleet, "/v1/outliers")
    told = {s["service"]: s for s in answer["services"]}
    assert answer["left_out"] == 0 and set(told) == {"shop", HOSTILE, "mail"}
    for service, host in (("shop", "shop3"), (HOSTILE, EVIL + "3")):
        one = told[service]
        assert one["hosts"] == one["compared"] == len(rows.hosts(service)) and one["why"] is None and one["few_samples"] == 0
        assert [o["host"] for o in one["outliers"]] == [host], one["outliers"]
        f = one["outliers"][0]["functions"][0]
        assert (f["name"], f["verdict"], len(one["outliers"][0]["functions"])) == (DEAR, "slower", 1)
        assert f["new_self"] > 2 * f["base_self"] and 0 < f["rise_low"] < f["rise"] < f["rise_high"] and f["q"] < 0.05
    assert told["mail"]["why"] == "not enough hosts: 3" and told["mail"]["outliers"] == []


def test_one_service_and_version(fleet):
    answer = ask(fleet, "/v1/outliers", service="shop", version="1")
    assert [s["service"] for s in answer["services"]] == ["shop"]
    assert [o["host"] for o in answer["services"][0]["outliers"]] == ["shop3"]
    assert ask(fleet, "/v1/outliers", service="none")["services"] == []
    few = ask(fleet, "/v1/outliers", service="shop", host=["shop1", "shop2"])
    assert few["services"][0]["why"] == "not enough hosts: 2"


def test_too_few_samples_say_nothing(fleet):
    """Of one window each host has less than is needed."""
    answer = fleet.get("/v1/outliers", **{"from": BEGAN + 1, "to": BEGAN + 2, "service": "shop"})
    assert answer["services"][0]["why"] == "too few hosts have enough samples"
    assert answer["services"][0]["few_samples"] > SHOP - 8


def test_hosts_over_time(fleet, rows):
    answer = ask(fleet, "/v1/hosts", service="shop", step=300, function=DEAR)
    assert answer["step"] == 300 and answer["begin"] == BEGAN - 300 and answer["hosts_all"] == SHOP and answer["others"] is None
    hosts = {h["host"]: h for h in answer["hosts"]}
    assert set(hosts) == set(rows.hosts("shop")) and hosts["shop0"]["region"] in ("eu", "us")
    assert [h["samples"] for h in answer["hosts"]] == sorted((h["samples"] for h in answer["hosts"]), reverse=True)
    for name, one in hosts.items():
        assert abs(one["samples"] - sum(rows.samples["shop", name, v] for v in "12")) <= 1
        assert len(one["cpus"]) == len(one["self"]) == len(one["total"]) == answer["columns"]
        assert one["cpus"][0] is None and one["self"][0] is None
        # its own windows' rate, whatever share of them was shipped
        weight = rows.weights[name]
        assert abs(one["cpus"][1] * 300 * 100 - one["samples"] / 4 / weight) < one["samples"] / 4 * 0.2, one
        assert (one["self"][1] > 0.2) == (name == "shop3") and one["self"][1] == one["total"][1]


def test_few_hosts_of_many(stores, tmp_path):
    """The heaviest are told by themselves, and all others together."""
    database = "many" if len(stores) == 1 else "many?cluster=" + clickhouse.CLUSTER
    for node in stores:
        make_tables(node, database, str(tmp_path))
    columns = dict(start=BEGAN, service="shop", version="1", region="eu", window=1, process_id=1, state=0, weight=1000000)
    body = [json.dumps(dict(columns, host="h%04d" % i, host_id=i, samples=i + 1, stack_id=stack)) for i in range(3000) for stack in (1, 2)]
    # one has what no other has
    body.append(json.dumps(dict(columns, host="h2345", host_id=2345, samples=1000, stack_id=3)))
    stores[0].ask("INSERT INTO many.samples FORMAT JSONEachRow", "\n".join(body).encode(), insert_distributed_sync=1)
    stacks = [dict(day=Fleet.day(BEGAN), stack_id=i, functions=["f%d" % i], files=["/srv/app.py"], lines=[1], first_lines=[1], kinds=[0], modules=[""])
              for i in (1, 2, 3)]
    stores[0].ask("INSERT INTO many.stacks FORMAT JSONEachRow", "\n".join(json.dumps(one) for one in stacks).encode(), insert_distributed_sync=1)
    with gateway_of("%s/%s" % (stores[-1].url, database), tmp_path) as gateway:
        answer = ask(gateway, "/v1/hosts", step=600)
        assert answer["hosts_all"] == 3000 and len(answer["hosts"]) == 60 and answer["others"]["hosts"] == 2940
        assert answer["hosts"][0]["host"] == "h2999"
        assert answer["others"]["samples"] + sum(h["samples"] for h in answer["hosts"]) == 3000 * 3001 + 1000
        outliers = ask(gateway, "/v1/outliers")["services"][0]
        assert outliers["hosts"] == 3000 and 300 < outliers["compared"] < 480 and outliers["why"] is None
        assert [o["host"] for o in outliers["outliers"]] == ["h2345"]
        status, refused = gateway.ask("/v1/hosts", **{"from": 0, "to": END, "step": 30})
        assert status == 400 and refused["error"].startswith("there are more than 400 steps")


def test_processes(fleet, rows):
    told = ask(fleet, "/v1/processes")
    # of both versions of two services
    assert len(told) == 2 * (SHOP + WIDE) + FEW
    one = ask(fleet, "/v1/processes", host="mail1")
    assert [(p["host"], p["service"], p["comm"], p["python"], p["region"]) for p in one] == [("mail1", "mail", "python3", "3.13.0", one[0]["region"])]
    assert ask(fleet, "/v1/processes", comm="nothing") == []
    assert {p["host"] for p in ask(fleet, "/v1/processes", service=HOSTILE)} == set(rows.hosts(HOSTILE))


def test_regressions(fleet):
    """What the viewer and plopctl know from plopd, with hosts as what is compared."""
    answer = ask(fleet, "/v1/regressions")
    assert [(f["service"], f["name"], f["verdict"], f["version"], f["before"]) for f in answer["regressions"]] == [("shop", "f1", "slower", "2", "1")]
    compared = {c["service"]: c for c in answer["comparisons"]}
    assert set(compared) == {"shop", HOSTILE} and compared["shop"]["regressions"] == 1 and compared[HOSTILE]["regressions"] == 0
    for side in ("base", "new"):
        assert (compared["shop"][side]["hosts"], compared["shop"][side]["windows"]) == (SHOP, SHOP * WINDOWS)
    assert answer["not_compared"] == [{"service": "mail", "version": "2", "before": "1", "why": "not enough hosts: 2 before, 1 after, and none of both"}]
    # those who ask again soon are told the same
    assert ask(fleet, "/v1/regressions") == answer


def test_regressions_of_few_hosts(fleet):
    """The windows of hosts that have had both."""
    answer = ask(fleet, "/v1/regressions", service="shop", host=["shop1", "shop2", "mail0"])
    assert [f["name"] for f in answer["regressions"]] == ["f1"]
    new = answer["comparisons"][0]["new"]
    assert new["windows"] == 2 * WINDOWS and "hosts" not in new


def test_diff_is_by_host(fleet):
    answer = fleet.get("/v1/diff", **{"base.from": BEGAN, "base.to": HALF, "new.from": HALF + 1, "new.to": END, "service": "shop"})
    assert answer["new"]["hosts"] == SHOP and answer["new"]["windows"] == SHOP * WINDOWS and answer["new"]["window_s"] == WINDOW
    assert {f["name"] for f in answer["functions"] if f["verdict"] == "slower"} == {"f1"}


def plopctl(fleet, tmp_path, *arguments):
    secret = tmp_path / "token"
    secret.write_text(TOKEN + "\n")
    secret.chmod(0o600)
    done = subprocess.run([host.program("plopctl"), *arguments, "--server", "http://127.0.0.1:%d" % fleet.port, "--token-file", secret], check=True,
                          timeout=60, stdout=subprocess.PIPE)
    return done.stdout.decode()


def test_plopctl(fleet, tmp_path):
    told = plopctl(fleet, tmp_path, "regressions", "--since", "@%d" % BEGAN)
    assert "shop: 2 after 1, by %d and %d windows: slower" % (SHOP * WINDOWS, SHOP * WINDOWS) in told and " f1 (/srv/app.py)" in told
    assert "mail: 2 after 1: not compared, not enough hosts: 2 before, 1 after, and none of both" in told
    assert "\u202e" not in told
