# SPDX-License-Identifier: BSD-2-Clause
"""A terminal for programs with a screen: a pty, and as much of an xterm as ncurses uses, to read what is drawn."""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios

from waiting import until

CONTROL = re.compile(r"\x1b\[([?>]?)([0-9;]*)([@-~])|\x1b[()][0-9A-B]|\x1b[=>78M]")


class Screen:
    """The characters that stand where after what was written; colours and the like are left out."""

    def __init__(self, columns, rows):
        self.resize(columns, rows)
        self.rest = ""
        self.last = " "

    def resize(self, columns, rows):
        self.columns, self.rows, self.x, self.y = columns, rows, 0, 0
        self.cells = [[" "] * columns for _ in range(rows)]
        self.top, self.bottom = 0, rows

    def lines(self):
        return ["".join(row).rstrip() for row in self.cells]

    def put(self, c):
        self.last = c
        if self.x >= self.columns:
            self.x, self.y = 0, min(self.y + 1, self.rows - 1)
        self.cells[self.y][self.x] = c
        self.x += 1

    def clear(self, first, last):
        for i in range(max(first, 0), min(last, self.columns * self.rows)):
            self.cells[i // self.columns][i % self.columns] = " "

    def move(self, x, y):
        self.x, self.y = min(max(x, 0), self.columns - 1), min(max(y, 0), self.rows - 1)

    def erase(self, kind, mode, n):
        here, row = self.y * self.columns + min(self.x, self.columns - 1), self.y * self.columns
        if kind == "J":
            self.clear(here if mode == 0 else 0, here + 1 if mode == 1 else self.columns * self.rows)
        elif kind == "K":
            self.clear(here if mode == 0 else row, here + 1 if mode == 1 else row + self.columns)
        elif kind == "X":
            self.clear(here, min(here + n, row + self.columns))
        else:
            raise AssertionError("a control sequence that this terminal does not know: CSI " + kind)

    def shift(self, kind, n):
        row, x = self.cells[self.y], self.x
        if kind == "P":
            self.cells[self.y] = (row[:x] + row[x + n:] + [" "] * n)[:self.columns]
        else:
            self.cells[self.y] = (row[:x] + [" "] * n + row[x:])[:self.columns]

    def down(self):
        if self.y == self.bottom - 1:
            del self.cells[self.top]
            self.cells.insert(self.y, [" "] * self.columns)
        else:
            self.move(self.x, self.y + 1)

    def roll(self, kind, n):
        """Inserts (L) or deletes (M) lines here; moves all lines up (S) or down (T)."""
        first = self.y if kind in "LM" else self.top
        if self.top <= first < self.bottom:
            n = min(n, self.bottom - first)
            rows, new = self.cells[first:self.bottom], [[" "] * self.columns for _ in range(n)]
            self.cells[first:self.bottom] = rows[n:] + new if kind in "MS" else new + rows[:len(rows) - n]

    def control(self, private, numbers, kind):
        n = [int(i) for i in numbers.split(";") if i] or [0]
        one = max(n[0], 1)
        if private or kind in "mhltn":
            return
        if kind == "r":
            self.top, self.bottom = one - 1, min(n[1] if len(n) > 1 else self.rows, self.rows)
            self.move(0, 0)
        elif kind in "LMST":
            self.roll(kind, one)
        elif kind in "Hf":
            self.move((n[1] if len(n) > 1 else 1) - 1, one - 1)
        elif kind == "d":
            self.move(self.x, one - 1)
        elif kind == "G":
            self.move(one - 1, self.y)
        elif kind in "ABCD":
            step = {"A": (0, -1), "B": (0, 1), "C": (1, 0), "D": (-1, 0)}[kind]
            self.move(self.x + step[0] * one, self.y + step[1] * one)
        elif kind == "b":
            for _ in range(one):
                self.put(self.last)
        elif kind in "P@":
            self.shift(kind, one)
        else:
            self.erase(kind, n[0], one)

    def write(self, text):
        text, i = self.rest + text, 0
        self.rest = ""
        while i < len(text):
            c = text[i]
            if c == "\x1b":
                match = CONTROL.match(text, i)
                if not match:
                    # the end of it has not come yet
                    self.rest = text[i:]
                    return
                if match.group(3):
                    self.control(*match.groups())
                i = match.end()
                continue
            i += 1
            if c == "\r":
                self.x = 0
            elif c == "\n":
                self.down()
            elif c == "\b":
                self.move(self.x - 1, self.y)
            elif c == "\t":
                self.move(self.x // 8 * 8 + 8, self.y)
            elif c >= " ":
                self.put(c)


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, command, columns=80, rows=24, term="xterm"):
        self.screen = Screen(columns, rows)
        self.raw = b""
        self.master, self.slave = pty.openpty()
        self.size(columns, rows)
        self.modes = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(command, stdin=self.slave, stdout=self.slave, stderr=self.slave, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
                                        env=dict(os.environ, TERM=term, LC_ALL="C.UTF-8"))
        self.pid = self.process.pid

    def size(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns, rows):
        """The kernel tells the program with SIGWINCH."""
        self.read(0)
        self.screen.resize(columns, rows)
        self.size(columns, rows)

    def read(self, seconds):
        while select.select([self.master], [], [], seconds)[0]:
            data = os.read(self.master, 65536)
            self.raw += data
            self.screen.write(data.decode(errors="replace"))
            seconds = 0
        return self.screen.lines()

    def until(self, what, question, seconds=20.0):
        """Reads until question(lines) is true, and returns the lines."""
        def answer():
            lines = self.read(0.05)
            return question(lines) and [lines]

        return until(lambda: "%s; the screen:\n%s" % (what, "\n".join(self.screen.lines())), answer, seconds, 0)[0]

    def shows(self, text, seconds=20.0):
        return self.until("the screen shows " + text, lambda lines: any(text in line for line in lines), seconds)

    def type(self, keys):
        os.write(self.master, keys.encode())

    def end(self, seconds=10.0):
        """Waits for the program, and returns its exit status."""
        def ended():
            self.read(0.05)
            return self.process.poll() is not None

        until("the program ends", ended, seconds, 0)
        self.read(0)
        return self.process.returncode

    def restored(self):
        """Whether the terminal is as it was: its modes, the cursor, and the screen that was there before."""
        return (termios.tcgetattr(self.slave) == self.modes and self.raw.rfind(b"\x1b[?1049l") > self.raw.rfind(b"\x1b[?1049h") >= 0
                and self.raw.rfind(b"\x1b[?25h") > self.raw.rfind(b"\x1b[?25l"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)
