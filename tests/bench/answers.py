# SPDX-License-Identifier: BSD-2-Clause
"""How long answers of plop-gateway take, of a store of weeks; and the same tree by go tool pprof and by DuckDB from the same samples.

Each time is of a fresh process, from the request to the last byte of its answer, with what it reads dropped from the page cache before
(posix_fadvise): of plop-gateway it is the request alone, as it serves all the time; of pprof and DuckDB also that they start, and read.
"""
import contextlib
import http.client
import os
import shutil
import sqlite3
import subprocess
import tempfile
import time

import loads  # noqa: E402, which knows where the others are
import host  # noqa: E402
from waiting import until  # noqa: E402

TOKEN = "0123456789abcdef0123456789abcdef"
DAY = 86400
TIMES = 5
DUCKDB = ["duckdb==2.0.0"]
# The tree of a flame graph: of each stack each beginning, what weighs at least one in 4096. The functions' names are a list beside it.
QUERY = """
WITH counted AS (SELECT stack, sum(samples) AS n FROM '{folder}/samples.parquet' WHERE time >= {begin} AND time < {end} GROUP BY stack),
     known AS (SELECT functions, sum(n) AS n FROM counted JOIN '{folder}/stacks.parquet' USING (stack) GROUP BY functions),
     way AS (SELECT list_slice(functions, 1, depth) AS path, n FROM known, unnest(range(1, len(functions) + 1)) AS t(depth))
SELECT path, sum(n) AS value FROM way GROUP BY path HAVING sum(n) * 4096 >= (SELECT sum(n) FROM known)
"""


def first(state):
    """Unix seconds when the oldest window begins that was added up."""
    with contextlib.closing(sqlite3.connect(os.path.join(state, "plop.db"))) as db:
        return db.execute("SELECT min(start_ns) FROM rollups").fetchone()[0] // 10 ** 9


def drop(*paths):
    """These files are read from the disk again."""
    for path in paths:
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fdatasync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)


def gateway(state, folder):
    """A plop-gateway without plopd, and its port."""
    port = loads.free_port()
    config = os.path.join(folder, "gateway.conf")
    with open(config, "w", encoding="utf-8") as f:
        f.write("[gateway]\ntoken = %s\n" % TOKEN)
    process = subprocess.Popen([host.program("plop-gateway"), "--config", config, "--state-dir", state, "--socket", os.path.join(folder, "none.sock"),
                                "--listen", "127.0.0.1:%d" % port], stderr=subprocess.DEVNULL)
    until("plop-gateway listens", lambda: loads.listens(port))
    return process, port


def ask(state, folder, path):
    """Milliseconds that an answer takes, the CPU time of it, and the answer."""
    db = os.path.join(state, "plop.db")
    drop(db)
    process, port = gateway(state, folder)
    try:
        before = cpu(process.pid)
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        connection.request("GET", path, headers={"Authorization": "Bearer " + TOKEN})
        answer = connection.getresponse()
        body = answer.read()
        took = time.monotonic() - began
        assert answer.status == 200, (path, answer.status, body[:300])
        return took * 1e3, (cpu(process.pid) - before) * 1e3, body
    finally:
        process.terminate()
        process.wait(20)


def cpu(pid):
    with open("/proc/%d/schedstat" % pid, encoding="ascii") as f:
        main = int(f.read().split()[0])
    total = 0
    for thread in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/schedstat" % (pid, thread), encoding="ascii") as f:
            total += int(f.read().split()[0])
    return max(total, main) / 1e9


def pprof(file, folder):
    """Seconds until go tool pprof has its page of a flame graph."""
    drop(file)
    port = loads.free_port()
    began = time.monotonic()
    process = subprocess.Popen(["go", "tool", "pprof", "-no_browser", "-http=127.0.0.1:%d" % port, file], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, env=dict(os.environ, HOME=folder, PPROF_TMPDIR=folder), start_new_session=True)
    try:
        while not loads.listens(port):
            assert process.poll() is None and time.monotonic() < began + 300, process.returncode
            time.sleep(0.002)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        connection.request("GET", "/ui/flamegraph")
        answer = connection.getresponse()
        size = len(answer.read())
        assert answer.status == 200 and size > 100000, (answer.status, size)
        return (time.monotonic() - began) * 1e3
    finally:
        os.killpg(process.pid, 15)
        process.wait(20)


