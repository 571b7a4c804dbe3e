"""Users and tokens: small tables in which the newest version of a row counts."""

import logging
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from services.model.account import Token, User
from services.store.interface import Store

T = TypeVar("T", bound=msgspec.Struct)

log = logging.getLogger(__name__)

_ROWS = """
SELECT {key}, max(version), argMax(deleted, version), argMax(body, version)
FROM {table}
GROUP BY {key}
ORDER BY {key}
"""


class AccountRows(NamedTuple, Generic[T]):
    """The rows of a table, by key, and the highest version in it."""

    rows: dict[str, T]
    version: int


class Table(Generic[T]):
    """A table of objects of one kind, by key."""

    def __init__(self, name: str, key: str, kind: type[T]) -> None:
        self._name = name
        self._key = key
        self._kind: type[T] = kind
        self._rows = _ROWS.format(key=key, table=name)

    async def load(self, store: Store) -> AccountRows[T]:
        """Return all of them; what this version cannot read is logged and skipped."""
        rows = await store.execute(self._rows)
        bodies = {key: body for key, _, deleted, body in rows if not deleted}
        values = {key: self._decode(key, body) for key, body in bodies.items()}
        return AccountRows(
            {key: value for key, value in values.items() if value is not None},
            max((version for _, version, _, _ in rows), default=0),
        )

    async def save(self, store: Store, key: str, value: T, version: int) -> None:
        """Write one; the highest version of a key counts."""
        await self._write(store, key, version, deleted=0, body=msgspec.json.encode(value).decode())

    async def remove(self, store: Store, key: str, version: int) -> None:
        """Remove one."""
        await self._write(store, key, version, deleted=1, body="")

    async def _write(self, store: Store, key: str, version: int, deleted: int, body: str) -> None:
        row: dict[str, list[Any]] = {self._key: [key], "version": [version]}
        row |= {"deleted": [deleted], "body": [body]}
        await store.insert(self._name, row)

    def _decode(self, key: str, body: str) -> T | None:
        try:
            value: T = msgspec.json.decode(body, type=self._kind)
        except msgspec.MsgspecError as error:
            log.error("%s %r cannot be read, it is left out: %s", self._name, key, error)
            return None
        return value


USERS: Table[User] = Table("users", "name", User)
TOKENS: Table[Token] = Table("tokens", "id", Token)
