#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# presets.bash: configures as a user does, and by each preset, and looks at what would be built.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0
complain() {
	echo "presets: $*"
	failed=1
}

# configure NAME CMAKE_OPTION...: into a folder of that name
configure() {
	local name=$1
	shift
	cmake -S "$top" -B "$folder/$name" -G Ninja "$@" >"$folder/$name.log" 2>&1 || {
		cat "$folder/$name.log"
		exit 1
	}
}

# flag NAME TEXT, tests NAME: whether a command of that build has TEXT; whether it builds tests
flag() {
	grep -qF -e "$2" "$folder/$1/build.ninja"
}
tests() {
	grep -q '^build tests/[^:]*: C_EXECUTABLE_LINKER' "$folder/$1/build.ninja"
}

configure user
! flag user -Werror || complain "a warning is an error in a user's build"
! tests user || complain "a user's build has tests in it"
flag user -O2 || complain "a user's build is not optimised"
! flag user libbpf.a || complain "libbpf is in the programs of a user's build, and Debian mends its own"
configure static -DPLOP_STATIC=ON
for library in libbpf libjansson; do
	flag static $library.a || complain "-DPLOP_STATIC=ON leaves $library out of the programs"
	! flag static $library.so || complain "-DPLOP_STATIC=ON takes $library of the system"
done
for preset in dev checked threads; do
	configure $preset --preset $preset
	flag $preset -Werror || complain "no warning is an error by preset $preset"
	tests $preset || complain "preset $preset builds no tests"
done
! flag dev -fsanitize= || complain "preset dev has sanitizers, with which times mean nothing"
flag checked -fsanitize=address,undefined || complain "preset checked has no sanitizers"
flag threads -fsanitize=thread || complain "preset threads has no ThreadSanitizer"
exit $failed
