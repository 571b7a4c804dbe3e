"""Which node of a Redis Cluster serves which keys, as far as is known."""

import asyncio
import random
from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from services.model.cluster_address import ClusterAddress

Node = tuple[str, int]
"""Host and port."""

_ASKED_SECONDS = 1.0
"""How long a node may take to list the others; then another one is asked."""


class Slots:
    """The masters of a cluster, each with its own client, and the slots that they serve.

    This may be out of date at any time: a node that no longer serves a key says so, and names the
    one that does.
    """

    def __init__(self, address: ClusterAddress, open_node: Callable[[str], Redis]) -> None:
        """`open_node` returns a client of the node at a URL."""
        self._address = address
        self._open = open_node
        self._clients: dict[Node, Redis] = {}
        self._first: list[int] = []
        self._ranges: list[tuple[int, Node]] = []
        self._moved: dict[int, Node] = {}
        self._doubted: set[Node] = set()
        self._stale = True
        self._asking = asyncio.Lock()

    def known(self) -> list[Node]:
        """Return nodes in the order in which to try them for what any node can answer."""
        served = {node for _, node in self._ranges} | set(self._moved.values())
        nodes = [*served, *(node for node in self._address.hosts if node not in served)]
        random.shuffle(nodes)
        # Seeds may be other names of the same nodes, so they come last.
        return sorted(nodes, key=lambda node: (node in self._doubted, node not in served))

    async def current(self) -> None:
        """Look up the slots if they are not known. Raises RedisError."""
        if self._stale:
            async with self._asking:
                if self._stale:
                    await self._learn()

    def node(self, slot: int) -> Node:
        """Return the master of a slot. Raises RedisConnectionError if it has none."""
        if (node := self._moved.get(slot)) is not None:
            return node
        place = bisect_right(self._first, slot) - 1
        if place < 0 or slot > self._ranges[place][0]:
            self._stale = True
            raise RedisConnectionError(f"no node of the cluster serves slot {slot}")
        return self._ranges[place][1]

    def masters(self) -> list[Node]:
        """Return every master that serves slots."""
        return sorted({node for _, node in self._ranges} | set(self._moved.values()))

    def client(self, node: Node) -> Redis:
        """Return the client of a node."""
        if (client := self._clients.get(node)) is None:
            client = self._clients[node] = self._open(self._address.node(*node))
        return client

    def moved(self, slot: int, node: Node) -> None:
        """Record that another node serves a slot."""
        self._moved[slot] = node
        self._stale = True

    def doubt(self, node: Node) -> None:
        """Record that a node did not answer: others may have taken its place."""
        self._doubted.add(node)
        self._stale = True

    def trust(self, node: Node) -> None:
        """Record that a node answers."""
        self._doubted.discard(node)

    async def disconnect(self) -> None:
        """Close connections; later calls open new ones."""
        for client in self._clients.values():
            await client.connection_pool.disconnect()

    async def close(self) -> None:
        """Close every client."""
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    async def _learn(self) -> None:
        failure: Exception | None = None
        for node in self.known():
            try:
                async with asyncio.timeout(_ASKED_SECONDS):
                    reply: Any = self.client(node).execute_command("CLUSTER", "SLOTS")  # type: ignore[no-untyped-call]
                    slots: Any = await reply
            except ResponseError as error:
                if "cluster support disabled" in str(error):
                    raise RedisError(
                        "this server is not of a Redis Cluster; write redis:// in its URL"
                    ) from None
                failure = error
            except (RedisError, OSError) as error:
                self._doubted.add(node)
                failure = error
            else:
                self._take(slots, node)
                await self._leave_others()
                return
        if isinstance(failure, RedisError) and not isinstance(failure, RedisTimeoutError):
            raise failure
        raise RedisConnectionError(f"no node of the cluster at {self._address} answers")

    def _take(self, slots: list[list[Any]], teller: Node) -> None:
        ranges = sorted(
            (int(first), int(last), (_text(master[0]) or teller[0], int(master[1])))
            for first, last, master, *_ in slots
        )
        self._first = [first for first, _, _ in ranges]
        self._ranges = [(last, node) for _, last, node in ranges]
        self._moved.clear()
        self._doubted.discard(teller)
        self._stale = False

    async def _leave_others(self) -> None:
        """Close idle connections to nodes that are no longer masters; others may finish calls."""
        masters = self.masters()
        for node, client in self._clients.items():
            if node not in masters:
                await client.connection_pool.disconnect(inuse_connections=False)


def to_any_node(kind: type[Any], nodes: Callable[[], Iterable[Node]]) -> type[Any]:
    """Return a class of connections to whichever node can be reached."""

    class AnyNodeConnection(kind):  # type: ignore[misc]
        async def _connect(self) -> None:
            failure: OSError | None = None
            for self.host, self.port in nodes():
                try:
                    await super()._connect()
                except OSError as error:
                    failure = error
                else:
                    return
            raise failure or OSError("the URL of the cluster names no node")

    return AnyNodeConnection


def _text(host: bytes | str | None) -> str:
    """Return a host as reported by a node; '' if that stands for the node itself."""
    text = host.decode() if isinstance(host, bytes) else host or ""
    return "" if text == "?" else text
