# SPDX-License-Identifier: BSD-2-Clause
"""The ancestor's own way to read its files, ast.literal_eval, and json for the call graph.

write_formats wrote them into $PLOP_WRITTEN.
"""
import ast
import collections
import json
import os

import pytest

here = os.path.dirname(os.path.abspath(__file__))


def read(path):
    with open(path, encoding="utf-8", newline="") as f:
        return f.read()


@pytest.fixture
def written():
    return os.environ["PLOP_WRITTEN"]


@pytest.fixture
def expected():
    return json.loads(read(os.path.join(here, "expected.json")))


def test_plop(written, expected):
    stacks = collections.Counter()
    for process in expected["processes"]:
        for stack in process["stacks"]:
            leaf_first = tuple((file, line, name) for name, file, line in reversed(stack["frames"]))
            stacks[leaf_first] += stack["count"]

    text = read(os.path.join(written, "known.plop"))
    assert text.isascii(), "plop: readable in any locale"
    profile = ast.literal_eval(text)
    assert profile == dict(stacks), f"plop: {profile}\nexpected: {dict(stacks)}"
    counts = list(profile.values())
    assert counts == sorted(counts, reverse=True), f"plop: most frequent first: {counts}"
    assert sum(counts) == expected["total"]


def test_json(written, expected):
    graph = json.loads(read(os.path.join(written, "known.json")))
    nodes = sorted([n["function"], n["file"], n["line"], n["self"], n["total"]] for n in graph["nodes"])
    assert nodes == sorted(expected["functions"]), f"json: {nodes}"
    assert [n["id"] for n in graph["nodes"]] == list(range(len(nodes)))
    assert graph["ticks"] == graph["python"] + graph["other"] + sum(graph["lost"].values()), graph
    edges = collections.Counter()
    for process in expected["processes"]:
        for stack in process["stacks"]:
            names = [name for name, _, _ in stack["frames"]]
            for edge in set(zip(names, names[1:])):
                edges[edge] += stack["count"]
    got = {
        (graph["nodes"][e["source"]]["function"], graph["nodes"][e["target"]]["function"]): e["count"]
        for e in graph["edges"]
    }
    assert got == dict(edges), f"json: {got}"
