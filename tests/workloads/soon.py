# SPDX-License-Identifier: BSD-2-Clause
"""
soon.py [HOW]: says READY PID TIME (time.monotonic()) as soon as it can, and then works a little until its standard input ends. HOW:
    plain   nothing else
    fork    waits for a line first, and has a child say READY, which is the one that works
    title   waits for a line after READY; then calls itself "soon: PID is titled", as setproctitle() does, and says TITLED TIME
"""
import os
import sys
import threading
import time


def say(word, *values):
    sys.stdout.write(" ".join([word] + [str(value) for value in values] + ["%.6f" % time.monotonic()]) + "\n")
    sys.stdout.flush()


def set_title(text):
    """Over the command line (the fields are those of proc(5)), and as the main thread's name."""
    import ctypes
    with open("/proc/self/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    start, end = int(fields[48 - 3]), int(fields[51 - 3])
    title = text.encode()[:end - start - 1]
    ctypes.memset(start, 0, end - start)
    ctypes.memmove(start, title, len(title))
    ctypes.CDLL(None).prctl(15, title, 0, 0, 0)  # PR_SET_NAME


def work():
    def read():
        sys.stdin.read()
        os._exit(0)

    thread = threading.Thread(target=read)
    thread.daemon = True
    thread.start()
    while True:
        for _ in range(2000):
            pass
        time.sleep(0.05)


def main():
    how = sys.argv[1] if len(sys.argv) > 1 else "plain"
    if how == "fork":
        sys.stdin.readline()
        if os.fork():
            os.wait()
            return
    say("READY", os.getpid())
    if how == "title":
        sys.stdin.readline()
        set_title("soon: %d is titled" % os.getpid())
        say("TITLED")
    work()


main()
