# SPDX-License-Identifier: BSD-2-Clause
"""What uWSGI serves: one request is ten minutes in the tree."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tree  # noqa: E402, beside this file


def application(environ, start_response):
    start_response("200 OK", [])
    tree.grow(600.0)
    return [b"done\n"]
