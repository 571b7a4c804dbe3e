"""The numbers above and below the chart of a site's page, with averages and changes as text."""

from collections.abc import Sequence
from typing import NamedTuple

from services.api.dashboard.requests.query_parameters import Links
from services.api.dashboard.texts.language import Language
from services.api.stats.grammar.site_query import Scope
from services.api.stats.panels.contents import Figure, TrafficMeans

_WHOLE_FROM = 10
"""An average below this has a decimal."""


class Tile(NamedTuple):
    """One number above the chart."""

    measure: str
    value: str
    change: float | None
    change_text: str
    is_better: bool | None
    link: str | None
    is_current: bool
    means: Sequence[str] = ()


def tiles_of(
    scope: Scope,
    figures: Sequence[Figure],
    means: Sequence[TrafficMeans],
    links: Links,
    t: Language,
) -> list[Tile]:
    """Return the numbers of the period; `means` has the averages of each, or is empty."""
    return [
        Tile(
            measure,
            t.number(value),
            change,
            "" if change is None else t.percent(abs(change)),
            None if scope.is_under_way else (change or 0) > 0,
            links.path(measure=measure),
            measure == scope.measure,
            _means(scope, means[place], t) if means else [],
        )
        for place, (measure, value, change) in enumerate(figures)
    ]


def detail_of(figure: Figure, t: Language) -> Tile:
    """Return a number that is computed from raw hits; a dash if it is unknown."""
    measure, value, change = figure
    change_text = "" if change is None else t.percent(abs(change))
    better: bool | None = (change or 0) > 0
    match measure:
        case "bounce_rate":
            shown = "–" if value is None else t.percent(value)
            better = not better
            if change is not None:
                change_text = t("unit.points", count=abs(change))
        case "visit_duration":
            shown = t.duration(value)
        case _:
            shown, better = t.number(value), None
    return Tile(measure, shown, change, change_text, better, None, is_current=False)


def _means(scope: Scope, of: TrafficMeans, t: Language) -> list[str]:
    """Return the daily average, and the monthly one if all months of the period are over."""
    if scope.elapsed.days == 1 or of.per_day is None:
        return []
    key = "mean.day.over" if scope.is_running else "mean.day"
    means = [t(key, number=_mean(of.per_day, t))]
    if of.per_month is not None:
        means.append(t("mean.month", number=_mean(of.per_month, t)))
    return means


def _mean(value: float, t: Language) -> str:
    return t.number(value if value < _WHOLE_FROM else round(value))
