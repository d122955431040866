# SPDX-License-Identifier: BSD-2-Clause
"""Tasks of Celery for tests/bench. celery -A jobs worker; as a program it sends tasks, some each second."""
import json
import os
import re
import time

from celery import Celery

import functions

app = Celery("jobs", broker=os.environ.get("BENCH_BROKER"), backend=None)
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True, worker_hijack_root_logger=False)
STEPS = functions.load()


@app.task
def count(route):
    return STEPS.run(route, 25, 3000)


@app.task
def parse(route):
    text = json.dumps({"line %d" % i: "value %d" % (i * route) for i in range(200)})
    return len(re.findall(r"(\w+) (\d+)", text)) + len(json.loads(text))


def main():
    n = 0
    while True:
        n += 1
        (count if n % 3 else parse).delay(n % 64)
        time.sleep(1 / 15)


if __name__ == "__main__":
    main()
