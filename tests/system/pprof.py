#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Go's pprof, of every Go that is here, ready to run: the tests that ask it are to be right with each, and none of them compiles it.

Go 1.25 and later come without the tool: `go tool pprof` compiles it at its first use, which takes minutes on a busy machine. It is
compiled here once, into the folder pprof of the build tree ($PLOP_BUILD_DIR), from Go's own sources and without a network. As a
program this prints a line for each; without a Go there is nothing to do. tests/run starts it before the tests, and ctest as the
fixture "pprof" of those that use it.
"""
import contextlib
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import host  # noqa: E402

FOLDER = os.path.join(host.BUILD, "pprof")
COMPILE_SECONDS = 840  # below the time-out of the fixture
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
NONE = "there is no Go here (apt install golang-1.19-go)"


def gos():
    """Every go command: what the PATH has, or PLOP_GO in its place, and Debian's packages."""
    found = {}
    for go in [os.environ.get("PLOP_GO") or shutil.which("go"), *sorted(glob.glob("/usr/lib/go-*/bin/go"))]:
        if go:
            found.setdefault(os.path.realpath(go), go)
    return list(found.values())


def environment(folder):
    """Of a Go that asks no network, takes no other Go than itself, and leaves nothing in anybody's home."""
    values = {name: value for name, value in os.environ.items() if not name.startswith(("GO", "XDG_"))}
    values.update(HOME=folder, GOENV="off", GO111MODULE="off", GOPROXY="off", GOTOOLCHAIN="local", GOCACHE=os.path.join(folder, "cache"),
                  GOPATH=os.path.join(folder, "path"))
    return values


def ask(command, values, seconds=120):
    done = subprocess.run(command, env=values, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds, check=False)
    said = done.stdout.decode(errors="replace").strip()
    assert done.returncode == 0, "%s failed: %s" % (" ".join(command), said)
    return said


def ready(go):
    """(version, path of its pprof); compiled where Go has none and the folder has none yet."""
    # Go's telemetry may still write there when its folder is removed
    with tempfile.TemporaryDirectory(dir=FOLDER, ignore_cleanup_errors=True) as place:
        values = environment(place)
        version = ask([go, "version"], values).split()[2]
        mine = os.path.join(FOLDER, "pprof-" + version)
        for path in (os.path.join(ask([go, "env", "GOTOOLDIR"], values), "pprof"), mine):
            if os.access(path, os.X_OK):
                return version, path
        made = os.path.join(place, "pprof")
        ask([go, "build", "-o", made, "cmd/pprof"], values, COMPILE_SECONDS)
        os.rename(made, mine)  # whole or not at all
        return version, mine


def all_ready():
    """[(version, path of pprof)] of every Go here."""
    os.makedirs(FOLDER, exist_ok=True)
    return [ready(go) for go in gos()]


def run(path, *arguments):
    """What pprof prints."""
    with tempfile.TemporaryDirectory() as home:
        values = dict(os.environ, HOME=home, PPROF_TMPDIR=home)
        done = subprocess.run([path, *arguments], env=values, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout.decode("utf-8")


@contextlib.contextmanager
def pages(path, *arguments):
    """A function that gives what pprof's web page has at an address such as "top"."""
    with tempfile.TemporaryDirectory() as home:
        values = dict(os.environ, HOME=home, PPROF_TMPDIR=home)
        # without a number it takes a port that is free, and says which
        server = subprocess.Popen([path, "-http=127.0.0.1:", "-no_browser", *arguments], env=values, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE)
        try:
            said = b""
            while not said.startswith(b"Serving web UI on "):
                said = server.stderr.readline()
                assert said, "no page is served"
            address = said.split()[-1].decode()

            def answer(page):
                try:
                    return OPENER.open(address + "/ui/" + page, timeout=60).read().decode("utf-8")
                except urllib.error.HTTPError as e:
                    raise AssertionError("%s: %s" % (page, e.read().decode(errors="replace"))) from e
                except OSError:
                    return None  # it says so before it listens

            host.until("the page is there", lambda: answer("top"))
            yield answer
        finally:
            server.kill()
            server.communicate()


if __name__ == "__main__":
    for each in all_ready() or [(NONE,)]:
        print(": ".join(each))
