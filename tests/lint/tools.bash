#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# tools.bash TOOL [BUILD]: one foreign checker over the tree. TOOL: format, tidy, cppcheck, shell, spelling, man, python.
# BUILD is a build tree with compile_commands.json (tidy).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."

# sources SUFFIX...: NUL-separated paths, without build trees, what npm brings, and what bpftool makes.
sources() {
	local pattern=() suffix
	for suffix in "$@"; do
		pattern+=(-o -name "*$suffix")
	done
	find bpf daemon include viewer systemd tests \( -name node_modules -o -name .cache \) -prune -o -type f \( "${pattern[@]:1}" \) ! -path bpf/vmlinux.h -print0
}

case $1 in
format)
	sources .c .h | xargs -0 clang-format --dry-run -Werror
	;;
tidy)
	if [ ! -e "$2/compile_commands.json" ]; then
		echo "tidy: $2/compile_commands.json is not there; configure with -DCMAKE_EXPORT_COMPILE_COMMANDS=ON"
		exit 1
	fi
	# Only what the tree compiles, and not what it generates.
	sed -nE "s#^ *\"file\": \"$PWD/(daemon/[^\"]*)\".*#\1#p" "$2/compile_commands.json" | sort -u |
		xargs -P 2 -n 8 clang-tidy --quiet --config-file="$here/clang-tidy.yaml" --warnings-as-errors='*' -p "$2" \
			--extra-arg=-Wno-unknown-warning-option 2>/dev/null
	;;
cppcheck)
	cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 -j 2 \
		--library=posix --library=gnu --suppressions-list="$here/cppcheck.txt" --include="$here/cppcheck.h" \
		-I include -I daemon daemon
	;;
shell)
	{
		printf '%s\0' quickstart tests/run tests/kernels/fetch tests/boot/fetch .ci/run
		[ ! -e tests/pythons ] || [ "$(head -c 15 tests/pythons)" != '#!/usr/bin/env ' ] || ! head -1 tests/pythons | grep -q bash || printf 'tests/pythons\0'
		sources .bash .sh
		find systemd/package -name '*.in' -print0
	} | xargs -0 shellcheck -x
	;;
spelling)
	codespell --skip='*/node_modules,*/regression,*/golden,*/.cache,package-lock.json,*.pb,*.bin,vmlinux.h,./build*,./.git' --ignore-words="$here/spelling.txt" \
		./*.md quickstart bpf daemon include viewer systemd tests
	;;
man)
	# The style level asks for a date that mandoc likes and for sections that BSD has; warnings are what matters.
	find daemon/man -type f -print0 | xargs -0 --no-run-if-empty mandoc -T lint -W warning
	;;
python)
	# what is named *_2.py is for Python 2, and compiled by it when it runs
	sources .py | grep -zv '_2[.]py$' | xargs -0 python3 -W error -c '
import sys
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as f:
        compile(f.read(), path, "exec")'
	;;
*)
	echo "tools.bash: no such tool: $1" >&2
	exit 2
	;;
esac
