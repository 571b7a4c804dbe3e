"""A whole Luot within the limits of the compose file: `huyen` is attacked, `tinh` is another's."""

import asyncio
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from tests.attack.limits import memory_limits, redis_memory
from tests.patience import rounds
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.memory import peak
from tests.servers.memory_group import MemoryGroup, memory_group
from tests.servers.redis import RedisServer
from tests.servers.services import Service
from tests.servers.system import BROWSER, TOKEN, System

ATTACKED = "huyen"
OTHER = "tinh"
CROWDED = "xa"
"""The site that many machines attack: its part of the log is used up for an hour."""
OWNER = "chu-cong"
VIEWER = "nguoi-xem"
PASSWORD = "bánh mì và cà phê sữa đá"
ATTACKER = "198.51.100.7"
SETTLE_SECONDS = 180.0
OLD_PAGES = ("/tin-tuc/bai-hom-qua", "/tin-tuc/bai-tuan-truoc")
"""Read on earlier days, once each."""


class Target(System):
    """Processes, sites, people, and what of the attacked site was read on earlier days."""

    def __init__(self, directory: Path, **settings: str) -> None:
        options = ("--maxmemory", redis_memory())
        super().__init__(directory, redis_options=options, **settings)
        self.directory = directory
        self.api_headers = {"Authorization": f"Bearer {TOKEN}"}
        self._limits = memory_limits()
        self._groups: dict[str, MemoryGroup] = {}
        self._parts: dict[str, RedisServer | ClickHouseServer | Service] = {
            "redis": self.redis,
            "clickhouse": self.clickhouse,
            "ingest": self.ingest,
            "aggregator": self.aggregator,
            "api": self.api,
        }

    def start(self) -> "Target":
        for name, part in self._parts.items():
            if (group := memory_group(self._limits[name])) is not None:
                self._groups[name] = group
                part.launcher = group.launcher
        super().start()
        self.add_site(ATTACKED, public_dashboard=True, public_top=True)
        self.add_site(OTHER)
        self.add_site(CROWDED)
        self.ask("POST", "/api/admin/users", name=OWNER, password=PASSWORD, role="owner")
        sites = [ATTACKED]
        self.ask(
            "POST", "/api/admin/users", name=VIEWER, password=PASSWORD, role="viewer", sites=sites
        )
        self._import_earlier_days()
        return self

    def stop(self) -> None:
        super().stop()
        for group in self._groups.values():
            group.remove()

    def ask(self, method: str, path: str, **body: Any) -> Any:
        """Ask the API as an owner; it must agree, once the machine has time for it."""
        url = f"{self.api.url}{path}"
        for _ in rounds(1):
            answer = httpx.request(method, url, headers=self.api_headers, json=body, timeout=60)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(1)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def _import_earlier_days(self) -> None:
        log = self.directory / "earlier.log"
        day = datetime.now(UTC) - timedelta(days=2)
        lines = [
            f"203.0.113.{number} - - [{day:%d/%b/%Y}:10:00:00 +0700]"
            f' "GET {path} HTTP/1.1" 200 512 "-" "{BROWSER}"\n'
            for number, path in enumerate(OLD_PAGES, 1)
        ]
        log.write_text("".join(lines))
        command = [sys.executable, "-m", "services.cli.main", "import", str(log)]
        environ = {**os.environ, "LUOT_URL": self.api.url, "LUOT_TOKEN": TOKEN}
        subprocess.run(
            [*command, "--site", ATTACKED],
            env=environ,
            check=True,
            capture_output=True,
            timeout=120,
        )
        self.counter_when(ATTACKED, len(OLD_PAGES), metric="views")

    def views(self, path: str) -> int:
        """Return the views that a page of the attacked site shows."""
        page: dict[str, int] = self.counter(ATTACKED, path=path)["paths"][path]
        return page["views"]

    async def shows(self, path: str, views: int) -> int:
        """Return the views of a page of the attacked site, once they are so many or time is up."""
        until = time.monotonic() + SETTLE_SECONDS
        while (shown := self.views(path)) != views:
            if time.monotonic() > until:
                break
            await asyncio.sleep(0.1)
        return shown

    @property
    def held_by(self) -> str:
        """Who holds the limits of memory."""
        if self._groups.keys() == self._parts.keys():
            return "each in a control group with its limit"
        return "measured; no control groups can be made here"

    def memory(self) -> dict[str, tuple[int, int]]:
        """Return by process the most bytes that it ever had in memory, and its limit."""
        return {
            name: (peak(part.pid), self._limits[name])
            for name, part in self._parts.items()
            if name not in self.killed()
        }

    def killed(self) -> list[str]:
        """Return who was killed for taking more than its limit."""
        return [name for name, group in self._groups.items() if group.killed()]
