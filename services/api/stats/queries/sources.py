"""The names and channels of sources, as expressions in statements about hits.

The list is part of the statement itself, some 50 kB, far below what a server parses (256 KiB). The
column stores each source once per part of the table, and it is looked up there.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from services.api.stats.grammar.filters import Filter
from services.api.stats.grammar.traffic_sources import Channel, traffic_sources

_CHANNELS = tuple(Channel)
_LOWER = "lower(source)"


@cache
def name() -> str:
    """Return the expression for the name of a hit's source."""
    known = traffic_sources()
    exact = _looked_up(_LOWER, {source: _quoted(of.name) for source, of in known.exact.items()})
    below = _looked_up(_host(), {host: _quoted(of.name) for host, of in known.below.items()})
    return (
        f"multiIf(({exact} AS exact_name) != '', toString(exact_name),"
        f" ({below} AS name_below) != '', toString(name_below), toString(source))"
    )


@cache
def _channel_number() -> str:
    known = traffic_sources()
    medium = _looked_up("lower(utm_medium)", dict(_numbers(known.mediums)), "0")
    exact = {source: _number(of.channel) for source, of in known.exact.items()}
    below = {host: _number(of.channel) for host, of in known.below.items()}
    return (
        f"multiIf(({medium} AS of_medium) != 0, of_medium,"
        f" ({_looked_up(_LOWER, exact, '0')} AS of_source) != 0, of_source,"
        f" ({_looked_up(_host(), below, '0')} AS of_host) != 0, of_host,"
        f" source = '' AND utm_medium = '', {_number(Channel.DIRECT)},"
        f" source != '' AND position(source, '.') > 0, {_number(Channel.REFERRAL)},"
        f" {_number(Channel.CAMPAIGNS)})"
    )


def _looked_up(key: str, values: Mapping[str, str], missing: str = "''") -> str:
    """Return the expression of a look-up in constants, done once per distinct key."""
    return f"transform({key}, [{_list(values)}], [{','.join(values.values())}], {missing})"


def _host() -> str:
    """Return the expression for the host in `below` that a source is under, '' for none."""
    hosts = "|".join(host.replace(".", "[.]") for host in traffic_sources().below)
    return f"extract({_LOWER}, '[.]({hosts})$')"


@cache
def channel() -> str:
    """Return the expression for the channel of a hit."""
    return f"arrayElement([{_list(_CHANNELS)}], {_channel_number()})"


def named(of: Filter, place: str) -> tuple[list[str], dict[str, Any]]:
    """Return what a filter by source matches besides the log's own values, and its parameters."""
    list_ = traffic_sources().of_names(of.names)
    tests: list[str] = []
    parameters: dict[str, Any] = {}
    if list_.exact:
        parameters[f"exact_{place}"] = list(list_.exact)
        tests.append(f"{_LOWER} IN %(exact_{place})s")
    everything = traffic_sources().exact
    for host, known in list_.below.items():
        apart = [
            source
            for source, other in everything.items()
            if source.endswith(f".{host}") and other.name != known.name
        ]
        less = f" AND {_LOWER} NOT IN ({_list(apart)})" if apart else ""
        tests.append(f"(endsWith({_LOWER}, '.{host}'){less})")
    return tests, parameters


def of_channels(filters: Sequence[Filter]) -> str:
    """Return the condition of all filters by channel."""
    numbers = [_number(one) for one in _CHANNELS if all(of.takes(one) for of in filters)]
    return f"({_channel_number()}) IN ({', '.join(numbers)})" if numbers else "0"


def _numbers(channels: Mapping[str, Channel]) -> Iterator[tuple[str, str]]:
    return ((name, _number(channel)) for name, channel in channels.items())


def _number(channel: Channel) -> str:
    return str(_CHANNELS.index(channel) + 1)


def _list(texts: Iterable[str]) -> str:
    return ",".join(map(_quoted, texts))


def _quoted(text: str) -> str:
    """Return a literal; percent signs are doubled, as they mark parameters."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("%", "%%")
    return f"'{escaped}'"
