"""Settings of the aggregator."""

from typing import Annotated, ClassVar

from msgspec import Meta

from services.aggregator.folding import FoldName
from services.aggregator.transport.leases import DEFAULT_LEASE_SECONDS
from services.settings import TEN_YEARS, StoreSettings
from services.store.counts.hits import LEAST_DAYS


class AggregatorSettings(StoreSettings, frozen=True, kw_only=True):
    """What `luot aggregator` reads from the environment."""

    default_port: ClassVar[int] = 8003

    flush_seconds: Annotated[
        float,
        Meta(
            gt=0,
            le=3600,
            description="time from one flush to the next, up to 1.5 s where more than four workers"
            " share the store; a hit after a pause is written at once",
        ),
    ] = 1.0
    flush_hits: Annotated[
        int, Meta(ge=1, description="folded hits that are written without waiting")
    ] = 100_000
    hot_rows: Annotated[
        int, Meta(ge=1000, description="counter rows held in memory, over all partitions")
    ] = 200_000
    lease_seconds: Annotated[
        float,
        Meta(ge=1, le=3600, description="a partition is taken over this long after its owner died"),
    ] = DEFAULT_LEASE_SECONDS
    retention_seconds: Annotated[
        float,
        Meta(
            gt=0,
            le=TEN_YEARS,
            description="how long hits stay in the log after they were counted, if there is room",
        ),
    ] = 24 * 3600.0
    drift_seconds: Annotated[
        float, Meta(ge=0, le=TEN_YEARS, description="how often raw hits are recounted; 0 is never")
    ] = 3600.0
    fold: Annotated[
        FoldName,
        Meta(description="c or python: which fold runs; auto: that in C where it was compiled"),
    ] = "auto"
    hits_days: Annotated[
        int,
        Meta(ge=LEAST_DAYS, description="days that raw hits are kept; counters are kept for good"),
    ] = 400
