# SPDX-License-Identifier: BSD-2-Clause
"""Samples by line of a function whose hot line is known, of the running window and of stored ones; and the text of its file: read only
where plop.conf allows it, as the process sees it, if it is what the process has loaded, for whoever may see the process."""
import json
import os
import pwd
import subprocess
import sys
import time
import urllib.parse

import pytest

import client
import host
from waiting import until

# the lines that are known
SCRIPT = """import os, sys


def hot(n):
    x = 1
    for i in range(n):
        x = x * 33 ^ i & 0xffff; x = x * 31 ^ i & 0xffff; x = x * 29 ^ i & 0xffff; x = x * 27 ^ i & 0xffff; x &= 0xffffffff
    return x


def caller():
    while True:
        hot(20000)


sys.stdout.write("READY\\n")
sys.stdout.flush()
caller()
"""
HOT, CALL, MAIN = 7, 13, 18
USER = pwd.getpwnam("nobody").pw_uid


def write(path, text=SCRIPT):
    with open(path, "w") as f:
        f.write(text)
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Folders of which one is allowed; others may look into them."""
    top = tmp_path_factory.mktemp("lines")
    for folder in (top, *top.parents):
        if str(folder).startswith("/tmp/"):
            folder.chmod(0o755)
    for name in ("app", "other"):
        (top / name).mkdir()
    return str(top)


@pytest.fixture(scope="module")
def plopd(root, place):
    config = write(os.path.join(place, "plop.conf"), "[source]\npaths = /nowhere:%s/app\n" % place)
    with host.Plopd("--window", 2, "--config", config) as daemon:
        os.chmod(daemon.folder, 0o755)
        yield daemon


@pytest.fixture
def run(plopd, workload):
    """Starts a Python that runs a file, and waits until it is known."""
    def start(*command, known=True, **options):
        time.sleep(0.02)  # what was written before lies in an earlier tick of the clock
        work = workload([str(c) for c in command], **options)
        if known:
            plopd.profiled(work.pid)
        return work

    return start


def ask(daemon, path, uid=0, **parameters):
    status, body = client.ask(daemon.socket, "GET", "%s?%s" % (path, urllib.parse.urlencode(parameters)), uid=uid)
    return status, json.loads(body.decode())


def source(daemon, pid, path, uid=0, function="hot", line=4, last=HOT):
    return ask(daemon, "/v1/source", uid, pid=pid, file=path, function=function, line=line, last=last)


def lines_of(answer):
    """line: (self, total) of what was asked for."""
    return {one["line"]: (one["self"], one["total"]) for one in answer["lines"]}


def check_lines(answer, path):
    names = [n["function"].rsplit(".", 1)[-1] for n in answer["nodes"]]
    seen, samples = lines_of(answer), answer["total"]
    assert names[0] == "hot" and answer["asked"] == 1 and answer["nodes"][0]["file"] == path, answer
    assert seen[HOT][0] > 0.6 * samples and seen[HOT][0] == max(s for s, _ in seen.values()), (seen, samples)
    assert sum(s for s, _ in seen.values()) == answer["nodes"][0]["self"], answer
    assert all(4 <= line <= 8 for line in seen), seen
    calls = {(names[c["source"]], c["line"], names[c["target"]]): c["count"] for c in answer["calls"]}
    assert set(calls) == {("caller", CALL, "hot")} and calls["caller", CALL, "hot"] == answer["nodes"][0]["total"], calls


def test_lines(plopd, place, run):
    """The hot line is the hot one, in the running window as in stored ones, and by file as by function."""
    path = write(os.path.join(place, "app", "lines.py"))
    began = time.time()
    work = run(sys.executable, path)

    def asked(**parameters):
        status, answer = ask(plopd, "/v1/lines", pid=work.pid, **dict({"from": began}, **parameters))
        assert status == 200, answer
        return answer

    answer = until("some windows", lambda: [a for a in [asked(function="hot", file=path)] if a["total"] > 200], 100)[0]
    check_lines(answer, path)
    assert answer["processes"] == [{"pid": work.pid, "start_time": answer["processes"][0]["start_time"],
                                    "python": sys.version.split()[0], "total": answer["nodes"][0]["total"]}]
    running = until("the running window", lambda: [a for a in [asked(**{"from": time.time() - 0.5, "function": "hot"})] if a["total"] > 15], 60)[0]
    assert running["running"] or running["end"] - running["start"] < 5, running
    check_lines(running, path)
    whole = asked(file=path)
    seen = lines_of(whole)
    assert set(seen) >= {HOT, CALL, MAIN} and seen[MAIN][0] == 0, whole
    # all but what the start took
    assert min(seen[MAIN][1], seen[CALL][1]) > 0.95 * whole["total"], whole
    assert [n["function"] for n in whole["nodes"][:whole["asked"]]][0] == "hot" and whole["asked"] == 3, whole
    status, said = ask(plopd, "/v1/lines", pid=work.pid)
    assert status == 400 and "function" in said["hint"], said


def test_recording(plopd, place, run):
    """The lines of a recording, as long as it is in memory and when it is kept; a format that has none refuses."""
    path = write(os.path.join(place, "app", "recorded.py"))
    work = run(sys.executable, path)
    for more in ({}, {"name": "lines"}):
        status, body = client.ask(plopd.socket, "POST", "/v1/recordings", dict({"pid": [work.pid], "duration_s": 60, "hz": 200}, **more))
        assert status == 201, body
        where = "/v1/recordings/" + json.loads(body.decode())["id"]
        until("samples", lambda: ask(plopd, where, format="json")[1]["samples"] > 150, 100)
        check_lines(ask(plopd, where, format="json", function="hot", file=path)[1], path)
        client.ask(plopd.socket, "DELETE", where)
        until("it is done", lambda: ask(plopd, where)[1].get("state") == "done" or not more)
        if more:
            until("it is kept", lambda: ask(plopd, where)[1]["kept"])
            check_lines(ask(plopd, where, format="json", function="hot", file=path)[1], path)
            plopd.stop()
            plopd.start()
            os.chmod(plopd.folder, 0o755)
            plopd.profiled(work.pid)
            check_lines(ask(plopd, where, format="json", function="hot", file=path)[1], path)
            status, said = ask(plopd, where, format="pprof", function="hot")
            assert status == 400 and "no selector" in said["error"], said


def test_source(plopd, place, run):
    path = write(os.path.join(place, "app", "source.py"))
    work = run(sys.executable, path)
    status, answer = source(plopd, work.pid, path)
    assert (status, answer) == (200, {"pid": work.pid, "file": path, "lines": len(SCRIPT.splitlines()), "text": SCRIPT})
    # what does not go with what runs is not shown: another name, a line that is not there
    for wrong in ({"function": "cold"}, {"line": 5}, {"last": 99}):
        status, said = source(plopd, work.pid, path, **wrong)
        assert status == 409 and "text" not in said and "lines of this function" in said["error"], (wrong, said)
    for wrong in ({"path": "source.py"}, {"line": "x"}, {"last": -1}):
        status, said = source(plopd, work.pid, **dict({"path": path}, **wrong))
        assert status == 400, (wrong, said)
    assert source(plopd, 4194303, path)[0] == 404
    assert ask(plopd, "/v1/source", file=path, function="hot", line=4)[0] == 400


def test_what_is_not_allowed(plopd, place, run):
    """Not below the folder, not by a link or a name that leads out, not what is no source; and no FIFO keeps anybody waiting."""
    path = write(os.path.join(place, "app", "allowed.py"))
    secret = write(os.path.join(place, "other", "secret.py"))
    for name, to in (("out.py", secret), ("away", os.path.join(place, "other"))):
        os.symlink(to, os.path.join(place, "app", name))
    os.mkfifo(os.path.join(place, "app", "fifo.py"))
    write(os.path.join(place, "app", "data.txt"))
    work = run(sys.executable, path)
    assert source(plopd, work.pid, path)[0] == 200
    for name in ("../other/secret.py", "out.py", "away/secret.py", "data.txt", "fifo.py", "../plop.conf"):
        began = time.monotonic()
        status, said = source(plopd, work.pid, os.path.join(place, "app", name))
        assert status == 403 and "text" not in said, (name, said)
        assert time.monotonic() - began < 5, name
    for other in (secret, "/etc/passwd", "/dev/zero.py", "/proc/self/mem"):
        status, said = source(plopd, work.pid, other)
        assert status in (403, 404, 503) and "text" not in said, (other, said)
    status, said = source(plopd, work.pid, os.path.join(place, "app", "none.py"))
    assert status == 404 and "not there" in said["error"], said


def test_nothing_is_read_unasked(start_plopd, workload, place):
    path = write(os.path.join(place, "app", "unasked.py"))
    daemon = start_plopd("--window", 2)
    work = workload([sys.executable, path])
    daemon.profiled(work.pid)
    status, said = source(daemon, work.pid, path)
    assert status == 403 and said["error"] == "no source is read on this host" and "[source] paths" in said["hint"], said


def test_changed(plopd, place, run):
    """Written in place, with its time set back, and replaced by another: none is what runs; the next process has it."""
    path = write(os.path.join(place, "app", "changed.py"))
    old = os.stat(path)
    work = run(sys.executable, path)
    assert source(plopd, work.pid, path)[0] == 200
    time.sleep(0.02)
    write(path, SCRIPT.replace("33", "35"))
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))
    status, said = source(plopd, work.pid, path)
    assert status == 409 and "changed since the process started" in said["error"] and "text" not in said, said
    os.rename(write(path + ".new"), path)
    assert source(plopd, work.pid, path)[0] == 409
    again = run(sys.executable, path)
    assert source(plopd, again.pid, path)[1]["text"] == SCRIPT
    os.unlink(path)
    assert source(plopd, again.pid, path)[0] == 404


FORKS = SCRIPT.replace("caller()\n", "pass\n").replace("\"READY", "\"EARLY") + """
pid = os.fork()
if pid:
    sys.stdout.write("READY %d\\n" % pid)
    sys.stdout.flush()
    sys.stdin.readline()
    os._exit(0)
