"""The audit log: every change through the API, before it is made."""

import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec

from services.api.access.principal import Principal
from services.http.errors import unavailable
from services.store.interface import Store, StoreError
from services.store.records import audit as log

Fields = Mapping[str, Any]


class Audit:
    """Records who changes what."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._last_at = 0
        self.after: Callable[[str], None] = lambda _: None
        """Called after a change with the slug of the site, if any."""

    @asynccontextmanager
    async def recorded(
        self,
        who: Principal,
        action: str,
        subject: str,
        *,
        site: str = "",
        before: Fields | None = None,
        after: Fields | None = None,
    ) -> AsyncIterator[None]:
        """Make a change in this context: it is logged first, so that none is ever missing.

        Of `before` and `after`, only what differs is kept; they must hold no secrets. A change
        that raises is marked as failed. Raises ApiError, 503, when the log cannot be written.
        """
        was, is_ = _difference(before, after)
        entry = self.entry(who.name, action, subject, site=site, before=was, after=is_)
        try:
            await self.add(entry)
        except StoreError as error:
            raise unavailable(f"the store did not take the change: {error}") from error
        try:
            yield
        except BaseException:
            with suppress(StoreError):
                await self.add(entry._replace(failed=1))
            raise
        finally:
            if site:
                self.after(site)

    def entry(
        self,
        who: str,
        action: str,
        subject: str,
        *,
        site: str = "",
        before: Fields | None = None,
        after: Fields | None = None,
    ) -> log.AuditEntry:
        """Return a new entry, dated now."""
        return log.AuditEntry(
            at=self._at(),
            id=secrets.token_hex(8),
            failed=0,
            who=who,
            action=action,
            site=site,
            subject=subject,
            before=_encoded(before),
            after=_encoded(after),
        )

    async def add(self, entry: log.AuditEntry) -> None:
        """Write an entry, or write it again if it has failed. Raises StoreError."""
        await log.add(self._store, entry)

    def _at(self) -> int:
        """Return the time in ms, strictly increasing, so that changes keep their order."""
        self._last_at = max(self._last_at + 1, int(self._clock() * 1000))
        return self._last_at


def _difference(before: Fields | None, after: Fields | None) -> tuple[Fields | None, Fields | None]:
    if before is None or after is None:
        return before, after
    changed = [
        name
        for name in dict.fromkeys([*before, *after])
        if before.get(name, msgspec.UNSET) != after.get(name, msgspec.UNSET)
    ]
    return (
        {name: before[name] for name in changed if name in before},
        {name: after[name] for name in changed if name in after},
    )


def _encoded(fields: Fields | None) -> str:
    return "" if fields is None else msgspec.json.encode(dict(fields)).decode()
