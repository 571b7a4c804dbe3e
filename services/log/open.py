"""Finds the driver of a log by the scheme of its URL."""

from functools import cache
from importlib import import_module

from services.log import drivers
from services.log.interface import Log
from services.model.log_schemes import LOG_SCHEMES, scheme_of
from services.model.partition import DEFAULT_PARTITIONS
from services.settings import Settings, SettingsError

DEFAULT_GROUP = "luot"
ANSWER_SECONDS = 10.0


@cache
def log_driver(scheme: str) -> type[Log]:
    """Return the subclass of Log that serves a scheme. Raises KeyError for an unknown one."""
    module = import_module(f"{drivers.__name__}.{LOG_SCHEMES[scheme]}")
    return next(
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Log)
        and value.__module__ == module.__name__
    )


def open_log(
    url: str,
    *,
    partitions: int = DEFAULT_PARTITIONS,
    group: str = DEFAULT_GROUP,
    answer_seconds: float = ANSWER_SECONDS,
) -> Log:
    """Return the log at a URL; nothing is connected yet.

    A call to the log fails after `answer_seconds`. Raises ValueError for a URL without a driver, or
    one that its driver cannot use; the message omits the URL, which may contain a password.
    """
    scheme = scheme_of(url)
    if scheme not in LOG_SCHEMES:
        known = ", ".join(sorted(LOG_SCHEMES))
        raise ValueError(f"no driver for a log at {scheme}:…; expected one of {known}")
    driver = log_driver(scheme)
    return driver(url, partitions=partitions, group=group, answer_seconds=answer_seconds)


def log_of(settings: Settings, *, url: str = "", answer_seconds: float = ANSWER_SECONDS) -> Log:
    """Return the log of the settings, or one at another URL; nothing is connected yet.

    Raises SettingsError for a LUOT_LOG_URL that its driver cannot use.
    """
    try:
        log = open_log(
            url or settings.log_at,
            partitions=settings.partitions,
            group=settings.group,
            answer_seconds=answer_seconds,
        )
    except ValueError as error:
        raise SettingsError(f"LUOT_LOG_URL: {error}") from None
    log.require_replicas(settings.redis_replicas)
    return log
