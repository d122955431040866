# SPDX-License-Identifier: BSD-2-Clause
"""silent.py WHERE [FILE]: a busy Python whose memory is, in one place, not answered for. The place is the line table of its function
silent_work() ("table"), or what it was started with ("environ"); or ("exec") it executes another program, and never ends doing that, as
FILE has to be closed for it. Without FILE, page faults there are its own to answer
(userfaultfd(2)), and it does not; with FILE, which lies in a file system that hangs, they are that file system's. Says READY, waits for a
line, and says SILENT when it is."""
import ctypes
import mmap
import os
import struct
import sys

PAGE = mmap.PAGESIZE
MAP_PRIVATE, MAP_FIXED = 2, 0x10
SYS_userfaultfd = 323  # arch/x86/entry/syscalls/syscall_64.tbl
UFFDIO_API, UFFDIO_REGISTER = 0xc018aa3f, 0xc020aa00  # include/uapi/linux/userfaultfd.h
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
libc.ioctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_char_p]


def check(result, what):
    if result in (-1, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), what)
    return result


def fault_by_nobody(start, size):
    fd = check(libc.syscall(SYS_userfaultfd, os.O_CLOEXEC), "userfaultfd")
    check(libc.ioctl(fd, UFFDIO_API, struct.pack("<3Q", 0xaa, 0, 0)), "UFFDIO_API")
    check(libc.ioctl(fd, UFFDIO_REGISTER, struct.pack("<4Q", start, size, 1, 0)), "UFFDIO_REGISTER")
    check(libc.madvise(start, size, 4), "madvise")  # MADV_DONTNEED


def fault_by_file(start, size, fd):
    check(libc.mmap(start, size, mmap.PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0), "mmap")


def silent_work(rounds):
    total = 0
    for i in range(rounds):
        total += i * i
    return total


def table_pages():
    """Gives silent_work() a line table that has pages of its own; the first page, where its size stands, stays."""
    code = silent_work.__code__
    table = bytes(code.co_linetable) + bytes(1 << 20)
    silent_work.__code__ = code.replace(co_linetable=table)
    held = silent_work.__code__.co_linetable
    start = (id(held) + PAGE - 1) // PAGE * PAGE
    return start, (id(held) + len(held)) // PAGE * PAGE - start


def environ_pages():
    """The pages of the environment that nothing else is in: it has to be large."""
    fields = open("/proc/self/stat").read().rsplit(")", 1)[1].split()
    first, last = int(fields[47]), int(fields[48])  # proc(5): env_start, env_end
    start = (first + PAGE - 1) // PAGE * PAGE
    return start, last // PAGE * PAGE - start


def main():
    where, path = sys.argv[1], sys.argv[2:]
    if where == "environ" and "PADDING" not in os.environ:
        os.execve(sys.executable, [sys.executable] + sys.argv, dict(os.environ, PADDING="x" * 16 * PAGE))
    fd = os.open(path[0], os.O_RDONLY) if path else None
    print("READY", flush=True)
    sys.stdin.readline()
    if where == "exec":
        print("SILENT", flush=True)
        os.execv(sys.executable, [sys.executable, "-c", "pass"])
    start, size = table_pages() if where == "table" else environ_pages()
    if path:
        fault_by_file(start, size, fd)
    else:
        fault_by_nobody(start, size)
    print("SILENT", flush=True)
    while True:
        silent_work(1000)


main()
