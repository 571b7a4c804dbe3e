"""Days as text: a period, and which of its days were not counted."""

from services.api.dashboard.texts.language import Language
from services.api.stats.panels.contents import UncountedDays, UncountedSpan
from services.api.stats.periods.spans import Span
from services.model.calendar import to_date


def span_label(span: Span, t: Language) -> str:
    """Return a span of days as text."""
    first, last = to_date(span.first), to_date(span.last)
    return t.day(first) if first == last else f"{t.date_of(first)} – {t.date_of(last)}"


def uncounted_text(uncounted: UncountedSpan, t: Language) -> str:
    """Return why there is nothing to compare with; '' if nothing was ever counted."""
    if uncounted.is_gap:
        return t("compare.uncounted", days=span_label(uncounted.days, t))
    if uncounted.since is None:
        return ""
    return t("compare.gap", day=t.date_of(to_date(uncounted.since)))


def gap_notes(missing: UncountedDays, t: Language) -> list[str]:
    """Return notes on the days of a page that were not counted."""
    notes = [t("period.uncounted", days=span_label(gap, t)) for gap in missing.gaps]
    if missing.before is not None:
        notes.append(uncounted_text(missing.before, t))
    return [note for note in notes if note]
