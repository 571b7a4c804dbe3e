"""No number goes down by itself, and none is shown that a restart could not show again."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from services.api.counter.last_shown import LastShown
from services.api.counter.monotonic import Floor
from services.api.counter.reading import TOTAL, PageReading
from services.model.calendar import Grain
from services.state.errors import StateError
from services.state.last_shown import EncodedNumbers
from services.store.interface import StoreUnavailableError

TWO_PAGES = 2 * 600


class Memory(LastShown[PageReading]):
    """Shared state that can be away, or take nothing."""

    def __init__(self) -> None:
        super().__init__(PageReading)
        self.bodies: dict[tuple[str, str], bytes] = {}
        self.reset_at: dict[str, int] = {}
        self.away = False
        self.full = False

    async def _read(self, names: Sequence[tuple[str, str]], seconds: float) -> EncodedNumbers:
        if self.away:
            raise StateError("away")
        bodies = {name: self.bodies[name] for name in names if name in self.bodies}
        return EncodedNumbers(bodies, self.reset_at)

    async def _write(self, bodies: Mapping[tuple[str, Any], bytes]) -> None:
        if bodies and (self.away or self.full):
            raise StateError("it takes nothing")
        self.bodies |= bodies


class Site:
    """The pages of one site, as one process shows them."""

    def __init__(self, memory: Memory, max_bytes: int = 100_000) -> None:
        self.floor = Floor(memory, keeps=lambda page: bool(page.views), max_bytes=max_bytes)

    async def show(self, **counts: int) -> dict[str, int]:
        """Return what is shown of pages, given what the store counts."""
        names = [("mytho", path) for path in counts]
        shown = await self.floor.last_shown(names)
        readings = {}
        for name in names:
            before = shown.readings.get(name)
            rows = self.floor.lift(name, {TOTAL: counts[name[1]]}, before.rows if before else {})
            readings[name] = PageReading(1, 1, rows.get(TOTAL, 0), 0)
        allowed = await self.floor.show(readings, shown)
        return {path: reading.views for (_, path), reading in allowed.items()}

    async def show_each(self, *counts: int) -> list[int]:
        """Return what is shown of one page, one count after the other."""
        return [(await self.show(a=count))["a"] for count in counts]


async def test_the_highest_value_seen_stays() -> None:
    memory = Memory()
    memory.away = True  # what this process remembers must do
    site = Site(memory, max_bytes=TWO_PAGES)

    def lifted(path: str, count: int) -> int:
        return site.floor.lift(("mytho", path), {TOTAL: count}, {})[TOTAL]

    assert [lifted("a", count) for count in (3, 1, 4)] == [3, 3, 4]
    lifted("b", 1)
    lifted("c", 1)
    assert lifted("a", 1) == 1


async def test_what_another_process_showed_stays() -> None:
    memory = Memory()

    assert await Site(memory).show_each(7, 9) == [7, 9]
    assert await Site(memory).show_each(5, 10) == [9, 10]


async def test_pages_without_a_view_push_out_nothing_that_was_counted() -> None:
    memory = Memory()
    site = Site(memory, max_bytes=TWO_PAGES)
    await site.show(a=7)
    for number in range(10):
        await site.show(**{f"invented-{number}": 0})
    assert list(memory.bodies) == [("mytho", "a")]
    memory.bodies.clear()

    assert await site.show_each(5) == [7]


@pytest.mark.parametrize("fault", ["away", "full"])
async def test_what_cannot_be_kept_is_shown_only_if_nothing_was_shown_before(fault: str) -> None:
    memory = Memory()
    site = Site(memory)
    setattr(memory, fault, True)
    assert await site.show(a=7, b=0) == {"a": 7, "b": 0}
    assert await site.show(c=1, a=8) == {"c": 1}
    with pytest.raises(StoreUnavailableError):
        await site.show(a=9)

    setattr(memory, fault, False)
    assert await site.show_each(9) == [9]


async def test_what_cannot_be_kept_is_not_shown_either_if_another_process_showed_less() -> None:
    memory = Memory()
    await Site(memory).show(a=7, b=3)
    memory.full = True

    site = Site(memory)
    assert await site.show(a=8, b=3, c=1) == {"b": 3, "c": 1}
    with pytest.raises(StoreUnavailableError):
        await site.show(a=9)


async def test_what_is_kept_already_may_be_shown_again() -> None:
    memory = Memory()
    site = Site(memory)
    await site.show(a=7, b=3)
    memory.full = True

    assert await site.show(a=7, b=4) == {"a": 7}


async def test_after_a_reset_the_store_alone_counts() -> None:
    memory = Memory()
    site = Site(memory)
    assert await site.show_each(7, 5) == [7, 7]

    memory.bodies.clear()
    memory.reset_at = {"mytho": 1}
    assert await site.show_each(5, 4) == [5, 5]


async def test_what_is_recalled_is_a_floor_for_what_is_read_later() -> None:
    memory = Memory()
    await Site(memory).show(a=7)
    site = Site(memory)

    assert [page.views for page in (await site.floor.recall([("mytho", "a")])).values()] == [7]
    memory.bodies.clear()
    assert await site.show_each(5) == [7]


async def test_rows_of_days_long_gone_are_forgotten() -> None:
    floor = Site(Memory()).floor
    for day in range(200):
        floor.lift(("mytho", "a"), {TOTAL: 9, (Grain.DAY, day): 1}, {})

    rows = {TOTAL: 1, (Grain.DAY, 0): 0, (Grain.DAY, 199): 0}
    assert floor.lift(("mytho", "a"), rows, {}) == {TOTAL: 9, (Grain.DAY, 199): 1}
