# SPDX-License-Identifier: BSD-2-Clause
"""asyncio tasks that await one another in all ways, for CPython 3.11 and later. Each coroutine is run by one task alone, whose name the
test knows; "Task-N" are said at the end. With --late it waits for a line before it imports asyncio, and runs until its input ends;
without, it runs for --seconds of CPU after that line."""
import argparse
import json
import sys
import threading
import time

parser = argparse.ArgumentParser()
parser.add_argument("--seconds", type=float, default=2.0)
parser.add_argument("--late", action="store_true")
options = parser.parse_args()

if options.late:
    print("READY 0", flush=True)
    sys.stdin.readline()

import asyncio  # noqa: E402

default_names = set()
main_names = {}
shared_cpu = {}


def spin(n=4000):
    x = 0
    for i in range(n):
        x += i
    return x


async def nested_leaf():
    for _ in range(4):
        spin()
        await asyncio.sleep(0)


async def nested_middle():
    await nested_leaf()


async def nested_outer():
    await nested_middle()


async def chain_leaf():
    for _ in range(4):
        sum(spin(1000) for _ in range(4))
        await asyncio.sleep(0)


async def chain_middle():
    task = asyncio.create_task(chain_leaf(), name="chain-leaf")
    task.add_done_callback(lambda _: None)
    await task


async def chain_deeper():
    await asyncio.create_task(chain_middle(), name="chain-middle")


async def chain_outer():
    await chain_deeper()


async def left():
    for _ in range(4):
        spin()
        await asyncio.sleep(0)


async def right():
    for _ in range(4):
        spin()
        await asyncio.sleep(0)


async def gathers():
    await asyncio.gather(asyncio.create_task(left(), name="left"), asyncio.create_task(right(), name="right"))


async def member():
    for _ in range(4):
        spin()
        await asyncio.sleep(0)


async def groups():
    async with asyncio.TaskGroup() as group:
        group.create_task(member(), name="member")


async def renamed():
    asyncio.current_task().set_name("renamed \u00fc\u4e2d")
    await asyncio.sleep(0)
    await renamed_leaf()


async def renamed_leaf():
    for _ in range(4):
        spin()
        await asyncio.sleep(0)


async def default_leaf():
    for _ in range(4):
        spin()
        await asyncio.sleep(0)


async def default():
    task = asyncio.create_task(default_leaf())
    await task
    default_names.add(task.get_name())


async def produced():
    for _ in range(2):
        spin()
        await asyncio.sleep(0)


async def generates():
    for i in range(2):
        await asyncio.create_task(produced(), name="produced")
        yield i


async def consumes():
    async for _ in generates():
        await asyncio.sleep(0)


class Waits:
    def __init__(self, task):
        self.task = task

    def __await__(self):
        return (yield from self.task)


class Wrapped:
    def __init__(self, coroutine):
        self.coroutine = coroutine

    def __await__(self):
        return self.coroutine.__await__()


async def awaitable_leaf():
    for _ in range(4):
        spin()
        await asyncio.sleep(0)


async def awaits_by_generator():
    await Waits(asyncio.create_task(awaitable_leaf(), name="awaitable-leaf"))


async def awaits_by_wrapper():
    await Wrapped(awaits_by_generator())


async def popular():
    for _ in range(6):
        spin()
        await asyncio.sleep(0)


async def fan(task):
    await task


async def popularity():
    task = asyncio.create_task(popular(), name="popular")
    await asyncio.gather(fan(task), fan(task))


async def by_hand_leaf():
    spin(20000)


async def by_hand():
    try:
        by_hand_leaf().send(None)
    except StopIteration:
        pass


def timed(n, name):
    began = time.thread_time()
    spin(n)
    shared_cpu[name] = shared_cpu.get(name, 0.0) + time.thread_time() - began


async def sharer(n, name):
    for _ in range(5):
        timed(n, name)
        await asyncio.sleep(0)


async def shares():
    await asyncio.gather(*[asyncio.create_task(sharer(n, name), name=name)
                           for name, n in (("share-1", 2000), ("share-2", 4000), ("share-3", 10000))])


async def in_thread():
    await thread_leaf()


async def thread_leaf():
    spin(400000)


async def thread_main():
    await asyncio.create_task(in_thread(), name="in-thread")
    main_names["thread_main"] = asyncio.current_task().get_name()


async def main(ends):
    while not ends():
        for coroutine, name in ((nested_outer, "nested"), (chain_outer, "chain-outer"), (gathers, "gathers"), (groups, "groups"),
                                (renamed, "to be renamed"), (default, "default"), (consumes, "consumes"),
                                (awaits_by_wrapper, "awaits"), (popularity, "popularity"), (by_hand, "by-hand"), (shares, "shares")):
            await asyncio.create_task(coroutine(), name=name)
    main_names["main"] = asyncio.current_task().get_name()


async def eager_child():
    eager_before()
    await asyncio.sleep(0)
    eager_after()
    await asyncio.sleep(0)


def eager_before():
    spin()


def eager_after():
    spin()


async def eager_main(ends):
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    while not ends():
        await asyncio.create_task(eager_child(), name="eager-child")
        # no function between the two coroutines
        await asyncio.Task(eager_child(), loop=asyncio.get_running_loop(), name="eager-child", eager_start=True)
    main_names["eager_main"] = asyncio.current_task().get_name()


def until(seconds):
    """Whether that much CPU has been used from now on by this thread."""
    end = time.thread_time() + seconds
    return lambda: time.thread_time() > end


def other_thread():
    asyncio.run(thread_main())


def run():
    thread = threading.Thread(target=other_thread)
    thread.start()
    asyncio.run(main(until(options.seconds)))
    thread.join()
    if sys.version_info >= (3, 12):
        asyncio.run(eager_main(until(0.15 * options.seconds)))


if options.late:
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    asyncio.run(main(ended.is_set))
else:
    print("READY 0", flush=True)
    sys.stdin.readline()
    run()
    print("DONE " + json.dumps({"default": sorted(default_names), "cpu": shared_cpu, "mains": main_names}).replace(" ", ""), flush=True)
    sys.stdin.read()
