# SPDX-License-Identifier: BSD-2-Clause
"""`plop-gateway --init-store`, on a real ClickHouse: the tables are there then, however often it is said, and what is wrong is one sentence."""
import contextlib
import os
import socketserver
import subprocess
import threading

import pytest

import clickhouse
import host

TABLES = ["hours", "plop_schema", "processes", "requests", "rolled", "samples", "seeds", "services", "stacks", "windows"]


@pytest.fixture(scope="module")
def pair():
    """Two nodes of a cluster."""
    with clickhouse.nodes(2) as running:
        yield running


@pytest.fixture(scope="module", params=clickhouse.VERSIONS)
def store(request):
    with clickhouse.store(request.param) as running:
        yield running


@pytest.fixture
def init(folder):
    """Runs it with these options of [fleet]: exit status, output, complaint."""
    def run(**options):
        password = os.path.join(folder, "password")
        with open(password, "w") as f:
            f.write(options.pop("password", clickhouse.PASSWORD) + "\n")
        options.setdefault("user", clickhouse.USER)
        config = os.path.join(folder, "plop.conf")
        with open(config, "w") as f:
            f.write("[fleet]\npassword_file = %s\n" % password)
            f.writelines("%s = %s\n" % each for each in options.items())
        done = subprocess.run([host.program("plop-gateway"), "--config", config, "--init-store"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=60)
        return done.returncode, done.stdout.decode(), done.stderr.decode()
    return run


@contextlib.contextmanager
def server_that_says(answer):
    """Whatever it is asked, and then it hangs up."""
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(65536)
            self.request.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def tables(node, database):
    return node.ask("SELECT name FROM system.tables WHERE database = '%s' ORDER BY name" % database).split()


def test_made_once_and_again(store, init):
    seeds = []
    for _ in range(2):
        status, said, complaint = init(store="clickhouse=%s/once" % store.url)
        assert (status, complaint) == (0, ""), complaint
        assert said == "The store at 127.0.0.1:%d has plop's tables, in database once.\n" % store.port
        assert tables(store, "once") == TABLES
        assert store.ask("SELECT version FROM once.plop_schema FINAL") == "2\n"
        seed = store.ask("SELECT seed FROM once.seeds FINAL")
        seeds.append(int(seed))
    assert seeds[0] == seeds[1] > 0


def test_begun_and_not_ended(store, init):
    """As where it was killed: the version is written last."""
    init(store="clickhouse=%s/begun" % store.url)
    store.ask("DROP TABLE begun.plop_schema")
    store.ask("DROP TABLE begun.samples")
    assert init(store="clickhouse=%s/begun" % store.url)[0] == 0
    assert tables(store, "begun") == TABLES


def test_of_an_older_plop(store, init):
    """What is there stays, with the ids that it has: the first version hashed them with nothing."""
    address = "clickhouse=%s/older" % store.url
    init(store=address)
    for name in ("hours", "services", "rolled", "requests", "seeds"):
        store.ask("DROP TABLE older.%s" % name)
    store.ask("DROP TABLE older.plop_schema")
    store.ask("CREATE TABLE older.plop_schema (version UInt32, made DateTime('UTC')) ENGINE = ReplacingMergeTree ORDER BY version")
    store.ask("INSERT INTO older.plop_schema (version) FORMAT TabSeparated", b"1\n")
    store.ask("INSERT INTO older.samples (start, samples) FORMAT TabSeparated", b"2026-11-30 00:00:00\t7\n")
    assert init(store=address)[0] == 0
    assert tables(store, "older") == TABLES
    assert store.ask("SELECT seed FROM older.seeds") == "0\n"
    assert store.ask("SELECT sum(samples) FROM older.samples FINAL") == "7\n"
    assert store.ask("SELECT max(version) FROM older.plop_schema") == "2\n"


def test_on_a_cluster(pair, init):
    store = "clickhouse=%%s/many?cluster=%s" % clickhouse.CLUSTER
    for node in pair:
        done = init(store=store % node.url)
        assert done[0] == 0, done
    local = [name + "_local" for name in TABLES if name != "plop_schema"]
    for node in pair:
        assert tables(node, "many") == sorted(TABLES + local)
    # each has made one, as the first could not ask the second; the greater is theirs
    assert len({node.ask("SELECT max(seed) FROM many.seeds") for node in pair}) == 1
    assert pair[0].ask("SELECT count() FROM many.seeds_local") == pair[1].ask("SELECT count() FROM many.seeds_local") == "1\n"
    # a row has one node, whichever was asked
    for n, node in enumerate(pair * 2):
        node.ask("INSERT INTO many.samples (start, host_id, samples) FORMAT TabSeparated", b"2026-11-30 00:00:00\t%d\t%d\n" % (n % 2, n % 2 + 1),
                 insert_distributed_sync=1)
    for node in pair:
        assert node.ask("SELECT sum(samples) FROM many.samples FINAL") == "3\n"
        assert node.ask("SELECT count() FROM many.samples_local FINAL") == "1\n"


@pytest.mark.parametrize("options, words", [
    (dict(password="wrong"), "user and password_file in [fleet] of plop.conf"),
    (dict(user="nobody"), "user and password_file in [fleet] of plop.conf"),
    (dict(password_file="/nowhere"), "cannot read password_file /nowhere: No such file or directory"),
    (dict(store="clickhouse=http://127.0.0.1:1/x"), "the store at 127.0.0.1:1 does not answer"),
    (dict(store="clickhouse=http://127.0.0.1:1/a-b"), "its path is the name of a database"),
    (dict(store=""), "set store = clickhouse=URL in [fleet] of plop.conf"),
])
def test_what_is_wrong_is_one_sentence(store, init, options, words):
    status, said, complaint = init(**dict(dict(store="clickhouse=%s/wrong" % store.url), **options))
    assert (status, said) == (1, "")
    assert words in complaint and complaint.count("\n") == 1, complaint
    assert clickhouse.PASSWORD not in complaint
    assert not tables(store, "wrong")


def test_of_a_newer_plop(store, init):
    address = "clickhouse=%s/newer" % store.url
    init(store=address)
    store.ask("INSERT INTO newer.plop_schema (version) FORMAT TabSeparated", b"99\n")
    status, said, complaint = init(store=address)
    assert (status, said) == (1, "")
    assert "of a newer plop (version 99, this one knows 2): update plop on this host" in complaint


def test_what_is_no_clickhouse(init):
    """A server of something else, and one that ends in the midst."""
    with server_that_says(b"HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\nhalf") as port:
        status, _, complaint = init(store="clickhouse=http://127.0.0.1:%d/x" % port)
        assert status == 1 and "does not answer" in complaint
    with server_that_says(b"HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\n<html>") as port:
        status, _, complaint = init(store="clickhouse=http://127.0.0.1:%d/x" % port)
        assert status == 1 and "is it a ClickHouse?" in complaint
