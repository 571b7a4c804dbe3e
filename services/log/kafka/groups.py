"""What brokers say of groups, with every error checked.

The client's own methods ignore top-level errors of a response. A broker that has just become the
coordinator of a group and is still loading, or no longer is one, would seem to say that nothing is
committed and that the group has no members: entries would be appended twice.
"""

from typing import NamedTuple

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupIdNotFound, for_code

from services.log.kafka.stable_offsets import StableOffsetsRequest


class Member(NamedTuple):
    """A member of a group, and its assignment, as in the response."""

    id: str
    client: str
    assignment: bytes


async def committed(admin: AIOKafkaAdminClient, group: str) -> dict[TopicPartition, int]:
    """Return all offsets committed for a group, once none is in doubt. Raises KafkaError."""
    coordinator = await admin.find_coordinator(group)
    answer = await admin._send_request(StableOffsetsRequest(group), coordinator)  # noqa: SLF001
    _refuse(answer.error_code)
    offsets = {}
    for topic, partitions, _ in answer.topics:
        for number, offset, _, _, error_code, _ in partitions:
            _refuse(error_code)
            offsets[TopicPartition(topic, number)] = offset
    return offsets


async def members(admin: AIOKafkaAdminClient, group: str) -> list[Member]:
    """Return the members of a group, none if it is unknown. Raises KafkaError."""
    found: list[Member] = []
    for answer in await admin.describe_consumer_groups([group]):
        for error_code, _, _, _, _, present, *_ in answer.groups:
            if error_code != GroupIdNotFound.errno:
                _refuse(error_code)
            found += [Member(id_, client, given) for id_, client, _, _, given, *_ in present]
    return found


def _refuse(error_code: int) -> None:
    if error_code:
        raise for_code(error_code)()
