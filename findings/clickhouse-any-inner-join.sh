#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Samples of a profile lie in one table, their stacks in another, which ReplacingMergeTree may have twice. "ANY INNER JOIN" takes one
# stack for each sample in ClickHouse 18.16, which Debian 12 packages: no sum changes. Since version 20 it takes one row for each
# key of the left side as well: of a hundred samples with two stacks two are left, and a sum says a fiftieth, without an error
# or a warning. "ANY LEFT JOIN" is the same in both. Who keeps weights in rows and moves from one version to the other gets other
# totals from the same statement. The setting any_join_distinct_right_table_keys = 1 brings the old ones back.
#
# Seen with chdb-core 26.9.0 (ClickHouse 26.9) of PyPI, and clickhouse-server 18.16.1+ds-7.3 of Debian 12:
#     18.16  ANY INNER JOIN 1000   ANY LEFT JOIN 1000
#     26.9   ANY INNER JOIN   20   ANY LEFT JOIN 1000
#
# Needs python3 (3.9 or later) with venv. Exit status 0: it is still so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-deps chdb-core==26.9.0 2>log || {
	cat log >&2
	exit 2
}
venv/bin/python - <<'PYTHON'
import sys

import chdb

# 100 rows of 10 samples, of stacks 0 and 1 by turns; of each stack two rows, as before a merge
SAMPLES = "(SELECT number % 2 AS stack_id, 10 AS samples FROM numbers(100)) AS samples"
STACKS = "(SELECT number % 2 AS stack_id, 'main;work' AS frames FROM numbers(4)) AS stacks"


def total(join, settings=""):
    text = str(chdb.query("SELECT sum(samples) FROM %s %s JOIN %s USING stack_id%s" % (SAMPLES, join, STACKS, settings)))
    print("%-15s%s: %s" % (join, settings, text.strip()))
    return int(text)


found = total("ANY LEFT"), total("ANY INNER"), total("ANY INNER", " SETTINGS any_join_distinct_right_table_keys = 1")
print("version", str(chdb.query("SELECT version()")).strip())
sys.exit(0 if found == (1000, 20, 1000) else 1)
PYTHON
