"""How servers of a cluster go, and what the others have then."""

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable

from services.store.drivers.clickhouse import ClickHouseStore
from services.store.interface import StoreError
from tests.chaos import faults
from tests.chaos.shards.world import ShardsWorld
from tests.servers.clickhouse_cluster import ClusterMember

ShardsFault = Callable[[ShardsWorld, random.Random], Awaitable[str]]


async def kill_a_replica(world: ShardsWorld, chance: random.Random) -> str:
    """`kill -9`; the other one of its shard has what it had, or gets it when it is back."""
    member = chance.choice(world.cluster.members)
    member.kill()
    away = chance.choice([0.0, 3.0, 8.0])
    await asyncio.sleep(away)
    await asyncio.to_thread(member.start)
    return f"kill -9 {_name(member)}, away for {away} s"


async def kill_a_replica_with_the_other_behind(world: ShardsWorld, chance: random.Random) -> str:
    """The other one answers, and lacks the last rows: only the one that was killed has them."""
    members = list(chance.choice(world.cluster.shards))
    chance.shuffle(members)
    # The first of each shard is in use most of the time.
    members.sort(key=lambda one: one.replica if chance.random() < 0.8 else -one.replica)
    gone, behind = members
    await _fetches(behind, "STOP")
    await asyncio.sleep(chance.uniform(2.0, 6.0))
    gone.kill()
    await asyncio.sleep(chance.uniform(4.0, 8.0))
    await asyncio.to_thread(gone.start)
    await asyncio.sleep(chance.choice([0.0, 3.0]))
    await _fetches(behind, "START")
    return f"kill -9 {_name(gone)} while {_name(behind)} was behind"


async def kill_a_shard(world: ShardsWorld, chance: random.Random) -> str:
    """`kill -9` of all replicas of a shard; the other shards go on."""
    members = chance.choice(world.cluster.shards)
    for member in members:
        member.kill()
    away = chance.choice([0.0, 4.0])
    await asyncio.sleep(away)
    for member in chance.sample(members, len(members)):
        await asyncio.to_thread(member.start)
    return f"kill -9 shard {members[0].shard}, away for {away} s"


async def freeze_a_replica(world: ShardsWorld, chance: random.Random) -> str:
    """SIGSTOP: it is connected to, and says nothing."""
    member = chance.choice(world.cluster.members)
    seconds = chance.choice([3.0, 8.0])
    os.kill(member.pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        os.kill(member.pid, signal.SIGCONT)
    return f"freeze {_name(member)} for {seconds} s"


async def stop_zookeeper(world: ShardsWorld, chance: random.Random) -> str:
    """Nobody can write, or say what a replica must hold."""
    world.cluster.zookeeper.kill()
    away = chance.choice([2.0, 8.0])
    await asyncio.sleep(away)
    await asyncio.to_thread(world.cluster.zookeeper.start)
    return f"kill -9 zookeeper, away for {away} s"


async def _fetches(member: ClusterMember, what: str) -> None:
    host = ClickHouseStore(member.url)
    try:
        await host.execute(f"SYSTEM {what} FETCHES")
    except StoreError as error:
        raise AssertionError(f"{_name(member)}: {error}") from error
    finally:
        await host.close()


def _name(member: ClusterMember) -> str:
    return f"replica {member.replica} of shard {member.shard}"


OF_SHARDS: tuple[ShardsFault, ...] = (
    kill_a_replica_with_the_other_behind,
    kill_a_replica,
    stop_zookeeper,
    kill_a_shard,
    freeze_a_replica,
    kill_a_replica_with_the_other_behind,
)
OF_SERVICES: tuple[ShardsFault, ...] = (
    faults.kill_a_service,
    faults.restart_a_service,
    faults.freeze_a_service,
)
