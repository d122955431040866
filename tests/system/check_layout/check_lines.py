# SPDX-License-Identifier: BSD-2-Clause
"""Every interpreter describes its whole library, lines_live.c ($PLOP_LINES_LIVE) compares."""
import os
import subprocess

import pytest

import host

HERE = os.path.dirname(os.path.abspath(__file__))


def compare(python):
    """What was compared, or is wrong, and whether all is as it should be."""
    describe = subprocess.Popen([python, "-W", "ignore", os.path.join(HERE, "lines.py")], stdout=subprocess.PIPE)
    done = subprocess.run([os.environ["PLOP_LINES_LIVE"]], stdin=describe.stdout, capture_output=True, text=True, timeout=280, check=False)
    describe.stdout.close()
    ok = describe.wait(timeout=60) == 0 and done.returncode == 0
    return (done.stdout + done.stderr).strip(), ok


@pytest.fixture(scope="module")
def compared(at_once):
    # one compares while another describes
    return at_once(2, lambda row: compare(row[1]))


def test_lines(compared, interpreter):
    said, ok = compared(interpreter)
    print("%-20s %s" % (host.called(interpreter), said))
    assert ok, said
