# SPDX-License-Identifier: BSD-2-Clause
"""`plop-gateway --store`: what all hosts have shipped, as one. The rows are made here, so every sum is known; each is sent twice."""
import contextlib
import json
import os
import random
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

import clickhouse
import host
from ports import free_port
from waiting import until

TOKEN = "a-token-for-the-fleet-viewer"
HOSTS = (("web1", "eu"), ("web2", "eu"), ("db1", "us"))
WINDOW = 30
# Of which so much was measured: a window says itself how long it is.
LENGTH = 29.5
# On the clock of windows: the first version's time, and behind it the second one's.
BEGAN = 1795000020 // 600 * 600
WINDOWS = 20
HOSTILE = "'); DROP TABLE samples; -- \\' \" \u202e </script>"
FRAMES = [("<module>", "/srv/app.py"), ("handle", "/srv/app.py"), ("fast", "/srv/app.py"), ("slow", "/srv/app.py")]
COUNTED = {1: {"fast": 80, "slow": 20}, 2: {"fast": 80, "slow": 60}}


def stack(leaf):
    names = ["<module>", "handle", leaf]
    return {"functions": names, "files": ["/srv/app.py"] * 3, "lines": [9, 5, 2], "first_lines": [1, 4, 2], "kinds": [0, 0, 0],
            "modules": ["", "", ""]}


