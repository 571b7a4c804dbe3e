"""Changes of sites, as an API makes them."""

from services.api.app import Api
from services.model.site import Site


async def save(api: Api, *sites: Site) -> None:
    """Create or change sites."""
    async with api.registry.changing() as changing:
        for site in sites:
            await changing.save(site)


async def remove(api: Api, *slugs: str) -> None:
    """Remove sites."""
    async with api.registry.changing() as changing:
        for slug in slugs:
            await changing.remove(slug)
