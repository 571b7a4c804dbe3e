"""Finds sites by their names: slug, hosts, and the name they are kept under."""

from collections.abc import Iterable

from services.model.hosts import fold
from services.model.site import Site


class SiteIndex:
    """Finds sites; rebuilt with every change of one."""

    def __init__(self, sites: Iterable[Site] = ()) -> None:
        self.all = sorted(sites, key=lambda site: site.slug)
        self.by_slug = {site.slug: site for site in self.all}
        former = {slug: site for site in self.all for slug in site.former}
        self._by_slug = {**former, **self.by_slug}
        self._by_name = {site.kept_as: site for site in self.all}
        self._merged: dict[str, list[Site]] = {}
        for site in self.all:
            if site.merged_into:
                self._merged.setdefault(site.merged_into, []).append(site)
        oldest_last = sorted(self.all, key=lambda site: -site.created_at)
        self._by_host = {
            host.removeprefix("www."): site for site in oldest_last for host in site.hosts
        }

    def get(self, slug: str) -> Site | None:
        """Return the site with a slug, or with a former one."""
        return self._by_slug.get(slug)

    def kept(self, name: str) -> Site | None:
        """Return the site whose hits and counters have a name."""
        return self._by_name.get(name)

    def shown(self, site: Site) -> Site:
        """Return the site whose numbers the public sees for a site."""
        seen = {site.kept_as}
        while (into := self._by_name.get(site.merged_into)) and into.kept_as not in seen:
            seen.add(into.kept_as)
            site = into
        return site

    def parts(self, site: Site) -> tuple[Site, ...]:
        """Return the sites whose numbers make up a site's: itself, and those merged into it."""
        if site.kept_as not in self._merged:
            return (site,)
        parts, names = [site], {site.kept_as}
        for part in parts:
            for one in self._merged.get(part.kept_as, ()):
                if one.kept_as not in names:
                    names.add(one.kept_as)
                    parts.append(one)
        return tuple(parts)

    def slugs(self, slugs: Iterable[str]) -> frozenset[str]:
        """Return these slugs, and all others that the same sites have or had."""
        known = frozenset(slugs)
        of_sites = (site.slugs for slug in known if (site := self.get(slug)) is not None)
        return known.union(*of_sites)

    def named(self, name: str) -> Site | None:
        """Return the site with a slug or a host; of two sites with one host, the older one.

        If it is merged into another one, return that one.
        """
        site = self.get(name) or self._by_host.get(fold(name).removeprefix("www."))
        return None if site is None else self.shown(site)
