"""What the benchmarks of whole services run on: real servers, each kept on its core."""

import asyncio
import contextlib
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from benchmarks.processes import CLIENT_CORE, SERVER_CORE, pin, spread
from services.log import keys as log_keys
from services.model.site import Site
from services.state import keys
from services.store.interface import Store, StoreError
from tests.require import installed
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer
from tests.servers.replicas import ReplicaServer
from tests.servers.services import Service


class Stack:
    """Servers in one folder; whatever was started here is stopped with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running = contextlib.ExitStack()

    def close(self) -> None:
        """Stop everything, the youngest first."""
        self._running.close()

    def on_close(self, stop: Callable[[], object]) -> None:
        """Do something at the end: after what is started later has been stopped."""
        self._running.callback(stop)

    def redis(self) -> RedisServer:
        """Start Redis (Valkey where it is not installed), syncing every append to the disk.

        Entries are short in it, as they are anywhere after the first minute.
        """
        server = RedisServer(self.folder / "redis").start()
        self._running.callback(server.stop)
        with server.client() as client:
            client.set(log_keys.SHORT, 1)
        pin(server.pid, CLIENT_CORE)
        return server

    def replicated_redis(self) -> RedisServer:
        """Start two of them, of which the second copies the first; return the first."""
        master, replica = (ReplicaServer(self.folder / name) for name in ("master", "replica"))
        for server in (master, replica):
            server.start()
            self._running.callback(server.stop)
            pin(server.pid, CLIENT_CORE)
        replica.follow(master)
        return master

    def kafka(self) -> KafkaServer:
        """Start one broker of Kafka."""
        server = KafkaServer(self.folder / "kafka").start()
        self._running.callback(server.kill)
        pin(server.pid, CLIENT_CORE)
        return server

    def clickhouse(self) -> ClickHouseServer:
        """Start the server of ClickHouse."""
        folder = self.folder / "clickhouse"
        folder.mkdir()
        server = ClickHouseServer(folder).start()
        self._running.callback(server.kill)
        pin(server.pid, CLIENT_CORE)
        return server

    def store(self, kind: str) -> tuple[str, ClickHouseServer | None]:
        """Return the URL of a store, and its server if it has one."""
        if kind == EMBEDDED:
            return f"chdb://{self.folder / 'chdb'}", None
        server = self.clickhouse()
        return server.url, server

    def service(self, name: str, *, wait: bool = True, module: str = "", **environ: str) -> Service:
        """Start a service on the core that is measured; `module` is run in place of `luot`."""
        folder = Path(tempfile.mkdtemp(prefix=name, dir=self.folder))
        service = Service(name, folder, LUOT_SALTS=str(folder / "salts"), **environ)
        service.module = module or service.module
        service.start(wait=False)
        self._running.callback(service.stop)
        pin(service.pid, SERVER_CORE)
        if wait:
            service.wait_until_ready()
            pin(service.pid, SERVER_CORE)
        return service

    def api(
        self,
        kind: str,
        fill: Callable[[str], Coroutine[Any, Any, None]],
        *,
        told: bool = False,
    ) -> "MeasuredApi":
        """Start an API on a store that `fill` has written, given its URL; both on every core.

        Where it is `told`, an aggregator says what changes: nothing, as nobody sends hits.
        """
        redis = self.redis()
        url, server = self.store(kind)
        asyncio.run(fill(url))
        api = self.service(
            "api", LUOT_REDIS_URL=redis.url, LUOT_CLICKHOUSE_URL=url, LUOT_ADMIN_TOKEN=TOKEN
        )
        pids = [api.pid, *([server.pid] if server else [])]
        for pid in pids:
            spread(pid)
        if told and server is not None:
            spread(
                self.service("aggregator", LUOT_REDIS_URL=redis.url, LUOT_CLICKHOUSE_URL=url).pid
            )
        return MeasuredApi(api, server, pids)


class MeasuredApi(NamedTuple):
    """An API, the server of its store if that has one, and the processes that a read costs."""

    api: Service
    server: ClickHouseServer | None
    pids: list[int]


TOKEN = "the-token-of-the-benchmarks-0123456789"
SERVER = "server"
EMBEDDED = "embedded"


def stores() -> list[str]:
    """Return the kinds of store that can be measured here."""
    return [SERVER, EMBEDDED] if installed("clickhouse-server") else [EMBEDDED]


@contextlib.contextmanager
def stack() -> Iterator[Stack]:
    """Run servers in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="luot-benchmark-") as folder:
        running = Stack(Path(folder))
        try:
            yield running
        finally:
            running.close()


async def written_hits(store: Store) -> int:
    """Return how many hits are in a store; none before an aggregator has made its tables."""
    try:
        [[count]] = await store.execute("SELECT count() FROM hits")
    except StoreError:
        return 0
    return int(count)


def publish(redis: RedisServer, sites: list[Site]) -> None:
    """Tell ingest of sites, as the API does."""
    with redis.client() as client:
        client.hset(keys.SITES, mapping={site.slug: msgspec.json.encode(site) for site in sites})
