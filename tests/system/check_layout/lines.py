# SPDX-License-Identifier: BSD-2-Clause
"""Describes the lines of all code of this interpreter's own library, as itself sees it, on stdout. Read by lines_live.c, which
says the form. For 2.7, 3.6 and later."""
import dis
import io
import marshal
import os
import struct
import sys

NO_LINE = -1
# What the distribution or the user put there is not the interpreter's own.
NOT_ITS_OWN = {"site-packages", "dist-packages", "__pycache__"}


def code_objects(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, type(code)):
            for inner in code_objects(constant):
                yield inner


def ranges(code):
    """start, end, line, start, end, line, ... of all offsets in the bytecode."""
    if sys.version_info >= (3, 10):
        return [NO_LINE if n is None else n for row in code.co_lines() for n in row]
    starts = list(dis.findlinestarts(code)) + [(len(code.co_code), NO_LINE)]
    return [n for (start, line), (end, _) in zip(starts, starts[1:]) for n in (start, end, line)]


def table(code):
    return code.co_linetable if sys.version_info >= (3, 10) else code.co_lnotab


def compiled(path):
    """What the library's own .pyc has, which is much faster to read; else of the source. None: it is no Python of this version."""
    if sys.version_info >= (3,):
        from importlib.util import MAGIC_NUMBER, cache_from_source
        cached, head, magic = cache_from_source(path), 16 if sys.version_info >= (3, 7) else 12, MAGIC_NUMBER
    else:
        import imp
        cached, head, magic = path + "c", 8, imp.get_magic()
    try:
        with io.open(cached, "rb") as f:
            data = f.read()
        if data[:4] == magic:
            return marshal.loads(data[head:])
    except (IOError, EOFError, ValueError):
        pass
    try:
        with io.open(path, "rb") as f:
            return compile(f.read(), path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, TypeError):
        return None


def library():
    top = os.path.dirname(os.__file__)
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(set(folders) - NOT_ITS_OWN)
        for name in sorted(names):
            path = os.path.join(folder, name)
            if name.endswith(".py") and os.path.isfile(path):  # Debian links to files of other packages
                yield compiled(path)


def describe(out, code):
    version = sys.version_info[0] << 8 | sys.version_info[1]
    for inner in code_objects(code):
        rows, lines = ranges(inner), table(inner)
        out.write(struct.pack("<HiIII", version, inner.co_firstlineno, len(lines), len(inner.co_code), len(rows) // 3))
        out.write(lines)
        out.write(struct.pack("<%di" % len(rows), *rows))


def main():
    out = getattr(sys.stdout, "buffer", sys.stdout)
    # Increments that need more than one byte, and more than one varint group.
    describe(out, compile("def f():\n" + "\n" * 5000 + "  x = (1 +\n" + "\n" * 300 + "y)\n" + "\n" * 70000 + "  return x\n", "far", "exec"))
    files = left_out = 0
    for code in library():
        if code is None:
            left_out += 1
        else:
            files += 1
            describe(out, code)
    out.write(struct.pack("<HII", 0, files, left_out))
    out.flush()


main()
