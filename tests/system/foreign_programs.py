# SPDX-License-Identifier: BSD-2-Clause
"""Programs of others, which tests/foreign fetches."""
import os
import re
import subprocess

import pytest

import host

# Why there may be none, by what tests/foreign says: no Debian, or no network. Anything else is a fault.
CANNOT_BE_HAD = re.compile(r"there is no apt here|knows no Debian|could not be fetched")


def foreign_program(name):
    """(path, version); skips where it cannot be had."""
    listed = subprocess.run([os.path.join(host.TESTS, "foreign"), "--make", name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=400)
    if not listed.stdout:
        said = listed.stderr.decode().strip()
        assert CANNOT_BE_HAD.search(said), "tests/foreign has no %s: %s" % (name, said)
        pytest.skip("without %s: %s" % (name, said))
    return tuple(listed.stdout.decode().split()[1:])
