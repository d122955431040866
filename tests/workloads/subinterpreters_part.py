# SPDX-License-Identifier: BSD-2-Clause
"""What the sub-interpreters of subinterpreters.py run. They share nothing, so each has told.py of its own."""
import told


def burn(turns):
    if told.noting:
        told.note()
    x = 1
    while turns > 0:
        x = (x * 33 + turns) & 0xFFFF
        turns -= 1


def alpha(turns):
    burn(turns)
    if told.noting:
        told.files.add(__file__)
        told.tell()


def beta(turns):
    burn(turns)
    if told.noting:
        told.files.add(__file__)
        told.tell()
