"""Users, tokens and groups of sites, cached in this process: reloaded soon after every change."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

import msgspec

from services.api.access.rights import Rights
from services.api.sites.registry import Registry
from services.http.errors import unavailable
from services.model.account import Role, SendToken, Token, User
from services.model.group import Group, GroupTree
from services.runtime.outage import Outage
from services.state.access_version import AccessVersion
from services.state.errors import StateError
from services.state.send_tokens import PublishedTokens, SendTokens
from services.state.state import State
from services.store.interface import Store, StoreError
from services.store.records.accounts import TOKENS, USERS
from services.store.records.groups import GROUPS

CHECK_SECONDS = 0.5
"""How often the shared version is compared."""
RELOAD_SECONDS = 5.0
"""How often everything is reloaded regardless: the shared version may have been lost."""
PUBLISH_SECONDS = 2.0
"""How often ingest is told which tokens may send hits, besides at once after every change."""
WAIT_SECONDS = 1.0
"""How long requests wait for a reload in total; after that, the cached accounts are used."""

log = logging.getLogger(__name__)


class Accounts:
    """Every user by name, every token by id and by digest, and what their rights reach."""

    def __init__(
        self,
        store: Store,
        state: State,
        registry: Registry,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._registry = registry
        self._shared_version = AccessVersion(state)
        self._send_tokens = SendTokens(state)
        self._clock = clock
        self._monotonic = monotonic
        self._changing = asyncio.Lock()
        self._outage = Outage(
            log,
            "cannot load users and tokens, keeping those known",
            "users and tokens are loaded",
        )
        self._refreshing: asyncio.Task[None] | None = None
        self._checked = self._begun = self._loaded_at = float("-inf")
        self._seen: bytes | None = None
        self._version = 0
        self._by_digest: Mapping[str, Token] = {}
        self.users: Mapping[str, User] = {}
        self.tokens: Mapping[str, Token] = {}
        self.rights = Rights(registry)
        self.loaded = False

    def token(self, digest: str) -> Token | None:
        """Return the token with a digest, expired or not."""
        return self._by_digest.get(digest)

    async def fresh(self) -> None:
        """Load what other processes changed, as far as the stores answer; else change nothing."""
        if self._monotonic() < self._checked + CHECK_SECONDS:
            return
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh())
            self._begun = self._monotonic()
        elif self.loaded and self._monotonic() >= self._begun + WAIT_SECONDS:
            return
        await asyncio.wait({self._refreshing}, timeout=WAIT_SECONDS)

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[None]:
        """Be the only process to change users, tokens, or groups of sites.

        Inside, the cache matches the store; other processes learn of the change at the end. Raises
        ApiError, 503, when the lock cannot be acquired or the store cannot be written.
        """
        lock = self._shared_version.lock()
        async with self._changing:
            try:
                mine = await lock.acquire()
            except StateError as error:
                raise unavailable(f"Redis does not take part in the change: {error}") from error
            if not mine:
                raise unavailable("another change of users, tokens or groups is under way")
            try:
                await self._load()
                yield
                await self._publish()
            except StoreError as error:
                raise unavailable(f"the store did not take the change: {error}") from error
            finally:
                with suppress(StateError):
                    await lock.release()

    async def save_user(self, user: User) -> None:
        """Create or change a user, while `changing`."""
        await USERS.save(self._store, user.name, user, self._next())
        self.users = {**self.users, user.name: user}

    async def remove_user(self, name: str) -> None:
        """Take a user away, while `changing`."""
        await USERS.remove(self._store, name, self._next())
        self.users = {known: user for known, user in self.users.items() if known != name}

    async def save_token(self, token: Token) -> None:
        """Create a token, while `changing`."""
        await TOKENS.save(self._store, token.id, token, self._next())
        self._take(self.users, {**self.tokens, token.id: token})

    async def remove_token(self, name: str) -> None:
        """Revoke a token, while `changing`."""
        await TOKENS.remove(self._store, name, self._next())
        self._take(self.users, {id_: token for id_, token in self.tokens.items() if id_ != name})

    async def save_group(self, group: Group) -> None:
        """Create or change a group of sites, while `changing`."""
        await GROUPS.save(self._store, group.slug, group, self._next())
        self.rights.take(GroupTree({**self.rights.tree.by_slug, group.slug: group}.values()))

    async def remove_group(self, slug: str) -> None:
        """Take a group away, while `changing`; its sites stay."""
        await GROUPS.remove(self._store, slug, self._next())
        groups = self.rights.tree.by_slug.values()
        self.rights.take(GroupTree(group for group in groups if group.slug != slug))

    async def publish_senders(self) -> None:
        """Tell ingest which tokens may send hits. Raises StateError."""
        # Before the sites are known, a right to a group would seem to cover no sites.
        if not self.loaded or not self._registry.loaded:
            return
        bodies = {
            token.digest.encode(): msgspec.json.encode(
                SendToken(token.id, self.rights.reach(token.sites).slugs, token.expires_at),
                order="deterministic",
            )
            for token in self.tokens.values()
            if token.role is Role.SEND
        }
        await self._send_tokens.publish(PublishedTokens(self._version, bodies))

    async def keep_published(self) -> None:
        """Publish periodically, so that a wiped Redis is filled again."""
        while True:
            try:
                # Without `fresh`: checking for changes is left to requests.
                with suppress(StateError, StoreError):
                    if not self.loaded:
                        async with self._changing:
                            await self._load()
                    await self.publish_senders()
            except Exception:
                log.exception("cannot publish the tokens that may send hits")
            await asyncio.sleep(PUBLISH_SECONDS)

    async def close(self) -> None:
        """End what is under way."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)

    async def _refresh(self) -> None:
        now = self._monotonic()
        try:
            seen = await self._published()
            if not self.loaded or seen is None or seen != self._seen or self._is_old(now):
                await self._load()
                self._seen = seen
        except StoreError as error:
            self._outage.begins(error)
        except Exception:
            log.exception("cannot load users and tokens")
        else:
            self._outage.ends()
        self._checked = now

    def _is_old(self, now: float) -> bool:
        return now >= self._loaded_at + RELOAD_SECONDS

    async def _load(self) -> None:
        begun = self._monotonic()
        users, tokens, groups = await asyncio.gather(
            USERS.load(self._store), TOKENS.load(self._store), GROUPS.load(self._store)
        )
        self._version = max(self._version, users.version, tokens.version, groups.version)
        self.rights.take(GroupTree(groups.rows.values()))
        self._take(users.rows, tokens.rows)
        self._loaded_at = begun
        self.loaded = True

    def _take(self, users: Mapping[str, User], tokens: Mapping[str, Token]) -> None:
        self.users, self.tokens = users, tokens
        self._by_digest = {token.digest: token for token in tokens.values()}

    def _next(self) -> int:
        self._version = max(self._version + 1, int(self._clock() * 1000))
        return self._version

    async def _published(self) -> bytes | None:
        """Return the version of the last change in Redis; None while it does not answer."""
        try:
            return await self._shared_version.read()
        except StateError:
            return None

    async def _publish(self) -> None:
        try:
            await self._shared_version.increase()
            await self.publish_senders()
        except StateError as error:
            log.warning("other processes learn of a change within seconds only: %s", error)
