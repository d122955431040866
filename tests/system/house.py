# SPDX-License-Identifier: BSD-2-Clause
"""What the system tests compute with, on values that are known."""
import functools
import gzip
import http.server
import os
import socket
import sys
import threading

import pytest

import protobuf
import pypi
from chi_square import against_known, against_other, bound, chi_square
from waiting import until

# Upper 0.1 % points by degrees of freedom (NIST/SEMATECH e-Handbook, 1.3.6.7.4).
UPPER = {1: 10.828, 2: 13.816, 3: 16.266, 4: 18.467, 5: 20.515, 6: 22.458, 7: 24.322, 8: 26.124, 9: 27.877, 10: 29.588,
         50: 86.661, 100: 149.449}


@pytest.mark.parametrize("freedom", UPPER)
def test_bound(freedom):
    assert abs(bound(freedom) - UPPER[freedom]) < 0.001


def test_chi_square():
    x, limit = chi_square([44, 56], [1, 1])
    assert abs(x - 1.44) < 1e-9 and abs(limit - UPPER[1]) < 0.001
    x, limit = chi_square([10, 20, 70], [0.2, 0.4, 1.4])
    assert x < 1e-9 and abs(limit - UPPER[2]) < 0.001


def test_small_classes_are_put_together():
    # 2 and 3 of 100 are expected in a and b: with c they are one class
    known = {"a": 2.0, "b": 3.0, "c": 95.0}
    x, limit, classes = against_known({"a": 4, "b": 6, "c": 90}, known)
    assert classes == 2 and abs(x - (25 / 5.0 + 25 / 95.0)) < 1e-9 and abs(limit - UPPER[1]) < 0.001
    assert against_known({"a": 1}, {"a": 1.0}) == (0.0, 0.0, 1)


def test_two_sets_of_counts():
    x, _, classes = against_other({"a": 50, "b": 50}, {"a": 100, "b": 100})
    assert x < 1e-9 and classes == 2
    x, limit, _ = against_other({"a": 90, "b": 10}, {"a": 100, "b": 100})
    assert x > limit


def test_until():
    answers = iter([0, None, "", 7])
    assert until("a seven", lambda: next(answers), 5, 0) == 7
    with pytest.raises(AssertionError, match="not within 0 s: never"):
        until("never", lambda: False, 0, 0)
    with pytest.raises(AssertionError, match="not within 0 s: 3 of 4"):
        until(lambda: "%d of 4" % 3, lambda: False, 0, 0)


def field(number, value):
    """A field of a protobuf message: a number below 128, or bytes of at most 127."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value)]) + value


def test_varint():
    assert protobuf.varint(b"\x00\x96\x01\x07", 1) == (150, 3)
    assert protobuf.varint(b"\xff" * 9 + b"\x01", 0) == ((1 << 64) - 1, 10)
    with pytest.raises(IndexError):
        protobuf.varint(b"\x80", 0)


def test_message():
    data = field(1, 5) + field(2, b"ab") + field(1, b"\x07\x96\x01")
    fields = protobuf.message(data)
    assert fields == {1: [5, b"\x07\x96\x01"], 2: [b"ab"]} and protobuf.packed(fields[1]) == [5, 7, 150]
    with pytest.raises(AssertionError, match="wire type 5"):
        protobuf.message(b"\x0d\x00\x00\x00\x00")
    with pytest.raises(AssertionError, match="a field of 2 bytes, 1 are left"):
        protobuf.message(data[:2] + b"\x12\x02a")


def test_profile():
    strings = b"".join(field(6, s) for s in (b"", b"main", b"a.py", b"leaf", b"key", b"value", b"said"))
    functions = b"".join(field(5, field(1, n) + field(2, name) + field(4, 2)) for n, name in ((1, 1), (2, 3)))
    locations = b"".join(field(4, field(1, n + 10) + field(4, field(1, n) + field(2, 7 * n))) for n in (1, 2))
    sample = field(2, field(1, bytes([12, 11])) + field(2, bytes([3, 30])) + field(3, field(1, 4) + field(2, 5)))
    profile = protobuf.Profile(gzip.compress(sample + locations + functions + strings + field(13, 6)))
    assert profile.samples == [([("main", "a.py", 7), ("leaf", "a.py", 14)], [3, 30], {"key": "value"})]
    assert profile.comments == ["said"]


@pytest.fixture
def registry(folder, monkeypatch):
    """The address of a registry that has one version of one package; nothing of it is kept."""
    os.makedirs(os.path.join(folder, "simple", "here"))
    with open(os.path.join(folder, "simple", "here", "index.html"), "w", encoding="ascii") as f:
        f.write('<a href="here-1.0-py3-none-any.whl">here-1.0-py3-none-any.whl</a>')
    for name in [name for name in os.environ if name.startswith("PIP_")] + ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setattr(pypi, "CACHE", os.path.join(folder, "cache"))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield "http://127.0.0.1:%d/simple" % server.server_port
        server.shutdown()


@pytest.mark.parametrize("pin", ("here==2.0", "elsewhere==1.0"))
def test_a_pin_that_does_not_resolve_is_a_failure(registry, monkeypatch, pin):
    monkeypatch.setenv("PIP_INDEX_URL", registry)
    with pytest.raises(AssertionError, match="No matching distribution found for " + pin):
        pypi.installed(sys.executable, [pin])


def test_a_registry_that_is_not_there_is_none(registry, monkeypatch):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:%d/simple" % s.getsockname()[1])
        folder, why = pypi.installed(sys.executable, ["here==1.0"])
    assert folder is None and "cannot be reached" in why
    assert not pypi.unreachable("WARNING: Retrying (...) after connection broken by x\nERROR: ... x==2 (from versions: 1.0)")