class Rows:
    """What three hosts shipped: shop with p = 1, mail with p = 0.1, and on one host a service of a hostile name."""

    def __init__(self):
        self.tables = {name: [] for name in ("stacks", "processes", "samples", "windows")}
        self.sums = {}  # of (service, version, host, leaf): what it stands for
        self.random = random.Random(7)
        for number, leaf in enumerate(("fast", "slow")):
            self.tables["stacks"].append(dict(stack(leaf), day="2026-11-18", stack_id=number + 1))
        for i in range(2 * WINDOWS):
            for number, (name, region) in enumerate(HOSTS):
                self.window(BEGAN + i * WINDOW, 1 + i // WINDOWS, number, name, region)
        day = self.tables["windows"][0]["day"]
        for each in self.tables["stacks"]:
            each["day"] = day

    def window(self, start, version, number, name, region):
        window, total = self.random.getrandbits(63), 0
        weight = 1 if number < 2 else 10
        head = dict(host_id=number + 1, host=name, region=region, window=window, weight=weight * 1000000)
        services = ["shop" if number < 2 else "mail"] + ([HOSTILE] if number == 2 else [])
        for place, service in enumerate(services):
            process = number * 10 + place + 1
            if start == BEGAN:
                self.tables["processes"].append(dict(
                    day=self.day(start), process_id=process, host_id=number + 1, host=name, region=region, pid=100 + process, start_time=5.5,
                    uid=1000, python="3.13.0", comm="python3", exe="/usr/bin/python3", cmdline="app.py", cgroup="/a/b", unit="app.service",
                    container="", service=service, version=str(version)))
            for leaf, mean in COUNTED[version].items():
                samples = max(1, round(self.random.gauss(mean, 4)))
                total += samples
                key = (service, str(version), name, leaf)
                self.sums[key] = self.sums.get(key, 0) + samples * weight
                self.tables["samples"].append(dict(head, start=start, service=service, version=str(version), process_id=process,
                                                   stack_id=1 + (leaf == "slow"), state=1, samples=samples))
        self.tables["windows"].append(dict(
            head, day=self.day(start), start=start, start_ns=start * 10**9, end_ns=int((start + LENGTH) * 10**9), hz=100, stepped_ns=0,
            ticks=total + 50 + 3, python=total, other=50, truncated=0, lost_causes=["fault", "table_full"], lost_counts=[3, 0], samples=total,
            rows=2 * len(services), plop="1"))

    @staticmethod
    def day(start):
        return time.strftime("%Y-%m-%d", time.gmtime(start))

    def total(self, **of):
        names = ("service", "version", "host", "leaf")
        return sum(n for key, n in self.sums.items() if all(dict(zip(names, key))[k] == v for k, v in of.items()))

    def insert(self, node, database, times=2, until=2**40):
        for table, rows in self.tables.items():
            body = "\n".join(json.dumps(row) for row in rows if row.get("start", 0) < until).encode()
            for _ in range(times):
                node.ask("INSERT INTO %s.%s FORMAT JSONEachRow" % (database, table), body, insert_distributed_sync=1)


class Gateway:
    """plop-gateway over a store."""

    def __init__(self, store, folder, password=clickhouse.PASSWORD, token=TOKEN):
        self.port, self.log = free_port(), os.path.join(folder, "log")
        secret, config = os.path.join(folder, "password"), os.path.join(folder, "plop.conf")
        with open(secret, "w") as f:
            f.write(password + "\n")
        with open(config, "w") as f:
            f.write("[fleet]\nuser = %s\npassword_file = %s\n[gateway]\ntoken = %s\n" % (clickhouse.USER, secret, token))
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([host.program("plop-gateway"), "--config", config, "--store", "clickhouse=" + store, "--listen",
                                             "127.0.0.1:%d" % self.port, "--socket", os.path.join(folder, "none")], stderr=log)
        until(lambda: "it serves; it said " + self.said(), lambda: self.process.poll() is not None or "serving" in self.said())

    def said(self):
        with open(self.log) as f:
            return f.read()

    def ask(self, path, **parameters):
        """Status and answer: JSON, or bytes."""
        if not any(k.endswith("from") for k in parameters):
            parameters.update({"from": BEGAN, "to": BEGAN + 2 * WINDOWS * WINDOW})
        address = "http://127.0.0.1:%d%s?%s" % (self.port, path, urllib.parse.urlencode(parameters, doseq=True))
        request = urllib.request.Request(address, headers={"Authorization": "Bearer " + TOKEN})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, body, kind = answer.status, answer.read(), answer.headers["Content-Type"]
        except urllib.error.HTTPError as e:
            status, body, kind = e.code, e.read(), e.headers["Content-Type"]
        return status, json.loads(body) if kind == "application/json" else body

    def get(self, path, **parameters):
        status, answer = self.ask(path, **parameters)
        assert status == 200, (path, parameters, answer)
        return answer

    def end(self):
        self.process.terminate()
        return self.process.wait(30)


@contextlib.contextmanager
def gateway_of(store, folder, **options):
    gateway = Gateway(store, str(folder), **options)
    try:
        yield gateway
    finally:
        gateway.end()


def make_tables(store, database, folder):
    secret, config = os.path.join(folder, "init-password"), os.path.join(folder, "init.conf")
    with open(secret, "w") as f:
        f.write(clickhouse.PASSWORD + "\n")
    with open(config, "w") as f:
        f.write("[fleet]\nstore = clickhouse=%s/%s\nuser = %s\npassword_file = %s\n" % (store.url, database, clickhouse.USER, secret))
    subprocess.run([host.program("plop-gateway"), "--config", config, "--init-store"], check=True, timeout=60, stdout=subprocess.PIPE)


@pytest.fixture(scope="module", params=[*clickhouse.VERSIONS, clickhouse.TWO])
def stores(request):
    """A store, or two nodes that are one."""
    with clickhouse.nodes_of(request.param) as running:
        yield running


@pytest.fixture(scope="module")
def store(stores):
    return stores[0]


@pytest.fixture(scope="module")
def rows():
    return Rows()


@contextlib.contextmanager
def served(stores, rows, folder):
    """plop-gateway over these rows, which it asks the last node for: it has all of them as well."""
    database = clickhouse.database_of(stores, "plop")
    for node in stores:
        make_tables(node, database, str(folder))
    rows.insert(stores[0], "plop")
    with gateway_of("%s/%s" % (stores[-1].url, database), folder) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def fleet(stores, rows, tmp_path_factory):
    with served(stores, rows, tmp_path_factory.mktemp("fleet")) as gateway:
        yield gateway


def collapsed(gateway, **selectors):
    """Samples by stack."""
    text = gateway.get("/v1/profile", format="collapsed", **selectors).decode()
    return {line.rsplit(" ", 1)[0]: int(line.rsplit(" ", 1)[1]) for line in text.splitlines()}


def test_totals(fleet, rows):
    """Each row once, though it was sent twice, and weighted by 1/p."""
    told = collapsed(fleet)
    assert sum(told.values()) == rows.total()
    for leaf in ("fast", "slow"):
        assert sum(n for stack, n in told.items() if leaf in stack.rsplit(";", 1)[1]) == rows.total(leaf=leaf)
    whole = fleet.get("/v1/profile", format="json")
    assert whole["total"] == rows.total() and whole["hz"] == 100
    tally = whole["tally"] if "tally" in whole else whole
    assert tally["ticks"] == tally["python"] + tally["other"] + sum(tally["lost"].values())
    assert tally["lost"]["fault"] == 3 * 2 * WINDOWS * (1 + 1 + 10)


@pytest.mark.parametrize("form", ["pprof", "speedscope", "plop", "tree", "svg", "html", "top"])
def test_formats(fleet, form):
    assert fleet.get("/v1/profile", format=form)


def test_beyond_the_heaviest_stacks(store, tmp_path):
    """Of more stacks than an answer is made of the lightest are one, with all their samples."""
    make_tables(store, "many", str(tmp_path))
    columns = dict(start=BEGAN, service="shop", version="1", host="web1", host_id=1, window=1, process_id=1, state=0, weight=2500000)
    body = "\n".join(json.dumps(dict(columns, stack_id=i + 1, samples=1 + (i < 10000))) for i in range(21000))
    store.ask("INSERT INTO many.samples FORMAT JSONEachRow", body.encode())
    head = dict(day=Rows.day(BEGAN), start=BEGAN, start_ns=BEGAN * 10**9, end_ns=(BEGAN + 30) * 10**9, host="web1", host_id=1, window=1, rows=21000,
                hz=100, weight=2500000)
    store.ask("INSERT INTO many.windows FORMAT JSONEachRow", json.dumps(head).encode())
    with gateway_of(store.url + "/many", tmp_path) as gateway:
        told = collapsed(gateway)
        assert sum(told.values()) == 31000 * 2.5 and told["[other]"] == 1000 * 2.5
        # none of them came with its frames
        assert told["[stack not in the store]"] == 30000 * 2.5


def test_selectors(fleet, rows):
    for selectors in (dict(service="shop"), dict(service="shop", version="2"), dict(host="web2"), dict(service="mail", version="1")):
        assert sum(collapsed(fleet, **selectors).values()) == rows.total(**selectors), selectors
    assert sum(collapsed(fleet, region="us").values()) == rows.total(host="db1")
    assert sum(collapsed(fleet, host=["web1", "db1"]).values()) == rows.total() - rows.total(host="web2")
    assert sum(collapsed(fleet, pid=101, comm="python3", exe="/usr", cgroup="/a").values()) == rows.total(host="web1")
    assert sum(collapsed(fleet, gil="held").values()) == rows.total() and not collapsed(fleet, gil="waiting")
    assert not collapsed(fleet, unit="other.service")


def test_hostile_values(fleet, rows, store):
    assert sum(collapsed(fleet, service=HOSTILE).values()) == rows.total(service=HOSTILE) > 0
    for value in ("'", "\\", "\\'", "' OR 1=1 --", "unhex('41')", "x" * 4000, HOSTILE * 20):
        for key in ("service", "host", "comm", "exe"):
            assert not collapsed(fleet, **{key: value}), (key, value)
        assert fleet.get("/v1/series", function=value)["points"]
    assert store.ask("SELECT count() > 0 FROM plop.samples") == "1\n"


def test_groups(fleet, rows):
    told = collapsed(fleet, group_by="host,service")
    for name, _ in HOSTS:
        assert sum(n for stack, n in told.items() if stack.startswith("host=%s;" % name)) == rows.total(host=name)
    assert sum(collapsed(fleet, group_by="pid,gil").values()) == rows.total()


def test_labels(fleet, rows):
    def values(key, **selectors):
        return {v["value"]: v["samples"] for v in fleet.get("/v1/labels/" + key, **selectors)["values"]}

    assert values("host") == {name: rows.total(host=name) for name, _ in HOSTS}
    assert values("region") == {"eu": rows.total() - rows.total(host="db1"), "us": rows.total(host="db1")}
    assert values("service") == {s: rows.total(service=s) for s in ("shop", "mail", HOSTILE)}
    assert values("version", service="mail") == {v: rows.total(service="mail", version=v) for v in "12"}
    assert values("comm") == {"python3": rows.total()}


def test_windows_and_steps(fleet, rows):
    windows = fleet.get("/v1/windows")["windows"]
    assert len(windows) == 2 * WINDOWS and windows[0]["start"] == BEGAN and windows[-1]["end"] == BEGAN + (2 * WINDOWS - 1) * WINDOW + LENGTH
    assert sum(w["samples"] for w in windows) == rows.total()
    assert sum(p["samples"] for w in windows for p in w["processes"] if p["service"] == "shop") == rows.total(service="shop")
    steps = fleet.get("/v1/windows", step=600)
    assert [w["samples"] for w in steps["windows"]] == [rows.total(version="1"), rows.total(version="2")]
    assert {s["service"]: s["samples"] for s in steps["services"]}["mail"] == [rows.total(service="mail", version=v) for v in "12"]
    assert steps["processes"] == [] and not steps["windows"][0]["gaps"]


def test_diff_finds_what_is_slower(fleet):
    """Windows of hosts are what is compared."""
    half = BEGAN + WINDOWS * WINDOW
    answer = fleet.get("/v1/diff", **{"base.from": BEGAN, "base.to": half, "new.from": half, "new.to": half + WINDOWS * WINDOW,
                                      "service": "shop"})
    assert answer["base"]["windows"] == answer["new"]["windows"] == 2 * WINDOWS
    assert answer["base"]["window_s"] == LENGTH
    verdicts = {f["name"]: f["verdict"] for f in answer["functions"]}
    assert verdicts["slow"] == "slower", answer["functions"]


def test_deploys(fleet):
    told = {(d["service"], d["version"]): d for d in fleet.get("/v1/deploys")["deploys"]}
    assert told["shop", "2"]["before"] == "1" and told["shop", "2"]["first"] == BEGAN + WINDOWS * WINDOW


def test_series(fleet, rows):
    points = fleet.get("/v1/series", function="slow", service="shop")["points"]
    assert len(points) == 2 * WINDOWS and sum(p["samples"] for p in points) == rows.total(service="shop")
    assert abs(points[-1]["self"] - 60 / 140) < 0.1 and points[0]["self"] == points[0]["total"]


def test_status_and_what_is_of_one_host(fleet):
    status = fleet.get("/v1/status")
    assert status["mode"] == "fleet" and status["store"]["hosts"] == 3
    assert status["store"]["newest"] == BEGAN + (2 * WINDOWS - 1) * WINDOW
    assert fleet.get("/v1/recordings")["recordings"] == []
    for path in ("/v1/recordings/1", "/v1/stream", "/v1/source", "/metrics"):
        code, answer = fleet.ask(path)
        assert code == 501 and answer["error"].endswith("is of one host, and this is a fleet"), (path, answer)
    for key in ("thread", "thread_name", "label.run"):
        code, answer = fleet.ask("/v1/profile", **{key: "1"})
        assert code == 400 and "has no threads and no labels" in answer["error"]


def test_a_request_is_plain_sums(fleet, rows, store):
    """Of its hosts and its time, whatever its samples weigh."""
    asked = dict(day=Rows.day(BEGAN), request=5, made=BEGAN, from_s=BEGAN, to_s=BEGAN + WINDOWS * WINDOW, hosts=[1, 3], selectors="service=shop", who="")
    store.ask("INSERT INTO plop.requests FORMAT JSONEachRow", json.dumps(asked).encode(), insert_distributed_sync=1)
    request = "%016x" % 5
    plain = rows.total(host="web1", version="1") + rows.total(host="db1", version="1") // 10
    assert sum(collapsed(fleet, request=request).values()) == plain
    assert sum(collapsed(fleet, request=request, service="shop").values()) == rows.total(host="web1", version="1")
    whole = fleet.get("/v1/profile", request=request, format="json")
    assert whole["total"] == plain and whole["lost"]["fault"] == 3 * WINDOWS * 2, whole
    state = fleet.get("/v1/fleet/record/" + request)
    assert [(h["host"], h["windows"]) for h in state["hosts"]] == [("web1", WINDOWS), ("db1", WINDOWS)] and state["asked"] == 2
    assert all(h["sent"] for h in state["hosts"]) and state["selectors"] == "service=shop"


def test_who_may(fleet):
    for header in ({}, {"Authorization": "Bearer " + "0" * 32}):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:%d/v1/status" % fleet.port, headers=header), timeout=30)
        assert refused.value.code == 401


def refusal(gateway):
    code, answer = gateway.ask("/v1/profile")
    assert code == 503 and "\n" not in answer["error"], answer
    status = gateway.get("/v1/status")
    assert status["mode"] == "fleet" and status["store"]["error"] == answer["error"]
    return answer["error"]


def test_store_that_is_wrong_is_one_sentence(store, fleet, tmp_path):
    with gateway_of("http://127.0.0.1:1/plop", tmp_path) as gateway:
        assert "does not answer" in refusal(gateway)
    with gateway_of(store.url + "/plop", tmp_path, password="wrong") as gateway:
        assert "user and password_file in [fleet] of plop.conf" in refusal(gateway)
    with gateway_of(store.url + "/nothing", tmp_path) as gateway:
        assert "plop-gateway --init-store makes" in refusal(gateway)
        make_tables(store, "nothing", str(tmp_path))
        # and then it goes on
        assert gateway.get("/v1/profile")["total"] == 0
    make_tables(store, "newer", str(tmp_path))
    store.ask("INSERT INTO newer.plop_schema (version) FORMAT TabSeparated", b"99\n")
    with gateway_of(store.url + "/newer", tmp_path) as gateway:
        assert "of a newer plop" in refusal(gateway)


def test_without_a_token(store, tmp_path):
    gateway = Gateway(store.url, str(tmp_path), token="")
    assert gateway.process.wait(30) == 1 and "set token in [gateway] of plop.conf" in gateway.said()
