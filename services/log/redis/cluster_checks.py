"""Checks of a Redis Cluster, of what its masters say."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from services.log import keys
from services.log.server_check import ServerCheck
from services.runtime.redis_client import RoutedRedis, reason_of

SLOTS = 16384
PARTITIONS = 64
"""So many are spread evenly over a few masters; eight may be as 2, 4 and 2 on three."""


def merged(told: Mapping[str, Sequence[ServerCheck]]) -> list[ServerCheck]:
    """Return one check of each kind: of the first master that fails it, else of the first."""
    found: dict[str, ServerCheck] = {}
    for master, checks in told.items():
        for check in checks:
            before = found.get(check.name)
            if before is None or (check.ok is False and before.ok is not False):
                shown = msgspec.structs.replace(check, value=f"{check.value} (master {master})")
                found[check.name] = shown
    return list(found.values())


async def cluster(redis: RoutedRedis, partitions: int) -> list[ServerCheck]:
    """Check the slots, and how the partitions are spread. Raises RedisError."""
    masters = await redis.masters()
    return [await _coverage(masters), await _spread(redis, partitions)]


async def _coverage(masters: Mapping[str, Redis]) -> ServerCheck:
    told: dict[str, Any] | None = None
    failure = ""
    for client in masters.values():
        try:
            asked: Any = client.execute_command("CLUSTER INFO")  # type: ignore[no-untyped-call]
            told = await asked
            break
        except ResponseError as error:
            return ServerCheck("cluster", None, f"could not be checked: {reason_of(error)}")
        except RedisError as error:
            failure = reason_of(error)
    if told is None:
        return ServerCheck("cluster", False, f"no master answers: {failure}", "start them")
    missing = SLOTS - int(told["cluster_slots_ok"])
    if not missing and told["cluster_state"] == "ok":
        return ServerCheck("cluster", True, f"{len(masters)} masters serve all slots")
    return ServerCheck(
        "cluster",
        False,
        f"state {told['cluster_state']}: {missing} of {SLOTS} slots have no master at work",
        "start the masters that are gone, or make replicas of them masters (CLUSTER FAILOVER"
        " TAKEOVER). Hits wait in the spool of ingest; with cluster-require-full-coverage yes the"
        " other masters answer nothing meanwhile, either",
    )


async def _spread(redis: RoutedRedis, partitions: int) -> ServerCheck:
    owners = Counter([await redis.master_of(keys.stream(number)) for number in range(partitions)])
    shares = ", ".join(f"{number} on {name}" for name, number in sorted(owners.items()))
    least = min((owners[name] for name in await redis.masters()), default=0)
    most = max(owners.values())
    return ServerCheck(
        "spread",
        True if most <= 2 * least else None,
        f"partitions: {shares}"
        + (
            ""
            if most <= 2 * least
            else f"; a new log of LUOT_PARTITIONS={PARTITIONS} spreads more evenly"
        ),
    )
