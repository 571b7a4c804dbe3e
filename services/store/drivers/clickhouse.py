"""The store on a ClickHouse server, over the native protocol."""

import logging
import socket
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import msgspec
from clickhouse_driver import Client, errors

from services.store.cluster import check, layout, replication
from services.store.drivers import session_settings
from services.store.drivers.address import ANSWER_SECONDS, Address
from services.store.drivers.faults import MISFIT, fault, misfit
from services.store.drivers.parameters import bind
from services.store.drivers.threaded import StoreSession, ThreadedStore
from services.store.interface import Ddl, Limits, Row, StoreError, StoreUnavailableError

T = TypeVar("T")

THREADS = 4
STREAM_ROWS = 50_000
CHECK_SECONDS = 10.0
"""How long a server may be silent before it counts as down, in statements for all servers."""

# Its warnings repeat, with a traceback, what our errors say.
logging.getLogger("clickhouse_driver").setLevel(logging.ERROR)


class ClickHouseStore(ThreadedStore):
    """A store on a server, or on the first of several that answers."""

    def __init__(
        self,
        url: str | Address,
        threads: int = THREADS,
        answer_seconds: float | None = None,
        settings: Mapping[str, int] | None = None,
        *,
        gives_up: bool = False,
    ) -> None:
        if isinstance(url, str):
            limit = ANSWER_SECONDS if answer_seconds is None else answer_seconds
            url = msgspec.structs.replace(Address.parse(url), answer_seconds=limit)
        self.address = url
        self._shards = url.shards
        self._settings = settings or {}
        self._of_shards: list[list[ClickHouseStore]] = []
        super().__init__(threads, gives_up=gives_up)

    def __repr__(self) -> str:
        """Return where the server is, without the password."""
        return f"<ClickHouseStore {self.address!r}>"

    def connect(self) -> StoreSession:
        """Return a new session; it connects with its first call."""
        return ServerSession(self.address, settings=self._settings)

    def by_host(self) -> "list[ClickHouseStore]":
        """Return a store for each host."""
        return [self._at([host]) for host in self.address.hosts]

    async def servers(self) -> "Sequence[ClickHouseStore]":
        """Return a store for each server of the cluster; see Store."""
        if self._shards is None:
            return (self,)
        return [host for of_shard in await self._by_shard() for host in of_shard]

    async def close(self) -> None:
        """Close every connection; see Store."""
        await super().close()
        while self._of_shards:
            for host in self._of_shards.pop():
                await host.close()

    def limited(self, limits: Limits) -> "ClickHouseStore":
        """Return the same server with limits; see Store."""
        return ClickHouseStore(
            self.address, limits.calls, settings=limits.settings(), gives_up=True
        )

    def ddl(self, statement: str) -> tuple[Ddl, ...]:
        """Return the statements for all servers; see Store."""
        return super().ddl(statement) if self._shards is None else self._shards.ddl(statement)

    async def owners(self, statement: Ddl) -> "Sequence[ClickHouseStore]":
        """Return the leader of the changed table in each shard; see Store."""
        if self._shards is None or not statement.changes:
            return (self,)
        of_shards = await self._by_shard()
        if not statement.by_shard:
            of_shards = [[host for of_shard in of_shards for host in of_shard]]
        return [await replication.leader(hosts, statement.changes) for hosts in of_shards]

    async def _by_shard(self) -> "Sequence[Sequence[ClickHouseStore]]":
        if not self._of_shards:
            known = await layout.load(self, self.address.cluster)
            self._of_shards = [[self._at([host]) for host in hosts] for hosts in known.servers]
        return self._of_shards

    def _at(self, hosts: Sequence[layout.Host]) -> "ClickHouseStore":
        return ClickHouseStore(self._at_address(hosts), settings=self._settings)

    def _at_address(self, hosts: Sequence[layout.Host]) -> Address:
        return msgspec.structs.replace(self.address, hosts=tuple(hosts))

    def stored(self, table: str) -> str:
        """Return the name of the table that stores the rows; see Store."""
        return table if self._shards is None else self._shards.stored(table)

    def shown(self, stored: str) -> str:
        """Return the name by which a stored table is read; see Store."""
        return stored if self._shards is None else self._shards.shown(stored)

    def system(self, table: str) -> str:
        """Return the expression that reads a table of `system`; see Store."""
        return super().system(table) if self._shards is None else self._shards.system(table)

    async def clear(self, table: str) -> None:
        """Remove all rows of a table; see Store."""
        if self._shards is None:
            await super().clear(table)
            return
        # In 18.16, TRUNCATE of a replicated table and a merge of it deadlock.
        rows = await self.execute(
            f"SELECT DISTINCT partition FROM {self.system('parts')}"  # noqa: S608  # names of ours
            " WHERE active AND table = %(table)s",
            {"table": self.stored(table)},
        )
        for (partition,) in rows:
            await self.execute_ddl(f"ALTER TABLE {table} DROP PARTITION {partition}")

    async def check_servers(self) -> None:
        """Make sure that all servers of the cluster can create tables; see Store."""
        if self._shards is not None:
            await self._run(lambda _: self._check_servers())

    def _check_servers(self) -> None:
        # All servers have a database `system`, which every account may query.
        asking = ServerSession(self.address, database="system")
        try:
            rows = asking.execute(bind(layout.CLUSTER, {"cluster": self.address.cluster}))
        finally:
            asking.close()
        present = layout.of_rows(rows, self, self.address.cluster)
        check.refuse_unfit(self.address.cluster, present, self._ask)

    def _ask(self, host: layout.Host, sql: str) -> list[Row]:
        seconds = min(CHECK_SECONDS, self.address.answer_seconds)
        address = msgspec.structs.replace(self._at_address([host]), answer_seconds=seconds)
        session = ServerSession(address, database="system")
        try:
            return session.execute(sql)
        finally:
            session.close()

    async def prepare(self) -> None:
        """Create the database if it is missing."""
        await self._run(lambda _: self._create_database())

    def _create_database(self) -> None:
        # Creating needs a right that the account of a running service may lack.
        probe = ServerSession(self.address)
        self._sessions.append(probe)
        try:
            probe.execute("SELECT 1")
        except UnknownDatabaseError:
            if self.address.cluster:
                self._check_servers()
            creator = ServerSession(self.address, database="default")
            try:
                on = f" ON CLUSTER {self.address.cluster}" if self.address.cluster else ""
                creator.execute(f"CREATE DATABASE IF NOT EXISTS {self.address.database}{on}")
            finally:
                creator.close()
        finally:
            probe.close()
            self._sessions.remove(probe)


