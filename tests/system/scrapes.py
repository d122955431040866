# SPDX-License-Identifier: BSD-2-Clause
"""Who pulls profiles, as Parca and Grafana Alloy do: /v1/sd tells them a target for each service, and /debug/pprof/profile answers each
for itself, for the next seconds or for the last, however many ask at once."""
import concurrent.futures
import json
import os
import threading
import urllib.parse

import pytest

import host
from protobuf import Profile
from waiting import until

WINDOW = 2
PLOPD = ("--window", WINDOW)
PATH = "/debug/pprof/profile?"
# Services that nobody else on this host has, each with its version: what is told apart, and what is not, as some of BLOG has none.
WEB, SHOP, BLOG = ("%s-of-scrapes-%d" % (name, os.getpid()) for name in ("web", "shop", "blog"))
SERVED = ((WEB, None), (SHOP, "7"), (SHOP, "8"), (BLOG, "1"), (BLOG, None))
TARGETS = {(WEB, None), (SHOP, "7"), (SHOP, "8"), (BLOG, None)}
SPIN = "print('READY', flush=True)\nwhile True: sum(range(1000))"


def environment(service, version):
    return dict(os.environ, PLOP_SERVICE=service, **({"PLOP_VERSION": version} if version else {}))


@pytest.fixture(scope="module")
def works(plopd):
    running = [host.Workload(host.pythons()[-1][1], code=SPIN, env=environment(*one)) for one in SERVED]
    try:
        for work in running:
            plopd.profiled(work.pid)
        until("all have samples", lambda: plopd.least(running) > 10, 60)
        yield running
    finally:
        for work in running:
            work.__exit__()


@pytest.fixture(scope="module")
def gateway(plopd, works):
    with host.Gateway(plopd) as running:
        yield running


def scrape(gateway, **parameters):
    status, body = gateway.get(PATH + urllib.parse.urlencode(parameters))
    assert status == 200, (parameters, status, body)
    return Profile(body)


def ours(profile):
    """Samples by service and version, of what is profiled here."""
    counts = {}
    for _, values, labels in profile.samples:
        key = (labels.get("service"), labels.get("version"))
        if key in SERVED:
            counts[key] = counts.get(key, 0) + values[0]
    return counts


def discovered(gateway, path="/v1/sd", **headers):
    """{(service, version): (address, parameters)} of our services."""
    status, body = gateway.get(path, **headers)
    assert status == 200, body
    found = {}
    for group in json.loads(body):
        (address,), labels = group["targets"], group["labels"]
        parameters = {k[len("__param_"):]: v for k, v in labels.items() if k.startswith("__param_")}
        assert labels["host"] == os.uname().nodename and labels["service"] == parameters["service"], labels
        assert labels.get("version") == parameters.get("version"), labels
        key = (labels["service"], labels.get("version"))
        assert key not in found, "a target is there twice"
        found[key] = (address, parameters)
    return {key: value for key, value in found.items() if key[0] in dict(SERVED)}


def test_a_target_for_each_service(gateway):
    """Each at the address that was asked, and what it is asked for is that service, no sample of which is another's, too."""
    found = discovered(gateway)
    assert set(found) == TARGETS and {a for a, _ in found.values()} == {"127.0.0.1:%d" % gateway.port}, found
    assert {a for a, _ in discovered(gateway, Host="localhost:%d" % gateway.port).values()} == {"localhost:%d" % gateway.port}
    assert {a for a, _ in discovered(gateway, "/v1/sd?address=plop.example:443").values()} == {"plop.example:443"}
    assert {key[0] for key in discovered(gateway, "/v1/sd?service=" + SHOP)} == {SHOP}
    with concurrent.futures.ThreadPoolExecutor(len(found)) as pool:
        profiles = dict(zip(found, pool.map(lambda one: scrape(gateway, seconds=2, **one[1]), found.values())))
    for (service, version), profile in profiles.items():
        counts = {key: sum(v[0] for _, v, labels in profile.samples if (labels["service"], labels.get("version")) == key)
                  for key in {(labels["service"], labels.get("version")) for _, _, labels in profile.samples}}
        wanted = {key for key in SERVED if key[0] == service and version in (None, key[1])}
        assert set(counts) == wanted and all(counts.values()), (service, version, counts)


