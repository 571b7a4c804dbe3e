"""What a portal puts into its pages, for those who run it."""

import msgspec

from services import __version__
from services.api import script
from services.api.dashboard.visit import Visit
from services.model.site import Site
from services.snippet import Scripts, Snippet


def snippet(visit: Visit, site: Site) -> Snippet:
    """Return the ways to embed the counter of a site."""
    request = visit.request
    scheme = "https" if visit.is_secure else "http"
    url = visit.parts.public_url or f"{scheme}://{request.headers.get('host', '')}"
    scripts = Scripts(
        __version__,
        f"{script.VERSIONED}/{script.COUNTER}",
        script.integrity(script.built(script.COUNTER)),
    )
    return Snippet(url, site.slug, scripts, msgspec.to_builtins(site.display))
