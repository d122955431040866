# SPDX-License-Identifier: BSD-2-Clause
"""
Who may see what, by every route and every option. plopd's own table of routes, selectors and formats (access_table), and plopctl's own
help, say what there is: what this test does not know makes it fail. Two users and root have processes whose names are unmistakable, one
user's execute setuid programs, or have themselves made undumpable, in the middle of recordings. A user finds nothing of anybody else's in any
answer; root finds all of it in the same, so that this can fail. Neither does who shows a token of one service, to whom each route is
held as to a user; and who shows one to look alone changes nothing.
"""
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

import host
import marked
from access_commands import commands
from access_scopes import SCOPES, check_malformed, check_scope
from marked import CTL_DONE, CTL_FAILED, CTL_NO_TARGET, CTL_NOT_ALLOWED, FROM_THE_START, ONE, SERVICE, SERVES, TWO
from marked_recording import Recording, enough, get_checked
from waiting import until

PLOPD = ("--window", 5)
EVERYBODY = (0, ONE, TWO, SERVICE)
NOT_THERE = 4194303
BATCH = 6  # recordings at once of each user; one may have 8

# For each selector: which names of its own grouping by it shows, and a value that is root's.
SELECTORS = {
    "pid": (), "comm": ("cm_",), "exe": (), "cgroup": (), "unit": (), "container": (), "service": ("sv_",), "version": ("vr_",),
    "thread": (), "thread_name": (), "state": (), "gil": (), "label.NAME": (),
}


def values(m, key):
    """Values of a selector that are another's, or everybody's."""
    return {"pid": [m.pid("zqroot"), m.pid("zqsetuid")], "comm": ["cm_zqroot"], "exe": [m.setuid, os.path.realpath(sys.executable)],
            "cgroup": ["/"], "unit": ["", marked.SHARED], "container": [""], "service": ["sv_zqroot", "sv_zqtwo"],
            "version": ["vr_zqroot"], "thread": [m.pid("zqroot")], "thread_name": ["th_zqroot", ""], "state": ["running", "sleeping"],
            "gil": ["held", ""], "label.NAME": ["x", ""]}[key]


def several(questions):
    """Runs them beside each other; the first that fails is raised."""
    with ThreadPoolExecutor(8) as pool:
        for result in [pool.submit(*question) for question in questions]:
            result.result()


def get(m, uid, path, kinds=()):
    def answer():
        status, raw = m.http(uid, "GET", path)
        return status != 429 and (status, raw)

    # a user may have two questions at a time
    status, raw = until("it is answered: " + path, answer, 60)
    assert status == 200, (uid, path, status, raw)
    m.check(uid, raw, path, kinds)


def queries(m, t):
    """(parameters, the names that must be in a profile) of all that the selectors and formats allow."""
    keys = [k for k in t["selectors"] if k != "label.NAME"]
    for form in t["formats"]:
        yield "format=" + form, ("fn_", "task_", "file_")
        for key in keys + ["service,version,comm,pid"]:
            shown = ("sv_", "vr_", "cm_") if "," in key else SELECTORS[key]
            # the page's graph and pprof have a file and a function apart, but all have them
            yield "format=%s&group_by=%s" % (form, key), ("fn_",) + shown
    for key in t["selectors"]:
        for value in values(m, key):
            for form in ("json", "collapsed"):
                yield "format=%s&%s=%s" % (form, key.replace("NAME", "note"), value), ()
    yield "from=0&format=json", ("fn_",)


def ask_profile(m, t, path):
    for uid in EVERYBODY:
        several([(get, m, uid, "%s?%s" % (path, parameters), kinds) for parameters, kinds in queries(m, t)])


def ask_windows(m, t, path):
    for uid in EVERYBODY:
        for parameters in ["", "from=0"] + [p for p, _ in queries(m, t) if "format=json&" in p and "group_by" not in p]:
            get(m, uid, "%s?%s" % (path, parameters), ("cm_",) if parameters == "from=0" else ())
            get(m, uid, "%s?step=600&%s" % (path, parameters), ("cm_",) if parameters == "from=0" else ())


