# SPDX-License-Identifier: BSD-2-Clause
"""The API has one shape, whoever answers: plopd, plop-gateway with plopd and without, and the stand-in for plopd that the tests
of plopctl use (ctl_server) are held to golden/answers.json, and refuse bad parameters in the words of golden/refusals.json, as
plopctl does.

A shape is a type ("int", "number", "string", "bool", "null", "string|null", "=this very text"), "$NAME" of types, {KEY: SHAPE}
with these keys and no others ("KEY?" may be missing), {"*": SHAPE} with any keys, [SHAPE] of elements, {"|": [SHAPE, ...]} for one
of several."""
import copy
import json
import os
import subprocess
import tempfile

import pytest

import host
import server
from waiting import until

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden")
PLOPD = ("--window", 2)


def load(name):
    with open(os.path.join(FOLDER, name), encoding="utf-8") as f:
        return json.load(f)


KEYS = ("pid", "comm", "exe", "cgroup", "unit", "container", "service", "version", "thread", "thread_name", "state", "gil", "label.NAME")
ANSWERS = load("answers.json")
REFUSALS = [(query, words.replace("KEYS", ", ".join(KEYS))) for query, words in load("refusals.json")]
IS = {
    "int": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "string": lambda v: isinstance(v, str),
    "bool": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
}


def is_word(word, value):
    return value == word[1:] if word.startswith("=") else IS[word](value)


def differences(shape, value, where=""):
    """A line for each place where a value is not of its shape."""
    if isinstance(shape, str) and shape.startswith("$"):
        yield from differences(ANSWERS["types"][shape[1:]], value, where)
    elif isinstance(shape, str):
        if not any(is_word(word, value) for word in shape.split("|")):
            yield "%s is %.80r, not %s" % (where or "it", value, shape)
    elif isinstance(shape, list):
        if not isinstance(value, list):
            yield "%s is no array: %.80r" % (where, value)
            return
        for at, element in enumerate(value):
            yield from differences(shape[0], element, "%s[%d]" % (where, at))
    elif "|" in shape:
        if all(any(differences(one, value)) for one in shape["|"]):
            yield from differences(shape["|"][-1], value, where)
    elif not isinstance(value, dict):
        yield "%s is no object: %.80r" % (where, value)
    elif "*" in shape:
        for key, element in value.items():
            yield from differences(shape["*"], element, where + "." + key)
    else:
        known = {key.rstrip("?"): key for key in shape}
        for key in sorted(set(known) | set(value)):
            if key not in known:
                yield "%s.%s is not in the golden answer" % (where, key)
            elif key in value:
                yield from differences(shape[known[key]], value[key], where + "." + key)
            elif not known[key].endswith("?"):
                yield "%s.%s is missing" % (where, key)


def test_the_check():
    """Every kind of difference is found."""
    good = {"version": "1", "mode": "offline", "error": "x", "hint": "y", "gateway": "z",
            "store": {"path": "/", "bytes": 1, "wal_bytes": 0, "windows": 0, "recordings": 0, "recordings_bytes": 0, "unsaved": None, "dropped": None, "oldest": None,
                      "error": None}}
    assert not list(differences(ANSWERS["status_offline"], good))
    for change in ({"mode": "always"}, {"version": 1}, {"more": 1}, {"store": None}, {"error": None},
                   {"store": dict(good["store"], bytes=1.5)}, {"store": dict(good["store"], bytes=True)},
                   {"store": dict(good["store"], unsaved=3)}, {"store": [good["store"]]}):
        assert len(list(differences(ANSWERS["status_offline"], dict(copy.deepcopy(good), **change)))) == 1, change
    for key in good:
        assert list(differences(ANSWERS["status_offline"], {k: v for k, v in good.items() if k != key})) == [".%s is missing" % key]
    assert list(differences(ANSWERS["windows"], {"windows": [{}]})) and list(differences({"|": ["null", ["int"]]}, [1, "2"]))
    assert not list(differences({"|": ["null", ["int"]]}, None)) and list(differences({"*": "int"}, {"a": "b"}))


