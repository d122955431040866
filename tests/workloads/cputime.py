# SPDX-License-Identifier: BSD-2-Clause
"""For workloads that know where their time went: the CPU clock of a thread and of the process, and an account by section.
For 2.7, 3.6 and later."""
import sys
import time

if sys.version_info >= (3, 3):
    def thread_time():
        return time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID)

    def process_time():
        return time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID)
else:
    import ctypes

    class Timespec(ctypes.Structure):
        _fields_ = [("sec", ctypes.c_long), ("nsec", ctypes.c_long)]

    _now = Timespec()
    _gettime = ctypes.CDLL(None).clock_gettime
    _gettime.argtypes = [ctypes.c_int, ctypes.c_void_p]
    _at = ctypes.addressof(_now)

    def thread_time():
        _gettime(3, _at)  # CLOCK_THREAD_CPUTIME_ID, linux/time.h
        return _now.sec + _now.nsec * 1e-9

    def process_time():
        _gettime(2, _at)  # CLOCK_PROCESS_CPUTIME_ID
        return _now.sec + _now.nsec * 1e-9


def spin(n):
    """Burns n turns of a loop in Python."""
    x = 1
    while n > 0:
        x = (x * 33 + n) & 0xFFFF
        n -= 1
    return x


def turns_in_a_millisecond():
    turns = 1000
    while True:
        begin = thread_time()
        spin(turns)
        spent = thread_time() - begin
        if spent > 0.005:
            return max(int(turns * 0.001 / spent), 10)
        turns *= 2


def settle():
    """A call of the kernel after a while without one takes three times as long as the next. It is made before each reading
    that ends a section, so that what is unknown of a reading is short."""
    return thread_time()


class Account(object):
    """The CPU time of this thread by section, between begin() and over(): after each section lap() says which it was."""

    def __init__(self, seconds, turns, seed=1):
        self.seconds = seconds
        self.turns = turns
        self.random = seed * 7919 + 1
        self.spent = {}  # up to the end of settle()
        self.inner = {}  # up to somewhere in settle()
        # What lies between two readings that have nothing between them, the middle one of many.
        pairs = []
        for _ in range(201):
            before = thread_time()
            pairs.append(thread_time() - before)
        self.cost = sorted(pairs)[100]

    def begin(self):
        # A machine so busy that this takes ten times as long gives fewer samples, not more minutes.
        self.deadline = time.time() + 10 * self.seconds + 10
        self.begun = self.at = thread_time()

    def lap(self, section):
        inner = settle()
        now = thread_time()
        self.spent[section] = self.spent.get(section, 0.0) + now - self.at - self.cost
        self.inner[section] = self.inner.get(section, 0.0) + inner - self.at
        self.at = thread_time()

    def skip(self):
        """What was since the last lap is in no section."""
        self.at = thread_time()

    def over(self):
        """Whether the time is up; itself in no section."""
        self.skip()
        return self.at - self.begun >= self.seconds or time.time() > self.deadline

    def some(self, milliseconds):
        """Turns for spin(): between 0.4 and 1.6 times that long, so that no beat with a profiler's tick can build up."""
        self.random = (self.random * 1103515245 + 12345) & 0x7FFFFFFF
        return int(self.turns * milliseconds * (400 + (self.random >> 8) % 1200) / 1000)

    def rest(self):
        """Since begin(), what was in no section."""
        return thread_time() - self.begun - sum(self.spent.values())


# The line of lap() that calls settle(): all before the next belongs to the section that ends there.
SETTLE_LINE = Account.lap.__code__.co_firstlineno + 1
