# SPDX-License-Identifier: BSD-2-Clause
# awk -v form=deb|rpm -v version=V -v now="YYYY-MM-DD HH:MM:SS" -v who="NAME <MAIL>" -f changelog.awk CHANGELOG.md: the changelog of a
# package, in UTC. The first section is of the version that is packed, now; each below has its own, as in "## 0.1.0 - 2026-12-24".

# The day of the week of YYYY-MM-DD, by Sakamoto's rule.
function weekday(date,    part, year, days) {
	split(date, part, "-")
	year = part[1] - (part[2] < 3)
	days = year + int(year / 4) - int(year / 100) + int(year / 400) + substr("032503514624", part[2], 1) + part[3]
	return substr("SunMonTueWedThuFriSat", 1 + 3 * (days % 7), 3)
}

function month(date) {
	return substr("JanFebMarAprMayJunJulAugSepOctNovDec", 3 * substr(date, 6, 2) - 2, 3)
}

# The paragraph, wrapped at 78 columns.
function put_item(    n, word, i, line) {
	if (item == "")
		return
	gsub(/\]\([^)]*\)/, "", item)
	gsub(/\[/, "", item)
	n = split(item, word, " ")
	line = form == "deb" ? "  *" : "-"
	for (i = 1; i <= n; i++) {
		if (length(line) + 1 + length(word[i]) > 78) {
			print line
			line = form == "deb" ? "   " : " "
		}
		line = line " " word[i]
	}
	print line
	item = ""
}

function end_section() {
	put_item()
	if (sections && form == "deb")
		printf "\n -- %s  %s, %s %s %s %s +0000\n", who, weekday(date), substr(date, 9, 2), month(date), substr(date, 1, 4), time
}

/^## / {
	end_section()
	if (sections)
		print ""
	sections++
	if (sections == 1) {
		of = version
		date = substr(now, 1, 10)
		time = substr(now, 12)
	} else {
		of = $2
		gsub(/[][]/, "", of)
		date = $4
		time = "00:00:00"
	}
	if (form == "deb")
		printf "plop (%s) unstable; urgency=medium\n", of
	else
		printf "* %s %s %s %s %s - %s-1\n", weekday(date), month(date), substr(date, 9, 2), substr(date, 1, 4), who, of
	next
}
!sections { next }
/^### / {
	put_item()
	if (form == "deb")
		printf "\n  [ %s ]\n", substr($0, 5)
	next
}
/^- / { put_item(); item = substr($0, 3); next }
/^ / { item = item $0; next }
END { end_section() }
