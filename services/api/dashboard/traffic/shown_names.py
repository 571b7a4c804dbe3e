"""How pages show values: names in the reader's language, and titles of pages."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from services.api.dashboard.requests.page_request import PageRequest
from services.api.dashboard.texts.language import Language
from services.api.dashboard.texts.region_names import region_names

PAGES = ("page", "entry_page", "exit_page")
"""Panels whose values are pages."""


def names_of(panel: str, t: Language) -> Mapping[str, str]:
    """Return the names of those values of a panel that are not shown as they are stored."""
    if panel in PAGES:
        return {}
    named = dict(t.named("device." if panel == "device" else "value."))
    match panel:
        case "country":
            return t.countries() | named
        case "region":
            return region_names(t) | named
    return named


async def titles_of(page: PageRequest, panel: str, values: Iterable[str]) -> dict[str, str]:
    """Return the titles of the values of a panel that are pages and have one."""
    if panel not in PAGES:
        return {}
    return await page.dependencies.titles.of(page.site, list(values))


def titles_for_file(
    page: PageRequest, panel: str
) -> Callable[[Sequence[str]], Awaitable[dict[str, str]]] | None:
    """Return a function that finds the titles of a file's rows; None if they are not pages."""
    if panel not in PAGES:
        return None

    async def found(values: Sequence[str]) -> dict[str, str]:
        return await titles_of(page, panel, values)

    return found
