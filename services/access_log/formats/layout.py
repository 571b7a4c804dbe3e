"""Text formats, described as in the servers' settings: Apache's LogFormat, nginx's log_format.

https://httpd.apache.org/docs/2.4/mod/mod_log_config.html#formats
https://nginx.org/en/docs/http/ngx_http_log_module.html#log_format
"""

import re

from services.access_log.formats.addresses import reader_of
from services.access_log.formats.format import (
    CONNECTION,
    LAST,
    FormatError,
    Glance,
    LogFormat,
    field_name,
)
from services.access_log.line import LogLine, instant_ms, local_ms, request_of, text_of

LAYOUTS = {
    "common": '%h %l %u %t "%r" %>s %b',
    "combined": '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"',
    "vhost-common": '%v %h %l %u %t "%r" %>s %b',
    "vhost-combined": '%v %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"',
    "nginx-main": '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent'
    ' "$http_referer" "$http_user_agent" "$http_x_forwarded_for"',
    "combinedio": '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %I %O',
    "traefik-common": '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" $requests "$router"'
    ' "$server" $duration',
}
"""The common layouts, by the name that `--format` takes."""
_OTHERS = {
    "common": ("combined",),
    "combined": ("common",),
    "vhost-common": ("vhost-combined",),
    "vhost-combined": ("vhost-common",),
    "nginx-main": ("combined",),
    "combinedio": ("combined",),
    "traefik-common": ("common",),
}
"""Other layouts that lines of a file may have, if a server's format was changed half-way."""
_VARIABLE = re.compile(r"%[<>!,\d]*(?:\{([^}]+)\})?([A-Za-z])|\$\{?(\w+)\}?")
_APACHE = {
    "h": "address",
    "a": "address",
    "l": "ident",
    "u": "user",
    "t": "time",
    "r": "request",
    "s": "status",
    "v": "host",
    "V": "host",
    "m": "method",
    "U": "path",
    "q": "query",
    **dict.fromkeys("bBIO", "size"),
}
_NGINX = {
    "remote_addr": "address",
    "remote_user": "user",
    "time_local": "time",
    "request": "request",
    "time_iso8601": "time",
    "msec": "time",
    "status": "status",
    "host": "host",
    "http_host": "host",
    "server_name": "host",
    "request_method": "method",
    "request_uri": "path",
    "uri": "path",
    "is_args": "mark",
    "args": "query",
    "query_string": "query",
    "body_bytes_sent": "size",
    "bytes_sent": "size",
    "requests": "size",
}
_HEADERS = {
    "referer": "referrer",
    "user_agent": "agent",
    "x_forwarded_for": "forwarded",
    "host": "host",
}
_HOP = r"(?:unknown|\[[0-9A-Fa-f.:]++\](?::\d++)?+|[0-9A-Fa-f.:]++(?:%\w++)?+)"
# Clients and proxies may send anything as X-Forwarded-For; formats are recognised by usual values.
_ADDRESSES = rf"(?:-|{_HOP}(?:, *+{_HOP})*+)"
_QUOTED = r'[^"\\]*+(?:\\.[^"\\]*+)*+'
_PATTERNS = {
    "status": r"\d{3}",
    "size": r"\d++|-",
    "mark": r"\??+",
}
_WORDS = {"address": "(?!- )", "ident": "", "host": ""}
"""Roles without spaces, and what precedes their pattern."""
# A user name may contain spaces: it ends before the time. It does not begin with "- " and another
# column, as in a log with the host in front.
_USER = r"(?>-(?= \[)|(?!- [^\[]).*?(?= \[))"
_ROLES = (
    *("address", "reader", "time", "request", "status", "referrer", "agent", "host"),
    *("method", "path", "query"),
)
_GLANCED = ("address", "reader", "time", "host")


class _Shape:
    """A layout as one regular expression, and where its fields are.

    `strict` matches only lines that are unlikely to be of another layout.
    """

    def __init__(self, layout: str, reader: str | None) -> None:
        parts: list[str] = []
        usual: dict[int, str] = {}
        self.roles: list[str] = []
        self.names: list[str] = []
        at = 0
        for match in _VARIABLE.finditer(layout):
            before, after = layout[: match.start()], layout[match.end() :]
            role, name = _role(match)
            parts.append(re.escape(layout[at : match.start()]))
            if role == "forwarded" and before.endswith('"') and after.startswith('"'):
                usual[len(parts)] = f"({_ADDRESSES})"
            if match[0] == "%t":
                parts.append(r"\[([^\]]{1,40}+)\]")
            else:
                parts.append(f"({_pattern(role, before, after)})")
            self.roles.append(role if role not in self.roles else "")
            self.names.append(name)
            at = match.end()
        parts.append(re.escape(layout[at:]))
        has = set(self.roles)
        if not {"time", "status"} <= has or not {"request", "path"} & has:
            raise FormatError(
                f"--format {layout!r} is no format that is known, and as a layout it lacks the"
                f" time, the status or the request; known are {', '.join(LAYOUTS)}, iis, caddy,"
                " traefik and nginx-json"
            )
        self.match = re.compile("".join(parts).encode() + b"()", re.DOTALL).fullmatch
        parts = [usual.get(place, part) for place, part in enumerate(parts)]
        self.strict = re.compile("".join(parts).encode(), re.DOTALL).fullmatch
        self._choose(reader)
        nothing = len(self.roles) + 1
        self.groups = [
            self.roles.index(role) + 1 if role in self.roles else nothing for role in _ROLES
        ]
        self.glanced = [self.groups[_ROLES.index(role)] for role in _GLANCED]
        self.has_agent = "agent" in has
        self.has_host = "host" in has

    def _choose(self, reader: str | None) -> None:
        """Mark the field that holds the reader's address."""
        if reader == CONNECTION:
            return
        if reader is None:
            place = self.roles.index("forwarded") if "forwarded" in self.roles else None
        elif reader == LAST:
            place = len(self.names) - 1
        elif field_name(reader) in self.names:
            place = self.names.index(field_name(reader))
        else:
            raise FormatError(
                f"--address {reader!r} is no field of this format; it has"
                f" {', '.join(dict.fromkeys(self.names))}"
            )
        if place is not None and self.roles[place] != "address":
            self.roles[place] = "reader"


