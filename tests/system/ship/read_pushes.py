# SPDX-License-Identifier: BSD-2-Clause
"""What write_pushes writes of the known profile, each request held to the rules that the store documents, and those of OTLP decoded by
the messages that OpenTelemetry publishes, and taken by the receiver of its collector, built by Go at a pinned version."""
import base64
import glob
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

import pytest

import host
from ports import free_port
import pprof
import pypi
from protobuf import Profile, message, packed

TOTAL = 100  # KNOWN_TOTAL
HOST = "web1"
PACKAGES = ["opentelemetry-proto==1.45.2", "protobuf==6.33.1"]
SERVICE = "unknown_service"
SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "collector")
GO = (1, 26)  # as go.mod has it
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture(scope="module")
def written():
    """{store: [(path, content type, samples, body)]}"""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([os.environ["PLOP_WRITE_PUSHES"], folder], check=True)
        found = {}
        for head in sorted(glob.glob(os.path.join(folder, "*.head"))):
            with open(head, encoding="utf-8") as f:
                path, kind, samples = f.read().splitlines()
            with open(head[:-len("head")] + "body", "rb") as f:
                found.setdefault(os.path.basename(head).split("-")[0], []).append((path, kind, int(samples), f.read()))
        yield found


def check_profile(data):
    """What stores ask of a pprof profile: Parca's ids from 1 to n in their order, Pyroscope's bounds. Its samples."""
    raw = gzip.decompress(data)
    profile = message(raw)
    assert len(raw) <= 4 << 20 and len(profile.get(2, [])) <= 16000
    for table in (3, 4, 5):
        assert [message(entry)[1][0] for entry in profile[table]] == list(range(1, len(profile[table]) + 1)), table
    types = len(profile[1])
    locations, functions, mappings = (len(profile[table]) for table in (4, 5, 3))
    for sample in map(message, profile[2]):
        assert len(packed(sample[2])) == types and all(1 <= i <= locations for i in packed(sample[1]))
    for location in map(message, profile[4]):
        assert 1 <= location[2][0] <= mappings and 1 <= message(location[4][0])[1][0] <= functions
    # what go tool pprof, and those that use its code, would change in <module>
    assert all(3 not in message(function) for function in profile[5])
    return sum(values[0] for _, values, _ in Profile(data).samples)


def check_all(requests):
    assert requests and sum(samples for _, _, samples, _ in requests) == TOTAL


def test_pyroscope(written):
    check_all(written["pyroscope"])
    for path, kind, samples, body in written["pyroscope"]:
        place, _, query = path.partition("?")
        parameters = dict(urllib.parse.parse_qsl(query, strict_parsing=True))
        assert place == "/ingest" and kind == "application/octet-stream" and parameters["format"] == "pprof"
        name, labels = re.fullmatch(r"([^{}=,]+)\{([^{}]*)\}", parameters["name"]).groups()
        assert name == SERVICE and dict(label.split("=", 1) for label in labels.split(",")) == {"host": HOST, "region": "north"}
        assert int(parameters["from"]) < int(parameters["until"])
        assert check_profile(body) == samples


def test_parca(written):
    check_all(written["parca"])
    for path, kind, samples, body in written["parca"]:
        assert (path, kind) == ("/api/profiles/writeraw", "application/json")
        found = json.loads(body)
        assert set(found) == {"series"} and len(found["series"]) == 1
        (series,) = found["series"]
        labels = [(label["name"], label["value"]) for label in series["labels"]["labels"]]
        names = [name for name, _ in labels]
        assert "__name__" in names and names == sorted(set(names)) and all(re.fullmatch("[a-zA-Z_][a-zA-Z0-9_]*", name) for name in names)
        assert dict(labels)["service"] == SERVICE and all(value for _, value in labels)
        (sample,) = series["samples"]
        assert check_profile(base64.b64decode(sample["rawProfile"], validate=True)) == samples


def test_coroot(written):
    check_all(written["coroot"])
    for path, _, samples, body in written["coroot"]:
        place, _, query = path.partition("?")
        parameters = dict(urllib.parse.parse_qsl(query, strict_parsing=True))
        assert place == "/v1/profiles" and parameters["service.name"] == SERVICE and parameters["host.name"] == HOST
        assert check_profile(body) == samples


