# SPDX-License-Identifier: BSD-2-Clause
"""
ClickHouse, started on loopback in a folder of its own, and asked by HTTP (`ask()`). Two of them: Debian 12's server 18.16.1
(tests/foreign), a node or several that are a cluster; and today's, 26.9, as a library of PyPI behind a server of the tests.
"""
import contextlib
import os
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request

import pytest

import host
import pypi
from foreign_programs import foreign_program
from ports import free_port
from waiting import until

USER, PASSWORD = "plop", "of the tests"
CLUSTER = "fleet"
VERSIONS = ("18.16", "26.9")
TWO = "cluster"
CHDB = ["chdb-core==26.9.0"]

CONFIG = """<?xml version="1.0"?>
<yandex>
  <logger><level>warning</level><log>{folder}/log</log><errorlog>{folder}/errors</errorlog><size>10M</size><count>1</count></logger>
  <http_port>{http}</http_port><tcp_port>{tcp}</tcp_port><interserver_http_port>{inter}</interserver_http_port>
  <interserver_http_host>127.0.0.1</interserver_http_host><listen_host>127.0.0.1</listen_host>
  <path>{folder}/data/</path><tmp_path>{folder}/tmp/</tmp_path><user_files_path>{folder}/files/</user_files_path>
  <users_config>{folder}/users.xml</users_config><default_profile>default</default_profile><default_database>default</default_database>
  <mark_cache_size>104857600</mark_cache_size><max_concurrent_queries>20</max_concurrent_queries><max_connections>64</max_connections>
  <remote_servers><{cluster}>{shards}</{cluster}></remote_servers>
</yandex>
"""
SHARD = "<shard><replica><host>127.0.0.1</host><port>{tcp}</port><user>{user}</user><password>{password}</password></replica></shard>"
USERS = """<?xml version="1.0"?>
<yandex><profiles><default><max_memory_usage>2000000000</max_memory_usage>
  <allow_experimental_low_cardinality_type>1</allow_experimental_low_cardinality_type></default></profiles>
<users>
  <default><password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default>
  <{user}><password>{password}</password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></{user}>
</users><quotas><default></default></quotas></yandex>
"""


class Refused(Exception):
    """The server's own words."""


class Store:
    """A server that is one process."""

    def __init__(self, folder, port):
        self.folder, self.port = folder, port
        self.url = "http://127.0.0.1:%d" % port
        self.process = None

    def command(self):
        raise NotImplementedError

    def start(self):
        with open(os.path.join(self.folder, "said"), "ab") as said:
            self.process = subprocess.Popen(self.command(), stdout=said, stderr=said, cwd=self.folder)
        until(lambda: "ClickHouse answers; it said " + self.log(), self.answers, 60)

    def answers(self):
        assert self.process.poll() is None, "ClickHouse ended by %s: %s" % (self.process.returncode, self.log())
        try:
            return self.ask("SELECT 1") == "1\n"
        except OSError:
            return False

    def log(self):
        parts = []
        for name in ("said", "errors"):
            with contextlib.suppress(OSError), open(os.path.join(self.folder, name), errors="replace") as f:
                parts.append(f.read()[-2000:])
        return "\n".join(parts)

    def stop(self, kill=False):
        if self.process:
            (self.process.kill if kill else self.process.terminate)()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def ask(self, sql, body=b"", **settings):
        """What it answers, as text. Refused: it says no. body: rows that go behind an INSERT."""
        address = "%s/?%s" % (self.url, urllib.parse.urlencode(dict(settings, query=sql)))
        request = urllib.request.Request(address, data=body, headers={"X-ClickHouse-User": USER, "X-ClickHouse-Key": PASSWORD})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.read().decode(errors="replace")
        except urllib.error.HTTPError as e:
            raise Refused(e.read().decode(errors="replace")) from None


class Node(Store):
    """Debian 12's."""

    def __init__(self, program, folder, ports, shards):
        super().__init__(folder, ports["http"])
        self.program = program
        for name in ("data", "tmp", "files"):
            os.makedirs(os.path.join(folder, name))
        with open(os.path.join(folder, "config.xml"), "w") as f:
            f.write(CONFIG.format(folder=folder, shards=shards, cluster=CLUSTER, **ports))
        with open(os.path.join(folder, "users.xml"), "w") as f:
            f.write(USERS.format(user=USER, password=PASSWORD))

    def command(self):
        return [self.program, "--config-file", os.path.join(self.folder, "config.xml")]


class Today(Store):
    """Today's."""

    def command(self):
        packages, why = pypi.installed("/usr/bin/python3", CHDB)
        if not packages:
            pytest.skip("without today's ClickHouse: " + why)
        return ["/usr/bin/env", "PYTHONPATH=" + packages, "/usr/bin/python3", "-B", os.path.join(os.path.dirname(__file__), "clickhouse_today.py"),
                str(self.port), self.folder, USER, PASSWORD]


@contextlib.contextmanager
def nodes(n=1):
    """So many nodes that run, each a shard of CLUSTER."""
    command, _ = foreign_program("clickhouse")
    ports = [{kind: free_port() for kind in ("http", "tcp", "inter")} for _ in range(n)]
    shards = "".join(SHARD.format(tcp=each["tcp"], user=USER, password=PASSWORD) for each in ports)
    with tempfile.TemporaryDirectory(prefix="plop-clickhouse-") as folder:
        made = [Node(command, os.path.join(folder, str(i)), ports[i], shards) for i in range(n)]
        try:
            for node in made:
                node.start()
            yield made
        finally:
            for node in made:
                node.stop()


@contextlib.contextmanager
def store(version):
    """One that runs, of VERSIONS."""
    if version == VERSIONS[0]:
        with nodes() as made:
            yield made[0]
        return
    with tempfile.TemporaryDirectory(prefix="plop-clickhouse-") as folder:
        made = Today(folder, free_port())
        try:
            made.start()
            yield made
        finally:
            made.stop()


@contextlib.contextmanager
def nodes_of(which):
    """The nodes of one of VERSIONS, or of TWO: two that are one store."""
    with nodes(2) if which == TWO else store(which) as made:
        yield made if which == TWO else [made]


def database_of(running, name):
    """How the address of that store says its database."""
    return name if len(running) == 1 else "%s?cluster=%s" % (name, CLUSTER)