def ask_diff(m, t, path):
    """Of both sides; and each selector on one side alone."""
    for uid in EVERYBODY:
        get(m, uid, path + "?from=0", ("fn_", "file_"))
        several([(get, m, uid, "%s?from=0&%s%s=%s" % (path, side, key.replace("NAME", "note"), value))
                 for side in ("base.", "new.") for key in t["selectors"] for value in values(m, key)])


def ask_deploys(m, t, path):
    for uid in EVERYBODY:
        get(m, uid, path + "?from=0", ("sv_", "vr_"))
        several([(get, m, uid, "%s?from=0&%s=%s" % (path, key.replace("NAME", "note"), value)) for key in t["selectors"] for value in values(m, key)])


def ask_sd(m, t, path):
    for uid in EVERYBODY:
        get(m, uid, path + "?from=0", ("sv_", "vr_"))
        several([(get, m, uid, "%s?from=0&%s=%s" % (path, key.replace("NAME", "note"), value)) for key in t["selectors"] for value in values(m, key)])


def ask_marks(m, t, path):
    """What a user marks changes the user's own processes alone, and says how many these are."""
    pids = [m.pid(tag) for tag in FROM_THE_START]

    def versions():
        return {p["pid"]: p["version"] for p in m.json(0, "GET", "/v1/processes") if p["pid"] in pids}

    before = versions()
    for uid, tag in ((ONE, "zqone"), (TWO, "zqtwo")):
        for selector in ("comm=cm_zqroot", "exe=/", "service=sv_" + tag):
            body = {"selectors": [selector], "version": "vr_%s_marked" % tag}
            own = 0 if "root" in selector else 1
            until("it is set", lambda: m.http(uid, "POST", path, body)[0] == 200)
            assert m.json(uid, "POST", path, body)["processes"] == own, (uid, selector)
            expected = {**before, **({m.pid(tag): body["version"]} if own else {})}
            assert versions() == expected, (uid, selector)
            assert m.json(uid, "POST", path, dict(body, version=""))["processes"] == own
            assert versions() == before, (uid, selector)


def ask_marks_listed(m, t, path):
    """Who may not see all sees the marks that are the user's own."""
    users = ((0, "zqroot"), (ONE, "zqone"), (TWO, "zqtwo"))
    for version in ("vr_listed_%s", ""):
        for uid, tag in users:
            until("it is set", lambda: m.http(uid, "POST", path, {"selectors": ["unit=%s.service" % tag], "version": version and version % tag})[0] == 200)
        for uid, tag in users:
            assert {one["version"] for one in m.json(uid, "GET", path)["marks"]} == {version % name for _, name in users if version and (uid == 0 or name == tag)}, uid
            get(m, uid, path)


def ask_regressions(m, t, path):
    """What was compared is asked for by selector, as anything else (unit.plopd.deploy_watch keeps owners apart)."""
    for uid in EVERYBODY:
        get(m, uid, path)
        several([(get, m, uid, "%s?%s=%s" % (path, key.replace("NAME", "note"), value)) for key in t["selectors"] for value in values(m, key)])


def ask_series(m, t, path):
    """Nobody learns how much another one's processes did, nor by a function's name that there is one."""
    for uid in EVERYBODY:
        several([(get, m, uid, "%s?from=0&%s=%s" % (path, key.replace("NAME", "note"), value)) for key in t["selectors"] for value in values(m, key)])
    for uid, tag in ((ONE, "zqone"), (TWO, "zqtwo"), (SERVICE, SERVES)):
        def samples(of, parameters=""):
            return sum(p["samples"] for p in m.json(of, "GET", path + "?from=0" + parameters)["points"])
        own = samples(0, "&pid=%d" % m.pid(tag))
        assert 0 < samples(uid) <= samples(0, "&pid=%d" % m.pid(tag)) and own <= samples(uid) < samples(0), (uid, own)
        foreign = "zqtwo" if tag == "zqone" else "zqone"
        # its answer says whose function was asked for
        points = json.loads(m.http(uid, "GET", "%s?from=0&function=fn_%s" % (path, foreign))[1].decode())["points"]
        assert points and not any(p["self"] or p["total"] for p in points), points


