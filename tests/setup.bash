# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2154 # top and log are the caller's
# What quickstart and tests/run have in common: the packages, npm, the build, and telling a person what is being done.
# The caller sets top (the repository), log (a file that gets all output of the steps), and calls step for each of them.

# Alternatives are separated by "|"; the first is installed when none is there. npm comes with some builds of nodejs.
build_packages=(
	gcc libc6-dev clang cmake ninja-build pkg-config bpftool
	libbpf-dev libelf-dev libsystemd-dev libmicrohttpd-dev libgnutls28-dev "libcurl4-gnutls-dev|libcurl4-openssl-dev" libsqlite3-dev
	libprotobuf-c-dev protobuf-c-compiler protobuf-compiler zlib1g-dev libdeflate-dev libjansson-dev libinih-dev libxxhash-dev uthash-dev libncurses-dev
	dpkg-dev nodejs
)
command -v npm >/dev/null || build_packages+=(npm)
# shellcheck disable=SC2034 # used by quickstart and tests/run
demo_packages=(python3 python3-tornado)
# shellcheck disable=SC2034 # used by tests/run
test_packages=(
	check libclang-rt-14-dev clang-format clang-tidy cppcheck shellcheck codespell mandoc systemd
	python3-dev python3-pip python3-pytest python3-tornado python3-greenlet python3-gevent gunicorn golang-1.19-go chromium-headless-shell fontconfig fonts-dejavu-core curl procps util-linux libcap2-bin
	lintian rpm rpmlint
	gdb strace faketime openssl prometheus uwsgi-core uwsgi-plugin-python3 pypy3 zsh
)
# shellcheck disable=SC2034 # used by tests/run
kernel_packages=(qemu-system-x86)
# shellcheck disable=SC2034 # used by tests/run
boot_packages=(qemu-system-x86 debootstrap)

child=
spinning=
[ -t 1 ] && spinning=yes

elapsed() {
	printf '%d:%02d' $((SECONDS / 60)) $((SECONDS % 60))
}

say() {
	printf '[%s] %s\n' "$(elapsed)" "$*"
}

# The last thing that a step's log tells of its progress: ninja's "[12/80]" or apt's "Setting up x".
detail() {
	tail -n 1 "$log" 2>/dev/null | tr -d '\r' |
		sed -nE 's/^(\[[0-9]+\/[0-9]+\]).*/\1/p; s/^((Get|Unpacking|Setting up)[^ ]* [^ ]*).*/\1/p' | cut -c1-40
}

# step WHAT COMMAND...: runs COMMAND with its output in $log. On failure one sentence, the log's end and its path; exit 1.
step() {
	local what=$1 status=0
	shift
	[ -n "$spinning" ] || say "$what"
	printf '\n== %s: %s\n' "$what" "$*" >>"$log"
	# A process group of its own (set -m), so that stop_step can end all that the command started.
	set -m
	"$@" >>"$log" 2>&1 </dev/null &
	child=$!
	set +m
	while [ -n "$spinning" ] && kill -0 "$child" 2>/dev/null; do
		printf '\r[%s] %s %s\033[K' "$(elapsed)" "$what" "$(detail)"
		sleep 0.1
	done
	wait "$child" || status=$?
	child=
	[ -z "$spinning" ] || printf '\r[%s] %s\033[K\n' "$(elapsed)" "$what"
	[ "$status" = 0 ] && return
	{
		echo "$(basename "$0"): this failed: $what (exit status $status). The end of the log:"
		tail -n 15 "$log" | sed 's/^/    /'
		echo "All of it is in $log"
	} >&2
	exit 1
}

# Ends the step that is under way, for traps.
stop_step() {
	[ -n "$child" ] || return 0
	kill -TERM -- "-$child" 2>/dev/null || true
	wait "$child" 2>/dev/null || true
	child=
}

# beside COMMAND...: runs it while the next steps do their work; its output goes into the log when join_beside has waited for it.
beside_pid=
beside() {
	setsid "$@" >"$log.beside" 2>&1 </dev/null &
	beside_pid=$!
}

# A step's command: it is no child of that step's shell, so it cannot be waited for.
join_beside() {
	while kill -0 "$beside_pid" 2>/dev/null; do
		sleep 0.5
	done
	cat "$log.beside"
}

stop_beside() {
	[ -z "$beside_pid" ] || kill -TERM -- "-$beside_pid" 2>/dev/null || true
}

missing_packages() {
	local -A there=()
	local state name wanted option found
	while read -r state name; do
		[ "$state" = installed ] && there[$name]=1
	done < <(dpkg-query -W -f='${db:Status-Status} ${Package}\n' 2>/dev/null)
	for wanted in "$@"; do
		found=
		for option in ${wanted//|/ }; do
			[ -n "${there[$option]:-}" ] && found=1
		done
		[ -n "$found" ] || printf '%s\n' "${wanted%%|*}"
	done
}

# A source that cannot be reached need not be the one that has the packages, so update's failure alone ends nothing.
apt_install() {
	export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a
	apt-get update -q || echo "apt-get update failed, going on"
	apt-get install -y -q --no-install-recommends -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 "$@"
}

# packages NAME...: installs what is missing of them, and does nothing where nothing is.
packages() {
	local missing
	mapfile -t missing < <(missing_packages "$@" | sort -u)
	[ "${#missing[@]}" -gt 0 ] || return 0
	if ! command -v apt-get >/dev/null; then
		echo "$(basename "$0"): apt-get is not here; install these by hand: ${missing[*]}" >&2
		exit 1
	fi
	step "Installing ${#missing[@]} packages with what they need (apt)" apt_install "${missing[@]}"
}

npm_ci() {
	(cd "$1" && npm ci --no-audit --no-fund --loglevel=error) && printf '%s\n' "$2" >"$1/node_modules/.plop-stamp"
}

# npm_packages FOLDER...: npm ci where there is a lock file that node_modules was not made from yet.
npm_packages() {
	local folder stamp
	for folder in "$@"; do
		[ -e "$top/$folder/package-lock.json" ] || continue
		stamp="$(sha256sum <"$top/$folder/package-lock.json") $(node --version)"
		[ "$(cat "$top/$folder/node_modules/.plop-stamp" 2>/dev/null)" = "$stamp" ] && continue
		step "Fetching the JavaScript packages of $folder (npm ci)" npm_ci "$top/$folder" "$stamp"
		give_back "$top/$folder/node_modules"
	done
}

# give_back FOLDER...: to whom the repository belongs, when that is not root: sudo should leave nothing they cannot delete.
give_back() {
	local folder
	[ "$(stat -c %u "$top")" != 0 ] || return 0
	for folder in "$@"; do
		[ ! -e "$folder" ] || find "$folder" -uid 0 -exec chown -h --reference="$top" {} +
	done
}

# build WHAT FOLDER CMAKE_OPTION...: configures once, or again when the options change, and builds.
build() {
	local what=$1 folder=$2 options
	shift 2
	options="$*"
	mkdir -p "$folder"
	if [ ! -e "$folder/build.ninja" ] || [ "$(cat "$folder/.plop-options" 2>/dev/null)" != "$options" ]; then
		step "Configuring $what" cmake -S "$top" -B "$folder" -G Ninja "$@"
		printf '%s\n' "$options" >"$folder/.plop-options"
	fi
	step "Building $what" ninja -C "$folder"
	give_back "$folder"
}

need_root() {
	[ "$(id -u)" = 0 ] && return
	echo "$(basename "$0"): needs root, to install packages and to load BPF programs: sudo $0" >&2
	exit 1
}
