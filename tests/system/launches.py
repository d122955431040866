# SPDX-License-Identifier: BSD-2-Clause
"""Commands that are run again and again: each process is what the one before it was, by its launch, and has samples and labels of its own."""
import os
import subprocess

import host
from waiting import until

PLOPD = ("--hz", 997)
RUNS = 12
CPU = 0.1  # seconds of each run
CODE = """
import sys, time
clock = getattr(time, "process_time", None) or time.clock
def spin(until):
    while clock() < until:
        pass
    return clock()
begun = clock()
print(spin(begun + %g) - begun)
""" % CPU


def run(python, service):
    """One process; its pid and how long its function ran."""
    values = dict({k: v for k, v in os.environ.items() if not k.startswith(("PLOP_SERV", "PLOP_VERS", "OTEL_", "DD_", "SENTRY_"))},
                  PLOP_SERVICE=service, PLOP_VERSION="1")
    with subprocess.Popen([python, "-c", CODE], env=values, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        said = process.communicate(timeout=120)[0]
    assert process.returncode == 0
    return process.pid, float(said)


def samples(daemon, services):
    """{(pid, service): samples in which spin() ran}"""
    done = daemon.ctl("export", "--since", "5m", "--group-by", "pid,service", "service=" + services[0], "service=" + services[1])
    found = {}
    for frames, count in host.collapsed(done.out) if done.returncode == 0 else ():
        names = [name for name, _, _ in frames]
        key = int(names[0].split("=")[1]), names[1].split("=")[1]
        found[key] = found.get(key, 0) + count * ("spin" in names)
    return found


def test_each_is_itself(plopd, one_of_each):
    """Two commands in turn that differ in one byte of their environment. Of 997 Hz no process's samples are missing, be it the first."""
    _, python, build = one_of_each
    services = ["turn-%s%s-%d" % (os.path.basename(python), build, n) for n in (1, 2)]
    ran = [(run(python, services[i % 2]), services[i % 2]) for i in range(RUNS)]
    # what ends after them is counted after them
    run(python, "last-" + services[0])
    until("all are counted", lambda: plopd.ctl("export", "--since", "1m", "service=last-" + services[0]).returncode == 0)
    want = {(pid, service) for (pid, _), service in ran}
    found = samples(plopd, services)
    part = sum(found.values()) / (997 * sum(seconds for (_, seconds), _ in ran))
    print("%s: %.2f of the samples, %d to %d a process" % (python, part, min(found.values()), max(found.values())))
    assert set(found) == want, found
    # where plopd waits for a CPU, a period of ticks is kept for longer
    assert 0.8 < part < 1.25, (part, found)
