"""Vietnamese or English: which one a reader wants, and how it writes numbers and dates."""

from datetime import UTC, date, datetime

from starlette.requests import Request

from services.api.dashboard.words import WORDS
from services.model.calendar import zone
from services.model.display import Lang

COOKIE = "luot_lang"
PARAMETER = "lang"

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WEEKDAYS = {
    Lang.VI: ("Thứ Hai", "Thứ Ba", "Thứ Tư", "Thứ Năm", "Thứ Sáu", "Thứ Bảy", "Chủ nhật"),
    Lang.EN: ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
}


def wanted(request: Request) -> Lang:
    """Return the language that the address names, or the cookie, or the browser."""
    for said in (request.query_params.get(PARAMETER), request.cookies.get(COOKIE)):
        if said in tuple(Lang):
            return Lang(said)
    return _accepted(request.headers.get("accept-language", ""))


def _accepted(header: str) -> Lang:
    """Return the one that weighs more (RFC 9110, section 12.5.4); Vietnamese if neither does."""
    weights = {Lang.VI: 0.0, Lang.EN: 0.0}
    for part in header.lower().split(","):
        name, _, weight = part.strip().partition(";q=")
        for lang in weights:
            if name.partition("-")[0] == lang:
                try:
                    weights[lang] = max(weights[lang], float(weight or 1))
                except ValueError:
                    continue
    return Lang.EN if weights[Lang.EN] > weights[Lang.VI] else Lang.VI


class Language:
    """One of the two, as templates use it."""

    def __init__(self, lang: Lang) -> None:
        self.lang = lang
        self._column = (Lang.VI, Lang.EN).index(lang)

    def __call__(self, key: str, **values: object) -> str:
        """Return the text of a key, with values filled in."""
        text = WORDS[key][self._column]
        return text.format(**values) if values else text

    def known(self, key: str, otherwise: str) -> str:
        """Return the text of a key, or another where there is none."""
        return self(key) if key in WORDS else otherwise

    def number(self, value: float | None) -> str:
        """Return a number with its thousands parted; a dash where there is none."""
        if value is None:
            return "–"
        text = f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"
        return text.translate({44: ".", 46: ","}) if self.lang is Lang.VI else text

    def short(self, value: float) -> str:
        """Return a number for an axis: 1,2 N for thousands in Vietnamese, 1.2k in English."""
        for limit, unit in ((10**9, "axis.billion"), (10**6, "axis.million"), (10**3, "axis.kilo")):
            if value >= limit:
                scaled = f"{value / limit:.1f}".removesuffix(".0")
                text = scaled.replace(".", ",") if self.lang is Lang.VI else scaled
                return text + self(unit)
        return str(int(value))

    def duration(self, seconds: float | None) -> str:
        """Return a time as minutes and seconds."""
        if seconds is None:
            return "–"
        minutes, rest = divmod(round(seconds), 60)
        if not minutes:
            return self("time.seconds", seconds=rest)
        return self("time.minutes", minutes=minutes, seconds=f"{rest:02}")

    def day(self, day: date) -> str:
        """Return a day in full, with its weekday."""
        weekday = _WEEKDAYS[self.lang][day.weekday()]
        return f"{weekday}, {self.date_of(day)}"

    def date_of(self, day: date) -> str:
        """Return a date."""
        if self.lang is Lang.VI:
            return f"{day.day}/{day.month}/{day.year}"
        return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"

    def tick(self, day: date) -> str:
        """Return a day without its year."""
        if self.lang is Lang.VI:
            return f"{day.day}/{day.month}"
        return f"{day.day} {_MONTHS[day.month - 1]}"

    def month(self, day: date) -> str:
        """Return a month with its year."""
        if self.lang is Lang.VI:
            return f"Tháng {day.month}/{day.year}"
        return f"{_MONTHS[day.month - 1]} {day.year}"

    def month_tick(self, day: date) -> str:
        """Return a month for an axis."""
        if self.lang is Lang.VI:
            return f"{day.month}/{day.year % 100:02}"
        return f"{_MONTHS[day.month - 1]} {day.year % 100:02}"

    def moment(self, at_ms: int, zone_name: str = "UTC") -> str:
        """Return a time, to the minute, in a zone."""
        at = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone(zone_name))
        return f"{self.date_of(at.date())} {at:%H:%M}"
