r"""The special characters in the text of filters: `event:page==/blog/*;visit:country!=FR|DE`.

`;` means and, `|` means or, `*` matches any text. A backslash escapes a following `;`, `|`, `*` or
backslash; before anything else it stands for itself.
"""

import re

_TOKEN = re.compile(r"\\([\\;|*])|([;|*])")
_SPECIAL = re.compile(r"[\\;|*]")


def split(text: str, at: str) -> list[str]:
    """Split at a character that is not escaped; escapes are left as they are."""
    parts, begin = [], 0
    for token in _TOKEN.finditer(text):
        if token[2] == at:
            parts.append(text[begin : token.start()])
            begin = token.end()
    return [*parts, text[begin:]]


def unescaped(text: str) -> str:
    """Return a text without its escapes."""
    return re.sub(r"\\([\\;|*])", r"\1", text)


def escaped(text: str, special: str = "") -> str:
    """Escape a text; the characters in `special` keep their meaning."""
    return _SPECIAL.sub(lambda one: one[0] if one[0] in special else f"\\{one[0]}", text)
