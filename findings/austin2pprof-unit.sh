#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# austin2pprof names the unit of time with a Greek mu (U+03BC, "μs"). Go's pprof knows the micro sign (U+00B5, "µs"), "us" and
# "microsecond", and takes the other for a unit of its own. With -unit=ms it then prints the microseconds unchanged, with "ms" behind
# them: 0.15 s of fib() read 150000ms, a thousand times too much, without a word. Without -unit the unit is right, only not scaled.
#
# Seen with austin-python 2.4.0 and github.com/google/pprof v0.0.0-20251114195745-4902fdda35c8:
#   -top:            "850000μs 85.00% 85.00%   850000μs 85.00%  work"
#   -top -unit=ms:   "850000ms 85.00% 85.00%   850000ms 85.00%  work"   (it is 850ms)
# The same file with the unit "us" has 850ms in both.
#
# Needs go (1.24 or later) and python3 with venv. Exit status 0: it is still so.
set -euo pipefail
austin="austin-python==2.4.0"
pprof=v0.0.0-20251114195745-4902fdda35c8
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
export GOPATH=$folder/path GOCACHE=$folder/cache GOFLAGS=-modcacherw GOENV=off HOME=$folder PPROF_TMPDIR=$folder

install() {
	"$@" >"$folder/log" 2>&1 || {
		cat "$folder/log" >&2
		exit 2
	}
}
install python3 -m venv "$folder/venv"
install "$folder/venv/bin/pip" install "$austin"
GOBIN=$folder install go install "github.com/google/pprof@$pprof"

cat >"$folder/cpu.austin" <<'AUSTIN'
# austin: 4.0.0
# interval: 10000
# mode: cpu

P1;T0:1;/srv/shop.py:main:10;/srv/shop.py:fib:3 150000
P1;T0:1;/srv/shop.py:main:12;/srv/shop.py:work:30 850000
AUSTIN
"$folder/venv/bin/austin2pprof" "$folder/cpu.austin" "$folder/greek"

# The same profile with a unit that pprof knows.
python3 - "$folder/greek" "$folder/plain" <<'PYTHON'
import sys

with open(sys.argv[1], "rb") as f:
    profile = f.read()
unit = "\u03bcs".encode()
assert profile.count(unit) == 1, "the unit is not written with a Greek mu any more"
# field 6, 3 bytes -> field 6, 2 bytes
with open(sys.argv[2], "wb") as f:
    f.write(profile.replace(b"\x32\x03" + unit, b"\x32\x02us"))
PYTHON

work() {
	"$folder/pprof" -top "${@:2}" "$folder/$1" 2>/dev/null | grep ' work$'
}
printf 'μs, -top:           %s\n' "$(work greek)"
printf 'μs, -top -unit=ms:  %s\n' "$(work greek -unit=ms)"
printf 'us, -top -unit=ms:  %s\n' "$(work plain -unit=ms)"
work greek | grep -q '^ *850000μs '
work greek -unit=ms | grep -q '^ *850000ms '
work plain -unit=ms | grep -q '^ *850ms '
