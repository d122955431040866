# SPDX-License-Identifier: BSD-2-Clause
"""A FastAPI application for tests/bench. uvicorn api:application"""
import asyncio

from fastapi import FastAPI
from pydantic import BaseModel

import functions

application = FastAPI()
STEPS = functions.load()


class Item(BaseModel):
    name: str
    numbers: list[int]


class Answer(BaseModel):
    total: int
    items: list[Item]


async def later(route):
    await asyncio.sleep(0.001)
    return STEPS.run(route, 20, 400)


@application.get("/{route}")
async def answer(route: int) -> Answer:
    route %= 64
    totals = await asyncio.gather(later(route), later(route + 1))
    return Answer(total=sum(totals), items=[Item(name="item %d" % i, numbers=list(range(i))) for i in range(10)])
