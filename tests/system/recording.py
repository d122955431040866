# SPDX-License-Identifier: BSD-2-Clause
"""Recordings that run while a test does something, asked of plopd or made by plopctl, and the stacks of a collapsed profile."""
import json
import os
import signal
import subprocess

import client
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
        until("the recording is under way", lambda: self.state()["elapsed_s"] > 0)

    def ask(self, method, path, body=None):
        status, answer = client.ask(self.daemon.socket, method, path, body)
        text = answer.decode()
        assert status < 400, (method, path, body, status, text)
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

    def state(self):
        return self.ask("GET", self.path)

    def done(self):
        said = self.state()
        return said if said["state"] == "done" else None

    def lost(self):
        """Of the ticks: {cause: number}, of the causes that there were."""
        return {cause: n for cause, n in self.said["lost"].items() if n}


class Recorder:
    """
    plopctl record in the background, for at most so many seconds: what it writes and says is the test's affair, or its ways to
    end. wait: until there is a recording more than before.
    """
    number = 0

    def __init__(self, daemon, *arguments, seconds=300, form="collapsed", wait=True):
        Recorder.number += 1
        self.form, self.path = form, os.path.join(daemon.folder, "recorder-%d.%s" % (Recorder.number, form))
        before = daemon.status()["recordings"] if wait else 0
        self.process = subprocess.Popen([daemon.program("plopctl"), "--socket", daemon.socket, "record", "-d", "%gs" % seconds, "-f", form,
                                         "-o", self.path] + [str(a) for a in arguments], stderr=subprocess.PIPE)
        if wait:
            until("plopctl records", lambda: self.process.poll() is not None or daemon.status()["recordings"] > before)

    def stop(self):
        """Ends it by SIGINT."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.finish()

    def finish(self, seconds=60):
        """Waits for its end, and gives what it wrote: stacks of collapsed, an object of JSON, else bytes. What it said is in .said."""
        self.said = self.process.communicate(timeout=seconds)[1].decode()
        assert self.process.returncode == 0, self.said
        with open(self.path, "rb") as f:
            data = f.read()
        return collapsed(data.decode()) if self.form == "collapsed" else json.loads(data.decode()) if self.form == "json" else data

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
