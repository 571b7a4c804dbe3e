"""The numbers of a site or a page as read once, valid on that day and on later ones.

Rows are keyed by the period that they count, not by its name: what is `today` when read becomes
`yesterday` the next day, and likewise for weeks, months and years.
"""

import msgspec

from services.api.counter.periods import Key, Periods
from services.api.counter.queries import OnlinePeak
from services.model.calendar import Grain

Rows = dict[Key, int]

TOTAL: Key = (Grain.TOTAL, 0)


class Reading(msgspec.Struct, frozen=True, array_like=True):
    """The numbers of a site in one measure.

    as_of     when they were read, ms since 1970
    day       the site's day at that moment
    since     first day that was counted, ISO date
    peak      the day's peak
    counted   rows as counted, on the floor: never lower than shown before
    ledger    what the ledger adds to those rows: opening balances minus corrections
    """

    as_of: int
    day: int
    since: str
    peak: OnlinePeak | None
    counted: Rows
    ledger: Rows

    @property
    def rows(self) -> Rows:
        """The rows as counted."""
        return self.counted

    def numbers(self, today: int) -> dict[str, int]:
        """Return the number of each period as of a day."""
        rows = dict(self.counted)
        for key, count in self.ledger.items():
            rows[key] = max(0, rows.get(key, 0) + count)
        return Periods.around(today).numbers(rows)

    def peak_of(self, today: int) -> OnlinePeak | None:
        """Return the peak if it is of this day, else None."""
        return self.peak if today == self.day else None

    def says_the_same(self, other: "Reading") -> bool:
        """Tell whether two readings are equal but for their time."""
        return msgspec.structs.replace(self, as_of=other.as_of) == other

    def plus(self, other: "Reading") -> "Reading":
        """Return the numbers of both sites together; the peak is the higher one of the two."""
        peaks = [peak for peak in (self.peak_of(other.day), other.peak) if peak is not None]
        return Reading(
            min(self.as_of, other.as_of),
            other.day,
            min(self.since, other.since),
            max(peaks, default=None),
            _sum(self.counted, other.counted),
            _sum(self.ledger, other.ledger),
        )


class PageReading(msgspec.Struct, frozen=True, array_like=True):
    """The views of a page, as counted, and what the ledger adds: in total and on one day."""

    as_of: int
    day: int
    views: int
    today: int
    ledger: int = 0
    ledger_today: int = 0

    @property
    def rows(self) -> Rows:
        """The rows as counted."""
        return {TOTAL: self.views, (Grain.DAY, self.day): self.today}

    def plus(self, other: "PageReading") -> "PageReading":
        """Return the views of both pages together."""
        today = self.day == other.day
        return PageReading(
            min(self.as_of, other.as_of),
            other.day,
            self.views + other.views,
            other.today + (self.today if today else 0),
            self.ledger + other.ledger,
            other.ledger_today + (self.ledger_today if today else 0),
        )

    @property
    def is_counted(self) -> bool:
        """Whether the page has any count at all: pages can be made up."""
        return bool(self.views or self.ledger)

    def numbers(self, today: int, field: str = "paths") -> dict[str, int]:
        """Return the views in total and of a day; for a file, its downloads.

        `field` is the field of the answer that they are for.
        """
        of_day = self.today + self.ledger_today if today == self.day else 0
        name = "views" if field == "paths" else field
        return {name: max(0, self.views + self.ledger), "today": max(0, of_day)}

    def says_the_same(self, other: "PageReading") -> bool:
        """Tell whether two readings are equal but for their time."""
        return msgspec.structs.replace(self, as_of=other.as_of) == other


def _sum(one: Rows, other: Rows) -> Rows:
    return {key: one.get(key, 0) + other.get(key, 0) for key in one.keys() | other.keys()}
