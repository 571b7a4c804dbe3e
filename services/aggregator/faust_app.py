"""The Faust app of the aggregator: our driver, no Tables, no leader topic, no web server."""

from pathlib import Path
from typing import Any

from services.aggregator.settings import AggregatorSettings
from services.aggregator.transport import faust_settings
from services.aggregator.visits import FORGET_MS

NOWHERE = "kafka://"
"""Stands in for the URL of the log: Faust cannot parse one of several hosts."""
RUN_BYTES = 32 * 1024
"""Some 700 hits: a few milliseconds of folding."""


def create_app(settings: AggregatorSettings, log_url: str, folder: Path) -> faust_settings.App:
    """Return the app, without agents; `folder` is for the files that Faust writes."""
    app = faust_settings.App(
        settings.group,
        broker=NOWHERE,
        datadir=folder,
        topic_disable_leader=True,
        topic_allow_declare=False,
        topic_partitions=settings.partitions,
        web_enabled=False,
        stream_wait_empty=False,
        # Bounds what waits undecoded: messages of RUN_BYTES, or of one larger entry.
        # `Pending` bounds what waits folded.
        stream_buffer_maxsize=16,
    )
    app.log_url = log_url
    app.redis_replicas = settings.redis_replicas
    app.partitions = settings.partitions
    app.lease_seconds = settings.lease_seconds
    app.retention_ms = int(settings.retention_seconds * 1000)
    app.replay_ms = 2 * FORGET_MS
    app.run_bytes = RUN_BYTES
    return app


def raw_topic(app: faust_settings.App, name: str) -> Any:
    """Return a topic whose values are bytes that Faust does not decode."""
    return app.topic(name, value_type=bytes, value_serializer="raw")


async def watch(app: faust_settings.App) -> None:
    """Raise when the app stops by itself: otherwise reading would silently end."""
    await app.wait_until_stopped()
    raise app.crash_reason or RuntimeError("Faust stopped by itself")
