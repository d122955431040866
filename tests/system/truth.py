# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of plop's figures share: recordings that hold a run from before its start to after its end, the classes that
samples fall into, and the comparison with what the run itself measured, at p = 0.001."""
import json
import math
import subprocess
import threading
import time

import host

P = 0.001
# Fewer expected samples than that in a class, and the statistic has no chi-square distribution: such classes are put together.
FEWEST = 5.0


def upper_gamma(a, x):
    """The regularised incomplete gamma function Q(a, x), by its series or its continued fraction (DLMF 8.7.1, 8.9.2)."""
    factor = math.exp(a * math.log(x) - x - math.lgamma(a)) if x > 0 else 0.0
    if x < a + 1:
        term = total = 1.0 / a
        n = a
        while term > total * 1e-15:
            n += 1
            term *= x / n
            total += term
        return 1.0 - total * factor
    b = x + 1 - a
    c = 1e300
    d = h = 1.0 / b
    for i in range(1, 10000):
        an = -i * (i - a)
        b += 2
        d = 1.0 / (an * d + b)
        c = b + an / c
        h *= d * c
        if abs(d * c - 1) < 1e-14:
            break
    return factor * h


def bound(freedom, p=P):
    """What a chi-square distributed statistic exceeds with probability p."""
    low, high = 0.0, freedom + 50 * math.sqrt(freedom) + 50
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if upper_gamma(freedom / 2.0, middle / 2) > p else (low, middle)
    return high


def pooled(rows, size):
    """Rows with the small ones added up into one, and that into the next larger one if it is still small."""
    rows = sorted(rows, key=size)
    while len(rows) > 1 and size(rows[0]) < FEWEST:
        rows = sorted([[a + b for a, b in zip(rows[0], rows[1])]] + rows[2:], key=size)
    return rows


def against_known(counts, known):
    """The statistic of counts by class against known shares by class, its bound, and how many classes it has."""
    total, norm = float(sum(counts.get(k, 0) for k in known)), float(sum(known.values()))
    rows = pooled([[counts.get(k, 0), total * known[k] / norm] for k in known], lambda row: row[1])
    if len(rows) < 2:
        return 0.0, 0.0, 1
    return sum((n - e) ** 2 / e for n, e in rows), bound(len(rows) - 1), len(rows)


def against_other(ours, theirs):
    """The same of two sets of counts, neither of which is exact."""
    a, b = float(sum(ours.values())), float(sum(theirs.values()))
    rows = pooled([[ours.get(k, 0), theirs.get(k, 0)] for k in set(ours) | set(theirs)],
                  lambda row: (row[0] + row[1]) * min(a, b) / (a + b))
    if len(rows) < 2:
        return 0.0, 0.0, 1
    x = sum((n * math.sqrt(b / a) - m * math.sqrt(a / b)) ** 2 / (n + m) for n, m in rows)
    return x, bound(len(rows) - 1), len(rows)


class Recording:
    """Of one process, or of what more says, from now until stop(). It has begun to count when this is made, whatever other
    recordings do."""

    def __init__(self, daemon, pid=None, seconds=600, **more):
        self.daemon = daemon
        request = dict(more, duration_s=seconds, **({"pid": [pid]} if pid else {}))
        self.path = "/v1/recordings/" + self.ask("POST", "/v1/recordings", request)["id"]
        host.until("the recording is under way", lambda: self.ask("GET", self.path)["elapsed_s"] > 0)

    def ask(self, method, path, body=None):
        done = subprocess.run(["curl", "-sS", "--fail-with-body", "--unix-socket", self.daemon.socket, "-X", method] +
                              (["-d", json.dumps(body)] if body else []) + ["http://plop" + path],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        text = done.stdout.decode()
        return json.loads(text) if text.startswith("{") else text

    def stop(self, only=None):
        """Ends it: [([(function, file, line), ...] root first, count), ...], of one process alone or of all, and what plopd says of it."""
        self.ask("DELETE", self.path)
        said = host.until("the recording has ended", lambda: self.done())
        stacks = host.collapsed(self.ask("GET", self.path + "?format=collapsed" + ("&pid=%d" % only if only else "")))
        self.ask("DELETE", self.path)
        return stacks, said

    def done(self):
        said = self.ask("GET", self.path)
        return said if said["state"] == "done" else None


def run_known(daemon, python, name, *arguments, seconds=120):
    """One run of a workload that waits for a line after READY and for the end of its input after DONE: what it said at both,
    and the samples in between."""
    with host.Workload(python, name, *arguments) as work:
        ready = json.loads(work.ready[1])
        daemon.profiled(work.pid)
        recording = Recording(daemon, work.pid)
        watch = threading.Timer(seconds, work.process.kill)
        watch.start()
        work.go()
        done = json.loads(work.line("DONE")[1])
        watch.cancel()
        stacks, said = recording.stop()
        work.end()
    return ready, done, stacks, said


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


def two_at_a_time(jobs):
    """Runs the functions by two threads, prints what each returns, and gives the first exception after all have ended."""
    failed, jobs, lock = [], list(jobs), threading.Lock()

    def work():
        while True:
            with lock:
                if not jobs:
                    return
                job = jobs.pop(0)
            begun = time.monotonic()
            try:
                said = job()
            except Exception as e:  # shown, and raised by the caller's thread
                failed.append(e)
                said = "FAILED: %s" % e
            with lock:
                print("%s (%.1f s)" % (said, time.monotonic() - begun), flush=True)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
