"""The known formats, by name, and how the format of a log is recognised."""

from collections.abc import Callable, Sequence

from services.access_log.formats.format import FormatError, LogFormat
from services.access_log.formats.json_lines import CaddyFormat, NginxJsonFormat, TraefikFormat
from services.access_log.formats.layout import LAYOUTS, TextFormat
from services.access_log.formats.w3c import W3cFormat

_OBJECTS: tuple[type[CaddyFormat | TraefikFormat | NginxJsonFormat], ...] = (
    CaddyFormat,
    TraefikFormat,
    NginxJsonFormat,
)
_KINDS: dict[str, Callable[[str | None], LogFormat]] = {
    **{name: lambda reader, name=name: TextFormat(name, reader) for name in LAYOUTS},  # type: ignore[misc]
    W3cFormat.name: W3cFormat,
    **{kind.name: kind for kind in _OBJECTS},
}
NAMES = tuple(_KINDS)


def named(name: str, reader: str | None = None) -> LogFormat:
    """Return the format with a name, or of a layout in the notation of Apache or nginx.

    `reader` names the field with the reader's address. Raises FormatError.
    """
    kind = _KINDS.get(name)
    return TextFormat(name, reader) if kind is None else kind(reader)


def recognise(lines: Sequence[bytes]) -> str | None:
    """Return the name of the format that most of these lines have, if at least half have it."""
    best, most = None, 0
    requests = 0
    for name in NAMES:
        candidate = named(name)
        read = notes = 0
        for line in lines:
            if candidate.is_note(line):
                notes += 1
            elif candidate.strict(line):
                read += 1
        if read > most:
            best, most, requests = name, read, len(lines) - notes
    return best if best is not None and 2 * most >= requests else None


def ready(name: str, reader: str | None, lines: Sequence[bytes]) -> LogFormat:
    """Return a format that has read the first lines, so it knows its fields. Raises FormatError."""
    log_format = named(name, reader)
    for line in lines:
        if not log_format.is_note(line):
            log_format.read(line)
    return log_format


__all__ = ["NAMES", "FormatError", "LogFormat", "named", "ready", "recognise"]
