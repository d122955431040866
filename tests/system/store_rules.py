# SPDX-License-Identifier: BSD-2-Clause
"""
What the profile stores of others ask of a request: Grafana Pyroscope's /ingest, Parca's writeraw, Coroot's profiles and OTLP over HTTP.
Each function takes (path, content type, body), is an AssertionError where a rule is broken, and returns (labels, samples, rows).
"""
import base64
import gzip
import json
import re
import urllib.parse

from protobuf import Profile, message, packed

SAMPLES, BYTES, LABEL = 16000, 4 << 20, 2048  # Pyroscope's bounds: pkg/validation/limits.go


def profile(data, types):
    """Ids from 1 to n in their order, as Parca wants them, and Pyroscope's bounds. Its samples, and how many rows they are."""
    raw = gzip.decompress(data)
    found = message(raw)
    rows = found.get(2, [])
    assert len(raw) <= BYTES and len(rows) <= SAMPLES, (len(raw), len(rows))
    for table in (3, 4, 5):
        assert [message(entry)[1][0] for entry in found[table]] == list(range(1, len(found[table]) + 1)), table
    strings = [text.decode() for text in found[6]]
    named = [tuple(strings[message(kind)[i][0]] for i in (1, 2)) for kind in found[1]]
    assert named == types, named
    locations, functions, mappings = (len(found[table]) for table in (4, 5, 3))
    for sample in map(message, rows):
        # each label of a sample would be a series of its own in Pyroscope
        assert 3 not in sample and len(packed(sample[2])) == len(types) and all(1 <= i <= locations for i in packed(sample[1]))
    for location in map(message, found[4]):
        assert 1 <= location[2][0] <= mappings and 1 <= message(location[4][0])[1][0] <= functions
    # what go tool pprof, and those that use its code, would change in <module>
    assert all(3 not in message(function) for function in found[5])
    samples = sum(values[0] for _, values, _ in Profile(data).samples)
    if types[0][1] == "nanoseconds":
        samples, rest = divmod(samples, found[12][0])
        assert not rest, "nanoseconds that are no whole periods"
    return samples, len(rows)


PPROF = [("samples", "count"), ("cpu", "nanoseconds")]


def parameters(query):
    pairs = urllib.parse.parse_qsl(query, strict_parsing=True)
    assert len(dict(pairs)) == len(pairs), query
    return dict(pairs)


def pyroscope(path, kind, body):
    place, _, query = path.partition("?")
    asked = parameters(query)
    assert place == "/ingest" and kind == "application/octet-stream" and asked["format"] == "pprof", (place, kind)
    name, _, labels = re.fullmatch(r"([-A-Za-z0-9_./]+)(\{([^{}]*)\})?", asked["name"], re.DOTALL).groups()
    found = dict(label.split("=", 1) for label in labels.split(",")) if labels else {}
    assert len(name.encode()) <= LABEL and all(len(value.encode()) <= LABEL for value in found.values())
    assert int(asked["from"]) < int(asked["until"])
    return (dict(found, service=found.get("service_name", name)), *profile(body, PPROF))


def parca(path, kind, body):
    assert (path, kind) == ("/api/profiles/writeraw", "application/json")
    found = json.loads(body)
    assert set(found) == {"series"} and len(found["series"]) == 1
    (series,) = found["series"]
    labels = [(label["name"], label["value"]) for label in series["labels"]["labels"]]
    names = [name for name, _ in labels]
    assert "__name__" in names and names == sorted(set(names)) and all(re.fullmatch("[a-zA-Z_][a-zA-Z0-9_]*", name) for name in names)
    assert all(value for _, value in labels)
    (sample,) = series["samples"]
    return (dict(labels), *profile(base64.b64decode(sample["rawProfile"], validate=True), PPROF))


def coroot(path, kind, body):
    place, _, query = path.partition("?")
    asked = parameters(query)
    assert place == "/v1/profiles" and asked["service.name"], path
    labels = {"service": asked["service.name"], "host": asked["host.name"]}
    return (labels, *profile(body, [("ebpf:cpu:nanoseconds", "nanoseconds")]))


def otlp(path, kind, body):
    assert (path, kind) == ("/v1development/profiles", "application/x-protobuf")
    raw = gzip.decompress(body)
    assert len(raw) <= BYTES
    found = message(raw)
    (resource,) = found[1]
    (scope,) = message(resource)[2]
    (one,) = message(scope)[2]
    rows = [message(sample) for sample in message(one).get(2, [])]
    assert rows and len(rows) <= SAMPLES and len(message(one)[7][0]) == 16
    pairs = [message(pair) for pair in message(message(resource)[1][0])[1]]
    labels = {pair[1][0].decode(): message(pair[2][0])[1][0].decode() for pair in pairs}
    stacks = len(message(found[2][0])[7])
    assert all(1 <= row[1][0] < stacks and len(packed(row[4])) == 1 for row in rows)
    return dict(labels, service=labels["service.name"]), sum(packed(row[4])[0] for row in rows), len(rows)


RULES = {"pyroscope": pyroscope, "parca": parca, "coroot": coroot, "otlp": otlp}
