# SPDX-License-Identifier: BSD-2-Clause
"""Recordings that have a name: they are kept, as they were, over the end of plopd, listed, exported, compared and removed; by whom they
are, within what they may take. What the store makes of them is tested in unit.store.recordings."""
import gzip
import json
import os
import re
import subprocess
import sys

import pytest

import client
import host
from waiting import until

PLOPD = ("--window", 2)
ONE, TWO = 61021, 61022
FORMATS = ("pprof", "collapsed", "speedscope", "plop", "json", "tree", "svg", "html", "top")
# One thread that works in two functions, and one that sleeps, called so.
CODE = """
import sys, threading, time
def rest():
    while True: time.sleep(0.05)
def spin():
    n = 0
    for i in range(20000): n += i
    return n
def %s():
    while True: spin()
threading.Thread(target=rest, name="the sleeper", daemon=True).start()
print("READY", flush=True)
%s()
"""


@pytest.fixture(scope="module")
def work(root):
    with host.Workload(sys.executable, code=CODE % ("work_of_before", "work_of_before")) as running:
        yield running


@pytest.fixture(scope="module")
def later(root):
    with host.Workload(sys.executable, code=CODE % ("work_of_after", "work_of_after")) as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def known(plopd, work, later):
    for one in (work, later):
        plopd.profiled(one.pid)


def listed(daemon, *words):
    done = daemon.ctl("recordings", "--json", *words)
    assert done.returncode == 0, done.err
    return json.loads(done.out)


def names(daemon, *words):
    return [r["name"] for r in listed(daemon, *words)]


def record(daemon, name, pid, *more, to="/dev/null"):
    done = daemon.ctl("record", "--name", name, "-p", pid, "-d", "1s", "-o", to, "-f", "collapsed", *more)
    assert done.returncode == 0 and "kept as " + name in done.err, (done.returncode, done.err)
    return listed(daemon, "name=" + name)[0]


def export(daemon, which, form, *more):
    done = daemon.ctl("recordings", "export", which, "-f", form, *more)
    assert done.returncode == 0, done.err
    return gzip.decompress(done.stdout) if form == "pprof" else done.stdout


def test_as_it_was(plopd, work, folder):
    """What is kept is what was recorded: by what plopd counted before it was saved, in every format, and when plopd has begun anew."""
    path = os.path.join(folder, "first.collapsed")
    made = record(plopd, "as it was", work.pid, "--wall", "-F", "300", "-l", "build=1742", "-l", "env=prod", to=path)
    assert made["kept"] and made["state"] == "done" and made["labels"] == {"build": "1742", "env": "prod"}, made
    assert made["target"] == "pid=%d" % work.pid and made["uid"] == 0 and made["hz"] == 300 and made["wall"], made
    graph = json.loads(export(plopd, "as it was", "json"))
    states, said = graph["states"], made["states"]
    assert graph["samples"] == made["samples"] > 0 and graph["hz"] == 300 and graph["lost"] == made["lost"], (graph["samples"], made)
    # of CPU and of time off it, by the thread's state: as plopd had it in memory
    assert abs(states["sleeping"] / 1e6 - said["sleeping_s"]) < 0.001 and said["sleeping_s"] > 0, (states, said)
    assert sum(states.values()) == pytest.approx(1e6 * said["threads_s"], rel=0.001), (states, said)
    before = {form: export(plopd, made["id"], form) for form in FORMATS}
    with open(path, "rb") as f:
        assert f.read() == before["collapsed"]
    grouped = export(plopd, made["id"], "collapsed", "-g", "thread_name,state").decode()
    assert "thread_name=the sleeper;state=sleeping;" in grouped and ";state=running;<module> (" in grouped, grouped
    assert json.loads(export(plopd, made["id"], "json", "label.build=1742"))["samples"] == made["samples"]
    chosen = export(plopd, made["id"], "collapsed", "thread_name=the sleeper").decode()
    assert "rest (" in chosen and "spin (" not in chosen, chosen
    assert plopd.stop() == 0, plopd.said()
    plopd.start()
    assert listed(plopd) == [made]
    for form in FORMATS:
        assert export(plopd, "as it was", form) == before[form], form
    shown = plopd.ctl("recordings", "show", "as it was").out
    assert re.search(r"^labels +build=1742 env=prod$", shown, re.M) and re.search("^of +pid=%d$" % work.pid, shown, re.M), shown
    table = plopd.ctl("recordings").out.splitlines()
    assert table[0].split()[:2] == ["ID", "NAME"] and made["id"] in table[1] and "build=1742" in table[1], table


