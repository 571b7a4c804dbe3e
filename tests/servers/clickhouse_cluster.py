"""Shards of replicas: several ClickHouse servers that know each other, and their ZooKeeper."""

import asyncio
import contextlib
import hashlib
import re
import shutil
from pathlib import Path
from typing import Self

from services.store.drivers.address import Address
from services.store.interface import StoreUnavailableError
from services.store.migrations import migrate
from services.store.open import open_store
from tests.patience import rounds
from tests.servers.accounts import Accounts
from tests.servers.clickhouse import DATABASE, DEPLOY, ClickHouseServer
from tests.servers.zookeeper import ZooKeeperServer

NAME = "luot"
"""What the servers call the cluster."""

_CONFIG = """<yandex>
    <zookeeper>
        <node><host>127.0.0.1</host><port>{zookeeper}</port></node>
        <session_timeout_ms>10000</session_timeout_ms>
    </zookeeper>
    <distributed_ddl><path>/clickhouse/task_queue/ddl</path></distributed_ddl>
    <macros><shard>{shard}</shard><replica>{replica}</replica></macros>
    <remote_servers><{name}>{shards}</{name}></remote_servers>
</yandex>
"""
_SHIPPED_REPLICAS = DEPLOY / "cluster" / "config.d" / "luot-replicas.xml"
_SHIPPED_USERS = DEPLOY / "cluster" / "users.d"
# Those are for newer servers.
_RIGHTS = shutil.ignore_patterns("luot-rights.xml")
_ACCOUNTS = DEPLOY / "cluster" / "servers.xml"
_INTERNAL = "tests-from-server-to-server"
"""Password of the account by which servers ask each other."""
_SHARD = "<shard><internal_replication>true</internal_replication>{replicas}</shard>"
_REPLICA = "<replica><host>127.0.0.1</host><port>{port}</port>{account}</replica>"
_ACCOUNT = f"<user>luot_servers</user><password>{_INTERNAL}</password>"


class ClusterMember(ClickHouseServer):
    """One replica of one shard."""

    def __init__(
        self, directory: Path, shard: int, replica: int, accounts: Accounts | None
    ) -> None:
        # With accounts, nobody else asks another server: that of the tests has a password there.
        password, folder = ("tests", accounts.clickhouse) if accounts else ("", None)
        super().__init__(directory, password, folder)
        self.shard = shard
        self.replica = replica
        self.settings = ""
        """Its part of the configuration; the cluster writes it."""

    @property
    def running(self) -> bool:
        return self._process is not None

    def _configure(self) -> None:
        super()._configure()
        (self.directory / "config.d" / "cluster.xml").write_text(self.settings)
        shutil.copy(_SHIPPED_REPLICAS, self.directory / "config.d")
        shutil.copytree(
            _SHIPPED_USERS, self.directory / "users.d", dirs_exist_ok=True, ignore=_RIGHTS
        )
        digest = hashlib.sha256(_INTERNAL.encode()).hexdigest()
        users = _ACCOUNTS.read_text("utf-8").replace("@servers@", digest)
        (self.directory / "users.d" / _ACCOUNTS.name).write_text(users)


class ClickHouseCluster:
    """Shards of replicas with one ZooKeeper; `shards[1][0]` is the first replica of the second."""

    def __init__(
        self,
        directory: Path,
        shards: int = 2,
        replicas: int = 2,
        accounts: Accounts | None = None,
    ) -> None:
        """Prepare; with `accounts`, services have those that are shipped, and so have servers."""
        self._accounts = accounts
        self.zookeeper = ZooKeeperServer(directory / "zookeeper")
        self.shards = [
            [
                ClusterMember(
                    directory / f"shard-{shard}-replica-{replica}", shard, replica, accounts
                )
                for replica in range(replicas)
            ]
            for shard in range(shards)
        ]
        known = "".join(
            _SHARD.format(
                replicas="".join(
                    _REPLICA.format(port=one.port, account=_ACCOUNT if accounts else "")
                    for one in members
                )
            )
            for members in self.shards
        )
        for member in self.members:
            member.settings = _CONFIG.format(
                zookeeper=self.zookeeper.port,
                shard=f"shard-{member.shard}",
                replica=f"replica-{member.shard}-{member.replica}",
                name=NAME,
                shards=known,
            )

    @property
    def members(self) -> list[ClusterMember]:
        return [member for members in self.shards for member in members]

    @property
    def address(self) -> Address:
        """Where its tables are, for the store; the first server is asked first."""
        hosts = tuple(("127.0.0.1", member.port) for member in self.members)
        return Address(hosts=hosts, database=DATABASE, cluster=NAME)

    @property
    def url(self) -> str:
        """The same as the URL that an operator writes."""
        hosts = ",".join(f"{name}:{port}" for name, port in self.address.hosts)
        return f"clickhouse://{hosts}/{DATABASE}?cluster={NAME}"

    def url_of(self, role: str) -> str:
        """Return the URL for one of the accounts: luot, aggregator or api."""
        assert self._accounts is not None
        shipped = self._accounts.clickhouse_url(role, self.members[0].port)
        (name, port), *others = self.address.hosts
        hosts = ",".join([f"{name}:{port}", *(f"{name}:{port}" for name, port in others)])
        return f"{shipped.replace(f'{name}:{port}', hosts)}?cluster={NAME}"

    def start(self) -> Self:
        """Start all that do not run."""
        servers: list[ZooKeeperServer | ClusterMember] = [self.zookeeper, *self.members]
        for server in servers:
            if not server.running:
                server.start()
        return self

    async def migrate(self) -> None:
        """Make the tables. Each statement waits for all servers, on a busy machine too long."""
        store = open_store(self.url)
        try:
            for _ in rounds(0.5):
                with contextlib.suppress(StoreUnavailableError):
                    await migrate(store)
                    return
                await asyncio.sleep(0.5)
        finally:
            await store.close()
        raise AssertionError("the tables could not be made")

    def stop(self) -> None:
        # Servers that have lost their ZooKeeper take long to end.
        for member in self.members:
            member.kill()
        self.zookeeper.kill()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def replicated(statement: str) -> str:
    """Return the statement of a migration for a table that the servers of a shard replicate."""
    table = statement.split()[5] if statement.startswith("CREATE TABLE IF") else ""
    return re.sub(
        r"ENGINE = (\w+MergeTree)\((.*?)\)",
        lambda match: (
            f"ENGINE = Replicated{match[1]}("
            + ", ".join(filter(None, (f"'/{NAME}/{{shard}}/{table}'", "'{replica}'", match[2])))
            + ")"
        ),
        statement,
    )
