"""Which settings of a topic lose or misplace hits."""

from collections.abc import Iterator, Mapping

from services.log.interface import REMEMBERED_SECONDS
from services.log.kafka.cluster import MOST_BYTES
from services.log.server_check import ServerCheck

HITS = {
    # The log's own time, so that positions and times belong together.
    "message.timestamp.type": "LogAppendTime",
    # What has not been read yet must not be deleted; the aggregator trims.
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "cleanup.policy": "delete",
    # A broker that missed entries must not become leader.
    "unclean.leader.election.enable": "false",
    # An entry is as large as a group commit of hits with long addresses.
    "max.message.bytes": str(MOST_BYTES),
}
"""Required settings of the topic of hits."""
SEGMENT = "segment.ms"
SEGMENT_MS = 3_600_000
HITS_MADE = {
    **HITS,
    # What was trimmed is off the disks once its segment has ended: within a week by default.
    SEGMENT: str(SEGMENT_MS),
}
"""What the topic of hits is created with."""
NOTES = {"cleanup.policy": "compact", "unclean.leader.election.enable": "false"}
"""Required settings of the topic of notes."""
NOTES_MADE = {
    **NOTES,
    # A deleted note, such as the salt of an import, is off the disks within two days.
    SEGMENT: str(SEGMENT_MS),
    "max.compaction.lag.ms": str(24 * 3_600_000),
}
_WHY = {
    "message.timestamp.type": "replay goes by time, and times of producers do not grow",
    "retention.ms": "it deletes hits that nobody has counted; the aggregator trims by itself",
    "retention.bytes": "it deletes hits that nobody has counted; the aggregator trims by itself",
    "cleanup.policy": "anything else deletes what the log needs",
    "unclean.leader.election.enable": "hits that were accepted are lost with the leader",
    "max.message.bytes": "a group of hits with long addresses is refused",
}
_IN_SYNC = "min.insync.replicas"
COPIES = 3
"""Replication factor of a topic, if there are as many brokers when it is created."""
LEAST_COPIES = 2
"""In-sync replicas that must have an entry, if there are as many."""
OFFSETS_MINUTES = 525_600
"""How long brokers should remember what is committed: a year, longer than anything is away."""

DESCRIBE_LOG_DIRS = 35
"""The number of a request whose newest version tells Kafka 4.3 from earlier ones."""
_MARKERS_LOST_SINCE = 5


def lost_markers(describe_log_dirs: int) -> list[ServerCheck]:
    """Report that brokers run a Kafka that loses transaction end markers (KAFKA-20734).

    It takes an end marker for written in a partition that has no leader at the moment, as none has
    when the only broker comes back after it was killed. Whether its entries are in the log then
    depends on how the producer's next transaction ends, and they may be there twice; readers wait
    until then. Brokers do not tell their version, but which requests they accept shows it.
    """
    if describe_log_dirs < _MARKERS_LOST_SINCE:
        return []
    return [
        ServerCheck(
            "Kafka's version",
            None,
            "4.3 or newer: when brokers are killed, hits can be counted twice, or none be counted"
            " until the next ones come (KAFKA-20734)",
            "Run Kafka 4.2 until yours has the correction",
        )
    ]


def slow_to_free(topic: str, present: Mapping[str, str]) -> list[ServerCheck]:
    """Report a topic of hits that keeps on the disks for long what was trimmed."""
    found = present.get(SEGMENT, "")
    if not found.isdecimal() or int(found) <= SEGMENT_MS:
        return []
    return [
        ServerCheck(
            "disk",
            None,
            f"segment.ms of {topic} is {found}: trimmed hits may stay on the disks for that long",
            f"Set segment.ms={SEGMENT_MS}",
        )
    ]


def forgetful(minutes: int | None) -> list[ServerCheck]:
    """Report brokers that forget what is committed while an ingest or an aggregator is away.

    They keep it for so many minutes after the last commit. What a producer has appended is
    committed, too: from a spool that is drained later than that, it would be appended again.
    """
    if minutes is None or minutes >= OFFSETS_MINUTES:
        return []
    return [
        ServerCheck(
            "committed offsets",
            False if minutes * 60 < REMEMBERED_SECONDS else None,
            f"offsets.retention.minutes is {minutes}: hits of a spool, or of an aggregator, that"
            " comes back later than that may be counted twice",
            f"Set offsets.retention.minutes={OFFSETS_MINUTES} on every broker",
        )
    ]


def unsafe(
    topic: str, required: Mapping[str, str], present: Mapping[str, str], replicas: int, brokers: int
) -> list[ServerCheck]:
    """Check a topic's settings, its lowest number of replicas, and the limits of the cluster.

    One check says that all is well; otherwise there is one for each problem. Fewer than three
    replicas are not an error, but reported: `ok` is None.
    """
    name = f"topic {topic}"
    wrong = [
        *_settings(name, required, present),
        *_copies(name, int(present.get(_IN_SYNC, "1")), replicas, brokers),
    ]
    return wrong or [ServerCheck(name, True, f"{replicas} copies of each entry, none expires")]


def _settings(
    name: str, required: Mapping[str, str], present: Mapping[str, str]
) -> Iterator[ServerCheck]:
    for setting, value in required.items():
        actual = present.get(setting, "unknown")
        enough = setting == "max.message.bytes" and actual.isdecimal() and int(actual) >= int(value)
        if actual != value and not enough:
            advice = f"Set {setting}={value}: {_WHY[setting]}"
            yield ServerCheck(name, False, f"{setting} is {actual}", advice)


def _copies(name: str, in_sync: int, replicas: int, brokers: int) -> Iterator[ServerCheck]:
    if replicas < in_sync:
        yield ServerCheck(
            name,
            False,
            f"{_IN_SYNC} is {in_sync}, but there are {replicas} copies",
            f"Give it more replicas, or lower {_IN_SYNC}: as it is, it takes no hit",
        )
    elif replicas > 1 and in_sync < LEAST_COPIES:
        yield ServerCheck(
            name,
            False,
            f"{_IN_SYNC} is {in_sync} of {replicas} copies",
            f"Set {_IN_SYNC}=2: a hit that one broker alone has is lost with it",
        )
    elif replicas < COPIES:
        yield ServerCheck(
            name,
            None,
            "one copy of each entry: the disk of one broker is all that keeps hits"
            if replicas == 1
            else "two copies of each entry: while a broker of them is away, hits wait in the spool",
            "Give it three replicas"
            if brokers >= COPIES
            else "Have three brokers, and three replicas",
        )