def test_chosen_and_removed(plopd, work):
    first = record(plopd, "nightly", work.pid, "-l", "build=1")
    second = record(plopd, "nightly", work.pid, "-l", "build=2")
    record(plopd, "other", work.pid)
    assert [r["id"] for r in listed(plopd, "name=nightly")] == [second["id"], first["id"]]
    assert [r["id"] for r in listed(plopd, "label.build=1")] == [first["id"]]
    assert names(plopd)[:3] == ["other", "nightly", "nightly"]
    # the newest is meant where one is enough, and none where one goes
    assert json.loads(plopd.ctl("recordings", "show", "nightly", "--json").out)["id"] == second["id"]
    for arguments, status, words in (
            (("rm", "other", "nightly"), 1, "2 recordings are called nightly; nothing is removed"),
            (("rm", "other", "nigthly"), 3, "there is no recording nigthly; did you mean nightly?"),
            (("export", "nothing"), 3, "there is no recording nothing"), (("show", ""), 3, "there is no recording"),
            (("name",), 2, "name: is neither show, export or rm, nor name=NAME or label.KEY=VALUE"),
            (("comm=python3",), 2, "comm=python3: is neither"), (("-f", "json"), 2, "-f, -g and -o are for"),
            (("show",), 2, "show wants one"), (("rm",), 2, "rm wants")):
        done = plopd.ctl("recordings", *arguments)
        assert done.returncode == status and words in done.err and not done.out, (arguments, done.returncode, done.err)
    assert names(plopd)[:3] == ["other", "nightly", "nightly"]
    assert plopd.ctl("recordings", "rm", "other", first["id"]).returncode == 0
    assert [r["id"] for r in listed(plopd)][:1] == [second["id"]] and first["id"] not in [r["id"] for r in listed(plopd)]
    for method in ("GET", "DELETE"):
        status, said = client.ask(plopd.socket, method, "/v1/recordings/" + first["id"])
        assert status == 404 and b"no such recording" in said, (status, said)


def test_one_that_runs(plopd, work):
    """It is listed, can be exported so far, and is ended to be removed."""
    status, said = client.ask(plopd.socket, "POST", "/v1/recordings", {"pid": work.pid, "duration_s": 600, "name": "long"})
    assert status == 201, said
    made = json.loads(said.decode())
    assert made["name"] == "long" and not made["kept"] and made["state"] == "running", made
    until("it has samples", lambda: listed(plopd, "name=long")[0]["samples"] > 5)
    assert b"work_of_before" in export(plopd, "long", "collapsed")
    assert plopd.ctl("recordings", "rm", "long").returncode == 0
    assert not listed(plopd, "name=long")
    # without a name it is listed as long as it is there, and nothing is kept of it
    status, said = client.ask(plopd.socket, "POST", "/v1/recordings", {"pid": work.pid, "duration_s": 0.2})
    made = json.loads(said.decode())
    until("it ends", lambda: [r for r in listed(plopd) if r["id"] == made["id"]][0]["state"] == "done")
    assert not [r for r in listed(plopd) if r["id"] == made["id"]][0]["kept"]
    done = plopd.ctl("recordings", "rm", made["id"])
    assert done.returncode == 1 and "goes by itself" in done.err, done.err


