# SPDX-License-Identifier: BSD-2-Clause
"""Describes the line of every instruction of a part of this interpreter's own library, as itself sees it, on stdout.
Read by lines_live.c, which says the form. For 2.7, 3.6 and later."""
import dis
import os
import struct
import sys

FILES = 60
NO_LINE = -1


def code_objects(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, type(code)):
            for inner in code_objects(constant):
                yield inner


def lines(code):
    if sys.version_info >= (3, 10):
        for start, end, line in code.co_lines():
            for at in range(start, end, 2):
                yield at, NO_LINE if line is None else line
        return
    starts = list(dis.findlinestarts(code)) + [(len(code.co_code), NO_LINE)]
    for (start, line), (end, _) in zip(starts, starts[1:]):
        for at in range(start, end, 2):
            yield at, line


def table(code):
    return code.co_linetable if sys.version_info >= (3, 10) else code.co_lnotab


def main():
    folder = os.path.dirname(os.__file__)
    names = sorted(n for n in os.listdir(folder) if n.endswith(".py") and os.path.isfile(os.path.join(folder, n)))
    # Spread over the alphabet, so that every release is tried on much the same modules.
    names = names[::max(1, len(names) // FILES)]
    # Increments that need more than one byte, and more than one varint group.
    sources = [("far", "def f():\n" + "\n" * 5000 + "  x = (1 +\n" + "\n" * 300 + "y)\n" + "\n" * 70000 + "  return x\n")]
    for name in names:
        with open(os.path.join(folder, name), "rb") as f:
            sources.append((name, f.read()))
    out = getattr(sys.stdout, "buffer", sys.stdout)
    version = sys.version_info[0] << 8 | sys.version_info[1]
    for name, source in sources:
        for code in code_objects(compile(source, name, "exec", dont_inherit=True)):
            rows = list(lines(code))
            out.write(struct.pack("<HiII", version, code.co_firstlineno, len(table(code)), len(rows)))
            out.write(table(code))
            out.write(struct.pack("<%di" % (2 * len(rows)), *(v for row in rows for v in row)))


main()
