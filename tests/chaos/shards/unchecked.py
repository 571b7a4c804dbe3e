"""`luot`, whose aggregators take any replica that answers: an experiment, which loses its books.

A row that is loaded from a replica that lags, and written back with a higher position, is too low
for good.
"""

from services.aggregator.watermarks import Watermarks
from services.cli.main import main
from services.store.interface import Store
from tests.chaos.shards.forgetful import forget


async def _nothing(self: Watermarks, host: Store, first: bool) -> str | None:
    return None


if __name__ == "__main__":
    forget()
    Watermarks.lag = _nothing  # type: ignore[method-assign]
    main()
