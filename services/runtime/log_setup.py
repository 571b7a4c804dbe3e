"""Logging of the services: lines on stderr, as text or JSON, all through one formatter."""

import logging
import sys
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from pythonjsonlogger.msgspec import MsgspecFormatter

from services.runtime import request_id

_TALKATIVE = ("faust", "mode", "httpx", "httpcore", "aiokafka")
"""Libraries that log the start of each of their parts, or each request."""

_FIELDS = {
    "asctime": "time",
    "levelname": "level",
    "service": "service",
    "name": "logger",
    "message": "message",
    "request_id": "request",
    "exc_info": "exception",
    "stack_info": "stack",
}
"""The fields of a line, and their names in JSON. Fields that libraries add to a record are left
out: they may be addresses."""


def to_stderr(level: str, service: str, form: str = "text") -> None:
    """Log everything of at least this level ('debug', 'info', 'warning', 'error').

    `form` is 'text' or 'json'. Python's warnings, and errors that end the process or a thread, are
    logged in the same way.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(service) if form == "json" else TextLines(service))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    sys.excepthook = _ended
    threading.excepthook = _thread_ended
    if level != "debug":
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(max(logging.WARNING, logging.root.level))


def _utc(record: logging.LogRecord) -> str:
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{seconds}.{int(record.msecs):03}Z"


class TextLines(logging.Formatter):
    """A line for people: time, level, service, logger, message, and the request if there is one.

    Further lines, of a message or a traceback, are indented: none can look like another record.
    """

    def __init__(self, service: str) -> None:
        super().__init__("%(asctime)s %(levelname)s %(service)s %(name)s: %(message)s%(request)s")
        self._service = service

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """Return the time in UTC, to the millisecond."""
        return _utc(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Return the first line of a record."""
        id_ = request_id.current()
        record.service = self._service
        record.request = f" [request {id_}]" if id_ else ""
        record.message = record.message.rstrip("\n")
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as one line, with further lines indented."""
        return "\n  ".join(super().format(record).splitlines())


class JsonLines(MsgspecFormatter):
    """A JSON object per line, with the same fields as the text; empty ones are omitted."""

    def __init__(self, service: str) -> None:
        super().__init__(
            ["asctime", "levelname", "name", "message"], static_fields={"service": service}
        )

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """Return the time in UTC, to the millisecond."""
        return _utc(record)

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of a line, and no others."""
        fields: Mapping[str, Any] = {**log_data, "request_id": request_id.current()}
        return {
            # A file name may contain bytes that are not valid text.
            name: str(fields[key]).strip("\n").encode("utf-8", "backslashreplace").decode()
            for key, name in _FIELDS.items()
            if fields.get(key)
        }


def _ended(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    logging.getLogger(__name__).critical(
        "the process ends: %s: %s", kind.__name__, error, exc_info=(kind, error, traceback)
    )


def _thread_ended(args: threading.ExceptHookArgs) -> None:
    error = args.exc_value
    if error is None or issubclass(args.exc_type, SystemExit):
        return
    name = args.thread.name if args.thread else "unknown"
    logging.getLogger(__name__).error(
        "thread %s ends: %s: %s",
        name,
        args.exc_type.__name__,
        error,
        exc_info=(args.exc_type, error, args.exc_traceback),
    )
