"""Generated passwords."""

import secrets

_GROUPS, _GROUP = 4, 5
_CODE_GROUPS, _CODE_GROUP = 4, 4
# Without characters that look alike, for people who copy them from a terminal.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


def generate_password() -> str:
    """Return a random password of 99 bits that can be read aloud and typed."""
    return _groups(_GROUPS, _GROUP)


def generate_code() -> str:
    """Return a random code of 79 bits, to keep on paper and use once."""
    return _groups(_CODE_GROUPS, _CODE_GROUP)


def _groups(number: int, length: int) -> str:
    groups = ["".join(secrets.choice(_LETTERS) for _ in range(length)) for _ in range(number)]
    return "-".join(groups)
