"""Finds the driver of a log by the scheme of its URL."""

import pkgutil
from functools import cache
from importlib import import_module

from services.log import drivers
from services.log.interface import Log
from services.model.partition import DEFAULT_PARTITIONS

DEFAULT_GROUP = "luot"
ANSWER_SECONDS = 10.0


@cache
def log_drivers() -> tuple[type[Log], ...]:
    """Return every driver: the subclasses of Log in the modules of services/log/drivers."""
    modules = [import_module(f"{drivers.__name__}.{name}") for name in _modules()]
    return tuple(
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Log)
        and value.__module__ == module.__name__
    )


def _modules() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(drivers.__path__))


def open_log(
    url: str,
    *,
    partitions: int = DEFAULT_PARTITIONS,
    group: str = DEFAULT_GROUP,
    answer_seconds: float = ANSWER_SECONDS,
) -> Log:
    """Return the log at a URL; nothing is connected yet.

    A call to the log fails after `answer_seconds`. Raises ValueError for a URL of no driver; the
    message does not hold it, since there may be a password in it.
    """
    scheme = url.partition(":")[0]
    for driver in log_drivers():
        if scheme in driver.schemes:
            return driver(url, partitions=partitions, group=group, answer_seconds=answer_seconds)
    known = sorted(scheme for driver in log_drivers() for scheme in driver.schemes)
    raise ValueError(f"no driver for a log at {scheme}:…; expected one of {', '.join(known)}")
