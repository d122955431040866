# SPDX-License-Identifier: BSD-2-Clause
"""Generators, coroutines, recursion through C, exceptions in flight and trace functions, on every interpreter: each sampled stack
must be one that the interpreter itself told, frame by frame and line by line."""
import sys

import host
import possible

HZ = 500
# What must be met among the samples: at least one function of each kind.
SEEN = ["generators", "innermost", "by_key", "by_reduce", "Dynamic.__getattr__", "Dynamic.__lt__", "recurse", "mutual", "deep", "thrower",
        "traced_inner", "tracer", "profiler"]
SEEN_3 = ["leaf", "delegate", "bottom", "between", "together", "numbers", "Manager.__aenter__", "by_hand"]


def check(version, build, facts, stacks):
    total = possible.Possible([facts]).check(stacks)
    seen = {frame[0] for stack, _ in stacks for frame in stack}
    wanted = SEEN + (SEEN_3 if version >= (3, 6) else []) + (["monitor"] if version >= (3, 12) else [])
    if version < (3, 11):
        wanted = [name.split(".")[-1] for name in wanted]  # no qualified names
    assert not set(wanted) - seen, "%s %s: never met: %s" % (version, build, sorted(set(wanted) - seen))
    print("%d.%-3d %-20s %5d samples, %d different stacks, all of them possible" % (version + (build, total, len(stacks))), flush=True)


def main():
    host.need_root()
    found = host.one_of_each(host.pythons())
    with host.Plopd("--hz", HZ) as daemon:
        for group in host.several(found, 5):
            works = [host.Workload(python, "kinds.py", ready=False) for _, python, _ in group]
            try:
                facts = [work.line("FACT")[1] for work in works]
                for work in works:
                    work.line("READY")
                    daemon.profiled(work.pid)
                recordings = [host.Recording(daemon, work.pid) for work in works]
                for work in works:
                    work.go()
                host.until("enough samples", lambda: daemon.least(works) > 900, 60)
                for (version, _, build), fact, recording in zip(group, facts, recordings):
                    check(version, build, fact, recording.stop())
            finally:
                for work in works:
                    work.__exit__()
        status = daemon.status()
    assert host.accounted(status["samples"]), status["samples"]
    print("%d interpreters, lost %s" % (len(found), status["samples"]["lost"]))


if __name__ == "__main__":
    sys.exit(main())
