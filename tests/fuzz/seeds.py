# SPDX-License-Identifier: BSD-2-Clause
"""seeds.py FOLDER ELF...: the inputs that the fuzz targets begin with, one folder each."""
import os
import shutil
import struct
import sys

HEX = "0123456789abcdef" * 4


def table(size, rows):
    t = bytearray(size)
    t[0:8] = b"xdebugpy"
    for at, value in rows.items():
        struct.pack_into("<Q", t, at, value)
    return bytes(t)


def seeds():
    yield "linetable", struct.pack("<BBii", 0, 200, 1, 6) + bytes([0, 1, 6, 1, 44, 5, 255, 0, 45, 127])
    yield "linetable", struct.pack("<BBii", 2, 99, 10, 4) + bytes([4, 1, 2, 0x80, 6, 2, 2, 0xff])
    yield "linetable", struct.pack("<BBii", 4, 128, 100, 8) + bytes(
        [0x98, 0x12, 0xe1, 1, 2, 0xe8, 7, 0xf8, 0xf7, 0x50, 1, 0, 0x41, 2, 5])
    yield "string", struct.pack("<BBBI", 1, 1, 50, 5) + b"abcde"
    yield "string", struct.pack("<BBBI", 2, 0, 50, 3) + "aф€".encode("utf-16-le")
    yield "string", struct.pack("<BBBI", 4, 0, 50, 2) + "🐍z".encode("utf-32-le")
    # CPython 3.13.0's own values, see tests/unit/python/check_layout.c.
    yield "layout", b"\0" + table(584, {
        8: 0x030d00f0, 24: 400000, 40: 632, 48: 300000, 64: 7264, 72: 7344, 152: 304, 168: 8, 184: 72, 192: 152,
        200: 160, 208: 232, 224: 80, 232: 8, 248: 56, 264: 70, 272: 208, 280: 112, 288: 120, 296: 128, 304: 136,
        312: 68, 320: 52, 344: 200, 512: 40, 520: 16, 528: 32, 536: 64, 544: 32, 552: 16, 560: 40})
    # A code object of 3.8 (how = 5) with its names and table behind it, at the address that fuzz_layout.c reads.
    memory = bytearray(0x200)
    for at, value in {0x68: 0x4080, 0x70: 0x40e0, 0x78: 0x4140, 0x88: 1, 0x90: 3, 0xa0: 0x64, 0xe8: 1, 0xf0: 3,
                      0x100: 0x64, 0x150: 2, 0x28: 7}.items():
        struct.pack_into("<Q", memory, at, value)
    memory[0xb0:0xb3], memory[0x110:0x113], memory[0x160:0x162] = b"a.p", b"fun", b"\2\1"
    yield "layout", b"\5" + bytes(memory)
    yield "proc", b"\0" + b"42 (a) R (b) S 1 42 42 0 -1 0 1 0 0 0 37 5 0 0 20 0 7 0 123456 1 1\n"
    yield "proc", b"\1" + b"7f0000001000-7f0000102000 r-xp 00001000 fd:1f 1234567   /usr/lib/a\\012b (deleted)\n"
    yield "proc", b"\1" + b"1000-2000 rw-p 00000000 00:00 0 \n"
    yield "proc", b"\2" + b"12:cpu:/x\n1:name=systemd:/user.slice/s.scope\n0::/system.slice/docker-" + HEX.encode() + b".scope\n"
    yield "proc", b"\3" + b"python3\0-m\0mod\0PLOP_SERVICE=a\0OTEL_RESOURCE_ATTRIBUTES=service.name=b,service.version=2\0"
    yield "query", b"/v1/profile?from=1795359000.5&to=1795359300&format=pprof&pid=1&comm=a%20b&cgroup=/x&seconds=30"
    yield "query", b"GET /v1/recordings/r1?format=json HTTP/1.1\r\nHost: localhost:7567\r\nAccept: */*\r\n\r\n"
    yield "query", b"POST /v1/recordings HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\nTransfer-Encoding: chunked\r\n\r\n{}"


def main():
    folder, elves = sys.argv[1], sys.argv[2:]
    for number, (name, data) in enumerate(seeds()):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
        with open(os.path.join(folder, name, "seed-%02d" % number), "wb") as f:
            f.write(data)
    os.makedirs(os.path.join(folder, "elf"), exist_ok=True)
    for path in elves:
        shutil.copy(path, os.path.join(folder, "elf"))


main()
