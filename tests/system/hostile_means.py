# SPDX-License-Identifier: BSD-2-Clause
"""By what means one user attacks plopd: tests/workloads/hostile.c, built and started as that user; for hostile.py and tests/bench/attack."""
import os
import shutil
import subprocess
import tempfile

import host

ATTACKER = 64303
# What is one program's own memory, and what only plays with files and processes. Of each so many at once.
FORGED = {"forged": 2, "changing": 1, "cycles": 1, "threads": 1, "titles": 1, "execs": 1, "environ": 1}
PLAIN = {"mappings": 1, "libraries": 1, "elves": 1, "swapped": 1, "forks": 1}
# Least of the processors' time is left to who attacks: what is measured is not how the scheduler shares it out.
NICE = 15


def become():
    os.nice(NICE)
    os.setgroups([])
    os.setresgid(ATTACKER, ATTACKER, ATTACKER)
    os.setresuid(ATTACKER, ATTACKER, ATTACKER)


class Means:
    """The programs, in a folder of the attacker's."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="plop-hostile-", dir="/var/tmp")
        os.chmod(self.folder, 0o755)
        self.running = []
        source = os.path.join(host.WORKLOADS, "hostile.c")
        for name, more in (("hostile", []), ("forged", ["-rdynamic"])):
            subprocess.run(["gcc", "-O1", "-D_GNU_SOURCE", *more, "-o", os.path.join(self.folder, name), source, "-lpthread"], check=True)

    def __enter__(self):
        return self

    def begin(self, kind):
        """Starts one; returns its process."""
        own = tempfile.mkdtemp(prefix=kind + "-", dir=self.folder)
        os.chown(own, ATTACKER, ATTACKER)
        for name in ("hostile", "forged"):
            os.link(os.path.join(self.folder, name), os.path.join(own, name))
        process = subprocess.Popen([os.path.join(own, "forged" if kind in FORGED else "hostile"), kind, own], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, preexec_fn=become, cwd="/", process_group=0)
        self.running.append(process)
        assert process.stdout.readline().startswith(b"READY"), kind
        return process

    def begin_all(self):
        return {kind: self.begin(kind) for kinds in (FORGED, PLAIN) for kind, n in kinds.items() for _ in range(n)}

    def end(self):
        for process in self.running:
            process.stdin.close()
            host.end_group(process)
            process.stdout.close()
        self.running = []

    def __exit__(self, *_):
        self.end()
        shutil.rmtree(self.folder)
