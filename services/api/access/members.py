"""Who has access to a site or a group: the users and tokens that list it among their sites."""

from collections.abc import Iterable

import msgspec

from services.api.access.accounts import Accounts


class Members:
    """Takes a site away from everybody who has access to it, or renames it for them."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def forget(self, slug: str) -> None:
        """Take a site from its users, and revoke tokens for it alone. Raises ApiError, 503.

        Users left without a site stay, and see none.
        """
        async with self._accounts.changing():
            await take(self._accounts, slug)

    async def rename(self, slug: str, to: str) -> None:
        """Rename a site for everybody who has access to it. Raises ApiError, 503."""
        async with self._accounts.changing():
            await take(self._accounts, slug, (to,))


def having(accounts: Accounts, place: str) -> list[str]:
    """Return the users, and ids of tokens, that list a site or group by its own name."""
    users = [user.name for user in accounts.users.values() if place in user.sites]
    tokens = [f"token:{one.id}" for one in accounts.tokens.values() if place in one.sites]
    return sorted(users) + sorted(tokens)


async def take(accounts: Accounts, place: str, by: tuple[str, ...] = ()) -> None:
    """Replace a site or group for everybody who has it, while accounts are `changing`.

    A token that would be left with none is revoked. Raises StoreError.
    """

    def left(sites: Iterable[str]) -> tuple[str, ...]:
        others = {site for site in sites if site != place}
        return tuple(sorted(others | {*by}))

    for user in [one for one in accounts.users.values() if place in one.sites]:
        changed = msgspec.structs.replace(user, sites=left(user.sites))
        await accounts.save_user(changed)
    for token in [one for one in accounts.tokens.values() if place in one.sites]:
        if sites := left(token.sites):
            await accounts.save_token(msgspec.structs.replace(token, sites=sites))
        else:
            await accounts.remove_token(token.id)
