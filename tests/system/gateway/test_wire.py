# SPDX-License-Identifier: BSD-2-Clause
"""How answers go over the wire: what is compressed, and what is not sent again."""
import gzip
import re

from server import request
from test_gateway import GOOD, Case


def without_numbers(page):
    """The page, of which only the times are others from one second to the next."""
    return re.sub(rb"[0-9.]+", b"0", page)


class Wire(Case):
    def test_answers_are_compressed_for_who_takes_it(self):
        # Of the gateway, and of the server that it asks: the same code answers for plopd.
        for at, extra in ((self.port, GOOD), (self.path, {})):
            path = "/v1/profile?format=html"
            status, headers, plain = request(at, "GET", path, None, extra)
            assert (status, headers["Content-Encoding"], headers["Vary"]) == (200, None, "Accept-Encoding")
            assert len(plain) > 1024
            for accepts, coding in (("gzip, deflate, br, zstd", "gzip"), ("br", None), ("gzip;q=0", None), ("*", "gzip")):
                status, coded, data = request(at, "GET", path, None, {"Accept-Encoding": accepts, **extra})
                assert (status, coded["Content-Encoding"], coded["Vary"]) == (200, coding, "Accept-Encoding")
                same = without_numbers(gzip.decompress(data) if coding else data) == without_numbers(plain)
                assert same, accepts
            # What is packed already stays as it is, and so does what is short.
            for path in ("/v1/profile?format=pprof", "/v1/profile?format=collapsed"):
                assert request(at, "GET", path, None, {"Accept-Encoding": "gzip", **extra})[1]["Content-Encoding"] is None

    def test_what_is_the_same_is_not_sent_again(self):
        path = "/v1/profile?format=collapsed"
        _, headers, body = self.get(path, GOOD)
        assert headers["ETag"].startswith('W/"')
        for known in (headers["ETag"], 'W/"0", %s' % headers["ETag"]):
            status, again, data = self.get(path, {"If-None-Match": known, **GOOD})
            assert (status, again["ETag"], data) == (304, headers["ETag"], b"")
        assert self.get(path, {"If-None-Match": 'W/"0"', **GOOD})[::2] == (200, body)
        # Errors have none.
        assert self.get("/v1/profile?colour=red", GOOD)[1]["ETag"] is None

    def test_a_stream_is_compressed_event_by_event(self):
        status, headers, body = self.get("/v1/stream", {"Accept-Encoding": "gzip", **GOOD})
        assert (status, headers["Content-Type"], headers["Content-Encoding"]) == (200, "text/event-stream", "gzip")
        assert re.findall(rb'event: window\ndata: \{"n":(\d)\}\n\n', gzip.decompress(body)) == [b"5", b"4", b"3", b"2", b"1"]
