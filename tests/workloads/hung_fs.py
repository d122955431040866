# SPDX-License-Identifier: BSD-2-Clause
"""hung_fs.py FOLDER FILE [UID]: mounts on FOLDER a file system with the one file "file", or "python-file", whose content is FILE's. After a line on standard
input it answers nothing any more, as a file server does that is gone. It ends, and with it all who wait, at the end of standard input.
With UID it is that user's own, as of an AppImage or of sshfs: nobody else, root included, may look at anything in it.

The protocol is that of include/uapi/linux/fuse.h, version 7.31."""
import ctypes
import os
import select
import stat
import struct
import sys

LOOKUP, FORGET, GETATTR, OPEN, READ, RELEASE, FLUSH, INIT, OPENDIR, RELEASEDIR, INTERRUPT, BATCH_FORGET = (
    1, 2, 3, 14, 15, 18, 25, 26, 27, 29, 36, 42)
ENOENT, ENOSYS = 2, 38
ROOT, FILE = 1, 2
NAMES = b"file", b"python-file"


def mount(folder, fd, user):
    libc = ctypes.CDLL(None, use_errno=True)
    whose = "user_id=%s,group_id=%s" % (user, user) if user else "user_id=0,group_id=0,allow_other"
    options = "fd=%d,rootmode=40000,%s,default_permissions" % (fd, whose)
    if libc.mount(b"hung_fs", folder.encode(), b"fuse", 0, options.encode()) < 0:
        raise OSError(ctypes.get_errno(), "cannot mount a FUSE file system on " + folder)


def attributes(node, size):
    mode = stat.S_IFDIR | 0o755 if node == ROOT else stat.S_IFREG | 0o755
    return struct.pack("<6Q10I", node, size, size // 512 + 1, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def answer(opcode, node, body, data):
    """The error and the bytes of an answer; None: there is none."""
    size = len(data) if node == FILE else 0
    if opcode == INIT:
        return 0, struct.pack("<4I2H2I2H8I", 7, 31, 131072, 0, 16, 12, 131072, 1, 32, 0, *[0] * 8)
    if opcode == LOOKUP:
        if node != ROOT or body.rstrip(b"\0") not in NAMES:
            return ENOENT, b""
        return 0, struct.pack("<4Q2I", FILE, 0, 0, 0, 0, 0) + attributes(FILE, len(data))
    if opcode == GETATTR:
        return 0, struct.pack("<Q2I", 0, 0, 0) + attributes(node, size)
    if opcode in (OPEN, OPENDIR):
        return 0, struct.pack("<QIi", 0, 0, 0)
    if opcode == READ:
        _, offset, length = struct.unpack_from("<2QI", body)
        return 0, data[offset:offset + length]
    if opcode in (RELEASE, RELEASEDIR, FLUSH):
        return 0, b""
    if opcode in (FORGET, BATCH_FORGET, INTERRUPT):
        return None
    return ENOSYS, b""


def serve(fd, data):
    hung = False
    while True:
        ready, _, _ = select.select([fd, 0], [], [])
        if 0 in ready:
            if not os.read(0, 4096):
                return
            hung = True
            print("HUNG", flush=True)
        if fd not in ready:
            continue
        request = os.read(fd, 1 << 20)
        _, opcode, unique, node = struct.unpack_from("<2I2Q", request)
        said = None if hung else answer(opcode, node, request[40:], data)
        if said:
            error, body = said
            os.write(fd, struct.pack("<IiQ", 16 + len(body), -error, unique) + body)


def main():
    folder, path = sys.argv[1:3]
    with open(path, "rb") as f:
        data = f.read()
    fd = os.open("/dev/fuse", os.O_RDWR)
    mount(folder, fd, sys.argv[3] if sys.argv[3:] else None)
    print("READY", flush=True)
    try:
        serve(fd, data)
    finally:
        os.close(fd)
        ctypes.CDLL(None).umount2(folder.encode(), 2)  # MNT_DETACH


main()
