"""Path patterns, as in `data-exclude` of the script: `*` is within one segment, `**` is any."""

import re
from collections.abc import Sequence
from functools import lru_cache

MAX_LENGTH = 512
_ANY = re.compile(r"\*{2,}")
_SEGMENTS = "(?:[^/]*+/)*?"


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


# An editor writes the pattern and any reader the path, so no combinations of places are tried: what
# is found in `(?>…)` stays where it is. The first place of a text after `*` leaves the most to what
# follows: only skipped text is between it and a later one, and no slash either, since a text with a
# slash has no other place in the segment where it begins. So from text to text, the first place of
# a whole part after `**` is never behind a later place of it, and ends first. Only what follows the
# last `**` has to fit at the end as well: it is sought segment by segment.
def _written(pattern: str) -> str:
    (begin, *texts), *others = (part.split("*") for part in _ANY.split(pattern))
    if not others:
        return re.escape(begin) + _ending(texts) + "/?"
    *middle, last = others
    written = re.escape(begin) + _found(texts)
    for part in middle:
        written += f"(?>{_SEGMENTS}{_found(part)})" if part[1:] else f"(?>.*?{re.escape(part[0])})"
    return written + (_SEGMENTS + _ending(last) if last[1:] else f".*{re.escape(last[0])}") + "/?"


def _found(texts: Sequence[str]) -> str:
    """Match texts one after the other, each at its first place in a segment."""
    return "".join(f"(?>[^/]*?{re.escape(text)})" for text in texts)


def _ending(texts: Sequence[str]) -> str:
    """Match texts likewise, but the last one at any place."""
    return f"{_found(texts[:-1])}[^/]*{re.escape(texts[-1])}" if texts else ""