def ask_labels(m, t, path):
    kinds = {"service": ("sv_",), "version": ("vr_",), "comm": ("cm_",)}
    keys = [k for k in t["selectors"] if k not in ("thread", "thread_name", "state", "gil", "label.NAME")]
    assert keys, t["selectors"]
    for uid in EVERYBODY:
        several([(get, m, uid, path.replace("*", key) + "?from=0", kinds.get(key, ())) for key in keys])
        several([(get, m, uid, "%s?from=0&%s=%s" % (path.replace("*", "service"), key, value)) for key in keys for value in values(m, key)])
    for uid, tag in ((ONE, "zqone"), (TWO, "zqtwo"), (SERVICE, SERVES)):
        assert [v["value"] for v in m.json(uid, "GET", "/v1/labels/pid?from=0")["values"]] == [str(m.pid(tag))]


def ask_lines(m, t, path):
    """Of another one's function nobody learns a line, a caller, nor that there is one."""
    for uid in EVERYBODY:
        several([(get, m, uid, "%s?from=0&function=%s&%s=%s" % (path, "%3Cmodule%3E", key.replace("NAME", "note"), value))
                 for key in t["selectors"] for value in values(m, key)])
        for tag in FROM_THE_START:
            question = "%s?from=0&function=fn_%s" % (path, tag)
            raw = until("it is answered", lambda: [r for s, r in [m.http(uid, "GET", question)] if s == 200])[0]
            answer = json.loads(raw.decode())
            seen = [len(answer[k]) for k in ("nodes", "lines", "calls", "processes")]
            assert all(seen) if marked.may_see(uid, tag) else not any(seen), (uid, tag, answer)


def ask_list(m, t, path):
    for uid in EVERYBODY:
        get(m, uid, path, ("cm_", "sv_", "vr_", "file_") if path == "/v1/processes" else ())
    for uid, tag in ((ONE, "zqone"), (TWO, "zqtwo"), (SERVICE, SERVES)):
        assert [p["pid"] for p in m.json(uid, "GET", "/v1/processes")] == [m.pid(tag)]
        assert m.json(uid, "GET", "/v1/status")["processes"] == 1


def stream(m, uid, path, kinds):
    m.check(uid, m.events(uid, path, 2).encode(), path, kinds)


def ask_stream(m, t, path):
    several([(stream, m, uid, path + parameters, kinds) for uid in EVERYBODY
             for parameters, kinds in (("", ()), ("?group_by=service,version,comm,pid", ()), ("?pid=%d" % m.pid("zqroot"), ()),
                                       ("?comm=cm_zqroot", ()))])
    # the window may have begun a moment ago
    until("all is in the stream", lambda: all("fn_" + tag in m.events(0, path, 1) for tag in FROM_THE_START))


def ask_dump(m, t, path):
    for uid in EVERYBODY:
        for tag in FROM_THE_START:
            status, raw = m.http(uid, "GET", "%s?pid=%d" % (path, m.pid(tag)))
            assert (status == 200) == marked.may_see(uid, tag) and status in (200, 403), (uid, tag, status, raw)
            m.check(uid, raw, path, ("file_", "sv_")[:1] if status == 200 else (), (tag,))


def ask_source(m, t, path):
    """Nothing is allowed to be read here (system.lines has what is); whose process it is is looked at first."""
    for uid in EVERYBODY:
        for tag in FROM_THE_START:
            question = "%s?pid=%d&file=/x.py&function=f&line=1" % (path, m.pid(tag))
            status, raw = m.http(uid, "GET", question)
            assert status == 403 and (b"no source is read" in raw) == marked.may_see(uid, tag), (uid, tag, status, raw)
            m.check(uid, raw, path)


