"""Access logs for imports, a counting of them that shares no code with Luot, and the command."""

import json
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import httpx

from tests.integration.access_log import pages
from tests.servers.services import Service
from tests.servers.system import TOKEN
from tests.servers.up import LUOT, environ

WINDOW = 30 * 60
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"


class Books(NamedTuple):
    """Views and visits by (grain, first day, path), '' for the whole site, and visitors by day."""

    views: Counter[tuple[str, str, str]]
    visits: Counter[tuple[str, str, str]]
    visitors: dict[str, int]

    @property
    def total(self) -> int:
        return self.views["total", "", ""]


def count(lines: Iterable[str], zone: str) -> Books:
    """Count pages and visits of an access log: an independent reading of it."""
    views: Counter[tuple[str, str, str]] = Counter()
    visits: Counter[tuple[str, str, str]] = Counter()
    last: dict[tuple[str, str, str], float] = {}
    # As they stand: a server writes a line when its request ends, a little out of order.
    for at, address, agent, path in pages(lines):
        at_seconds = datetime.strptime(at, "%d/%b/%Y:%H:%M:%S %z").timestamp()
        day = datetime.fromtimestamp(at_seconds, ZoneInfo(zone)).date()
        visitor = (day.isoformat(), address, agent)
        begins = abs(at_seconds - last.get(visitor, -WINDOW)) >= WINDOW
        last[visitor] = max(at_seconds, last.get(visitor, at_seconds))
        for grain, start in (
            ("day", day.isoformat()),
            ("month", f"{day:%Y-%m}-01"),
            ("year", f"{day:%Y}-01-01"),
            ("total", ""),
        ):
            for of in ("", path):
                views[grain, start, of] += 1
                visits[grain, start, of] += begins
    by_day = Counter(day for day, _, _ in last)
    return Books(views, visits, dict(by_day))


def line(
    at: str, path: str = "/", address: str = "192.0.2.1", agent: str = AGENT, status: int = 200
) -> str:
    """Return a line of an access log: '01/Mar/2024:10:00:00 +0700'."""
    return f'{address} - - [{at}] "GET {path} HTTP/1.1" {status} 512 "-" "{agent}"'


def arguments(api: Service, *more: object) -> tuple[list[str], dict[str, str]]:
    command = [*LUOT, "import", *map(str, more), "--json"]
    return command, environ(LUOT_URL=api.url, LUOT_TOKEN=TOKEN)


def run(api: Service, *more: object) -> "subprocess.CompletedProcess[str]":
    """Run `luot import` to its end."""
    command, settings = arguments(api, *more)
    return subprocess.run(
        command, env=settings, capture_output=True, text=True, timeout=120, check=False
    )


def imported(api: Service, *more: object) -> list[dict[str, Any]]:
    """Run it, and return what became of each file."""
    done = run(api, *more)
    assert done.returncode == 0, done.stderr
    files: list[dict[str, Any]] = json.loads(done.stdout)["files"]
    return files


def listed(api: Service, site: str) -> list[dict[str, Any]]:
    """Return what `luot imports` lists."""
    done = subprocess.run(
        [*LUOT, "imports", "--site", site, "--json"],
        env=environ(LUOT_URL=api.url, LUOT_TOKEN=TOKEN),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def begin_undo(api: Service, site: str, name: str, *more: object) -> "subprocess.Popen[str]":
    """Begin `luot imports undo`."""
    return subprocess.Popen(
        [*LUOT, "imports", "undo", name, "--site", site, "--yes", *map(str, more)],
        env=environ(LUOT_URL=api.url, LUOT_TOKEN=TOKEN),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def undone(api: Service, site: str, name: str, *more: object) -> "subprocess.CompletedProcess[str]":
    """Run `luot imports undo` to its end."""
    process = begin_undo(api, site, name, *more)
    out, err = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def kill_at(api: Service, site: str, hits: int, *more: object) -> bool:
    """Run it and kill it when the log has so many hits; tell whether it was killed half-way."""
    command, settings = arguments(api, *more)
    process = subprocess.Popen(
        command, env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while process.poll() is None and taken(api, site) < hits:
        time.sleep(0.002)
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def admin(api: Service) -> httpx.Client:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return httpx.Client(base_url=f"{api.url}/api/admin", headers=headers, timeout=120)


def taken(api: Service, site: str) -> int:
    """Return how many hits of imports the log has been given, as the API says."""
    with admin(api) as client:
        found = client.get(f"/sites/{site}/imports").json()["imports"]
        return sum(
            client.put(
                f"/sites/{site}/imports/{one['digest']}",
                json={
                    **{key: one[key] for key in ("file", "host", "until", "lines")},
                    **{key: one[key] for key in ("first_at", "last_at")},
                    "dry_run": True,
                },
            ).json()["hits"]
            for one in found
        )
