# SPDX-License-Identifier: BSD-2-Clause
"""What access_routes asks plopctl, for each command and each option that its help names."""
import os
import sys

import marked


# Of plopctl fleet join, which is root's: it asks for no processes before all of them are to be shipped.
# And of plopctl fleet record, which asks no plopd.
OF_FLEET = ("user", "password-file", "init-store", "replace", "duration", "hosts", "in", "wait", "format", "group-by", "output")


def record(*options):
    return [["record", "-d", "1s", "-f", "collapsed", "-o", "-", *(options or ["-a"])]]


def commands(m, t):
    """What plopctl is asked for each option of each command; and what root must see then."""
    own, shared = m.pid("zqone"), m.cgroup(marked.SHARED) or "/"
    unit = ["-u", marked.SHARED] if m.cgroup(marked.SHARED) else ["-a"]
    formats = t["formats"]
    counted = "metrics=" + os.path.join(m.folder, "open", "counted.prom")
    everybody = ["exe=/"]  # a name would come back in what is said
    return {
        "status": {"json": [["status"], ["status", "--json"]]},
        "ps": {"json": [["ps"], ["ps", "--json"], ["ps", *everybody], ["ps", "--json", *everybody]]},
        "record": {"all": record() + record(*everybody), "cgroup": record("-c", "/") + record("-c", shared), "pid": record("-p", own) + record(own),
                   "unit": record(*unit), "async": record("-a", "--async"), "duration": record("-a", "-d", "500ms"),
                   "frequency": record("-a", "-F", 299), "wall": record("-a", "-w") + record("-c", "/", "-w"),
                   "format": [["record", "-a", "-d", "1s", "-o", "-", "-f", f] for f in formats],
                   "group-by": record("-a", "-g", "service,version,comm") + record("-a", "-w", "-g", "pid,thread_name"),
                   "label": record("-a", "-l", "note=x"), "name": record("-a", "--name", "kept"), "message": record("-a", "-m", "a reason"), "output": [["record", "-a", "-d", "1s", "-f", "collapsed", "-o", None],
                              ["record", "-f", "collapsed", "-o", None, "--", sys.executable, "-c", "sum(range(10000000))"]]},
        # each has one: what was recorded by name before
        "recordings": {"json": [["recordings"], ["recordings", "--json"], ["recordings", "show", "kept"]],
                       "format": [["recordings", "export", "kept", "-f", f] for f in formats],
                       "group-by": [["recordings", "export", "kept", "-g", "service,version,comm"]],
                       "output": [["recordings", "export", "kept", "-f", "collapsed", "-o", None]]},
        "export": {"format": [["export", "-f", f] for f in formats],
                   "group-by": [["export", "-g", "service,version,comm,pid"], ["export", "-g", "cgroup,unit,exe"]],
                   "output": [["export", "-f", "collapsed", "-o", None]],
                   "since": [["export", "--since", "1h"], ["export", "comm=cm_zqroot"], ["export", "pid=%d" % m.pid("zqsetuid")]],
                   "until": [["export", "--until", "now"]]},
        "deploys": {"since": [["deploys", "--since", "1h"], ["deploys"]], "json": [["deploys", "--json"]]},
        "backup": {"force": [["backup", None], ["backup", "--force", None]], "state-dir": [["backup", "--state-dir", m.daemon.state, None]]},
        "regressions": {"since": [["regressions", "--since", "1h"], ["regressions"]], "json": [["regressions", "--json"]]},
        "mark": {"unit": [["mark", "-u", "not-there", "version=vr_none"]], "cgroup": [["mark", "-c", "/not-there", "version=vr_none"]],
                 "list": [["mark", "--list"]], "json": [["mark", "--list", "--json"], ["mark", "-c", "/not-there", "version=vr_none", "--json"]],
                 "remove": [["mark", "-c", "/not-there", "version=vr_none"], ["mark", "--remove", "-c", "/not-there"]]},
        "fsck": {"state-dir": [["fsck"], ["fsck", "--state-dir", m.daemon.state]]},
        "diff": {"base": [["diff", "--base", "since=1h"]], "new": [["diff", "--base", "since=1h", "--new", "since=10m"]],
                 "since": [["diff", "--since", "1h", "--base", "until=now"]], "until": [["diff", "--until", "now", "--base", "since=1h"]],
                 "fail-above": [["diff", "--base", "since=1h", "--fail-above", "100000%"]], "json": [["diff", "--json", "--base", "since=1h"]],
                 "per": [["diff", "--per", "requests", "--json", "--base", "since=1h", counted, "--new", "since=10m", counted]],
                 "format": [["diff", "--base", "since=1h", "-f", "html", "-o", "-"]],
                 "output": [["diff", "--base", "since=1h", "-f", "svg", "-o", None]]},
        "lines": {"function": [["lines", "--function", "<module>"], ["lines", "-n", "<module>", "--json"]], "file": [["lines", "-n", "<module>", "-F", "/x.py"]],
                  "since": [["lines", "-n", "<module>", "--since", "1h"]], "until": [["lines", "-n", "<module>", "--until", "now"]],
                  "json": [["lines", "--json", "-n", "<module>"]]},
        "series": {"function": [["series", "--function", "<module>"], ["series", "-n", "<module>", "--json"]],
                   "since": [["series", "--since", "1h"]], "until": [["series", "--until", "now"]], "json": [["series", "--json"]]},
        "labels": {"since": [["labels", key, "--since", "1h"] for key in ("service", "comm", "pid")],
                   "until": [["labels", "version", "--until", "now"]], "json": [["labels", "--json", "exe"]]},
        "dump": {"pid": [["dump", "-p", own], ["dump", own]], "json": [["dump", "--json", "-p", own]]},
        "top": {"once": [["top", "-1"], ["top", "-1", *everybody]], "all": [["top", "-1", "-a"]], "batch": [["top", "-b", 2]], "cgroup": [["top", "-1", "-c", "/"]],
                "interval": [["top", "-1", "-i", 1]], "pid": [["top", "-1", "-p", own], ["top", "-1", own]], "processes": [["top", "-1", "-P"]],
                "total": [["top", "-1", "-t"], ["top", "-1", "-P", "-t"]], "unit": [["top", "-1", *unit]]},
        "token": {"json": [["token", "list", "--json"]], "scope": [["token", "list"]], "service": [["token"]], "expires": [["token", "list"]]},
        "open": {},
        "fleet": {"json": [["fleet", "status", "--json"]], **{option: [["fleet", "status"]] for option in OF_FLEET}},
    }