class Server:
    """Who answers: a socket's path or a port, and the headers that it wants."""

    def __init__(self, name, where, headers=None):
        self.name, self.where, self.headers = name, where, headers or {}

    def ask(self, method, path, body=None):
        status, _, answer = server.request(self.where, method, path, json.dumps(body) if body else None, self.headers)
        return status, answer

    def held_to(self, shape, method, path, body=None, status=200):
        """The answer, which must be of that shape."""
        got, answer = self.ask(method, path, body)
        assert got == status, "%s: %s %s: %d %r" % (self.name, method, path, got, answer)
        value = json.loads(answer)
        looked_at = {k: v for k, v in value.items() if not k.startswith("test_")} if isinstance(value, dict) else value
        found = list(differences(ANSWERS[shape], looked_at))
        assert not found, "%s: %s %s is not %s:\n  %s" % (self.name, method, path, shape, "\n  ".join(found))
        return value

    def refuses(self, path):
        for query, words in REFUSALS:
            said = self.held_to("error", "GET", path + "?" + query, status=400)
            assert said["error"] == words, "%s: GET %s?%s: %r, not %r" % (self.name, path, query, said["error"], words)


def named():
    """(key, value, sentence) of what is no name of a process, a sample or a control group."""
    for query, words in REFUSALS:
        key, _, value = query.partition("=")
        if key not in ("from", "format", "seconds", "last", "step"):
            yield key, value, words
    yield "cgroup", "", '"" is not the path of a control group'
    yield "unit", "", '"" is not the name of a systemd unit'


def bodies(key, value):
    """Requests for a recording that name it in all ways that there are."""
    if key == "pid":
        numbers = [value] + ([int(value)] if value.isdigit() else [])
        yield from ({name: n} for name in ("pid", "tree") for n in numbers)
        yield from ({"pid": [n, 1]} for n in numbers)
    elif key in ("cgroup", "unit"):
        yield {key: value}
    if key not in ("group_by", "cgroup", "unit"):
        yield {"all": True, "selectors": ["%s=%s" % (key, value)]}


def commands(key, value):
    """... and commands of plopctl."""
    if key in ("cgroup", "unit"):
        yield from ((name, "-" + key[0], value) for name in ("record", "top"))
    elif key == "group_by":
        yield from (("record", "-a", "--group-by", value), ("export", "--group-by", value))
    else:
        yield from ((name, "%s=%s" % (key, value)) for name in ("record", "top", "ps", "export", "diff", "deploys", "lines", "series", "labels"))
    if key == "pid":
        yield from ((name, "-p", value) for name in ("record", "top", "dump"))
        yield from ((name, value) for name in ("record", "top", "dump") if value.isdigit())


