# SPDX-License-Identifier: BSD-2-Clause
"""Where plopd takes more than [plopd] budget it samples more seldom, each sample counts for more, and sums stay right."""
import os
import sys

import host
from waiting import until

# Deep enough for a tick to take a while.
BURN = """
def dig(n):
    if n: return dig(n - 1)
    while True:
        k = 0
        for i in range(20000): k += i
print('READY', flush=True)
dig(200)
"""
HZ = 2000


def started(budget):
    plopd = host.Plopd(start=False)
    config = os.path.join(plopd.folder, "plop.conf")
    with open(config, "w") as f:
        f.write("[plopd]\nhz = %d\nwindow = 1s\nbudget = %s\n" % (HZ, budget))
    plopd.arguments += ["--config", config]
    plopd.start()
    return plopd


def counted(plopd, pid, seconds):
    """What is counted of a process while it runs for so many seconds of CPU time, and how many that would be."""
    def now():
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rpartition(")")[2].split()
        samples = next(p["samples"] for p in plopd.get("/v1/processes") if p["pid"] == pid)
        return samples, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    first, began = now()
    until("it has run for %g s" % seconds, lambda: now()[1] - began >= seconds, 60)
    last, ended = now()
    return last - first, (ended - began) * HZ


def test_rate_is_lowered_and_sums_stay(root):
    with host.Workload(sys.executable, code=BURN) as work, started("0.0005") as plopd:
        plopd.profiled(work.pid)
        lowered = until("the rate is lowered", lambda: plopd.status()["budget"]["sample_counts"] > 1 and plopd.status(), 30)
        assert lowered["hz"] == HZ, "windows are in samples of the rate that was asked for"
        assert "each sample counts for" in lowered["budget"]["note"], lowered["budget"]
        text = plopd.ctl("status").stdout.decode()
        assert "each sample counts for" in text, text
        until("the cycle in which it was lowered is over", lambda: plopd.status()["uptime_s"] > lowered["uptime_s"] + 1.5)
        weight = plopd.status()["budget"]["sample_counts"]
        n, expected = counted(plopd, work.pid, 5)
        assert 0.85 < n / expected < 1.15, (n, expected, weight)
        samples = plopd.status()["samples"]
        assert samples["ticks"] == samples["python"] + samples["other"] + sum(samples["lost"].values()), samples


def test_within_the_budget_the_rate_stays(root):
    with host.Workload(sys.executable, code=BURN) as work, started("1") as plopd:
        plopd.profiled(work.pid)
        status = until("the cost is known", lambda: plopd.status()["budget"]["taken_percent"] > 0 and plopd.status(), 30)
        assert status["budget"]["sample_counts"] == 1 and status["budget"]["note"] is None, status["budget"]
        assert 0 < status["budget"]["sampling_percent"] <= status["budget"]["taken_percent"], status["budget"]