def ask_pprof(m, t, path):
    several([(get, m, uid, path + parameters, kinds) for uid in EVERYBODY
             for parameters, kinds in (("?seconds=4", ("fn_",)), ("?last=60", ("fn_",)), ("?last=60&service=sv_zqroot", ()), ("?seconds=1&service=sv_zqroot", ()), ("?seconds=1&thread_name=th_zqroot", ()))])


def targets(m, uid):
    """What there is to record: the part of the body that says so, and which of the processes it has."""
    mine = [tag for tag in FROM_THE_START if marked.may_see(uid, tag)]
    yield {"all": True}, FROM_THE_START
    yield {"pid": [m.pid(tag) for tag in mine]}, FROM_THE_START
    yield {"pid": m.pid(mine[0])}, mine[:1]
    yield {"tree": m.pid(mine[0])}, mine[:1]
    yield {"selectors": ["comm=cm_zqroot", "comm=cm_zqone"]}, ("zqroot", "zqone")
    yield {"cgroup": "/"}, FROM_THE_START
    for folder in m.cgroups:
        if os.path.basename(folder) == marked.SHARED:
            yield {"cgroup": folder}, marked.UNITS[marked.SHARED]
    if m.cgroup(marked.SHARED):
        yield {"unit": marked.SHARED}, marked.UNITS[marked.SHARED]


def recording_can(m, body):
    """Whether this kernel can: none of its own before Linux 5.17 (or what plop says of it)."""
    status, raw = m.http(0, "POST", "/v1/recordings", dict(body, duration_s=0.1, all=True))
    assert status in (201, 501), (status, raw)
    if status == 501:
        print("not on this kernel: recordings with %s" % body)
    return status == 201


def options_of(m):
    """What a recording can be, beside whom it is of: each option with each other, and each alone."""
    for wall, tasks, hz in ((False, False, None), (True, False, None), (False, False, 199), (False, True, 199), (True, True, 199)):
        options = {"wall": wall, "async": tasks, "hz": hz, "labels": {"note": "x"}}
        if recording_can(m, options):
            yield options


def threads_of(m, tags):
    return sum(len(os.listdir("/proc/%d/task" % m.pid(tag))) for tag in tags)


def check_states(m, r, state, tags):
    """Off CPU or on it: no more than the threads that the user may see have spent."""
    spent, most = state["states"]["threads_s"], threads_of(m, tags) * state["elapsed_s"]
    if spent > 1.2 * most + 0.5:
        groups = {}
        for stack, count in host.collapsed(r.threads.decode()):
            group = ";".join(name for name, _, _ in stack if name.startswith(("pid=", "thread=", "state=")))
            groups[group] = groups.get(group, 0) + count
        raise AssertionError("%g s where %g can be: %s" % (spent, most, (r.body, state, groups)))


def ask_recordings(m, t, path):
    wanted = [(uid, dict(options, **target), tags) for options in options_of(m) for uid in (0, ONE)
              for target, tags in targets(m, uid)]
    wanted.append((TWO, {"all": True, "wall": True}, FROM_THE_START))
    wanted += [(SERVICE, {"all": True}, FROM_THE_START), (SERVICE, {"all": True, "hz": 199}, FROM_THE_START),
               (SERVICE, {"all": True, "wall": True}, FROM_THE_START), (SERVICE, {"pid": m.pid(SERVES)}, (SERVES,))]
    mine = [w for w in wanted if w[0] != 0]
    roots = [w for w in wanted if w[0] == 0]
    while mine or roots:
        batch, mine, roots = mine[:BATCH] + roots[:BATCH], mine[BATCH:], roots[BATCH:]
        running = [Recording(m, uid, body, (), tags) for uid, body, tags in batch]
        try:
            until("samples of all", lambda: enough(running), 180)
        except AssertionError as e:
            raise AssertionError([(r.uid, r.body, r.state()) for r in running if not enough([r])]) from e
        for r in running:
            r.end()
        for r in running:
            state = r.look(t)
            if r.uid in (ONE, SERVICE):
                check_states(m, r, state, ("zqone",) if r.uid == ONE else (SERVES,))
    print("recordings: %d, in %d formats" % (len(wanted), len(t["formats"])))


