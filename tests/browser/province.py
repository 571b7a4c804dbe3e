"""A province of twelve portals with the months that an office compares, as past.py makes them.

`python -m tests.browser.province FOLDER` writes the store, and into the file `past.json` beside it
those months and the views of each site and month.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import msgspec

from services.model.calendar import local_day, to_date, to_day
from services.model.hit import Hit, Visit
from services.model.kept_apart import Apart, name_of
from services.model.site import Site
from tests.browser.past import of_day, write
from tests.noon import zone_at_noon

PAST = "past.json"
NAMES = {
    "cao-lanh": "Phường Cao Lãnh",
    "my-tho": "Phường Mỹ Tho",
    "sa-dec": "Phường Sa Đéc",
    "hong-ngu": "Phường Hồng Ngự",
    "go-cong": "Phường Gò Công",
    "cai-be": "Xã Cái Bè",
    "lai-vung": "Xã Lai Vung",
    "lap-vo": "Xã Lấp Vò",
    "tam-nong": "Xã Tam Nông",
    "tan-ho-co": "Xã Tân Hộ Cơ",
    "thap-muoi": "Xã Tháp Mười",
    "tan-phuoc": "Xã Tân Phước",
}
ZONE = zone_at_noon()
SITES = tuple(
    Site(
        slug=slug,
        name=name,
        hosts=(f"{slug}.example",),
        search_parameters=("q",),
        timezone=ZONE,
    )
    for slug, name in NAMES.items()
)
_APART = {
    Apart.NOT_FOUND: (("/tin-cu/445", "/"), ("/van-ban/cu.html", "baodongthap.example")),
    Apart.SEARCHES: (("đất đai", "/"), ("lịch tiếp công dân", "/lien-he")),
    Apart.OUTBOUND: (("dichvucong.gov.vn/p/home", "/"), ("chinhphu.vn/", "/gioi-thieu")),
    Apart.DOWNLOADS: (("/van-ban/qd-12.pdf", "/"),),
}


def months(today: date) -> tuple[date, date, date]:
    """Return the first days of last month, of the month before, and of last month a year before."""
    last = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    return last, (last - timedelta(days=1)).replace(day=1), last.replace(year=last.year - 1)


def made_up(now_ms: int) -> list[Hit]:
    """Return the hits of those three months and of this one, ordered by time."""
    chance = random.Random(17)
    today = local_day(now_ms, ZONE)
    last, before, year_before = map(to_day, months(to_date(today)))
    # A month later it is the first of the next one, however long the month was.
    after = to_day((to_date(year_before) + timedelta(days=31)).replace(day=1))
    days = [*range(year_before, after), *range(before, today + 1)]
    hits = [
        hit
        for busy, site in enumerate(SITES, 3)
        for day in days
        for hit in _of_day(chance, site, day, busy + (2 if day >= last else 0))
    ]
    return sorted((hit for hit in hits if hit.at < now_ms - 600_000), key=lambda hit: hit.at)


def _of_day(chance: random.Random, site: Site, day: int, busy: int) -> Iterator[Hit]:
    hits = list(of_day(chance, site, day, busy))
    yield from hits
    for kind, seen in _APART.items():
        for path, source in seen[: chance.randrange(len(seen) + 1)]:
            if hits:
                yield msgspec.structs.replace(
                    hits[-1],
                    site=name_of(site.kept_as, kind),
                    path=path,
                    source=source,
                    at=hits[-1].at + 1_000,
                    visitor=0,
                    visit=Visit.CONTINUES,
                    bot=False,
                )


def views(hits: list[Hit]) -> dict[str, dict[str, int]]:
    """Return the views of each site and month, such as 2026-11: of people, not of robots."""
    months = Counter(
        (hit.site, to_date(hit.day).isoformat()[:7])
        for hit in hits
        if hit.site in NAMES and not hit.bot
    )
    counted: dict[str, dict[str, int]] = {slug: {} for slug in NAMES}
    for (slug, month), count in months.items():
        counted[slug][month] = count
    return counted


if __name__ == "__main__":
    folder, now = Path(sys.argv[1]), int(time.time() * 1000)
    made = made_up(now)
    compared = [str(month)[:7] for month in months(to_date(local_day(now, ZONE)))]
    (folder / PAST).write_text(json.dumps({"months": compared, "views": views(made)}), "utf-8")
    asyncio.run(write(folder, SITES, made))
