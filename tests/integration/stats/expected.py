"""What the answers have to be, worked out hit by hit in plain Python, without any code of Luot."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from services.api.stats.grammar.measures import APART, Measure
from services.model.hit import Hit

HALF_HOUR_MS = 30 * 60 * 1000


class Seen(NamedTuple):
    """A hit, whether it begins a visit, and of that visit the views and the length in ms."""

    hit: Hit
    begins: bool
    views: int = 0
    ms: int = 0


def visits(hits: Iterable[Hit]) -> list[Seen]:
    """Decide what begins a visit: a view of a visitor not seen for half an hour."""
    seen: list[Seen] = []
    of_visitor: dict[Hashable, list[Hit]] = defaultdict(list)
    for hit in hits:
        if hit.bot or not hit.visitor:
            seen.append(Seen(hit, begins=False))
        else:
            of_visitor[hit.site, hit.day, hit.visitor].append(hit)
    for views in of_visitor.values():
        views.sort(key=lambda hit: hit.at)
        of_visits = [[views[0]]]
        for before, view in pairwise(views):
            if view.at - before.at >= HALF_HOUR_MS:
                of_visits.append([])
            of_visits[-1].append(view)
        for visit in of_visits:
            length = visit[-1].at - visit[0].at
            seen.append(Seen(visit[0], True, len(visit), length))
            seen += [Seen(view, begins=False) for view in visit[1:]]
    return seen


TOGETHER = tuple(measure for measure in Measure if measure not in APART)
"""What one query may ask for: what is kept apart from views is asked for alone."""
ALL = ",".join(TOGETHER)


def measures(seen: Iterable[Seen], *, of_pages: bool = False) -> dict[str, float | None]:
    """Return every metric of these hits; of single pages, whoever saw them is their visitor."""
    seen = list(seen)
    views = [each.hit for each in seen if not each.hit.bot]
    begun = [each for each in seen if each.begins]
    beginners = {(each.hit.day, each.hit.visitor) for each in begun}
    visitors = {(hit.day, hit.visitor) for hit in views if hit.visitor} if of_pages else beginners
    lasted = sum(each.ms for each in begun)
    single = sum(each.views == 1 for each in begun)
    return {
        "visitors": len(visitors),
        "visits": len(begun) + len(visitors - beginners),
        "pageviews": len(views),
        "views_per_visit": round(len(views) / len(begun), 2) if begun else 0,
        "bounce_rate": round(100 * single / len(begun)) if begun else 0,
        "visit_duration": round(lasted / 1000 / len(begun)) if begun else None,
        "bots": len(seen) - len(views),
    }


def grouped(
    seen: Iterable[Seen], key: Callable[[Hit], str], *, of_pages: bool = False
) -> dict[str, dict[str, float | None]]:
    """Return every metric by a key of the hits."""
    groups: dict[str, list[Seen]] = defaultdict(list)
    for each in seen:
        groups[key(each.hit)].append(each)
    return {name: measures(group, of_pages=of_pages) for name, group in groups.items()}


def wall_hour(hit: Hit, zone: str) -> str:
    """Return the hour that a clock on the wall shows."""
    return datetime.fromtimestamp(hit.at / 1000, ZoneInfo(zone)).strftime("%Y-%m-%d %H:00:00")
