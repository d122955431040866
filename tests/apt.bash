# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2154 # cache is the caller's
# An apt that has its own folders and suites, beside this machine's, for what the tests need of other releases of Debian.
# The caller sets cache (a folder, for the apt's own below it and for a log), and has say, which tells a person one sentence.

# An apt that knows only its own folders and the suites of make_apt(), from the mirror that this machine's apt uses.
own_apt() {
	local command=$1
	shift
	"$command" -o Dir::Etc::sourcelist="$cache/apt/sources.list" -o Dir::Etc::sourceparts=- \
		-o Dir::State="$cache/apt/state" -o Dir::State::lists="$cache/apt/lists" -o Dir::Cache="$cache/apt/cache" \
		-o Dir::State::status="$cache/apt/status" -o Acquire::Check-Valid-Until=false -o Debug::NoLocking=1 \
		-o Acquire::Languages=none -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 \
		-o APT::Sandbox::User="$(id -un)" -o APT::Get::List-Cleanup=false "$@"
}

# The address that this machine takes Debian itself from; nothing if its apt is another distribution's.
debian_mirror() {
	local mirror
	mirror=$(apt-get indextargets --format "\$(ORIGIN) \$(LABEL) \$(REPO_URI)" "Created-By: Packages" 2>/dev/null |
		awk '$1 == "Debian" && $2 == "Debian" { print $3; exit }')
	# Before the first apt-get update there are no indexes, only sources.
	if [ -z "$mirror" ]; then
		mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
			grep -oE '^(deb( \[[^]]*\])?|URIs:) +[a-z]+://[^ ]+/debian/?( |$)' | grep -oE '[a-z]+://[^ ]+' | head -n 1)
	fi
	echo "$mirror"
}

# Makes that apt, for packages of the kind $1 (deb or deb-src) in the suites behind it.
make_apt() {
	local mirror keyring=/usr/share/keyrings/debian-archive-keyring.gpg kind=$1
	shift
	mirror=$(debian_mirror)
	[ -n "$mirror" ] || { say "nothing was made: this machine's apt knows no Debian mirror"; return 1; }
	[ -r "$keyring" ] || { say "nothing was made: $keyring is missing"; return 1; }
	rm -rf "$cache/apt"
	mkdir -p "$cache/apt/state" "$cache/apt/lists/partial" "$cache/apt/cache/archives/partial"
	: >"$cache/apt/status"
	for suite; do
		echo "$kind [signed-by=$keyring] $mirror $suite main"
	done >"$cache/apt/sources.list"
	own_apt apt-get -q update >>"$cache/log" 2>&1 || say "not all of Debian's suites could be read, see $cache/log"
}
