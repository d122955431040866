# SPDX-License-Identifier: BSD-2-Clause
"""check_lines.py LINES_LIVE PYTHONS: every interpreter that PYTHONS lists describes its whole library, LINES_LIVE compares."""
import concurrent.futures
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SKIPPED = 77


def check(lines_live, row):
    """Whether all is as it should be; prints what was compared."""
    version, path, build = row.split(None, 2)
    describe = subprocess.Popen([path, "-W", "ignore", os.path.join(HERE, "lines.py")], stdout=subprocess.PIPE)
    compare = subprocess.run([lines_live], stdin=describe.stdout, capture_output=True, text=True, timeout=280)
    describe.stdout.close()
    ok = describe.wait(timeout=60) == 0 and compare.returncode == 0
    print("%-8s %-20s %s%s" % (version, build, "" if ok else "FAILED: ", (compare.stdout + compare.stderr).strip()), flush=True)
    return ok


def main():
    lines_live, pythons = sys.argv[1:3]
    listed = subprocess.run([pythons], capture_output=True, text=True, timeout=120, check=True).stdout.splitlines()
    if not listed:
        print("skipped: no CPython that plop knows is installed")
        return SKIPPED
    # one compares while another describes
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return 0 if all(list(pool.map(lambda row: check(lines_live, row), listed))) else 1


if __name__ == "__main__":
    sys.exit(main())