def test_plopd_ends(plopd, work):
    """What was recorded until then is kept, of every kind of ticks."""
    for number, more in enumerate(({}, {"hz": 300}, {"wall": True})):
        body = {"pid": work.pid, "duration_s": 600, "name": "cut short %d" % number}
        status, said = client.ask(plopd.socket, "POST", "/v1/recordings", dict(body, **more))
        assert status == 201, said
    until("they have samples", lambda: min(r["samples"] for r in listed(plopd) if r["name"] and r["name"].startswith("cut short")) > 5)
    assert plopd.stop() == 0, plopd.said()
    plopd.start()
    for number in range(3):
        kept = listed(plopd, "name=cut short %d" % number)
        assert [(r["kept"], r["reason"]) for r in kept] == [(True, "plopd ended")] and kept[0]["samples"] > 5, kept
        assert b"work_of_before" in export(plopd, kept[0]["id"], "collapsed")


def test_compared(plopd, work, later, folder):
    """What users keep two for: the same as of the files that were written of them."""
    def diff(*sides):
        done = plopd.ctl("diff", "--base", sides[0], "--new", sides[1], "--json")
        assert done.returncode == 0, done.err
        return json.loads(done.out)

    files = []
    for name, one in (("before", work), ("after", later)):
        record(plopd, name, one.pid, "-F", "500")
        files.append(os.path.join(folder, name + ".pb.gz"))
        assert plopd.ctl("recordings", "export", name, "-o", files[-1]).returncode == 0
    compared = diff("recording=before", "recording=after")
    assert compared == diff(*files) == diff("recording=before", files[1])
    assert {"work_of_before", "work_of_after"} <= {f["name"] for f in compared["functions"]}, compared
    # by HTTP, as the page asks, which knows how long each took
    ids = {r["name"]: r["id"] for r in listed(plopd)}
    asked = plopd.get("/v1/diff?base.recording=%s&new.recording=%s" % (ids["before"], ids["after"]))

    def told(answer):
        return {f["name"]: (f["verdict"], round(f["base_self"], 9), round(f["new_self"], 9)) for f in answer["functions"]}

    assert told(asked) == told(compared), (asked, compared)
    assert asked["base"]["windows"] == 1 and asked["base"]["seconds"] > 0 and "two files or recordings" in asked["warnings"][0], asked
    done = plopd.ctl("diff", "--base", "recording=before", "--new", "recording=aftre")
    assert done.returncode == 3 and "there is no recording aftre; did you mean after?" in done.err, done.err
    done = plopd.ctl("diff", "recording=before", "--new", "recording=after")
    assert done.returncode == 2, done.err


def test_whose_it_is(plopd):
    """A user sees what is his own, root all; what counts for one does not count for another."""
    # a user's own process, by a socket that he reaches
    os.chmod(plopd.folder, 0o755)
    with host.Workload(sys.executable, code=CODE % ("of_one", "of_one"), user=ONE, group=ONE, extra_groups=[], cwd="/") as own:
        plopd.profiled(own.pid)

        def ask(uid, method, path, body=None):
            status, said = client.ask(plopd.socket, method, path, body, uid, 30)
            return status, json.loads(said.decode()) if said.startswith(b"{") else said

        status, made = ask(ONE, "POST", "/v1/recordings", {"all": True, "duration_s": 0.5, "name": "mine"})
        assert status == 201, made
        path = "/v1/recordings/" + made["id"]
        until("it is kept", lambda: ask(ONE, "GET", path)[1]["kept"])
        _, seen = ask(ONE, "GET", "/v1/recordings")
        assert [(r["name"], r["uid"]) for r in seen["recordings"]] == [("mine", ONE)], seen
        assert b"of_one" in ask(ONE, "GET", path + "?format=collapsed")[1]
        assert ask(TWO, "GET", "/v1/recordings") == (200, {"recordings": []})
        for method, where in (("GET", path), ("GET", path + "?format=collapsed"), ("DELETE", path)):
            foreign, nothing = (ask(TWO, method, where.replace(path, p)) for p in (path, "/v1/recordings/n000000000000"))
            assert foreign == nothing and foreign[0] == 404, (method, foreign, nothing)
        sides = "/v1/diff?base.recording=%s&new.recording=%s"
        assert ask(ONE, "GET", sides % (made["id"], made["id"]))[0] == 200
        foreign, nothing = (ask(TWO, "GET", sides % (made["id"], one)) for one in (made["id"], "n000000000000"))
        assert foreign == nothing and foreign[0] == 404, (foreign, nothing)
        assert made["id"] in [r["id"] for r in listed(plopd)]
        assert ask(ONE, "DELETE", path) == (200, {"id": made["id"], "removed": True})
        assert made["id"] not in [r["id"] for r in listed(plopd)]


