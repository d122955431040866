# SPDX-License-Identifier: BSD-2-Clause
"""Tests for pytest to run in tests/bench, a few thousand lines of assertions' worth of work. pytest suite.py"""
import ast
import dataclasses
import decimal
import json
import re
import textwrap

import pytest

import functions

STEPS = functions.load()


@dataclasses.dataclass(order=True)
class Price:
    amount: decimal.Decimal
    name: str


@pytest.fixture
def prices():
    return [Price(decimal.Decimal(n) / 7, "price %d" % n) for n in range(60)]


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({"price %d" % n: n / 7 for n in range(200)}))
    return path.read_text()


@pytest.mark.parametrize("n", range(300))
def test_sorted(prices, n):
    assert sorted(prices[n % 7:]) == sorted(prices[n % 7:], key=lambda price: (price.amount, price.name))


@pytest.mark.parametrize("n", range(300))
def test_text(text, n):
    assert len(json.loads(text)) == len(re.findall(r'"price \d+"', text)) == 200


@pytest.mark.parametrize("n", range(300))
def test_syntax(n):
    code = textwrap.dedent("""
        def f(x):
            return [x * i for i in range(%d)]
    """) % n
    assert ast.unparse(ast.parse(code * 5)).count("def f") == 5


@pytest.mark.parametrize("route", range(640))
def test_steps(route):
    assert STEPS.run(route % 64, 30, 3000) > 0
