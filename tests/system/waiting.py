# SPDX-License-Identifier: BSD-2-Clause
"""Waiting for an event with a deadline: the one loop of the tests that asks again and again."""
import time


def until(what, question, seconds=20.0, pause=0.02):
    """
    Asks until the answer is true and returns it; an AssertionError when the deadline passes. what: the event in words, or a
    function that gives them when it did not come. pause: between two questions, in seconds.
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError("not within %g s: %s" % (seconds, what() if callable(what) else what))
        time.sleep(pause)
