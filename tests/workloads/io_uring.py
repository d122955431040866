# SPDX-License-Identifier: BSD-2-Clause
"""
Has io_uring read /dev/zero, by threads that the kernel makes for this process (IOSQE_ASYNC), and sleeps meanwhile in submits_and_waits().
Says REFUSED where the kernel has no io_uring for it. The numbers are those of include/uapi/linux/io_uring.h and, of the calls, of x86-64 and arm64 alike.
"""
import ctypes
import mmap
import os
import struct
import sys

SETUP, ENTER = 425, 426
ENTRIES, BYTES = 4, 16 << 20
LIBC = ctypes.CDLL(None, use_errno=True)


class Ring:
    """A ring of ENTRIES, of which each read is one."""

    def __init__(self):
        params = ctypes.create_string_buffer(120)
        self.fd = LIBC.syscall(SETUP, ENTRIES, params)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "io_uring_setup")
        # struct io_uring_params: ten words, then io_sqring_offsets and io_cqring_offsets
        sq, cq = struct.unpack_from("7I", params, 40), struct.unpack_from("7I", params, 80)
        self.sq = mmap.mmap(self.fd, sq[6] + ENTRIES * 4, offset=0)
        self.cq = mmap.mmap(self.fd, cq[5] + 2 * ENTRIES * 16, offset=0x8000000)
        self.entries = mmap.mmap(self.fd, ENTRIES * 64, offset=0x10000000)
        self.sq_tail, self.sq_array = sq[1], sq[6]
        self.cq_head, self.cq_tail = cq[0], cq[1]
        self.zero = os.open("/dev/zero", os.O_RDONLY)
        self.target = ctypes.create_string_buffer(BYTES)

    def submits_and_waits(self):
        tail = struct.unpack_from("I", self.sq, self.sq_tail)[0]
        for i in range(ENTRIES):
            # IORING_OP_READ is 22, IOSQE_ASYNC 16
            self.entries[i * 64:i * 64 + 64] = struct.pack("BBHiQQI", 22, 16, 0, self.zero, 0, ctypes.addressof(self.target), BYTES).ljust(64, b"\0")
            struct.pack_into("I", self.sq, self.sq_array + 4 * i, i)
        struct.pack_into("I", self.sq, self.sq_tail, (tail + ENTRIES) & 0xffffffff)
        # IORING_ENTER_GETEVENTS is 1
        if LIBC.syscall(ENTER, self.fd, ENTRIES, ENTRIES, 1, None, 0) < 0:
            raise OSError(ctypes.get_errno(), "io_uring_enter")
        self.cq[self.cq_head:self.cq_head + 4] = self.cq[self.cq_tail:self.cq_tail + 4]


def main():
    try:
        ring = Ring()
        ring.submits_and_waits()
    except OSError as e:
        print("REFUSED %s" % e, flush=True)
        return
    print("READY", flush=True)
    while True:
        ring.submits_and_waits()


if __name__ == "__main__":
    sys.exit(main())
