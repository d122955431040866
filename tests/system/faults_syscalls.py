# SPDX-License-Identifier: BSD-2-Clause
"""
One syscall of plopd's, or of plop-gateway's, fails with EPERM or EIO: once, or from some call on. It goes on, and says so where anything is worse for it;
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
from waiting import until

# strace counts each thread's and process's calls apart. When: "3" the third alone, "3+" each from it on.
SOME = """accept4:EPERM:1+ clone3:EPERM:1 epoll_wait:EIO:300 fdatasync:EIO:1+ getdents64:EIO:1+ getpeername:EIO:1+ getsockopt:EIO:3+ perf_event_open:EPERM:1
poll:EPERM:2 readlink:EPERM:1+ sendmsg:EIO:1+ socketpair:EPERM:1 unlink:EIO:1+""".split()
SOME_OF_GATEWAY = """accept4:EIO:1+ bind:EPERM:1 epoll_create1:EIO:1 getpeername:EIO:1+ openat:EPERM:100+ recvfrom:EIO:1+ socket:EPERM:3 timerfd_create:EIO:1""".split()
AT_ONCE = 4
NEEDS_STRACE = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not there, which makes syscalls fail")


def spaced(most):
    """From 1 to most: all at first, then ever more seldom."""
    at, found = 1, []
    while at <= most:
        found.append(at)
        at = max(at + 1, int(at * 1.2))
    return found


def cases(some, count):
    """(syscall, error, when) of those in some, or of all that count() finds."""
    if os.environ.get("PLOP_FAULTS") != "all":
        return [tuple(case.split(":")) for case in some]
    found = []
    for name, most in sorted(count().items()):
        if name in injected.NOT_PLOPS:
            continue
        first = injected.FROM.get(name, 1)
        found += [(name, ("EPERM", "EIO")[i % 2], str(at)) for i, at in enumerate(spaced(most)) if at >= first]
        if name not in injected.ONCE_ONLY:
            found += [(name, ("EIO", "EPERM")[i % 2], "%d+" % at) for i, at in enumerate(sorted({1, most // 4 + 1, most // 2 + 1}))]
    return found


def inject_each(found, check):
    """Each of the cases, some at once; all that went wrong is told."""
    wrong = []
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        running = {pool.submit(check, "%s:error=%s:when=%s" % case): ":".join(case) for case in found}
        for each in concurrent.futures.as_completed(running):
            try:
                result = each.result()
            except Exception as e:  # whatever it is, the others are told of, too
                wrong.append("%s: %s: %s" % (running[each], type(e).__name__, e))
                result = "WRONG " + wrong[-1]
            if result:
                print(result, flush=True)
    happened = sum(each.exception() is None and each.result() is not None for each in running)
    print("%d faults, of which %d happened" % (len(running), happened))
    assert not wrong, "\n".join(wrong)
    assert happened > 0.7 * len(running)


@NEEDS_STRACE
def test_plopd(root, folder):
    seed = injected.make_seed(folder)
    with host.Workload(sys.executable, code=injected.BUSY) as work:
        inject_each(cases(SOME, lambda: injected.counted(seed, work)), lambda inject: injected.check(inject, seed, work))


@NEEDS_STRACE
def test_gateway(start_plopd):
    plopd = start_plopd("--window", 1)
    until("a window is saved", lambda: plopd.status()["store"]["windows"] > 0)
    inject_each(cases(SOME_OF_GATEWAY, lambda: injected.counted_gateway(plopd)), lambda inject: injected.check_gateway(inject, plopd))
