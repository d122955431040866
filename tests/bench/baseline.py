# SPDX-License-Identifier: BSD-2-Clause
"""Programs of an older commit, built once into the bench's cache, and a plopd of theirs beside another one's.

    beside = baseline.Plopd("46d097d", "--hz", 1000)

is a host.Plopd, with a state directory and a socket of its own.
"""
import argparse
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
import host  # noqa: E402

CACHE = os.path.join(host.TESTS, ".cache", "bench")
TOP = os.path.dirname(host.TESTS)
# what every ratio of the bench is to, if nothing else is said
COMMIT = "46d097d"
# plop-gateway is left out: it takes npm, and no figure is of it
PROGRAMS = ("plopd", "plopctl")


class CannotBuild(Exception):
    """One sentence: what failed, why, what to try."""


def run(what, command, log, **options):
    with open(log, "ab") as out:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False, **options)
    if done.returncode != 0:
        raise CannotBuild("%s failed with status %d, see %s" % (what, done.returncode, log))


def full_name(commit):
    """A commit's 40 digits."""
    done = subprocess.run(["git", "-C", TOP, "rev-parse", "--verify", "--quiet", commit + "^{commit}"], stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise CannotBuild("no commit %s in %s: take a clone with its whole history (git fetch --unshallow)" % (commit, TOP))
    return done.stdout.decode().strip()


def build(commit, folder, log):
    """Configures and compiles in a temporary folder; its programs end up in folder, all or none."""
    with tempfile.TemporaryDirectory(prefix="part-", dir=CACHE) as part:
        source, tree, ready = (os.path.join(part, name) for name in ("source", "build", "ready"))
        os.makedirs(source)
        archive = os.path.join(part, "source.tar")
        run("git archive", ["git", "-C", TOP, "archive", "-o", archive, commit], log)
        run("tar", ["tar", "-xf", archive, "-C", source], log)
        run("cmake", ["cmake", "-G", "Ninja", "-S", source, "-B", tree, "-DCMAKE_BUILD_TYPE=Release", "-DPLOP_TESTS=OFF"], log)
        run("ninja", ["ninja", "-C", tree, *PROGRAMS], log)
        os.makedirs(os.path.join(ready, "daemon"))
        for name in PROGRAMS:
            shutil.copy2(os.path.join(tree, "daemon", name), os.path.join(ready, "daemon", name))
        os.rename(ready, folder)


def built(commit=COMMIT):
    """The folder of a commit's programs, as host.Plopd takes it; compiles it where the cache has none, which takes a minute or two."""
    name = full_name(commit)
    os.makedirs(CACHE, exist_ok=True)
    folder = os.path.join(CACHE, name)
    with open(os.path.join(CACHE, "lock"), "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(folder):
            print("compiling %s into %s" % (commit, folder), file=sys.stderr, flush=True)
            build(name, folder, os.path.join(CACHE, name + ".log"))
    return folder


def ready(commit=COMMIT):
    """Whether the cache has a commit's programs."""
    try:
        return os.path.isdir(os.path.join(CACHE, full_name(commit)))
    except CannotBuild:
        return False


class Plopd(host.Plopd):
    """The plopd of a commit."""

    def __init__(self, commit, *arguments, **options):
        super().__init__(*arguments, build=built(commit), **options)


def main():
    parser = argparse.ArgumentParser(prog="baseline", description="Builds a commit and starts its plopd beside whatever runs, with a "
                                     "socket and a state directory of its own, until it is interrupted. Needs root, unless it only builds.",
                                     epilog="Options behind -- are plopd's.")
    parser.add_argument("commit", metavar="COMMIT")
    parser.add_argument("options", nargs="*", metavar="OPTION", help="of plopd, such as --hz=1000")
    parser.add_argument("--build", action="store_true", help="only build, and say where")
    options = parser.parse_args()
    try:
        folder = built(options.commit)
    except (CannotBuild, OSError) as e:
        print("baseline: %s" % e, file=sys.stderr)
        return 1
    print(folder, flush=True)
    if options.build:
        return 0
    host.need_root()
    with host.Plopd(*options.options, build=folder) as daemon:
        print("plopd %d: %s --socket %s status" % (daemon.process.pid, daemon.program("plopctl"), daemon.socket), flush=True)
        try:
            while daemon.process.poll() is None:
                time.sleep(1)
        except KeyboardInterrupt:
            return 0
    print("baseline: plopd ended: %s" % daemon.process.returncode, file=sys.stderr)
    return 1
