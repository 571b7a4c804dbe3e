"""The hot rows are bounded by what they take in memory, not by their number alone."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from services.aggregator import rows as in_python
from services.aggregator.flush import AnyRows, no_rows
from services.aggregator.folding import Folding
from services.aggregator.kernel import rows as in_c
from services.model.calendar import Grain
from services.store.interface import Row, Store
from tests.kernel import FOLDS, folding
from tests.unit.test_fold import a_hit, at, batch_of, run

GRAINS = len(Grain)
LIMIT = 25 * GRAINS
OF_SITE = 1
"""Pages whose rows are those of the site."""


class Empty(Store):
    """A store without rows, which notes what is asked for."""

    prepare = close = stream = insert = limited = None  # type: ignore[assignment]

    def __init__(self) -> None:
        self.asked = 0

    async def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        self.asked += len((parameters or {})["keys"])
        return []


class Held:
    """Rows of pages that are seen one flush after another."""

    def __init__(self, folding: Folding) -> None:
        self._fold = folding.new(0)
        self._store = Empty()
        self._flushes = 0
        self.rows: AnyRows = no_rows(self._folded("/"))

    def __len__(self) -> int:
        return len(self.rows)

    async def see(self, *paths: str) -> int:
        """Return how many rows had to be loaded."""
        before = self._store.asked
        changed = await self.rows.changed(self._store, [self._folded(*paths)])
        self.rows.put(changed, LIMIT)
        return self._store.asked - before

    def _folded(self, *paths: str) -> Any:
        self._flushes += 1
        hits = [a_hit(0, path=path) for path in paths]
        return self._fold.fold(run((at(self._flushes), batch_of(*hits))))


@pytest.fixture(params=FOLDS)
def held(request: pytest.FixtureRequest) -> Held:
    return Held(folding(request.param))


def pages(numbers: Iterable[int], length: int = 40) -> list[str]:
    return [f"/{number}".ljust(length, "x") for number in numbers]


async def test_so_many_rows_of_ordinary_pages_are_kept(held: Held) -> None:
    for path in pages(range(10 * LIMIT)):
        await held.see(path)
    assert len(held) == LIMIT
    kept = LIMIT // GRAINS - OF_SITE
    assert await held.see(*pages(range(10 * LIMIT - kept, 10 * LIMIT))) == 0
    assert await held.see(*pages([10 * LIMIT - kept - 1])) == GRAINS


async def test_a_row_that_changes_is_kept_longer(held: Held) -> None:
    for path in pages(range(LIMIT)):
        await held.see(path)
        await held.see("/")
    assert await held.see("/") == 0


async def test_rows_of_pages_with_long_names_count_for_several(held: Held) -> None:
    is_c = isinstance(held.rows, in_c.KernelRows)
    of_row = in_c.BYTES_A_ROW if is_c else in_python.BYTES_A_ROW
    for path in pages(range(10 * LIMIT), 10 * of_row):
        await held.see(path)
    assert LIMIT // 6 < len(held) < LIMIT // 2
    for path in pages(range(10 * LIMIT)):
        await held.see(path)
    assert len(held) == LIMIT
