# SPDX-License-Identifier: BSD-2-Clause
"""/metrics as Prometheus wants it, by its own promtool; and the example of alert rules in systemd/prometheus: that each fires when it should,
and not else, and looks at nothing that /metrics does not have."""
import os
import re
import shutil
import subprocess

import pytest

import client
from waiting import until

PLOPD = ("--window", 1)
RULES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "systemd", "prometheus", "plop.rules.yml")

# What happens, as promtool has it: values of a series a minute apart; and which alerts it means, with their labels, after two hours.
HOST = {"instance": "host:7567", "job": "plop"}
GOOD = {"up": "1+0x180", "plop_python_ticks_total": "0+6000x180", 'plop_lost_ticks_total{cause="fault"}': "0+1x180", "plop_daemon_cpu_seconds_total": "0+0.2x180",
        "plop_bpf_seconds_total": "0+0.1x180", "plop_resident_bytes": "3e7+0x180", "plop_windows_unsaved_total": "0+0x180", "plop_windows_dropped_total": "5+0x180",
        "plop_frames_unresolved_total": "0+0x180", "plop_frames_resolved_total": "0+9x180", "plop_frames_captured_total": "0+1x180",
        "plop_loop_longest_seconds": "0.003+0x180", 'plop_regressions{uid="0",service="shop",version="7"}': "2+0x180"}
CASES = [
    ({}, []), ({"up": "0+0x180"}, ["PlopDown"]), ({'plop_lost_ticks_total{cause="fault"}': "0+200x180"}, ["PlopLosesTicks"]),
    ({"plop_daemon_cpu_seconds_total": "0+4x180"}, ["PlopCosts"]), ({"plop_resident_bytes": "2e8+0x180"}, ["PlopMemory"]),
    ({"plop_windows_unsaved_total": "0+1x180"}, ["PlopWindowsUnsaved"]), ({"plop_windows_dropped_total": "0+1x180"}, ["PlopStoreTooSmall"]),
    ({"plop_frames_unresolved_total": "0+2x180"}, ["PlopNamesMissing"]), ({"plop_loop_longest_seconds": "2+0x180"}, ["PlopLoopLate"]),
    ({'plop_regressions{uid="0",service="shop",version="8"}': "_x90 1+0x90"}, ["PlopSlower"]),
]


@pytest.fixture(scope="module")
def promtool():
    if not shutil.which("promtool"):
        assert os.environ.get("CI") != "true", "tests/run installs it"
        pytest.skip("there is no promtool: apt install prometheus")

    def run(*arguments, text=None):
        done = subprocess.run(["promtool", *arguments], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        assert done.returncode == 0, done.stdout.decode()
        return done.stdout.decode()

    return run


def metrics(plopd):
    status, body = client.ask(plopd.socket, "GET", "/metrics")
    assert status == 200
    return body


def test_lint(plopd, promtool):
    until("there are samples", lambda: plopd.status()["samples"]["ticks"] > 0)
    said = promtool("check", "metrics", text=metrics(plopd))
    assert not said, said


def alerts():
    with open(RULES, encoding="utf-8") as f:
        return re.findall(r"- alert: (\w+)", f.read())


def test_rules(plopd, promtool):
    said = promtool("check", "rules", RULES)
    assert "%d rules found" % len(alerts()) in said, said
    with open(RULES, encoding="utf-8") as f:
        named = set(re.findall(r"\bplop_[a-z_]+", f.read()))
    there = set(re.findall(r"^# TYPE (\w+)", metrics(plopd).decode(), re.M))
    assert named <= there, "no such metrics: %s" % sorted(named - there)


def series(name):
    name, _, labels = name.partition("{")
    return "%s{%s%s}" % (name, ",".join('%s="%s"' % one for one in HOST.items()), "," + labels[:-1] if labels else "")


def case(changes):
    """A test of promtool's, of which alerts fire."""
    values = dict(GOOD, **changes)
    yield "  - interval: 1m"
    yield "    input_series:"
    for name, numbers in values.items():
        yield "      - {series: '%s', values: '%s'}" % (series(name), numbers)
    yield "    promql_expr_test:"
    for name in alerts():
        fires = any(name in wanted for changed, wanted in CASES if changed == changes)
        yield "      - expr: count(ALERTS{alertname=\"%s\",alertstate=\"firing\"})" % name
        yield "        eval_time: 2h"
        yield "        exp_samples: [%s]" % ("{labels: '{}', value: 1}" if fires else "")


def test_alerts(promtool, folder):
    assert {name for _, names in CASES for name in names} == set(alerts()), "an alert without a case"
    path = os.path.join(folder, "tests.yml")
    with open(path, "w", encoding="utf-8") as f:
        f.write("rule_files: ['%s']\nevaluation_interval: 1m\ntests:\n" % os.path.abspath(RULES))
        for changes, _ in CASES:
            f.write("\n".join(case(changes)) + "\n")
    promtool("test", "rules", path)
