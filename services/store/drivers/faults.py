"""Classifies errors of server and driver as temporary or permanent."""

import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from clickhouse_driver.columns.exceptions import ColumnException
from clickhouse_driver.errors import Error, ErrorCodes

from services.store.drivers.parameters import ESCAPES
from services.store.interface import LimitError, StoreError, StoreUnavailableError

# Codes without a name in clickhouse-driver, as in ClickHouse's ErrorCodes.cpp.
_CANNOT_SCHEDULE_TASK = 439
_SERVER_OVERLOADED = 745

_AUTHENTICATION_FAILED = 516
_SIGN_IN = frozenset(
    {
        ErrorCodes.UNKNOWN_USER,
        ErrorCodes.WRONG_PASSWORD,
        ErrorCodes.REQUIRED_PASSWORD,
        _AUTHENTICATION_FAILED,
    }
)

TRANSIENT = frozenset(
    {
        ErrorCodes.CANNOT_READ_FROM_SOCKET,
        ErrorCodes.CANNOT_WRITE_TO_SOCKET,
        # A full disk is reported in more ways than one.
        ErrorCodes.CANNOT_WRITE_TO_FILE_DESCRIPTOR,
        ErrorCodes.CANNOT_WRITE_TO_OSTREAM,
        ErrorCodes.NOT_ENOUGH_SPACE,
        ErrorCodes.CANNOT_OPEN_FILE,
        ErrorCodes.TIMEOUT_EXCEEDED,
        ErrorCodes.TOO_SLOW,
        ErrorCodes.CANNOT_ALLOCATE_MEMORY,
        ErrorCodes.MEMORY_LIMIT_EXCEEDED,
        ErrorCodes.DNS_ERROR,
        ErrorCodes.QUOTA_EXPIRED,
        ErrorCodes.TOO_MANY_SIMULTANEOUS_QUERIES,
        ErrorCodes.NO_FREE_CONNECTION,
        ErrorCodes.SOCKET_TIMEOUT,
        ErrorCodes.NETWORK_ERROR,
        ErrorCodes.NO_ZOOKEEPER,
        ErrorCodes.ABORTED,
        ErrorCodes.TABLE_IS_READ_ONLY,
        # An account that may only read, until an operator changes that.
        ErrorCodes.READONLY,
        ErrorCodes.TOO_MANY_PARTS,
        ErrorCodes.ALL_CONNECTION_TRIES_FAILED,
        ErrorCodes.TOO_LESS_LIVE_REPLICAS,
        ErrorCodes.UNKNOWN_STATUS_OF_INSERT,
        # Two quorum writers exclude each other.
        ErrorCodes.UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE,
        ErrorCodes.QUERY_WAS_CANCELLED,
        ErrorCodes.KEEPER_EXCEPTION,
        # A replica that has just lost or gained leadership of a table.
        ErrorCodes.LEADERSHIP_CHANGED,
        _CANNOT_SCHEDULE_TASK,
        _SERVER_OVERLOADED,
    }
)
"""Codes after which the same statement may work later."""

_WAITED_FOR_SERVERS = "distributed_ddl_task_timeout"
"""The setting that ends a statement for a whole cluster, not a limit of ours."""

_SYNTAX = re.compile(r"^(?:Syntax error[^:]*|Max query size exceeded)(?:: failed at position \d+)?")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_SECRET_LENGTH = 6
"""Values of so many characters stay out of messages: tokens, addresses and agents are longer."""

LIMITS = frozenset(
    {ErrorCodes.TIMEOUT_EXCEEDED, ErrorCodes.TOO_SLOW, ErrorCodes.MEMORY_LIMIT_EXCEEDED}
)
"""Codes for statements that exceeded a limit."""


def fault(code: int, message: str) -> StoreError:
    """Return the error for a server's error code, with the relevant part of its message."""
    text = message.partition("Stack trace:")[0].strip().rstrip(",. ")
    text = text.removeprefix("DB::Exception: ")
    if code == ErrorCodes.SYNTAX_ERROR:
        # The rest quotes the statement, with whatever values it has.
        text = "".join(_SYNTAX.findall(text)) or "Syntax error"
    text = f"{text} (code {code})"
    if code in _SIGN_IN:
        text += "; LUOT_CLICKHOUSE_URL names user and password"
    if _WAITED_FOR_SERVERS in text:
        return StoreUnavailableError(f"{text}; start those that are away, and repeat it")
    if code in LIMITS:
        return LimitError(text)
    return StoreUnavailableError(text) if code in TRANSIENT else StoreError(text)


MISFIT = (Error, ColumnException, struct.error, ValueError, TypeError, AttributeError)
"""What the driver's columns raise for a value that they cannot write."""


def misfit(error: Exception) -> StoreError:
    """Return the error for a value that its column cannot hold."""
    text = str(getattr(error, "message", None) or error)
    if isinstance(error, ValueError):
        # Python quotes what it could not convert.
        text = _QUOTED.sub("'…'", text)
    text = text.replace("Repeat query with types_check=True for detailed info. ", "")
    return StoreError(f"a value does not fit its column: {text}")


def without_values(text: str, parameters: Mapping[str, Any] | None) -> str:
    """Return a message without the statement's values, which servers quote."""
    for value in set(_texts((parameters or {}).values())):
        if len(value) >= _SECRET_LENGTH:
            for form in (value, value.translate(ESCAPES), repr(value)[1:-1]):
                text = text.replace(form, "…")
    return text


def _texts(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, bytes):
            yield repr(value)[2:-1]
        elif isinstance(value, list | tuple | set | frozenset):
            yield from _texts(value)
