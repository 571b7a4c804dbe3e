"""Path patterns, as in `data-exclude` of the script: `*` is within one segment, `**` is any."""

import re
from collections.abc import Sequence
from functools import lru_cache

MAX_LENGTH = 512
_STARS = re.compile(r"(\*+)")


def checked(pattern: str) -> str:
    """Return a pattern without surrounding whitespace. Raises ValueError."""
    pattern = pattern.strip()
    if not pattern.startswith("/") or len(pattern) > MAX_LENGTH or not pattern.isprintable():
        raise ValueError(
            f"excluded_pages: {pattern!r} is not a path; expected for example '/quan-tri/**', where"
            " * is any part of a path and ** any number of them"
        )
    return pattern


def any_matches(patterns: Sequence[str], path: str, fold_case: bool = False) -> bool:
    """Tell whether any pattern matches a path; `patterns` is a tuple."""
    return _compiled(tuple(patterns), fold_case).fullmatch(path) is not None


@lru_cache(maxsize=1024)
def _compiled(patterns: tuple[str, ...], fold_case: bool) -> re.Pattern[str]:
    return re.compile("|".join(map(_written, patterns)), re.IGNORECASE if fold_case else 0)


def _written(pattern: str) -> str:
    pieces = _STARS.split(pattern)
    pieces[::2] = map(re.escape, pieces[::2])
    pieces[1::2] = ["[^/]*" if stars == "*" else ".*" for stars in pieces[1::2]]
    return "".join(pieces) + "/?"
