# SPDX-License-Identifier: BSD-2-Clause
"""Tokens of plopctl token: what each is good for at plop-gateway, with plopd and without, until it ends or is taken away; and that what
is kept of one is a hash. Who records is told in the log."""
import http.client
import json
import os
import re
import subprocess
import tempfile

import pytest

import host
from waiting import until

PLOPD = ("--window", 2)
SPIN = "print('READY', flush=True)\ndef fn_%s():\n    while True: sum(range(1000))\nfn_%s()"
SHOP, BLOG = ("%s-of-tokens-%d" % (name, os.getpid()) for name in ("shop", "blog"))
CTL_NO_TARGET, CTL_FAILED, CTL_USAGE = 3, 1, 2


@pytest.fixture(scope="module")
def works(plopd):
    running = {name: host.Workload(host.pythons()[-1][1], code=SPIN % (name[:4], name[:4]), env=dict(os.environ, PLOP_SERVICE=name, PLOP_VERSION="v_" + name[:4]))
               for name in (SHOP, BLOG)}
    try:
        for work in running.values():
            plopd.profiled(work.pid)
        until("both have samples", lambda: plopd.least(running.values()) > 10, 60)
        until("a window is saved", lambda: plopd.status()["store"]["windows"] > 1)
        yield running
    finally:
        for work in running.values():
            work.__exit__()


@pytest.fixture(scope="module")
def gateway(plopd, works):
    with host.Gateway(plopd) as running:
        yield running


def create(plopd, *arguments):
    done = plopd.ctl("token", "create", *arguments)
    assert done.returncode == 0 and re.fullmatch(r"plop_[0-9a-f]{48}\n", done.out), (done.out, done.err)
    return done.out.strip()


def ask(gateway, token, path, **options):
    return gateway.get(path, Authorization="Bearer " + token, **options)


def names(plopd):
    return {one["name"]: one for one in json.loads(plopd.ctl("token", "list", "--json").out)["tokens"]}


def test_read(plopd, gateway):
    """To look, and nothing else; /metrics, which Prometheus pulls, is to look."""
    token = create(plopd, "reader")
    for path in ("/v1/status", "/v1/processes", "/v1/profile", "/metrics", "/v1/recordings", "/debug/pprof/profile?last=2", "/", "/v1/fleet"):
        status, body = ask(gateway, token, path)
        assert status == 200, (path, status, body)
    for path, method, body in (("/v1/recordings", "POST", '{"all": true, "duration_s": 1}'), ("/v1/recordings/r1", "DELETE", None),
                               ("/debug/pprof/profile?seconds=1", "GET", None)):
        status, answer = ask(gateway, token, path, method=method, body=body)
        assert status == 403 and "not to record" in json.loads(answer)["error"], (path, status, answer)
    status, answer = ask(gateway, token, "/v1/logout", method="POST")
    assert status == 409 and "plopctl token revoke" in json.loads(answer)["hint"], answer
    assert names(plopd)["reader"]["used"] and names(plopd)["reader"]["scope"] == "read"


def test_record(plopd, gateway):
    token = create(plopd, "recorder", "--scope", "record", "--expires", "never")
    status, body = ask(gateway, token, "/v1/recordings", method="POST", body='{"all": true, "duration_s": 0.2, "why": "slow\\u00e9 checkout"}')
    assert status == 201 and json.loads(body)["why"] == "slow\u00e9 checkout", (status, body)
    line = next(line for line in plopd.said().splitlines() if json.loads(body)["id"] + " of" in line)
    assert line.endswith("Recording %s of all for 0.200 s, asked for by token recorder (by user 0): slow\u00e9 checkout" % json.loads(body)["id"]), line
    assert names(plopd)["recorder"]["expires"] is None


def test_service(plopd, gateway, works):
    """One service, in all that is told; the rest is as if it were not there."""
    token = create(plopd, "shop-team", "--scope", "record", "--service", SHOP)
    assert [p["pid"] for p in json.loads(ask(gateway, token, "/v1/processes")[1])] == [works[SHOP].pid]
    status = json.loads(ask(gateway, token, "/v1/status")[1])
    assert status["only_service"] == SHOP and status["processes"] == 1 and "store" not in status, status
    for path in ("/v1/profile?from=0&format=collapsed", "/v1/profile?from=0&service=%s&format=collapsed" % BLOG, "/v1/windows?from=0", "/v1/deploys?from=0",
                 "/v1/labels/service?from=0", "/v1/sd?from=0", "/v1/diff?from=0"):
        code, body = ask(gateway, token, path)
        assert code == 200 and b"fn_blog" not in body and b"v_blog" not in body and BLOG.encode() not in body, (path, code, body)
    assert b"fn_shop" in ask(gateway, token, "/v1/profile?from=0&format=collapsed")[1]
    for path in ("/metrics", "/v1/fleet"):
        assert ask(gateway, token, path)[0] == 403, path
    code, body = ask(gateway, token, "/v1/recordings", method="POST", body=json.dumps({"pid": works[BLOG].pid, "duration_s": 1}))
    assert code == 403 and "not of the token's service" in json.loads(body)["error"], body
    code, body = ask(gateway, token, "/v1/recordings", method="POST", body='{"all": true, "duration_s": 1, "name": "x"}')
    assert code == 403 and "not kept" in json.loads(body)["error"], body