READ = """
import gzip, json, sys
from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import ExportProfilesServiceRequest
q = ExportProfilesServiceRequest.FromString(gzip.decompress(sys.stdin.buffer.read()))
d = q.dictionary
(r,) = q.resource_profiles
(s,) = r.scope_profiles
(p,) = s.profiles
def unknown(m):
    from google.protobuf.unknown_fields import UnknownFieldSet
    assert not len(UnknownFieldSet(m)), m
    for f, v in m.ListFields():
        for one in ([v] if not f.is_repeated else v) if f.message_type else []:
            unknown(one)
unknown(q)
for table in ("mapping", "location", "function", "link", "attribute", "stack"):
    first = getattr(d, table + "_table")[0]
    assert first == type(first)(), table
assert d.string_table[0] == "" and len(p.profile_id) == 16
text = d.string_table
assert (text[p.sample_type.type_strindex], text[p.sample_type.unit_strindex]) == ("samples", "count")
assert (text[p.period_type.type_strindex], text[p.period_type.unit_strindex], p.period) == ("cpu", "nanoseconds", 10000000)
def frame(i):
    location = d.location_table[i]
    (line,) = location.lines
    function = d.function_table[line.function_index]
    kinds = [d.attribute_table[a].value.string_value for a in location.attribute_indices]
    return text[function.name_strindex], text[function.filename_strindex], line.line, kinds
json.dump({"resource": {a.key: a.value.string_value for a in r.resource.attributes}, "start": p.time_unix_nano, "duration": p.duration_nano,
           "samples": [([frame(i) for i in reversed(d.stack_table[x.stack_index].location_indices)], list(x.values),
                        {text[d.attribute_table[a].key_strindex]: d.attribute_table[a].value.int_value or d.attribute_table[a].value.string_value
                         for a in x.attribute_indices}) for x in p.samples]}, sys.stdout)
"""


def test_otlp(written):
    """By OpenTelemetry's own messages: no field is another one's, and what is read is what was profiled."""
    folder, why = pypi.installed(sys.executable, PACKAGES)
    if not folder:
        pytest.skip(why)
    check_all(written["otlp"])
    for path, kind, samples, body in written["otlp"]:
        assert (path, kind) == ("/v1development/profiles", "application/x-protobuf")
        done = subprocess.run([sys.executable, "-c", READ], input=body, stdout=subprocess.PIPE, env=dict(os.environ, PYTHONPATH=folder),
                              check=True)
        read = json.loads(done.stdout)
        assert read["resource"] == {"service.name": SERVICE, "host.name": HOST, "cloud.region": "north"}
        assert (read["start"], read["duration"]) == (1700000000250000000, 30 * 10**9)
        counts = [values for _, values, _ in read["samples"]]
        assert all(len(values) == 1 for values in counts) and sum(values[0] for values in counts) == samples
        work = [values for frames, values, attributes in read["samples"] if attributes == {"process.pid": 100, "process.executable.name": "app"}
                and frames == [["<module>", "/srv/app.py", 90, ["cpython"]], ["Job.work", "/srv/app.py", 12, ["cpython"]]]]
        assert work == [[40]], "what two threads did is added up"


def newest_go():
    """(version, what it says of itself, the command) of the newest Go here; None: there is none."""
    found = []
    for go in filter(os.path.exists, [*pprof.gos(), "/usr/local/go/bin/go"]):
        said = subprocess.run([go, "version"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        found.append((tuple(map(int, re.search(r"go(\d+)\.(\d+)", said).groups())), said, go))
    return max(found, default=None)


def built():
    """(path of the collector's receiver, None), or (None, why there is none). It stays in tests/.cache, and nothing else of Go's."""
    version, said, go = newest_go() or ((0, 0), "none", None)
    if version < GO:
        return None, "the collector's receiver takes Go %d.%d to build, and here is %s" % (*GO, said)
    with open(os.path.join(SOURCES, "go.mod"), "rb") as one, open(os.path.join(SOURCES, "main.go"), "rb") as other:
        name = hashlib.sha256(one.read() + other.read() + said.encode()).hexdigest()[:16]
    place = os.path.join(host.TESTS, ".cache", "collector")
    program = os.path.join(place, name)
    if os.access(program, os.X_OK):
        return program, None
    os.makedirs(place, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place, ignore_cleanup_errors=True) as part:
        for name in ("go.mod", "main.go"):
            shutil.copy(os.path.join(SOURCES, name), part)
        environment = dict(os.environ, GOFLAGS="-mod=mod -modcacherw", GOTOOLCHAIN="local", GOPATH=os.path.join(part, "path"),
                           GOCACHE=os.path.join(part, "cache"), CGO_ENABLED="0")
        done = subprocess.run([go, "build", "-o", "receiver", "."], cwd=part, env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=480, check=False)
        if done.returncode and re.search("dial tcp|no such host|connection refused|i/o timeout|Bad Gateway|Service Unavailable", done.stdout):
            return None, "Go's modules cannot be reached: " + done.stdout.splitlines()[-1][:200]
        assert done.returncode == 0, done.stdout[-2000:]
        os.rename(os.path.join(part, "receiver"), program)
    return program, None


@pytest.fixture(scope="module")
def collector():
    """The receiver at work: its port, and what it prints."""
    program, why = built()
    if not program:
        pytest.skip(why)
    port = free_port()
    with host.Workload([program], None, "127.0.0.1:%d" % port) as running:
        yield port, running


def post(port, path, kind, body):
    question = urllib.request.Request("http://127.0.0.1:%d%s" % (port, path), body, {"Content-Type": kind, "Content-Encoding": "gzip"})
    with OPENER.open(question, timeout=60) as answer:
        return answer.status


def test_collector(written, collector):
    """The receiver of the OpenTelemetry collector takes it, and counts as many samples; what is no such message it refuses."""
    port, running = collector
    for path, kind, samples, body in written["otlp"]:
        assert post(port, path, kind, body) == 200
        assert int(running.line("samples")[0]) == samples
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(port, path, kind, gzip.compress(b"\xff" * 64))
    assert refused.value.code == 400
