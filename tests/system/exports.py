# SPDX-License-Identifier: BSD-2-Clause
"""Readers of what plopctl writes, each strict by its format's own rules: the stacks as [([(function, file, line), ...] root
first, count), ...], and the tally of ticks where the format has room for it."""
import ast
import gzip
import json
import os
import re
import subprocess

import host

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


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7f) << shift
        shift, at = shift + 7, at + 1
        if byte < 0x80:
            return value, at


def message(data):
    """{field: [value, ...]} of a protobuf message: integers, and bytes for what has a length."""
    fields, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        value, at = varint(data, at)
        if key & 7 == 2:
            value, at = data[at:at + value], at + value
        else:
            assert key & 7 == 0, "wire type %d" % (key & 7)
        fields.setdefault(key >> 3, []).append(value)
    assert at == len(data)
    return fields


def packed(values):
    """A repeated number, packed or not."""
    numbers = []
    for value in values:
        at = 0
        while isinstance(value, bytes) and at < len(value):
            number, at = varint(value, at)
            numbers.append(number)
        if not isinstance(value, bytes):
            numbers.append(value)
    return numbers


def pprof(data):
    """profile.proto of github.com/google/pprof: 2 sample, 4 location, 5 function, 6 string_table, 13 comment."""
    profile = message(gzip.decompress(data))
    strings = [s.decode("utf-8") for s in profile[6]]
    assert strings[0] == "" and len(set(strings)) == len(strings)
    functions = {}
    for f in map(message, profile.get(5, [])):
        functions[f[1][0]] = (strings[f.get(2, [0])[0]], strings[f.get(4, [0])[0]])
    locations = {}
    for location in map(message, profile.get(4, [])):
        line = message(location[4][0])
        locations[location[1][0]] = functions[line[1][0]] + (line.get(2, [0])[0],)
    stacks = []
    for sample in map(message, profile.get(2, [])):
        stacks.append(([locations[i] for i in reversed(packed(sample.get(1, [])))], packed(sample[2])[0]))
    return Export(stacks, tally_of_words(" ".join(strings[i] for i in packed(profile.get(13, [])))))


def graph(data):
    file = json.loads(data.decode("utf-8"))
    return Export(None, file, [(n["function"], n["file"], n["line"], n["self"]) for n in file["nodes"]])


READERS = {"collapsed": collapsed, "speedscope": speedscope, "pprof": pprof, "plop": plop, "json": graph}


class Recordings:
    """A recording of some processes, or of all, in each of the formats, all at once."""

    def __init__(self, daemon, folder, pids=()):
        target = sum((["-p", str(pid)] for pid in pids), []) or ["-a"]
        self.paths = {form: os.path.join(folder, "recording." + form) for form in FORMATS}
        self.running = [subprocess.Popen([host.program("plopctl"), "--socket", daemon.socket, "record", "-d", "600s", "-f", form, "-o", path]
                                         + target, stderr=subprocess.PIPE) for form, path in self.paths.items()]
        host.until("the recordings run", lambda: daemon.status()["recordings"] == len(FORMATS))
        # each counts from the cycle that begins it
        host.until("they count", lambda: all(daemon.get("/v1/recordings/r%d" % (n + 1)).get("elapsed_s", 0) > 1 for n in range(len(FORMATS))))

    def stop(self):
        """Ends them and gives {format: Export}."""
        for process in self.running:
            process.send_signal(2)
        for process in self.running:
            _, said = process.communicate(timeout=60)
            assert process.returncode == 0, said
        exports = {}
        for form, path in self.paths.items():
            with open(path, "rb") as f:
                exports[form] = READERS[form](f.read())
        return exports

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.running:
            if process.poll() is None:
                process.kill()
            process.communicate()
