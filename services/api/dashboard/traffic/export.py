"""`/admin/sites/{slug}/csv/{panel}`: the rows of a panel, and more than it shows, as CSV."""

from starlette.responses import Response

from services.api.access.trail import Occasion
from services.api.dashboard.requests import query_parameters
from services.api.dashboard.requests.page_request import PageRequest
from services.api.dashboard.traffic.shown_names import titles_for_file
from services.http.departures import unless_gone


async def csv(page: PageRequest) -> Response:
    """Return a panel, with the period and the filters of the page."""
    panel = page.request.path_params["panel"]
    query = query_parameters.read(page)
    panels = await page.dependencies.stats.panels(page.site, query, page.signed_in, page.request)
    weekdays = [page.t.weekday(number) for number in range(7)]
    making = panels.csv(panel, page.t.column, titles_for_file(page, panel), weekdays)
    file = await unless_gone(page.request, making)
    if page.signed_in is not None:
        page.dependencies.trail.count(
            Occasion(page.signed_in.name, "export", panel, page.site.slug), "files"
        )
    return Response(
        # Without a byte order mark, spreadsheets read a file as Latin-1.
        "\ufeff" + file.text,
        media_type="text/csv; charset=utf-8",
        headers={**file.headers, "Content-Disposition": f'attachment; filename="{file.name}"'},
    )
