"""What requests of imports hold, and their answers."""

import datetime
from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from services.api.imports.undo import UndoPreview
from services.api.sites.corrections.schemas import ChangeOut
from services.model.calendar import to_date
from services.model.site import Metric
from services.store.records.imports import Import, ImportState

DIGEST_PATTERN = r"^[0-9a-f]{64}$"
TEXT_PATTERN = r"^[^\x00-\x1f\x7f-\x9f]*$"
MAX_LINES = 1 << 50
MAX_MS = 1 << 42

Digest = Annotated[str, Path(pattern=DIGEST_PATTERN, description="SHA-256 of the content, in hex")]
Milliseconds = Annotated[int, Field(ge=0, lt=MAX_MS)]


class NewImport(BaseModel):
    """A file that is to be imported."""

    model_config = ConfigDict(extra="forbid")

    file: str = Field(max_length=500, pattern=TEXT_PATTERN, description="its name, for people")
    host: str = Field(max_length=253, pattern=TEXT_PATTERN, description="host of its pages")
    until: Milliseconds = Field(0, description="later lines are left out; 0 for none, in ms")
    lines: int = Field(ge=0, le=MAX_LINES)
    first_at: Milliseconds = Field(description="time of the first line, ms since 1970, UTC")
    last_at: Milliseconds = Field(description="time of the last line")
    overlapping: StrictBool = Field(
        False, description="take it although another file of the site is of the same time"
    )
    dry_run: StrictBool = Field(False, description="answer, and begin nothing")


class ImportOut(BaseModel):
    """An import. `taken` is the line up to which all of its pages are in the log."""

    digest: str
    file: str
    host: str
    until: int
    done: bool
    state: str = Field(
        description="begun, done, undoing or undone; where it is undoing, ask to undo it again"
    )
    lines: int
    taken: int
    hits: int
    first_at: int
    last_at: int
    author: str
    begun_at: int
    can_be_undone: bool = Field(
        description="false for what is undone, and for what an older version has imported"
    )
    undone_by: str
    undone_at: int


class UndoneDay(BaseModel):
    """What undoing an import subtracts from a day."""

    day: datetime.date
    views: int
    visits: int


class UndonePage(BaseModel):
    """What undoing an import subtracts from a page."""

    path: str
    views: int


class UndoPreviewOut(BaseModel):
    """What undoing an import would take away; nothing is changed."""

    file: str
    views: int = Field(description="of it that are counted by now")
    visits: int
    days: list[UndoneDay]
    pages: list[UndonePage] = Field(description="those with the most of these views")
    numbers: dict[Metric, dict[str, ChangeOut]] = Field(
        description="the lines of the block, in each measure"
    )


class Begun(BaseModel):
    """Where to go on, and the salt for the visitors of each day, '' for what is done."""

    done: bool
    taken: int
    hits: int
    salt: str
    warnings: list[str] = Field(description="what counts the same time already")


class ImportList(BaseModel):
    """Every import of a site, the oldest first."""

    imports: list[ImportOut]


class Chunk(BaseModel):
    """What the log has of an import now."""

    taken: int
    appended: bool = Field(description="false when it was there before")


class Finished(BaseModel):
    """Whether all of an import is counted; ask again until it is."""

    done: bool
    hits: int


def import_out(one: Import) -> ImportOut:
    """Return an import as it is shown."""
    shown = one._asdict()
    for name in ("at", "done", "generation", "kept_apart"):
        del shown[name]
    return ImportOut(
        **shown,
        done=one.state is ImportState.DONE,
        state=one.state.name.lower(),
        can_be_undone=one.can_be_undone,
    )


def undo_preview_out(found: UndoPreview) -> UndoPreviewOut:
    """Return a preview as it is shown."""
    return UndoPreviewOut(
        file=found.known.file,
        views=found.views,
        visits=found.visits,
        days=[
            UndoneDay(day=to_date(each.day), views=each.views, visits=each.visits)
            for each in found.days
        ],
        pages=[UndonePage(path=path, views=views) for path, views in found.pages],
        numbers={
            metric: {
                line: ChangeOut(before=number.before, after=number.after)
                for line, number in lines.items()
            }
            for metric, lines in found.public.numbers.items()
        },
    )
