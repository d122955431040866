# SPDX-License-Identifier: BSD-2-Clause
"""Load for demo_server.py, bounded in rate, concurrency and time.

    demo_load.py PORT [--rate REQUESTS_PER_SECOND] [--seconds S]

Keeps to --rate (60, at most 1000) with at most four requests open, on loopback only, for --seconds (3600) or until SIGTERM. When
the server is slower than the rate, requests that are due are left out, not queued. Prints "READY PID" after the first answer, and
"DONE ANSWERED FAILED" at the end; the exit status is 1 if none was answered.
"""
import argparse
import asyncio
import os
import random
import signal
import sys
import time

from tornado.httpclient import AsyncHTTPClient, HTTPError

OPEN_AT_ONCE = 4
# How often each page is asked for, of 20.
MIX = ["/"] * 4 + ["/search"] * 6 + ["/report"] * 5 + ["/recommend"] * 3 + ["/login"] * 2
QUERIES = ["amber", "oak pine", "silver linen wool", "river stone", "mint sage thyme basil"]


class Load(object):
    def __init__(self, port):
        self.base = "http://127.0.0.1:%d" % port
        self.client = AsyncHTTPClient(max_clients=OPEN_AT_ONCE)
        self.chance = random.Random(7)
        self.running = set()
        self.answered = self.failed = 0
        self.stopped = asyncio.Event()

    def page(self):
        path = self.chance.choice(MIX)
        if path == "/login":
            return self.client.fetch(self.base + path, method="POST", body="password=correct+horse")
        if path == "/search":
            path += "?q=" + self.chance.choice(QUERIES).replace(" ", "+")
        elif path == "/recommend":
            path += "?id=%d" % self.chance.randrange(200)
        return self.client.fetch(self.base + path)

    async def one(self):
        try:
            await self.page()
        except (HTTPError, OSError):
            self.failed += 1
        else:
            self.answered += 1
            if self.answered == 1:
                print("READY %d" % os.getpid(), flush=True)

    async def run(self, rate, seconds):
        begin = time.monotonic()
        sent = 0
        while not self.stopped.is_set() and time.monotonic() < begin + seconds:
            if len(self.running) < OPEN_AT_ONCE:
                task = asyncio.ensure_future(self.one())
                self.running.add(task)
                task.add_done_callback(self.running.discard)
            sent += 1
            # The server's being gone is no reason to ask faster.
            if self.failed > 100 and not self.answered:
                break
            try:
                await asyncio.wait_for(self.stopped.wait(), max(begin + sent / rate - time.monotonic(), 0))
            except asyncio.TimeoutError:
                pass
        for task in list(self.running):
            task.cancel()


async def run(options):
    load = Load(options.port)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, load.stopped.set)
    await load.run(max(min(options.rate, 1000.0), 0.1), options.seconds)
    print("DONE %d %d" % (load.answered, load.failed), flush=True)
    return 0 if load.answered else 1


def main():
    parser = argparse.ArgumentParser(description="bounded load for demo_server.py")
    parser.add_argument("port", type=int)
    parser.add_argument("--rate", type=float, default=60.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=3600.0)
    sys.exit(asyncio.run(run(parser.parse_args())))


if __name__ == "__main__":
    main()