class UnknownDatabaseError(StoreError):
    """The server has no database of that name; `luot migrate` creates it."""


class ServerSession(StoreSession):
    """One connection to the server; connects when needed."""

    def __init__(
        self,
        address: Address,
        database: str | None = None,
        settings: Mapping[str, int] | None = None,
    ) -> None:
        self._address = address
        self._settings = settings or {}
        self._client = address.client(database or address.database)
        self._cut_off = False

    def execute(self, sql: str) -> list[Row]:
        """Run one statement without parameters."""
        return self._call(lambda client: list(client.execute(sql)))

    def blocks(self, sql: str) -> Generator[list[Row], None, None]:
        """Run one statement without parameters; yields its rows as they arrive.

        Closing the session ends it early. If the connection is lost halfway, it is not retried.
        """
        yield from self._explained(
            self._call(lambda client: client.execute_iter(sql, chunk_size=STREAM_ROWS))
        )

    def _explained(self, blocks: Iterator[list[Row]]) -> Iterator[list[Row]]:
        try:
            yield from blocks
        except Exception as error:
            _disconnect(self._client)
            # The driver's own error contains the statement, values included.
            raise self._explain(error) from None

    def insert(self, table: str, types: Sequence[tuple[str, str]], columns: Sequence[Any]) -> None:
        """Insert columns; they are not modified, in case of a retry."""
        sql = f"INSERT INTO {table} ({', '.join(name for name, _ in types)}) VALUES"
        self._call(lambda client: client.execute(sql, list(columns), columnar=True))

    def close(self) -> None:
        """Close the connection."""
        _disconnect(self._client)

    def interrupt(self) -> None:
        """Cancel the running statement, from another thread; later ones reconnect.

        Disconnecting does not suffice: version 18.16 keeps working for a client that has left.
        """
        super().interrupt()
        connection = self._client.connection
        with suppress(OSError, EOFError):
            if connection.connected:
                connection.send_cancel()

    def cut_off(self) -> None:
        """Make the running call fail, from another thread, and every later one."""
        self._cut_off = True
        connected = self._client.connection.socket
        if connected is not None:
            with suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)

    def _call(self, call: Callable[[Client], T]) -> T:
        # A call may have reached the server before its connection was lost. Retrying it is safe
        # nevertheless: rows inserted twice are one row, and statements create only what is missing.
        try:
            return self._attempt(call)
        except (_ConnectionLostError, _RightsError):
            if self.is_interrupted():
                raise
            return self._attempt(call)

    def _attempt(self, call: Callable[[Client], T]) -> T:
        client = self._client
        if self._cut_off:
            raise StoreUnavailableError("the store is closed")
        try:
            if not client.connection.connected:
                client.connection.connect()
                client.settings = session_settings.of(
                    client.connection.server_info, on_shards=bool(self._address.cluster)
                ) | dict(self._settings)
            if self.is_interrupted():
                raise StoreUnavailableError("nobody waits for this statement")
            result = call(client)
        except Exception as error:
            _disconnect(client)
            # The driver's own error contains the statement, values included.
            raise self._explain(error) from None
        if self.is_interrupted():
            # The server may take what was sent for the beginning of the next call.
            _disconnect(client)
        return result

    def _explain(self, error: Exception) -> Exception:
        where = str(self._address)
        match error:
            case errors.SocketTimeoutError() | TimeoutError():
                return StoreUnavailableError(f"no answer in time from {where}: {error}")
            case errors.NetworkError() | OSError() | EOFError():
                # The next attempt begins with the next host.
                self._client.connection.hosts.rotate(-1)
                return _ConnectionLostError(f"no connection to {where}: {_text(error)}")
            case errors.UnexpectedPacketFromServerError() | errors.PartiallyConsumedQueryError():
                return StoreUnavailableError(f"{where} answers out of turn: {_text(error)}")
            case errors.ServerException(code=errors.ErrorCodes.UNKNOWN_DATABASE):
                return UnknownDatabaseError(
                    f"{where}: there is no database {self._address.database!r}; 'luot migrate'"
                    " creates it"
                )
            case errors.ServerException(code=errors.ErrorCodes.READONLY):
                return _RightsError(str(fault(error.code, error.message)))
            case errors.ServerException(code=errors.ErrorCodes.UNKNOWN_TABLE) if (
                _ON_A_SERVER in error.message
            ):
                # Another migration is recreating it right now; see Shards.
                return StoreUnavailableError(str(fault(error.code, error.message)))
            case errors.ServerException():
                return fault(error.code, error.message)
            case _:
                return misfit(error) if isinstance(error, MISFIT) else error


_ON_A_SERVER = "There was an error on ["
"""Prefix of the answer to a statement for a whole cluster that failed."""


class _ConnectionLostError(StoreUnavailableError):
    pass


class _RightsError(StoreUnavailableError):
    """Rights are those at the time of connecting: a new connection may have more."""


def _disconnect(client: Client) -> None:
    # The driver's block reader refers to itself, and to a megabyte of buffer; a service that rarely
    # collects cycles would keep that for every connection that it has ever had.
    blocks = client.connection.block_in
    client.disconnect()
    if blocks is not None:
        blocks.fin = None


def _text(error: Exception) -> str:
    return str(getattr(error, "message", None) or error) or type(error).__name__
