"""Share links: whoever has one reads the traffic of one site, or one report, and nothing else."""

import asyncio
import re
import secrets
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from http import HTTPStatus
from typing import NamedTuple

from services.api.access.audit import Audit
from services.api.access.principal import Principal
from services.api.stats.reports.report_query import REPORT_PERIODS, ReportQuery, report_scope
from services.api.stats.reports.unit import ReportUnit, ReportUnits
from services.http.errors import ApiError, Translatable, bad_request, shown, unavailable
from services.model.site import Site
from services.store.interface import Store, StoreError
from services.store.records import share_links
from services.store.records.share_links import ShareLink

MOST_OF_A_SITE = 50
MAX_NAME = 100
RELOAD_SECONDS = 1.0
"""How soon every API process knows about a link that was made or withdrawn."""
WAIT_SECONDS = 2.0
"""How long a reader waits for that; after that, the links known before are used."""
_SECRET_BYTES = 32
_SECRET = re.compile(r"[\w-]{43}")
_ID_BYTES = 6


class NewShareLink(NamedTuple):
    """A link that was just made, and the secret in its URL, which is shown once."""

    link: ShareLink
    secret: str


class SharedReport(NamedTuple):
    """The report that a link shows."""

    unit: ReportUnit
    query: ReportQuery


class ShareLinks:
    """The links of all sites, in memory: made-up links cost no query."""

    def __init__(
        self,
        store: Store,
        units: ReportUnits,
        audit: Audit,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        editors_publish: bool = False,
    ) -> None:
        self._store = store
        self._units = units
        self._audit = audit
        self._clock = clock
        self._monotonic = monotonic
        self._loaded_at = float("-inf")
        self._loading: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()
        self._by_digest: Mapping[str, ShareLink] = {}
        self.editors_publish = editors_publish

    async def find(self, secret: str) -> Site:
        """Return the site that a link shows. Raises ApiError, 404, for an unknown one."""
        link, unit = await self._found(secret)
        if link.period or unit.group is not None:
            raise _gone()
        return unit.sites[0]

    async def find_report(self, secret: str) -> SharedReport:
        """Return the report that a link shows. Raises ApiError, 404, for an unknown one."""
        link, unit = await self._found(secret)
        query = report_of(link)
        if query is None:
            raise _gone()
        return SharedReport(unit, query)

    async def _found(self, secret: str) -> tuple[ShareLink, ReportUnit]:
        if _SECRET.fullmatch(secret):
            await self._fresh()
            link = self._by_digest.get(_digest(secret))
            unit = link and await self._units.kept(link.site)
            if link and unit:
                return link, unit
        raise _gone()

    async def of(self, unit: ReportUnit) -> list[ShareLink]:
        """Return the links of a site or a group, the oldest first. Raises ApiError, 503."""
        await self._load()
        return [link for link in self._by_digest.values() if link.site == unit.kept_as]

    def may_make(self, who: Principal) -> bool:
        """Tell whether somebody may show the traffic of their sites to others."""
        return who.is_owner or self.editors_publish

    async def make(
        self, who: Principal, unit: ReportUnit, name: str, report: ReportQuery | None = None
    ) -> NewShareLink:
        """Make a link. Raises ApiError: 403 for an editor who may not publish, 409 at 50.

        report  what it shows; None for the traffic, which a group cannot share
        """
        if not self.may_make(who):
            text = "only an owner may publish the traffic of a site (or LUOT_EDITORS_PUBLISH)"
            raise ApiError(HTTPStatus.FORBIDDEN, {"name": Translatable(text, "error.publishing")})
        now = int(self._clock() * 1000)
        if report is not None:
            report_scope(report, unit.require_sites()[0].day_of(now))
        elif unit.group is not None:
            text = f"a link of a group shows a report; expected {', '.join(REPORT_PERIODS)}"
            raise bad_request("period", Translatable(text, "shares.no_report"))
        async with self._changing:
            if len(await self.of(unit)) >= MOST_OF_A_SITE:
                text = f"{unit.slug} has {MOST_OF_A_SITE} links; withdraw one first"
                message = Translatable(text, "shares.too_many", count=MOST_OF_A_SITE)
                raise ApiError(HTTPStatus.CONFLICT, {"name": message})
            secret = secrets.token_urlsafe(_SECRET_BYTES)
            link = ShareLink(
                unit.kept_as,
                secrets.token_hex(_ID_BYTES),
                now,
                0,
                _digest(secret),
                name,
                who.name,
                now,
                *(report or ()),
            )
            async with self._audit.recorded(
                who, "share.add", link.id, site=unit.audited_as, after=_fields(link, unit)
            ):
                await self._save(link)
        return NewShareLink(link, secret)

    async def withdraw(self, who: Principal, unit: ReportUnit, id_: str) -> None:
        """Withdraw a link at once. Raises ApiError, 404 if the unit has none with this id."""
        async with self._changing:
            known = next((link for link in await self.of(unit) if link.id == id_), None)
            if known is None:
                text = f"{shown(id_)} is no link of {unit.slug}"
                raise ApiError(HTTPStatus.NOT_FOUND, {"id": text})
            gone = known._replace(
                version=max(known.version + 1, int(self._clock() * 1000)), withdrawn=1
            )
            async with self._audit.recorded(
                who, "share.withdraw", id_, site=unit.audited_as, before=_fields(known, unit)
            ):
                await self._save(gone)

    async def close(self) -> None:
        """Cancel the load under way."""
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)

    async def _save(self, link: ShareLink) -> None:
        try:
            await share_links.save(self._store, link)
        except StoreError as error:
            raise unavailable(f"the store did not take the change: {error}") from error
        await self._load()

    async def _fresh(self) -> None:
        if self._monotonic() < self._loaded_at + RELOAD_SECONDS:
            return
        if self._loading is None or self._loading.done():
            self._loading = asyncio.create_task(self._load_if_possible())
        await asyncio.wait({self._loading}, timeout=WAIT_SECONDS)

    async def _load_if_possible(self) -> None:
        try:
            await self._load()
        except ApiError:
            # Use what was known before, and ask the store again after a while.
            self._loaded_at = self._monotonic()

    async def _load(self) -> None:
        at = self._monotonic()
        try:
            links = await share_links.load(self._store)
        except StoreError as error:
            raise unavailable(f"the store cannot be read: {error}") from error
        self._by_digest = {link.digest: link for link in links}
        self._loaded_at = at


def report_of(link: ShareLink) -> ReportQuery | None:
    """Return the report that a link shows; None when it shows the traffic of a site."""
    return ReportQuery(link.period, link.dates, link.opening) if link.period else None


def _fields(link: ShareLink, unit: ReportUnit) -> dict[str, object]:
    group = "" if unit.group is None else unit.slug
    shows = {name: getattr(link, name) for name in ("name", "period", "dates", "opening")}
    return {**shows, "group": group}


def _gone() -> ApiError:
    text = "this link shows nothing, or not any more; ask whoever gave it to you"
    return ApiError(HTTPStatus.NOT_FOUND, {"link": Translatable(text, "shares.gone")})


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
