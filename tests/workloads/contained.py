# SPDX-License-Identifier: BSD-2-Clause
"""Becomes a program in another root: contained.py FOLDER LOWER SCRIPT PROGRAM ARGUMENT...

Runs in namespaces of its own (unshare --mount --pid --fork --user --map-root-user --cgroup). Makes a root in FOLDER as container
engines do, an overlay over the root LOWER, with SCRIPT in it as /srv/app.py and, for PROGRAM=FILE, a copy of LOWER's FILE as PROGRAM; makes that the root of
this mount namespace, without the old one, and executes PROGRAM.
"""
import ctypes
import os
import shutil
import sys

MS_REC_PRIVATE = 1 << 14 | 1 << 18
MNT_DETACH = 2
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}[os.uname().machine]
libc = ctypes.CDLL(None, use_errno=True)


def succeed(what, result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "%s: %s" % (what, os.strerror(ctypes.get_errno())))


def mount(source, target, kind, flags=0, data=None):
    arguments = [s.encode() if s is not None else None for s in (source, target, kind)]
    succeed("mount of %s on %s" % (kind, target), libc.mount(*arguments, ctypes.c_ulong(flags), data.encode() if data else None))


def make_root(folder, lower, script):
    """The overlay; its changes are kept in memory."""
    mount(None, "/", None, MS_REC_PRIVATE)
    mount("tmpfs", folder, "tmpfs")
    upper, work, root = (os.path.join(folder, name) for name in ("upper", "work", "root"))
    for path in (upper, work, root):
        os.mkdir(path)
    mount("overlay", root, "overlay", 0, "lowerdir=%s,upperdir=%s,workdir=%s,userxattr" % (lower, upper, work))
    os.makedirs(os.path.join(root, "srv"))
    shutil.copy(script, os.path.join(root, "srv", "app.py"))
    mount("proc", os.path.join(root, "proc"), "proc")
    return root


def main(folder, lower, script, program, *arguments):
    root = make_root(folder, lower, script)
    program, _, original = program.partition("=")
    if original:
        # a link, if there is one, must not be followed out of the root
        target = root + program
        if os.path.lexists(target):
            os.unlink(target)
        shutil.copy(root + original, target)
    os.chdir(root)
    # the old root ends up below the new one, and goes: pivot_root(2), "pivot_root(".", ".")"
    succeed("pivot_root", libc.syscall(PIVOT_ROOT, b".", b"."))
    succeed("umount", libc.umount2(b".", MNT_DETACH))
    os.chdir("/")
    os.execv(program, [program] + list(arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
