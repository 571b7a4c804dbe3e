"""`/admin/sites/{slug}/titles.csv` and `…/titles/file`: page titles as a file, out and in."""

from collections.abc import AsyncIterator
from http import HTTPStatus

from starlette.responses import Response, StreamingResponse

from services.api.access.trail import Occasion
from services.api.dashboard.management.site_form import mistakes
from services.api.dashboard.management.titles_page import titles_with
from services.api.dashboard.requests.page_request import PageRequest
from services.api.sites.titles import title_file
from services.http.errors import ApiError, Translatable, bad_request

_ROWS_AT_ONCE = 5000


async def csv(page: PageRequest) -> Response:
    """Stream all titles as a file that can be edited and sent back."""
    site, known, t = page.site, page.dependencies.titles, page.t
    first = await known.listed(site, "", 1, _ROWS_AT_ONCE)
    who = page.principal.name
    page.dependencies.trail.count(Occasion(who, "export", "titles", site.slug), "files")

    async def texts() -> AsyncIterator[str]:
        part, number = first, 1
        while True:
            text = title_file.text(part.rows, t.column("page"), t.column("title"))
            # Only the first part has headings.
            yield text if number == 1 else text.partition("\r\n")[2]
            if not part.has_more:
                return
            number += 1
            part = await known.listed(site, "", number, _ROWS_AT_ONCE)

    return StreamingResponse(
        texts(),
        media_type="text/csv; charset=utf-8",
        headers={
            "Cache-Control": "private, no-store",
            "Content-Disposition": f'attachment; filename="{site.slug}-titles.csv"',
            "X-Content-Type-Options": "nosniff",
        },
    )


async def send(page: PageRequest) -> Response:
    """Write the titles of a file, all or none, or return the page with its errors."""
    try:
        sent = page.form.file
        if sent is None:
            raise bad_request("file", Translatable("none was chosen", "balances.file.none"))
        file = await page.dependencies.titles.read_file(page.site, sent.content)
        if file.refused:
            return await titles_with(page, {}, file.refused)
        written = await page.dependencies.titles.write_all(page.principal, page.site, file.titles)
    except ApiError as error:
        return await titles_with(page, mistakes(error, HTTPStatus.CONFLICT))
    return page.redirect(f"{page.base}/titles?written={written}", saved=True)
