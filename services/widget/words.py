"""The words of a block as the build of the scripts fills them in: `sources/words.js`."""

from collections.abc import Iterable

from services.model.display import HEADINGS, LABELS, MOST_READ, Lang
from services.model.lines import DEFAULT_LINES, Line


def constants() -> dict[str, str]:
    """Return the value of each name that `words.js` leaves open."""
    words = {
        f"WORDS_{lang.upper()}": _joined([*LABELS[lang].values(), HEADINGS[lang], MOST_READ[lang]])
        for lang in Lang
    }
    return {"LINE_NAMES": _joined(Line), "DEFAULT_LINE_NAMES": _joined(DEFAULT_LINES), **words}


def _joined(words: Iterable[str]) -> str:
    """Join words by commas; raises ValueError for one that has a comma itself."""
    listed = list(words)
    for word in listed:
        if "," in word:
            raise ValueError(f"{word!r} contains ','; expected a word without")
    return ",".join(listed)
