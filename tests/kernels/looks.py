# SPDX-License-Identifier: BSD-2-Clause
"""What says in a machine of machine.py's what was looked at: a line of JSON for each, {"what": ..., ...}, with "failed" where it was not
as it must be."""
import json
import time
import traceback

REPORT = "/dev/ttyS1"


class Looks:
    def __init__(self, report):
        self.report = report

    def say(self, what, **facts):
        self.report.write(json.dumps(dict(what=what, **facts)) + "\n")
        self.report.flush()

    def look(self, what, question):
        """Says what question() gives, or why it failed."""
        began, facts = time.monotonic(), {}
        try:
            facts = question() or {}
        except BaseException as e:
            facts = {"failed": "%s: %s" % (type(e).__name__, str(e)[:4000])}
            traceback.print_exc()
        self.say(what, seconds=round(time.monotonic() - began, 2), **facts)
