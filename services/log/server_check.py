"""Findings about the server of a log."""

import msgspec


class ServerCheck(msgspec.Struct, frozen=True):
    """One check of whether the log is safe on its server.

    ok      None when it could not be checked
    value   what was observed, in words
    advice  what to do about it
    """

    name: str
    ok: bool | None
    value: str
    advice: str = ""