DUCK = "import duckdb, sys\nduckdb.sql('SET enable_progress_bar = false')\nrows = duckdb.sql(sys.argv[1]).fetchall()\nprint(len(rows), sum(v for p, v in rows if len(p) == 1))\n"


def duck(python, packages, query, files):
    """Milliseconds of a Python that asks DuckDB; and how many nodes there are, and samples below the root."""
    drop(*files)
    began = time.monotonic()
    done = subprocess.run([python, "-c", DUCK, query], stdout=subprocess.PIPE, env=loads.environment(packages), check=True)
    nodes, samples = (int(n) for n in done.stdout.split())
    return (time.monotonic() - began) * 1e3, nodes, samples


def parquet(python, packages, folder):
    """From what bench_store wrote; ordered by time, as it comes."""
    sql = """SET enable_progress_bar = false;
    COPY (SELECT * FROM read_csv('{0}/samples.csv', header=true)) TO '{0}/samples.parquet' (FORMAT parquet, COMPRESSION zstd);
    COPY (SELECT stack, string_split(functions, ' ')::INTEGER[] AS functions FROM read_csv('{0}/stacks.csv', header=true,
          columns={{'stack': 'INTEGER', 'functions': 'VARCHAR'}})) TO '{0}/stacks.parquet' (FORMAT parquet, COMPRESSION zstd)""".format(folder)
    subprocess.run([python, "-c", "import duckdb, sys; duckdb.sql(sys.argv[1])", sql], env=loads.environment(packages), check=True)
    return [os.path.join(folder, name) for name in ("samples.parquet", "stacks.parquet")]


def best(function, *arguments):
    return min((function(*arguments) for _ in range(TIMES)), key=lambda a: a[0] if isinstance(a, tuple) else a)


def measure(state, first, days, bench, row):
    """first: Unix seconds when the store's first window begins; bench and row: of tests/bench/store."""
    end = first + days * DAY
    day = end - DAY
    tree = "/v1/profile?format=tree&from=%d&to=%d"
    function = "_call_with_frames_removed"
    with tempfile.TemporaryDirectory(prefix="plop-bench-") as folder:
        def answer(what, path, goal):
            took, used, body = best(ask, state, folder, path)
            row(what, "%.0f ms" % took, "%.0f ms" % used, "", goal)
            return took, body

        print("\nthrough plop-gateway, cold; the best of %d; %d days of windows, %.0f MB" % (
            TIMES, days, os.path.getsize(os.path.join(state, "plop.db")) / 1e6))
        row("", "time", "CPU", "", "goal")
        one, _ = answer("flame tree of a day", tree % (day, end), "300 ms")
        answer("flame tree of ten minutes", tree % (day + 40007, day + 40607), "30 ms")
        answer("one function's share over %d days" % days, "/v1/series?from=%d&to=%d&function=%s" % (first, end, function), "100 ms")
        answer("CPU over %d days" % days, "/v1/series?from=%d&to=%d" % (first, end), "")
        answer("diff of two days", "/v1/diff?base.from=%d&base.to=%d&new.from=%d&new.to=%d" % (day - DAY, day, day, end), "700 ms")
        answer("deploys of a day", "/v1/deploys?from=%d&to=%d" % (day, end), "")
        answer("services of a day", "/v1/labels/service?from=%d&to=%d" % (day, end), "")
        bench("samples", state, day, end, folder)
        if shutil.which("go"):
            took = best(pprof, os.path.join(folder, "day.pb.gz"), folder)
            row("that day's, go tool pprof, from one file", "%.0f ms" % took, "", "%.1f" % (took / one), "5 times")
        else:
            print("  (there is no go: no go tool pprof)")
        python = loads.interpreter()
        packages = loads.packages(python, DUCKDB)
        files = parquet(python, packages, folder)
        took, nodes, samples = best(duck, python, packages, QUERY.format(folder=folder, begin=day, end=end), files)
        assert nodes > 1000 and samples > 0, (nodes, samples)
        row("that day's, DuckDB, from Parquet", "%.0f ms" % took, "", "%.1f" % (took / one), "2 times")
