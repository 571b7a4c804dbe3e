"""Three years of made-up hits of fifty sites, and what the aggregator makes of them."""

import random
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby
from operator import attrgetter

from services.aggregator.flush import Flusher
from services.aggregator.fold import Folded, PartitionFold
from services.log.batch import Batch
from services.log.redis import entry_ids
from services.model.calendar import Grain, day_start_ms, period_start, to_day
from services.model.hit import Hit
from services.model.partition import DEFAULT_PARTITIONS, partition_of
from services.model.site import Site
from services.store.interface import Store
from services.store.migrations import migrate
from services.store.records import sites

FIRST, LAST = to_day(date(2022, 1, 1)), to_day(date(2024, 12, 31))
MINUTE = 60_000
BUSY = ("newyork", "portal-1")
"""Sites with hits every day; the others have a hit now and then."""
SITES = (
    Site(slug="newyork", hosts=("ny.example",), timezone="America/New_York"),
    Site(slug="howe", hosts=("howe.example",), timezone="Australia/Lord_Howe"),
    *(
        Site(slug=f"portal-{number}", hosts=(f"portal-{number}.example",))
        for number in range(1, 49)
    ),
)

_PAGES = ("/", "/tin-tuc/mở-cửa.html", "/tin-tuc/100%_đúng.html", "/a\\b", "/l", "/l/2", "(other)")
_SOURCES = (
    *("", "", "google.com", "google.com.vn", "lm.facebook.com", "Facebook", "vi-vn.facebook.com"),
    *("coccoc.com", "chatgpt.com", "bao.example", "thang-9"),
)
_MEDIUMS = ("", "", "", "", "", "CPC", "email", "to-roi")
_AGENTS = (
    ("desktop", "Chrome", "Windows"),
    ("mobile", "Safari", "iOS"),
    ("mobile", "Cốc Cốc", "Android"),
    ("", "", ""),
)
_COUNTRIES = ("VN", "VN", "VN", "US", "FR", "")
_REGIONS = {
    "VN": ("VN-HN", "VN-46", ""),
    "US": ("US-CA", "US-Texas", "US-CA"),
    "FR": ("", "", ""),
    "": ("", "", ""),
}
_ROW = attrgetter(*Batch.__struct_fields__)


def made_up(seed: int = 2026) -> list[Hit]:
    """Return the hits, ordered by time; who starts a visit is not decided."""
    chance = random.Random(seed)
    hits: list[Hit] = []
    for site in SITES:
        for day in range(FIRST, LAST + 1):
            if site.slug in BUSY or chance.random() < 0.05:
                hits += _of_day(chance, site, day)
    return sorted(hits, key=lambda hit: hit.at)


def _of_day(chance: random.Random, site: Site, day: int) -> Iterator[Hit]:
    begin, end = day_start_ms(day, site.timezone), day_start_ms(day + 1, site.timezone)
    for _ in range(chance.randint(1, 5 if site.slug in BUSY else 3)):
        # Many arrive around the hours in which clocks are set.
        at = begin + chance.choice((chance.randrange(4 * 60), chance.randrange(23 * 60))) * MINUTE
        device, browser, os = chance.choice(_AGENTS)
        country, kind = chance.choice(_COUNTRIES), chance.random()
        visitor = 0 if kind < 0.1 else chance.getrandbits(64) or 1
        for _ in range(chance.choice((1, 1, 2, 3, 5))):
            if at >= end:
                break
            yield Hit(
                site=site.slug,
                path=chance.choice(_PAGES),
                at=at,
                day=day,
                visitor=visitor,
                bot=0.1 <= kind < 0.2,
                host=chance.choice(("", "www.")) + site.hosts[0],
                source=chance.choice(_SOURCES),
                utm_medium=chance.choice(_MEDIUMS),
                utm_campaign=chance.choice(("", "", "quy-3", "Tết 100%")),
                utm_source=("", "zalo", "Google")[at // MINUTE % 3],
                device=device,
                browser=browser,
                os=os,
                country=country,
                region=_REGIONS[country][at // MINUTE % 3],
            )
            at += chance.choice((1, 7, 29, 30, 31, 200)) * MINUTE + chance.randrange(2) * 500


async def write(store: Store, hits: Sequence[Hit]) -> None:
    """Fold hits and flush them year by year, as the aggregator does."""
    await store.prepare()
    await migrate(store)
    for version, site in enumerate(SITES):
        await sites.save(store, site, version + 1)
    await flush(store, hits)


async def flush(store: Store, hits: Sequence[Hit]) -> None:
    """Fold hits, ordered by time, and flush them year by year."""
    folds = [PartitionFold(number) for number in range(DEFAULT_PARTITIONS)]
    flusher = Flusher(store, hot_rows=1_000_000)
    for _, year in groupby(hits, key=lambda hit: period_start(hit.day, Grain.YEAR)):
        await flusher.flush(list(folded(folds, list(year))), [], [])


def folded(folds: Sequence[PartitionFold], hits: Sequence[Hit]) -> Iterator[Folded]:
    """Fold hits, ordered by time, by partition."""
    by_partition: dict[int, list[Hit]] = {}
    for hit in hits:
        by_partition.setdefault(partition_of(hit.site, len(folds)), []).append(hit)
    for partition, mine in by_partition.items():
        of_moments = groupby(mine, key=lambda hit: hit.at)
        yield folds[partition].fold(
            [(entry_ids.encode(at, 0), at, batch_of(list(moment))) for at, moment in of_moments]
        )


def batch_of(hits: Sequence[Hit]) -> Batch:
    """Return hits as the batch of one entry of the log."""
    columns = map(list, zip(*map(_ROW, hits), strict=True))
    return Batch(**dict(zip(Batch.__struct_fields__, columns, strict=True)))
