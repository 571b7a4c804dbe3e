"""Texts without diacritics, as people type them."""

import unicodedata

_STROKES = str.maketrans("đĐ", "dD")


def plain(text: str) -> str:
    """Return a text without diacritics, its case as it is: `Đồng Tháp` is `Dong Thap`."""
    bare = "".join(
        character
        for character in unicodedata.normalize("NFKD", text)
        if not unicodedata.combining(character)
    )
    return bare.translate(_STROKES)