def ask_kept(m, t, path):
    """The list has what each made, and nothing of another's; what is kept is as its maker alone recorded it."""
    made = [Recording(m, uid, {"all": True, "name": "kn_" + tag}, (), FROM_THE_START)
            for uid, tag in ((0, "zqroot"), (ONE, "zqone"), (TWO, "zqtwo"))]

    def look():
        for uid in (0, ONE, TWO):
            ids = {r["id"] for r in m.json(uid, "GET", path)["recordings"]}
            for r in made:
                assert (os.path.basename(r.path) in ids) == (uid in (0, r.uid)), (uid, r.uid, ids)
            get(m, uid, path)

    until("samples of all", lambda: enough(made), 180)
    look()
    for r in made:
        r.end()
    for r in made:
        assert r.ended()["kept"], r.state()
    look()
    for r in made:
        r.look(t)
        assert m.http(r.uid, "GET", r.path)[0] == 404, "it was removed"


def known(_m, _t, _path):
    """Asked by ask_recordings()."""


def ask_refused(m, t, path):
    for uid in (ONE, TWO, SERVICE):
        for method in [r["method"] for r in t["routes"] if r["path"] == path]:
            body = {"url": "http://x", "token": "x"} if method == "POST" else None
            status, raw = m.http(uid, method, path, body)
            assert status == 403, (path, status, raw)
            m.check(uid, raw, path)


ROUTES = {
    ("GET", "/v1/status"): ask_list,
    ("GET", "/v1/processes"): ask_list,
    ("GET", "/v1/windows"): ask_windows,
    ("GET", "/v1/profile"): ask_profile,
    ("GET", "/v1/deploys"): ask_deploys,
    ("GET", "/v1/diff"): ask_diff,
    ("POST", "/v1/marks"): ask_marks,
    ("GET", "/v1/marks"): ask_marks_listed,
    ("GET", "/v1/regressions"): ask_regressions,
    ("GET", "/v1/series"): ask_series,
    ("GET", "/v1/labels/*"): ask_labels,
    ("GET", "/v1/lines"): ask_lines,
    ("GET", "/v1/sd"): ask_sd,
    ("GET", "/v1/stream"): ask_stream,
    ("GET", "/v1/dump"): ask_dump,
    ("GET", "/v1/source"): ask_source,
    ("GET", "/v1/recordings"): ask_kept,
    ("POST", "/v1/recordings"): ask_recordings,
    ("GET", "/v1/recordings/*"): known,
    ("DELETE", "/v1/recordings/*"): known,
    ("POST", "/v1/tokens"): ask_refused,
    ("GET", "/v1/tokens"): ask_refused,
    ("DELETE", "/v1/tokens/*"): ask_refused,
    ("POST", "/v1/tokens/check"): ask_refused,
    ("POST", "/v1/tokens/revoke"): ask_refused,
    ("POST", "/v1/gateway"): ask_refused,
    ("GET", "/debug/pprof/profile"): ask_pprof,
    ("GET", "/metrics"): ask_refused,
}
FORMATS = {"pprof", "collapsed", "speedscope", "plop", "json", "tree", "svg", "html", "top"}


@pytest.fixture(scope="module")
def t():
    """What there is to ask, as plopd's tables have it."""
    done = subprocess.run([os.environ["PLOP_TABLE"]], stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout.decode())
    return dict(found, selectors=found["selectors"].split(", "), formats=found["formats"].split(", "))


@pytest.fixture(scope="module")
def m(plopd):
    """Everybody's processes."""
    setuid = marked.setuid_folder()
    if not setuid:
        pytest.skip("neither /var/tmp, /tmp, /run nor /root is on a file system with setuid programs")
    everybody = marked.Marked(plopd, setuid)
    try:
        everybody.make_cgroups()
        everybody.begin_all()
        yield everybody
    finally:
        everybody.done()


