"""The first user of a new data folder, so that someone can sign in."""

import asyncio
import secrets
import time

from services.api.access.passwords import hashed
from services.model.account import ALL_SITES, Role, User
from services.runtime.passphrases import generate_password
from services.store.interface import Store
from services.store.records.accounts import USERS

NAME = "admin"


async def make(store: Store) -> str | None:
    """Create an owner if there has never been a user, and return the password; else None."""
    if (await USERS.load(store)).version:
        return None
    password = generate_password()
    now = int(time.time() * 1000)
    user = User(
        name=NAME,
        password=await asyncio.to_thread(hashed, password),
        role=Role.OWNER,
        sites=(ALL_SITES,),
        stamp=secrets.token_hex(8),
        created_at=now,
        password_at=now,
    )
    await USERS.save(store, NAME, user, now)
    return password
