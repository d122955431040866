#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The pprof of Go 1.19 writes a location with -raw as FILE:LINE, that of Go 1.26 as FILE:LINE:COLUMN, for every profile, also
# for one that has no columns: they are 0 there. Nothing in the output says which of the two it is, and a reader that takes the last number
# for the line reads 0 from the newer one, silently.
#
# Seen with github.com/google/pprof
#   v0.0.0-20220729232143-a41b82acbcb1 (the one in Go 1.19):  "1: 0x0 M=1 work /srv/shop.py:42 s=40"
#   v0.0.0-20251114195745-4902fdda35c8 (the one in Go 1.26):  "1: 0x0 M=1 work /srv/shop.py:42:0 s=40"
#
# Needs go (1.24 or later) and python3. Exit status 0: it is still so.
set -euo pipefail
old=v0.0.0-20220729232143-a41b82acbcb1
new=v0.0.0-20251114195745-4902fdda35c8
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
export GOPATH=$folder/path GOCACHE=$folder/cache GOFLAGS=-modcacherw GOENV=off HOME=$folder PPROF_TMPDIR=$folder

# A whole profile of one sample in one function: fields as profile.proto numbers them.
python3 - "$folder/profile" <<'PYTHON'
import sys


def number(field, value):
    out = bytes([field << 3])
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def message(field, data):
    return bytes([field << 3 | 2, len(data)]) + data


texts = ["", "samples", "count", "work", "/srv/shop.py"]
sample_type = number(1, 1) + number(2, 2)
sample = number(1, 1) + number(2, 7)
mapping = number(1, 1)
line = number(1, 1) + number(2, 42)
location = number(1, 1) + number(2, 1) + message(4, line)
function = number(1, 1) + number(2, 3) + number(3, 3) + number(4, 4) + number(5, 40)
with open(sys.argv[1], "wb") as f:
    f.write(message(1, sample_type) + message(2, sample) + message(3, mapping) + message(4, location) + message(5, function)
            + b"".join(message(6, t.encode()) for t in texts))
PYTHON

for version in "$old" "$new"; do
	GOBIN=$folder/$version go install "github.com/google/pprof@$version" 2>"$folder/log" || {
		cat "$folder/log" >&2
		exit 2
	}
	"$folder/$version/pprof" -raw "$folder/profile" 2>/dev/null | grep 'work /srv/shop.py' >"$folder/$version.line"
	printf '%s: %s\n' "$version" "$(cat "$folder/$version.line")"
done
grep -q 'work /srv/shop.py:42 s=40$' "$folder/$old.line"
grep -q 'work /srv/shop.py:42:0 s=40$' "$folder/$new.line"
