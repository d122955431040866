# SPDX-License-Identifier: BSD-2-Clause
"""The receiver of the OpenTelemetry collector (ship/collector), built by Go at a pinned version, where a Go is new enough."""
import hashlib
import os
import re
import shutil
import subprocess
import tempfile

import host
import pprof

SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ship", "collector")
GO = (1, 26)  # as go.mod has it


def newest_go():
    """(version, what it says of itself, the command) of the newest Go here; None: there is none."""
    found = []
    for go in filter(os.path.exists, [*pprof.gos(), "/usr/local/go/bin/go"]):
        said = subprocess.run([go, "version"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        found.append((tuple(map(int, re.search(r"go(\d+)\.(\d+)", said).groups())), said, go))
    return max(found, default=None)


def built():
    """(path of the collector's receiver, None), or (None, why there is none). It stays in tests/.cache, and nothing else of Go's."""
    version, said, go = newest_go() or ((0, 0), "none", None)
    if version < GO:
        return None, "the collector's receiver takes Go %d.%d to build, and here is %s" % (*GO, said)
    with open(os.path.join(SOURCES, "go.mod"), "rb") as one, open(os.path.join(SOURCES, "main.go"), "rb") as other:
        name = hashlib.sha256(one.read() + other.read() + said.encode()).hexdigest()[:16]
    place = os.path.join(host.TESTS, ".cache", "collector")
    program = os.path.join(place, name)
    if os.access(program, os.X_OK):
        return program, None
    os.makedirs(place, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place, ignore_cleanup_errors=True) as part:
        for name in ("go.mod", "main.go"):
            shutil.copy(os.path.join(SOURCES, name), part)
        environment = dict(os.environ, GOFLAGS="-mod=mod -modcacherw", GOTOOLCHAIN="local", GOPATH=os.path.join(part, "path"),
                           GOCACHE=os.path.join(part, "cache"), CGO_ENABLED="0")
        done = subprocess.run([go, "build", "-o", "receiver", "."], cwd=part, env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=480, check=False)
        if done.returncode and re.search("dial tcp|no such host|connection refused|i/o timeout|Bad Gateway|Service Unavailable", done.stdout):
            return None, "Go's modules cannot be reached: " + done.stdout.splitlines()[-1][:200]
        assert done.returncode == 0, done.stdout[-2000:]
        os.rename(os.path.join(part, "receiver"), program)
    return program, None
