# SPDX-License-Identifier: BSD-2-Clause
"""Recordings of the processes of marked.py, by whom they are, and what is in them: for access_routes.py."""
import marked
from marked import ONE, TWO
from waiting import until


class Recording:
    def __init__(self, m, uid, body, kinds, tags):
        self.m, self.uid, self.body, self.kinds, self.tags = m, uid, body, kinds, tags
        state = m.json(uid, "POST", "/v1/recordings", dict(body, duration_s=60))
        self.path = "/v1/recordings/" + state["id"]

    def state(self):
        return self.m.json(self.uid, "GET", self.path)

    def end(self):
        self.m.json(self.uid, "DELETE", self.path)

    def stop(self):
        self.end()
        return self.ended()

    def ended(self):
        return until("%s ends" % self.body, lambda: self.state()["state"] == "done" and self.state())

    def look(self, t):
        """Every form of its result, once it has ended; then it goes."""
        state = self.ended()
        names = ("fn_", "file_") + (("tk_",) if self.body.get("async") else ())
        for form in t["formats"]:
            # what is too small to be drawn is left out
            whole = form not in ("tree", "svg", "html")
            get_checked(self, "format=" + form, whole * (names + self.kinds))
            get_checked(self, "format=%s&group_by=service,version,comm,pid" % form, whole * ("sv_", "vr_", "cm_", "fn_"))
            get_checked(self, "format=%s&group_by=thread_name,thread,state,gil" % form, whole * ("th_", "fn_"))
        get_checked(self, "format=collapsed&pid=%d" % self.m.pid("zqroot"), ())
        # whose time it is, should it be too much
        self.threads = self.m.http(self.uid, "GET", self.path + "?format=collapsed&group_by=pid,thread,state")[1]
        for method in ("GET", "DELETE"):
            for parameters in ("", "?format=collapsed"):
                for other in {ONE, TWO} - {self.uid}:
                    status, _ = self.m.http(other, method, self.path + parameters)
                    assert status == 404, (other, self.uid, method, status)
        self.m.http(self.uid, "DELETE", self.path)
        return state


def get_checked(r, parameters, kinds):
    status, raw = r.m.http(r.uid, "GET", r.path + "?" + parameters)
    assert status == 200, (r.uid, r.body, parameters, status, raw)
    r.m.check(r.uid, raw, "recording %s, %s" % (r.body, parameters), kinds, r.tags)


def enough(recordings):
    """Root's have 30 samples for each process, the others' as many."""
    return all(r.state()["samples"] >= 30 * max(1, len([tag for tag in r.tags if marked.may_see(r.uid, tag)])) for r in recordings)
