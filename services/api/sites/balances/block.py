"""What an old block showed, as typed in, and the entries that make ours show the same."""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from services.api.counter.periods import Key
from services.api.counter.reading import Reading
from services.api.sites.balances.columns import count_of, text_of
from services.api.sites.balances.table import OldNumbers
from services.http.errors import ApiError, Translatable, bad_request, shown
from services.model.calendar import Grain, period_start, to_date
from services.model.lines import PERIODS, Line
from services.model.site import Metric

KIND = "block"


class BlockEntries(NamedTuple):
    """What is entered so that a block shows what was typed.

    id      derived from what was typed, the measure and the day: entered twice, it counts once
    added   what is added to each counter row; negative if less was typed than is shown
    before  what the block shows without it, and `after` with it, by line
    """

    id: str
    added: Mapping[Key, int]
    before: Mapping[str, int]
    after: Mapping[str, int]

    def written(self) -> list[str]:
        """Return the entries as `read_entries` takes them."""
        return [f"{grain}:{start}:{count}" for (grain, start), count in self.added.items()]


def typed_numbers(given: Mapping[str, str]) -> dict[Line, int]:
    """Return the numbers that were typed, by line; an empty line stays as it is.

    Raises ApiError, 400, for anything that is not a number.
    """
    typed: dict[Line, int] = {}
    errors: dict[str, str] = {}
    for line in PERIODS:
        if text := text_of(given.get(line, "")):
            try:
                typed[line] = count_of(text)
            except ValueError as error:
                errors[line.value] = Translatable(str(error), "balances.no_count", value=text[:40])
    if errors:
        raise ApiError(400, errors)
    return typed


def block_entries(typed: Mapping[Line, int], reading: Reading, metric: Metric) -> BlockEntries:
    """Return the entries that make a block show what was typed.

    reading  what it shows now

    A period of several rows, such as a week, has no entry of its own: what is typed for it, minus
    the rows that other lines show, is divided among its remaining rows that have begun. Raises
    ApiError, 400, when there are none.
    """
    today = reading.day
    rows = {line: list(of(today)) for line, of in PERIODS.items()}
    taken = {keys[0] for keys in rows.values() if len(keys) == 1}
    counted = dict(reading.counted)
    for key, count in reading.ledger.items():
        counted[key] = counted.get(key, 0) + count
    added: dict[Key, int] = {}
    for line, keys in rows.items():
        if line in typed and len(keys) == 1:
            added[keys[0]] = typed[line] - counted.get(keys[0], 0)
    for line, keys in rows.items():
        if line in typed and len(keys) > 1:
            rest = typed[line] - sum(counted.get(key, 0) + added.get(key, 0) for key in keys)
            free = [key for key in keys if key[1] <= today and key not in taken]
            added |= _divided(line, rest, free)
            taken.update(keys)
    added = {key: count for key, count in added.items() if count}
    said = ",".join(f"{line}={count}" for line, count in sorted(typed.items()))
    digest = blake2b(f"{metric} {said}".encode(), digest_size=6).hexdigest()
    before, after = reading.numbers(today), with_added(reading, added).numbers(today)
    return BlockEntries(f"{KIND}:{to_date(today)}:{digest}", added, before, after)


def with_added(reading: Reading, added: Mapping[Key, int]) -> Reading:
    """Return a reading as it will be after additions to its rows."""
    both = dict(reading.ledger)
    for key, count in added.items():
        both[key] = both.get(key, 0) + count
    return msgspec.structs.replace(reading, ledger=both)


def read_entries(written: Iterable[str], today: int) -> dict[Key, int]:
    """Return the entries of `BlockEntries.written`. Raises ApiError, 400."""
    added: dict[Key, int] = {}
    for text in written:
        grain, _, rest = text.partition(":")
        start, _, count = rest.partition(":")
        try:
            key, added_to_it = (Grain(grain), int(start[:6])), int(count[:20])
        except ValueError:
            key, added_to_it = (Grain.TOTAL, -1), 0
        if not 0 <= key[1] <= today or key[1] != period_start(key[1], key[0]) or not added_to_it:
            raise bad_request("entry", f"{shown(text)}; expected what the preview holds")
        added[key] = added_to_it
    if not added:
        raise bad_request("entry", "none; expected what the preview holds")
    return added


def table_of(added: Mapping[Key, int], metric: Metric) -> OldNumbers:
    """Return additions to counter rows, in one measure, as a table for the ledger."""
    table = OldNumbers(KIND, lines=len(added))
    for (grain, start), count in added.items():
        table.counts["", grain, start] = (count, 0) if metric is Metric.VIEWS else (0, count)
    return table


def _divided(line: Line, rest: int, free: list[Key]) -> dict[Key, int]:
    """Divide the rest of a period among its free rows; the first row gets the remainder."""
    if not rest:
        return {}
    if not free:
        raise bad_request(
            line.value,
            Translatable(
                f"all of it is in other lines, and {abs(rest)} are"
                f" {'left over' if rest > 0 else 'missing'}",
                "balances.divided",
                count=abs(rest),
            ),
        )
    each, odd = divmod(rest, len(free))
    return {key: each + (odd if place == 0 else 0) for place, key in enumerate(free)}
