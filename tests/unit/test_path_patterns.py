"""Patterns of pages that are never counted: what they match, and with how much effort."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.model import path_patterns
from services.model.paths import MAX_BYTES
from services.model.site import Site

_PATTERN = st.lists(st.sampled_from(["a", "b", "/", "*", "**"]), max_size=10).map(
    lambda pieces: "/" + "".join(pieces)
)
_PATH = st.text("ab/", max_size=12).map(lambda text: f"/{text}")


def _as_specified(patterns: Sequence[str], path: str) -> bool:
    """Tell whether a path matches, by what each star stands for, whatever the effort."""
    return any(
        re.fullmatch(re.sub(r"\*+", lambda stars: ".*" if stars[0][1:] else "[^/]*", pattern), page)
        for pattern in patterns
        for page in (path, path.removesuffix("/"))
    )


@given(st.lists(_PATTERN, min_size=1, max_size=3), _PATH)
@example(["/**a/a*b"], "/a/a/ab")
@example(["/*a/b*c"], "/a/ba/bc")
@example(["/**a*b**a*b"], "/a/abaab")
@example(["/**a*b"], "/ab/ab/")
@example(["/**a*"], "/a/a/")
@example(["/***"], "/")
@example(["/a/"], "/a//")
def test_a_star_is_any_part_of_a_segment_and_two_are_anything(
    patterns: list[str], path: str
) -> None:
    expected = _as_specified(patterns, path)
    assert path_patterns.any_matches(tuple(patterns), path) is expected
    assert path_patterns.any_matches(tuple(patterns), path.upper(), fold_case=True) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        "/**a**a**a**a**a**a**b",
        "/" + "*a" * 200 + "b",
        "/" + "**a*a" * 100 + "b",
        "/" + "**a" * 100 + "b**",
        "/**" + "*a" * 200 + "b**c",
        "/**" + "*/" * 200 + "b**",
    ],
)
@pytest.mark.parametrize("piece", ["a", "a/"])
def test_no_pattern_of_an_editor_keeps_ingest_from_other_hits(pattern: str, piece: str) -> None:
    """One that tries all combinations of places would not end before the test's time is up."""
    site = Site(slug="a", excluded_pages=(pattern,))
    assert not site.excludes("/" + piece * ((MAX_BYTES - 1) // len(piece)))
