"""What the address of a site's page asks for, so that it can be kept and sent to somebody."""

from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec

from services.api.counter.parameters import one_of
from services.api.dashboard.language import Language
from services.api.dashboard.visit import HOME, Visit
from services.api.stats.filters import Filter, parse
from services.api.stats.measures import Measure
from services.api.stats.spans import Interval, Period, Span, span_of
from services.model.calendar import previous_month, to_date, zone
from services.model.site import Site

PERIODS = ("day", "yesterday", "7d", "30d", "month", "12mo")
DEFAULT_PERIOD = "30d"
CHARTED = (Measure.PAGEVIEWS, Measure.VISITS, Measure.VISITORS)
CUSTOM = "custom"
YESTERDAY = "yesterday"

_WEEKS_FROM_DAYS = 93
_MONTHS_FROM_DAYS = 400


class Asking(msgspec.Struct, frozen=True):
    """A period of a site, filters, and the measure of the chart.

    dates  the day or month that is looked at; two for a custom period; '' is now
    span   all days of the period
    """

    site: Site
    today: int
    period: str
    dates: str
    measure: Measure
    filters: tuple[Filter, ...]
    span: Span

    @property
    def seen(self) -> Span:
        """The days of the period that have come."""
        return Span(self.span.first, max(self.span.first, min(self.span.last, self.today)))

    @property
    def interval(self) -> Interval:
        """How long each point of the chart is."""
        if self.span.days == 1:
            return Interval.HOUR
        if self.period == Period.LAST_12_MONTHS or self.span.days >= _MONTHS_FROM_DAYS:
            return Interval.MONTH
        return Interval.WEEK if self.span.days >= _WEEKS_FROM_DAYS else Interval.DATE

    def path(self, **changes: object) -> str:
        """Return the address of this page with some of it changed."""
        return f"{HOME}/sites/{self.site.slug}{_query(msgspec.structs.replace(self, **changes))}"

    def csv(self, panel: str) -> str:
        """Return the address of a panel as CSV."""
        return f"{HOME}/sites/{self.site.slug}/csv/{panel}{_query(self)}"

    def without(self, given: Filter) -> str:
        """Return the address of this page without a filter."""
        return self.path(filters=tuple(other for other in self.filters if other != given))

    def on(self, period: str) -> str:
        """Return the address of another period."""
        return self.path(period=period, dates="")

    def charted(self, measure: Measure) -> str:
        """Return the address of this page with another measure in the chart."""
        return self.path(measure=measure)

    @property
    def earlier(self) -> str | None:
        """The address of the day or month before, where the period is one."""
        match self.period:
            case Period.DAY | "yesterday":
                return self.path(period="day", dates=_iso(self.span.first - 1))
            case Period.MONTH:
                return self.path(dates=_iso(previous_month(self.span.first)))
        return None

    @property
    def later(self) -> str | None:
        """The address of the day or month after, if it has come."""
        if self.period not in (Period.DAY, YESTERDAY, Period.MONTH) or self.span.last >= self.today:
            return None
        period = Period.MONTH if self.period == Period.MONTH else Period.DAY
        return self.path(period=period, dates=_iso(self.span.last + 1))

    @property
    def is_under_way(self) -> bool:
        """Whether it is today alone, which is compared with a whole day."""
        return self.span.first == self.today

    def label(self, t: Language) -> str:
        """Return the period in words."""
        if self.period == Period.MONTH:
            return t.month(to_date(self.span.first))
        return label(self.span, t)


def label(span: Span, t: Language) -> str:
    """Return days in words."""
    first, last = to_date(span.first), to_date(span.last)
    return t.day(first) if first == last else f"{t.date_of(first)} – {t.date_of(last)}"


def read(visit: Visit) -> Asking:
    """Read the address. Raises ApiError, which names the parameter."""
    site = visit.site
    today = visit.parts.stats.today(site)
    period = one_of("period", visit.asked("period", DEFAULT_PERIOD), (*PERIODS, CUSTOM))
    dates = visit.asked("date")
    if period == CUSTOM and not dates:
        dates = f"{visit.asked('from')},{visit.asked('to')}"
    if period == YESTERDAY:
        span = Span(today - 1, today - 1)
    else:
        span = span_of(period, dates or None, today)
    measure = one_of("measure", visit.asked("measure", Measure.PAGEVIEWS), CHARTED)
    filters = parse(visit.asked("filters"))
    return Asking(site, today, period, dates, Measure(measure), filters, span)


def _iso(day: int) -> str:
    return to_date(day).isoformat()


def _query(asking: Asking) -> str:
    given = {
        "period": "" if asking.period == DEFAULT_PERIOD else asking.period,
        "date": asking.dates,
        "measure": "" if asking.measure is Measure.PAGEVIEWS else asking.measure.value,
        "filters": ";".join(map(str, asking.filters)),
    }
    query = urlencode({name: value for name, value in given.items() if value}, safe=":,/=")
    return f"?{query}" if query else ""


def zone_of(site: Site) -> ZoneInfo:
    """Return the zone in which the site's days turn."""
    return zone(site.timezone)
