# SPDX-License-Identifier: BSD-2-Clause
"""The kinds of kinds.py whose syntax Python 2 does not have: generators that delegate, coroutines. burn is given by kinds.py."""
import asyncio

burn = None


def leaf():
    for _ in range(3):
        burn()
        yield 1


def delegate():
    burn()
    yield from leaf()


def delegates():
    for _ in delegate():
        burn()


async def bottom(n):
    burn()
    await asyncio.sleep(0)
    burn()
    return n


async def between(n):
    if n:
        return await between(n - 1)
    return await bottom(n)


async def numbers():
    for i in range(3):
        burn()
        yield i
        await asyncio.sleep(0)


class Manager:
    async def __aenter__(self):
        burn()
        await asyncio.sleep(0)

    async def __aexit__(self, *_):
        burn()


async def alone():
    burn()
    async for _ in numbers():
        burn()
    async with Manager():
        await bottom(1)


async def together():
    await asyncio.gather(between(4), between(2), alone())
    burn()


loop = asyncio.new_event_loop()


def coroutines():
    loop.run_until_complete(together())


def by_hand():
    # without a loop: a coroutine that never waits is on the stack of its caller
    async def immediate():
        burn()
        return 1

    async def caller():
        return await immediate()

    try:
        caller().send(None)
    except StopIteration:
        pass


kinds = [delegates, coroutines, by_hand]