def test_commands_refuse():
    """What is named wrongly is refused on a command line, before anybody is asked, in the same words as in a request."""
    n = 0
    for key, value, words in named():
        for arguments in commands(key, value):
            done = subprocess.run([host.program("plopctl"), "--socket", "/nonexistent/plopd.sock", *arguments],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
            said = done.stderr.splitlines()[:1]
            assert done.returncode == 2 and said == ["plopctl: %s: %s" % (arguments[0], words)], (arguments, done, words)
            n += 1
    assert n > 50


class Windows:
    """What is answered from windows, with plopd as without."""

    def test_windows(self, one):
        listed = one.held_to("windows", "GET", "/v1/windows")["windows"]
        assert any(w["processes"] for w in listed), listed
        graph = one.held_to("profile", "GET", "/v1/profile?format=json")
        assert graph["nodes"] and graph["processes"], graph
        one.refuses("/v1/windows")
        one.refuses("/v1/profile")


class Sums(Windows):
    """Of what plopctl's stand-in has none."""

    def test_steps(self, one):
        """Windows by steps have what windows have."""
        listed = [w for w in one.held_to("windows", "GET", "/v1/windows?from=0")["windows"] if not w["running"]][:-1]
        steps = one.held_to("steps", "GET", "/v1/windows?from=0&to=%.3f&step=5" % (listed[-1]["end"] - 0.001))
        assert steps["step_s"] == 5 and 1 <= len(steps["windows"]) < len(listed) + 1, steps
        for key in ("samples", "ticks", "python", "other", "truncated"):
            assert sum(w[key] for w in steps["windows"]) == sum(w[key] for w in listed), (key, steps, listed)
        assert abs(sum(w["covered_s"] for w in steps["windows"]) - sum(w["end"] - w["start"] for w in listed)) < 1e-3
        samples = sum(p["samples"] for w in listed for p in w["processes"])
        for key in ("services", "processes"):
            assert all(len(row["samples"]) == len(steps["windows"]) for row in steps[key]) and steps["other_" + key] is None
            assert sum(sum(row["samples"]) for row in steps[key]) == samples, (key, steps, listed)
        said = one.held_to("error", "GET", "/v1/windows?from=0&step=x", status=400)
        assert said["hint"] is None and "step=x is not a number" in said["error"]

    def test_series(self, one):
        """Over time, of all and of a function; and the values of a label."""
        points = one.held_to("series", "GET", "/v1/series?from=0")["points"]
        assert points and any(p["samples"] and p["cpus"] for p in points), points
        points = one.held_to("series_function", "GET", "/v1/series?from=0&function=%3Cmodule%3E")["points"]
        assert any(p["total"] > 0 for p in points), points
        values = one.held_to("values", "GET", "/v1/labels/comm?from=0")["values"]
        assert values and all(v["samples"] for v in values), values
        lines = one.held_to("lines", "GET", "/v1/lines?from=0&function=%3Cmodule%3E")
        assert lines["asked"] and lines["lines"] and lines["processes"], lines
        assert not one.held_to("lines", "GET", "/v1/lines?from=1&to=2&file=/no/such.py")["nodes"]
        assert "of a function, or of a file" in one.held_to("error", "GET", "/v1/lines?from=0", status=400)["error"]
        assert not one.held_to("series", "GET", "/v1/series?from=1&to=2")["points"]
        assert not one.held_to("values", "GET", "/v1/labels/comm?from=1&to=2")["values"]
        for parameter in ("", "&address=plop.example"):
            scraped = one.held_to("sd", "GET", "/v1/sd?from=0" + parameter)
            assert scraped and {"service", "host"} <= set(scraped[0]["labels"]), scraped
            assert not parameter or scraped[0]["targets"] == ["plop.example"], scraped
        assert "is not an address" in one.held_to("error", "GET", "/v1/sd?address=a/b", status=400)["error"]
        assert "no selector" in one.held_to("error", "GET", "/v1/profile?address=x", status=400)["error"]
        assert "no selector" in one.held_to("error", "GET", "/v1/labels/comm?last=30", status=400)["error"]
        assert "not a label of processes" in one.held_to("error", "GET", "/v1/labels/state", status=404)["error"]
        assert "no selector" in one.held_to("error", "GET", "/v1/profile?function=x", status=400)["error"]
        assert "no selector" in one.held_to("error", "GET", "/v1/profile?file=x", status=400)["error"]
        one.refuses("/v1/series")
        one.refuses("/v1/lines")
        one.refuses("/v1/labels/comm")
        one.refuses("/v1/sd")


class Answers(Windows):
    """What plopd answers, whoever stands for it or before it."""

    def test_status(self, one):
        one.held_to("status", "GET", "/v1/status")

    def test_processes(self, one):
        assert one.held_to("processes", "GET", "/v1/processes")

    def test_recording(self, one, body):
        recording = one.held_to("recording", "POST", "/v1/recordings", body, status=201)
        path = "/v1/recordings/" + recording["id"]
        assert recording["state"] == "running" and recording["states"] is None, recording
        done = until("the recording ends", lambda: [r for r in [one.held_to("recording", "GET", path)] if r["state"] == "done"])[0]
        assert done["states"] is not None and done["reason"] == "elapsed", done
        one.held_to("profile", "GET", path + "?format=json")
        one.refuses(path)
        one.held_to("recording", "DELETE", path)


class Keeps:
    """Of what plopctl's stand-in keeps none."""

    def test_kept(self, one, body):
        made = one.held_to("recording", "POST", "/v1/recordings", dict(body, name="golden", labels={"by": one.name}), status=201)
        path = "/v1/recordings/" + made["id"]
        until("it is kept", lambda: one.held_to("recording", "GET", path)["kept"])
        listed = one.held_to("recordings", "GET", "/v1/recordings?name=golden")["recordings"]
        assert [r["labels"]["by"] for r in listed if r["id"] == made["id"]] == [one.name], listed
        assert one.held_to("profile", "GET", path + "?format=json")["samples"]
        one.refuses(path)
        again = one.held_to("recording", "POST", "/v1/recordings", dict(body, name="golden and gone"), status=201)
        path = "/v1/recordings/" + again["id"]
        until("it is kept", lambda: one.held_to("recording", "GET", path)["kept"])
        one.held_to("removed", "DELETE", path)
        one.held_to("error", "DELETE", path, status=404)
        assert not one.held_to("recordings", "GET", "/v1/recordings?name=golden%20and%20gone")["recordings"]


class Refuses:
    def test_names(self, one):
        """What is named wrongly in a request is refused in the same words as in the parameters of its path."""
        n = 0
        for key, value, words in named():
            for body in bodies(key, value):
                said = one.held_to("error", "POST", "/v1/recordings", body, status=400)["error"]
                assert said == words, "%s: %s: %r, not %r" % (one.name, body, said, words)
                n += 1
        assert n > 20


class Streams:
    def test_stream(self, one):
        """The first event of the stream is a profile."""
        connection = server.connection_to(one.where)
        try:
            connection.request("GET", "/v1/stream", headers=one.headers)
            answer = connection.getresponse()
            assert answer.status == 200, (one.name, answer.status, answer.read())
            event, data = (answer.readline().decode().rstrip("\n").partition(": ")[::2] for _ in range(2))
            assert event == ("event", "window") and data[0] == "data", (one.name, event, data)
            found = list(differences(ANSWERS["profile"], json.loads(data[1])))
            assert not found, "%s: GET /v1/stream: %s" % (one.name, found)
        finally:
            connection.close()
        one.refuses("/v1/stream")


class TestStandIn(Answers):
    @pytest.fixture(scope="class")
    def one(self):
        with tempfile.TemporaryDirectory(prefix="plop-golden-") as folder:
            path = os.path.join(folder, "plopd.sock")
            process = server.Server(path)
            try:
                yield Server("ctl_server", path)
            finally:
                process.end()

    @pytest.fixture
    def body(self):
        return {"pid": [4711], "duration_s": 1}

    def test_token(self, one):
        one.held_to("token", "POST", "/v1/tokens")


@pytest.fixture(scope="module")
def work(root):
    with host.Workload(host.pythons()[-1][1], code="print('READY', flush=True)\nwhile True: sum(range(1000))") as running:
        yield running


@pytest.fixture
def body(work):
    return {"pid": [work.pid], "duration_s": 1}


@pytest.fixture(scope="module")
def real(plopd, work):
    """plopd, with a saved window."""
    plopd.profiled(work.pid)
    one = Server("plopd", plopd.socket)
    until("a window is saved", lambda: one.held_to("status", "GET", "/v1/status")["store"]["windows"] and plopd.least([work]) > 10, 60)
    return one


class TestPlopd(Answers, Sums, Keeps, Refuses, Streams):
    @pytest.fixture
    def one(self, real):
        return real

    def test_token(self, one):
        one.held_to("token", "POST", "/v1/tokens")

    def test_pprof(self, one):
        one.refuses("/debug/pprof/profile")

    def test_dump(self, one):
        for key, value, words in named():
            if key == "pid":
                assert one.held_to("error", "GET", "/v1/dump?pid=" + value, status=400)["error"] == words


@pytest.fixture(scope="module")
def gateway(plopd, real):
    with host.Gateway(plopd) as running:
        yield Server("plop-gateway", running.port, running.headers)


class TestGateway(Answers, Sums, Keeps, Refuses, Streams):
    @pytest.fixture
    def one(self, gateway):
        return gateway


class TestGatewayWithoutPlopd(Sums):
    """The last: plopd has ended."""

    @pytest.fixture(scope="class")
    def one(self, gateway, plopd):
        assert plopd.stop() == 0, plopd.said()
        gateway.name = "plop-gateway without plopd"
        return gateway

    def test_status(self, one):
        one.held_to("status_offline", "GET", "/v1/status")

    def test_processes(self, one):
        one.held_to("error", "GET", "/v1/processes", status=503)

    def test_kept(self, one):
        """What was kept before plopd ended."""
        listed = one.held_to("recordings", "GET", "/v1/recordings?label.by=plop-gateway")["recordings"]
        assert [r["name"] for r in listed] == ["golden"], listed
        path = "/v1/recordings/" + listed[0]["id"]
        assert one.held_to("recording", "GET", path) == listed[0]
        assert one.held_to("profile", "GET", path + "?format=json")["samples"] == listed[0]["samples"]
        one.held_to("error", "GET", "/v1/recordings/n000000000000", status=404)
        one.held_to("error", "DELETE", path, status=503)
