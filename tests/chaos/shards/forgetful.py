"""`luot`, whose aggregators keep no counter rows in memory: they load each one for each flush.

As with many more pages than fit. Rows that are known need not be read from a replica, and a worker
that starts reads two windows of the log again: both would hide that a replica lagged.
"""

from services.aggregator.rows import HotChanges, HotRows
from services.cli.main import main

_put = HotRows.put


def _put_nothing(self: HotRows, changed: HotChanges, limit: int) -> None:
    _put(self, changed, 0)


def forget() -> None:
    """Have flushes of this process remember nothing."""
    HotRows.put = _put_nothing  # type: ignore[method-assign]


if __name__ == "__main__":
    forget()
    main()
