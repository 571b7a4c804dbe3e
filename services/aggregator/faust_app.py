"""The Faust app of the aggregator: our driver, no Tables, no leader topic, no web server."""

from pathlib import Path
from typing import Any

from services.aggregator.settings import AggregatorSettings
from services.aggregator.transport import faust_settings
from services.aggregator.visits import FORGET_MS
from services.model.cluster_address import is_cluster_url
from services.model.sentinel_address import is_sentinel_url

NOWHERE = "kafka://"
"""Stands in for the URL of a log at several hosts, which Faust cannot parse."""
RUN_BYTES = 32 * 1024
"""Some 700 hits: a few milliseconds of folding."""


def create_app(settings: AggregatorSettings, broker: str, folder: Path) -> faust_settings.App:
    """Return the app, without agents; `folder` is for the files that Faust writes."""
    in_kafka = broker.startswith(("kafka:", "kafkas:"))
    at_several = is_sentinel_url(broker) or is_cluster_url(broker)
    app = faust_settings.App(
        settings.group,
        broker=NOWHERE if in_kafka or at_several else broker,
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
    app.redis_url = broker if at_several else ""
    app.redis_replicas = settings.redis_replicas
    app.kafka_url = broker if in_kafka else ""
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
