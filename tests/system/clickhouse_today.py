# SPDX-License-Identifier: BSD-2-Clause
"""
clickhouse_today.py PORT FOLDER USER PASSWORD: today's ClickHouse, which is in PyPI's chdb-core as a library, as a server of its HTTP
interface: a query in the address or the body, rows behind an INSERT, gzip, the codes and states of its errors. One query at a time.
"""
import gzip
import http.server
import os
import re
import sys
import threading
import urllib.parse

from chdb import session

# Of the interface, not of a query.
INTERFACE = ("query", "wait_end_of_query", "enable_http_compression", "user", "password", "database")
# "Code: 60. DB::Exception: ...": the states of the server's own HTTP interface for them; 500 for all others.
STATES = {"60": 404, "81": 404, "115": 404, "516": 403, "497": 403, "62": 400, "33": 400, "117": 400, "47": 404, "16": 404}
INSERT = re.compile(r"\s*INSERT\s+INTO\s+([\w.]+)\s*(?:\(([^)]*)\))?\s*FORMAT\s+(\w+)\s*$", re.I)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store = folder = user = password = None
    lock = threading.Lock()

    def insert(self, table, columns, form, body):
        """A query of the library is text: rows go by a file, of which it is said what the table says of its columns."""
        described = [line.split("\t")[:2] for line in self.store.query("DESCRIBE TABLE %s FORMAT TabSeparatedRaw" % table).bytes().decode().splitlines()]
        types = dict(described)
        names = [name.strip() for name in columns.split(",")] if columns else [name for name, _ in described]
        structure = ", ".join("%s %s" % (name, types[name].replace("'", "\\'")) for name in names)
        path = os.path.join(self.folder, "rows")
        with open(path, "wb") as f:
            f.write(body)
        some = ", ".join(names)
        self.store.query("INSERT INTO %s (%s) SELECT %s FROM file('%s', '%s', '%s')" % (table, some, some, path, form, structure))
        return b""

    def answer(self, body):
        asked = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query, keep_blank_values=True)
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if (self.headers.get("X-ClickHouse-User"), self.headers.get("X-ClickHouse-Key") or "") != (self.user, self.password):
            raise PermissionError("Code: 516. DB::Exception: %s: Authentication failed" % self.user)
        sql = asked["query"][0] if "query" in asked else body.decode()
        into = INSERT.match(sql)
        if into:
            return self.insert(*into.groups(), body)
        settings = ["%s = %s" % (name, values[0]) for name, values in asked.items() if name not in INTERFACE]
        if settings and sql.lstrip().upper().startswith("SELECT"):
            at = sql.rfind(" FORMAT ")
            sql = "%s SETTINGS %s%s" % (sql[:at] if at > 0 else sql, ", ".join(settings), sql[at:] if at > 0 else "")
        return self.store.query(sql, "TabSeparated").bytes()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            with self.lock:
                state, said = 200, self.answer(body)
        except PermissionError as e:
            state, said = 403, str(e).encode()
        except Exception as e:  # what the library raises for a query, and what the query is not
            said = str(e).encode()
            code = re.match(rb"Code: (\d+)", said)
            state = STATES.get(code.group(1).decode(), 500) if code else 500
        coded = "gzip" in (self.headers.get("Accept-Encoding") or "")
        said = gzip.compress(said, 1) if coded else said
        self.send_response(state)
        if coded:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_):
        pass


def main():
    port, Handler.folder, Handler.user, Handler.password = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
    Handler.store = session.Session(os.path.join(Handler.folder, "data"))
    http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
