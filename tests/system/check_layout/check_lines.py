# SPDX-License-Identifier: BSD-2-Clause
"""check_lines.py LINES_LIVE PYTHONS: every interpreter that PYTHONS lists describes its own library, LINES_LIVE compares."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SKIPPED = 77


def main():
    lines_live, pythons = sys.argv[1:3]
    listed = subprocess.run([pythons], capture_output=True, text=True, timeout=120, check=True).stdout
    failed = done = 0
    for row in listed.splitlines():
        version, path, _ = row.split()
        describe = subprocess.Popen([path, "-W", "ignore", os.path.join(HERE, "lines.py")], stdout=subprocess.PIPE)
        compare = subprocess.run([lines_live], stdin=describe.stdout, capture_output=True, text=True, timeout=120)
        describe.stdout.close()
        ok = describe.wait(timeout=60) == 0 and compare.returncode == 0
        print("%-8s %s: %s%s" % (version, path, "" if ok else "FAILED: ", (compare.stdout + compare.stderr).strip()))
        failed += not ok
        done += 1
    if done == 0:
        print("skipped: no CPython that plop knows is installed")
        return SKIPPED
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
