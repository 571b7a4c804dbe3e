"""What a portal puts into its pages, for those who run it."""

import msgspec

from services import __version__
from services.api.dashboard.visit import Visit
from services.http.errors import ApiError
from services.model.display import Look
from services.model.site import Site
from services.widget import badge, scripts
from services.widget.block import Block
from services.widget.heights import Size, drawn
from services.widget.snippet import PinnedScript, Snippet


async def snippet(visit: Visit, site: Site) -> Snippet:
    """Return the ways to embed the counter of a site."""
    request = visit.request
    scheme = "https" if visit.is_secure else "http"
    url = visit.parts.public_url or f"{scheme}://{request.headers.get('host', '')}"
    tags = PinnedScript(
        __version__,
        f"{scripts.VERSIONED}/{scripts.COUNTER}",
        scripts.integrity(scripts.built(scripts.COUNTER)),
    )
    size = await _badge(visit, site)
    return Snippet(url, site.slug, tags, msgspec.to_builtins(site.display), size)


async def _badge(visit: Visit, site: Site) -> Size | None:
    """Return the size of the badge as it is drawn now; None where no number is known."""
    try:
        answer, _ = await visit.parts.counters.answer(site, site.metric, {})
    except ApiError:
        return None
    block = Block.of_site(Look.of(site.display), msgspec.json.decode(answer.body))
    return drawn(badge.svg(block))
