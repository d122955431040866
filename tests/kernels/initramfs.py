# SPDX-License-Identifier: BSD-2-Clause
"""An initramfs out of files of this machine, each at its own path: a cpio archive as the kernel's documentation has it
(driver-api/early-userspace/buffer-format.rst)."""
import os
import re
import stat
import subprocess

FOLDERS = ("dev", "proc", "sys", "tmp", "run", "etc", "root", "var", "var/tmp")


class Initramfs:
    """The entries of one: {path without its first slash: (mode, content, when it was changed)}."""

    def __init__(self):
        self.entries = {}
        for name in FOLDERS:
            self.folder(name)
        # Debian's: what is looked for in the one is in the other
        for name in ("bin", "sbin", "lib", "lib64"):
            self.entries[name] = (stat.S_IFLNK | 0o777, ("usr/" + name).encode(), 0)

    def folder(self, name):
        while name:
            self.entries.setdefault(name, (stat.S_IFDIR | 0o755, b"", 0))
            name = os.path.dirname(name)

    def put(self, path, content, mode=0o755, changed=0):
        self.folder(os.path.dirname(path).lstrip("/"))
        self.entries[path.lstrip("/")] = (stat.S_IFREG | mode, content, changed)

    def add(self, path):
        """A file, or a link with what it leads to."""
        path = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        if path.lstrip("/") in self.entries:
            return
        if os.path.islink(path):
            self.folder(os.path.dirname(path).lstrip("/"))
            self.entries[path.lstrip("/")] = (stat.S_IFLNK | 0o777, os.readlink(path).encode(), 0)
            self.add(os.path.join(os.path.dirname(path), os.readlink(path)))
            return
        with open(path, "rb") as f:
            # a compiled module says when its source was changed
            self.put(path, f.read(), stat.S_IMODE(os.stat(path).st_mode), int(os.stat(path).st_mtime))

    def add_program(self, path):
        """With the libraries that its loader takes."""
        self.add(path)
        said = subprocess.run(["ldd", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout.decode()
        for library in re.findall(r"(?:=> |^\s+)(/\S+)", said, re.M):
            self.add(library)

    def add_tree(self, folder, but=()):
        """All below a folder, without folders that are called so."""
        for at, names, files in os.walk(folder):
            names[:] = sorted(set(names) - set(but))
            for name in sorted(files):
                path = os.path.join(at, name)
                if name.endswith(".so") or ".so." in name:
                    self.add_program(path)
                elif os.path.exists(path):
                    self.add(path)

    def write(self, path):
        with open(path, "wb") as f:
            for number, name in enumerate(sorted(self.entries), 1):
                self.write_entry(f, number, name, *self.entries[name])
            self.write_entry(f, 0, "TRAILER!!!", 0, b"", 0)

    @staticmethod
    def write_entry(f, number, name, mode, content, changed):
        fields = (number, mode, 0, 0, 1, changed, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        f.write(head + b"\0" * (-len(head) % 4) + content + b"\0" * (-len(content) % 4))
