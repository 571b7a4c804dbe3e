"""Where a sign-in comes from, too coarse to identify anybody: browser, system, country."""

import asyncio
from pathlib import Path

import msgspec
from starlette.requests import Request

from services.api.access.client_address import ClientAddresses
from services.enrich.country import Countries


class Origin(msgspec.Struct, frozen=True):
    """Families of browser and system, and the country of an address, '' if unknown."""

    browser: str = ""
    system: str = ""
    country: str = ""

    def fields(self) -> dict[str, str]:
        """Return it as the audit log keeps it."""
        country = {"country": self.country} if self.country else {}
        return {"browser": self.browser, "os": self.system} | country


class Origins:
    """Reads requests; addresses and User-Agents are not stored."""

    def __init__(self, clients: ClientAddresses, country_database: Path | None) -> None:
        """Raises SettingsError for a database that cannot be used."""
        self._clients = clients
        self._countries = Countries(country_database)

    async def of(self, request: Request) -> Origin:
        """Return where a request comes from."""
        address, agent = self._clients.address(request), request.headers.get("user-agent", "")
        return await asyncio.to_thread(self._read, address, agent)

    def close(self) -> None:
        """Close the database."""
        self._countries.close()

    def _read(self, address: str, user_agent: str) -> Origin:
        # The parser takes memory, which a process in which nobody signs in saves.
        from services.enrich.agents import MAX_USER_AGENT, read_agent

        self._countries.refresh()
        agent = read_agent(user_agent[:MAX_USER_AGENT])
        return Origin(agent.browser, agent.os, self._countries.of(address))
