"""The rows of the panels of a site's page, and the names of values there."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from services.api.dashboard.requests.query_parameters import Links
from services.api.dashboard.texts.language import Language
from services.api.dashboard.texts.region_names import REGION, region_name
from services.api.dashboard.traffic.chart import bar
from services.api.stats.panels.contents import BreakdownRow
from services.model.kept_apart import Apart


class Bar(NamedTuple):
    """One row of a panel.

    title  of a page; '' if unknown
    hint   what its link does; both are '' if it has none
    """

    name: str
    title: str
    value: str
    share: str
    bar: str
    link: str
    hint: str


def bars(
    panel: str, rows: Sequence[BreakdownRow], titles: Mapping[str, str], links: Links, t: Language
) -> list[Bar]:
    """Return the rows of a panel; each links to the page filtered by its value."""
    return [
        Bar(
            value_name(panel, row.name, t),
            titles.get(row.name, ""),
            t.number(row.counted),
            t.percent(row.percent),
            bar(row.of_most),
            links.path(filters=row.filters),
            t("filters.add", value=value_name(panel, row.name, t)),
        )
        for row in rows
    ]


def bars_apart(panel: str, rows: Sequence[BreakdownRow], links: Links, t: Language) -> list[Bar]:
    """Return rows of what is counted separately; all but downloads link to where they came from."""
    opens = panel != Apart.DOWNLOADS
    below = Links(links.slug, links.scope, links.base, f"/all/{panel}")
    return [
        Bar(
            name := apart_name(row.name, t),
            "",
            t.number(row.counted),
            t.percent(row.percent),
            bar(row.of_most),
            below.with_more(of=row.name) if opens else "",
            t("rows.from", value=name) if opens else "",
        )
        for row in rows
    ]


def apart_name(value: str, t: Language) -> str:
    """Return the name of what is counted separately: nearly always the value itself."""
    return t.known(f"value.apart.{value}", value)


def value_name(field: str, value: str, t: Language) -> str:
    """Return the display name of a property's value."""
    if field == REGION and (region := region_name(value, t)):
        return region
    return t.known(f"{'device' if field == 'device' else 'value'}.{value}", value)
