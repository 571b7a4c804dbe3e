"""Notes in pages, workbooks and e-mails on details whose raw hits are no longer kept."""

from datetime import date

from services.api.dashboard.texts.language import Language
from services.api.stats.panels.contents import KeptHits
from services.api.stats.reports.traffic_report import TrafficReport
from services.model.calendar import to_date


def kept_text(kept: KeptHits | None, t: Language) -> str:
    """Return since when there are details, and how much of the period they cover."""
    if kept is None:
        return t("panel.partial")
    return _text(None if kept.since is None else to_date(kept.since), kept.visits, kept.whole, t)


def kept_in_report(report: TrafficReport, t: Language) -> str:
    """Return the same for a report; '' if its lists are complete."""
    hits = report.kept
    return "" if hits is None else _text(hits.since, hits.visits, hits.whole, t)


def _text(since: date | None, visits: int, whole: int, t: Language) -> str:
    if since is None:
        return t("panel.gone")
    if not visits:
        return t("panel.gone.since", day=t.date_of(since))
    return t("panel.kept", day=t.date_of(since), kept=t.number(visits), whole=t.number(whole))
