# SPDX-License-Identifier: BSD-2-Clause
"""Hours of a fleet that are added up by `plop-gateway --store`: the same sums, whatever came when, and as long as it stands."""
import json

import pytest

import clickhouse
from fleet_source import BEGAN, HOSTILE, HOSTS, WINDOW, WINDOWS, Rows, collapsed, gateway_of, make_tables
from waiting import until

# Whole hours around all rows, and none that is cut.
ALL = {"from": BEGAN - 7200 + WINDOW - 1, "to": BEGAN + 7200}


@pytest.fixture(scope="module", params=[clickhouse.TWO, clickhouse.VERSIONS[-1]])
def stores(request):
    with clickhouse.nodes_of(request.param) as running:
        yield running


@pytest.fixture
def fresh(stores, tmp_path, request):
    """A database of its own with rows in it, and its address."""
    name = "roll_%d" % abs(hash(request.node.name))
    database = clickhouse.database_of(stores, name)
    for node in stores:
        make_tables(node, database, str(tmp_path))
    rows = Rows()
    rows.insert(stores[0], name)
    return name, "%s/%s" % (stores[-1].url, database), rows


def rolled(store, name):
    """Hours that are added up, each with its windows of the last time."""
    said = store.ask("SELECT toUInt32(hour), argMax(windows, generation) FROM %s.rolled GROUP BY hour ORDER BY hour" % name)
    return {int(line.split()[0]): int(line.split()[1]) for line in said.splitlines()}


def answers(gateway):
    """Of all that sums may answer."""
    got = {"stacks": collapsed(gateway, **ALL), "eu": collapsed(gateway, region="eu", **ALL), "2": collapsed(gateway, version="2", **ALL),
           "held": collapsed(gateway, gil="held", **ALL), "grouped": collapsed(gateway, group_by="region,gil", **ALL),
           "hostile": collapsed(gateway, service=HOSTILE, **ALL)}
    for key in ("service", "version", "region", "host"):
        got[key] = gateway.get("/v1/labels/" + key, **ALL)["values"]
    got["windows"] = gateway.get("/v1/windows", **ALL)["windows"]
    got["steps"] = gateway.get("/v1/windows", step=600, **ALL)["windows"]
    got["deploys"] = gateway.get("/v1/deploys", **ALL)["deploys"]
    got["series"] = gateway.get("/v1/series", **ALL)["points"]
    got["slow"] = gateway.get("/v1/series", function="slow", **dict(ALL, **{"from": BEGAN - 40 * 3600}))["points"]
    return got


def without_sums(store, name, gateway):
    """The same from samples alone: sums are hidden meanwhile."""
    kept = store.ask("SELECT hour, generation, windows, made FROM %s.rolled FORMAT TabSeparated" % name)
    assert kept
    other = {"from": ALL["from"] + 1, "to": ALL["to"] - 1}
    return {key: sum(collapsed(gateway, **dict(other, **selectors)).values())
            for key, selectors in (("stacks", {}), ("eu", {"region": "eu"}), ("2", {"version": "2"}))}


def test_sums_are_those_of_samples(stores, fresh, tmp_path):
    name, address, rows = fresh
    with gateway_of(address, tmp_path) as gateway:
        until(lambda: "the hour is added up; it said " + gateway.said(), lambda: rolled(stores[0], name) == {BEGAN: 2 * WINDOWS * len(HOSTS)}, 60)
        got = answers(gateway)
        assert sum(got["stacks"].values()) == rows.total()
        assert sum(got["eu"].values()) == rows.total() - rows.total(host="db1")
        assert sum(got["2"].values()) == rows.total(version="2")
        assert sum(got["hostile"].values()) == rows.total(service=HOSTILE)
        # by the hour, as stacks are added up
        assert [p["samples"] for p in got["slow"]] == [rows.total()]
        assert abs(got["slow"][0]["self"] - rows.total(leaf="slow") / rows.total()) < 1e-6
        assert sum(got["held"].values()) == sum(got["grouped"].values()) == rows.total()
        for key, total in without_sums(stores[0], name, gateway).items():
            assert sum(got[key].values()) == total
        # samples gone, it is the sums that answer
        for node in stores:
            node.ask("TRUNCATE TABLE %s.samples%s" % (name, "" if len(stores) == 1 else "_local"))
        after = answers(gateway)
        assert after.pop("host") == [] and got.pop("host")
        assert after == got


def late(store, name, number):
    """A window that comes late: one host's more, of seven samples."""
    head = dict(start=BEGAN + 1800, host="late%d" % number, host_id=1000 + number, window=1, weight=1000000)
    store.ask("INSERT INTO %s.samples FORMAT JSONEachRow" % name, json.dumps(dict(
        head, service="shop", version="2", region="eu", process_id=1, stack_id=1, state=0, samples=7)).encode(), insert_distributed_sync=1)
    store.ask("INSERT INTO %s.windows FORMAT JSONEachRow" % name, json.dumps(dict(
        head, day=Rows.day(BEGAN), start_ns=(BEGAN + 1800) * 10**9, end_ns=(BEGAN + 1830) * 10**9, hz=100, stepped_ns=0, ticks=7, python=7, other=0, truncated=0,
        lost_causes=["fault"], lost_counts=[0], samples=7, rows=1, plop="1")).encode(),
        insert_distributed_sync=1)


