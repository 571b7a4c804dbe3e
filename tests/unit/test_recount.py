"""Which views begin a visit when others are taken back: in any order, as if they had never been."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.sites.corrections.recount import KEPT, SeenView, recount
from services.model.hit import VISIT_WINDOW_MS, Visit

MINUTE = 60_000
END = 1_000


def visits_of(times: Sequence[int]) -> list[bool]:
    """Return whether each view of a visitor begins a visit."""
    return [
        place == 0 or at - times[place - 1] >= VISIT_WINDOW_MS for place, at in enumerate(times)
    ]


def views(times: Sequence[int], gone: Sequence[int], changed: Sequence[bool]) -> list[SeenView]:
    begins = [Visit.STARTS if begin else Visit.CONTINUES for begin in visits_of(times)]
    return [
        SeenView(1, 7, place, 0, f"/{place % 3}", at, int(visit), until, int(is_changed))
        for place, (at, visit, until, is_changed) in enumerate(
            zip(times, begins, gone, changed, strict=True)
        )
    ]


def begun(times: Sequence[int], kept: Sequence[bool]) -> Counter[str]:
    """Return the visits by page, of the views that are left alone."""
    left = [(place, at) for place, at in enumerate(times) if kept[place]]
    begins = visits_of([at for _, at in left])
    return Counter(f"/{place % 3}" for (place, _), begin in zip(left, begins, strict=True) if begin)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[int], list[tuple[str, set[int]]]]:
    pauses = draw(st.lists(st.sampled_from([0, 1, 15, 29, 30, 31, 90]), min_size=1, max_size=12))
    times, now = [], 0
    for pause in pauses:
        now += pause * MINUTE
        times.append(now)
    step = st.tuples(
        st.sampled_from(["take", "take", "give"]), st.sets(st.integers(0, len(times) - 1))
    )
    return times, draw(st.lists(step, max_size=6))


@given(histories(), st.randoms(use_true_random=False))
def test_the_sum_of_all_runs_is_a_recount_of_what_is_left(
    history: tuple[list[int], list[tuple[str, set[int]]]], chance: object
) -> None:
    times, steps = history
    runs: list[set[int]] = []
    fallen: Counter[str] = Counter()
    moved: Counter[int] = Counter()
    flags = visits_of(times)
    for kind, places in steps:
        gone = [any(place in run for run in runs) for place in range(len(times))]
        gives_back = kind == "give" and bool(runs)
        if gives_back:
            run = chance.choice(runs)  # type: ignore[attr-defined]
            runs.remove(run)
        else:
            run = {place for place in places if not gone[place]}
            runs.append(run)
        others = [END if gone[place] and place not in run else KEPT for place in range(len(times))]
        changed = [place in run for place in range(len(times))]
        result = recount(views(times, others, changed), END, gives_back=gives_back)
        sign = -1 if gives_back else 1
        for place in run:
            fallen[f"/{place % 3}"] += sign * flags[place]
        for (path, _), count in result.visits.items():
            fallen[path] += count
        for _, position, _, change in result.moved:
            moved[position] += change
        kept = [all(place not in run for run in runs) for place in range(len(times))]
        left = begun(times, kept)
        counted = Counter(f"/{place % 3}" for place, flag in enumerate(flags) if flag)
        assert {path: counted[path] - fallen[path] for path in ("/0", "/1", "/2")} == {
            path: left[path] for path in ("/0", "/1", "/2")
        }
        begins = visits_of([at for place, at in enumerate(times) if kept[place]])
        places_left = [place for place in range(len(times)) if kept[place]]
        assert {place for place, change in moved.items() if change} == {
            place
            for place, begin in zip(places_left, begins, strict=True)
            if begin and not flags[place]
        }


@pytest.mark.parametrize("gives_back", [False, True])
def test_a_view_that_came_after_a_run_had_looked_is_left_as_it_was_counted(
    gives_back: bool,
) -> None:
    times = [0, 10 * MINUTE, 20 * MINUTE]
    looked_at = 2
    seen = views(times, [KEPT] * 3, [True, True, False])

    result = recount(seen, looked_at, gives_back=gives_back)

    assert not +result.visits
    assert result.moved == []


def test_who_began_a_visit_is_asked_again_only_next_to_what_is_taken_back() -> None:
    # Folded as going on, by a hit that is not among the raw ones: that is not for us to change.
    lone = SeenView(1, 7, 5, 0, "/a", 90 * MINUTE, int(Visit.CONTINUES), KEPT, 0)
    far = SeenView(1, 7, 1, 0, "/b", 0, int(Visit.STARTS), KEPT, 1)

    result = recount([far, lone], END, gives_back=False)

    assert not result.visits[("/a", 1)]
    assert result.moved == []


def test_a_visitor_with_many_views_is_recounted_in_one_go() -> None:
    times = [place * 1000 for place in range(100_000)]
    gone = [place < 50_000 for place in range(100_000)]

    result = recount(views(times, [KEPT] * len(times), gone), END * END, gives_back=False)

    assert result.moved == [(1, 50_000, 0, 1)]


def test_a_pause_of_just_half_an_hour_ends_a_visit() -> None:
    times = [0, VISIT_WINDOW_MS // 2, VISIT_WINDOW_MS]
    result = recount(views(times, [KEPT] * 3, [False, True, False]), END, gives_back=False)
    assert result.moved == [(1, 2, 0, 1)], "the last view is half an hour after the first"

    one_less = [0, VISIT_WINDOW_MS // 2, VISIT_WINDOW_MS - 1]
    result = recount(views(one_less, [KEPT] * 3, [False, True, False]), END, gives_back=False)
    assert result.moved == [], "it goes on with the visit of the first"


def test_what_is_taken_back_half_an_hour_away_is_not_next_to_a_view() -> None:
    lone = SeenView(1, 7, 5, 0, "/a", 2 * VISIT_WINDOW_MS, int(Visit.CONTINUES), KEPT, 0)
    for pause, moved in ((VISIT_WINDOW_MS, []), (VISIT_WINDOW_MS - 1, [(1, 5, 0, 1)])):
        taken = SeenView(1, 7, 1, 0, "/b", lone.at - pause, int(Visit.STARTS), KEPT, 1)
        assert recount([taken, lone], END, gives_back=False).moved == moved, pause
