# SPDX-License-Identifier: BSD-2-Clause
"""[notify]: plop-gateway tells what became slower, by a command and by HTTP, once; and says in one sentence when that fails."""
import http.server
import json
import os
import subprocess
import sys
import threading
import time

import pytest

import host
from ports import free_port
from waiting import until

FUNCTION = {"name": "price", "file": "/srv/shop.py", "module": "", "kind": "python", "relative": 0.3, "rise": 0.08, "verdict": "slower"}
TELL = "import sys\nopen(sys.argv[2], 'a').write(sys.stdin.read() + '\\n')\nsys.exit(int(sys.argv[1]))\n"


class Server(http.server.HTTPServer):
    """Takes what is posted to it, and answers by the status that it is told."""
    def __init__(self):
        self.posted, self.status = [], 204
        super().__init__(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()

    def end(self):
        self.shutdown()
        self.thread.join()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.posted.append((self.path, self.headers["Content-Type"], json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_):
        pass


class Gateway:
    def __init__(self, plopd, folder, options):
        self.log, config = os.path.join(folder, "gateway.log"), os.path.join(folder, "plop.conf")
        with open(config, "w", encoding="utf-8") as f:
            f.write("[notify]\n" + "".join("%s = %s\n" % option for option in options.items()))
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([host.program("plop-gateway"), "--config", config, "--socket", plopd.socket, "--state-dir", plopd.state,
                                             "--listen", "127.0.0.1:%d" % free_port()], stderr=log)

    def lines(self):
        with open(self.log, encoding="utf-8") as f:
            return [line for line in f if "[notify]" in line]

    def end(self):
        self.process.terminate()
        self.process.wait(30)


@pytest.fixture
def plopd(root, tmp_path):
    """One that has found two versions slower: one that was told long ago, and one that it finds when the gateway is there."""
    state = tmp_path / "state"
    state.mkdir()
    found = [dict(uid=0, service="shop", version=version, before="1", time=time.time() + later, base={"windows": 10, "samples": 1},
                  new={"windows": 10, "samples": 1}, warnings=[], regressions=[FUNCTION]) for version, later in (("3", 3600), ("2", -3600))]
    (state / "regressions.json").write_text(json.dumps(found))
    with host.Plopd(state=str(state)) as daemon:
        until("it knows them", lambda: len(daemon.get("/v1/regressions")["comparisons"]) == 2)
        # from there on they are in plop.db
        until("the file is gone", lambda: not (state / "regressions.json").exists())
        yield daemon


def test_told(plopd, tmp_path):
    server, told, script = Server(), tmp_path / "told", tmp_path / "tell.py"
    script.write_text(TELL)
    try:
        gateway = Gateway(plopd, str(tmp_path), {"command": "%s %s 0 %s" % (sys.executable, script, told),
                                                 "url": "http://127.0.0.1:%d/slower" % server.server_port})
        try:
            until("it is posted", lambda: server.posted)
            # as plopd is asked again after ten seconds, it is not told again
            asked = time.monotonic()
            until("plopd was asked again", lambda: time.monotonic() - asked > 11, 20, 0.5)
            (path, kind, said), = server.posted
            assert path == "/slower" and kind == "application/json", (path, kind)
            assert said["service"] == "shop" and said["version"] == "3" and said["before"] == "1", said
            assert [f["name"] for f in said["regressions"]] == ["price"], said
            assert [json.loads(line) for line in told.read_text().splitlines()] == [said]
            assert not gateway.lines()
        finally:
            gateway.end()
    finally:
        server.end()


@pytest.mark.parametrize("option, words", [
    ("url", "it answered with HTTP status 500"), ("closed", "onnect"), ("command", "exit status 3"), ("none", "cannot be run: /no/such/program: No such file"),
])
def test_failures(plopd, tmp_path, option, words):
    """Each is one line that says what was tried and what came of it; the gateway goes on."""
    server, script = Server(), tmp_path / "tell.py"
    server.status = 500
    script.write_text(TELL)
    address = "http://127.0.0.1:%d/" % server.server_port
    if option == "closed":
        server.end()
    try:
        gateway = Gateway(plopd, str(tmp_path), {"url": address} if option in ("url", "closed") else
                          {"command": "/no/such/program" if option == "none" else "%s %s 3 /dev/null" % (sys.executable, script)})
        try:
            until("it is said", gateway.lines)
            (line,) = gateway.lines()
            assert words in line, line
            assert gateway.process.poll() is None
        finally:
            gateway.end()
    finally:
        if option != "closed":
            server.end()
