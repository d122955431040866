# SPDX-License-Identifier: BSD-2-Clause
"""
The dashboards of systemd/fleet/grafana: each statement is asked of a real store, of both versions and of a cluster, with rows of which all
is known, some of them twice; each name of a metric is one that plopd has. Grafana's own part is played here: its variables, and what the
plugin grafana-clickhouse-datasource makes of $__timeFilter() and the like (its README, "Macros").
"""
import json
import os
import re
import time

import pytest

import host
from fleet_source import BEGAN, HOSTILE, HOSTS, WINDOW, WINDOWS, fleet, rows, store, stores  # noqa: F401 (fixtures)

FOLDER = os.path.join(host.TESTS, "..", "systemd", "fleet", "grafana")
STEP = 600
SPAN = 2 * WINDOWS * WINDOW
TO = BEGAN + SPAN - 1


def dashboard(name):
    with open(os.path.join(FOLDER, name + ".json"), encoding="utf-8") as f:
        return json.load(f)


def titled(title):
    panel, = [p for p in dashboard("fleet")["panels"] if p["title"] == title]
    target, = panel["targets"]
    return target["rawSql"]


def day(seconds):
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))


def expanded(sql, services, begin=BEGAN, end=TO):
    chosen = ",".join("'%s'" % name.encode().hex().upper() for name in services)
    words = [
        (r"\$__timeFilter\((\w+)\)", r"\1 >= toDateTime(%d) AND \1 <= toDateTime(%d)" % (begin, end)),
        (r"\$__dateFilter\((\w+)\)", r"\1 >= toDate('%s') AND \1 <= toDate('%s')" % (day(begin), day(end))),
        (r"\$__toTime", "toDateTime(%d)" % end),
        (r"\$__interval_s", str(STEP)),
        (r"\$database", "plop"),
        (r"\$\{service:singlequote\}", chosen),
    ]
    for pattern, by in words:
        sql = re.sub(pattern, by, sql)
    assert "$" not in sql, sql
    return sql


def answer(store, title, services=("shop", "mail", HOSTILE), **times):
    lines = store.ask(expanded(titled(title), services, **times) + "\nFORMAT JSON", output_format_json_quote_64bit_integers=0)
    return json.loads(lines)["data"]


def sums(found, column, key="name"):
    total = {}
    for row in found:
        total[row[key]] = total.get(row[key], 0) + row[column]
    return total


def test_samples_are_those_of_the_rows(fleet, store, rows):
    found = answer(store, "Samples, by service")
    assert {row["name"] for row in found} == {"shop", "mail", HOSTILE}
    assert len({row["time"] for row in found}) == SPAN // STEP
    for service, samples in sums(found, "samples").items():
        assert samples == pytest.approx(rows.total(service=service)), service
    assert set(sums(answer(store, "Samples, by service", [HOSTILE]), "samples")) == {HOSTILE}


def test_cpus_are_samples_by_rate_and_time(fleet, store, rows):
    for service, cpus in sums(answer(store, "CPUs in Python, by service"), "cpus").items():
        assert cpus * STEP * 100 == pytest.approx(rows.total(service=service)), service


