"""Everything that is broken on purpose: services, stores, and the network between them."""

import asyncio
import contextlib
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import httpx
import msgspec

from services.ingest.salt_memory import default_folder
from services.log.errors import LogError
from services.log.open import open_log
from services.model.site import Site
from services.state.sites import PublishedSites
from services.state.state import State
from tests.chaos.books import SITES
from tests.chaos.proxy import Proxy
from tests.patience import PATIENCE_SECONDS, rounds
from tests.servers.clickhouse import DATABASE, ClickHouseServer
from tests.servers.redis import RedisServer
from tests.servers.services import Service
from tests.servers.system import TOKEN, wait_until_known

DISK_MEGABYTES = 2048
"""Parts that were merged away stay for eight minutes, and each has dozens of files."""
PARTITIONS = 8


class Luot(NamedTuple):
    """One Luot of the world: its part of Redis, its database in ClickHouse, and its services."""

    redis_database: int
    store: str
    services: tuple[str, ...]


OURS = Luot(0, DATABASE, ("ingest-1", "ingest-2", "aggregator-1", "aggregator-2", "api"))
THEIRS = Luot(1, "theirs", ("ingest-theirs", "aggregator-theirs"))
"""Another Luot on the same machine. Its spool is in the same folder, all else is its own."""
THEIR_SITES = ("xa-0", "xa-1")


