"""The ledger of opening balances, on both stores."""

from datetime import date

from services.model.calendar import Grain, to_day
from services.store.interface import Store
from services.store.records import balances
from services.store.records.balances import BalanceEntry

JULY = to_day(date(2026, 7, 1))


def entry(name: str, at: int, **given: object) -> BalanceEntry:
    plain = BalanceEntry(name, "", Grain.TOTAL, 0, 0, 100, "admin", at, "sổ 'cũ' \\ trang 1")
    return plain._replace(**given)  # type: ignore[arg-type]


async def page(store: Store, offset: int, limit: int) -> list[BalanceEntry]:
    return [line.entry for line in await balances.page(store, "mytho", offset, limit)]


async def test_an_entry_is_found_as_it_was_entered(store: Store) -> None:
    entries = [
        entry("total", 1, views=-(10**15), visits=10**15),
        entry("july", 2, grain=Grain.MONTH, start=JULY),
        entry("page", 3, path="/tin-tức/1"),
    ]
    await balances.add(store, "mytho", entries)
    await balances.add(store, "danang", [entry("july", 9)])
    await balances.add(store, "mytho", [])

    found = await balances.find(store, "mytho", ["july", "total", "nothing"])
    assert found == {"total": entries[0], "july": entries[1]}
    assert await balances.find(store, "mytho", []) == {}
    assert await balances.count(store, "mytho") == 3
    assert await balances.count(store, "nghean") == 0


async def test_the_ledger_is_read_in_parts_the_oldest_entry_first(store: Store) -> None:
    entries = [entry(f"e{9 - number}", number) for number in range(10)]
    await balances.add(store, "mytho", entries[5:])
    await balances.add(store, "mytho", entries[:5])

    assert await page(store, 0, 4) == entries[:4]
    assert await page(store, 4, 100) == entries[4:]
    assert await page(store, 10, 100) == []


async def test_of_an_id_that_was_written_twice_the_first_entry_counts(store: Store) -> None:
    first = entry("e", 1, grain=Grain.MONTH, start=JULY, path="/a")
    await balances.add(store, "mytho", [first])
    await balances.add(store, "mytho", [entry("e", 2, visits=7, path="/a")])

    assert await balances.find(store, "mytho", ["e"]) == {"e": first}
    assert await page(store, 0, 10) == [first]
    assert await balances.count(store, "mytho") == 1
    assert await balances.sums(store, "mytho", ["/a"]) == {("/a", Grain.MONTH, JULY): (0, 100)}


async def test_entries_of_one_period_are_added_up(store: Store) -> None:
    await balances.add(
        store,
        "mytho",
        [
            entry("a", 1, views=5),
            entry("b", 2, visits=-30),
            entry("c", 3, grain=Grain.YEAR, visits=1),
            entry("d", 4, path="/a"),
        ],
    )
    await balances.add(store, "danang", [entry("e", 5)])

    assert await balances.sums(store, "mytho", ["", "/b"]) == {
        ("", Grain.TOTAL, 0): (5, 70),
        ("", Grain.YEAR, 0): (0, 1),
    }
    assert await balances.sums(store, "mytho", []) == {}
    assert len(await balances.all_sums(store, "mytho")) == 3


async def test_a_bulk_entry_is_one_line_with_all_that_is_in_it(store: Store) -> None:
    bulk = [
        entry(balances.line_id("file", number, 3), 2, path=f"/{number}", views=number, visits=0)
        for number in (1, 2, 3)
    ]
    days = [
        entry(balances.line_id("days", number, 2), 3, grain=Grain.DAY, start=JULY + number)
        for number in (1, 2)
    ]
    await balances.add(store, "mytho", [entry("file", 1), *bulk, *days, entry("file0", 4)])
    await balances.add(store, "danang", bulk[:1])

    listed = await balances.page(store, "mytho", 0, 10)
    assert [(line.entry.id, line.lines) for line in listed] == [
        ("file", 0),
        ("file", 3),
        ("days", 2),
        ("file0", 0),
    ]
    assert (listed[1].entry.views, listed[1].entry.visits) == (6, 0)
    assert (listed[2].entry.start, listed[2].last) == (JULY + 1, JULY + 2)
    assert await balances.count(store, "mytho") == 4
    assert await balances.of_bulk(store, "mytho", "file") == {one.id: one for one in bulk}
    assert await balances.of_bulk(store, "mytho", "fil") == {}
