# SPDX-License-Identifier: BSD-2-Clause
"""Real programs for tests/bench, from packages of PyPI that are pinned. All is on loopback and in temporary folders; each is a context.

Who loads them is not a Python, so that nothing is sampled but they: curl.
"""
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
import host  # noqa: E402
import pypi  # noqa: E402
from waiting import until  # noqa: E402

APPS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "apps")

DJANGO = ["Django==5.2.8", "gunicorn==23.0.0", "asgiref==3.10.0", "sqlparse==0.5.3", "packaging==25.0"]
FASTAPI = ["fastapi==0.121.2", "uvicorn==0.38.0", "starlette==0.49.3", "pydantic==2.12.4", "pydantic_core==2.41.5", "annotated-doc==0.0.4",
           "annotated-types==0.7.0", "typing-inspection==0.4.2", "typing_extensions==4.15.0", "anyio==4.11.0", "sniffio==1.3.1", "idna==3.11",
           "h11==0.16.0", "click==8.3.0"]
CELERY = ["celery==5.5.3", "redis==5.2.1", "kombu==5.5.4", "billiard==4.2.2", "vine==5.1.0", "amqp==5.3.1", "click==8.3.0",
          "click-didyoumean==0.3.1", "click-plugins==1.1.1.2", "click-repl==0.3.0", "prompt_toolkit==3.0.52", "wcwidth==0.2.14",
          "python-dateutil==2.9.0.post0", "six==1.17.0", "tzdata==2025.2", "packaging==25.0"]
PYTEST = ["pytest==9.0.1", "pluggy==1.6.0", "iniconfig==2.3.0", "packaging==25.0", "Pygments==2.19.2"]
MYPY = ["mypy==1.18.2", "mypy_extensions==1.1.0", "pathspec==0.12.1", "typing_extensions==4.15.0"]
AUSTIN = ["austin-dist==4.0.0"]

SHORT = "import collections, json, re; print(len(json.dumps([re.escape(str(i)) for i in range(500)])))"


class Missing(Exception):
    """What is not there, and how to get it."""