class Disk:
    """A small disk for ClickHouse that can be filled. Needs root; without it nothing is mounted."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.mounted = False

    def mount(self) -> None:
        self.directory.mkdir(parents=True)
        size = f"size={DISK_MEGABYTES}m"
        command = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(self.directory)]
        self.mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0

    def fill(self) -> None:
        with contextlib.suppress(OSError), (self.directory / "ballast").open("wb") as ballast:
            while True:
                ballast.write(b"\0" * 65536)
                ballast.flush()

    def free(self) -> None:
        (self.directory / "ballast").unlink(missing_ok=True)

    def unmount(self) -> None:
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.directory)], check=False)


class World:
    """Two ingests, two aggregators, one API, each behind proxies to a real Redis and ClickHouse.

    With `faults`, more can go wrong: ClickHouse has a small disk, and flushes are small. With a
    `neighbour`, another Luot runs on the same machine.
    """

    def __init__(self, directory: Path, *, faults: bool = True, neighbour: bool = False) -> None:
        self.directory = directory
        self.faults = faults
        self.luots = (OURS, THEIRS) if neighbour else (OURS,)
        self.redis = RedisServer(directory / "redis")
        self.disk = Disk(directory / "disk")
        self.clickhouse = ClickHouseServer(directory / "disk" / "clickhouse")
        self.services: dict[str, Service] = {}
        self.settings: dict[str, str] = {}
        """What every service is started with, too."""
        self.redis_proxy = Proxy(self.redis.port)
        self.clickhouse_proxy = Proxy(0)
        self.spools = directory / "spools"
        """The folder of the machine's spools; whose each is, is for ingest to know."""
        self.takeovers: list[float] = []
        """Seconds from the end of a worker until others owned what was its."""
        self._more: list[Callable[[], None]] = []
        # Not below the folder of this user, which other tests of this machine tidy up.
        self._salts = default_folder().with_name(f"luot-chaos-{secrets.token_hex(4)}")

    def on_stop(self, stop: Callable[[], None]) -> None:
        """Have something stopped with the rest."""
        self._more.append(stop)

    async def start(self) -> None:
        if self.faults:
            self.disk.mount()
        await self.start_redis()
        await self.start_clickhouse()
        self.clickhouse_proxy.target = self.clickhouse.port
        await self.redis_proxy.start()
        await self.clickhouse_proxy.start()
        for luot in self.luots:
            for name in luot.services:
                self.add_service(name, luot)
        await self._all(lambda service: service.start(wait=False))
        await self._all(Service.wait_until_ready)
        await asyncio.to_thread(self._add_sites)
        if THEIRS in self.luots:
            await self._add_their_sites()
            await asyncio.to_thread(self._wait_for_marks)

    async def start_redis(self) -> None:
        """Start whatever services take for Redis."""
        await asyncio.to_thread(self.redis.start)

    async def start_clickhouse(self) -> None:
        """Start what the store is on."""
        await asyncio.to_thread(self.clickhouse.start)

    def clickhouse_url(self, luot: Luot) -> str:
        """Return where services are told that the store is."""
        return f"clickhouse://default@127.0.0.1:{self.clickhouse_proxy.port}/{luot.store}"

    def add_service(self, name: str, luot: Luot = OURS) -> Service:
        """Return a service, not yet started; its name begins with that of the command."""
        command = name.partition("-")[0]
        folder = self.directory / f"{name}.d"
        folder.mkdir(parents=True)
        redis = f"redis://127.0.0.1:{self.redis_proxy.port}/{luot.redis_database}"
        environ = {"LUOT_REDIS_URL": redis, **self.settings}
        if command == "ingest":
            environ |= {"LUOT_SPOOL": str(self.spools)}
            environ |= {"LUOT_SALTS": str(self._salts)}
            environ |= {"LUOT_RATE_PER_MINUTE": "1000000", "LUOT_RATE_BURST": "1000000"}
            # Few readers send all of it.
            unbounded = str(1 << 31)
            environ |= {"LUOT_ADDRESS_HITS": unbounded, "LUOT_ADDRESS_BYTES": unbounded}
            environ |= {"LUOT_ADDRESS_VISITORS": unbounded}
        else:
            environ |= {"LUOT_CLICKHOUSE_URL": self.clickhouse_url(luot)}
        if command == "aggregator" and self.faults:
            environ |= {"LUOT_FLUSH_HITS": "5000"}
        if command == "api":
            environ |= {"LUOT_ADMIN_TOKEN": TOKEN}
        service = self.services[name] = Service(command, folder, **environ)
        return service

    async def _all(self, work: object) -> None:
        async with asyncio.TaskGroup() as group:
            for service in self.services.values():
                group.create_task(asyncio.to_thread(work, service))  # type: ignore[arg-type]

    def _add_sites(self) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with httpx.Client(base_url=self.services["api"].url, headers=headers) as api:
            for slug in SITES:
                body = {"slug": slug, "hosts": [f"{slug}.example"]}
                assert api.post("/api/admin/sites", json=body).status_code == 201
        for url in self.ingest_urls:
            for slug in SITES:
                wait_until_known(url, slug)

    async def _add_their_sites(self) -> None:
        sites = [Site(slug=slug, hosts=(f"{slug}.example",)) for slug in THEIR_SITES]
        state = State.open(f"redis://127.0.0.1:{self.redis.port}/{THEIRS.redis_database}")
        await PublishedSites(state).publish(
            {site.slug.encode(): msgspec.json.encode(site) for site in sites}
        )
        await state.close()
        for slug in THEIR_SITES:
            await asyncio.to_thread(wait_until_known, self.services["ingest-theirs"].url, slug)

    def _wait_for_marks(self) -> None:
        """Return when every ingest has met its log: what it spools is marked from then on."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(list(self.spools.glob("[0-9a-f]*.log"))) < len(self.ingests()):
            assert time.monotonic() < deadline, sorted(self.spools.iterdir())
            time.sleep(0.1)

    def ingests(self, *luots: Luot) -> list[Service]:
        """Return the ingests of these Luots, of all without any."""
        of = [luot.services for luot in luots]
        return [
            service
            for name, service in self.services.items()
            if name.startswith("ingest") and (not of or any(name in names for names in of))
        ]

    def store_url(self, luot: Luot = OURS) -> str:
        """Return where the counters of a Luot are, behind the proxy's back."""
        return self.clickhouse.url.removesuffix(DATABASE) + luot.store

    @property
    def ingest_urls(self) -> list[str]:
        return [service.url for service in self.ingests(OURS)]

    async def until_taken_over(self, dead: Service, pid: int) -> float:
        """Return how long it takes until none of the partitions is that of a worker's process."""
        began = time.monotonic()
        redis = f"redis://127.0.0.1:{self.redis.port}/{OURS.redis_database}"
        log = open_log(self.settings.get("LUOT_LOG_URL", redis), partitions=PARTITIONS)
        owners: dict[int, str] = {}
        try:
            for _ in rounds(0.1):
                with contextlib.suppress(LogError):
                    owners = await log.positions.owners()
                    mine = [number for number, name in owners.items() if f"-{pid}-" in name]
                    if len(owners) == PARTITIONS and not mine:
                        seconds = time.monotonic() - began
                        self.takeovers.append(seconds)
                        return seconds
                await asyncio.sleep(0.1)
        finally:
            await log.close()
        raise AssertionError(f"nobody took over from {dead.name}: {owners}")

    async def heal(self) -> None:
        """Bring everything back that a fault may have left behind."""
        self.redis_proxy.heal()
        self.clickhouse_proxy.heal()
        self.disk.free()
        await self._all(Service.wait_until_ready)

    async def stop(self) -> None:
        for stop in self._more:
            await asyncio.to_thread(stop)
        await self._all(Service.kill)
        await self.redis_proxy.stop()
        await self.clickhouse_proxy.stop()
        await asyncio.to_thread(self.clickhouse.kill)
        await asyncio.to_thread(self.redis.kill)
        self.disk.unmount()
        shutil.rmtree(self._salts, ignore_errors=True)
