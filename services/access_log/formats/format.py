"""What a format of access logs is to those who read one."""

from abc import ABC, abstractmethod

from services.access_log.line import LogLine

LAST = "last"
"""The last field of a line, as the name of the field that holds the reader's address."""
CONNECTION = "connection"
"""Whoever connected to the server, as the name of that field: no proxy is believed."""


Glance = tuple[int, bytes | str, bytes | str | None, bool]
"""Of a line that can be read: when, from which address, of which host, and whether the format has
a User-Agent; as LogLine has them, but for texts that are not decoded."""


class FormatError(Exception):
    """A format that is not one, or a field that it does not have; the message says what is."""


class LogFormat(ABC):
    """A format, and the state of reading one file of it.

    name     as `--format` takes it
    address  the field with the reader's address, for people
    """

    name: str
    address: str

    @abstractmethod
    def read(self, raw: bytes) -> LogLine | None:
        """Return the request of a line, without its line feed; None when it cannot be read."""

    def glance(self, raw: bytes) -> Glance | None:
        """Return what a look over a whole file is for; None when the line cannot be read."""
        line = self.read(raw)
        if line is None:
            return None
        return line.at, line.address, line.host, line.agent_logged

    def is_note(self, raw: bytes) -> bool:
        """Tell whether a line is none of a request but the server's own note, and take note."""
        return False

    def strict(self, raw: bytes) -> bool:
        """Tell whether a line is of exactly this format: what recognises it."""
        return self.read(raw) is not None


def field_name(text: str) -> str:
    """Return one name for a field, however it is written: X-Real-IP, $http_x_real_ip, %{…}i."""
    name = text.strip().lstrip("$%").removeprefix("{").partition("}")[0]
    name = name.lower().replace("-", "_")
    if name.startswith("cs("):
        name = name[3:].rstrip(")")
    return name.removeprefix("http_")
