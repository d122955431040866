# SPDX-License-Identifier: BSD-2-Clause
"""
The service and version of processes whose own environment and command line do not say it: workers of gunicorn, celery, uvicorn, granian, uWSGI, dask,
multiprocessing, loky and execnet, and titles of setproctitle's, each with plopd started before and after; programs that embed Python, by hand, by PyInstaller and by
Cython; and what has executed another program.
"""
import contextlib
import glob
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

import host
import pypi
from ports import free_port
from marked import CTL_DONE, CTL_NO_TARGET
from waiting import until

PYTHON = "/usr/bin/python3"
PACKAGES = [
    "setproctitle==1.3.3", "gunicorn==21.2.0", "packaging==24.2", "joblib==1.3.2", "pytest==8.3.3", "pytest-xdist==3.6.1", "execnet==2.1.1", "iniconfig==2.0.0",
    "pluggy==1.5.0", "celery==5.3.6", "kombu==5.3.4", "billiard==4.2.0", "vine==5.1.0", "amqp==5.2.0", "click==8.1.7", "click-didyoumean==0.3.0",
    "click-plugins==1.1.1", "click-repl==0.3.0", "prompt-toolkit==3.0.43", "wcwidth==0.2.13", "python-dateutil==2.8.2", "six==1.16.0", "tzdata==2023.4",
]
# ... and those that want others of the same
SERVERS = [
    "uvicorn==0.54.0", "click==8.5.1", "h11==0.16.0", "granian==2.8.9", "pyuwsgi==2.0.30.post1", "cython==3.3.1", "distributed==2026.8.0", "dask==2026.8.0",
    "cloudpickle==3.1.3", "fsspec==2026.9.0", "importlib_metadata==10.2.0", "jinja2==3.1.6", "lazy_importer==0.1.0", "locket==1.0.0", "markupsafe==3.0.4",
    "msgpack==1.2.4", "packaging==26.4", "partd==1.4.2", "psutil==7.2.2", "pyyaml==6.0.4", "sortedcontainers==2.4.0", "tblib==3.2.2", "toolz==1.2.0",
    "tornado==6.6.1", "zict==3.0.0", "zipp==4.1.2",
]
SCRIPT = os.path.join(host.WORKLOADS, "services.py")
LABELS = {"PLOP_SERVICE": "web", "PLOP_VERSION": "7"}


def started(pid):
    """When a process began, in clock ticks since boot; 0: it has ended."""
    with contextlib.suppress(OSError):
        with open("/proc/%d/stat" % pid) as f:
            return int(f.read().rpartition(")")[2].split()[19])
    return 0


class Tree:
    """A program and all that it makes, in a session of its own, which ends with it."""

    all = []

    def __init__(self, name, command, count, environment=None, labels=("web", "7"), title=None, word="READY"):
        self.name, self.count, self.labels, self.title = name, count, labels, title
        values = {k: v for k, v in os.environ.items() if not k.startswith(("PLOP_SERV", "PLOP_VERS", "OTEL_", "DD_", "SENTRY_"))}
        values.update(environment or {})
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=values,
                                        start_new_session=True, cwd=host.WORKLOADS)
        self.pid = self.process.pid
        self.word = word
        self.all.append(self)

    def wait(self):
        """Until it is all there."""
        while self.word:
            line = self.process.stdout.readline().decode()
            assert line, "%s ended before it said %s" % (self.name, self.word)
            if line.startswith(self.word):
                break
        until("%s has %d processes" % (self.name, self.count), lambda: len(self.pids()) >= self.count, 60)

    def say(self, word=None):
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()
        while word and not self.process.stdout.readline().startswith(word):
            assert self.process.poll() is None, self.name

    def pids(self):
        done = subprocess.run(["pgrep", "-s", str(self.pid)], stdout=subprocess.PIPE)
        # the youngest last: pids begin anew when the last has been given
        return sorted((int(n) for n in done.stdout.split()), key=started)

    def end(self):
        self.process.kill()
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()


