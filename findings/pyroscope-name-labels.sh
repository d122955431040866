#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Pyroscope's /ingest takes labels in its parameter name, as NAME{KEY=VALUE,...}. Nothing can be escaped in it. Of a last value with a
# comma or a brace in it the rest is lost, and the request succeeds. In another one's place the request is refused. A NAME with other
# characters than A-Z, a-z, 0-9 and -./_ is refused, though the label service_name may have any.
#
# Seen with github.com/grafana/pyroscope/api v1.6.0, model/labelset, which /ingest calls.
#
# Needs go (1.24 or later). Exit status 0: it is still so.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
export GOPATH=$folder/path GOCACHE=$folder/cache GOFLAGS=-modcacherw GOENV=off HOME=$folder
cd "$folder"
cat >main.go <<'GO'
package main

import (
	"fmt"

	"github.com/grafana/pyroscope/api/model/labelset"
)

func main() {
	for _, name := range []string{"shop{version=1}2}", "shop{version=1,2}", "shop{version=1,2,host=a}", "it's{host=a}", "shop{service_name=it's}"} {
		set, err := labelset.Parse(name)
		if err != nil {
			fmt.Printf("%s: %v\n", name, err)
		} else {
			fmt.Printf("%s: %s\n", name, set.Normalized())
		}
	}
}
GO
if ! { go mod init names && go get github.com/grafana/pyroscope/api@v1.6.0 && go run . >found; } 2>log; then
	cat log >&2
	exit 2
fi
cat found
diff found - <<'END'
shop{version=1}2}: shop{version=1}
shop{version=1,2}: shop{version=1}
shop{version=1,2,host=a}: invalid label name: 2,host: character is not allowed: ','
it's{host=a}: invalid service name: it's: character is not allowed: '\''
shop{service_name=it's}: shop{service_name=it's}
END
