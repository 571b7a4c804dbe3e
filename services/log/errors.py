"""Errors of the log; no message ever contains what was sent."""


class LogError(Exception):
    """The log cannot be read or written now; the message is the server's, or the connection's."""


class LogDisconnectedError(LogError):
    """The connection was dead, or led to a server that takes no writes: a new one may work."""


class LogRefusedError(Exception):
    """This server must not hold the log; the message says why and what to do."""


class LogInUseError(Exception):
    """An aggregator owns a partition, so nothing else may change committed positions."""
