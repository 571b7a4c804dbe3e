"""Paths that are the same page: an article that moved, a page in another language.

What was counted stays where it was counted; it is added up on reading, also for previous years.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import msgspec

MAX_ALIASES = 200
MAX_BELOW = 20
MAX_BYTES = 40_000
"""The limit for all paths together, because they become part of SQL statements."""
BELOW = "/*"
"""At the end of both paths, it stands for every page below."""


class PageAlias(msgspec.Struct, frozen=True):
    """A path that counts as another page, or a prefix whose pages count as those below another.

    address  path as counted, '/en/tin/1', or '/en/*'
    page     the page whose views include those of the address
    """

    address: str
    page: str

    def page_of(self, path: str) -> str | None:
        """Return the page that a path counts as by this alias; None if it does not apply."""
        return _moved(path, self.address, self.page)

    def address_of(self, path: str) -> str | None:
        """Return the address that counts as a path by this alias; None if it does not apply."""
        return _moved(path, self.page, self.address)


class PageAliases:
    """All aliases of a site; those of single paths take precedence over prefixes."""

    def __init__(self, aliases: Iterable[PageAlias]) -> None:
        self.ordered = sorted(
            aliases, key=lambda one: (one.address.endswith(BELOW), -len(one.address))
        )

    def page_of(self, path: str) -> str:
        """Return the page that a path counts as: the path itself, unless an alias applies."""
        pages = (one.page_of(path) for one in self.ordered)
        return next((page for page in pages if page is not None), path)

    def addresses_of(self, page: str) -> tuple[str, ...]:
        """Return every path that counts as a page, the page first."""
        paths = (page, *filter(None, (one.address_of(page) for one in self.ordered)))
        return tuple(dict.fromkeys(path for path in paths if self.page_of(path) == page)) or (page,)

    def addresses_below(self, stem: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the paths that count as pages that begin with `stem`, besides those pages.

        First single paths, then what others begin with.
        """
        single, begins = list[str](), list[str]()
        for one in self.ordered:
            if not one.address.endswith(BELOW):
                single += [one.address] * one.page.startswith(stem)
                continue
            address, page = one.address[:-1], one.page[:-1]
            if page.startswith(stem):
                begins.append(address)
            elif stem.startswith(page):
                begins.append(address + stem[len(page) :])
        return tuple(single), tuple(begins)


@lru_cache(maxsize=1024)
def of(aliases: tuple[PageAlias, ...]) -> PageAliases:
    """Return the aliases of a site, ready to look up."""
    return PageAliases(aliases)


def checked(aliases: Sequence[PageAlias], counted: Callable[[str], str]) -> tuple[PageAlias, ...]:
    """Return aliases with their paths as they are counted. Raises ValueError.

    counted  returns a path as the site counts it
    """
    by_address: dict[str, PageAlias] = {}
    for one in aliases:
        address, page = _counted(one.address, counted), _counted(one.page, counted)
        if address.endswith(BELOW) != page.endswith(BELOW):
            raise ValueError(
                f"page_aliases: {one.address!r} and {one.page!r} must both end with {BELOW!r}, or"
                " neither"
            )
        if address == page:
            raise ValueError(f"page_aliases: {one.address!r} is the page itself")
        if address in by_address:
            raise ValueError(f"page_aliases: {one.address!r} is there twice")
        by_address[address] = PageAlias(address, page)
    if sum(address.endswith(BELOW) for address in by_address) > MAX_BELOW:
        raise ValueError(f"page_aliases: more than {MAX_BELOW} end with {BELOW!r}")
    paths = (path for one in by_address.values() for path in (one.address, one.page))
    if sum(len(path.encode()) for path in paths) > MAX_BYTES:
        raise ValueError(f"page_aliases: more than {MAX_BYTES} bytes of paths")
    ready = PageAliases(by_address.values())
    for one in by_address.values():
        page = one.page.removesuffix("*") + "x" if one.page.endswith(BELOW) else one.page
        if (further := ready.page_of(page)) != page:
            raise ValueError(
                f"page_aliases: {one.page!r} counts as another page itself ({further!r}); name that"
            )
    return tuple(by_address.values())


def _counted(given: str, counted: Callable[[str], str]) -> str:
    stem = given.removesuffix(BELOW)
    below = BELOW if stem != given else ""
    if "*" in stem or not (given.startswith("/")):
        raise ValueError(
            f"page_aliases: {given!r} is not a path; expected for example '/tin-tuc/1', or"
            " '/en/*' for all below"
        )
    path = counted(stem or "/")
    return f"{path.rstrip('/')}{below}" if below else path


def _moved(path: str, source: str, target: str) -> str | None:
    if not source.endswith(BELOW):
        return target if path == source else None
    stem = source[:-1]
    return target[:-1] + path[len(stem) :] if path.startswith(stem) and path != stem else None
