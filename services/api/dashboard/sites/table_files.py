"""The table of sites as CSV, for other programs, and as a workbook, with its sums and notes."""

from collections.abc import Sequence
from http import HTTPStatus

from starlette.responses import Response

from services.api.access.trail import Occasion
from services.api.dashboard.requests.page_request import PageRequest
from services.api.dashboard.sites.table_view import ReadSites, read
from services.api.dashboard.texts.language import Language
from services.api.dashboard.traffic.site_page import against_label, period_label
from services.api.stats.grammar.site_query import CHARTED
from services.api.stats.many.csv_file import csv_of
from services.api.stats.many.many_sites import SumOfSites
from services.api.stats.many.table import SitesTable
from services.api.stats.reports.workbook import XLSX, Percent, Sheet, SheetCell, workbook
from services.http.errors import ApiError, bad_request, shown
from services.model.site import Site

CSV_ENDING, XLSX_ENDING = "csv", "xlsx"


async def table_file(
    page: PageRequest, sites: Sequence[Site], of: str, title: str, *, is_public: bool = False
) -> Response:
    """Return the table as the kind of file that the URL asks for.

    of     the beginning of the file's name, also recorded in the audit log
    title  the heading of the sheet
    """
    ending = page.request.path_params["ending"]
    if ending not in (CSV_ENDING, XLSX_ENDING):
        refusal = bad_request("file", f"{shown(ending)}; expected csv or xlsx")
        raise ApiError(HTTPStatus.NOT_FOUND, refusal.errors)
    view = await read(page, sites, is_public=is_public)
    if not is_public:
        page.dependencies.trail.count(Occasion(page.principal.name, "export", of), "files")
    csv = csv_of(view.table, of, page.t.column)
    if ending == CSV_ENDING:
        # Without the byte order mark, spreadsheets read a file as Latin-1.
        content: str | bytes = "\ufeff" + csv.text
        media_type, name = "text/csv; charset=utf-8", csv.name
    else:
        content = workbook([_sheet(view, title, page.t)], page.t.lang)
        media_type, name = XLSX, f"{csv.name.removesuffix(CSV_ENDING)}{XLSX_ENDING}"
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers={**csv.headers, **disposition})


def sum_notes(table: SitesTable, t: Language) -> list[str]:
    """Return the notes that the sums need."""
    notes = [t("table.sum.note")]
    if not table.total.unknown or not table.scope.before:
        return notes
    left, known = len(table.total.unknown), table.total.compared
    if known is None or known.change(table.scope.measure) is None:
        return [*notes, t("table.sum.unknown", count=left)]
    now, before = (t.number(of.value(table.scope.measure)) for of in (known.now, known.before))
    text = t("table.sum.compared", count=known.sites, left=left, now=now, before=before)
    return [*notes, text]


def _sheet(found: ReadSites, title: str, t: Language) -> Sheet:
    table = found.table
    compared = table.scope.before is not None
    headings = [t("table.rank"), t("table.site"), t("field.slug")]
    for measure in CHARTED:
        headings.append(t(f"measure.{measure}"))
        if compared:
            headings += [t("table.before"), t("report.change")]
    headings.append(t("table.silent"))
    rows: list[list[SheetCell]] = [
        [
            row.rank,
            row.site.name or row.site.slug,
            row.site.slug,
            *_cells(row.numbers, compared),
            None if row.silent is None else _since(row.silent, row.site, t),
        ]
        for row in table.rows
    ]
    total = t("table.sum", count=len(table.rows))
    rows.append([None, total, None, *_cells(table.total, compared)])
    if compared and table.total.compared is not None:
        known, left = table.total.compared, len(table.total.unknown)
        total = t("table.sum.both", count=known.sites, left=left)
        of_known = SumOfSites(
            known.now,
            known.before,
            (),
            table.total.counted,
            is_measured=known.is_measured,
        )
        rows.append([None, total, None, *_cells(of_known, compared)])
    label, against = period_label(table.scope, t), against_label(table.scope, t)
    return Sheet(t("sites"), f"{title} · {label} ({against})", headings, rows, sum_notes(table, t))


def _since(at_ms: int, site: Site, t: Language) -> str:
    return t("table.silent.since", at=t.moment(at_ms, site.zone_at(at_ms)))


def _cells(of: SumOfSites, compared: bool) -> list[SheetCell]:
    cells: list[SheetCell] = []
    for measure in CHARTED:
        cells.append(of.value(measure))
        if compared:
            change = of.change(measure)
            cells.append(of.value_before(measure))
            cells.append(None if change is None else Percent(change, is_change=True))
    return cells
