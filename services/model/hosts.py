"""Host names in canonical form: one host has one name, however it was written."""

import re

import idna

from services.model.paths import clean

MAX_LENGTH = 253
_PORT = re.compile(r":[0-9]{1,5}$")


def fold(host: str) -> str:
    """Return a host name in lower case and as used in DNS, without port or final dot.

    An invalid name is returned unchanged except for its case: callers must check it.
    """
    bare = _PORT.sub("", clean(host).strip()).lower().rstrip(".")
    if bare.isascii() or len(bare) > MAX_LENGTH:
        return bare
    wildcard = "*." if bare.startswith("*.") else ""
    try:
        return wildcard + idna.encode(bare.removeprefix("*."), uts46=True).decode().rstrip(".")
    except idna.IDNAError:
        return bare
