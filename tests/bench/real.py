# SPDX-License-Identifier: BSD-2-Clause
"""What a sample of real programs costs, from the start of their processes on: both plopd at once, as in pairs.py.

Everything in the kernel is counted, what follows exec, fork and exit as well, and divided by the samples of Python processes.
"""
import subprocess
import tempfile
import time

import host
import loads
import meter
import pairs
from waiting import until

HZ = 100
SHORT = 200


def django(python, seconds):
    """gunicorn and Django with 60 frames and 500 functions, started and under load for some seconds."""
    with loads.django(python, 2) as port, loads.requests(port) as answers:
        time.sleep(seconds)
        assert answers() > seconds, "only %d answers" % answers()


def suite(python, _):
    """One run of pytest."""
    with tempfile.TemporaryDirectory(prefix="plop-bench-") as place:
        command, values = loads.pytest_command(python, place)
        done = subprocess.run(command, env=values, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]


def short(python, _):
    """Short programs, one after the other."""
    for _ in range(SHORT):
        subprocess.run([python, "-c", loads.SHORT], env=loads.environment(), stdout=subprocess.DEVNULL, check=True)


CASES = {"Django under gunicorn, 60 frames, 500 functions": django, "a run of pytest": suite, "%d short programs" % SHORT: short}


def samples(daemon):
    """Of Python processes, when all that was sampled until now is counted: two beats later."""
    beats = daemon.status()["uptime_s"] + 2
    return until("the last samples", lambda: daemon.status()["uptime_s"] > beats and daemon.status()["samples"]["python"])


def turn(both, work, python, seconds):
    """({name: ns in the kernel for each sample}, {name: ns of plopd's CPU for each})"""
    before = {name: samples(daemon) for name, daemon in both.daemons.items()}
    spent = {name: meter.Spent(pid) for name, pid in both.pids.items()}
    work(python, seconds)
    kernel, user = {}, {}
    for name, daemon in both.daemons.items():
        n = samples(daemon) - before[name]
        assert n > 100, "only %d samples by %s" % (n, name)
        _, cpu, bpf = spent[name].now()
        kernel[name], user[name] = 1e9 * bpf / n, 1e9 * cpu / n
    return kernel, user


def measure(what, python, commit, turns, seconds=20):
    """(costs in the kernel, costs of plopd's CPU) of a case."""
    kernel, user, orders = pairs.Costs(), pairs.Costs(), 1 if commit is None else 2
    for names in (loads.DJANGO, loads.PYTEST):
        loads.packages(python, names)  # before anything is measured
    for order in range(orders):
        with pairs.Both(pairs.builds(commit, order), HZ, floor=False) as both:
            for _ in range(-(-turns // orders)):
                for costs, value in zip((kernel, user), turn(both, CASES[what], python, seconds)):
                    costs.add(value)
    return kernel, user
