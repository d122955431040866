# SPDX-License-Identifier: BSD-2-Clause
"""`plopctl fleet join`: each of its steps against a real ClickHouse, plopd and plop-gateway, and what each says where it fails."""
import os
import stat
import struct
import subprocess
import sys
import threading

import pytest

import clickhouse
import host
from fleet_server import DONE, FAILED, NOT_ALLOWED, USAGE
from fleet_ship import Shipping, busy
from fleet_source import make_tables
from ports import free_port
from waiting import until

PLOPD = ("--window", 1, "--hz", 200)
CONF = """# This host's.
[gateway]
token = a-token-that-lasts
  ; as it was
[fleet]
# Where to.
#store =
#user =
state_dir = %s
delay = 0s

[plopd]
window = 1s
# the end"""


@pytest.fixture(scope="module", params=clickhouse.VERSIONS)
def node(request):
    with clickhouse.store(request.param) as running:
        yield running


class Joining(Shipping):
    """A host that ships nowhere yet; its plop-gateway is started again where plopctl says that it is to be."""

    def __init__(self, plopd, folder, node):
        super().__init__(plopd, folder, node, "none")
        self.conf = os.path.join(self.folder, "plop.conf")
        self.write(CONF % self.state)

    def write(self, text):
        with open(self.conf, "w") as f:
            f.write(text)

    def text(self):
        with open(self.conf) as f:
            return f.read()

    def command(self):
        self.port = free_port()
        return [host.program("plop-gateway"), "--config", self.conf, "--socket", self.plopd.socket, "--state-dir", self.plopd.state,
                "--listen", "127.0.0.1:%d" % self.port]

    def join(self, url, *arguments, restarts=False, **options):
        """(status, output, complaint)"""
        process = subprocess.Popen([host.program("plopctl"), "fleet", "join", url, "--config", self.conf, "--socket", self.plopd.socket, *arguments],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        complaint, out = [], []
        reader = threading.Thread(target=lambda: complaint.append(process.stderr.read().decode()))
        reader.start()
        for line in process.stdout:
            out.append(line.decode())
            if restarts and line.startswith(b"plop-gateway "):
                self.end()
                self.start()
        reader.join()
        process.wait(30)
        return process.returncode, "".join(out), complaint[0]


@pytest.fixture
def joining(root, folder, node):
    with host.Plopd(*PLOPD) as plopd, Joining(plopd, folder, node) as gateway, busy(["shop"]):
        yield gateway


def user(gateway):
    return ["--user", clickhouse.USER, "--password-file", os.path.join(gateway.folder, "password")]


def nothing_is_written(gateway, done, words, hint, status=FAILED):
    """One sentence and what to try; plop.conf as it was, and nothing beside it."""
    assert done[0] == status, done
    lines = done[2].splitlines()
    assert len(lines) == 2 and words in lines[0] and hint in lines[1], done
    assert gateway.text() == CONF % gateway.state
    assert not [name for name in os.listdir(gateway.folder) if name.startswith("plop.conf.")]


def test_a_host_joins(joining, node):
    url = node.url + "/joined"
    os.chmod(joining.conf, 0o640)
    os.chown(joining.conf, 0, 12)
    nothing_is_written(joining, joining.join(url, *user(joining)), "plop-gateway --init-store makes", "the same with --init-store")
    status, said, complaint = joining.join(url, *user(joining), "--init-store", restarts=True)
    assert (status, complaint) == (DONE, ""), (said, complaint)
    steps = [line.split()[0] for line in said.splitlines()]
    assert steps == ["store", "tables", "clock", "plop.conf", "plop-gateway", "window"], said
    assert "made now" in said and " samples, as in plop.db" in said, said
    wanted = (CONF % joining.state).replace("#store =\n", "#store =\nstore = clickhouse=%s\n" % url)
    wanted = wanted.replace("#user =\n", "#user =\nuser = %s\n" % clickhouse.USER)
    wanted = wanted.replace("\n[plopd]", "\npassword_file = %s\n[plopd]" % user(joining)[-1])
    assert joining.text() == wanted
    state = os.stat(joining.conf)
    assert stat.S_IMODE(state.st_mode) == 0o640 and state.st_gid == 12
    assert os.listdir(joining.folder).count("plop.conf.new") == 0
    # once more it is the same
    status, said, complaint = joining.join("clickhouse=" + url, *user(joining), restarts=True)
    assert status == DONE and "has it already" in said and joining.text() == wanted, (said, complaint)
    # another store only where that is said
    status, said, complaint = joining.join(node.url + "/other", *user(joining), "--init-store")
    assert status == FAILED and not said and "ships to another store, clickhouse=" + url in complaint and "--replace" in complaint, complaint
    assert joining.text() == wanted
    status, said, complaint = joining.join(node.url + "/other", *user(joining), "--init-store", "--replace", restarts=True)
    assert (status, complaint) == (DONE, "") and joining.text() == wanted.replace("/joined", "/other"), (said, complaint)


def test_what_is_wrong_with_the_store(joining, node, tmp_path):
    def fails(words, hint, url=node.url + "/wrong", arguments=None, **options):
        nothing_is_written(joining, joining.join(url, *(arguments or user(joining))), words, hint, **options)

    fails("does not answer", "the address in full", url="http://127.0.0.1:1/plop")
    fails("its path is the name of a database", "--help", url="http://127.0.0.1:1/a-b", status=USAGE)
    fails("is no address of a ClickHouse", "--help", url="nowhere", status=USAGE)
    fails("user and password_file", "--user NAME", arguments=["--user", "nobody"])
    fails("cannot read password_file /nowhere", "--password-file FILE", arguments=["--password-file", "/nowhere"])
    (tmp_path / "password").write_text("wrong\n")
    fails("user and password_file", "--user NAME", arguments=["--user", clickhouse.USER, "--password-file", str(tmp_path / "password")])
    node.ask("CREATE DATABASE IF NOT EXISTS newer")
    node.ask("CREATE TABLE newer.plop_schema (version UInt32, made DateTime('UTC')) ENGINE = ReplacingMergeTree ORDER BY version")
    node.ask("INSERT INTO newer.plop_schema (version) FORMAT TabSeparated", b"99\n")
    fails("of a newer plop", "as new as the store's", url=node.url + "/newer", arguments=[*user(joining), "--init-store"])


def test_a_clock_that_is_wrong(joining, node):
    """This host's, as plopctl sees it."""
    make_tables(node, "clock", joining.folder)
    shift = os.path.join(joining.folder, "shift")
    with open(shift, "wb") as f:
        f.write(struct.pack("<q", 3600))
    library = os.path.join(host.BUILD, "tests", "system", "libshifted_clock.so")
    status, said, complaint = joining.join(node.url + "/clock", *user(joining), env=dict(os.environ, LD_PRELOAD=library, PLOP_TEST_CLOCK=shift))
    assert status == FAILED and "more than half a window" in complaint and "set-ntp" in complaint and joining.text() == CONF % joining.state, (
        said, complaint)


def test_who_may_and_what_is_none(joining, node):
    done = joining.join(node.url, user=65534, group=65534)
    assert done[0] == NOT_ALLOWED and "that is root's" in done[2]
    for words in ([], ["a", "b"]):
        done = subprocess.run([host.program("plopctl"), "fleet", "join", *words], stderr=subprocess.PIPE, timeout=30)
        assert done.returncode == USAGE and b"say where" in done.stderr
    done = subprocess.run([host.program("plopctl"), "fleet", "status", "--replace"], stderr=subprocess.PIPE, timeout=30)
    assert done.returncode == USAGE and b"are for: plopctl fleet join URL" in done.stderr


def test_a_file_that_comes_later_has_another_store(joining, node):
    os.mkdir(joining.conf + ".d")
    with open(joining.conf + ".d/fleet.conf", "w") as f:
        f.write("[fleet]\nstore = clickhouse=http://127.0.0.1:1/elsewhere\n")
    done = joining.join(node.url + "/later", *user(joining), "--replace")
    assert done[0] == FAILED and "another file sets the store" in done[2] and joining.text() == CONF % joining.state


def test_a_gateway_that_does_not_run(joining, node):
    """What was written stays, and it is said what is missing."""
    joining.end()
    until("plopd does not hear of it any more", lambda: not joining.plopd.status().get("gateway"), 60)
    status, said, complaint = joining.join(node.url + "/alone", *user(joining), "--init-store")
    assert status == FAILED and "no window has arrived in the store: plop-gateway is not running" in complaint, complaint
    assert "systemctl restart plop-gateway" in complaint and "store = clickhouse=" in joining.text()
