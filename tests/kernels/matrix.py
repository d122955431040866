# SPDX-License-Identifier: BSD-2-Clause
"""Boots Debian's kernels, which fetch brings, in qemu without KVM, one after the other, with plop's programs and a Python in an
initramfs, and has guest.py look at plopd there.

    matrix.py [--seconds S] [SUITE...]     S: for each kernel at most

The table of what was found goes to standard output and to kernels.md in $PLOP_ARTEFACTS, beside each kernel's console. Exits with 1
when something failed, with 77 where there is no qemu or no kernel."""
import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time

import pytest  # noqa: F401 # what the system tests import has to be in the initramfs

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [HERE, os.path.join(TESTS, "system")]
import host  # noqa: E402
import machine  # noqa: E402
from initramfs import Initramfs  # noqa: E402

SKIPPED = 77  # SKIP_RETURN_CODE of ctest
# Of the standard library what no workload imports.
LEFT_OUT = ("test", "tests", "idlelib", "tkinter", "turtledemo", "lib2to3", "ensurepip", "pydoc_data", "dist-packages", "site-packages")
LOOKS = ("check", "start", "before", "after", "lines", "deep", "recordings", "tally", "stop")


def build_initramfs(path):
    python = os.path.realpath(sys.executable)
    library = sysconfig.get_path("stdlib")
    made = Initramfs()
    made.add_program(python)
    made.add_tree(library, LEFT_OUT + tuple(name for name in os.listdir(library) if name.startswith("config-")))
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file and "-packages" in file:
            made.add(file)
    for name in ("plopd", "plopctl"):
        made.add_program(host.program(name))
    for name in ("system", "workloads", "kernels"):
        made.add_tree(os.path.join(TESTS, name), ("node_modules", "__pycache__", "golden"))
    made.put("/etc/passwd", b"root:x:0:0::/root:/bin/sh\n", 0o644)
    made.put("/etc/group", b"root:x:0:\n", 0o644)
    with open(os.path.join(HERE, "guest.py"), "rb") as f:
        made.put("/init", b"#!%s -B\n" % python.encode() + f.read())
    made.write(path)


def look(suite, kernel, initramfs, folder, options):
    """What guest.py said, by what it looked at; "failed" has what is not as it must be."""
    report, console = os.path.join(folder, "report"), os.path.join(options.artefacts, "kernel-%s.log" % suite)
    # what the kernel does not know of this line is in the environment of its first process
    line = "PLOP_SYSTEM=%s PLOP_BUILD_DIR=%s" % (os.path.join(TESTS, "system"), host.BUILD)
    began = time.monotonic()
    ended = machine.boot(kernel, line, report, console, options.seconds, ["-no-reboot", "-initrd", initramfs])
    said, failed = machine.reported(report, ended, options.seconds)
    return dict(said, suite=suite, seconds=time.monotonic() - began, failed=failed, console=console)


def row(said):
    def told(what, right="yes"):
        return machine.told(said, what, right)

    known = said.get("check", {})
    tally = said.get("tally", {})
    recordings = said.get("recordings", {})
    profile = [told(what) for what in ("before", "after", "lines", "deep")]
    return ("%s, Debian's %s" % (said.get("up", {}).get("release", "?"), said["suite"]),
            "%.1f s" % said["up"]["seconds"] if "up" in said else "no",
            told("start", "`bpf_loop()`" if known.get("loop") else "bounded loops"),
            "yes" if set(profile) == {"yes"} else " ".join(profile),
            told("recordings", "refused, as said" if "refused" in recordings else "yes"),
            "%d of %d" % (sum(tally["samples"]["lost"].values()), tally["samples"]["ticks"]) if "samples" in tally else told("tally"),
            "%.0f us" % (tally["ns"] / 1000) if "ns" in tally else "?",
            "%.0f s" % said["seconds"])


HEAD = ("kernel", "up in", "tick", "profile right", "own rate, tasks, off CPU", "ticks lost", "a sample, emulated", "all in")


def main():
    parser = argparse.ArgumentParser(description="plopd on Debian's kernels, in qemu")
    parser.add_argument("--seconds", type=float, default=400.0, help="for each kernel at most")
    parser.add_argument("suites", nargs="*")
    options = parser.parse_args()
    options.artefacts = os.environ.get("PLOP_ARTEFACTS") or os.path.join(host.BUILD, "artefacts")
    os.makedirs(options.artefacts, exist_ok=True)
    fetched = subprocess.run([os.path.join(HERE, "fetch")], stdout=subprocess.PIPE, check=True).stdout.decode()
    kernels = [line.split(None, 1) for line in fetched.splitlines()]
    kernels = [(suite, path) for suite, path in kernels if not options.suites or suite in options.suites]
    if not shutil.which(machine.QEMU) or not kernels:
        print("SKIP: " + ("%s is not here" % machine.QEMU if kernels else "no kernel is here: tests/kernels/fetch --make fetches them"))
        return SKIPPED
    found = []
    with tempfile.TemporaryDirectory(prefix="plop-kernels-") as folder:
        initramfs = os.path.join(folder, "initramfs")
        build_initramfs(initramfs)
        for suite, kernel in kernels:
            found.append(look(suite, kernel, initramfs, folder, options))
            print(" | ".join(row(found[-1])), flush=True)
            for failed in found[-1]["failed"]:
                print("    " + failed + "; its console: " + found[-1]["console"], flush=True)
    text = machine.table(HEAD, [row(said) for said in found])
    with open(os.path.join(options.artefacts, "kernels.md"), "w", encoding="utf-8") as f:
        f.write(text)
    print(text, end="", flush=True)
    return 1 if any(said["failed"] for said in found) else 0


if __name__ == "__main__":
    sys.exit(main())
