# SPDX-License-Identifier: BSD-2-Clause
"""What a daemon costs, by the kernel's account, of all its processes and BPF programs: for plopd and for what runs beside it."""
import ctypes
import os
import platform
import re
import time

SYS_BPF = {"x86_64": 321, "aarch64": 280}
BPF_ENABLE_STATS = 32  # include/uapi/linux/bpf.h
CLOCK_OF_PROCESS = 2  # include/linux/posix-timers.h, CPUCLOCK_SCHED
TICK = os.sysconf("SC_CLK_TCK")


class RunStats:
    """The kernel times every BPF program while one of these is open."""

    def __enter__(self):
        attributes = ctypes.create_string_buffer(8)  # type BPF_STATS_RUN_TIME is 0
        self.fd = ctypes.CDLL(None, use_errno=True).syscall(SYS_BPF[platform.machine()], BPF_ENABLE_STATS, attributes, 8)
        assert self.fd >= 0, "cannot have BPF programs timed: %s" % os.strerror(ctypes.get_errno())
        return self

    def __exit__(self, *_):
        os.close(self.fd)


def text(path):
    """What is in a file of /proc; nothing when its process has ended."""
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def tree(pid):
    """A process and all that descend from it."""
    found = [pid]
    for thread in os.listdir("/proc/%d/task" % pid) if os.path.isdir("/proc/%d/task" % pid) else []:
        for child in text("/proc/%d/task/%s/children" % (pid, thread)).split():
            found += tree(int(child))
    return found


def cpu_seconds(pid):
    """Of a process, all that descend from it, and those of them that have ended and were waited for."""
    total = 0.0
    for each in tree(pid):
        try:
            # clock_getcpuclockid(3) of another process: with its threads that have ended, and not in steps of 10 ms
            own = time.clock_gettime((~each << 3) | CLOCK_OF_PROCESS)
            fields = text("/proc/%d/stat" % each).rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue
        total += own + (int(fields[13]) + int(fields[14])) / TICK  # cutime, cstime
    return total


def parts(pid):
    """{thread's name: CPU seconds} of a process and all that descend from it, of the threads that are there now."""
    found = {}
    for each in tree(pid):
        folder = "/proc/%d/task" % each
        for thread in os.listdir(folder) if os.path.isdir(folder) else []:
            name, spent = (text(os.path.join(folder, thread, file)) for file in ("comm", "schedstat"))
            if name and spent:
                found[name.strip()] = found.get(name.strip(), 0.0) + int(spent.split()[0]) / 1e9
    return found


def resident(pid):
    """Bytes: of a process, and of those that descend from it what is theirs of the pages that they share."""
    def of(each, name):
        found = re.search(name + r": +(\d+) kB", text("/proc/%d/smaps_rollup" % each))
        return 1024 * int(found.group(1)) if found else 0

    first, *others = tree(pid)
    return of(first, "Rss") + sum(of(each, "Pss") for each in others)


def programs(pid):
    """{id: (ns, runs)} of the BPF programs that a daemon has open, while RunStats are."""
    found = {}
    for each in tree(pid):
        folder = "/proc/%d/fdinfo" % each
        for fd in os.listdir(folder) if os.path.isdir(folder) else []:
            values = dict(re.findall(r"^(prog_id|run_time_ns|run_cnt):\s+(\d+)$", text(os.path.join(folder, fd)), re.M))
            if len(values) == 3:
                found[int(values["prog_id"])] = (int(values["run_time_ns"]), int(values["run_cnt"]))
    return found


def bpf_seconds(pid):
    return sum(ns for ns, _ in programs(pid).values()) / 1e9


def folder_bytes(folder):
    """What the files of a folder take of the disk."""
    total = 0
    for place, _, files in os.walk(folder):
        for name in files:
            try:
                total += 512 * os.lstat(os.path.join(place, name)).st_blocks
            except OSError:
                pass
    return total


class Spent:
    """CPU seconds of a daemon and of its BPF programs since this was made."""

    def __init__(self, pid):
        self.pid, self.began = pid, time.monotonic()
        self.cpu, self.bpf = cpu_seconds(pid), bpf_seconds(pid)

    def now(self):
        """(seconds that have passed, CPU of its processes, of its BPF programs)"""
        return time.monotonic() - self.began, cpu_seconds(self.pid) - self.cpu, bpf_seconds(self.pid) - self.bpf