def test_what_comes_late_is_there_at_once_and_added_up_again(stores, fresh, tmp_path):
    name, address, rows = fresh
    windows = 2 * WINDOWS * len(HOSTS)
    with gateway_of(address, tmp_path) as gateway:
        until(lambda: "the hour is added up; it said " + gateway.said(), lambda: rolled(stores[0], name) == {BEGAN: windows}, 60)
        for i in range(3):
            late(stores[0], name, i)
            assert sum(collapsed(gateway, **ALL).values()) == rows.total() + 7 * (i + 1)
    with gateway_of(address, tmp_path) as gateway:
        until(lambda: "it is added up again; it said " + gateway.said(), lambda: rolled(stores[0], name) == {BEGAN: windows + 3}, 60)
        assert sum(collapsed(gateway, **ALL).values()) == rows.total() + 21
        # the sums of before are there yet, and read by nobody
        assert stores[0].ask("SELECT uniqExact(generation) FROM %s.hours" % name) == "2\n"


def test_rows_that_came_twice_count_once(stores, tmp_path):
    """Half an hour that nothing is added up of: each row is there once, then a third of them twice, then some have no head."""
    name = "roll_once"
    database = clickhouse.database_of(stores, name)
    for node in stores:
        make_tables(node, database, str(tmp_path))
    rows, part = Rows(), {"from": BEGAN, "to": BEGAN + 2 * WINDOWS * WINDOW}
    rows.insert(stores[0], name, times=1)
    with gateway_of("%s/%s" % (stores[-1].url, database), tmp_path) as gateway:
        for step in range(3):
            assert sum(collapsed(gateway, **part).values()) == rows.total()
            assert sum(collapsed(gateway, pid=121, **part).values()) == rows.total(service="mail")
            assert sum(collapsed(gateway, host="web2", **part).values()) == rows.total(host="web2")
            assert sum(w["samples"] for w in gateway.get("/v1/windows", **part)["windows"]) == rows.total()
            if step == 0:
                rows.insert(stores[0], name, times=1, until=BEGAN + 14 * WINDOW)
            else:
                head = dict(start=BEGAN + 60, host="web1", host_id=1, window=77, process_id=1, stack_id=1, state=1, weight=1000000)
                stores[0].ask("INSERT INTO %s.samples FORMAT JSONEachRow" % name, json.dumps(dict(
                    head, service="shop", version="1", region="eu", samples=0)).encode(), insert_distributed_sync=1)


def test_sums_that_were_not_ended_are_not_read(stores, fresh, tmp_path):
    """As where plop-gateway was killed: rows of a generation that nothing names, old enough to be dropped."""
    name, address, rows = fresh
    for node in stores:
        node.ask("INSERT INTO %s.hours%s (start, generation, service, stack_id, weighted) FORMAT TabSeparated" % (
            name, "" if len(stores) == 1 else "_local"), b"%d\t77\tshop\t1\t99000000\n" % BEGAN)
    with gateway_of(address, tmp_path) as gateway:
        assert sum(collapsed(gateway, **ALL).values()) == rows.total()
        node = stores[-1]
        until(lambda: "it is dropped; it said " + gateway.said(), lambda: "77" not in node.ask(
            "SELECT partition FROM system.parts WHERE database = '%s' AND active AND table LIKE 'hours%%'" % name), 60)
        assert sum(collapsed(gateway, **ALL).values()) == rows.total()


def test_days_that_are_not_kept_are_dropped(stores, fresh, tmp_path):
    name, address, rows = fresh
    # windows of another year; those of the rows are kept
    stores[0].ask("INSERT INTO %s.samples (start, samples, weight) FORMAT TabSeparated" % name, b"2020-01-01 00:00:00\t1\t1000000\n")
    stores[0].ask("INSERT INTO %s.stacks (day, stack_id) FORMAT TabSeparated" % name, b"2020-01-01\t5\n")
    table = "samples" if len(stores) == 1 else "samples_local"
    count = "SELECT count() FROM %s.%s WHERE start < toDateTime(%d)"
    assert sum(int(node.ask(count % (name, table, BEGAN))) for node in stores) == 1
    for number, node in enumerate(stores):
        folder = tmp_path / str(number)
        folder.mkdir()
        with gateway_of(address.replace(stores[-1].url, node.url), folder) as gateway:
            until(lambda: "it is dropped; it said " + gateway.said(), lambda: node.ask(count % (name, table, BEGAN)) == "0\n", 60)
            assert sum(collapsed(gateway, **ALL).values()) == rows.total()
