"""Settings of the aggregator."""

from typing import ClassVar

from pydantic import Field

from services.settings import Seconds, StoreSettings


class AggregatorSettings(StoreSettings):
    """What `luot aggregator` reads from the environment."""

    default_port: ClassVar[int] = 8003

    flush_seconds: Seconds = Field(
        default=1.0,
        description="time from one flush to the next; a hit after a pause is written at once",
    )
    flush_hits: int = Field(
        default=100_000, ge=1, description="folded hits that are written without waiting"
    )
    hot_rows: int = Field(
        default=200_000, ge=1000, description="counter rows held in memory, over all partitions"
    )
    lease_seconds: float = Field(
        default=10.0, ge=1.0, description="a partition is taken over this long after its owner died"
    )
    retention_seconds: Seconds = Field(
        default=24 * 3600.0, description="how long hits stay in the log after they were counted"
    )
    drift_seconds: float = Field(
        default=3600.0, ge=0, description="how often raw hits are recounted; 0 is never"
    )
    hits_days: int = Field(
        default=400, ge=32, description="days that raw hits are kept; counters are kept for good"
    )
