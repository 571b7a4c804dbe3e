"""A whole Luot that is watched: services, stores, readers, and a public address."""

import asyncio
import os
import random
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from clickhouse_driver import Client

from tests.drill.feed import NODE, STORE, Feed
from tests.drill.monitoring import Monitoring, Program
from tests.drill.public import PublicAddress
from tests.servers.clickhouse import DATABASE
from tests.servers.redis import free_port
from tests.servers.services import Service
from tests.servers.system import BROWSER, TOKEN, System

SITE = "mytho"
PROBED = "do-luot"
HITS_A_SECOND = 20.0
READINGS_A_SECOND = 10.0
ADDRESS_HITS = 300
SPOOL_BYTES = 60_000

SETTINGS = {
    # Small, so that a drill fills them.
    "LUOT_SPOOL_BYTES": str(SPOOL_BYTES),
    "LUOT_ADDRESS_HITS": str(ADDRESS_HITS),
    # 127.0.0.2 and its like are proxies that nobody has told ingest of.
    "LUOT_TRUSTED_PROXIES": "127.0.0.1/32",
    "LUOT_DRIFT_SECONDS": "5",
    "LUOT_LEASE_SECONDS": "15",
    "LUOT_SILENT_SECONDS": "5",
}


class Plant(System):
    """What is watched, and what watches it."""

    def __init__(self, directory: Path, factor: float) -> None:
        super().__init__(directory, **SETTINGS)
        self.directory = directory
        self.factor = factor
        self.spool = directory / "spool"
        self.store_settings = {
            "LUOT_REDIS_URL": self.accounts.redis_url("aggregator", self.redis.port),
            **self.store_of("aggregator"),
            **SETTINGS,
        }
        (directory / "second").mkdir(parents=True)
        self.second = Service("aggregator", directory / "second", **self.store_settings)
        self.public = PublicAddress(directory / "public", self.ingest.port, self.api.port)
        port = free_port()
        self.probe = Program(
            [
                *(sys.executable, "-m", "services.cli.main", "probe"),
                *("--url", self.public.url, "--site", PROBED, "--port", str(port)),
                *("--every", str(max(1.0, 60 / factor)), "--within", "5"),
            ],
            port,
            directory / "probe.log",
            SSL_CERT_FILE=str(self.public.authority),
        )
        self.node = Feed(NODE)
        self.fed = Feed(STORE)
        self.monitoring = Monitoring(
            directory / "monitoring",
            {
                "luot-ingest": [f"127.0.0.1:{self.ingest.port}"],
                "luot-aggregator": [
                    f"127.0.0.1:{one.port}" for one in (self.aggregator, self.second)
                ],
                "luot-api": [f"127.0.0.1:{self.api.port}"],
                "luot-probe": [self.probe.target],
                "clickhouse": [self.fed.target],
                "node": [self.node.target],
                "blackbox": [f"{self.public.url}/counter.js"],
            },
            factor,
            redis=self.redis.url.removesuffix("/0"),
            trusted=self.public.authority,
        )
        self.webhook = self.monitoring.webhook
        self.visited = [SITE]
        """The sites that readers come to."""
        self._sent = 0
        self._came = asyncio.Condition()
        self.readers_come = asyncio.Event()
        self.readers_come.set()

    def start(self) -> "Plant":
        super().start()
        self.second.start()
        self.add_site(SITE)
        self.add_site(PROBED, hosts=["localhost"])
        self.public.start()
        self.probe.start()
        self.node.start()
        self.fed.start()
        self.monitoring.start()
        return self

    def stop(self) -> None:
        self.monitoring.stop()
        self.probe.stop()
        self.public.stop()
        self.node.stop()
        self.fed.stop()
        self.second.kill()
        super().stop()

    @property
    def environ(self) -> dict[str, str]:
        """Return what commands need that open the stores themselves."""
        clean = {name: value for name, value in os.environ.items() if name[:5] != "LUOT_"}
        return clean | {
            "LUOT_REDIS_URL": self.accounts.redis_url("luot", self.redis.port),
            **self.store_of("luot"),
        }

    async def luot(self, *arguments: str, **environ: str) -> str:
        """Run a command of Luot against the stores; return what it printed."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.cli.main", *arguments),
            env=self.environ | environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            stdin=asyncio.subprocess.DEVNULL,
        )
        printed, _ = await process.communicate()
        return printed.decode()

    async def sql(self, statement: str, *rows: Any) -> Any:
        """Have ClickHouse do something."""

        def do() -> Any:
            with Client("127.0.0.1", port=self.clickhouse.port, database=DATABASE) as client:
                return client.execute(statement, *rows)

        return await asyncio.to_thread(do)

    async def send(
        self, count: int, *, site: str = SITE, address: str = "", local: str = "127.0.0.1"
    ) -> None:
        """Send hits to ingest as fast as it answers, of one address or of many."""
        transport = httpx.AsyncHTTPTransport(local_address=local)
        async with httpx.AsyncClient(transport=transport, base_url=self.ingest.url) as client:
            for _ in range(count):
                await _view(client, site, address or _reader())

    @asynccontextmanager
    async def readers(self) -> AsyncIterator[None]:
        """Send hits and read numbers meanwhile, as long as `readers_come`."""
        tasks = [asyncio.create_task(self._views()), asyncio.create_task(self._readings())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def read(self, site: str, client: httpx.AsyncClient) -> None:
        with suppress(httpx.TransportError):
            await client.get(f"{self.api.url}/api/counter/{site}", params={"metric": "views"})

    async def read_page(self) -> None:
        """Read the number of a page that nobody has read before."""
        params = {"metric": "views", "path": f"/bai-{secrets.token_hex(4)}"}
        async with httpx.AsyncClient(base_url=self.api.url, timeout=10) as client:
            with suppress(httpx.TransportError):
                await client.get(f"/api/counter/{SITE}", params=params)

    async def hits_come(self, count: int) -> None:
        """Return when so many hits have come since now."""
        async with self._came:
            wanted = self._sent + count
            await self._came.wait_for(lambda: self._sent >= wanted)

    async def _views(self) -> None:
        async with httpx.AsyncClient(base_url=self.ingest.url, timeout=10) as client:
            while True:
                await self.readers_come.wait()
                with suppress(httpx.TransportError):
                    await _view(client, random.choice(self.visited), _reader())
                    async with self._came:
                        self._sent += 1
                        self._came.notify_all()
                await asyncio.sleep(1 / HITS_A_SECOND)

    async def _readings(self) -> None:
        async with httpx.AsyncClient(timeout=10) as client:
            while True:
                await self.read(SITE, client)
                await asyncio.sleep(1 / READINGS_A_SECOND)

    async def admin(self, method: str, path: str, **body: Any) -> None:
        """Ask the API as an owner; it must agree."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(base_url=self.api.url, headers=headers, timeout=60) as api:
            answer = await api.request(method, path, json=body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"


def _reader() -> str:
    return f"10.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(1, 255)}"


async def _view(client: httpx.AsyncClient, site: str, address: str) -> None:
    event = {
        "n": "pageview",
        "d": site,
        "u": f"https://{site}.example/bai-{random.randrange(50)}",
    }
    headers = {"User-Agent": f"{BROWSER} {random.randrange(1000)}", "X-Forwarded-For": address}
    await client.post("/e", json=event, headers=headers)
