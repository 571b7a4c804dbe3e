"""The schemes of a log's URL, and the name of the driver that serves each."""

from collections.abc import Mapping

FOR_TESTS = frozenset({"memory"})
"""Schemes that no setting may name: such a log ends with its process."""

LOG_SCHEMES: Mapping[str, str] = {
    "redis": "redis",
    "rediss": "redis",
    "unix": "redis",
    "redis+sentinel": "redis",
    "rediss+sentinel": "redis",
    "redis+cluster": "redis",
    "rediss+cluster": "redis",
    "kafka": "kafka",
    "kafkas": "kafka",
    "memory": "memory",
}
"""Scheme → driver: a module of `services/log/drivers`, and one of `services/aggregator/transport`,
have its name."""


def scheme_of(url: str) -> str:
    """Return the scheme of a URL; the URL itself if it has none."""
    return url.partition(":")[0]
