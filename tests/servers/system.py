"""The whole of Luot as an operator runs it: three processes, a real Redis, a real ClickHouse."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.patience import PATIENCE_SECONDS
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.redis import RedisServer
from tests.servers.services import Service

TOKEN = "the-token-of-the-tests-0123456789"
BROWSER = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/142.0.0.0 Safari/537.36"
)


def wait_until_known(ingest: str, slug: str) -> None:
    """Return when an ingest knows a site: it then refuses the host of a page, not the site."""
    probe = {"n": "pageview", "d": slug, "u": "https://foreign.invalid/"}
    for _ in range(400):
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
        self.redis = RedisServer(directory / "redis", None, *redis_options)
        self.clickhouse = ClickHouseServer(directory / "clickhouse")
        common = {"LUOT_REDIS_URL": self.redis.url, **settings}
        store = {**common, "LUOT_CLICKHOUSE_URL": self.clickhouse.url}
        self.ingest = Service("ingest", directory, **common)
        self.aggregator = Service("aggregator", directory, **store)
        self.api = Service("api", directory, **store, LUOT_ADMIN_TOKEN=TOKEN)

    def start(self) -> "System":
        self.redis.start()
        self.clickhouse.start()
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
        self.redis.stop()

    def add_site(self, slug: str, **fields: Any) -> None:
        """Create a site, and wait until ingest knows it."""
        body = {"slug": slug, "hosts": [f"{slug}.example"], **fields}
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
        answer = httpx.get(f"{self.api.url}/api/counter/{site}", params=query)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def online_when(self, site: str, visitors: int) -> None:
        """Return as soon as so many are online: that is published once a second."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (online := self.counter(site)["online"]) != visitors:
            assert time.monotonic() < deadline, f"{online} online, expected {visitors}"
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
