"""Common to both drivers: blocking sessions, one per thread of a small pool, behind asyncio."""

import asyncio
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import date
from typing import Any, TypeVar

from services.model.calendar import to_day
from services.runtime import tracing
from services.store.drivers import column_types
from services.store.drivers.faults import without_values
from services.store.drivers.parameters import bind
from services.store.interface import InsertColumn, Row, Store, StoreError
from services.store.native_column import NativeColumn

T = TypeVar("T")

MAX_QUERY_BYTES = 16 << 20
"""Longest statement; the server's default limit of 256 KiB is too small for long lists of keys."""
MAX_ELEMENTS = 2_000_000
"""Most syntax elements of a statement; old servers count each value of a list."""
_TABLE = re.compile(r"\b(?:FROM|INTO|TABLE)\s+(\w+)")
_LAST_DAY = (1 << 16) - 1
_LEFT_AS_THEY_ARE = ("String", "LowCardinality", "UInt")
CLOSE_SECONDS = 5.0
"""How long running calls may take to finish when the store is closed; then they are cut off."""

column_types.register()


class StoreSession(ABC):
    """One blocking connection; used by one thread only.

    interrupted  whether nobody waits for the running call any more
    """

    interrupted = False

    @abstractmethod
    def execute(self, sql: str) -> list[Row]:
        """Run one statement without parameters."""

    @abstractmethod
    def blocks(self, sql: str) -> Generator[list[Row], None, None]:
        """Run one statement without parameters; yields its rows as they arrive."""

    @abstractmethod
    def insert(self, table: str, types: Sequence[tuple[str, str]], columns: Sequence[Any]) -> None:
        """Insert columns; `types` are their names and types, in the same order."""

    @abstractmethod
    def close(self) -> None:
        """Release the connection."""

    def is_interrupted(self) -> bool:
        """Return the current value of `interrupted`: another thread may have set it."""
        return self.interrupted

    def interrupt(self) -> None:
        """Make the running call fail, from another thread; later ones are not affected."""
        self.interrupted = True

    def cut_off(self) -> None:  # noqa: B027  # an engine in this process always answers
        """Make the running call fail, from another thread, and every later one."""


