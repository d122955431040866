# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of plop's figures share: a recording that holds a run from before its start to after its end, the classes that
samples fall into, and attempts that are repeated once."""
import json
import threading

import host


def run_known(daemon, python, name, *arguments, seconds=120):
    """One run of a workload that waits for a line after READY and for the end of its input after DONE: what it said at both,
    and the samples in between."""
    with host.Workload(python, name, *arguments) as work:
        return run_of(daemon, work, seconds)


def run_of(daemon, work, seconds=120):
    """The same of one that has said READY."""
    ready = json.loads(work.ready[1])
    daemon.profiled(work.pid)
    recording = host.Recording(daemon, work.pid)
    watch = threading.Timer(seconds, work.process.kill)
    watch.start()
    work.go()
    done = json.loads(work.line("DONE")[1])
    watch.cancel()
    stacks = recording.stop()
    work.end()
    return ready, done, stacks, recording.said


def below(stacks, function, file):
    """The stacks that have that function in them, each from it on, and how many samples the others have. From 3.11 on its name has
    that of its class before it."""
    inside, others = [], 0
    for stack, count in stacks:
        at = next((i for i, frame in enumerate(stack) if frame[0].split(".")[-1] == function and frame[1] == file), None)
        if at is None:
            others += count
        else:
            inside.append((stack[at:], count))
    return inside, others


def line_of(stack, facts, ready):
    """Of a stack from a phase of known.py's on: the line of its function that it is time of."""
    line = str(stack[0][2])
    if line in facts["laps"] and (len(stack) == 1 or stack[1][2] <= ready["settle"]):
        return facts["laps"][line]
    return int(line) if line in facts["line"] else "rest"


def add_up(pairs):
    counts = {}
    for key, count in pairs:
        counts[key] = counts.get(key, 0) + count
    return counts


def repeated(comparisons, attempt_of):
    """attempt_of(length) gives [(what, statistic, bound, classes, samples)]: all must be within their bounds, if not with length
    1 then with 2: an honest comparison fails once in a thousand times. Returns the printed lines."""
    said = []
    for length in (1, 2):
        rows = attempt_of(length)
        comparisons.extend(rows)
        for what, x, limit, classes, samples in rows:
            said.append("%s: chi2 %.1f of %.1f, %d classes, %d samples%s" % (
                what, x, limit, classes, samples, "" if x <= limit else ", over" if length == 1 else ", over AGAIN"))
        if all(row[1] <= row[2] for row in rows):
            return said
    raise AssertionError("the figures are wrong:\n" + "\n".join(said))
