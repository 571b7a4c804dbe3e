"""A search counted besides the view of its results: one event, two hits."""

from msgspec import structs

from services.ingest.admission import keep_apart
from services.ingest.context import PipelineContext, Step
from services.ingest.draft import Draft
from services.ingest.limits import limit_paths, share_log, spend_budget
from services.ingest.pipeline import fold_path, open_day
from services.model.hit import Hit, Visit
from services.model.kept_apart import Apart

_OWN_NUMBER = 0x5EA_2C4E_D0F0
"""Turns a view's id into another one, the same on a retry: both are in one partition."""

_STEPS: tuple[Step, ...] = (open_day, fold_path, spend_budget, share_log, limit_paths)


async def search_of(draft: Draft, view: Hit, context: PipelineContext) -> Hit | None:
    """Return the search whose results a counted view shows; None when that does not count.

    A bot's search is not kept. The same terms as on the previous page are no search (admission.py).
    """
    if view.bot or draft.apart is not None:
        return None
    search = structs.replace(draft, visitor=0, visit=Visit.CONTINUES, newcomer=False, own_path="")
    keep_apart(search, Apart.SEARCHES)
    for step in _STEPS:
        outcome = step(search, context)
        if outcome is None:
            continue
        if isinstance(outcome, str):
            return None
        await outcome
    return structs.replace(
        view,
        site=search.kept_as,
        path=search.path,
        own_path=search.own_path,
        source=search.source,
        visitor=0,
        visit=Visit.CONTINUES,
        view_id=view.view_id and view.view_id ^ _OWN_NUMBER,
    )
