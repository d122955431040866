# SPDX-License-Identifier: BSD-2-Clause
"""The OpenTelemetry eBPF profiler at a pinned commit, to be measured beside plopd. It is built from a clone of its repository by Go,
which takes the modules that it needs as it always does; what it sends goes to a sink on loopback."""
import contextlib
import os
import shutil
import subprocess
import tempfile

import baseline
import loads

COMMIT = "b442421a32ccfa07a527084c7c93b0f2b260b28f"
FILES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "otel")


def built(clone):
    """The folder of its programs: profiler and sink."""
    folder = os.path.join(baseline.CACHE, "otel-" + COMMIT[:12])
    if os.path.isdir(folder):
        return folder
    os.makedirs(baseline.CACHE, exist_ok=True)
    log = folder + ".log"
    with tempfile.TemporaryDirectory(prefix="part-", dir=baseline.CACHE) as part:
        source, ready = os.path.join(part, "source"), os.path.join(part, "ready")
        os.makedirs(source)
        archive = os.path.join(part, "source.tar")
        baseline.run("git archive", ["git", "-C", clone, "archive", "-o", archive, COMMIT], log)
        baseline.run("tar", ["tar", "-xf", archive, "-C", source], log)
        for name in os.listdir(os.path.join(source, "rlimit")):
            os.unlink(os.path.join(source, "rlimit", name))
        shutil.copy(os.path.join(FILES, "rlimit.go"), os.path.join(source, "rlimit"))
        os.makedirs(os.path.join(source, "sink"))
        shutil.copy(os.path.join(FILES, "sink.go"), os.path.join(source, "sink"))
        for name, package in (("profiler", "."), ("sink", "./sink")):
            baseline.run("go build", ["go", "build", "-mod=mod", "-o", os.path.join(ready, name), package], log, cwd=source)
        os.rename(ready, folder)
    return folder


@contextlib.contextmanager
def running(clone, hz):
    """The profiler at work; its pid."""
    folder = built(clone)
    with subprocess.Popen([os.path.join(folder, "sink")], stdout=subprocess.PIPE) as sink:
        try:
            port = int(sink.stdout.readline())
            # it wants tracefs, which is mounted for it alone where the host has none
            command = ["unshare", "--mount", "sh", "-c", "[ -e /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing; "
                       "exec \"$@\"", "sh", os.path.join(folder, "profiler"), "-samples-per-second", hz, "-disable-tls", "-collection-agent",
                       "127.0.0.1:%d" % port]
            with loads.running(command) as process:
                yield process
        finally:
            sink.kill()
