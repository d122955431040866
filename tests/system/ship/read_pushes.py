# SPDX-License-Identifier: BSD-2-Clause
"""What write_pushes writes of the known profile, each request held to the rules that the store documents, and those of OTLP decoded by
the messages that OpenTelemetry publishes, and taken by the receiver of its collector, built by Go at a pinned version."""
import glob
import gzip
import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

import pytest

import host
import otel_receiver
from ports import free_port
import pypi
from store_rules import RULES

TOTAL = 100  # KNOWN_TOTAL
HOST = "web1"
PACKAGES = ["opentelemetry-proto==1.45.2", "protobuf==6.33.1"]
SERVICE = "unknown_service"
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


@pytest.mark.parametrize("store", [store for store in RULES if store != "otlp"])
def test_rules(written, store):
    """What the store documents; and all samples are there."""
    total = 0
    for path, kind, samples, body in written[store]:
        labels, found, _ = RULES[store](path, kind, body)
        assert labels["service"] == SERVICE and labels["host"] == HOST and labels.get("region", "north") == "north"
        assert found == samples
        total += found
    assert total == TOTAL


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
    assert sum(samples for _, _, samples, _ in written["otlp"]) == TOTAL
    for path, kind, samples, body in written["otlp"]:
        assert RULES["otlp"](path, kind, body)[1] == samples
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


@pytest.fixture(scope="module")
def collector():
    """The receiver at work: its port, and what it prints."""
    program, why = otel_receiver.built()
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
