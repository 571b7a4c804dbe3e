"""Public numbers before and after views are taken back, as pages show them."""

from typing import NamedTuple

from services.api.dashboard.texts.language import Language
from services.api.sites.corrections.preview import BeforeAfter, PublicPreview
from services.model.site import Metric, Site


class NumberRow(NamedTuple):
    """A line of the block, and its number before and after, in each measure."""

    line: str
    numbers: list[tuple[str, str]]


class ChangedNumbers(NamedTuple):
    """The numbers of the block by line; the site's own measure is the first."""

    measures: list[Metric]
    rows: list[NumberRow]


def changed_numbers(site: Site, public: PublicPreview, t: Language) -> ChangedNumbers:
    """Return the numbers of a site's block as text."""
    numbers = public.numbers
    measures = sorted(numbers, key=lambda metric: metric is not site.measure())
    return ChangedNumbers(
        measures,
        [
            NumberRow(t.line(line), [before_after(numbers[one][line], t) for one in measures])
            for line in next(iter(numbers.values()), {})
        ],
    )


def before_after(number: BeforeAfter, t: Language) -> tuple[str, str]:
    """Return a number before, and after if it differs."""
    before, after = t.number(number.before), t.number(number.after)
    return before, "" if before == after else after