def newest():
    """3.14 or later, with the GIL, where forkserver is what multiprocessing does by itself; else the newest there is."""
    found = [(version, python) for version, python, build in host.pythons() if "freethreaded" not in build and "debug" not in build]
    return max(found)[1]


def without_packages():
    python = newest()
    return [Tree(kind, [python, SCRIPT, kind], count, {"PLOP_TEST_PYTHON": python}, labels=None) for kind, count in (("spawn", 3), ("forkserver", 4), ("fork", 3))]


def with_packages(folder, scratch):
    path = {"PYTHONPATH": folder + os.pathsep + host.WORKLOADS}
    labeled = dict(path, **LABELS)
    open(os.path.join(scratch, "go"), "w").close()
    address = "unix:" + os.path.join(scratch, "socket")
    return [
        Tree("gunicorn", [PYTHON, "-m", "gunicorn", "-w", "2", "-b", address, "services:app"], 3, labeled, title="gunicorn: ", word=None),
        # without labels: what it runs is known by the command line that it was started with
        Tree("gunicorn by name", [PYTHON, "-m", "gunicorn", "-w", "1", "-b", address + "2", "services:app"], 2, path, labels=None, title="gunicorn: ", word=None),
        Tree("celery", [PYTHON, "-m", "celery", "-A", "services:capp", "worker", "-c", "2", "-P", "prefork", "--without-mingle", "--without-gossip"], 3,
             dict(labeled, PLOP_TEST_CELERY="1", C_FORCE_ROOT="1"), title="[celeryd: ", word=None),
        Tree("loky", [PYTHON, SCRIPT, "loky"], 3, path, labels=None),
        Tree("xdist", [PYTHON, "-m", "pytest", "-p", "no:cacheprovider", "-n", "2", SCRIPT], 3, dict(path, PLOP_TEST_FOLDER=scratch), labels=None, word=None),
    ]


def with_servers(folder, scratch):
    """Servers with several processes: what makes the others, and its workers."""
    path = {"PYTHONPATH": folder + os.pathsep + host.WORKLOADS}
    labeled = dict(path, **LABELS)
    uvicorn = [PYTHON, "-m", "uvicorn", "--workers", "2", "--log-level", "critical", "services:asgi", "--port"]
    granian = [PYTHON, "-m", "granian", "--interface", "asgi", "--workers", "2", "--no-log", "services:asgi", "--port"]
    uwsgi = [PYTHON, os.path.join(folder, "bin", "uwsgi"), "--master", "--processes", "2", "--need-app", "--wsgi", "services:app",
             "--disable-logging", "--pythonpath", host.WORKLOADS]
    return [
        # the tracker of resources as well
        Tree("uvicorn", uvicorn + [str(free_port())], 4, labeled, word=None),
        Tree("uvicorn by name", uvicorn + [str(free_port())], 4, path, labels=None, word=None),
        Tree("granian", granian + [str(free_port())], 3, labeled, word=None),
        Tree("granian by name", granian + [str(free_port())], 3, path, labels=None, word=None),
        Tree("uwsgi", uwsgi + ["--http-socket", os.path.join(scratch, "uwsgi")], 3, labeled, word=None),
        Tree("uwsgi by name", uwsgi + ["--http-socket", os.path.join(scratch, "uwsgi2")], 3, path, labels=None, word=None),
        Tree("dask", [PYTHON, SCRIPT, "dask"], 4, labeled),
        Tree("dask by name", [PYTHON, SCRIPT, "dask"], 4, path, labels=None),
    ]


# What each is called where nothing but its command line says it.
NAMES = {"gunicorn by name": "gunicorn", "xdist": "pytest", "uvicorn by name": "uvicorn", "granian by name": "granian", "uwsgi by name": "uwsgi",
         "dask by name": os.path.basename(SCRIPT)}
# ... and of those that end so.
SUFFIXES = {" by name": "overwritten.py"}


def listed(daemon):
    return {p["pid"]: p for p in json.loads(daemon.ctl("ps", "--json").out)}


