# SPDX-License-Identifier: BSD-2-Clause
"""What each kind of token is for, by every route: for access_routes.py."""
import json

import client
from marked import ONE, TWO

# What each route takes of a scope, where it is not to look at what the scope shows.
NEEDS = {
    ("POST", "/v1/marks"): "all", ("POST", "/v1/tokens"): "all", ("GET", "/v1/tokens"): "all", ("DELETE", "/v1/tokens/*"): "all",
    ("POST", "/v1/tokens/check"): "all", ("POST", "/v1/tokens/revoke"): "all", ("POST", "/v1/gateway"): "all",
    ("POST", "/v1/recordings"): "record", ("DELETE", "/v1/recordings/*"): "record", ("GET", "/debug/pprof/profile"): "record",
    ("GET", "/metrics"): "read all",
}
SCOPES = {
    "may=read": {"read", "read all"}, "may=record": {"read", "read all", "record"}, "may=read&service=sv_x": {"read"},
    "may=record&service=sv_x": {"read", "record"}, "may=all&service=sv_x": {"read", "record"}, "may=all&who=somebody": {"read", "read all", "record", "all"},
}


def ask_scoped(m, scope, method, path, uid=0):
    path = path.replace("*", "zq") + ("?seconds=1" if path.startswith("/debug") and "?" not in path else "")
    return client.ask(m.daemon.socket, method, path, {} if method == "POST" else None, uid, headers={"Plop-Scope": scope})


def check_scope(m, t, scope):
    """Every route is asked with each scope: it refuses what the scope is not for, whatever else is asked."""
    for r in t["routes"]:
        route = r["method"], r["path"]
        if route == ("GET", "/v1/stream"):
            continue  # does not end; ask_stream has it
        status, raw = ask_scoped(m, scope, *route)
        refused = status == 403 and b"token" in raw
        assert refused == (NEEDS.get(route, "read") not in SCOPES[scope]), (scope, route, status, raw)
        # nor is anything begun
        assert not refused or not m.json(0, "GET", "/v1/status")["recordings"], (scope, route)
        if route[1].startswith("/debug"):
            assert ask_scoped(m, scope, "GET", route[1] + "?last=60")[0] == 200, scope
    # who is not trusted gains nothing by saying so
    for uid, tag in ((ONE, "zqone"), (TWO, "zqtwo")):
        status, raw = ask_scoped(m, scope, "GET", "/v1/processes", uid)
        assert status == 200 and [p["pid"] for p in json.loads(raw)] == [m.pid(tag)], (uid, scope, raw)


def check_malformed(m):
    for scope in ("", "may=everything", "service=x", "may=read&more=1", "may=read&service=", "may=read&service=%0a", "may=read&who=" + "x" * 129):
        status, raw = ask_scoped(m, scope, "GET", "/v1/processes")
        assert status == 400 and b"malformed" in raw, (scope, status, raw)
