"""Sixty made-up days of three sites, in the data folder of a `luot up` that has yet to start.

`python -m tests.browser.past FOLDER`: a process of its own, because one process may open a store,
and because no event loop may run beside Playwright's.
"""

import asyncio
import math
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from services.model.calendar import day_start_ms, local_day
from services.model.hit import Hit
from services.model.site import Site
from services.store.migrations import migrate
from services.store.open import open_store
from services.store.records import sites
from tests.integration.stats import history
from tests.noon import zone_at_noon

DAYS = 60
ZONE = os.environ.get("PAST_ZONE") or zone_at_noon()
"""No day ends in the sites while tests look at them; pictures show the usual zone."""
SITES = (
    Site(
        slug="mytho",
        name="Cổng thông tin điện tử thành phố Mỹ Tho",
        hosts=("mytho.example", "*.mytho.example"),
        public_top=True,
        timezone=ZONE,
    ),
    Site(slug="danang", name="Thành ủy Đà Nẵng", hosts=("danang.example",), timezone=ZONE),
    Site(slug="nghean", name="Tỉnh Nghệ An", hosts=("nghean.example",), timezone=ZONE),
)
_BUSY = {"mytho": 60, "danang": 18, "nghean": 0}
_PAGES = (
    "/",
    "/tin-tuc/ke-hoach-chuyen-doi-so-nam-2026",
    "/dich-vu-cong/cap-phep-xay-dung",
    "/tin-tuc/le-hoi-hoa-den-ben-song",
    "/van-ban/quyet-dinh-12-qd-ubnd",
    "/lien-he",
    "/gioi-thieu/co-cau-to-chuc",
    "/dich-vu-cong/tra-cuu-ho-so",
    "/tin-tuc/ngay-hoi-doc-sach-cho-thieu-nhi-toan-thanh-pho",
    "/hoi-dap",
    "/lich-cong-tac",
    "/thu-vien-anh",
)
_SOURCES = {
    "": 44,
    "google.com": 30,
    "facebook.com": 11,
    "coccoc.com": 7,
    "zalo.me": 5,
    "bing.com": 2,
    "dichvucong.gov.vn": 4,
}
_AGENTS = {
    ("mobile", "Chrome", "Android"): 38,
    ("desktop", "Chrome", "Windows"): 26,
    ("mobile", "Safari", "iOS"): 17,
    ("desktop", "Cốc Cốc", "Windows"): 8,
    ("desktop", "Edge", "Windows"): 5,
    ("mobile", "Zalo", "Android"): 4,
    ("tablet", "Safari", "iOS"): 2,
    ("desktop", "Firefox", "Linux"): 2,
}
_COUNTRIES = {"VN": 88, "US": 4, "JP": 2, "KR": 2, "AU": 1, "DE": 1, "": 2}


def made_up(now_ms: int) -> list[Hit]:
    """Return the hits, up to ten minutes ago, ordered by time."""
    chance = random.Random(60)
    hits = [
        hit
        for site in SITES
        for ago in range(DAYS)
        for hit in of_day(chance, site, local_day(now_ms, site.timezone) - ago, _BUSY[site.slug])
    ]
    return sorted((hit for hit in hits if hit.at < now_ms - 600_000), key=lambda hit: hit.at)


def of_day(chance: random.Random, site: Site, day: int, busy: int) -> Iterator[Hit]:
    """Make up a day of a site that has so many visitors on a usual day."""
    begin = day_start_ms(day, site.timezone)
    weekend = 0.55 if (day + 3) % 7 > 4 else 1.0
    grown = 1 + 0.35 * math.sin(day / 9) + chance.uniform(-0.12, 0.12)
    for _ in range(int(busy * weekend * grown)):
        hour = min(23.9, max(0.0, chance.gauss(chance.choice((9.5, 15, 20)), 2.2)))
        at = begin + int(hour * 3_600_000)
        device, browser, system = chance.choices([*_AGENTS], [*_AGENTS.values()])[0]
        kind = chance.random()
        visitor, path = chance.getrandbits(64) or 1, chance.choices(_PAGES, range(24, 0, -2))[0]
        source = chance.choices([*_SOURCES], [*_SOURCES.values()])[0]
        country = chance.choices([*_COUNTRIES], [*_COUNTRIES.values()])[0]
        for _ in range(1 if kind < 0.12 else chance.choice((1, 1, 2, 2, 3, 5))):
            yield Hit(
                site=site.slug,
                path=path,
                at=at,
                day=day,
                visitor=visitor,
                bot=kind < 0.12,
                host=site.hosts[0],
                source=source,
                device=device,
                browser=browser,
                os=system,
                country=country,
            )
            at = min(at + chance.randrange(20_000, 400_000), begin + 86_399_000)
            path = chance.choice(_PAGES)


async def write(folder: Path, known: Sequence[Site], hits: Sequence[Hit]) -> None:
    """Make the store of a data folder, with these sites and hits; hits are ordered by time."""
    store = open_store(f"chdb://{folder / 'clickhouse'}")
    try:
        await store.prepare()
        await migrate(store)
        for version, site in enumerate(known):
            await sites.save(store, site, version + 1)
        await history.flush(store, hits)
    finally:
        await store.close()


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1]), SITES, made_up(int(time.time() * 1000))))
