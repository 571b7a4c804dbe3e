"""What people read about a log where that depends on its driver."""

import msgspec


class LogTexts(msgspec.Struct, frozen=True, kw_only=True):
    """Texts of one driver, in English; `services/cli/languages` translates them.

    unreachable        what to do when the server does not answer
    crowded            what to do when sites are refused because they take more than their share
    dead_entries       where the entries are that could not be decoded, and what to do with them
    nothing_to_create  that a log needs nothing to be created, or has all of it
    """

    unreachable: str
    dead_entries: str
    nothing_to_create: str
    crowded: str = (
        "if these are real readers, raise LUOT_SITE_BYTES if it is set, or LUOT_SPOOL_BYTES if the"
        " spool is nearly full; if it is a flood, take back what was counted (luot correct)"
    )
