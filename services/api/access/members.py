"""Who has a part in a site: users and tokens that it is one of the sites of."""

from collections.abc import Iterable

import msgspec

from services.api.access.accounts import Accounts


class Members:
    """Takes a site from everybody who had it, or gives it its other name."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def forget(self, slug: str) -> None:
        """Take a site from its users, and revoke tokens for it alone. Raises ApiError, 503.

        Users without a site stay, and see none.
        """
        await self._replace(slug, ())

    async def rename(self, slug: str, to: str) -> None:
        """Let everybody who has a site have it under its new slug. Raises ApiError, 503."""
        await self._replace(slug, (to,))

    async def _replace(self, slug: str, by: tuple[str, ...]) -> None:
        accounts = self._accounts

        def left(sites: Iterable[str]) -> tuple[str, ...]:
            others = {site for site in sites if site != slug}
            return tuple(sorted(others | {*by}))

        async with accounts.changing():
            for user in [one for one in accounts.users.values() if slug in one.sites]:
                changed = msgspec.structs.replace(user, sites=left(user.sites))
                await accounts.save_user(changed)
            for token in [one for one in accounts.tokens.values() if slug in one.sites]:
                if sites := left(token.sites):
                    await accounts.save_token(msgspec.structs.replace(token, sites=sites))
                else:
                    await accounts.remove_token(token.id)
