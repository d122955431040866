# SPDX-License-Identifier: BSD-2-Clause
"""Where the servers of the tests listen."""
import socket


def free_port():
    """A port of loopback that nobody has just now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
