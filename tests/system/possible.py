# SPDX-License-Identifier: BSD-2-Clause
"""Which stacks a workload can have, from what its interpreter itself told of them (tests/workloads/told.py)."""
import collections
import json


class Node:
    def __init__(self):
        self.children = {}
        self.called_at = {}  # (name, file) of a child: the lines that it is called from


class Possible:
    def __init__(self, facts):
        """facts: the texts of FACT lines, one for each interpreter of the process."""
        self.root = Node()
        self.lines = collections.defaultdict(set)
        self.files, self.hooks, self.made = set(), set(), set()
        for one in map(json.loads, facts):
            self.files.update(one["files"])
            self.hooks.update(one["hooks"])
            self.made.update(map(tuple, one["made"]))
            for name, path, numbers in one["lines"]:
                self.lines[name, path].update(numbers)
            for path in one["paths"]:
                self.add(path)

    def add(self, path):
        node, line = self.root, 0
        for name, file, at in path:
            key = (name, file)
            node.called_at.setdefault(key, set()).add(line)
            node = node.children.setdefault(key, Node())
            line = at

    def wrong(self, stack):
        """Why a stack (root first) cannot be; None if it can. From its root on it must be one that was told, at the lines of the
        calls that were told. It may end early, or go on into functions that are not the workload's, or are its hooks; and a
        generator or coroutine is a leaf on its first line while it is made."""
        node, line, depth = self.root, 0, 0
        for depth, (name, file, at) in enumerate(stack):
            key = (name, file)
            if key not in node.children:
                break
            if depth and line not in node.called_at[key]:
                return "%s is not called from line %d" % (name, line)
            node, line = node.children[key], at
        else:
            depth = len(stack)
        if depth and line not in self.lines[stack[depth - 1][:2]]:
            return "%s has no line %d" % (stack[depth - 1][0], line)
        for name, file, at in stack[depth:]:
            if name.startswith("["):
                return "a frame without a name"
            if file not in self.files or (name, file, at) in self.made and stack[depth] is stack[-1]:
                continue
            if name not in self.hooks:
                return "%s is called by what cannot call it" % name
            if at not in self.lines[name, file]:
                return "%s has no line %d" % (name, at)
        return None

    def check(self, stacks, headings=()):
        """Fails unless all stacks are possible, or are one of headings alone. Returns how many samples there were."""
        total = 0
        for stack, count in stacks:
            total += count
            if len(stack) == 1 and stack[0][0] in headings:
                continue
            why = self.wrong(stack)
            assert not why, "%s: %s" % (why, "\n    ".join("%s %s:%d" % frame for frame in stack))
        return total
