"""What the first start gives the demo is given once."""

from pathlib import Path

from msgspec import structs

from services.model.calendar import Grain, local_day
from services.model.site import DEFAULT_TIMEZONE
from services.standalone import demo
from services.standalone.demo import opening
from services.standalone.demo.portals import ALL
from services.store.migrations import migrate
from services.store.open import open_store
from services.store.records import balances, sites

NOW_MS = 1_795_330_000_000
DAY_MS = 86_400_000
ELSEWHERE = "Etc/GMT+12"


async def test_a_start_that_was_cut_short_and_repeated_the_day_after_adds_nothing_twice(
    tmp_path: Path,
) -> None:
    store = open_store(f"chdb://{tmp_path}/store")
    await migrate(store)
    # Of a site that is elsewhere, today is the day there.
    moved = next(site for site in opening.SITES if site.slug == "demo-hcm")
    await sites.save(store, structs.replace(moved, timezone=ELSEWHERE), NOW_MS)
    await opening.prepare(store, NOW_MS)
    first = {slug: await balances.page(store, slug, 0, 100) for slug in opening.OLD_COUNTERS}
    await opening.prepare(store, NOW_MS + DAY_MS)
    again = {slug: await balances.page(store, slug, 0, 100) for slug in opening.OLD_COUNTERS}
    known = await sites.load(store)
    await store.close()

    assert first == again
    today = local_day(NOW_MS, DEFAULT_TIMEZONE)
    of_today = [line.entry for line in first["demo-dnn"] if line.entry.grain is Grain.DAY]
    assert {(entry.start, entry.visits) for entry in of_today} == {(today, 6324), (today - 1, 7097)}
    day = local_day(NOW_MS, ELSEWHERE)
    assert day != today
    assert [line.entry.start for line in first["demo-hcm"] if line.entry.id == "demo:today"] == [
        day
    ]
    assert [site.slug for site in known] == sorted({portal.site for portal in ALL})


def test_every_article_with_an_old_count_is_a_page() -> None:
    for slug, numbers in opening.OLD_COUNTERS.items():
        assert {path for path, _ in numbers.articles} <= set(demo.paths(slug))
