"""Errors of the log; no message ever contains what was sent."""


class LogError(Exception):
    """The log cannot be read or written now; the message comes from the server or connection."""


class LogDisconnectedError(LogError):
    """The connection was dead, or led to a server that accepts no writes: a new one may work."""


class LogNotHeldError(LogError):
    """The server has it, but too few of its replicas do: it may still be lost, or may stay."""


class LogRefusedError(Exception):
    """This server must not hold the log; the message says why and what to do."""


HOLDER = "held-"
"""Prefix of the names of owners that are commands, not aggregators."""
HOLD_SECONDS = 30
"""How long a killed command still holds its partitions."""


class LogInUseError(Exception):
    """A partition has an owner, so nothing else may change committed positions."""

    def __init__(self, owner: str) -> None:
        super().__init__(
            f"another command holds the log ({owner}); let it end. One that was killed is forgotten"
            f" after {HOLD_SECONDS} seconds"
            if owner.startswith(HOLDER)
            else f"an aggregator is running ({owner}); stop every aggregator first. One that was"
            " killed is forgotten after LUOT_LEASE_SECONDS"
        )


class HoldLostError(LogInUseError):
    """A command held all partitions, and could not renew that in time: another may own some."""

    def __init__(self) -> None:
        Exception.__init__(
            self,
            "the hold on the log, which keeps aggregators from counting meanwhile, could not be"
            f" renewed for {HOLD_SECONDS} seconds; stop every aggregator and run the command again",
        )
