# SPDX-License-Identifier: BSD-2-Clause
"""A recording that plopd makes while a test does something, and the stacks of a collapsed profile."""
import json
import subprocess

from waiting import until


def collapsed(text):
    """[([(function, file, line), ...] root first, count), ...] of a collapsed profile."""
    stacks = []
    for line in text.splitlines():
        frames, count = line.rsplit(" ", 1)
        parsed = []
        for frame in frames.split(";"):
            function, place = frame.rsplit(" (", 1) if frame.endswith(")") else (frame, "")
            file, number = place[:-1].rsplit(":", 1) if ":" in place else ("", 0)
            # code that Nuitka compiled has no lines
            parsed.append((function, file, 0 if number == "compiled" else int(number)))
        stacks.append((parsed, int(count)))
    return stacks


class Recording:
    """
    Of one process, of all (None), or of what more says (the body of POST /v1/recordings), from now until stop(). It has begun to
    count when this is made, whatever other recordings do.
    """

    def __init__(self, daemon, pid=None, seconds=600, **more):
        self.daemon = daemon
        target = {"pid": [pid]} if pid else {} if {"pid", "cgroup", "unit", "all"} & set(more) else {"all": True}
        self.path = "/v1/recordings/" + self.ask("POST", "/v1/recordings", dict(more, duration_s=seconds, **target))["id"]
        until("the recording is under way", lambda: self.ask("GET", self.path)["elapsed_s"] > 0)

    def ask(self, method, path, body=None):
        done = subprocess.run(["curl", "-sS", "--fail-with-body", "--unix-socket", self.daemon.socket, "-X", method] +
                              (["-d", json.dumps(body)] if body else []) + ["http://plop" + path],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        text = done.stdout.decode()
        return json.loads(text) if text.startswith("{") else text

    def stop(self, only=None):
        """
        Ends it and gives [([(function, file, line), ...] root first, count), ...] of one process alone or of all. What plopd says of it
        at its end is in .said.
        """
        self.ask("DELETE", self.path)
        self.said = until("the recording has ended", self.done)
        stacks = collapsed(self.ask("GET", self.path + "?format=collapsed" + ("&pid=%d" % only if only else "")))
        self.ask("DELETE", self.path)
        return stacks

    def done(self):
        said = self.ask("GET", self.path)
        return said if said["state"] == "done" else None

    def lost(self):
        """Of the ticks: {cause: number}, of the causes that there were."""
        return {cause: n for cause, n in self.said["lost"].items() if n}
