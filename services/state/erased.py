"""Deletes what shared state keeps of a site that was erased.

Only what was shown: the salts and new pages of a day, and the digests of pages that have counters,
are ingest's and the aggregator's, say nothing by themselves, and expire within days.
"""

from collections.abc import Collection

from services.model.downloads import downloads_of
from services.state import keys, last_shown
from services.state.errors import translated
from services.state.state import State


async def forget(state: State, names: Collection[str]) -> None:
    """Delete the numbers of sites, by the names they are kept under. Raises StateError."""
    with translated():
        async with state.redis.pipeline(transaction=False) as pipeline:
            for name in names:
                last_shown.forget(pipeline, name)
                pipeline.delete(keys.pages(downloads_of(name)))
            await pipeline.execute()
