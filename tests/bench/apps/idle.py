# SPDX-License-Identifier: BSD-2-Clause
"""A program that waits, for tests/bench."""
import asyncio
import json
import ssl
import threading
import time

if __name__ == "__main__":
    threading.Thread(target=lambda: asyncio.run(asyncio.sleep(10 ** 6)), daemon=True).start()
    n = 0
    while True:
        n += len(json.dumps([ssl.OPENSSL_VERSION, n]))
        time.sleep(1)
