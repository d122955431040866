# SPDX-License-Identifier: BSD-2-Clause
"""A WSGI application for gunicorn: each request uses 5 ms of CPU in answer() and says who did it."""
import os
import time


def inner():
    x = 1
    for _ in range(1000):
        x = x * 33 & 65535


def answer():
    end = time.thread_time() + 0.005
    while time.thread_time() < end:
        inner()
    return b"%d\n" % os.getpid()


def application(environ, start_response):
    body = answer()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
