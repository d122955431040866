# SPDX-License-Identifier: BSD-2-Clause
"""Recursion on every interpreter: a stack of 1,000 frames is complete; of 3,000 the leaf-most 1,024 are kept, its root is marked,
and that is counted."""
import os
import signal
import sys

import host

MAX_DEPTH = 1024  # include/plop/limits.h, the default of the option


def stacks_of(daemon, found, depth, samples):
    """All interpreters at once, at that depth: the stacks of each. They stand still until all are there."""
    works = [host.Workload(python, "deep.py", "--depth", depth, "--seconds", 200, ready=False) for _, python, _ in found]
    try:
        for work in works:
            work.line("READY")
            os.kill(work.pid, signal.SIGSTOP)
        for work in works:
            daemon.profiled(work.pid)
        recordings = [host.Recording(daemon, work.pid) for work in works]
        for work in works:
            os.kill(work.pid, signal.SIGCONT)
        host.until("samples of each", lambda: daemon.least(works) >= samples, 60)
        return [recording.stop() for recording in recordings]
    finally:
        for work in works:
            work.__exit__()


def names(stack):
    return [name for name, _, _ in stack]


def main():
    host.need_root()
    found = host.one_of_each(host.pythons())
    assert found, "no interpreter at all"
    with host.Plopd() as daemon:
        whole = ["<module>"] + 998 * ["descend"] + ["burn"]
        for (version, _, build), stacks in zip(found, stacks_of(daemon, found, 1000, 30)):
            for stack, _ in stacks:
                assert names(stack) == whole, "%s %s: %d frames, from %s to %s" % (version, build, len(stack), stack[:3], stack[-3:])
            print("%d.%-3d %-20s 1000 frames: %d samples, all complete" % (version + (build, sum(c for _, c in stacks))), flush=True)
        before = daemon.status()["samples"]
        assert before["truncated"] == 0, before
        cut = ["[truncated]"] + (MAX_DEPTH - 1) * ["descend"] + ["burn"]
        total = 0
        for (version, _, build), stacks in zip(found, stacks_of(daemon, found, 3000, 30)):
            for stack, count in stacks:
                total += count
                assert names(stack) == cut, "%s %s: %d frames, from %s to %s" % (version, build, len(stack), stack[:3], stack[-3:])
            print("%d.%-3d %-20s 3000 frames: %d samples, all cut at the root" % (version + (build, sum(c for _, c in stacks))), flush=True)
        status = daemon.status()
    assert host.accounted(status["samples"]), status["samples"]
    assert total <= status["samples"]["truncated"] <= status["samples"]["python"] - before["python"], status["samples"]
    print("truncated %d, lost %s" % (status["samples"]["truncated"], status["samples"]["lost"]))


if __name__ == "__main__":
    sys.exit(main())
