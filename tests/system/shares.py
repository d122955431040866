# SPDX-License-Identifier: BSD-2-Clause
"""Known shares of CPU in four functions, on every interpreter that the machine has, with one thread and with eight: the sampled
counts must agree by a chi-square test at p = 0.001, and every frame's function, file and line must be right."""
import json
import sys

import host

HZ = 500
SECONDS = 4


def sample(daemon, python, threads, seconds):
    """Records a run from its READY to its DONE: counts by function, and what the workload measured itself."""
    with host.Workload(python, "shares.py", "--threads", threads, "--seconds", seconds + 1) as work:
        known = json.loads(work.ready[1])
        daemon.profiled(work.pid)
        stacks = host.collapsed(daemon.record(work.pid, seconds))
        work.line("DONE")
    counts = dict.fromkeys(known["functions"], 0)
    strange = []
    for stack, count in stacks:
        function, file, line = stack[-1]
        if function in counts:
            counts[function] += count
            # while a function is being entered (RESUME, 3.11+), CPython has it on its def line
            if file != known["file"] or line not in known["functions"][function]["lines"] + [known["functions"][function]["line"]]:
                strange.append((stack[-1], count))
        if any(name.startswith("[unresolved") for name, _, _ in stack):
            strange.append((stack, count))
    return known, counts, strange, stacks


def check(daemon, version, python, build, threads):
    for attempt in (1, 2):
        known, counts, strange, stacks = sample(daemon, python, threads, SECONDS * attempt)
        names = sorted(counts)
        total = sum(count for _, count in stacks)
        x, bound = host.chi_square([counts[n] for n in names], [known["functions"][n]["share"] for n in names])
        print("%-8s %-20s %d threads: %s of %d, chi2 %.2f (bound %.2f)%s" % (
            known["python"], build, threads, " ".join("%s %d" % (n, counts[n]) for n in names), total, x, bound,
            "" if attempt == 1 else ", repeated"), flush=True)
        assert total > HZ * SECONDS / 20, "hardly any samples: %d" % total
        assert not strange, "wrong or unnamed frames: %s" % strange[:5]
        # the four functions are most of what the workload does; how much its bookkeeping takes depends on the machine's clock
        assert sum(counts.values()) > 0.75 * total, counts
        roots = {stack[0][0] for stack, _ in stacks} - {"[native thread]", "[no Python frame]"}
        assert roots <= {"<module>", "Thread._bootstrap", "_bootstrap", "__bootstrap"}, roots
        # an honest comparison fails once in a thousand: it is repeated on fresh data of twice the length
        if x <= bound:
            return
    raise AssertionError("%s with %d threads: the shares are wrong" % (version, threads))


def main():
    host.need_root()
    found = host.pythons()
    assert found, "no interpreter at all"
    with host.Plopd("--hz", HZ) as daemon:
        for version, python, build in found:
            for threads in (1, 8):
                check(daemon, version, python, build, threads)
        status = daemon.status()
        assert host.accounted(status["samples"]), status["samples"]
        named = status["symbols"]
        share = 1 - named["unresolved"] / float(sum(named[k] for k in ("resolved", "captured", "unresolved")))
        print("named frames: %.4f %%, lost %s" % (100 * share, status["samples"]["lost"]))
        assert share > 0.999, named
    print("%d interpreters" % len(found))


if __name__ == "__main__":
    sys.exit(main())