def is_unnamed(process):
    """Whether nothing but its command line names its service."""
    return not process["container"] and not (process["unit"].endswith(".service") and not process["unit"].startswith("user@"))


def check_tree(daemon, tree):
    """All of it has the labels of the first, and these are the right ones."""
    def right():
        processes = listed(daemon)
        mine = [processes.get(pid) for pid in tree.pids()]
        if len(mine) < tree.count or not all(p and p["status"] == "profiled" for p in mine):
            return False
        first = processes[tree.pid]
        name = NAMES.get(tree.name) or next((n for suffix, n in SUFFIXES.items() if tree.name.endswith(suffix)), os.path.basename(SCRIPT))
        # the version of all is that of the first, which the script's file has, or the work tree that it is in
        labels = tree.labels or (name if is_unnamed(first) else first["service"], first["version"])
        seen = [(p["service"], p["version"]) for p in mine]
        titles = [p["cmdline"] for p in mine]
        last[:] = [seen, titles]
        return seen == [labels] * len(mine) and (not tree.title or all(t.startswith(tree.title) for t in titles)) and mine
    last = []
    try:
        mine = until("the labels of %s" % tree.name, right, 40)
    except AssertionError:
        raise AssertionError("%s: %s" % (tree.name, last)) from None
    if tree.title:
        text = daemon.ctl("dump", "-p", tree.pids()[-1]).out
        assert text.startswith("Process %d: %s" % (tree.pids()[-1], tree.title)), text[:200]
    return "%s: %d of %s" % (tree.name, len(mine), (mine[0]["service"], mine[0]["version"]))


def exported(daemon, *arguments):
    """The profile of the last ten minutes; one without processes, if there are no samples yet."""
    done = daemon.ctl("export", "--since", "10m", "-f", "json", "-o", "-", *arguments)
    assert done.returncode in (CTL_DONE, CTL_NO_TARGET), done.err
    return json.loads(done.out) if done.returncode == CTL_DONE else {"processes": []}


def check_titles(daemon, tree):
    """A title that is set while plopd looks on, and that of a child."""
    tree.say(b"SET")
    wanted = {tree.pid: "shop: idle since monday", tree.pids()[-1]: "shop: child at work"}
    assert len(wanted) == 2, tree.pids()

    def shown():
        processes = listed(daemon)
        return all(processes.get(pid, {}).get("cmdline") == title for pid, title in wanted.items())
    began = time.monotonic()
    until("the titles are shown", shown, 40)
    child = tree.pids()[-1]
    # as much of it as the kernel takes for a name
    until("the window has the title", lambda: wanted[child][:15] in [p["comm"] for p in exported(daemon, "pid=%d" % child)["processes"]])
    text = daemon.ctl("dump", "-p", child).out
    assert text.startswith("Process %d: %s\n" % (child, wanted[child])), text[:200]
    return "titles: after %.1f s" % (time.monotonic() - began)


def check_restless(daemon, tree):
    """Ten titles a second: plopd looks at few of them, and says so; a window has one of them."""
    until("its title is called restless", lambda: listed(daemon).get(tree.pid, {}).get("restless_title"), 40)
    assert "[title changes often] restless: request " in daemon.ctl("ps").out
    # each is an entry of a window or none: not one for each title
    processes = until("the window has it", lambda: exported(daemon, "pid=%d" % tree.pid)["processes"], 40)
    assert len(processes) <= 2, processes
    return "restless: said"


