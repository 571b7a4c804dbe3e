"""The ledger of corrections, on both stores."""

from datetime import date

from services.model.calendar import to_day
from services.store.counts import corrections
from services.store.counts.corrections import Correction, Taken, active
from services.store.interface import Store

JULY = to_day(date(2026, 7, 1))


def row(name: str, run: str, at: int, reverses: str = "") -> Correction:
    query = '{"filters": "event:page==/a\'b"}'
    return Correction(
        name, run, reverses, JULY, JULY + 1, 1 << 62, 5, 3, -1, query, "lan", at, "giả 'tạo' \\"
    )


async def test_a_correction_is_found_as_it_was_entered(store: Store) -> None:
    first, second = row("one", "0a", 1), row("two", "0b", 2)
    back = row("reversal:one", "0c", 3, "one")
    for one in (back, second, first):
        await corrections.add(store, "mytho", one)
    await corrections.add(store, "danang", row("one", "0d", 9))

    rows = await corrections.ledger(store, "mytho")
    assert rows == [first, second, back]
    assert active(rows) == [second]
    assert await corrections.ledger(store, "hue") == []


async def test_entries_count_once_the_row_of_their_run_is_written_and_only_once(
    store: Store,
) -> None:
    entries = {("", JULY): Taken(5, 3, 2), ("/a", JULY): Taken(5, 3), ("/b", JULY): Taken(0, -1)}
    for _ in range(2):
        await corrections.write_entries(store, "mytho", "0a", entries)
    await corrections.write_entries(store, "mytho", "0b", {("", JULY): Taken(1, 1, 1)})
    assert await corrections.taken(store, ["mytho"]) == {}

    await corrections.add(store, "mytho", row("one", "0a", 1))
    assert await corrections.taken(store, ["mytho", "hue"], ["", "/b", "/c"]) == {
        ("mytho", ""): {JULY: Taken(5, 3, 2)},
        ("mytho", "/b"): {JULY: Taken(0, -1)},
    }
    assert await corrections.entries(store, "mytho", "0a") == entries
    await corrections.add(store, "mytho", row("two", "0b", 2))
    assert await corrections.taken(store, ["mytho"]) == {("mytho", ""): {JULY: Taken(6, 4, 3)}}
    assert await corrections.of_days(store, "mytho", ["0b"], (JULY, JULY + 9)) == {
        JULY: Taken(1, 1, 1)
    }
    assert await corrections.of_days(store, "mytho", ["0a"], (JULY + 1, JULY + 9)) == {}
    assert await corrections.of_pages(store, "mytho", ["0a", "0b"], JULY) == {
        "": Taken(6, 4, 3),
        "/a": Taken(5, 3),
        "/b": Taken(0, -1),
    }
