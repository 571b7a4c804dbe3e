"""An access log is imported and undone again and again, while everything breaks."""

import asyncio
import contextlib
import itertools
import random
import time
from collections import Counter
from pathlib import Path

import httpx

from services.store.open import open_store
from tests.integration.access_log import COMPOSED, lines_of
from tests.integration.imports.world import Books, count
from tests.servers.system import TOKEN
from tests.servers.up import LUOT, environ

KILLED_SHARE = 0.5
"""Of the commands, those that are killed on their way."""

# What the counters say less what the ledger takes: the numbers as they are shown.
_SHOWN = """
SELECT path, toString(day), sum(of_views), sum(of_visits)
FROM (
    SELECT path, start AS day, toInt64(argMax(views, position)) AS of_views,
        toInt64(argMax(visits, position)) AS of_visits
    FROM counters
    WHERE site = %(site)s AND grain = 'day'
    GROUP BY path, start
    UNION ALL
    SELECT path, day, -any(views) AS of_views, -any(visits) AS of_visits
    FROM correction_entries
    WHERE site = %(site)s AND run IN (SELECT run FROM corrections WHERE site = %(site)s)
    GROUP BY path, day, run
)
GROUP BY path, day
"""


class ImportLane:
    """Imports a file into a site and undoes that, in turns; commands are killed, too."""

    site = "nhat-ky"
    settle_seconds = 330.0
    """How long commands are tried again once everything is healed, and how long one may take."""

    def __init__(self, api: str, seed: int) -> None:
        self.api = api
        self._random = random.Random(f"{seed} {self.site}")
        self.books = count(lines_of(COMPOSED), "Asia/Ho_Chi_Minh")
        self.imported = 0
        self.undone = 0
        self.killed = 0
        self.said = ""
        """What the last command said that did not end well."""

    def add_site(self) -> None:
        """Create the site."""
        body = {"slug": self.site, "hosts": [f"{self.site}.example"]}
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answer = httpx.post(f"{self.api}/api/admin/sites", json=body, headers=headers)
        assert answer.status_code == 201, answer.text

    async def run(self) -> None:
        """Go on until this is cancelled."""
        for work in itertools.cycle((self._import, self._undo)):
            done = False
            while not done:
                done = await work(kills=True)

    async def settle(self, store_url: str) -> list[str]:
        """Undo what is there, import and undo once more; return what differs each time."""
        nothing = Books(Counter(), Counter(), {})
        problems: list[str] = []
        deadline = time.monotonic() + self.settle_seconds
        for work, expected in (
            (self._import, self.books),
            (self._undo, nothing),
            (self._import, self.books),
            (self._undo, nothing),
        ):
            while not await work(kills=False):
                if time.monotonic() > deadline:
                    return [*problems, f"{self.site}: {work.__name__} never ends: {self.said}"]
                # An undoing that was interrupted has to end before the next import.
                await self._undo(kills=False)
            problems += await self._differences(store_url, expected)
        return problems

    async def _import(self, *, kills: bool) -> bool:
        done = await self._command("import", str(COMPOSED), "--site", self.site, kills=kills)
        self.imported += done
        return done

    async def _undo(self, *, kills: bool) -> bool:
        name = Path(COMPOSED).name
        done = await self._command(
            "imports", "undo", name, "--site", self.site, "--yes", kills=kills
        )
        self.undone += done
        return done

    async def _command(self, *arguments: str, kills: bool) -> bool:
        """Run a command; tell whether it ended well."""
        process = await asyncio.create_subprocess_exec(
            *LUOT,
            *arguments,
            env=environ(LUOT_URL=self.api, LUOT_TOKEN=TOKEN),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        is_killed = kills and self._kill()
        seconds = self._random.uniform(1, 8) if is_killed else self.settle_seconds
        try:
            async with asyncio.timeout(seconds):
                output, _ = await process.communicate()
        except TimeoutError:
            self.killed += is_killed
            self.said = f"luot {arguments[0]} did not end in {seconds:.0f} s"
            return False
        else:
            self.said = output.decode(errors="replace").strip()[-500:]
            return process.returncode == 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _kill(self) -> bool:
        return self._random.random() < KILLED_SHARE

    async def _kept_as(self, store_url: str) -> str:
        """Return the name that its counters have."""
        del store_url
        return self.site

    async def _differences(self, store_url: str, expected: Books) -> list[str]:
        store = open_store(store_url)
        try:
            rows = await store.execute(_SHOWN, {"site": await self._kept_as(store_url)})
        finally:
            await store.close()
        found = {(path, day): (views, visits) for path, day, views, visits in rows}
        wanted = {
            (path, day): (views, expected.visits["day", day, path])
            for (grain, day, path), views in expected.views.items()
            if grain == "day"
        }
        return [
            f"{self.site}{path} on {day}: {found.get((path, day))},"
            f" expected {wanted.get((path, day))}"
            for path, day in sorted(found.keys() | wanted.keys())
            if found.get((path, day), (0, 0)) != wanted.get((path, day), (0, 0))
        ][:10]