while True:
    hot(20000)
"""


def test_forked(plopd, place, run):
    """A worker has what its maker loaded: it is the maker's start that counts; when that has ended, it is not known."""
    path = write(os.path.join(place, "app", "forks.py"), FORKS.replace("    while True:\n        pass", "    pass"))
    work = run(sys.executable, path, known=False)
    child = int(work.ready[0])
    plopd.profiled(child)
    assert source(plopd, child, path)[0] == 200
    work.go()
    work.process.wait(10)
    status, said = source(plopd, child, path)
    assert status == 409 and "not known" in said["error"], said


def test_users(plopd, place, run):
    """Who may not see a process does not see its source; nor is read what the process itself may not."""
    path = write(os.path.join(place, "app", "users.py"))
    python = "/usr/bin/python3"
    work = run(python, path)
    own = run(python, path, user=USER, group=USER, extra_groups=[])
    assert source(plopd, own.pid, path, USER)[1]["text"] == SCRIPT
    assert source(plopd, own.pid, path)[0] == 200
    status, said = source(plopd, work.pid, path, USER)
    assert status == 403 and "not yours" in said["error"] and "text" not in said, said
    hidden = write(os.path.join(place, "app", "hidden.py"))
    os.chmod(hidden, 0o600)
    again = run(python, path, user=USER, group=USER, extra_groups=[])
    status, said = source(plopd, again.pid, hidden, USER)
    assert status == 403 and "may not read" in said["error"], said
    # root may not have it by that process either
    assert source(plopd, again.pid, hidden)[0] == 403


