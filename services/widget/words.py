"""The words of a block that the build of the scripts fills into `sources/words.js`."""

import json
from collections.abc import Iterable

from services.model.display import HEADINGS, LABELS, MOST_READ, Gap, Lang
from services.model.lines import DEFAULT_LINES, PEOPLE, Line
from services.model.wordings import WORDINGS, Wording
from services.widget.icons import ICONS


def constants() -> dict[str, str]:
    """Return the value of each name that `words.js` leaves undefined."""
    words = {
        f"WORDS_{lang.upper()}": _joined([*LABELS[lang].values(), HEADINGS[lang], MOST_READ[lang]])
        for lang in Lang
    }
    wordings = {
        wording: [
            _joined(words.lines),
            {line.value: text for line, text in words.labels.items()},
            *([Gap.ONLINE] if words.gap else []),
        ]
        for wording, words in WORDINGS.items()
        if wording is not Wording.LUOT
    }
    words |= {
        "ICONS_JSON": json.dumps([ICONS[line] for line in Line], separators=(",", ":")),
        "WORDINGS_JSON": json.dumps(wordings, ensure_ascii=False, separators=(",", ":")),
    }
    return {
        "LINE_NAMES": _joined(Line),
        "DEFAULT_LINE_NAMES": _joined(DEFAULT_LINES),
        "PEOPLE_NAMES": _joined(PEOPLE),
        "ABOVE_ZERO_NAMES": _joined(line for line in Line if line.above_zero),
        **words,
    }


def _joined(words: Iterable[str]) -> str:
    """Join words with commas; raises ValueError for one that contains a comma."""
    listed = list(words)
    for word in listed:
        if "," in word:
            raise ValueError(f"{word!r} contains ','; expected a word without")
    return ",".join(listed)