def test_refused(plopd, work):
    for name in ("", "x" * 129, "a\nb", 7, ["x"]):
        status, said = client.ask(plopd.socket, "POST", "/v1/recordings", {"pid": work.pid, "name": name})
        assert status == 400 and b"must have 1 to 128 bytes" in said, (name, status, said)
    for name in ("", "x" * 129, "a\nb"):
        done = plopd.ctl("record", "--name", name, "-p", work.pid, "-o", "/dev/null")
        assert done.returncode == 2 and "must have 1 to 128 bytes" in done.err, done.err
    for query, words in (("pid=1", b"does not choose among recordings"), ("colour=red", b"not a selector")):
        status, said = client.ask(plopd.socket, "GET", "/v1/recordings?" + query)
        assert status == 400 and words in said, (query, status, said)
    status, said = client.ask(plopd.socket, "GET", "/v1/profile?name=x")
    assert status == 400 and b"name is no selector" in said, said
    status, said = client.ask(plopd.socket, "GET", "/v1/profile?recording=x")
    assert status == 400 and b"recording is no selector" in said, said
    done = plopd.ctl("recordings", "--socket", "/nonexistent/plopd.sock")
    assert done.returncode == 5, done.err


def test_backup_and_fsck(plopd, work, folder):
    """A copy has them, and is looked at with them."""
    made = record(plopd, "in the copy", work.pid)
    copy = os.path.join(folder, "copy.db")
    assert plopd.ctl("backup", copy).returncode == 0
    done = plopd.ctl("fsck", copy)
    count = len([r for r in listed(plopd) if r["kept"]])
    assert done.returncode == 0 and "%d recording" % count in done.out, (done.out, count)
    state = os.path.join(folder, "state")
    os.mkdir(state)
    os.rename(copy, os.path.join(state, "plop.db"))
    with host.Plopd(*PLOPD, state=state) as other:
        assert export(other, "in the copy", "collapsed") == export(plopd, made["id"], "collapsed")
        assert other.status()["store"]["recordings"] == count


def test_a_full_disk(workload, folder):
    """It is said at once, nothing is half there, and the result was written all the same."""
    disk = os.path.join(folder, "disk")
    os.mkdir(disk)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", disk], check=True)
    try:
        running = workload(sys.executable, code=CODE % ("work", "work"))
        with host.Plopd("--window", 600, state=disk) as daemon:
            daemon.profiled(running.pid)
            record(daemon, "fits", running.pid)
            ballast = os.open(os.path.join(disk, "ballast"), os.O_WRONLY | os.O_CREAT)
            try:
                while os.write(ballast, bytes(4096)):
                    pass
            except OSError:
                os.close(ballast)
            large = {"k%d" % n: os.urandom(128).hex() for n in range(16)}

            def kept(n):
                status, said = client.ask(daemon.socket, "POST", "/v1/recordings",
                                          {"pid": running.pid, "duration_s": 0.1, "name": "more %d" % n, "labels": large})
                assert status == 201, said
                path = "/v1/recordings/" + json.loads(said.decode())["id"]
                return path, until("it has ended", lambda: [r for r in [daemon.get(path)] if r["state"] == "done"])[0]

            # what SQLite has room for already is used first
            last = next((path, r) for path, r in map(kept, range(300)) if not r["kept"])
            assert last[1]["not_kept"] == "the disk of %s is full" % disk, last
            status, result = client.ask(daemon.socket, "GET", last[0] + "?format=collapsed")
            assert status == 200 and b"work (" in result, (status, result)
            assert last[1]["name"] not in [r["name"] for r in listed(daemon) if r["kept"]]
            assert daemon.ctl("fsck").returncode == 0
            os.unlink(os.path.join(disk, "ballast"))
            record(daemon, "fits again", running.pid)
            assert daemon.ctl("recordings", "rm", "fits").returncode == 0
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
