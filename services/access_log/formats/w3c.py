"""The W3C extended format, used by IIS: a line names the fields, and times are UTC.

https://www.w3.org/TR/WD-logfile.html
https://learn.microsoft.com/en-us/windows/win32/http/w3c-logging
"""

from datetime import UTC, datetime

from services.access_log.formats.addresses import reader_of
from services.access_log.formats.format import CONNECTION, LAST, FormatError, LogFormat, field_name
from services.access_log.line import NO_REQUEST, LogLine

_DIRECTIVE = b"#"
_BOM = b"\xef\xbb\xbf"
_FIELDS = b"#fields:"
_DATE = b"#date:"
_NEEDED = ("time", "cs_method", "cs_uri_stem", "sc_status", "c_ip")
_FORWARDED = ("x_forwarded_for", "x_real_ip")
_KEPT_MINUTES = 4096
_minutes: dict[bytes, int | None] = {}


class W3cFormat(LogFormat):
    """Reads the fields named by the last `#Fields:`, which a server repeats when it restarts."""

    name = "iis"
    address = "c-ip"

    def __init__(self, reader: str | None = None) -> None:
        """`reader` names the field with the reader's address: 'X-Forwarded-For'."""
        self._reader = reader
        self._places: dict[str, int] = {}
        self._width = 0
        self._date = b""
        self._who = -1

    def is_note(self, raw: bytes) -> bool:
        """See LogFormat."""
        raw = raw.removeprefix(_BOM)
        if not raw.startswith(_DIRECTIVE):
            return False
        lower = raw.lower()
        if lower.startswith(_FIELDS):
            self._fields(raw[len(_FIELDS) :].decode(errors="replace").split())
        elif lower.startswith(_DATE):
            self._date = raw[len(_DATE) :].split()[0] if raw[len(_DATE) :].split() else b""
        return True

    def _fields(self, names: list[str]) -> None:
        folded = [field_name(name) for name in names]
        self._places = {name: place for place, name in enumerate(folded)}
        self._width = len(names)
        self._who = -1
        if self._reader is None:
            columns = [self._places[name] for name in _FORWARDED if name in self._places]
            self._who = columns[0] if columns else -1
        elif self._reader == LAST:
            self._who = self._width - 1
        elif self._reader != CONNECTION:
            if field_name(self._reader) not in self._places:
                raise FormatError(
                    f"--address {self._reader!r} is no field of this log; it has {' '.join(names)}"
                )
            self._who = self._places[field_name(self._reader)]
        self.address = names[self._who] if self._who >= 0 else "c-ip"

    def read(self, raw: bytes) -> LogLine | None:
        """See LogFormat."""
        places = self._places
        fields = raw.split(b" ")
        if len(fields) != self._width or not places:
            return None
        if any(name not in places for name in _NEEDED):
            return None
        date = fields[places["date"]] if "date" in places else self._date
        at = self._ms(date, fields[places["time"]])
        status = fields[places["sc_status"]]
        if at is None or not (len(status) == 3 and status.isdigit()):
            return None
        stem, query = _text(fields[places["cs_uri_stem"]]), ""
        if "cs_uri_query" in places:
            query = _text(fields[places["cs_uri_query"]])
        connection = _text(fields[places["c_ip"]])
        who = _spaced(fields[self._who]) if self._who >= 0 else ""
        host = places.get("host", places.get("cs_host"))
        agent = places.get("user_agent")
        referrer = places.get("referer")
        return LogLine(
            _text(fields[places["cs_method"]]) or NO_REQUEST,
            f"{stem}?{query}" if query else stem,
            int(status),
            "" if referrer is None else _text(fields[referrer]),
            "" if agent is None else _spaced(fields[agent]),
            reader_of(who, connection, self._reader is not None),
            at,
            None if host is None else _text(fields[host]),
            agent is not None,
        )

    @staticmethod
    def _ms(date: bytes, time: bytes) -> int | None:
        minute = date + time[:5]
        at = _minutes.get(minute, -1)
        if at == -1:
            if len(_minutes) >= _KEPT_MINUTES:
                _minutes.clear()
            at = _minutes[minute] = _minute_ms(date, time[:5])
        second = time[6:]
        if at is None or time[5:6] != b":" or len(second) < 2 or not second[:2].isdigit():
            return None
        return at + int(second[:2]) * 1000


def _minute_ms(date: bytes, minute: bytes) -> int | None:
    if len(date) != len("2025-02-28") or len(minute) != len("16:59"):
        return None
    try:
        at = datetime.fromisoformat(f"{date.decode()} {minute.decode()}").replace(tzinfo=UTC)
        return int(at.timestamp()) * 1000
    except (ValueError, OverflowError):
        return None


def _text(raw: bytes) -> str:
    return "" if raw == b"-" else raw.decode("utf-8", "replace")


def _spaced(raw: bytes) -> str:
    """Return a field in which IIS wrote a plus for each space."""
    return _text(raw).replace("+", " ")
