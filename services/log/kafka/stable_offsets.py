"""The request for committed offsets that waits until they are decided.

A broker that has just become the coordinator of a group has what was committed, but may not know
yet that the other replicas have it, too. Asked in the versions of the request that the client has,
it tells of what was committed before. From version 7 on it can be asked to wait for the rest.
"""

from typing import ClassVar

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

IN_DOUBT = 88
"""The error of a partition with an offset in an open transaction; the client does not know it."""
_KEY = 9
_TAGS = ("tags", TaggedFields)


class _Response(Response):
    API_KEY: ClassVar[int] = _KEY
    API_VERSION: ClassVar[int] = 7
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            CompactArray(
                ("name", CompactString("utf-8")),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("offset", Int64),
                        ("leader_epoch", Int32),
                        ("metadata", CompactString("utf-8")),
                        ("error_code", Int16),
                        _TAGS,
                    ),
                ),
                _TAGS,
            ),
        ),
        ("error_code", Int16),
        _TAGS,
    )


class _Struct(RequestStruct):
    FLEXIBLE_VERSION = True
    API_KEY = _KEY
    API_VERSION = 7
    RESPONSE_TYPE = _Response
    SCHEMA = Schema(
        ("group", CompactString("utf-8")),
        (
            "topics",
            CompactArray(
                ("name", CompactString("utf-8")),
                ("partitions", CompactArray(Int32)),
                _TAGS,
            ),
        ),
        ("require_stable", Boolean),
        _TAGS,
    )


class OffsetsRequest(Request[_Struct]):
    """Asks for all offsets committed for a group, of every topic.

    stable  wait for what is being committed, and tell none that an open transaction would replace
    """

    API_KEY = _KEY

    def __init__(self, group: str, *, stable: bool = True) -> None:
        self._group = group
        self._stable = stable

    def build(self, request_struct_class: type[_Struct]) -> _Struct:
        """Return the request."""
        return request_struct_class(self._group, None, self._stable, {})
