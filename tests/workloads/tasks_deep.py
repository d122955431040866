# SPDX-License-Identifier: BSD-2-Clause
"""asyncio tasks beyond every maximum: twenty that await one another, of which t1 awaits by forty coroutines; from CPython 3.14 on also tasks
that are said to await one another, and one itself. Runs until it is killed."""
import asyncio
import sys


def spin():
    x = 0
    for i in range(3000):
        x += i


def sink(n):
    if n:
        return sink(n - 1)
    return spin()


async def leaf():
    while True:
        spin()
        await asyncio.sleep(0)


async def coroutines(n, task):
    if n:
        await coroutines(n - 1, task)
    else:
        await task


async def circle():
    while True:
        spin()
        await asyncio.sleep(0)


async def selfish():
    while True:
        spin()
        await asyncio.sleep(0)


async def sunk():
    while True:
        sink(20)
        await asyncio.sleep(0)


async def main():
    task = asyncio.create_task(leaf(), name="leaf")
    for i in range(20):
        task = asyncio.create_task(coroutines(40 if i == 1 else 0, task), name="t%d" % i)
    if sys.version_info >= (3, 14):
        a, b, c, s = [asyncio.create_task(coroutine, name=name) for name, coroutine in
                      (("a", asyncio.sleep(1000)), ("b", asyncio.sleep(1000)), ("c", circle()), ("s", selfish()))]
        for one, other in ((c, a), (a, b), (b, a), (s, s)):
            asyncio.future_add_to_awaited_by(one, other)
    print("READY 0", flush=True)
    await asyncio.create_task(sunk(), name="sunk")


asyncio.run(main())
