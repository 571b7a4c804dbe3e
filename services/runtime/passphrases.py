"""Generated passwords."""

import secrets

_GROUPS, _GROUP = 4, 5
# Without letters that look like others, for people who copy them from a terminal.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


def generate_password() -> str:
    """Return a random password of 99 bits that can be read out and typed."""
    groups = ["".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS)]
    return "-".join(groups)
