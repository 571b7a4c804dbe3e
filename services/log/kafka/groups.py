"""What brokers say of groups, with every error checked.

The client's own methods ignore top-level errors of a response. A broker that has just become the
coordinator of a group and is still loading, or no longer is one, would seem to say that nothing is
committed and that the group has no members: entries would be appended twice.
"""

import asyncio
from typing import NamedTuple

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import GroupIdNotFound, for_code

from services.log.kafka.stable_offsets import IN_DOUBT, OffsetsRequest

OFFSETS_RETENTION = "offsets.retention.minutes"
_DOUBT_SECONDS = 2.0
_AGAIN_SECONDS = 0.1


class Member(NamedTuple):
    """A member of a group, and its assignment, as in the response."""

    id: str
    client: str
    assignment: bytes


async def committed(admin: AIOKafkaAdminClient, group: str) -> dict[TopicPartition, int]:
    """Return all offsets committed for a group, usually once none is in doubt. Raises KafkaError.

    In doubt is what an open transaction would commit. One that is being committed ends in a moment;
    one that was abandoned may stay open for seconds, and is then left out.
    """
    loop = asyncio.get_running_loop()
    latest = loop.time() + _DOUBT_SECONDS
    while True:
        coordinator = await admin.find_coordinator(group)
        offsets, in_doubt = await _fetched(admin, coordinator, OffsetsRequest(group))
        if in_doubt and loop.time() > latest:
            # It has just waited for all that is committed.
            request = OffsetsRequest(group, stable=False)
            offsets, in_doubt = await _fetched(admin, coordinator, request)
        if not in_doubt:
            return offsets
        await asyncio.sleep(_AGAIN_SECONDS)


async def _fetched(
    admin: AIOKafkaAdminClient, coordinator: int, request: OffsetsRequest
) -> tuple[dict[TopicPartition, int], bool]:
    """Return the offsets of a response, and whether any is in doubt."""
    answer = await admin._send_request(request, coordinator)  # noqa: SLF001
    _refuse(answer.error_code)
    offsets = {}
    in_doubt = False
    for topic, partitions, _ in answer.topics:
        for number, offset, _, _, error_code, _ in partitions:
            if error_code == IN_DOUBT:
                in_doubt = True
            else:
                _refuse(error_code)
                offsets[TopicPartition(topic, number)] = offset
    return offsets, in_doubt


async def members(admin: AIOKafkaAdminClient, group: str) -> list[Member]:
    """Return the members of a group, none if it is unknown. Raises KafkaError."""
    of_group: list[Member] = []
    for answer in await admin.describe_consumer_groups([group]):
        for error_code, _, _, _, _, present, *_ in answer.groups:
            if error_code != GroupIdNotFound.errno:
                _refuse(error_code)
            of_group += [Member(id_, client, given) for id_, client, _, _, given, *_ in present]
    return of_group


async def offsets_minutes(admin: AIOKafkaAdminClient, broker: int) -> int | None:
    """Return how long a broker remembers the offsets of a group that nobody is a member of.

    None where it does not tell, as one that this account may not ask. Raises KafkaError.
    """
    asked = ConfigResource(ConfigResourceType.BROKER, str(broker), {OFFSETS_RETENTION: ""})
    for answer in await admin.describe_configs([asked]):
        for error_code, _, _, _, settings in answer.resources:
            for name, value, *_ in () if error_code else settings:
                if name == OFFSETS_RETENTION and value is not None:
                    return int(value)
    return None


def _refuse(error_code: int) -> None:
    if error_code:
        raise for_code(error_code)()
