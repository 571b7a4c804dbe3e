"""Erases a site: all that was counted for it, its ledger, its imports, and its memberships.

First it is entered in the table of erasures, which cannot be undone. Everything from there on is
repeated until it is done, even after a kill: the API takes the site away from everybody, then the
aggregator deletes its rows (`services/aggregator/erasing.py`). Whatever still arrives under the
name, such as hits waiting in a spool, is deleted, too: no site ever has the same name again.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus

from services.api.access.audit import Audit
from services.api.access.members import Members
from services.api.access.principal import Principal
from services.api.sites.groups.service import Groups
from services.api.sites.registry import Registry
from services.http.errors import ApiError, shown, unavailable
from services.log.errors import LogError
from services.log.import_log import ImportLog
from services.state import erased
from services.state.errors import StateError
from services.state.state import State
from services.store.counts import erasures
from services.store.counts.erasures import Erasure, ErasureState, KeptCounts
from services.store.interface import Store, StoreError
from services.store.records import imports as register

PERIOD_SECONDS = 10.0
FIRST_SECONDS = 1.0
"""How soon after its start an API resumes what a killed one had begun."""
ANSWER_SECONDS = 10.0
"""How long a request waits for the deletion; the next one waits again."""
_LOOK_SECONDS = 0.2
_DAY_MS = 86_400_000
_STATE_DAYS = 4
"""Shared state that other processes may still write expires within this many days."""

log = logging.getLogger(__name__)


class Erasures:
    """Erases sites, and keeps them erased."""

    def __init__(
        self,
        store: Store,
        state: State,
        logged: ImportLog,
        registry: Registry,
        members: Members,
        groups: Groups,
        audit: Audit,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._state = state
        self._log = logged
        self._registry = registry
        self._members = members
        self._groups = groups
        self._audit = audit
        self._clock = clock
        self._taking = asyncio.Lock()

    async def preview(self, slug: str) -> KeptCounts:
        """Return what would be erased of a site, or of what is left of one. Raises ApiError."""
        try:
            names = await self._names(slug)
            return await erasures.kept(self._store, names)
        except StoreError as error:
            raise unavailable(f"the store cannot be read: {error}") from error

    async def erase(self, who: Principal, slug: str, confirm: str) -> bool:
        """Erase a site, or what is left of a removed one; tell whether all of it is gone.

        If it is not, erasing continues by itself, and may be requested again. Raises ApiError.
        """
        site = self._registry.require_loaded().get(slug)
        slug = slug if site is None else site.slug
        if confirm != slug:
            message = f"{shown(confirm)}; expected {slug}, the site that is erased"
            raise ApiError(HTTPStatus.BAD_REQUEST, {"confirm": message})
        try:
            known, names = await self._of(slug), await self._names(slug)
            if not known and not names:
                raise _unknown(slug)
            if site is not None and len(self._registry.parts(site)) > 1:
                message = f"other sites are merged into {slug}; part them first"
                raise ApiError(HTTPStatus.CONFLICT, {"site": message})
            if fresh := sorted({*names} - {one.name for one in known}):
                known += await self._begin(who, slug, fresh)
        except StoreError as error:
            raise unavailable(f"the store did not take the change: {error}") from error
        try:
            await self._take_away([one for one in known if one.state == ErasureState.BEGUN])
            return await self._is_gone(slug)
        except (StoreError, StateError, LogError) as error:
            log.warning("%s is not erased yet: %s", slug, error)
            return False

    async def keep_erased(self) -> None:
        """Finish erasures that were begun, for as long as this runs."""
        await asyncio.sleep(FIRST_SECONDS)
        while True:
            try:
                await self.sweep()
            except (StoreError, StateError, LogError, ApiError) as error:
                log.warning("what was erased cannot be taken away now: %s", error)
            except Exception:
                log.exception("what was erased cannot be taken away now")
            await asyncio.sleep(PERIOD_SECONDS)

    async def sweep(self) -> None:
        """Delete what exists of erased sites. Raises what the store and the state raise."""
        known = await erasures.load(self._store)
        await self._take_away([one for one in known if one.state == ErasureState.BEGUN])
        recent = self._now() - _STATE_DAYS * _DAY_MS
        if names := [one.name for one in known if one.at > recent]:
            await erased.forget(self._state, names)

    async def _of(self, slug: str) -> list[Erasure]:
        return [one for one in await erasures.load(self._store) if one.slug == slug]

    async def _names(self, slug: str) -> tuple[str, ...]:
        """Return the names that anything of a slug is kept under. Raises ApiError and StoreError.

        An erased site has none left, but is still known.
        """
        site = self._registry.require_loaded().get(slug)
        if site is not None:
            return (*site.earlier, site.kept_as)
        removed = await self._registry.removed(slug)
        if removed is not None:
            return removed.names
        raise _unknown(slug)

    async def _begin(self, who: Principal, slug: str, names: Sequence[str]) -> list[Erasure]:
        counts = await erasures.kept(self._store, names)
        fresh = [Erasure(name, slug, ErasureState.BEGUN, who.name, self._now()) for name in names]
        async with self._audit.recorded(
            who, "site.erase", slug, site=slug, before=counts._asdict()
        ):
            await erasures.write(self._store, fresh)
        log.info("%s is erased by %s: %d views", slug, who.name, counts.views)
        return fresh

    async def _take_away(self, begun: Sequence[Erasure]) -> None:
        """Take sites away from everybody, in an order that can be interrupted and repeated."""
        if not begun:
            return
        async with self._taking:
            for one in begun:
                await self._unregister(one)
                for imported in await register.of_site(self._store, one.name):
                    await self._log.seal(one.name, imported.name)
            await erased.forget(self._state, [one.name for one in begun])
            await erasures.write(
                self._store, [one._replace(state=ErasureState.TAKEN) for one in begun]
            )

    async def _unregister(self, one: Erasure) -> None:
        """Remove a site with its settings from the registry, and from all who had access."""
        async with self._registry.changing() as sites:
            site, slug = sites.kept(one.name), one.slug
            if site is not None:
                slug = site.slug
                await sites.remove(slug)
            elif sites.get(slug) is None:
                removed = await sites.removed(slug)
                if removed is not None and removed.site and removed.site.kept_as == one.name:
                    # Its settings could bring it back.
                    await sites.remove(slug)
        if self._registry.get(slug) is None:
            await self._members.forget(slug)
        await self._groups.forget(one.name)

    async def _is_gone(self, slug: str) -> bool:
        """Wait until the aggregator has deleted all of a site; tell whether it has."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            if all(one.state == ErasureState.DONE for one in await self._of(slug)):
                return True
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(_LOOK_SECONDS)

    def _now(self) -> int:
        return int(self._clock() * 1000)


def _unknown(slug: str) -> ApiError:
    message = f"{shown(slug)} is no site of this server, and was none"
    return ApiError(HTTPStatus.NOT_FOUND, {"site": message})
