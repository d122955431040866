# SPDX-License-Identifier: BSD-2-Clause
"""
The fixtures of the system tests, and what each file has in common when it runs: a deadline below ctest's ($PLOP_TEST_SECONDS),
the log of each plopd that ran when a test failed, the exit status 77 of a file whose tests are all skipped, and an end to every
process that was started.
"""
import concurrent.futures
import faulthandler
import os
import resource
import signal
import sys
import tempfile

import pytest

# the folders of what several files import
sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), name) for name in ("", "ctl")]
pytest.register_assert_rewrite("access_scopes", "exports", "marked_recording", "patience", "possible", "server", "terminal", "truth")
import host  # noqa: E402

SKIPPED = 77  # SKIP_RETURN_CODE of ctest
LOG_MAX = 20000


@pytest.fixture(scope="session")
def root():
    """Skips for whoever may not load BPF programs."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to load BPF programs")


@pytest.fixture(scope="module")
def plopd(request, root):
    """The plopd of a file, which all its tests share. The file's PLOPD, a tuple, has its arguments."""
    with host.Plopd(*getattr(request.module, "PLOPD", ())) as daemon:
        yield daemon


@pytest.fixture
def start_plopd(root):
    """Starts a plopd with these arguments, for one test alone."""
    yield from started(host.Plopd)


@pytest.fixture
def workload():
    """Starts a host.Workload, for one test alone."""
    yield from started(host.Workload)


def started(make):
    running = []

    def start(*arguments, **options):
        running.append(make(*arguments, **options))
        return running[-1]

    yield start
    for each in reversed(running):
        each.__exit__(None, None, None)


@pytest.fixture
def folder():
    """An empty folder."""
    with tempfile.TemporaryDirectory(prefix="plop-test-") as path:
        yield path


# What a test may ask for to be run for each of several interpreters, and which those are of host.pythons().
PARAMETERS = {"interpreter": list, "one_of_each": host.one_of_each}


def pytest_generate_tests(metafunc):
    """A test that takes `interpreter` runs with each of them, one that takes `one_of_each` with one of each version."""
    for name, choose in PARAMETERS.items():
        if name in metafunc.fixturenames:
            rows = choose(host.pythons())
            metafunc.parametrize(name, rows, ids=map(host.called, rows))


@pytest.fixture(scope="session")
def interpreters():
    """All of host.pythons(), for a test that needs several at once."""
    found = host.pythons()
    if not found:
        pytest.skip("no interpreter: tests/pythons --make fetches them")
    return found


def rows_of(request):
    """The interpreters that a file's tests are to run with: as interpreter, one_of_each, or a parameter row of their own."""
    rows = []
    for item in request.session.items:
        for name in (*PARAMETERS, "row"):
            row = item.callspec.params.get(name) if item.path == request.path and hasattr(item, "callspec") else None
            if row and row not in rows:
                rows.append(row)
    return rows


@pytest.fixture(scope="module")
def at_once(request):
    """
    at_once(n, measure) calls measure(row) for each interpreter of the file's tests, by n threads, and returns a function that
    gives for a row what measure() gave, or raises what it raised. So each interpreter has a test of its own, and as many as the
    CPUs can run are measured side by side. among: not with others than these.
    """
    pools = []

    def begin(threads, measure, among=None):
        pools.append(concurrent.futures.ThreadPoolExecutor(threads))
        running = {row: pools[-1].submit(measure, row) for row in rows_of(request) if among is None or row in among}
        return lambda row: running[row].result()

    yield begin
    for pool in pools:
        pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def in_groups(request):
    """
    The same, of what measures several together: in_groups(n, measure) calls measure(rows), which returns a list, for groups of
    at most n, each when the first of its rows is asked for.
    """
    def begin(size, measure):
        rows, results = rows_of(request), {}

        def result(row):
            if row not in results:
                at = rows.index(row)
                group = rows[at - at % size:][:size]
                try:
                    results.update(zip(group, measure(group)))
                except Exception as e:  # every test of the group fails by it
                    results.update(dict.fromkeys(group, e))
            if isinstance(results[row], Exception):
                raise results[row]
            return results[row]

        return result

    return begin


def too_late(number, _):
    """What hangs may be a thread that waits for a process: the processes end, so that the threads do."""
    faulthandler.dump_traceback()
    show_logs()
    host.end_all()
    pytest.exit("no end within %s s" % os.environ["PLOP_TEST_SECONDS"] if number == signal.SIGALRM else "SIGTERM", 1)


def show_logs():
    for daemon in host.Plopd.running:
        print("\n---- the log of plopd --state-dir %s ----\n%s" % (daemon.state, daemon.said()[-LOG_MAX:]), flush=True)


def pytest_configure(config):
    config.addinivalue_line("markers", "of_the_file: if this test is skipped, and no other fails, ctest is told that its file was")
    signal.signal(signal.SIGTERM, too_late)
    if os.environ.get("PLOP_TEST_SECONDS"):
        signal.signal(signal.SIGALRM, too_late)
        signal.alarm(int(os.environ["PLOP_TEST_SECONDS"]))


def pytest_runtest_logreport(report):
    """The log as it is when the test fails, before its fixtures end."""
    if report.failed:
        show_logs()


def pytest_terminal_summary(terminalreporter):
    """A file that took long and little CPU time waits for something."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    terminalreporter.write_line("%.1f s of CPU time" % sum(u.ru_utime + u.ru_stime for u in used))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    host.end_all()
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    ran = any(reporter.stats.get(kind) for kind in ("passed", "failed", "error"))
    skipped = reporter.stats.get("skipped", [])
    if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) and (
            skipped and not ran or any("of_the_file" in report.keywords for report in skipped)):
        session.exitstatus = SKIPPED