def interpreter(most=13):
    """The newest CPython up to 3.most that has pip: an ordinary one."""
    for version, path, build in reversed(host.pythons()):
        if (3, 10) <= version <= (3, most) and "-" not in build and \
                subprocess.run([path, "-m", "pip", "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return path
    raise Missing("no CPython from 3.10 to 3.%d with pip: install Debian's python3-pip" % most)


def packages(python, names):
    folder, why = pypi.installed(python, names)
    if not folder:
        raise Missing("cannot have %s: %s" % (", ".join(names), why))
    return folder


def environment(folder=None, **more):
    """Of a program that has the applications and, from a folder, its packages."""
    values = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    values.update(PYTHONPATH=os.pathsep.join([APPS] + ([folder] if folder else [])), PYTHONDONTWRITEBYTECODE="1", **more)
    return values


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def running(command, values=None, cwd=None, ends=10):
    """A program with all that it starts, which is a process group of its own; what it says is kept, and told when it fails."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen([str(a) for a in command], env=values, cwd=cwd, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                                   start_new_session=True)

        def words():
            said.seek(0)
            return said.read().decode(errors="replace")[-2000:]

        process.words = words
        try:
            yield process
        finally:
            for number, patience in ((signal.SIGTERM, ends), (signal.SIGKILL, 10)):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(patience)


def up(process, what, port):
    until("%s answers" % what, lambda: process.poll() is not None or listens(port), 120)
    if process.poll() is not None:
        raise Missing("%s ended with status %d: %s" % (what, process.returncode, process.words()))


@contextlib.contextmanager
def django(python, workers):
    """gunicorn with Django; its port."""
    folder, port = packages(python, DJANGO), free_port()
    with tempfile.TemporaryDirectory(prefix="plop-bench-") as place:
        command = [python, "-m", "gunicorn", "--workers", workers, "--bind", "127.0.0.1:%d" % port, "--worker-tmp-dir", place, "--chdir", APPS,
                   "shop:application"]
        with running(command, environment(folder), place) as process:
            up(process, "gunicorn", port)
            yield port


@contextlib.contextmanager
def fastapi(python, workers):
    """uvicorn with FastAPI; its port."""
    folder, port = packages(python, FASTAPI), free_port()
    command = [python, "-m", "uvicorn", "--workers", workers, "--port", port, "--no-access-log", "--log-level", "warning", "api:application"]
    with running(command, environment(folder), APPS) as process:
        up(process, "uvicorn", port)
        yield port


@contextlib.contextmanager
def celery(python, workers):
    """A Celery worker with its processes, Redis, and one process that sends tasks."""
    server = shutil.which("redis-server")
    if not server:
        raise Missing("no redis-server: install Debian's package redis-server")
    folder, port = packages(python, CELERY), free_port()
    values = environment(folder, BENCH_BROKER="redis://127.0.0.1:%d/0" % port)
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(tempfile.TemporaryDirectory(prefix="plop-bench-"))
        redis = stack.enter_context(running([server, "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", place]))
        up(redis, "redis-server", port)
        stack.enter_context(running([python, "-m", "celery", "-A", "jobs", "worker", "--concurrency", workers, "--loglevel", "ERROR",
                                     "--without-gossip", "--without-mingle", "--without-heartbeat"], values, place))
        stack.enter_context(running([python, os.path.join(APPS, "jobs.py")], values, place))
        yield port


@contextlib.contextmanager
def pool(python, workers):
    with running([python, os.path.join(APPS, "pool.py"), workers], environment()) as process:
        yield process.pid


@contextlib.contextmanager
def idle(python, many):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(running([python, os.path.join(APPS, "idle.py")], environment())).pid for _ in range(many)]


def pytest_command(python, place):
    """(command, environment) of one run of the suite."""
    return [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", os.path.join(place, "pytest"), "--rootdir", place,
            os.path.join(APPS, "suite.py")], environment(packages(python, PYTEST))


def mypy_command(python, place):
    """(command, environment) of one run over pytest, all of it each time. Status 1: it has found something."""
    return [python, "-m", "mypy", "--no-incremental", "--cache-dir", os.devnull, "--python-executable", python, "-p", "_pytest", "-p", "pluggy",
            "-p", "packaging"], dict(environment(packages(python, MYPY)), MYPYPATH=packages(python, PYTEST))


@contextlib.contextmanager
def again_and_again(what, command, values, cwd, good=(0,)):
    """Runs a command one time after the other. A list of how many ended with a good status and with another; two of those are enough."""
    runs, ending = [0, 0], threading.Event()

    def loop():
        while not ending.is_set() and runs[1] < 2:
            with running(command, values, cwd) as process:
                while process.poll() is None and not ending.wait(0.05):
                    pass
                if process.poll() is not None:
                    runs[process.returncode not in good] += 1
                    if process.returncode not in good:
                        print("%s failed with status %d: %s" % (what, process.returncode, process.words()), file=sys.stderr, flush=True)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield runs
    finally:
        ending.set()
        thread.join()


@contextlib.contextmanager
def short_processes(python, each_second, at_once=8):
    """So many short programs a second, at most at_once at a time; how many were started, in a list."""
    started, ending = [0], threading.Event()

    def loop():
        alive = []
        while not ending.wait(1 / each_second):
            alive = [process for process in alive if process.poll() is None]
            if len(alive) < at_once:
                alive.append(subprocess.Popen([python, "-c", SHORT], env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
                started[0] += 1
        for process in alive:
            process.wait()

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield started
    finally:
        ending.set()
        thread.join()


@contextlib.contextmanager
def requests(port, each_second=None, at_once=4):
    """curl asks for one number after the other; yields a function that says how many answers there were so far, and fails if one was bad."""
    with tempfile.NamedTemporaryFile(prefix="plop-bench-") as answers:
        # its standard error, since that has no buffer
        command = ["curl", "--no-progress-meter", "-o", os.devnull, "-w", "%{stderr}%{http_code}\\n"]
        command += ["--rate", "%d/m" % (60 * each_second)] if each_second else ["--parallel", "--parallel-max", at_once]
        command = [str(a) for a in command] + ["http://127.0.0.1:%d/[1-100000000]" % port]

        def counted():
            with open(answers.name, "rb") as f:
                said = f.read()
            good = said.count(b"200\n")
            # the last line may not be whole
            assert process.poll() is None and 4 * good >= len(said) - 3, "curl: %s" % said.replace(b"200\n", b"").decode(errors="replace")[:500]
            return good

        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=answers) as process:
            try:
                yield counted
            finally:
                process.kill()