def _role(match: re.Match[str]) -> tuple[str, str]:
    braced, letter, variable = match.groups()
    if variable is not None:
        name = field_name(variable)
        return _NGINX.get(variable) or _HEADERS.get(name, ""), name
    if braced is not None and letter == "i":
        name = field_name(braced)
        return _HEADERS.get(name, ""), name
    role = "" if braced is not None and letter not in "at" else _APACHE.get(letter, "")
    return role, role or letter


def _pattern(role: str, before: str, after: str) -> str:
    if role == "time":
        return r"[^\]]{1,40}+" if after.startswith("]") else r"[^\s\[\]]{1,40}+"
    if before.endswith('"') and after.startswith('"'):
        return _QUOTED
    if role == "user" and after.startswith((" [", " %t")):
        return _USER
    if role in _PATTERNS:
        return _PATTERNS[role]
    following = _following(after)
    rest = after[sum(len(match[0]) for match in following) :]
    end = re.escape(rest[0]) if rest else r"\s"
    if role in _WORDS:
        return _WORDS[role] + _word(end, [_role(match)[0] for match in following])
    if role == "path" and "query" in (_role(match)[0] for match in following):
        # nginx writes a dash for no query, directly after the path.
        dash = rf"|-(?!{end}|\Z)" if any(match[3] for match in following) else "|-"
        return rf"(?:[^?{end}-]++{dash})*+"
    return rf"[^{end}]*+"


def _following(text: str) -> list[re.Match[str]]:
    """Return the variables at the beginning of a text, with nothing between them."""
    matches: list[re.Match[str]] = []
    at = 0
    while match := _VARIABLE.match(text, at):
        matches.append(match)
        at = match.end()
    return matches


def _word(end: str, following: list[str]) -> str:
    """Return the pattern of a field without spaces, up to what follows it."""
    if following:
        return r"[^ /]++" if following[0] == "path" else r"[^ ]++"
    # An IPv6 address before a port has colons of its own.
    return r"(?:[^ :]++|:(?=[0-9A-Fa-f.]*+:))++" if end == ":" else rf"[^ {end}]++"


class TextFormat(LogFormat):
    """A format with one line for each request, described by a layout.

    Lines of some other layouts are read as well, in case the server's format was changed half-way.
    """

    def __init__(self, name: str, reader: str | None = None) -> None:
        """`name` is that of a layout, or a layout itself. Raises FormatError if it is neither.

        `reader` names the field with the reader's address; FormatError if the layout lacks it.
        """
        self.name = name
        self._named = reader is not None
        first = _Shape(LAYOUTS.get(name, name), reader)
        others = [LAYOUTS[other] for other in _OTHERS.get(name, ())]
        self._shapes = [first, *(_Shape(other, None) for other in others)]
        named = first.names[first.roles.index("reader")] if "reader" in first.roles else ""
        self.address = named or "address of the connection"

    def strict(self, raw: bytes) -> bool:
        """See LogFormat."""
        first = self._shapes[0]
        return first.strict(raw) is not None and self._read(raw, first) is not None

    def read(self, raw: bytes) -> LogLine | None:
        """See LogFormat."""
        for shape in self._shapes:
            line = self._read(raw, shape)
            if line is not None:
                return line
        return None

    def glance(self, raw: bytes) -> Glance | None:
        """See LogFormat."""
        for shape in self._shapes:
            match = shape.match(raw)
            if match is None:
                continue
            address, reader, time, host = match.group(*shape.glanced)
            at = local_ms(time)
            at = _other_ms(time) if at is None else at
            if at is not None:
                who = self._who(reader, address) if reader else address
                return at, who, host if shape.has_host else None, shape.has_agent
        return None

    def _read(self, raw: bytes, shape: _Shape) -> LogLine | None:
        match = shape.match(raw)
        if match is None:
            return None
        fields = match.group(*shape.groups)
        address, reader, time, request, status, referrer, agent, host = fields[:8]
        at = local_ms(time)
        at = _other_ms(time) if at is None else at
        if at is None:
            return None
        if request:
            method, target = request_of(text_of(request))
        else:
            method, target = _parts(*map(text_of, fields[8:]))
        return LogLine(
            method,
            target,
            int(status),
            text_of(referrer),
            text_of(agent),
            self._who(reader, address) if reader else text_of(address),
            at,
            text_of(host) if shape.has_host else None,
            shape.has_agent,
        )

    def _who(self, reader: bytes, address: bytes) -> str:
        return reader_of(text_of(reader), text_of(address), self._named)


def _other_ms(time: bytes) -> int | None:
    return instant_ms(time.decode(errors="replace"))


def _parts(method: str, path: str, query: str) -> tuple[str, str]:
    query = query.removeprefix("?")
    return method or "GET", f"{path}?{query}" if query and "?" not in path else path
