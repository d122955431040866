#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# units.bash BUILD: installs BUILD into a directory of its own and has systemd judge what lies there: the units are valid,
# exposed as little as we claim, the users and directories can be made, and every program, page and option they name is there.
set -euo pipefail
build=$1
# On the scale of systemd-analyze security, which ends at 100.
declare -A limit=([plopd]=14 [plop-gateway]=9 [plop-perf]=9)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
failed=0
complain() {
	echo "units: $*"
	failed=1
}

DESTDIR=$stage cmake --install "$build" >"$stage/install.log" || { cat "$stage/install.log"; exit 1; }
units=$(find "$stage" -name plopd.service -printf '%h')
[ -n "$units" ] || { echo "units: cmake --install puts no plopd.service anywhere"; exit 1; }
# verify looks at no program outside --root, either.
mkdir -p "$stage/bin"
[ -e "$stage/bin/sh" ] || cp /bin/sh "$stage/bin/sh"
# What ours refer to (sysinit.target ...), since verify looks at nothing outside --root.
mkdir -p "$stage/lib/systemd"
for system in /lib/systemd/system /usr/lib/systemd/system; do
	[ -e "$stage/lib/systemd/system" ] || [ ! -e "$system" ] || cp -a "$system/." "$stage/lib/systemd/system/"
done

for unit in plopd plop-gateway plop-perf; do
	file=$units/$unit.service
	said=$(systemd-analyze verify --man=no --root="$stage" "$unit.service" 2>&1) || complain "systemd-analyze verify $unit.service fails"
	[ -z "$said" ] || complain "systemd-analyze verify $unit.service says: $said"
	systemd-analyze security --offline=true --threshold="${limit[$unit]}" "$file" >"$stage/security" 2>&1 ||
		complain "$unit.service is exposed more than ${limit[$unit]} of 100: $(tail -n 1 "$stage/security")"
	# Each exposure that is left is named in the unit, with why.
	while read -r name; do
		grep -Eq "^#.*\b${name%%=*}" "$file" || complain "$unit.service does not say why it is exposed by $name"
	done < <(sed -nE 's/^✗ +(SystemCallFilter|CapabilityBoundingSet|[A-Za-z]+=).*/\1/p' "$stage/security" | sort -u)
	program=$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$file")
	[ -x "$stage$program" ] || complain "$unit.service starts $program, which is not installed"
	read -ra pages < <(sed -n 's/^Documentation=//p' "$file")
	for page in "${pages[@]}"; do
		name=${page#man:}
		section=${name#*\(}
		[ -n "$(find "$stage" -path "*/man${section%)}/${name%(*}.${section%)}*")" ] || complain "$unit.service names $page, which is not installed"
	done
done
for path in share/bash-completion/completions/plopctl share/zsh/site-functions/_plopctl; do
	[ -n "$(find "$stage" -path "*/$path")" ] || complain "$path is not installed"
done
grep -q '^AmbientCapabilities=$' "$units/plop-gateway.service" || complain "plop-gateway.service has a capability"
# plopd's helpers and plop-gateway confine themselves further, by calls that @system-service lacks.
for call in bpf perf_event_open capset chown seccomp; do
	grep -Eq "^SystemCallFilter=[^~]*\b$call\b" "$units/plopd.service" || complain "plopd.service keeps $call() from plopd"
done
for call in seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self; do
	grep -Eq "^SystemCallFilter=[^~]*\b$call\b" "$units/plop-gateway.service" || complain "plop-gateway.service keeps $call() from plop-gateway"
done
for line in ProtectProc=invisible ProcSubset=pid PrivateUsers=yes; do
	! grep -q "^$line" "$units/plopd.service" || complain "plopd.service has $line, with which it cannot profile"
done

systemd-sysusers --root="$stage" "$(find "$stage" -path '*sysusers.d/plop.conf')" 2>"$stage/sysusers" || complain "systemd-sysusers: $(cat "$stage/sysusers")"
for user in plop plop-gateway; do
	grep -q "^$user:" "$stage/etc/passwd" || complain "sysusers makes no user $user"
	grep -q "^User=$user$" "$units"/plop*.service || complain "no unit runs as $user"
done
grep -Eq '^plop:.*[:,]plop-gateway(,|$)' "$stage/etc/group" || complain "plop-gateway is no member of group plop"
systemd-tmpfiles --root="$stage" --create "$(find "$stage" -path '*tmpfiles.d/plop.conf')" 2>"$stage/tmpfiles" || complain "systemd-tmpfiles: $(cat "$stage/tmpfiles")"
[ "$(stat -c %a "$stage/var/lib/plop" 2>/dev/null)" = 750 ] || complain "tmpfiles makes no /var/lib/plop of mode 750"
[ "$(stat -c %a "$stage/etc/plop/plop.conf" 2>/dev/null)" = 640 ] || complain "plop.conf is not 640: others could read its token"

# plop.conf shows every option that the programs know, at its default, and no other.
source=$(dirname "${BASH_SOURCE[0]}")/../../daemon/config/config.c
sed -nE 's/^\t\{ "([a-z]+)", "([a-z_]+)", OPTION_[A-Z]+, "([^"]*)".*/\1 \2 \3/p' "$source" | sed 's/ *$//' | sort >"$stage/known"
sed -nE 's/^\[(.*)\]$/S \1/p; s/^#([a-z_]+) = ?(.*)/O \1 \2/p' "$stage/etc/plop/plop.conf" |
	awk '$1 == "S" { s = $2 } $1 == "O" { print s, $2, $3 }' | sed 's/ *$//' | sort >"$stage/shown"
[ -s "$stage/known" ] || complain "found no option in config.c: does its table look different?"
diff "$stage/known" "$stage/shown" >"$stage/diff" || complain "config.c's options (<) and plop.conf's (>) differ: $(cat "$stage/diff")"

# What install_manifest.txt lists takes away again what was installed without a package, but /etc/plop.
while read -r path || [ -n "$path" ]; do
	rm -f "$stage$path"
done <"$build/install_manifest.txt"
left=$(cd "$stage" && find . -path '*plop*' -not -type d -not -path './etc/plop/*')
[ -z "$left" ] || complain "install_manifest.txt leaves $left"
exit $failed
