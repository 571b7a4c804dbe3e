"""An API with real stores for tests, and what the aggregator would have written for it."""

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import httpx
import pytest
from starlette.types import ASGIApp

from services.api.app import Api
from services.api.settings import ApiSettings
from services.model.calendar import to_day
from services.model.site import Site
from services.store.interface import Store
from tests.servers.asgi import listening, port_of

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
TOKEN = "a-token-for-these-tests-only"
SITE = Site(slug="mytho", name="Mỹ Tho", hosts=("mytho.example",), created_at=1_500_000_000_000)
EITHER_STORE = pytest.mark.parametrize(
    "store_url", ["chdb", "clickhouse"], indirect=True, scope="module"
)


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, at: datetime) -> None:
        self.now = at.timestamp()

    def __call__(self) -> float:
        return self.now

    def set(self, at: datetime) -> None:
        self.now = at.astimezone(UTC).timestamp()

    @property
    def ms(self) -> int:
        return int(self.now * 1000)


@contextlib.asynccontextmanager
async def serving(application: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    """Serve an application on a free port; gives a client of it."""
    options = {"lifespan": "off", "access_log": False, "proxy_headers": False}
    async with (
        listening(application, log_level="warning", **options) as server,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port_of(server)}") as client,
    ):
        yield client


OpenApi = Callable[[], contextlib.AbstractAsyncContextManager[httpx.AsyncClient]]


@contextlib.asynccontextmanager
async def opened(
    clickhouse_url: str, redis_url: str, clock: Clock
) -> AsyncIterator[httpx.AsyncClient]:
    """Start one more API process' worth of API; gives a client of it."""
    settings = ApiSettings.read(
        {}, clickhouse_url=clickhouse_url, redis_url=redis_url, admin_token=TOKEN
    )
    api = Api(settings, clock=clock, monotonic=clock)
    await api.start()
    try:
        async with serving(api.asgi) as client:
            yield client
    finally:
        await api.stop()


async def write_counter(
    store: Store,
    site: str,
    grain: str,
    start: date,
    visits: int,
    *,
    views: int | None = None,
    path: str = "",
    position: int = 1,
) -> None:
    """Write one counter row, as a flush of the aggregator does."""
    await store.insert(
        "counters",
        {
            "site": [site],
            "grain": [grain],
            "start": [to_day(start)],
            "path": [path],
            "views": [views if views is not None else visits * 2],
            "visits": [visits],
            "position": [position],
        },
    )


async def write_balance(
    store: Store,
    site: str,
    entry: str,
    grain: str,
    start: date,
    visits: int,
    *,
    path: str = "",
    at: int = 1,
) -> None:
    """Write one opening balance."""
    await store.insert(
        "opening_balances",
        {
            "id": [entry],
            "site": [site],
            "path": [path],
            "grain": [grain],
            "start": [to_day(start)],
            "views": [visits * 10],
            "visits": [visits],
            "author": ["admin"],
            "at": [at],
            "reason": ["the old counter"],
        },
    )


async def write_views(store: Store, site: str, day: date, visitors: list[int]) -> None:
    """Write one raw hit of each visitor; the view `daily_visitors_of_hits` takes them in."""
    size = len(visitors)
    await store.insert(
        "hits",
        {
            "site": [site] * size,
            "path": ["/"] * size,
            "at": [0] * size,
            "day": [to_day(day)] * size,
            "visitor": visitors,
            "visit": [1] * size,
            "bot": [0] * size,
            **dict.fromkeys(("host", "source", "device", "browser", "os", "country"), [""] * size),
            "position": [to_day(day)] * size,
            "idx": list(range(size)),
        },
    )
