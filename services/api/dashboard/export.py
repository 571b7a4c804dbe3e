"""`/admin/sites/{slug}/csv/{panel}`: what a panel shows, and more of it, as CSV."""

from http import HTTPStatus

from starlette.responses import Response

from services.api.dashboard import asking as asks
from services.api.dashboard.traffic import PANELS, SUMMARY, question, spanning
from services.api.dashboard.visit import Visit
from services.api.stats import answers
from services.api.stats.filters import Property
from services.api.stats.measures import Measure
from services.api.stats.query import BreakdownQuery
from services.api.stats.spans import Interval
from services.http.errors import ApiError, bad_request, shown

TIMESERIES = "timeseries"
ROWS = 1000


async def csv(visit: Visit) -> Response:
    """Return a panel, with the period and the filters of the page."""
    panel = visit.request.path_params["panel"]
    asking = asks.read(visit)
    reader = visit.parts.stats.reader
    if panel == TIMESERIES:
        asked = question(asking, SUMMARY)
        if asking.interval is not Interval.HOUR:
            asked = spanning(asked, asking.seen)
        found = await reader.timeseries(asked, asking.interval)
        table = answers.rows(SUMMARY, "date", found.rows)
    elif panel in PANELS:
        by = PANELS[panel]
        measures = (Measure.PAGEVIEWS, Measure.VISITS, Measure.VISITORS)
        if by is not Property.PAGE:
            measures = (Measure.VISITS, Measure.PAGEVIEWS, Measure.VISITORS)
        found = await reader.breakdown(question(asking, measures), BreakdownQuery(by, ROWS, 1))
        table = answers.rows(measures, by.field, found.rows)
    else:
        expected = ", ".join((TIMESERIES, *PANELS))
        refusal = bad_request("panel", f"{shown(panel)}; expected one of {expected}")
        raise ApiError(HTTPStatus.NOT_FOUND, refusal.errors)
    name = f"{asking.site.slug}-{panel}-{str(asking.span).replace(' ', '-')}"
    return Response(
        # Spreadsheets take a file without the mark for Latin-1.
        "\ufeff" + answers.table(table),
        media_type="text/csv; charset=utf-8",
        headers={
            **answers.HEADERS,
            "Content-Disposition": f'attachment; filename="{name}.csv"',
        },
    )