def test_all_is_known(t):
    for what, there, here in (("routes", {(r["method"], r["path"]) for r in t["routes"]}, set(ROUTES)),
                              ("selectors", set(t["selectors"]), set(SELECTORS)), ("formats", set(t["formats"]), FORMATS)):
        assert there == here, "%s that this test has to learn, or forget: %s" % (what, sorted(there ^ here))
    for r in t["routes"]:
        assert r["open"] or ROUTES[r["method"], r["path"]] is ask_refused, r
    print("%d routes, %d selectors, %d formats, all known here" % tuple(len(t[k]) for k in ("routes", "selectors", "formats")))


@pytest.mark.parametrize("scope", SCOPES)
def test_scopes(m, t, scope):
    check_scope(m, t, scope)


def test_scope_malformed(m):
    check_malformed(m)


def hidden(m, uid, what, question, others):
    """Who asks for what is another's is told the same as for what is not there."""
    answers = {other: [str(part).replace(str(other), "N") for part in question(uid, other)] for other in others}
    assert len({tuple(a) for a in answers.values()}) == 1, (uid, what, answers)


def test_hidden(m):
    """What is another's cannot be told from what is not there: processes, which hidepid may hide, cgroups, units, recordings."""
    def post(key, wrap=lambda value: value, **more):
        return lambda uid, value: m.http(uid, "POST", "/v1/recordings", dict(more, **{key: wrap(value), "duration_s": 1}))

    roots = Recording(m, 0, {"all": True}, (), ())
    units = [marked.FOREIGN] if m.cgroup(marked.FOREIGN) else []
    for uid in (ONE, TWO, SERVICE):
        foreign = [m.pid(tag) for tag in FROM_THE_START if not marked.may_see(uid, tag)] + [1, NOT_THERE]
        hidden(m, uid, "dump", lambda uid, pid: m.http(uid, "GET", "/v1/dump?pid=%d" % pid), foreign)
        hidden(m, uid, "record", post("pid"), foreign)
        own = m.pid({ONE: "zqone", TWO: "zqtwo", SERVICE: SERVES}[uid])
        hidden(m, uid, "record several", post("pid", lambda pid: [own, pid]), foreign)
        hidden(m, uid, "record what can be of several", post("pid", lambda pid: [own, pid], partial=True), foreign)
        hidden(m, uid, "record a tree", post("tree"), foreign)
        hidden(m, uid, "record a selected one", post("selectors", lambda pid: ["pid=%d" % pid]), foreign)
        if uid != SERVICE:
            for arguments in (["record", "-o", "-", "-p"], ["dump", "-p"], ["top", "-1", "-p"]):
                hidden(m, uid, arguments[0], lambda uid, pid: m.ctl(uid, *arguments, pid), foreign)
            assert m.ctl(uid, "dump", "-p", NOT_THERE)[0] == CTL_NOT_ALLOWED
        hidden(m, uid, "cgroup", post("cgroup"), [m.cgroup(unit) for unit in units] + ["/not-there"])
        hidden(m, uid, "unit", post("unit"), units + ["not-there.service"])
        for method in ("GET", "DELETE"):
            hidden(m, uid, "recording", lambda uid, i: m.http(uid, method, "/v1/recordings/%s" % i),
                   [os.path.basename(roots.path), "r999", "u000000000000"])
        # told at once, in the words of every other route; so how long it takes tells nothing, either
        hidden(m, uid, "pprof", lambda uid, pid: m.http(uid, "GET", "/debug/pprof/profile?seconds=60&pid=%d" % pid), foreign)
        assert m.http(uid, "GET", "/debug/pprof/profile?seconds=60&pid=%d" % foreign[0]) == \
            m.http(uid, "POST", "/v1/recordings", {"pid": foreign[0]}), uid
    assert m.json(0, "GET", roots.path)["state"] == "running"
    roots.stop()
    # nor is it told how many recordings others make
    ids = [m.json(ONE, "POST", "/v1/recordings", {"all": True, "duration_s": 0.1})["id"] for _ in range(2)]
    assert not any(re.match("r[0-9]{1,6}$", i) for i in ids) and len(set(ids)) == 2, ids
    print("hidden: processes, cgroups, units and recordings of others are answered like those that are not there")