def check_exec(daemon):
    """What it did before it executed another program keeps its labels, and what it does after has its own, in one window."""
    tree = Tree("exec", [PYTHON, SCRIPT, "exec"], 1, {"PLOP_SERVICE": "before", "PLOP_VERSION": "1"})
    try:
        tree.wait()
        daemon.profiled(tree.pid)
        until("it has samples", lambda: listed(daemon)[tree.pid]["samples"] > 20)
        tree.say(b"AFTER")
        until("it is known as what it is now", lambda: listed(daemon).get(tree.pid, {}).get("service") == "after")
        until("it has samples", lambda: listed(daemon)[tree.pid]["samples"] > 20)
        done = daemon.ctl("export", "--since", "10m", "-f", "collapsed", "-g", "service,version", "-o", "-", "pid=%d" % tree.pid)
        assert done.returncode == 0, done.err
        groups = {}
        for frames, count in host.collapsed(done.out):
            key = (frames[0][0], frames[1][0], "after" if "after" in [name for name, _, _ in frames] else "before")
            groups[key] = groups.get(key, 0) + count
        # between fork and exec it is one of this test's own
        named = {(service[8:], version[8:]) for service, version, _ in groups if service != "service=pytest"}
        assert named == {("before", "1"), ("after", "1")}, groups
        # the functions of one are never under the other's name
        wrong = [key for key in groups if key[2] == "after" and key[0] != "service=after"]
        assert not wrong, groups
        return "exec: %s" % sorted(named)
    finally:
        tree.end()


def cythonized(scratch, folder):
    """(program, None): frozen.py as Cython makes a program of it, which is linked to a libpython; or (None, why there is none)."""
    program = os.path.join(scratch, "reckoner")
    if os.path.exists(program):
        return program, None
    config = PYTHON + "-config"
    if not shutil.which("gcc") or not os.path.exists(config):
        return None, "there is no gcc, or no %s" % config
    flags = [subprocess.run([config] + options, stdout=subprocess.PIPE, check=True).stdout.decode().split()
             for options in (["--includes"], ["--ldflags", "--embed"])]
    subprocess.run([PYTHON, "-m", "cython", "-3", "--embed", "-o", program + ".c", os.path.join(host.WORKLOADS, "frozen.py")], check=True,
                   env=dict(os.environ, PYTHONPATH=folder), timeout=120)
    subprocess.run(["gcc", "-O0"] + flags[0] + [program + ".c", "-o", program] + flags[1], check=True)
    return program, None


def embedders(scratch, servers):
    """Programs that have Python in them and arguments of their own."""
    found = []
    gdb = subprocess.run(["which", "gdb"], stdout=subprocess.PIPE).stdout.decode().strip()
    if gdb:
        found.append((os.path.basename(os.path.realpath(gdb)), [gdb, "-nx", "-q", "-ex", "python print('READY', flush=True)", "--args", "/bin/true", "--token", "secret"]))
    else:
        print("without gdb: it is not there")
    program, why = pypi.frozen(PYTHON, os.path.join(host.WORKLOADS, "frozen.py"), "billing")
    if program:
        found.append(("billing", [program, "--token", "secret", "20"]))
    else:
        print("without PyInstaller: %s" % why)
    program, why = cythonized(scratch, servers) if servers else (None, "it could not be fetched")
    if program:
        found.append(("reckoner", [program, "--token", "secret", "20"]))
    else:
        print("without Cython: %s" % why)
    plugins = glob.glob("/usr/lib/uwsgi/plugins/python3*_plugin.so")
    if plugins and os.path.exists("/usr/bin/uwsgi-core"):
        # it runs Python from the start on, as there is an application to load
        found.append(("uwsgi-core", ["/usr/bin/uwsgi-core", "--plugin", plugins[0], "--need-app", "--disable-logging", "--http-socket",
                                     tempfile.mktemp(dir=scratch), "--pythonpath", host.WORKLOADS, "--set-placeholder", "token=secret", "--wsgi-file",
                                     os.path.join(host.TESTS, "system", "interpreters", "wsgi.py")]))
    else:
        print("without Debian's uWSGI: it is not there")
    # an interpreter under the name of an application
    copy = os.path.join(scratch, "my-app")
    if not os.path.exists(copy):
        shutil.copy(os.path.realpath(PYTHON), copy)
    found.append(("my-app", [copy, "-c", "import sys; print('READY', flush=True); sys.stdin.read()", "--token", "secret", "20"]))
    return found


