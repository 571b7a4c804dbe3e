"""Checks of a Redis Cluster, from what its masters report."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from services.log import keys
from services.log.server_check import ServerCheck
from services.redis_client.client import reason_of
from services.redis_client.routing import RoutedRedis

SLOTS = 16384
PARTITIONS = 64
"""So many are spread evenly over a few masters; eight may end up as 2, 4 and 2 on three."""


def merged(by_master: Mapping[str, Sequence[ServerCheck]]) -> list[ServerCheck]:
    """Return one check of each kind: from the first master that fails it, else from the first."""
    by_name: dict[str, ServerCheck] = {}
    for check in (check for checks in by_master.values() for check in checks):
        before = by_name.get(check.name)
        if before is None or (check.ok is False and before.ok is not False):
            by_name[check.name] = check
    wrong = [name for name, checks in by_master.items() if any(one.ok is False for one in checks)]
    if wrong:
        shown = ", ".join(wrong)
        by_name["masters"] = ServerCheck(
            "masters", False, f"what is wrong is on {shown}", "look at these masters"
        )
    return list(by_name.values())


async def cluster(redis: RoutedRedis, partitions: int) -> list[ServerCheck]:
    """Check the slots, and the distribution of partitions. Raises RedisError."""
    masters = await redis.masters()
    return [await _coverage(masters), await _spread(redis, partitions)]


async def _coverage(masters: Mapping[str, Redis]) -> ServerCheck:
    info: dict[str, Any] | None = None
    failure = ""
    for client in masters.values():
        try:
            reply: Any = client.execute_command("CLUSTER INFO")  # type: ignore[no-untyped-call]
            info = await reply
            break
        except ResponseError as error:
            return ServerCheck("cluster", None, f"could not be checked: {reason_of(error)}")
        except RedisError as error:
            failure = reason_of(error)
    if info is None:
        return ServerCheck("cluster", False, f"no master answers: {failure}", "start them")
    missing = SLOTS - int(info["cluster_slots_ok"])
    if not missing and info["cluster_state"] == "ok":
        return ServerCheck("cluster", True, f"{len(masters)} masters serve all slots")
    return ServerCheck(
        "cluster",
        False,
        f"state {info['cluster_state']}: {missing} of {SLOTS} slots have no master at work",
        "start the masters that are gone, or make replicas of them masters (CLUSTER FAILOVER"
        " TAKEOVER). Hits wait in the spool of ingest; with cluster-require-full-coverage yes the"
        " other masters answer nothing meanwhile, either",
    )


async def _spread(redis: RoutedRedis, partitions: int) -> ServerCheck:
    owners = Counter([await redis.master_of(keys.stream(number)) for number in range(partitions)])
    least = min((owners[name] for name in await redis.masters()), default=0)
    shares = ", ".join(f"{number}: {name}" for name, number in sorted(owners.items()))
    if max(owners.values()) <= 2 * least:
        return ServerCheck("spread", True, f"partitions by master: {shares}")
    return ServerCheck(
        "spread",
        None,
        f"partitions by master: {shares}; a new log of LUOT_PARTITIONS={PARTITIONS} spreads evenly",
    )
