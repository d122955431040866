#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The wheel of austin-dist 4.0.0 says manylinux_2_12, that is, glibc 2.12 and later, so that pip installs it on every Linux with glibc.
# The program in it needs glibc 2.38: on Debian 12 (2.36) or RHEL 9 (2.34) it is installed without a word and does not start
# ("version `GLIBC_2.38' not found"). What needs it are four functions of C23 (__isoc23_strtol and the like), which a compiler
# puts in place of strtol() by itself where the headers of glibc are of 2.38 or later.
# The wheel for musl (musllinux_1_1) of the same version needs no glibc; Debian's package musl is enough to run it.
#
# Seen with austin-dist 4.0.0, x86-64: tag "manylinux_2_12_x86_64", newest needed symbol version GLIBC_2.38.
#
# Needs python3 with venv, unzip and readelf. Exit status 0: it is still so.
set -euo pipefail
austin="austin-dist==4.0.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv

fetch() { # PLATFORM
	venv/bin/pip download --quiet --no-deps --only-binary :all: --platform "$1" --dest "$1" "$austin" 2>log || {
		cat log >&2
		exit 2
	}
	unzip -q "$1"/*.whl -d "$1"
	find "$1" -type f -name austin
}
program=$(fetch manylinux_2_12_x86_64)
grep -h '^Tag: .*manylinux_2_12_x86_64' manylinux_2_12_x86_64/*.dist-info/WHEEL
readelf --dyn-syms --wide "$program" | grep -oE '[a-z0-9_]+@GLIBC_2\.38' | sort -u | tee newest
readelf --version-info --wide "$program" | grep -oE 'GLIBC_2\.[0-9]+' | sort -uV | tail -n 1 | grep -qx GLIBC_2.38
grep -q '^__isoc23_strtol@' newest

program=$(fetch musllinux_1_1_x86_64)
readelf --program-headers "$program" | grep -o 'interpreter: .*[^]]'
! readelf --version-info --wide "$program" | grep -q GLIBC
