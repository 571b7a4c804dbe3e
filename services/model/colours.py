"""The three colours that a portal may set for a badge, a frame or an element."""

import re
from typing import NamedTuple

_HEX = re.compile("#?([0-9a-f]{3}|[0-9a-f]{6})", re.IGNORECASE)


class Colours(NamedTuple):
    """Colours as `#aabbcc`; '' for those of the preset.

    color       of the text; lines and frame are a shade of it
    background  of the block, and of a heading without its own background
    accent      of numbers, digits and icons
    """

    color: str = ""
    background: str = ""
    accent: str = ""


def hexadecimal(text: str) -> str:
    """Return a colour as `#aabbcc`; ValueError if it is not one."""
    match = _HEX.fullmatch(text)
    if match is None:
        raise ValueError("expected a colour of 3 or 6 hexadecimal digits, such as b3140c")
    digits = match[1].lower()
    return "#" + (digits if len(digits) == 6 else "".join(digit * 2 for digit in digits))