def test_another_root(plopd, place, run):
    """The file is the one that the process sees, not what lies at its path on the host."""
    path = write(os.path.join(place, "app", "root.py"), "# of the host\n")
    inside = os.path.join(place, "other", "inside")
    os.mkdir(inside)
    write(os.path.join(inside, "root.py"))
    if subprocess.run(["unshare", "--mount", "true"]).returncode:
        pytest.skip("unshare --mount does not work here")
    work = run("unshare", "--mount", "sh", "-c", 'mount --bind "$1" "$2" && exec "$3" "$2/root.py"', "sh", inside, os.path.dirname(path),
               sys.executable)
    assert source(plopd, work.pid, path)[1]["text"] == SCRIPT
    with open(path) as f:
        assert f.read() == "# of the host\n"


def test_plopctl(plopd, place, run):
    """The same in a terminal: with source, without it and why, and what is near a name that is none."""
    path = write(os.path.join(place, "app", "terminal.py"))
    work = run(sys.executable, path)
    pid = "pid=%d" % work.pid
    until("samples of it", lambda: "hot" in plopd.ctl("lines", "--file", path, pid).out)
    shown = plopd.ctl("lines", "--function", "hot", pid)
    assert shown.returncode == 0 and not shown.err, shown.err
    head, _, *rows = shown.out.splitlines()
    assert head.startswith("hot (%s:4): self " % path), shown.out
    text = {int(row.split()[0]): row[28:] for row in rows}
    assert text[HOT] == SCRIPT.splitlines()[HOT - 1] and all(SCRIPT.splitlines()[n - 1] == words for n, words in text.items()), shown.out
    answer = json.loads(plopd.ctl("lines", "-n", "hot", "--json", pid).out)
    assert lines_of(answer).keys() >= text.keys(), (answer, text)
    write(path, SCRIPT + "# more\n")
    changed = plopd.ctl("lines", "--function", "caller", pid)
    assert changed.returncode == 0 and "changed since the process started" in changed.err, changed.err
    assert any(row.split()[0] == str(CALL) and row.endswith("-> hot") for row in changed.out.splitlines()[2:]), changed.out
    for arguments, status, words in ((["--function", "hott"], 3, "hot"), (["--file", "/no/such.py"], 3, "no sample"), ([], 2, "--function NAME"),
                                     (["--function", "hot", "pid=4194303"], 3, "")):
        done = plopd.ctl("lines", *arguments)
        assert done.returncode == status and words in done.err, (arguments, done.err)
