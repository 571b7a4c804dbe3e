"""The store embedded in the process: the same engine as the server, on a local folder."""

import os
import re
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from services.runtime import file_locks
from services.store.drivers.engine_noise import without_cgroup_trace
from services.store.drivers.faults import MISFIT, fault, misfit
from services.store.drivers.native import NativeFormat
from services.store.drivers.parameters import bind
from services.store.drivers.threaded import (
    MAX_ELEMENTS,
    MAX_QUERY_BYTES,
    StoreSession,
    ThreadedStore,
)
from services.store.interface import Limits, Row, StoreError

T = TypeVar("T")

THREADS = 2
"""So that a long report does not delay a flush."""
DATABASE = "luot"

_CODE = re.compile(r"Code: (\d+)\. (.*)", re.DOTALL)


class ChdbStore(ThreadedStore):
    """A store in a folder, open in one process at a time; a process can open only one folder."""

    def __init__(
        self,
        path: Path,
        threads: int = THREADS,
        settings: Mapping[str, int] | None = None,
        *,
        gives_up: bool = False,
    ) -> None:
        if not path.is_absolute() or "?" in str(path):
            raise ValueError(
                f"{str(path)!r} is not a folder for the store; expected an absolute path"
            )
        self.path = path
        self._settings = settings or {}
        super().__init__(threads, gives_up=gives_up)

    def __repr__(self) -> str:
        """Return where the folder is."""
        return f"<ChdbStore {self.path}>"

    def connect(self) -> StoreSession:
        """Open the folder for the calling thread, creating it if missing."""
        return EmbeddedSession(self.path, self._settings)

    def limited(self, limits: Limits) -> "ChdbStore":
        """Return the same folder with limits; see Store."""
        return ChdbStore(self.path, limits.calls, limits.settings(), gives_up=True)

    async def prepare(self) -> None:
        """Do nothing: a session creates the database when it opens the folder."""


class EmbeddedSession(StoreSession):
    """One connection to the engine in this process."""

    def __init__(self, path: Path, settings: Mapping[str, int]) -> None:
        session = _engine()
        self._path = path
        self._format = NativeFormat()
        # A comment before each statement, by which it can be found and cancelled.
        self._mark = f"/* {uuid4().hex} */"
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            with without_cgroup_trace():
                self._engine = session(str(path))
        except (OSError, RuntimeError) as error:
            raise _cannot_open(path, error) from error
        self.execute(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
        self.execute(f"USE {DATABASE}")
        self.execute(
            f"SET async_insert = 0, max_query_size = {MAX_QUERY_BYTES},"
            f" max_ast_elements = {MAX_ELEMENTS}, max_expanded_ast_elements = {MAX_ELEMENTS}"
            + "".join(f", {name} = {value}" for name, value in settings.items())
        )

    def execute(self, sql: str) -> list[Row]:
        """Run one statement without parameters."""
        return self._attempt(lambda: self._query(sql))

    def blocks(self, sql: str) -> Generator[list[Row], None, None]:
        """Run one statement without parameters; yields its rows as they arrive."""
        result = self._attempt(lambda: self._engine.send_query(sql, "Native"))
        try:
            while (chunk := self._attempt(result.fetch)) is not None:
                yield self._format.decode(chunk.bytes())
        finally:
            result.close()

    def insert(self, table: str, types: Sequence[tuple[str, str]], columns: Sequence[Any]) -> None:
        """Insert columns; they are consumed."""
        self._attempt(lambda: self._insert(table, types, columns))

    def interrupt(self) -> None:
        """Cancel the running statement, from another thread; later ones are not affected."""
        super().interrupt()
        other = EmbeddedSession(self._path, {})
        try:
            other.execute(f"KILL QUERY WHERE startsWith(query, '{self._mark}') ASYNC")
        finally:
            other.close()

    def close(self) -> None:
        """Release the folder, once the last session has."""
        self._engine.close()

    def _query(self, sql: str) -> list[Row]:
        return self._format.decode(self._engine.query(f"{self._mark} {sql}", "Native").bytes())

    def _insert(self, table: str, types: Sequence[tuple[str, str]], columns: Sequence[Any]) -> None:
        # The engine reports an insert that it is sent in pieces as done even if it was refused, and
        # takes some bytes in a statement for its end. What it reads from a file has neither fault.
        names = ", ".join(name for name, _ in types)
        structure = ", ".join(f"{name} {kind}" for name, kind in types)
        with _held_in_memory(self._format.encode(types, columns)) as path:
            self._query(
                bind(
                    f"INSERT INTO {table} ({names})"  # noqa: S608  # names of ours
                    f" SELECT {names} FROM file(%(path)s, Native, %(structure)s)",
                    {"path": path, "structure": structure},
                )
            )

    def _attempt(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except RuntimeError as error:
            match = _CODE.search(str(error))
            # The engine's own error contains the statement, values included.
            raise (fault(int(match[1]), match[2]) if match else StoreError(str(error))) from None
        except MISFIT as error:
            raise misfit(error) from None


@contextmanager
def _held_in_memory(block: bytes) -> Iterator[str]:
    """Write bytes to a file that is in memory only; return its path."""
    descriptor = os.memfd_create("insert")
    with open(descriptor, "wb", closefd=True) as file:  # noqa: PTH123  # it has no name
        file.write(block)
        file.flush()
        yield f"/proc/self/fd/{descriptor}"


def _engine() -> Any:
    """Import the engine. It takes 240 MB, so it is done only when opening an embedded store.

    It imports pyarrow if installed, for Arrow tables as results: 44 MB and a third of the time,
    and nothing here uses them. That import is blocked in the meantime, for all threads.
    """
    modules: dict[str, Any] = sys.modules
    modules.setdefault("pyarrow", None)
    try:
        from chdb.session import Session
    finally:
        if modules.get("pyarrow", modules) is None:
            modules.pop("pyarrow", None)
    return Session


def _cannot_open(path: Path, error: Exception) -> StoreError:
    if "different path" in str(error):
        return StoreError(f"cannot open {path}: this process has opened another store: {error}")
    if file_locks.is_held(path / "status"):
        return StoreError(
            f"cannot open {path}: another process has it open, and one at a time can;"
            " stop that one or use another folder"
        )
    return StoreError(f"cannot open {path}: {error}")
