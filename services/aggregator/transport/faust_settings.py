"""What the driver needs to know beyond Kafka's settings."""

import faust

from services.aggregator.transport.leases import DEFAULT_LEASE_SECONDS


class App(faust.App):
    """A Faust app with the settings of the driver.

    replay_ms     log time to read again before the committed position, when a partition is taken
    retention_ms  log time that stays in the log after it was committed
    partitions    how many partitions the topic has
    run_bytes     entries that follow one another come as one message of up to so many bytes;
                  0 is a message for each (see runs.py)
    """

    replay_ms: int = 0
    retention_ms: int = 24 * 3600 * 1000
    partitions: int = 8
    run_bytes: int = 0
    lease_seconds: float = DEFAULT_LEASE_SECONDS