@pytest.fixture(scope="module")
def windows(m):
    """Some are saved, and one runs."""
    until("windows", lambda: m.json(0, "GET", "/v1/status")["store"]["windows"] >= 2, 30)


@pytest.mark.parametrize("route", ROUTES, ids="-".join)
def test_route(m, t, windows, route):
    ROUTES[route](m, t, route[1])


def options_in_help(m, *command):
    _, out, _ = m.ctl(0, *command, "--help")
    # those of a server say whom it asks in place of plopd: fleet_server.py has them
    return set(re.findall(r"^  +(?:-\S, )? *--([a-z-]+)", out.decode(), re.M)) - {
        "config", "socket", "server", "token-file", "ca-file", "help", "usage", "version"}


def run(m, uid, arguments):
    path = os.path.join(m.folder, "open", "%d-%d" % (uid, id(arguments)))

    def answer():
        status, out, said = m.ctl(uid, *[path if a is None else a for a in arguments])
        # a user may have two questions at a time
        return "wait for their answer" not in said and (status, out, said)

    status, out, said = until("it is answered: %s" % arguments, answer, 60)
    if arguments[0] in ("backup", "fsck") and uid:
        # plop.db is not for them, whoever is asked for it
        assert status == CTL_NOT_ALLOWED and not out and not os.path.exists(path), (uid, arguments, status, said)
        m.check(uid, said.encode(), "plopctl %s" % arguments[0])
        return
    if arguments[0] == "token" and uid:
        assert status == CTL_NOT_ALLOWED and not out, (uid, arguments, status, said)
        return
    if arguments[0] == "fleet":
        # no plop-gateway is there to ask, which others than root do not even learn
        assert status == (CTL_NOT_ALLOWED if uid else CTL_FAILED) and not out, (uid, arguments, status, said)
        m.check(uid, said.encode(), "plopctl fleet")
        return
    if None in arguments:
        with open(path, "rb") as f:
            out += f.read()
    what = " ".join(str(a) for a in arguments)
    if uid and arguments[0] == "export" and "=" in what:  # it is root's, and as if it were not there
        assert status == CTL_NO_TARGET and not out, (uid, what, status, said)
        m.check(uid, said.replace(arguments[1], "").encode(), "plopctl " + what)
        return
    if "takes Linux 5.17" in said:
        return
    # root's and the other users' have no business with ONE's process that the third user asks for
    assert status == CTL_DONE or (uid == TWO and str(m.pid("zqone")) in what and status == CTL_NOT_ALLOWED) or (status == CTL_NO_TARGET and "/x.py" in what), (uid, what, status, said)
    m.check(uid, out, "plopctl " + what)
    m.check(uid, said.encode(), "plopctl " + what)
    alone = {"-p", "--", m.pid("zqone")} & set(arguments) or "pid=" in what
    if uid == 0 and status == CTL_DONE and arguments[0] in ("export", "record") and not alone:
        seen = [tag for tag in FROM_THE_START if tag in marked.text_of(out)]
        assert len(seen) >= 2 or "zqroot" in seen and "comm=cm_zqroot" in what, (what, seen, out[:1000])