def test_last(gateway):
    """What has ended: of all as of each, so that the sums agree; and at once, beside those who wait for the next seconds."""
    def asked():
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            jobs = [pool.submit(scrape, gateway, last=WINDOW, **parameters)
                    for parameters in [{}, {}] + [one for _, one in discovered(gateway).values()]]
            profiles = [job.result() for job in jobs]
        # a window may have ended meanwhile; and the last may be one from before they ran
        return len({p.start_ns for p in profiles}) == 1 and set(ours(profiles[0])) == set(SERVED) and profiles

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(scrape, gateway, seconds=5) for _ in range(4)]
        whole, again, *parts = until("all are of one window", asked, 60)
        assert not any(job.done() for job in waiting), "the last seconds are not waited for"
        assert all(ours(job.result()) for job in waiting)
    assert ours(whole) == ours(again) and sum(ours(whole).values()) > 0
    added = {}
    for part in parts:
        for key, n in ours(part).items():
            assert key not in added, "two targets have " + str(key)
            added[key] = n
    assert added == ours(whole)


def test_each_window_once(plopd, gateway):
    """Who asks for the last window again and again has all of them, one after the other, and the samples that they have."""
    seen = {}

    def look():
        profile = scrape(gateway, last=WINDOW)
        assert seen.setdefault(profile.start_ns, profile).duration_ns == profile.duration_ns
        return len(seen) >= 4

    until("four windows", look, 60)
    found = sorted(seen.values(), key=lambda p: p.start_ns)
    for before, after in zip(found, found[1:]):
        assert before.start_ns + before.duration_ns == after.start_ns, "one is missing, or there twice"
    windows = {round(w["start"], 3): w for w in plopd.get("/v1/windows?from=0")["windows"] if not w["running"]}
    for profile in found:
        window = windows[round(profile.start_ns / 1e9, 3)]
        assert sum(values[0] for _, values, _ in profile.samples) == window["samples"], window
    # and all of them in one
    both = scrape(gateway, last=2 * WINDOW)
    assert both.duration_ns > 1.5 * WINDOW * 1e9


def test_longer_than_the_interval(gateway, plopd):
    """A scraper that comes again before its answer is there, and one that leaves: each has its own seconds."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        jobs = []
        for _ in range(4):
            jobs.append(pool.submit(scrape, gateway, seconds=3, service=WEB))
            threading.Event().wait(0.5)
        profiles = [job.result() for job in jobs]
    for profile in profiles:
        assert 2.9e9 < profile.duration_ns < 6e9 and ours(profile)[(WEB, None)] > 0, profile.duration_ns
    starts = [profile.start_ns for profile in profiles]
    assert starts == sorted(starts) and starts[0] < starts[-1]


def test_many(gateway):
    """Recordings have a bound, which says so; the last windows have none that scrapers would meet."""
    with concurrent.futures.ThreadPoolExecutor(48) as pool:
        answers = list(pool.map(gateway.get, [PATH + "seconds=3&service=" + WEB] * 48))
        assert {status for status, _ in answers} == {200, 429}, {status for status, _ in answers}
        refused = json.loads(next(body for status, body in answers if status == 429))
        assert "last=SECONDS" in refused["hint"], refused
        answers = list(pool.map(gateway.get, [PATH + "last=%d&service=%s" % (WINDOW, WEB)] * 48))
        assert {status for status, _ in answers} == {200}


def test_refused(gateway):
    for query, words in (("last=3", "last=3 is not a number of windows, which have 2s each"), ("last=0", "from 1 to 3600"),
                         ("last=2&group_by=pid", "group_by is for")):
        status, body = gateway.get(PATH + query)
        assert status == 400 and words in json.loads(body)["error"], body
    # Parca sends seconds with what it calls a delta, whatever else there is
    until("a window has ended", lambda: ours(scrape(gateway, last=WINDOW, seconds=300)))
