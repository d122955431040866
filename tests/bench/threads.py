# SPDX-License-Identifier: BSD-2-Clause
"""Time in the kernel for each sample of a process with 1,000 threads, which hand the work round, against that of one with
a single thread that does the same. All run one function: a thousand new ones would each be read until they have settled."""
import os
import statistics
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
sys.dont_write_bytecode = True
import host  # noqa: E402

HZ = 1000
GOAL = 1.2
BOUND = 3.0  # what fails: some other cost has come in; the goal is missed so far, see the README
ROUNDS = 5
TURN = 20  # milliseconds that a thread works before it wakes the next


def timed(daemon):
    """(ns, samples) by the sampling program's own clock: of ticks in Python processes alone."""
    cost = daemon.status()["cost"]
    return cost["bpf_ns_per_sample"] * cost["bpf_timed_samples"], cost["bpf_timed_samples"]


def measure(daemon, python, threads, samples):
    """ns a sample, over as many timed samples, with so many threads."""
    with host.Workload(python, "threads.py", "--threads", threads, "--turn", TURN if threads > 1 else 1000, "--seconds", 300,
                       "--same") as work:
        daemon.profiled(work.pid)
        ns, n = timed(daemon)
        host.until("timed samples", lambda: timed(daemon)[1] - n >= samples, 60)
        now = timed(daemon)
        return (now[0] - ns) / (now[1] - n)


def ratio(python, rounds):
    with host.Plopd("--hz", HZ) as daemon:
        pairs = [(measure(daemon, python, 1, 250), measure(daemon, python, 1000, 250)) for _ in range(rounds)]
    one, many = (statistics.median(values) for values in zip(*pairs))
    print("kernel time a sample: %.0f ns with one thread, %.0f ns with 1,000; ratio %.2f (goal %.1f)" % (one, many, many / one, GOAL), flush=True)
    return many / one


def main():
    host.need_root()
    found = [python for version, python, build in host.pythons() if version == (3, 13) and "-" not in build] or [sys.executable]
    # a neighbour on the machine disturbs either: what fails is repeated once, for twice as long
    assert ratio(found[-1], ROUNDS) <= BOUND or ratio(found[-1], 2 * ROUNDS) <= BOUND, "1,000 threads cost more than they should"


if __name__ == "__main__":
    sys.exit(main())
