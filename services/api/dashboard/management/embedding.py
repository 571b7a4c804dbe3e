"""The code that a portal embeds in its pages."""

import msgspec

from services import __version__
from services.api.dashboard.requests.page_request import PageRequest
from services.http.errors import ApiError
from services.model.display import Look
from services.model.site import Site
from services.widget import badge, scripts
from services.widget.block import Block
from services.widget.heights import Size, drawn
from services.widget.snippet import PinnedScript, Snippet


async def snippet(page: PageRequest, site: Site) -> Snippet:
    """Return the snippet of a site, with every way to embed its counter."""
    request = page.request
    scheme = "https" if page.is_secure else "http"
    url = page.dependencies.public_url or f"{scheme}://{request.headers.get('host', '')}"
    tags = PinnedScript(
        __version__,
        f"{scripts.VERSIONED}/{scripts.COUNTER}",
        scripts.integrity(scripts.built(scripts.COUNTER)),
    )
    size = await _badge(page, site)
    return Snippet(url, site.slug, tags, msgspec.to_builtins(site.display), size)


async def _badge(page: PageRequest, site: Site) -> Size | None:
    """Return the current size of the badge; None if no number is known."""
    try:
        answer, _ = await page.dependencies.counters.answer(site, site.measure(), {})
    except ApiError:
        return None
    # With room for lines that are hidden at 0.
    block = Block.of_site(Look.of(site.display), msgspec.json.decode(answer.body), every=True)
    return drawn(badge.svg(block))
