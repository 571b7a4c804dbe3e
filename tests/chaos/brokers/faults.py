"""What can go wrong with brokers, and with the services that need them."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable

from services.log.errors import LogError
from services.model.partition import partition_of
from tests.chaos import faults
from tests.chaos.books import SITES
from tests.chaos.brokers.world import TOPIC, BrokersWorld
from tests.chaos.world import PARTITIONS
from tests.patience import rounds
from tests.servers.kafka_cluster import ClusterBroker

BrokersFault = Callable[[BrokersWorld, random.Random], Awaitable[str]]
LONGER = 3.0
"""How much longer a broker stands still than others wait for it."""


async def _leader(world: BrokersWorld, chance: random.Random) -> ClusterBroker:
    """Return who leads the partition of a site."""
    partition = partition_of(chance.choice(SITES), PARTITIONS)
    for _ in rounds(0.2):
        with contextlib.suppress(LogError):
            return await world.cluster.leader(TOPIC, partition)
        await asyncio.sleep(0.2)
    raise AssertionError(f"nobody leads partition {partition}")


async def _kill(world: BrokersWorld, broker: ClusterBroker, chance: random.Random) -> float:
    broker.kill()
    away = chance.choice([0.0, 2.0, world.cluster.session_seconds + LONGER])
    await asyncio.sleep(away)
    await asyncio.to_thread(broker.start)
    return away


async def kill_a_leader(world: BrokersWorld, chance: random.Random) -> str:
    """`kill -9` of the broker that leads the partition of a site."""
    broker = await _leader(world, chance)
    return f"kill -9 leader {broker.node}, away for {await _kill(world, broker, chance)} s"


async def kill_the_controller(world: BrokersWorld, chance: random.Random) -> str:
    """`kill -9` of the active controller, which is a broker, too."""
    broker = world.cluster.controller()
    return f"kill -9 controller {broker.node}, away for {await _kill(world, broker, chance)} s"


async def freeze_a_leader(world: BrokersWorld, chance: random.Random) -> str:
    """SIGSTOP for longer than its session; it goes on as if it still led."""
    broker = await _leader(world, chance)
    seconds = world.cluster.session_seconds + LONGER
    broker.freeze()
    try:
        await asyncio.sleep(seconds)
    finally:
        broker.thaw()
    return f"freeze leader {broker.node} for {seconds} s"


async def kill_every_broker(world: BrokersWorld, chance: random.Random) -> str:
    """A power cut of the cluster, as far as processes can tell."""
    world.cluster.kill()
    await asyncio.sleep(chance.choice([0.0, 3.0]))
    brokers = list(world.cluster.brokers)
    chance.shuffle(brokers)
    for broker in brokers:
        await asyncio.to_thread(broker.start, wait=False)
    return "kill -9 every broker"


async def cut_a_broker(world: BrokersWorld, chance: random.Random) -> str:
    """Every connection to a broker is cut, several times, in the middle of what it carries."""
    broker, network = chance.choice(list(world.networks.items()))
    return f"{await network.cut(chance)} resets of every connection to broker {broker.node}"


async def hold_a_broker(world: BrokersWorld, chance: random.Random) -> str:
    """The network to a broker swallows everything for a while, then delivers it.

    The controllers still hear of it, so what it leads stays with it, and nobody can copy that.
    """
    broker, network = chance.choice(list(world.networks.items()))
    seconds = chance.choice([1.0, 4.0, world.cluster.session_seconds + LONGER])
    await network.hold_for(seconds)
    return f"nothing passes to broker {broker.node} for {seconds} s"


async def part_from_a_leader(world: BrokersWorld, chance: random.Random) -> str:
    """Who leads the partition of a site cannot be reached at all, and does not know of it."""
    broker = await _leader(world, chance)
    seconds = chance.uniform(1, world.cluster.session_seconds + LONGER)
    await world.networks[broker].refuse_for(seconds)
    return f"leader {broker.node} cannot be reached for {seconds:.1f} s"


async def leave_ingests_in_doubt(world: BrokersWorld, chance: random.Random) -> str:
    """Two brokers stand still in the middle of appends, and every ingest is killed with a spool."""
    standing = chance.sample(world.cluster.brokers, 2)
    ingests = world.ingests()
    try:
        for broker in standing:
            broker.freeze()
        deadline = time.monotonic() + faults.LONG_PAUSE
        spooled = False
        while not spooled and time.monotonic() < deadline:
            await asyncio.sleep(0.2)
            spooled = all([await asyncio.to_thread(faults.has_spooled, one.url) for one in ingests])
        for service in ingests:
            service.kill()
    finally:
        for broker in standing:
            broker.thaw()
    left = sum(file.stat().st_size for file in world.spools.glob("*/*"))
    chance.shuffle(ingests)
    first, *others = ingests
    await faults.start_together((first,))
    await faults.start_together(others)
    return f"kill -9 of every ingest with {left} bytes in the spools"


async def kill_an_aggregator(world: BrokersWorld, chance: random.Random) -> str:
    """`kill -9` of an aggregator, which comes back once the other has what was its."""
    name = chance.choice([name for name in world.services if name.startswith("aggregator")])
    service = world.services[name]
    pid = service.pid
    service.kill()
    seconds = await world.until_taken_over(service, pid)
    await faults.start_together((service,))
    return f"kill -9 {name}, taken over after {seconds:.1f} s"


async def kill_an_ingest(world: BrokersWorld, chance: random.Random) -> str:
    """`kill -9` of an ingest in the middle of appends; it comes back at once."""
    service = chance.choice(world.ingests())
    service.kill()
    await faults.start_together((service,))
    return f"kill -9 {service.name}"


OF_BROKERS: tuple[BrokersFault, ...] = (
    kill_a_leader,
    kill_the_controller,
    freeze_a_leader,
    kill_a_leader,
    kill_the_controller,
    freeze_a_leader,
    kill_every_broker,
    cut_a_broker,
    hold_a_broker,
    part_from_a_leader,
    hold_a_broker,
    part_from_a_leader,
)
OF_SERVICES: tuple[BrokersFault, ...] = (
    leave_ingests_in_doubt,
    kill_an_aggregator,
    kill_an_ingest,
    kill_an_ingest,
    kill_an_aggregator,
    faults.kill_a_service,
    faults.restart_a_service,
    faults.freeze_a_service,
)
