"""A client of a Redis Cluster.

Not the one of redis-py 8.1, which sends ASKING on another connection than the command, closes the
connections of all calls when one of them is redirected, puts arguments into error texts, and raises
errors that are not a RedisError.
"""

import asyncio
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple, cast

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.crc import key_slot
from redis.exceptions import (
    AskError,
    ExecAbortError,
    MovedError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

from services.model.cluster_address import ClusterAddress
from services.redis_client.routing import Hold, Routed, RoutedRedis
from services.redis_client.slots import Node, Slots, to_any_node
from services.redis_client.wire import Command, exchange, packed

MOVING_SECONDS = 2.0
"""How long a call waits for keys that are being moved to another node."""
_PAUSE_SECONDS = 0.02
_ROUNDS_AT_ONCE = 3
_ANYWHERE = frozenset({"PING", "PUBLISH", "CLUSTER INFO"})
_EVERYWHERE = frozenset({"SCRIPT LOAD", "SCRIPT EXISTS"})
_OF_A_SERVER = frozenset({"INFO", "TIME", "CONFIG GET", "SCAN", "DBSIZE", "FLUSHALL", "SHUTDOWN"})
_SCRIPTS = frozenset({"EVAL", "EVALSHA"})


class _Sent(NamedTuple):
    """A command to send.

    place   index of its reply; None for one that only touches a key to wait for its replicas
    asking  the node that accepts it although the slot still belongs to another one
    """

    place: int | None
    command: Command
    slot: int
    asking: Node | None = None


class ClusterRedis(RoutedRedis):
    """See RoutedRedis; its own pool connects to any node, which is right for pub/sub channels."""

    def __init__(self, url: str, connect: Callable[..., Redis], options: Mapping[str, Any]) -> None:
        """Prepare without connecting; `connect` returns a client of the node at a URL.

        Raises ValueError if the URL does not name a cluster.
        """
        address = ClusterAddress.parse(url)
        self._slots = Slots(address, lambda node: connect(node, **options))
        pool = connect(address.node(*address.hosts[0]), **options).connection_pool
        pool.connection_class = to_any_node(pool.connection_class, self._slots.known)
        super().__init__(connection_pool=pool)
        self.auto_close_connection_pool = True

    async def route(
        self, commands: Sequence[Command], hold: Hold | None = None, *, once: bool = False
    ) -> Routed:
        """See RoutedRedis."""
        replies: list[Any] = [None] * len(commands)
        holding = 0 if hold is None else hold.replicas
        if not commands:
            return Routed(replies, holding)
        slots = [_slot(command) for command in commands]
        pending = [
            _Sent(place, command, slot)
            for place, (command, slot) in enumerate(zip(commands, slots, strict=True))
        ]
        until = asyncio.get_running_loop().time() + MOVING_SECONDS
        for number in count():
            await self._slots.current()
            sending, pending = self._groups(pending), []
            for node, answers in (await self._together(sending, hold, number == 0, once)).items():
                group = sending[node]
                if answers is None:
                    pending += group
                    continue
                done: list[_Sent] = []
                for sent, answer in zip(group, answers, strict=False):
                    again = self._again(sent, answer, node)
                    if again is not None and asyncio.get_running_loop().time() < until:
                        pending.append(again)
                        continue
                    if sent.place is None:
                        holding = 0 if isinstance(answer, ResponseError) else holding
                    else:
                        replies[sent.place] = _in_motion() if again is not None else answer
                    if not isinstance(answer, ResponseError):
                        done.append(sent)
                if hold is not None and done:
                    held, untouched = _held(group, done, answers, hold)
                    holding = min(holding, held)
                    pending += untouched
            if not pending:
                return Routed(replies, holding)
            if number >= _ROUNDS_AT_ONCE:
                await asyncio.sleep(_PAUSE_SECONDS)
        raise AssertionError("it counts for ever")

    def _groups(self, pending: list[_Sent]) -> dict[Node, list[_Sent]]:
        groups: dict[Node, list[_Sent]] = {}
        for sent in pending:
            groups.setdefault(sent.asking or self._slots.node(sent.slot), []).append(sent)
        return groups

    async def _together(
        self, groups: Mapping[Node, list[_Sent]], hold: Hold | None, again: bool, once: bool
    ) -> dict[Node, list[Any] | None]:
        """Send each node its commands, and return the replies once all nodes are done.

        With `again` and not `once`, they are None for a node that was lost and replaced. Raises any
        other failure.
        """
        answers = await asyncio.gather(
            *(self._to(node, group, hold, once) for node, group in groups.items()),
            return_exceptions=True,
        )
        replies: dict[Node, list[Any] | None] = {}
        for (node, group), answer in zip(groups.items(), answers, strict=True):
            if not isinstance(answer, BaseException):
                replies[node] = answer
                continue
            if once or not (again and isinstance(answer, RedisConnectionError)):
                raise answer
            await self._slots.current()
            if any(self._slots.node(sent.slot) == node for sent in group):
                raise answer
            replies[node] = None
        return replies

    async def _to(self, node: Node, group: list[_Sent], hold: Hold | None, once: bool) -> list[Any]:
        """Return a node's replies to commands, followed by those about its replicas."""
        wire: list[Command] = []
        shown: list[int] = []
        for sent in group:
            if sent.asking is not None:
                wire.append(("ASKING",))
            shown.append(len(wire))
            wire.append(sent.command)
        if hold is not None:
            if hold.touch is not None:
                if group[-1].asking is not None:
                    wire.append(("ASKING",))
                shown.append(len(wire))
                wire.append(("EVAL", hold.touch, 1, _key(group[-1].command)))
            shown.append(len(wire))
            wire.append(("WAIT", hold.replicas, hold.wait_ms))
        replies = await self._exchange(node, wire, once)
        return [replies[place] for place in shown]

    async def _exchange(self, node: Node, wire: Sequence[Command], once: bool = False) -> list[Any]:
        pool = self._slots.client(node).connection_pool
        try:
            connection = await pool.get_connection()  # type: ignore[no-untyped-call]
            try:
                replies = await exchange(connection, list(map(packed, wire)), once=once)
            finally:
                await pool.release(connection)
        except BaseException:
            # Also if the caller has stopped waiting: a node that hangs may be replaced, too.
            self._slots.doubt(node)
            raise
        self._slots.trust(node)
        return replies

    def _again(self, sent: _Sent, answer: Any, node: Node) -> _Sent | None:
        """Return how to send a command again; None if its answer is final."""
        if isinstance(answer, MovedError):
            self._slots.moved(sent.slot, (answer.host or node[0], answer.port))
            return sent._replace(asking=None)
        if isinstance(answer, AskError):
            return sent._replace(asking=(answer.host or node[0], answer.port))
        return sent if isinstance(answer, TryAgainError) else None

    async def transact(self, commands: Sequence[Command]) -> list[Any]:
        """Return the replies to a transaction on keys of one slot. Raises RedisError."""
        slots = {_slot(command) for command in commands}
        if len(slots) != 1:
            raise RedisError("a cluster has no transaction over keys of several slots")
        [slot] = slots
        until = asyncio.get_running_loop().time() + MOVING_SECONDS
        while True:
            await self._slots.current()
            node = self._slots.node(slot)
            answers = await self._exchange(node, [("MULTI",), *commands, ("EXEC",)])
            errors = [answer for answer in answers if isinstance(answer, ResponseError)]
            if not errors:
                return cast("list[Any]", answers[-1])
            error = errors[0] if isinstance(answers[-1], ExecAbortError) else answers[-1]
            if not isinstance(error, AskError | TryAgainError):
                raise error
            if asyncio.get_running_loop().time() > until:
                raise _in_motion()
            if isinstance(error, MovedError):
                self._slots.moved(slot, (error.host or node[0], error.port))
            else:
                # A node accepts no transaction for a slot that is still being moved to it.
                await asyncio.sleep(_PAUSE_SECONDS)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send one command; for commands about a single server, use `masters`."""
        if args[0] in _OF_A_SERVER:
            raise RedisError(f"{args[0]} is of one server, not of a cluster")
        if args[0] in _EVERYWHERE:
            answers = [
                await client.execute_command(*args, **options)  # type: ignore[no-untyped-call]
                for client in (await self.masters()).values()
            ]
            return answers[0]
        [answer] = (await self.route([args])).replies
        if isinstance(answer, ResponseError):
            raise answer
        return await self.parsed(args[0], answer, options)

    async def parsed(self, name: str, answer: Any, options: Mapping[str, Any]) -> Any:
        """Return the answer to a command, parsed as redis-py's client does."""
        if name not in self.response_callbacks:
            return answer
        given = {key: value for key, value in options.items() if key != "keys"}
        parsed = self.response_callbacks[name](answer, **given)
        return await parsed if inspect.isawaitable(parsed) else parsed

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """Return a pipeline; in a transaction, all its keys must be in one slot."""
        return _ClusterPipeline(self, transaction)

    async def delete(self, *names: Any) -> int:
        """Delete keys, each separately; return how many existed."""
        return sum(await self._each("DEL", names))

    async def mget(self, keys: Iterable[Any], *args: Any) -> list[Any]:
        """Return the values of keys, each read separately."""
        return await self._each("GET", [*keys, *args])

    async def _each(self, name: str, keys: Sequence[Any]) -> list[Any]:
        answers = (await self.route([(name, key) for key in keys])).replies
        for answer in answers:
            if isinstance(answer, ResponseError):
                raise answer
        return answers

    async def masters(self) -> Mapping[str, Redis]:
        """See RoutedRedis."""
        await self._slots.current()
        return {
            f"{host}:{port}": self._slots.client((host, port))
            for host, port in self._slots.masters()
        }

    async def master_of(self, key: str) -> str:
        """See RoutedRedis."""
        await self._slots.current()
        try:
            host, port = self._slots.node(_slot(("GET", key)))
        except RedisConnectionError:
            return "no master"
        return f"{host}:{port}"

    async def disconnect(self) -> None:
        """See RoutedRedis."""
        await self._slots.disconnect()
        await self.connection_pool.disconnect()

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close every connection."""
        await self._slots.close()
        await super().aclose(close_connection_pool)


class _ClusterPipeline(Pipeline):
    """Collects commands as redis-py's does, and sends them to the masters of their keys."""

    def __init__(self, cluster: ClusterRedis, transaction: bool) -> None:
        super().__init__(
            cluster.connection_pool, cluster.response_callbacks, transaction, shard_hint=None
        )
        self._cluster = cluster

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Send the collected commands and return the replies; raise the first error among them."""
        stack = list(self.command_stack)
        await self.reset()  # type: ignore[no-untyped-call]
        commands = [args for args, _ in stack]
        if not commands:
            return []
        if self.is_transaction:
            answers = await self._cluster.transact(commands)
        else:
            answers = (await self._cluster.route(commands)).replies
        parsed: list[Any] = []
        for (args, options), answer in zip(stack, answers, strict=True):
            if isinstance(answer, ResponseError):
                if raise_on_error:
                    raise answer
                parsed.append(answer)
            else:
                parsed.append(await self._cluster.parsed(str(args[0]), answer, options))
        return parsed


def _in_motion() -> ResponseError:
    return ResponseError("its keys are being moved from one node of the cluster to another")


def _key(command: Command) -> Any:
    return command[3] if command[0] in _SCRIPTS else command[1]


def _slot(command: Command) -> int:
    if command[0] in _ANYWHERE:
        return 0
    key = _key(command)
    return key_slot(key if isinstance(key, bytes) else str(key).encode())


def _held(
    group: Sequence[_Sent], done: Sequence[_Sent], answers: Sequence[Any], hold: Hold
) -> tuple[int, list[_Sent]]:
    """Return how many replicas have the writes, and what still has to be touched to know it."""
    waited = answers[-1] if isinstance(answers[-1], int) else 0
    if hold.touch is None:
        return waited, []
    touched, last = answers[len(group)], _key(group[-1].command)
    if touched == 1:
        return waited, []
    if isinstance(touched, ResponseError) and not isinstance(touched, AskError | TryAgainError):
        return 0, []
    # Its key is being moved, or does not exist; the writes to other keys happened all the same.
    keys = {_key(sent.command): sent.slot for sent in done}
    if touched == 0:
        keys.pop(last, None)
    return hold.replicas, [
        _Sent(None, ("EVAL", hold.touch, 1, key), slot) for key, slot in keys.items()
    ]
