# SPDX-License-Identifier: BSD-2-Clause
"""A machine of qemu's without KVM, whose second serial port has a line of JSON for each thing that was looked at in it (looks.py). Its
time is that of its instructions (-icount), so nothing in it is late because this machine does something else."""
import json
import subprocess

QEMU = "qemu-system-x86_64"


def boot(kernel, line, report, console, seconds, options, sleep="off"):
    """False: it did not end within so many seconds, and was ended. line: what the kernel is told beside what all are.
    sleep: where all of the machine waits, its clock goes on to the next event at once (off), or as this machine's does (on), as it must where
    it waits for a disk, which takes real time."""
    with open(report, "wb"):
        pass
    line = "console=ttyS0 loglevel=4 panic=-1 mitigations=off " + line
    command = [QEMU, "-machine", "q35", "-accel", "tcg", "-icount", "shift=2,sleep=" + sleep, "-cpu", "max", "-smp", "1", "-m", "1024", "-nodefaults",
               "-no-user-config", "-display", "none", "-kernel", kernel, "-append", line, "-serial", "file:" + console, "-serial", "file:" + report]
    try:
        subprocess.run(command + options, stdin=subprocess.DEVNULL, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return False
    return True


def reported(report, ended, seconds):
    """What was said, by what was looked at; and what is not as it must be."""
    said = {}
    with open(report, encoding="utf-8", errors="replace") as f:
        for line in f:
            if line.startswith("{"):
                facts = json.loads(line)
                said[facts.pop("what")] = facts
    failed = ["%s: %s" % (what, facts["failed"]) for what, facts in said.items() if "failed" in facts]
    if not ended:
        failed.append("no end within %g s" % seconds)
    elif "done" not in said:
        failed.append("it ended after " + (list(said) or ["nothing"])[-1])
    return said, failed


def told(said, what, right="yes"):
    """A cell of a table."""
    return "?" if what not in said else "NO" if "failed" in said[what] else right


def table(head, rows):
    return "".join("| %s |\n" % " | ".join(cells) for cells in [head, ["---"] * len(head)] + rows)
