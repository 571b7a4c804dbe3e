"""Answers as JSON, in the shapes of Plausible, and as CSV."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from services.api.stats.grammar.measures import Measure, Value, change
from services.api.stats.readers.results import Row, StatsResult

CSV = "text/csv"
JSON = "application/json"
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The first characters of cells that a spreadsheet may run (OWASP, CSV injection); the last four
are the full-width forms of the first four."""
HEADERS = {
    "Cache-Control": "private, no-store",
    "Vary": "Accept, Authorization, Cookie",
    "X-Content-Type-Options": "nosniff",
}

Cell = Value | str


def aggregate(
    measures: Sequence[Measure],
    result: StatsResult,
    before: StatsResult | None,
    unknown: Collection[Measure] = (),
) -> dict[str, Any]:
    """Return one value per measure, and its change when there is something to compare with.

    unknown  measures that are not known of the days to compare with
    """
    now = result.total()
    results: dict[str, dict[str, Value]] = {}
    for measure in measures:
        results[measure] = {"value": now.value(measure)}
        if before is not None:
            is_known = not before.warnings and measure not in unknown
            then = before.total().value(measure) if is_known else None
            results[measure]["change"] = change(measure, now.value(measure), then)
    return results


def rows(measures: Sequence[Measure], named: str, counted: Iterable[Row]) -> list[dict[str, Cell]]:
    """Return the rows as dicts, each with its name under `named`."""
    return [
        {named: name, **{measure.value: counts.value(measure) for measure in measures}}
        for name, counts in counted
    ]


def with_title(row: Mapping[str, Cell], named: str, titles: Mapping[str, str]) -> dict[str, Cell]:
    """Return a row with the title of its page, '' for none, after its name."""
    name = row[named]
    return {named: name, "title": titles.get(str(name), ""), **row}


def respond(
    request: Request,
    results: Mapping[str, Mapping[str, Value]] | Sequence[Mapping[str, Cell]],
    warnings: Sequence[str],
    name: str,
    columns: Sequence[str] = (),
) -> Response:
    """Return results as JSON, or as CSV if the client prefers it.

    name     of the file
    columns  those of `table`
    """
    if not prefers_csv(request.headers.get("accept", "")):
        content: dict[str, Any] = {"results": results}
        if warnings:
            content["warnings"] = list(warnings)
        return Response(msgspec.json.encode(content), media_type=JSON, headers=HEADERS)
    if isinstance(results, Mapping):
        results = [{"metric": measure, **values} for measure, values in results.items()]
    headers = {
        **csv_headers(warnings),
        "Content-Disposition": f'attachment; filename="{name}.csv"',
    }
    text = table(results, columns=columns)
    return Response(text, media_type=f"{CSV}; charset=utf-8", headers=headers)


def csv_headers(warnings: Sequence[str]) -> dict[str, str]:
    """Return the headers of results as CSV."""
    return HEADERS | ({"X-Luot-Warning": "; ".join(warnings)} if warnings else {})


def table(
    results: Sequence[Mapping[str, Cell]],
    heading: Callable[[str], str] = str,
    columns: Sequence[str] = (),
) -> str:
    """Return rows as CSV (RFC 4180), escaped so that no spreadsheet runs a cell as a formula.

    Every text is quoted, and no number is.

    heading  returns the heading of a column
    columns  those of a file without rows
    """
    names: Iterable[str] = results[0] if results else columns
    lines: list[Iterable[Cell]] = [[heading(name) for name in names]] if names else []
    lines += [row.values() for row in results]
    return "".join(f"{','.join(map(_cell, line))}\r\n" for line in lines)


def prefers_csv(accept: str) -> bool:
    """Tell whether the header Accept prefers CSV over JSON (RFC 9110)."""
    weights = {CSV: 0.0, JSON: 0.0}
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                weight = _weight(parameter[2:])
        if name in weights:
            weights[name] = weight
    return weights[CSV] > weights[JSON]


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _cell(cell: Cell) -> str:
    if cell is None:
        return ""
    if not isinstance(cell, str):
        return str(cell)
    # A leading apostrophe makes a spreadsheet read the cell as text.
    safe = f"'{cell}" if cell.startswith(FORMULA) else cell
    return '"{}"'.format(safe.replace('"', '""'))