def check_embedder(daemon, name, tree):
    def there():
        process = listed(daemon).get(tree.pid)
        return process if process and process["status"] == "profiled" else None
    process = until("%s is profiled" % name, there)
    assert process["service"] == name or not is_unnamed(process), process
    return "%s is %s" % (name, process["service"])


def overwritten():
    """In every version one with labels and one without, that have written over both where /proc shows them."""
    script = os.path.join(host.WORKLOADS, "overwritten.py")
    trees = []
    for version, python, build in host.pythons():
        name = "%d.%d (%s)" % (version + (build,))
        trees += [Tree(name, [python, script], 1, LABELS, title="titled: by a test"),
                  Tree(name + " by name", [python, "-u", script], 1, labels=None, title="titled: by a test")]
    return trees


@pytest.fixture(scope="module")
def packages():
    """(folder, None), or (None, why there are none) of PACKAGES; a pin that does not resolve is an error."""
    return pypi.installed(PYTHON, PACKAGES)


@pytest.fixture(scope="module")
def servers():
    return pypi.installed(PYTHON, SERVERS)


@pytest.mark.of_the_file
def test_packages(packages):
    """Without them there is no gunicorn, celery, loky, xdist and setproctitle; the rest is tested."""
    if not packages[0]:
        pytest.skip(packages[1])


@pytest.mark.of_the_file
def test_servers(servers):
    """Without them there is no uvicorn, granian, uWSGI of PyPI, dask and Cython."""
    if not servers[0]:
        pytest.skip(servers[1])


class Trees:
    """One of each, all there."""

    def __init__(self, folder, servers, scratch):
        os.makedirs(scratch)
        self.made = without_packages() + overwritten() + (with_packages(folder, scratch) if folder else [])
        self.made += with_servers(servers, scratch) if servers else []
        path = {"PYTHONPATH": folder} if folder else {}
        self.extra = {kind: Tree(kind, [PYTHON, SCRIPT, kind], 1, path, labels=None) for kind in (("title", "restless") if folder else ())}
        # uWSGI's standard output is its log
        self.programs = [(name, Tree(name, command, 1, labels=None, word=None if name == "uwsgi-core" else "READY"))
                         for name, command in embedders(scratch, servers)]
        for tree in self.made + list(self.extra.values()) + [tree for _, tree in self.programs]:
            tree.wait()


@pytest.fixture(scope="module")
def before_plopd(root, packages, servers):
    with tempfile.TemporaryDirectory() as scratch:
        try:
            yield Trees(packages[0], servers[0], os.path.join(scratch, "after")), scratch
        finally:
            for tree in Tree.all:
                tree.end()


@pytest.fixture(scope="module")
def plopd(before_plopd):
    with host.Plopd() as daemon:
        yield daemon


@pytest.fixture(scope="module")
def after_plopd(plopd, before_plopd, packages, servers):
    return Trees(packages[0], servers[0], os.path.join(before_plopd[1], "before"))


class Checks:
    """The same before and after. First titles: the longer a process is known, the more seldom its title is looked at."""

    def test_titles(self, plopd, trees):
        if not trees.extra:
            pytest.skip("setproctitle could not be fetched")
        print(check_titles(plopd, trees.extra["title"]))

    def test_restless(self, plopd, trees):
        if not trees.extra:
            pytest.skip("setproctitle could not be fetched")
        print(check_restless(plopd, trees.extra["restless"]))

    def test_services(self, plopd, trees):
        print("; ".join(check_tree(plopd, tree) for tree in trees.made))

    def test_programs(self, plopd, trees):
        print("; ".join(check_embedder(plopd, name, tree) for name, tree in trees.programs))


class TestPlopdAfter(Checks):
    @pytest.fixture
    def trees(self, before_plopd):
        return before_plopd[0]


class TestPlopdBefore(Checks):
    @pytest.fixture
    def trees(self, after_plopd):
        return after_plopd


def test_exec(plopd):
    print(check_exec(plopd))
