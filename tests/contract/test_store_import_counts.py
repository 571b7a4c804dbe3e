"""What imports added is taken back as a whole, however many years it is of, on both stores."""

from datetime import date
from typing import Any

from services.model.calendar import months_later, to_day
from services.store.counts import corrections, hits, import_counts
from services.store.counts.corrections import Taken
from services.store.counts.import_counts import MarkedHits
from services.store.interface import Store
from tests.contract.test_store_tables import POSITION, columns

MONTHS = 101
"""One more than the partitions that an insert may have in current servers."""
FIRST = to_day(date(2018, 1, 15))
DAYS = [months_later(FIRST, month) for month in range(MONTHS)]
PRODUCER, RUN = "import:mytho:abc", "0a"


async def test_an_import_of_more_than_a_hundred_months_is_taken_back(store: Store) -> None:
    await hits.write(store, columns(MONTHS, day=DAYS, path=["/a"] * MONTHS, visit=[1] * MONTHS))
    # Of the site itself, on the same days.
    await hits.write(store, columns(MONTHS, day=DAYS, position=[POSITION + 1] * MONTHS))
    added: dict[str, list[Any]] = {
        "site": ["mytho"] * MONTHS,
        "producer": [PRODUCER] * MONTHS,
        "position": [POSITION] * MONTHS,
        "day": DAYS,
        "path": ["/a"] * MONTHS,
        "views": [1] * MONTHS,
        "visits": [1] * MONTHS,
    }
    await import_counts.write(store, added)
    of = await import_counts.days(store, "mytho", PRODUCER)
    assert [(each.day, each.views, each.visits) for each in of] == [(day, 1, 1) for day in DAYS]

    for _ in range(2):
        await import_counts.take_back(store, "mytho", PRODUCER, RUN, of)
    marks = await import_counts.marks(store, "mytho", PRODUCER, [RUN])
    assert marks == {RUN: MarkedHits(MONTHS, MONTHS)}
    entries = await corrections.entries(store, "mytho", RUN)
    assert entries == {("/a", day): Taken(1, 1) for day in DAYS}
