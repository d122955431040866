# SPDX-License-Identifier: BSD-2-Clause
"""
Packages of PyPI for the tests that want real ones, by pip, each set once, in tests/.cache/pypi. Versions are pinned, those of what they need as well.
A pin that does not resolve is a failure; only without a registry there are no packages.
"""
import hashlib
import os
import re
import shutil
import subprocess
import tempfile

import host

CACHE = os.path.join(host.TESTS, ".cache", "pypi")


# What pip says of a registry that does not answer (pip/_internal/network/session.py and urllib3's retries).
SILENT = re.compile(r"after connection broken by|Retrying \(|too many 5\d\d error responses|HTTP error 5\d\d|timed out|is being ignored")


def unreachable(said):
    """Whether it was the registry that kept pip from installing something, by what pip said."""
    # it has the package, in other versions
    if re.search(r"\(from versions: (?!none\))", said):
        return False
    return bool(SILENT.search(said))


def installed(python, packages):
    """(folder, None), or (None, why) when the registry cannot be reached; an AssertionError when pip fails with it."""
    name = hashlib.sha256("\n".join([os.path.realpath(python)] + sorted(packages)).encode()).hexdigest()[:16]
    folder = os.path.join(CACHE, name)
    if os.path.isdir(folder):
        return folder, None
    os.makedirs(CACHE, exist_ok=True)
    part = tempfile.mkdtemp(prefix="part-", dir=CACHE)
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--retries", "2",
               "--target", part] + packages
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    except subprocess.TimeoutExpired:
        shutil.rmtree(part)
        return None, "pip did not end within five minutes"
    if done.returncode != 0:
        shutil.rmtree(part)
        said = done.stdout.decode(errors="replace").strip()
        assert unreachable(said), "pip does not install what is pinned: " + said[-1000:]
        return None, "the registry of packages cannot be reached: " + said.splitlines()[0][:200]
    try:
        os.rename(part, folder)
    except OSError:
        # somebody else was faster
        shutil.rmtree(part)
    return folder, None


FREEZER = ["pyinstaller==6.11.1", "pyinstaller-hooks-contrib==2024.10", "altgraph==0.17.4", "setuptools==75.6.0", "packaging==24.2"]


def frozen(python, script, name):
    """What PyInstaller makes of a script, a program of that name: (path, None), or (None, why there is none)."""
    packages, why = installed(python, FREEZER)
    if not packages:
        return None, why
    with open(script, "rb") as f:
        key = hashlib.sha256(packages.encode() + f.read()).hexdigest()[:16]
    folder = os.path.join(CACHE, "frozen-" + key)
    program = os.path.join(folder, name, name)
    if os.path.exists(program):
        return program, None
    part = tempfile.mkdtemp(prefix="part-", dir=CACHE)
    command = [python, "-m", "PyInstaller", "--log-level", "ERROR", "--noconfirm", "--onedir", "--name", name, "--distpath", part,
               "--workpath", os.path.join(part, "work"), "--specpath", part, script]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, env=dict(os.environ, PYTHONPATH=packages))
    except subprocess.TimeoutExpired:
        shutil.rmtree(part)
        return None, "PyInstaller did not end within five minutes"
    if done.returncode != 0 or not os.path.exists(os.path.join(part, name, name)):
        shutil.rmtree(part)
        lines = done.stdout.decode(errors="replace").strip().splitlines() or ["it says nothing"]
        return None, "PyInstaller failed: " + lines[-1][:200]
    try:
        os.rename(part, folder)
    except OSError:
        shutil.rmtree(part)
    return program, None
