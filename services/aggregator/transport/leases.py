"""Who owns which partition: leases, shared evenly among the live workers."""

from collections.abc import Callable

from services.aggregator.transport.broker import Broker

DEFAULT_LEASE_SECONDS = 9.0


def share(workers: list[str], worker: str, partitions: int) -> int:
    """Return how many partitions a worker may own; the first workers share the remainder."""
    if worker not in workers:
        return 0
    whole, rest = divmod(partitions, len(workers))
    return whole + (workers.index(worker) < rest)


class Leases:
    """The partitions of one worker.

    A lease that cannot be renewed in time is lost, even if the log is unreachable: another worker
    may have it by then. Two owners for a moment do no harm (the fold is a function of the log);
    they only do the work twice.
    """

    def __init__(
        self, broker: Broker, worker: str, partitions: int, ttl: float, clock: Callable[[], float]
    ) -> None:
        self.worker = worker
        self.held: frozenset[int] = frozenset()
        self._broker = broker
        self._partitions = partitions
        self._ttl = ttl
        self._clock = clock
        self._renewed = clock()
        self._surplus: set[int] = set()

    async def tick(self) -> frozenset[int]:
        """Renew leases, mark those over the share, take free ones; return what is held now.

        Partitions over the share are no longer held, but their leases are kept until `release`, so
        that work on them can stop first.
        """
        started = self._clock()
        try:
            alive = await self._broker.workers(self.worker, self._ttl)
            owned = await self._broker.renew(self.worker, self.held, self._ttl)
            fair = share(alive, self.worker, self._partitions)
            surplus = set(sorted(owned)[fair:])
            if len(owned) < fair:
                owned |= await self._take(fair - len(owned), owned)
        except self._broker.unavailable:
            if started - self._renewed > self._ttl:
                self.held = frozenset()
            raise
        self._renewed = started
        self._surplus |= surplus
        self.held = frozenset(owned - surplus)
        return self.held

    async def _take(self, count: int, owned: set[int]) -> set[int]:
        everything = range(self._partitions)
        owners = await self._broker.owners(everything)
        taken: set[int] = set()
        for partition in everything:
            if len(taken) == count:
                break
            free = partition not in owned and owners.get(partition, self.worker) == self.worker
            if free and await self._broker.acquire(self.worker, partition, self._ttl):
                taken.add(partition)
        return taken

    async def release(self) -> None:
        """Release the leases over the share, once the work on their partitions has stopped."""
        if surplus := self._surplus:
            self._surplus = set()
            await self._broker.release(self.worker, surplus, leave=False)

    async def leave(self) -> None:
        """Release every lease and stop being counted; the others take over at once."""
        leases, self.held = self.held | self._surplus, frozenset()
        await self._broker.release(self.worker, leases, leave=True)