class ThreadedStore(Store):
    """A store that runs each call in a thread with its own session."""

    def __init__(self, threads: int, *, gives_up: bool = False) -> None:
        """Prepare; `gives_up` also cancels abandoned statements in the store."""
        self._gives_up = gives_up
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="store")
        self._local = threading.local()
        self._sessions: list[StoreSession] = []
        self._types: dict[str, dict[str, str]] = {}

    @abstractmethod
    def connect(self) -> StoreSession:
        """Return a new session for the calling thread."""

    async def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """Run one statement and return its rows; see Store."""
        with _traced(sql), _without_values(parameters):
            return await self._run(lambda session: session.execute(bind(sql, parameters)))

    async def stream(
        self, sql: str, parameters: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[list[Row], None]:
        """Run one statement and return its rows in blocks; see Store."""
        # Its own thread and session: the result occupies both until its end.
        with ThreadPoolExecutor(1, thread_name_prefix="store-stream") as thread:

            def run(call: Callable[[], T]) -> asyncio.Future[T]:
                return asyncio.wrap_future(thread.submit(call))

            session = await run(self.connect)
            blocks = session.blocks(bind(sql, parameters))
            try:
                while True:
                    with _without_values(parameters):
                        block = await run(lambda: next(blocks, None))
                    if block is None:
                        break
                    yield block
            finally:
                await run(blocks.close)
                await run(session.close)

    async def insert(self, table: str, columns: Mapping[str, InsertColumn]) -> None:
        """Insert rows given as columns of one length; see Store."""
        rows = {name: len(values) for name, values in columns.items()}
        if len(set(rows.values())) != 1:
            raise StoreError(f"columns of {table} differ in length: {rows}")
        if any(rows.values()):
            with _traced(f"INSERT INTO {table}"):
                await self._run(lambda session: self._insert(session, table, columns))

    async def close(self) -> None:
        """Close every session; running calls finish first, or are cut off after a while."""
        # A hanging server would otherwise delay the end of the process by a minute.
        ending = asyncio.create_task(asyncio.to_thread(self._pool.shutdown))
        await asyncio.wait({ending}, timeout=CLOSE_SECONDS)
        if not ending.done():
            for session in list(self._sessions):
                session.cut_off()
        await ending
        while self._sessions:
            self._sessions.pop().close()

    async def _run(self, call: Callable[[StoreSession], T]) -> T:
        under_way = _UnderWay()
        try:
            future = self._pool.submit(self._on_session, call, under_way)
        except RuntimeError as error:
            raise StoreError("the store is closed") from error
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if self._gives_up:
                threading.Thread(target=under_way.interrupt, name="store-interrupt").start()
            raise

    def _on_session(self, call: Callable[[StoreSession], T], under_way: "_UnderWay") -> T:
        session: StoreSession | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = self.connect()
            self._sessions.append(session)
        with under_way.on(session):
            return call(session)

    def _insert(
        self, session: StoreSession, table: str, columns: Mapping[str, InsertColumn]
    ) -> None:
        known = self._types.get(table)
        if known is None:
            described = session.execute(f"DESCRIBE TABLE {table}")
            known = self._types[table] = {row[0]: row[1] for row in described}
        if unknown := columns.keys() - known.keys():
            self._types.pop(table, None)
            raise StoreError(f"table {table} has no column {', '.join(sorted(unknown))}")
        types = [(name, known[name]) for name in columns]
        values = [_prepared(values, name, known[name]) for name, values in columns.items()]
        try:
            session.insert(table, types, values)
        except StoreError:
            self._types.pop(table, None)
            raise


class _UnderWay:
    """A call and, while it runs, its session: an interruption never hits a later call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._session: StoreSession | None = None

    @contextmanager
    def on(self, session: StoreSession) -> Iterator[None]:
        """Set the session on which the call runs."""
        with self._lock:
            session.interrupted = False
            self._session = session
        try:
            yield
        finally:
            with self._lock:
                self._session = None

    def interrupt(self) -> None:
        """Interrupt the call if it runs."""
        with self._lock:
            if self._session is not None:
                self._session.interrupt()


def _traced(sql: str) -> AbstractContextManager[object]:
    """Trace a statement, by its first word and the first table in it: no value, no condition."""
    if tracing.tracer is None:
        return nullcontext()
    operation = sql.split(maxsplit=1)[0].upper()
    named = _TABLE.search(sql)
    table = named[1] if named else ""
    attributes = {"db.system.name": "clickhouse", "db.operation.name": operation}
    if table:
        attributes["db.collection.name"] = table
    return tracing.span(f"store {operation} {table}".rstrip(), (), **attributes)


@contextmanager
def _without_values(parameters: Mapping[str, Any] | None) -> Iterator[None]:
    """Keep the values of a statement out of its error: it is logged, and shown to people."""
    try:
        yield
    except StoreError as error:
        error.args = (without_values(str(error), parameters),)
        raise


def _prepared(values: InsertColumn, name: str, of_type: str) -> Any:
    if isinstance(values, NativeColumn):
        return values
    return _days(values, name) if of_type == "Date" else _usable(values, of_type)


def _usable(values: Sequence[Any], of_type: str) -> list[Any]:
    """Return values that a session may consume, copied only if the driver would modify them."""
    if isinstance(values, list) and of_type.startswith(_LEFT_AS_THEY_ARE):
        return values
    return list(values)


def _days(values: Sequence[int | date], column: str) -> list[int]:
    days: dict[int | date, int] = {}
    distinct = set(values)
    if isinstance(values, list) and all(
        type(value) is int and 0 <= value <= _LAST_DAY for value in distinct
    ):
        return values
    for value in distinct:
        day = to_day(value) if isinstance(value, date) else value
        if not 0 <= day <= _LAST_DAY:
            raise StoreError(f"column {column} has the day {value}, expected 0 to {_LAST_DAY}")
        days[value] = day
    return [days[value] for value in values]
