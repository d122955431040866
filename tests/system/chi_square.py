# SPDX-License-Identifier: BSD-2-Clause
"""Pearson's chi-square test: whether counts agree with expected shares, or two sets of counts with each other, at p = 0.001."""
import math

P = 0.001
# Fewer expected samples than that in a class, and the statistic has no chi-square distribution: such classes are put together.
FEWEST = 5.0


def upper_gamma(a, x):
    """The regularised incomplete gamma function Q(a, x), by its series or its continued fraction (DLMF 8.7.1, 8.9.2)."""
    factor = math.exp(a * math.log(x) - x - math.lgamma(a)) if x > 0 else 0.0
    if x < a + 1:
        term = total = 1.0 / a
        n = a
        while term > total * 1e-15:
            n += 1
            term *= x / n
            total += term
        return 1.0 - total * factor
    b = x + 1 - a
    c = 1e300
    d = h = 1.0 / b
    for i in range(1, 10000):
        an = -i * (i - a)
        b += 2
        d = 1.0 / (an * d + b)
        c = b + an / c
        h *= d * c
        if abs(d * c - 1) < 1e-14:
            break
    return factor * h


def bound(freedom, p=P):
    """What a chi-square distributed statistic exceeds with probability p."""
    low, high = 0.0, freedom + 50 * math.sqrt(freedom) + 50
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if upper_gamma(freedom / 2.0, middle / 2) > p else (low, middle)
    return high


def chi_square(counts, expected):
    """The statistic of counts against expected shares, which are normed; and the bound that it passes with p = 0.001."""
    total, norm = sum(counts), float(sum(expected))
    x = sum((n - total * e / norm) ** 2 / (total * e / norm) for n, e in zip(counts, expected))
    return x, bound(len(counts) - 1)


def pooled(rows, size):
    """Rows with the small ones added up into one, and that into the next larger one if it is still small."""
    rows = sorted(rows, key=size)
    while len(rows) > 1 and size(rows[0]) < FEWEST:
        rows = sorted([[a + b for a, b in zip(rows[0], rows[1])]] + rows[2:], key=size)
    return rows


def against_known(counts, known):
    """The statistic of counts by class against known shares by class, its bound, and how many classes it has."""
    total, norm = float(sum(counts.get(k, 0) for k in known)), float(sum(known.values()))
    rows = pooled([[counts.get(k, 0), total * known[k] / norm] for k in known], lambda row: row[1])
    if len(rows) < 2:
        return 0.0, 0.0, 1
    return chi_square(*zip(*rows)) + (len(rows),)


def against_other(ours, theirs):
    """The same of two sets of counts, neither of which is exact."""
    a, b = float(sum(ours.values())), float(sum(theirs.values()))
    rows = pooled([[ours.get(k, 0), theirs.get(k, 0)] for k in set(ours) | set(theirs)],
                  lambda row: (row[0] + row[1]) * min(a, b) / (a + b))
    if len(rows) < 2:
        return 0.0, 0.0, 1
    x = sum((n * math.sqrt(b / a) - m * math.sqrt(a / b)) ** 2 / (n + m) for n, m in rows)
    return x, bound(len(rows) - 1), len(rows)
