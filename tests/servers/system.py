"""The whole of Luot as an operator runs it: three processes, a real Redis, a real ClickHouse.

Each process has an account of its own in both, with the rights that are shipped.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from services.log import keys
from services.model.partition import DEFAULT_PARTITIONS
from services.store.migrations import fix_partitions, migrate
from services.store.open import open_store
from tests.noon import zone_at_noon
from tests.patience import PATIENCE_SECONDS, rounds
from tests.servers.accounts import Accounts
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.redis import RedisServer
from tests.servers.services import Service

TOKEN = "the-token-of-the-tests-0123456789"
BROWSER = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/142.0.0.0 Safari/537.36"
)


def whole_numbers(ask: Callable[[], httpx.Response]) -> Any:
    """Return the public numbers once every page that is asked for is among them.

    One of which nothing is known yet is left out where the store takes longer than a reader waits.
    """
    for _ in rounds(0.1):
        answer = ask()
        assert answer.status_code == 200, answer.text
        numbers = answer.json()
        if numbers.get("paths", {}).keys() >= {*answer.request.url.params.get_list("path")}:
            return numbers
        time.sleep(0.1)
    raise AssertionError(f"pages are left out: {answer.text}")


def wait_until_known(ingest: str, slug: str) -> None:
    """Return when an ingest knows a site: it then refuses the host of a page, not the site."""
    probe = {"n": "pageview", "d": slug, "u": "https://foreign.invalid/"}
    for _ in rounds(0.05):
        answer = httpx.post(f"{ingest}/api/event", json=probe)
        if answer.headers.get("X-Luot-Dropped") == "foreign_host":
            return
        time.sleep(0.05)
    raise AssertionError(f"ingest does not know the site {slug}")


class System:
    """Every part of it can be stopped, killed and started again by name."""

    def __init__(
        self, directory: Path, *, redis_options: Sequence[str] = (), **settings: str
    ) -> None:
        self.accounts = Accounts(directory)
        self.redis = self.make_redis(directory, *self.accounts.redis_options, *redis_options)
        self.clickhouse = ClickHouseServer(
            directory / "clickhouse", accounts=self.accounts.clickhouse
        )

        def service(role: str, **more: str) -> Service:
            url = self.redis_url(role)
            return Service(role, directory, **{"LUOT_REDIS_URL": url, **settings}, **more)

        self.ingest = service("ingest")
        self.aggregator = service("aggregator", **self.store_of("aggregator"))
        self.api = service("api", **self.store_of("api"), LUOT_ADMIN_TOKEN=TOKEN)

    def make_redis(self, directory: Path, *options: str) -> RedisServer:
        """Return the Redis, not yet started."""
        return RedisServer(directory / "redis", None, *options)

    def start_redis(self) -> None:
        """Start it, with the log as it is after a minute: entries are short."""
        self.redis.start()
        with self.redis.client() as client:
            client.set(keys.SHORT, 1)

    def stop_redis(self) -> None:
        self.redis.stop()

    def redis_url(self, role: str) -> str:
        """Return the address of Redis for one of the accounts."""
        return self.accounts.redis_url(role, self.redis.port)

    def store_of(self, role: str) -> dict[str, str]:
        """Return the setting of the store for one of the accounts."""
        return {"LUOT_CLICKHOUSE_URL": self.accounts.clickhouse_url(role, self.clickhouse.port)}

    def make_schema(self) -> None:
        """Make the schema, as its owner: the accounts of the services cannot.

        As `luot migrate` does, whose process takes a second of processor time for its code alone.
        """

        async def make() -> None:
            store = open_store(self.store_of("luot")["LUOT_CLICKHOUSE_URL"])
            try:
                await migrate(store)
                await fix_partitions(store, DEFAULT_PARTITIONS)
            finally:
                await store.close()

        # Another thread: the one of the test may have an event loop.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, make()).result()

    def migrate(self) -> None:
        """Make the schema by the command."""
        subprocess.run(
            [sys.executable, "-m", "services.cli.main", "migrate"],
            check=True,
            capture_output=True,
            env={**os.environ, **self.store_of("luot")},
        )

    def start(self) -> "System":
        self.start_redis()
        self.clickhouse.start()
        self.make_schema()
        services = (self.api, self.ingest, self.aggregator)
        for service in services:
            service.start(wait=False)
        for service in services:
            service.wait_until_ready()
        return self

    def stop(self) -> None:
        for service in (self.ingest, self.aggregator, self.api):
            service.stop()
        self.clickhouse.kill()
        self.stop_redis()

    def add_site(self, slug: str, **fields: Any) -> None:
        """Create a site where it is noon, and wait until ingest knows it."""
        site = {"slug": slug, "hosts": [f"{slug}.example"], "timezone": zone_at_noon()}
        body = {**site, **fields}
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answer = httpx.post(f"{self.api.url}/api/admin/sites", json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        wait_until_known(self.ingest.url, slug)

    def hit(
        self, site: str, path: str, referrer: str = "", number: str = "", **headers: str
    ) -> httpx.Response:
        """View a page as a browser would report it."""
        event = {
            "n": "pageview",
            "d": site,
            "u": f"https://{site}.example{path}",
            "k": number,
            "r": referrer,
        }
        return httpx.post(
            f"{self.ingest.url}/api/event",
            json=event,
            headers={"User-Agent": BROWSER, **headers},
        )

    def counter(self, site: str, **query: Any) -> dict[str, Any]:
        address = f"{self.api.url}/api/counter/{site}"
        numbers: dict[str, Any] = whole_numbers(lambda: httpx.get(address, params=query))
        return numbers

    def online_when(self, site: str, visitors: int, who: str = "online") -> None:
        """Return as soon as so many are online: that is published once a second."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (online := self.counter(site)[who]) != visitors:
            assert time.monotonic() < deadline, f"{online} {who}, expected {visitors}"
            time.sleep(0.1)

    def counter_when(self, site: str, total: int, **query: Any) -> dict[str, Any]:
        """Return the numbers as soon as the total is reached; it must not be passed."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            numbers = self.counter(site, **query)
            if numbers["total"] >= total or time.monotonic() > deadline:
                assert numbers["total"] == total
                return numbers
            time.sleep(0.1)
