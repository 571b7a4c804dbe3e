"""Search terms on a site, read from the URL of the results page."""

import re
from collections.abc import Sequence
from urllib.parse import unquote_plus

from services.model.paths import clean

MAX_PARAMETERS = 10
MAX_WORDS = 100
"""How many characters of search terms are kept."""
PRIVATE = "(private)"
"""Replaces what may identify a person: an e-mail address, or a number as long as that of a phone,
an account or an identity card."""

_PERSONAL = re.compile(r"\S@\S|\d(?:[ .-]?\d){8}")


def searched(query: str, parameters: Sequence[str]) -> str:
    """Return the search terms in the query string of a URL; '' if there are none.

    query       without its question mark, percent-encoded
    parameters  their names, case-insensitive; the first one that the query has counts
    """
    if not query:
        return ""
    names = {name.lower() for name in parameters}
    for pair in query.partition("#")[0].split("&"):
        name, _, value = pair.partition("=")
        if value and unquote_plus(name).lower() in names and (words := _words(value)):
            return words
    return ""


def _words(value: str) -> str:
    """Return search terms in canonical form: composed (NFC), in lower case, with single spaces."""
    # Browsers can send more than anybody types; the rest is ignored.
    text = " ".join(clean(" ".join(unquote_plus(value[: 12 * MAX_WORDS]).split())).lower().split())
    if _PERSONAL.search(text):
        return PRIVATE
    return text[:MAX_WORDS].rstrip()
