"""The table of the hours of the week: darker where there are more views."""

from collections.abc import Sequence
from typing import NamedTuple

from services.api.dashboard.texts.language import Language

SHADES = 8


class HeatCell(NamedTuple):
    """An hour of a weekday: its views, in full and abbreviated, and its shade, 0 to SHADES."""

    views: str
    short: str
    shade: int
    title: str


class HeatRow(NamedTuple):
    """A weekday."""

    name: str
    cells: Sequence[HeatCell]


def heat_rows(week: Sequence[Sequence[int]], t: Language) -> list[HeatRow]:
    """Return the rows of a week, from Monday on; none if there were no views."""
    most = max((max(day) for day in week), default=0)
    if not most:
        return []
    return [
        HeatRow(
            t.weekday(weekday),
            [
                HeatCell(
                    t.number(views),
                    t.short(views) if views else "",
                    -(-SHADES * views // most),
                    t("heat.at", day=t.weekday(weekday), hour=hour, views=t.number(views)),
                )
                for hour, views in enumerate(day)
            ],
        )
        for weekday, day in enumerate(week)
    ]
