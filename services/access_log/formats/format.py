"""The interface of a format of access logs."""

from abc import ABC, abstractmethod

from services.access_log.line import LogLine

LAST = "last"
"""Stands for the last field of a line, as the name of the field with the reader's address."""
CONNECTION = "connection"
"""Stands for the peer of the connection, as the name of that field: no proxy is trusted."""


Glance = tuple[int, bytes | str, bytes | str | None, bool]
"""Time, address and host of a readable line, and whether the format has a User-Agent; as in
LogLine, except that texts may not be decoded."""


class FormatError(Exception):
    """An invalid format, or a field that it does not have; the message says what is expected."""


class LogFormat(ABC):
    """A format, and the state of reading one file in it.

    name     as given to `--format`
    address  display name of the field with the reader's address
    """

    name: str
    address: str

    @abstractmethod
    def read(self, raw: bytes) -> LogLine | None:
        """Return the request of a line that has no line feed; None when it cannot be read."""

    def glance(self, raw: bytes) -> Glance | None:
        """Return only what examining a file needs; None when the line cannot be read."""
        line = self.read(raw)
        if line is None:
            return None
        return line.at, line.address, line.host, line.agent_logged

    def is_note(self, raw: bytes) -> bool:
        """Tell whether a line is not a request but a note of the server, and use what it says."""
        return False

    def strict(self, raw: bytes) -> bool:
        """Tell whether a line has exactly this format; used to recognise it."""
        return self.read(raw) is not None


def field_name(text: str) -> str:
    """Return the canonical name of a field, however written: X-Real-IP, $http_x_real_ip, %{…}i."""
    name = text.strip().lstrip("$%").removeprefix("{").partition("}")[0]
    name = name.lower().replace("-", "_")
    if name.startswith("cs("):
        name = name[3:].rstrip(")")
    return name.removeprefix("http_")
