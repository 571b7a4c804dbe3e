"""`/api/admin/sites/{slug}/annotations`: what users noted about days of a site."""

import csv
import datetime
import io
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from services.api.access.fields import TEXT_PATTERN
from services.api.access.route import Who, admin_router, needs, site_of
from services.api.sites.annotations.service import MAX_TEXT, Annotations
from services.api.sites.registry import Registry
from services.api.stats.answers import FORMULA
from services.http.errors import bad_request
from services.model.account import Role
from services.model.calendar import to_date, to_day
from services.model.site import Site
from services.store.records.annotations import Annotation

COLUMNS = ("day", "text", "author")
_OR_CSV: dict[int | str, dict[str, Any]] = {
    HTTPStatus.OK.value: {"content": {"text/csv": {"schema": {"type": "string"}}}}
}

Text = Annotated[
    str, Field(min_length=1, max_length=MAX_TEXT, pattern=TEXT_PATTERN, description="on one line")
]


class AnnotationFields(BaseModel):
    """An annotation that is to be written."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    day: datetime.date
    text: Text


class AnnotationChanges(BaseModel):
    """What is to be changed of an annotation."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    day: datetime.date | None = None
    text: Text | None = None


class AnnotationOut(BaseModel):
    """An annotation."""

    id: str
    day: datetime.date
    text: str
    author: str
    at: int = Field(description="when it was written, milliseconds since 1970, UTC")


class AnnotationList(BaseModel):
    """Annotations, by day."""

    annotations: list[AnnotationOut]


def router(registry: Callable[[], Registry], of: Callable[[], Annotations]) -> APIRouter:
    """Return the routes; what they need is looked up for every request."""
    routes = admin_router("/sites/{slug}/annotations")
    known = Depends(site_of(registry))
    named = Path(alias="id", description="the id of an annotation")

    @routes.get("", response_model=AnnotationList, responses=_OR_CSV)
    @needs(Role.VIEWER)
    async def list_annotations(
        site: Annotated[Site, known],
        first: Annotated[datetime.date | None, Query(alias="from")] = None,
        last: Annotated[datetime.date | None, Query(alias="to")] = None,
        form: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
    ) -> Response:
        """The annotations of a site, by day; of some days, or as CSV, where asked."""
        if first is not None and last is not None and first > last:
            raise bad_request("from", f"{first} is after {last}; expected a day not after `to`")
        written = [
            one
            for one in await of().all(site)
            if (first is None or to_day(first) <= one.day)
            and (last is None or one.day <= to_day(last))
        ]
        if form == "csv":
            return csv_file(site, written, COLUMNS)
        body = AnnotationList(annotations=[out(one) for one in written])
        return JSONResponse(body.model_dump(mode="json"))

    @routes.post("", status_code=HTTPStatus.CREATED)
    @needs(Role.EDITOR)
    async def write_annotation(
        site: Annotated[Site, known], new: AnnotationFields, who: Who
    ) -> AnnotationOut:
        """Write what happened on a day."""
        return out(await of().write(who, site, to_day(new.day), new.text))

    @routes.patch("/{id}")
    @needs(Role.EDITOR)
    async def change_annotation(
        site: Annotated[Site, known],
        id_: Annotated[str, named],
        changes: AnnotationChanges,
        who: Who,
    ) -> AnnotationOut:
        """Change the day or the text of one."""
        day = None if changes.day is None else to_day(changes.day)
        return out(await of().change(who, site, id_, day, changes.text))

    @routes.delete("/{id}", status_code=HTTPStatus.NO_CONTENT)
    @needs(Role.EDITOR)
    async def remove_annotation(
        site: Annotated[Site, known], id_: Annotated[str, named], who: Who
    ) -> None:
        """Remove one; the audit log keeps what it said."""
        await of().remove(who, site, id_)

    return routes


def out(one: Annotation) -> AnnotationOut:
    """Return an annotation as the API shows it."""
    return AnnotationOut(
        id=one.id, day=to_date(one.day), text=one.text, author=one.author, at=one.at
    )


def csv_file(site: Site, written: Iterable[Annotation], columns: Iterable[str]) -> Response:
    """Return annotations as a file for spreadsheets, with these column headings."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(columns)
    for one in written:
        writer.writerow([to_date(one.day).isoformat(), _plain(one.text), _plain(one.author)])
    name = f"{site.slug}-annotations.csv"
    return Response(
        # Spreadsheets take a file without a byte order mark for Latin-1.
        "\ufeff" + text.getvalue(),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text
