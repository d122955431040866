# SPDX-License-Identifier: BSD-2-Clause
"""Readers of what plopctl writes, each strict by its format's own rules: the stacks as [([(function, file, line), ...] root
first, count), ...], and the tally of ticks where the format has room for it."""
import ast
import json
import re
import signal

import protobuf
from recording import Recorder
from waiting import until

FORMATS = ("collapsed", "speedscope", "pprof", "plop", "json")


class Export:
    """What was read: .stacks (None: a call graph), .tally, .nodes of a call graph."""

    def __init__(self, stacks, tally=None, nodes=None):
        self.stacks, self.tally, self.nodes = stacks, tally, nodes


def tally_of_words(text):
    """The tally of "ticks=4 python=3 ... lost.fault=0"."""
    tally = {"lost": {}}
    for key, value in re.findall(r"([\w.]+)=(\d+)", text):
        if key.startswith("lost."):
            tally["lost"][key[5:]] = int(value)
        else:
            tally[key] = int(value)
    return tally


def collapsed(data):
    """The frames as ("function (file", None, line): where a file or a function has " (" in it, they cannot be told apart."""
    text = data.decode("utf-8")
    assert text == "" or text.endswith("\n")
    # whatever else some reader takes for the end of a line
    assert text.splitlines() == text.split("\n")[:-1], "a line in a line"
    stacks = {}
    for line in text.split("\n")[:-1]:
        frames, count = line.rsplit(" ", 1)
        assert frames not in stacks and re.match(r"[1-9]\d*$", count), line
        stacks[frames] = [], int(count)
        for frame in frames.split(";"):
            match = re.match(r"(.* \(.*):(\d+)\)$", frame)
            assert match or re.match(r"\[[^]]*\]$", frame), frame
            stacks[frames][0].append((match.group(1), None, int(match.group(2))) if match else (frame, "", 0))
    return Export(list(stacks.values()))


def speedscope(data):
    file = json.loads(data.decode("utf-8"))
    frames = [(f["name"], f.get("file", ""), f.get("line", 0)) for f in file["shared"]["frames"]]
    stacks, before = [], float("inf")
    assert file["activeProfileIndex"] == 0
    for profile in file["profiles"]:
        assert profile["type"] == "sampled" and len(profile["samples"]) == len(profile["weights"]) and profile["unit"] == "seconds"
        assert re.match(r".+ \(pid \d+\)$", profile["name"], re.S), profile["name"]
        counts = [round(weight * file["plop"]["hz"]) for weight in profile["weights"]]
        # exact but for the last digit of a sum
        assert abs(sum(profile["weights"]) / profile["endValue"] - 1) < 1e-9 and profile["endValue"] <= before
        before = profile["endValue"]
        stacks += [([frames[i] for i in s], n) for s, n in zip(profile["samples"], counts)]
    return Export(stacks, file["plop"])


def plop(data):
    text = data.decode("ascii")
    stacks = [([(name, file, line) for file, line, name in reversed(stack)], count) for stack, count in ast.literal_eval(text).items()]
    last = text.rstrip("\n").rsplit("\n", 1)[-1]
    return Export(stacks, tally_of_words(last) if last.startswith("# ") else None)


def pprof(data):
    profile = protobuf.Profile(data)
    return Export([(frames, values[0]) for frames, values, _ in profile.samples], tally_of_words(" ".join(profile.comments)))


def graph(data):
    file = json.loads(data.decode("utf-8"))
    return Export(None, file, [(n["function"], n["file"], n["line"], n["self"]) for n in file["nodes"]])


READERS = {"collapsed": collapsed, "speedscope": speedscope, "pprof": pprof, "plop": plop, "json": graph}


class Recordings:
    """A recording of some processes, or of all, in each of the formats, all at once."""

    def __init__(self, daemon, pids=()):
        target = sum((["-p", pid] for pid in pids), []) or ["-a"]
        self.running = {form: Recorder(daemon, *target, form=form, wait=False) for form in FORMATS}
        until("the recordings run", lambda: daemon.status()["recordings"] == len(FORMATS))
        # each counts from the cycle that begins it
        until("they count", lambda: all(daemon.get("/v1/recordings/r%d" % (n + 1)).get("elapsed_s", 0) > 1 for n in range(len(FORMATS))))

    def stop(self):
        """Ends them and gives {format: Export}."""
        for recorder in self.running.values():
            recorder.process.send_signal(signal.SIGINT)
        exports = {}
        for form, recorder in self.running.items():
            recorder.finish()
            with open(recorder.path, "rb") as f:
                exports[form] = READERS[form](f.read())
        return exports

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for recorder in self.running.values():
            recorder.__exit__()
