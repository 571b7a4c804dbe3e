"""Text without diacritics, as people type it."""

import unicodedata

_STROKES = str.maketrans("đĐ", "dD")


def plain(text: str) -> str:
    """Return a text without diacritics, in the same case: `Đồng Tháp` becomes `Dong Thap`."""
    bare = "".join(
        character
        for character in unicodedata.normalize("NFKD", text)
        if not unicodedata.combining(character)
    )
    return bare.translate(_STROKES)