def test_ctl(m, t):
    """plopctl with each command and each option that its help has."""
    asked = commands(m, t)
    _, out, _ = m.ctl(0, "--help")
    there = set(re.findall(r"^  ([a-z]+)  ", out.decode().partition("Commands")[2], re.M))
    assert there == set(asked), "commands that this test has to learn, or forget: %s" % sorted(there ^ set(asked))
    os.mkdir(os.path.join(m.folder, "open"))
    os.chmod(os.path.join(m.folder, "open"), 0o777)
    with open(os.path.join(m.folder, "open", "counted.prom"), "w", encoding="utf-8") as f:
        f.write("requests_total 9\nprocess_start_time_seconds 1\n")
    questions = []
    for command, options in asked.items():
        there = options_in_help(m, command)
        assert there == set(options), "options of %s to learn, or forget: %s" % (command, sorted(there ^ set(options)))
        questions += [(run, m, uid, arguments) for several_of in options.values() for arguments in several_of for uid in (0, ONE, TWO)]
    for uid in (0, ONE, TWO):
        assert m.ctl(uid, "record", "-a", "-d", "1s", "--name", "kept", "-f", "collapsed", "-o", "/dev/null")[0] == CTL_DONE, uid
    several(questions)
    assert m.ctl(ONE, "open")[0] == CTL_NOT_ALLOWED
    print("plopctl: %d commands, %d invocations" % (len(asked), len(questions)))


def test_changes(m, t):
    """Processes of ONE's that stop being ONE's in the middle: one executes a setuid program, one has itself made undumpable."""
    m.begin("zqchange", ONE, "exec")
    m.begin("zqkeeps", ONE, "shut")
    both = [m.pid("zqchange"), m.pid("zqkeeps")]
    until("ONE sees both", lambda: set(both) <= {p["pid"] for p in m.json(ONE, "GET", "/v1/processes")})
    tags = ("zqchange", "zqkeeps")
    options = list(options_of(m))
    running = []
    for o in options:
        running += [Recording(m, ONE, dict(o, pid=both), (), tags)]
    wall = {"wall": True} if any(o["wall"] for o in options) else {}
    running += [Recording(m, ONE, dict(wall, pid=both[0]), (), ("zqchange",)), Recording(m, ONE, dict(wall, all=True), (), tags)]
    running += [Recording(m, 0, dict(wall, all=True), (), FROM_THE_START), Recording(m, 0, {"all": True}, (), FROM_THE_START)]
    lone = running[len(options)]
    until("samples of before", lambda: all(r.state()["samples"] >= 20 for r in running), 60)
    m.go("zqchange", "%s %s zqbecame" % (m.link("zqbecame", m.setuid), m.file("zqbecame")))
    m.go("zqkeeps")
    m.said("zqchange", b"READY")
    m.said("zqkeeps", b"SHUT")
    # until it is looked at anew, it is not Python for all that plopd knows
    until("plopd knows what it became", lambda: (both[0], "cm_zqbecame") in [(p["pid"], p["comm"]) for p in m.json(0, "GET", "/v1/processes")])
    later = Recording(m, 0, {"pid": both}, (), ("zqbecame", "shut_zqkeeps"))
    until("samples of after", lambda: later.state()["samples"] >= 100, 60)
    running.remove(lone)
    for r in running[:-2] + [lone]:
        if r is lone:
            until("the lone one ends, as what it was of has", lambda: r.state()["state"] == "done")
            assert r.state()["reason"] == "target ended", r.state()
        r.end()
        # a task of the process that becomes another one may have had no turn
        r.kinds, r.body = (), dict(r.body, **{"async": False})
        r.look(t)
    for r in running[-2:] + [later]:
        r.stop()
        get_checked(r, "format=collapsed&group_by=thread_name", ("fn_", "th_") if r is later else ("fn_",))
        text = marked.text_of(m.http(0, "GET", r.path + "?format=collapsed")[1])
        assert "fn_zqbecame" in text and "fn_shut_zqkeeps" in text, text[:2000]
    for path in ("/v1/processes", "/v1/windows?from=0", "/v1/profile?from=0&format=collapsed&group_by=service,pid,comm"):
        for uid in (ONE, TWO):
            get(m, uid, path)
    assert [p["pid"] for p in m.json(ONE, "GET", "/v1/processes")] == [m.pid("zqone")]
    print("processes that become another's: %d recordings have them up to there" % (len(running) - 1))


def test_end(m):
    assert m.daemon.stop() == 0
