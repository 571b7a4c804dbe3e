"""JSON logs of Caddy and Traefik, and of nginx with the names of its variables as keys.

https://caddyserver.com/docs/caddyfile/directives/log
https://doc.traefik.io/traefik/observability/access-logs/
https://nginx.org/en/docs/http/ngx_http_log_module.html#log_format (escape=json)
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from services.access_log.formats.addresses import forwarded_for, reader_of
from services.access_log.formats.format import CONNECTION, LAST, FormatError, LogFormat, field_name
from services.access_log.line import NO_REQUEST, LogLine, instant_ms, request_of
from services.runtime.json_errors import NOT_JSON

Fields = Mapping[str, Any]
_decode: Callable[[bytes], Any] = msgspec.json.Decoder().decode
_AGENT = "user_agent"
_NO_HEADERS: Fields = {}


class JsonFormat(LogFormat):
    """Lines that are JSON objects; `_read` finds the request in one.

    Servers leave out headers that a browser did not send. So until some line has a User-Agent, the
    log is taken to have none.
    """

    def __init__(self, reader: str | None = None) -> None:
        """`reader` names the field with the reader's address."""
        if reader == LAST:
            raise FormatError("--address last: a JSON log has names, not places; give the name")
        self._reader = reader
        self._agents = False
        self.address = self._own_address if reader in (None, CONNECTION) else str(reader)

    _own_address = "address of the connection"

    def read(self, raw: bytes) -> LogLine | None:
        """See LogFormat."""
        try:
            fields = _decode(raw)
        except NOT_JSON:
            return None
        if not isinstance(fields, dict):
            return None
        try:
            return self._read(fields)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            return None

    def _read(self, fields: Fields) -> LogLine | None:
        raise NotImplementedError

    def _line(
        self,
        request: tuple[str, str],
        status: object,
        at: object,
        headers: Fields,
        address: str,
        host: str | None,
    ) -> LogLine | None:
        ms = instant_ms(at)
        number = int(str(status))
        if ms is None or not 0 <= number < 1000:
            return None
        agent = headers.get(_AGENT)
        self._agents = self._agents or agent is not None
        return LogLine(
            request[0] or NO_REQUEST,
            request[1],
            number,
            _plain(headers.get("referer")),
            _plain(agent),
            address,
            ms,
            host,
            self._agents,
        )

    def _who(self, named: Fields, connection: str, forwarded: str) -> str:
        """Return the reader's address: from the field that was named, else from the usual ones."""
        if self._reader == CONNECTION:
            return connection
        if self._reader is not None:
            forwarded = _plain(named.get(field_name(self._reader)))
        return reader_of(forwarded, connection, self._reader is not None)


def _plain(value: object) -> str:
    if isinstance(value, list):
        value = value[0] if value else ""
    return value if isinstance(value, str) and value != "-" else ""


def _folded(fields: Fields) -> dict[str, Any]:
    return {field_name(name): value for name, value in fields.items()}


class CaddyFormat(JsonFormat):
    """Caddy's access log: `request` describes the request."""

    name = "caddy"
    _own_address = "client_ip"

    def _read(self, fields: Fields) -> LogLine | None:
        request = fields["request"]
        headers = _folded(request.get("headers") or {})
        connection = _plain(request.get("remote_ip")) or _plain(request.get("remote_addr"))
        connection = forwarded_for(connection) or connection
        # The client according to Caddy and its trusted proxies; older versions lack it.
        reader = _plain(request.get("client_ip"))
        if self._reader not in (None, CONNECTION) or not reader:
            reader = self._who(_folded(request) | headers, connection, "")
        elif self._reader == CONNECTION:
            reader = connection
        return self._line(
            (request["method"], request["uri"]),
            fields["status"],
            fields["ts"],
            headers,
            reader,
            _plain(request.get("host")),
        )

    def is_note(self, raw: bytes) -> bool:
        """Tell whether a line is a message or an error of Caddy, which go to the same file."""
        return b'"http.log.error' in raw or (b'"logger"' in raw and b'"request"' not in raw)


class TraefikFormat(JsonFormat):
    """Traefik's access log; it has headers only if `accesslog.fields.headers` keeps them."""

    name = "traefik"
    _own_address = "ClientHost, or X-Forwarded-For where it is kept"

    def _read(self, fields: Fields) -> LogLine | None:
        headers = _folded(
            {
                name.removeprefix("request_"): value
                for name, value in fields.items()
                if name.startswith("request_")
            }
        )
        connection = _plain(fields.get("ClientHost")) or _plain(fields.get("ClientAddr"))
        connection = forwarded_for(connection) or connection
        named = headers if self._reader in (None, CONNECTION) else _folded(fields) | headers
        host = fields.get("RequestHost", fields.get("RequestAddr"))
        return self._line(
            (fields["RequestMethod"], fields["RequestPath"]),
            fields.get("DownstreamStatus", fields.get("OriginStatus")),
            fields.get("StartUTC", fields.get("time")),
            headers,
            self._who(named, connection, _plain(headers.get("x_forwarded_for"))),
            _plain(host),
        )


_TIMES = ("msec", "time_iso8601", "time_local", "time", "timestamp", "@timestamp", "ts", "date")
_ADDRESSES = ("remote_addr", "remote_ip", "client_ip", "client", "clientip", "remote_host", "ip")
_HOSTS = ("host", "server_name", "vhost", "virtual_host", "domain")
_TARGETS = ("request_uri", "uri", "url", "path")
_METHODS = ("request_method", "method", "verb")
_STATUSES = ("status", "status_code", "response_code", "response")
_AGENTS = (_AGENT, "agent", "useragent", "user-agent")
_REFERRERS = ("referer", "referrer")


class NginxJsonFormat(JsonFormat):
    """A `log_format … escape=json` of nginx; its author chose the keys, mostly variable names."""

    name = "nginx-json"
    _own_address = "remote_addr, or http_x_forwarded_for where it is there"

    def _read(self, fields: Fields) -> LogLine | None:
        if "RequestMethod" in fields or isinstance(fields.get("request"), dict):
            return None
        named = _folded(fields)
        request = request_of(_plain(_first(named, ("request",))))
        if request[0] == NO_REQUEST and any(name in named for name in _TARGETS):
            target = _plain(_first(named, _TARGETS))
            query = _plain(_first(named, ("args", "query_string", "query"))).removeprefix("?")
            target = f"{target}?{query}" if query and "?" not in target else target
            request = _plain(_first(named, _METHODS)) or "GET", target
        elif "request" not in named:
            return None
        agent = _first(named, _AGENTS)
        headers = {"referer": _first(named, _REFERRERS)}
        if agent is not None:
            headers[_AGENT] = agent
        host = _first(named, _HOSTS)
        connection = _plain(_first(named, _ADDRESSES))
        return self._line(
            request,
            _first(named, _STATUSES),
            _first(named, _TIMES),
            headers,
            self._who(named, connection, _plain(named.get("x_forwarded_for"))),
            None if host is None else _plain(host),
        )


def _first(fields: Fields, names: tuple[str, ...]) -> Any:
    for name in names:
        value = fields.get(name)
        if value is not None and value != "":
            return value
    return None
