"""The figures of a period, as the page of a site shows them."""

from collections.abc import Collection, Sequence

from services.api.stats.grammar.measures import Counts, Measure, Value, change
from services.api.stats.panels.contents import Figure, PanelResult

ComparedTotals = tuple[Counts | None, Counts | None]
"""What was counted in the period and in the one before; None when not known."""


def figures_of(
    measures: Sequence[Measure],
    result: PanelResult[ComparedTotals],
    unknown: Collection[Measure] = (),
) -> PanelResult[list[Figure]]:
    """Return each measure with its change; None when not known.

    unknown  measures that are not known of the period before
    """
    if result.value is None:
        return PanelResult(None, result.refusal, gone=result.gone)
    now, before = result.value
    figures = []
    for measure in measures:
        value = _value(measure, now)
        was = None if measure in unknown else _value(measure, before)
        figures.append(Figure(measure.value, value, change(measure, value, was)))
    return PanelResult(figures, partial=result.partial)


def _value(measure: Measure, counts: Counts | None) -> Value:
    """Return a measure; None when not known: without visits there is no bounce rate."""
    if counts is None or (measure is Measure.BOUNCE_RATE and not counts.measured):
        return None
    return counts.value(measure)
