"""The views for other programs, on both stores."""

from datetime import date

from msgspec.structs import replace

from services.model.calendar import Grain, to_day
from services.model.site import Site
from services.store.counts import corrections
from services.store.counts.corrections import Correction, Taken
from services.store.counts.counters import CounterKey, CounterRow, write
from services.store.interface import Store
from services.store.records import balances, sites
from services.store.records.balances import BalanceEntry

JULY = to_day(date(2026, 7, 1))
SITE = Site(slug="mytho", kept_as="mytho-cu", name='"slug":"x","kept_as":"y"')
WARD = Site(slug="phuong-1", merged_into="mytho-cu")
HAMLET = Site(slug="ap-1", merged_into="phuong-1")
GONE = Site(slug="gone")


def day(site: Site, path: str, start: int = JULY) -> CounterKey:
    return (site.kept_as, "day", start, path)


async def seed(store: Store) -> None:
    """Write sites with everything that changes a day of theirs."""
    for version, site in enumerate((SITE, replace(WARD, merged_into=""), WARD, HAMLET, GONE)):
        await sites.save(store, site, version)
    await sites.rename(store, "mytho-x", SITE, 8)
    await sites.remove(store, GONE.slug, 9)
    counted: dict[CounterKey, CounterRow] = {
        day(SITE, ""): (100, 40, 7),
        day(SITE, "/a"): (60, 30, 7),
        day(SITE, "(other)"): (40, 10, 7),
        day(SITE, "", JULY + 1): (5, 5, 8),
        day(WARD, ""): (11, 3, 9),
        day(HAMLET, ""): (2, 1, 9),
        day(GONE, ""): (9, 9, 9),
        (SITE.kept_as, "month", JULY, ""): (105, 45, 8),
    }
    await write(store, dict.fromkeys(counted, (1, 1, 1)))
    await write(store, counted)
    await write(store, {day(SITE, ""): (70, 20, 3)})
    for version, views in ((1, 9), (2, 12)):
        await store.insert(
            "returned_views",
            {
                "site": [SITE.kept_as] * 2,
                "path": ["/b", "/c"],
                "day": [JULY] * 2,
                "views": [views, 3],
                "visits": [4, 1],
                "version": [version] * 2,
            },
        )
    taken = {("", JULY): Taken(20, 8, 6), ("/a", JULY): Taken(20, 8), ("", JULY + 1): Taken(9, 1)}
    for run, reverses in (("0a", ""), ("0b", ""), ("0c", "0b")):
        entries = taken if run != "0c" else {key: one.negated() for key, one in taken.items()}
        for _ in range(2):
            await corrections.write_entries(store, SITE.kept_as, run, entries)
        row = Correction(run, run, reverses, JULY, JULY, 1, 1, 1, 1, "{}", "lan", 1, "")
        await corrections.add(store, SITE.kept_as, row)
    await corrections.write_entries(store, SITE.kept_as, "0d", taken)
    for at, views in ((1, 1000), (2, 5)):
        entry = BalanceEntry("x", "", Grain.DAY, JULY - 400, views, 500, "lan", at, "")
        month = BalanceEntry("y", "", Grain.MONTH, JULY, 9, 9, "lan", at, "")
        day_too = BalanceEntry("z", "", Grain.DAY, JULY + 1, 7, 6, "lan", at, "")
        await balances.add(store, SITE.kept_as, [entry, month, day_too])


EXPECTED = [
    ("mytho", "ap-1", "", JULY, 2, 1, 0, 0),
    ("mytho", "mytho", "", JULY - 400, 1000, 500, 1000, 500),
    ("mytho", "mytho", "", JULY, 80, 32, 0, 0),
    ("mytho", "mytho", "", JULY + 1, 7, 10, 7, 6),
    ("mytho", "mytho", "(other)", JULY, 25, 5, 0, 0),
    ("mytho", "mytho", "/a", JULY, 40, 22, 0, 0),
    ("mytho", "mytho", "/b", JULY, 12, 4, 0, 0),
    ("mytho", "mytho", "/c", JULY, 3, 1, 0, 0),
    ("mytho", "phuong-1", "", JULY, 11, 3, 0, 0),
]
"""Columns of traffic_by_day."""


async def test_days_are_as_the_public_numbers_have_them_under_the_sites_of_people(
    store: Store,
) -> None:
    await seed(store)
    rows = await store.execute("SELECT * FROM traffic_by_day ORDER BY site, own_site, path, day")
    found = [(*row[:3], to_day(row[3]), *row[4:]) for row in rows]
    assert found == EXPECTED
    ((of_site,),) = await store.execute(
        "SELECT sum(views) FROM traffic_by_day"
        " WHERE site = 'mytho' AND path = '' AND day >= '2026-07-01'"
    )
    assert of_site == 100


async def test_a_hit_is_one_row_without_its_visitor_and_says_whether_it_was_taken_back(
    store: Store,
) -> None:
    await seed(store)
    hits: dict[str, list[object]] = {
        "site": [SITE.kept_as, SITE.kept_as, GONE.kept_as],
        "path": ["/a", "/b", "/c"],
        "at": [1_782_900_000_123] * 3,
        "day": [JULY] * 3,
        "visitor": [7, 8, 9],
        "visit": [1, 0, 1],
        "bot": [0, 1, 0],
        "host": ["mytho.example"] * 3,
        "source": ["zalo", "", ""],
        "device": ["mobile"] * 3,
        "browser": ["Chrome"] * 3,
        "os": ["Android"] * 3,
        "country": ["VN"] * 3,
        "region": ["VN-45", "", "VN-HN"],
        "position": [5, 5, 5],
        "idx": [0, 1, 2],
        "own_path": [""] * 3,
    }
    for _ in range(2):
        await store.insert("hits", hits)
    for run, idx in (("0a", 0), ("0b", 1)):
        await store.insert(
            "corrected_hits",
            {"site": [SITE.kept_as], "day": [JULY], "position": [5], "idx": [idx], "run": [run]},
        )
    rows = await store.execute(
        "SELECT site, path, region, toString(toUnixTimestamp(time)), referrer, is_bot,"
        " is_corrected, begins_visit FROM traffic_hits ORDER BY path"
    )
    assert rows == [
        ("mytho", "/a", "VN-45", "1782900000", "zalo", 0, 1, 1),
        ("mytho", "/b", "", "1782900000", "", 1, 0, 0),
    ]
    columns = {row[0] for row in await store.execute("DESCRIBE TABLE traffic_hits")}
    assert not columns & {"visitor", "position", "own_path"}