def login(gateway, token):
    """The cookie of a browser that shows the token in its address."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
    connection.request("GET", "/?token=" + token)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == 303, answer.status
    return answer.getheader("Set-Cookie").split(";")[0]


def test_revoked(plopd, gateway):
    """What was shown, the browser's session that was made from it and its stream end."""
    token = create(plopd, "short", "--service", SHOP)
    headers = {"Cookie": login(gateway, token)}
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
    connection.request("GET", "/v1/stream", headers=headers)
    stream = connection.getresponse()
    assert stream.status == 200 and stream.readline()
    gateway_headers, gateway.headers = gateway.headers, {}
    try:
        assert json.loads(gateway.get("/v1/status", **headers)[1])["only_service"] == SHOP
        assert ask(gateway, token, "/v1/status")[0] == 200
        assert plopd.ctl("token", "revoke", "short").returncode == 0 and "short" not in names(plopd)
        until("the session has ended", lambda: gateway.get("/v1/status", **headers)[0] == 401)
        until("so has the token", lambda: ask(gateway, token, "/v1/status")[0] == 401)
        while stream.readline():
            pass
    finally:
        gateway.headers = gateway_headers
        connection.close()
    done = plopd.ctl("token", "revoke", "short")
    assert done.returncode == CTL_NO_TARGET and "there is no token short" in done.err, done.err


def test_expires(plopd, gateway):
    token = create(plopd, "soon", "--expires", "1s")
    until("it has ended", lambda: ask(gateway, token, "/v1/status")[0] == 401)
    assert "soon" not in names(plopd)


@pytest.mark.parametrize("words, said", [
    (["create"], "wants one name"), (["create", "a b"], "a token's name has"), (["create", "x", "--scope", "all"], "a token's scope is"),
    (["create", "x", "--expires", "0"], "--expires 0"), (["create", "x", "--expires", "4000d"], "a token is good for"), (["list", "x"], "wants no name"),
    (["make", "x"], "neither create"), (["revoke", "x", "--scope", "read"], "are for: plopctl token create"), (["create", "reader"], "there is a token reader")])
def test_refused(plopd, words, said):
    done = plopd.ctl("token", *words)
    assert done.returncode in (CTL_USAGE, CTL_FAILED) and said in done.err and not done.out, (done.returncode, done.err)


def test_kept(plopd, gateway, works):
    """A hash is kept, and by that a token is good when plopd has begun anew; while it is down, what was good stays so."""
    token = create(plopd, "lasting", "--service", SHOP)
    assert ask(gateway, token, "/v1/status")[0] == 200
    plopd.stop()
    status = json.loads(ask(gateway, token, "/v1/status")[1])
    assert status["mode"] == "offline" and status["only_service"] == SHOP and "store" not in status, status
    code, body = ask(gateway, token, "/v1/profile?from=0&format=collapsed")
    assert code == 200 and b"fn_shop" in body and b"fn_blog" not in body, (code, body)
    assert json.loads(ask(gateway, token, "/v1/recordings")[1])["recordings"] == []
    for name in os.listdir(plopd.state):
        with open(os.path.join(plopd.state, name), "rb") as f:
            assert token.encode() not in f.read(), name
    plopd.start()
    until("plopd is asked again", lambda: json.loads(ask(gateway, token, "/v1/status")[1]).get("mode") != "offline")
    assert set(names(plopd)) >= {"lasting", "reader", "recorder"}
    with host.Gateway(plopd) as fresh:
        assert ask(fresh, token, "/v1/status")[0] == 200 and ask(fresh, token[:-1] + "x", "/v1/status")[0] == 401


def test_journal():
    """In the journal what is said has fields."""
    if os.geteuid() != 0:
        pytest.skip("needs root, for a journal of its own")
    # in a root that is no mount of its own, as a chroot's, it cannot
    tried = subprocess.run(["unshare", "-m", "true"], stderr=subprocess.PIPE, text=True, timeout=60)
    if tried.returncode:
        pytest.skip("no journal of its own: " + tried.stderr.strip())
    with tempfile.TemporaryDirectory(prefix="plop-test-") as folder:
        script = os.path.join(folder, "journal.py")
        with open(script, "w", encoding="utf-8") as f:
            f.write(JOURNAL)
        done = subprocess.run(["unshare", "-m", "/usr/bin/python3", "-B", script, host.program("plopd"), host.program("plopctl"), folder],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
    fields = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    assert fields["PLOP_AUDIT"] == "recording" and fields["PLOP_WHY"] == "a reason?" and fields["PLOP_UID"] == "0", done.stdout
    assert fields["PLOP_WHAT"] == "all" and fields["PLOP_SECONDS"] == "0.200" and fields["SYSLOG_IDENTIFIER"] == "plopd", done.stdout
    assert fields["MESSAGE"].startswith("Recording " + fields["PLOP_RECORDING"]), done.stdout


# In a mount namespace of its own, as there is one journal.
JOURNAL = r"""
import json, os, socket, subprocess, sys
plopd, ctl, folder = sys.argv[1:]
os.makedirs("/run/systemd/journal", exist_ok=True)
subprocess.run(["mount", "-t", "tmpfs", "none", "/run/systemd/journal"], check=True)
journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
journal.bind("/run/systemd/journal/socket")
journal.settimeout(60)
path = os.path.join(folder, "plopd.sock")
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind(os.path.join(folder, "notify"))
notify.settimeout(60)
daemon = subprocess.Popen([plopd, "--state-dir", folder, "--socket", path],
                          env=dict(os.environ, JOURNAL_STREAM="1:1", NOTIFY_SOCKET=os.path.join(folder, "notify")))
try:
    while b"READY=1" not in notify.recv(4096):
        pass
    subprocess.run([ctl, "--socket", path, "record", "-a", "-d", "200ms", "-m", "a reason\u200b", "-f", "collapsed", "-o", "/dev/null"], check=True,
                   stderr=subprocess.DEVNULL)
    while True:
        message = journal.recv(65536).decode()
        if "PLOP_AUDIT" in message:
            print(message)
            break
finally:
    daemon.terminate()
    daemon.wait()
"""
