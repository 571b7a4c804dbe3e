"""How a master goes, and what it finds when it comes back."""

import asyncio
import random
from collections.abc import Awaitable, Callable

from tests.chaos import faults
from tests.chaos.replicas.world import ReplicasWorld

ReplicasFault = Callable[[ReplicasWorld, random.Random], Awaitable[str]]


async def kill_the_master(world: ReplicasWorld, chance: random.Random) -> str:
    """`kill -9`; it comes back before or after another one has taken its place."""
    gone = await asyncio.to_thread(lambda: world.watched.master)
    gone.kill()
    await asyncio.to_thread(world.watched.master_after, gone)
    away = chance.choice([0.0, 3.0])
    await asyncio.sleep(away)
    await asyncio.to_thread(gone.start)
    await asyncio.to_thread(gone.wait_until_replica)
    return f"kill -9 master, back {away} s after the failover"


async def freeze_the_master(world: ReplicasWorld, chance: random.Random) -> str:
    """SIGSTOP until another one has its place; then it goes on as if it still were the master."""
    gone = await asyncio.to_thread(lambda: world.watched.master)
    gone.freeze()
    try:
        await asyncio.to_thread(world.watched.master_after, gone)
        await asyncio.sleep(chance.choice([0.0, 2.0]))
    finally:
        gone.thaw()
    await asyncio.to_thread(gone.wait_until_replica)
    return "freeze master until a replica is promoted"


async def kill_the_master_with_its_replicas_behind(
    world: ReplicasWorld, chance: random.Random
) -> str:
    """The replicas stand still for some hits, and go on when the master is dead."""
    gone = await asyncio.to_thread(lambda: world.watched.master)
    behind = [one for one in world.watched.servers if one is not gone]
    try:
        for one in behind:
            one.freeze()
        # Less than what Sentinels take for their end.
        await asyncio.sleep(chance.uniform(0.3, 0.8))
        gone.kill()
    finally:
        for one in behind:
            one.thaw()
    await asyncio.to_thread(world.watched.master_after, gone)
    await asyncio.to_thread(gone.start)
    await asyncio.to_thread(gone.wait_until_replica)
    return "kill -9 master while its replicas were behind"


OF_REDIS: tuple[ReplicasFault, ...] = (
    kill_the_master_with_its_replicas_behind,
    kill_the_master,
    freeze_the_master,
)
OF_SERVICES: tuple[ReplicasFault, ...] = (
    faults.kill_a_service,
    faults.restart_a_service,
    faults.freeze_a_service,
)