def test_lost_ticks_are_a_share_of_those_in_python(fleet, store, rows):
    found = answer(store, "Lost ticks, by cause")
    steps = {}
    for row in rows.tables["windows"]:
        step = steps.setdefault(row["start"] // STEP, [0, 0])
        step[0] += 3 * row["weight"]
        step[1] += (row["ticks"] - row["other"]) * row["weight"]
    assert {row["name"] for row in found} == {"fault"}
    assert [row["share"] for row in found] == pytest.approx([lost / python for _, (lost, python) in sorted(steps.items())])


def test_heaviest_functions_are_those_of_the_stacks(fleet, store, rows):
    found = answer(store, "Heaviest functions")
    assert [row["function"] for row in found] == ["fast", "slow"] and found[0]["file"] == "/srv/app.py"
    for row in found:
        assert row["samples"] == pytest.approx(rows.total(leaf=row["function"]))
        assert row["share"] == pytest.approx(rows.total(leaf=row["function"]) / rows.total())
    shop, = [row for row in answer(store, "Heaviest functions", ["shop"]) if row["function"] == "slow"]
    assert shop["samples"] == pytest.approx(rows.total(service="shop", leaf="slow"))
    assert shop["share"] == pytest.approx(rows.total(service="shop", leaf="slow") / rows.total(service="shop"))


def test_each_host_has_a_lag(fleet, store):
    found = answer(store, "Lag of hosts")
    assert {(row["name"], row["in_region"]) for row in found} == set(HOSTS)
    assert all(row["windows"] == 2 * WINDOWS and abs(row["lag"] - (time.time() - TO)) < 120 for row in found), found


def test_silent_hosts_are_those_that_stopped(fleet, store):
    assert answer(store, "Hosts that are silent") == []
    later = BEGAN + SPAN + 20 * WINDOW
    found = answer(store, "Hosts that are silent", end=later)
    assert {row["name"] for row in found} == {name for name, _ in HOSTS}
    assert all(row["usual"] == WINDOW and row["lag"] == 21 * WINDOW for row in found), found


def test_services_to_choose_are_names_and_their_digits(fleet, store):
    variable, = [v for v in dashboard("fleet")["templating"]["list"] if v["name"] == "service"]
    sql = variable["query"].replace("$database", "plop").replace("toUInt32(now()) - 86400", str(BEGAN))
    found = json.loads(store.ask(sql + "\nFORMAT JSON"))["data"]
    assert {row["__text"] for row in found} == {"shop", "mail", HOSTILE}
    assert all(bytes.fromhex(row["__value"]).decode() == row["__text"] for row in found)


def test_containers_have_the_names_of_their_pods(fleet, store, rows):
    """The table and the statement of the example for Kubernetes. The rows' processes are in no container, of which nobody knows the pod."""
    with open(os.path.join(FOLDER, "..", "kubernetes", "pods.sql"), encoding="utf-8") as f:
        table, question = f.read().rstrip().rstrip(";").split(";\n\n")
    store.ask(table)
    question = question.replace("toUInt32(now()) - 3600", str(BEGAN - 1)).replace("toUInt32(now()) - 86400", str(BEGAN))
    for name in ("", "shop-1"):
        found = json.loads(store.ask(question + "\nFORMAT JSON"))["data"]
        assert [(row["pod"], row["samples"]) for row in found] == [(name, pytest.approx(rows.total()))]
        store.ask("INSERT INTO plop.pods FORMAT TabSeparated", b"\tshop\tshop-1\tapp\n")


def test_sums_are_weighted_and_each_row_counts_once():
    """What holds for every statement: no row twice, no weight forgotten."""
    for panel in dashboard("fleet")["panels"]:
        for target in panel["targets"]:
            sql = target["rawSql"]
            for table in re.findall(r"FROM \$database\.(\w+)(?! FINAL)\b", sql):
                assert table == "stacks" and "ANY LEFT JOIN" in sql or "uniqExact(window)" in sql, (panel["title"], table)
            assert ("weight" in sql) == ("1000000" in sql.replace("1000000000", "") or "share" in sql), panel["title"]


def test_metrics_are_those_of_plopd(plopd):
    with host.Gateway(plopd) as gateway:
        status, body = gateway.get("/metrics")
    assert status == 200
    known = set(re.findall(r"^# TYPE (\w+) ", body.decode(), re.M))
    text = json.dumps(dashboard("hosts"))
    used = set(re.findall(r"\bplop_\w+", text))
    assert used and used <= known, sorted(used - known)
    assert set(re.findall(r"by \((\w+)\)", text)) == {"cause"} and b'plop_lost_ticks_total{cause="' in body
