"""Which views begin a visit once others are taken back.

A visit belongs to its first view. If that is taken back and a later one is left, the visit begins
with the later one. Which views begin a visit was decided when they were folded. That stays, except
for views that continued a visit from one that is taken back; these are decided again by the same
rule: no pause of half an hour.

What a run decides applies to views up to the position that it looked at, so that the sum of all
runs is the same in whatever order they are made and reversed.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from services.model.hit import VISIT_WINDOW_MS, Visit

KEPT = 0
"""Stands for the run of a view that no run takes back."""


class SeenView(NamedTuple):
    """A view of a visitor.

    visit    whether it begins a visit, as it was folded
    until    position after the last batch seen by the run that takes it back, or KEPT
    changed  whether the run being made takes it back, or gives it back
    """

    day: int
    visitor: int
    position: int
    idx: int
    path: str
    at: int
    visit: int
    until: int
    changed: int


class Recount(NamedTuple):
    """What a run changes about the visits of some visitors.

    visits  path and day → visits dropped besides those that the views of the run began, negative
            for added ones
    moved   day, position and index of views, and 1 if they now begin a visit, -1 if no longer
    """

    visits: Counter[tuple[str, int]]
    moved: list[tuple[int, int, int, int]]


def recount(views: Iterable[SeenView], until: int, *, gives_back: bool) -> Recount:
    """Compare the visits before and after a run that looks at batches before `until`.

    `views` are all views of the visitors concerned, by day and visitor, each in the order of the
    log.
    """
    result = Recount(Counter(), [])
    for _, of_visitor in groupby(views, key=lambda view: (view.day, view.visitor)):
        _compare(list(of_visitor), until, gives_back=gives_back, into=result)
    return result


def _compare(views: list[SeenView], until: int, *, gives_back: bool, into: Recount) -> None:
    without = [view.until for view in views]
    with_run = [until if view.changed else view.until for view in views]
    before, after = (with_run, without) if gives_back else (without, with_run)
    for view, was, is_ in zip(views, _begin(views, before), _begin(views, after), strict=True):
        fallen = was.begins - is_.begins
        if view.changed and view.visit == Visit.STARTS:
            fallen -= -1 if gives_back else 1
        if fallen:
            into.visits[view.path, view.day] += fallen
        if was.is_moved != is_.is_moved:
            change = is_.is_moved - was.is_moved
            into.moved.append((view.day, view.position, view.idx, change))


class _Part(NamedTuple):
    """The role of a view: whether it begins a visit, and whether only due to a correction."""

    begins: bool
    is_moved: bool


def _begin(views: list[SeenView], gone: list[int]) -> Iterator[_Part]:
    """Return whether each view begins a visit, without those whose run is in `gone`."""
    remaining: list[int] = []
    away: dict[int, list[int]] = {}
    for view, until in zip(views, gone, strict=True):
        if until != KEPT:
            insort(away.setdefault(until, []), view.at)
            yield _Part(begins=False, is_moved=False)
            continue
        is_moved = (
            view.visit == Visit.CONTINUES
            and any(
                looked_at > view.position and _is_near(times, view.at)
                for looked_at, times in away.items()
            )
            and not _is_near(remaining, view.at)
        )
        insort(remaining, view.at)
        yield _Part(view.visit == Visit.STARTS or is_moved, is_moved)


def _is_near(times: list[int], at: int) -> bool:
    """Tell whether one of the sorted times is less than half an hour from `at`."""
    place = bisect_left(times, at)
    return any(abs(at - near) < VISIT_WINDOW_MS for near in times[max(0, place - 1) : place + 1])
