# SPDX-License-Identifier: BSD-2-Clause
"""
One syscall of plopd's fails with EPERM or EIO: once, or from some call on. It goes on, and says so where anything is worse for it;
or it ends with one clear sentence. It never crashes or hangs, leaves no file half-written, and shows no wrong stack.

Some that once failed are tested, and one or two of each kind. PLOP_FAULTS=all takes an hour: each of its syscalls, at each of the
first calls and ever more seldom after these.
"""
import concurrent.futures
import os
import shutil
import sys

import pytest

import host
import injected

# strace counts each thread's and process's calls apart. When: "3" the third alone, "3+" each from it on.
SOME = """accept4:EPERM:1+ clone3:EPERM:1 epoll_wait:EIO:300 fdatasync:EIO:1+ getdents64:EIO:1+ getpeername:EIO:1+ perf_event_open:EPERM:1
poll:EPERM:2 readlink:EPERM:1+ sendmsg:EIO:1+ socketpair:EPERM:1 unlink:EIO:1+""".split()
AT_ONCE = 4


def spaced(most):
    """From 1 to most: all at first, then ever more seldom."""
    at, found = 1, []
    while at <= most:
        found.append(at)
        at = max(at + 1, int(at * 1.2))
    return found


def cases(seed, work):
    if os.environ.get("PLOP_FAULTS") != "all":
        return [tuple(case.split(":")) for case in SOME]
    found = []
    for name, most in sorted(injected.counted(seed, work).items()):
        if name in injected.NOT_PLOPS:
            continue
        found += [(name, ("EPERM", "EIO")[i % 2], str(at)) for i, at in enumerate(spaced(most))]
        if name not in injected.ONCE_ONLY:
            found += [(name, ("EIO", "EPERM")[i % 2], "%d+" % at) for i, at in enumerate(sorted({1, most // 4 + 1, most // 2 + 1}))]
    return found


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not there, which makes syscalls fail")
def test_syscalls(root, folder):
    seed, wrong = injected.make_seed(folder), []
    with host.Workload(sys.executable, code=injected.BUSY) as work, concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        running = [pool.submit(injected.check, "%s:error=%s:when=%s" % (name, error, when), seed, work) for name, error, when in cases(seed, work)]
        for each in concurrent.futures.as_completed(running):
            try:
                result = each.result()
            except (AssertionError, OSError) as e:
                wrong.append(str(e))
                result = "WRONG " + str(e)
            if result:
                print(result, flush=True)
        happened = sum(each.exception() is None and each.result() is not None for each in running)
    print("%d faults, of which %d happened" % (len(running), happened))
    assert not wrong, "\n".join(wrong)
    assert happened > 0.7 * len(running)
