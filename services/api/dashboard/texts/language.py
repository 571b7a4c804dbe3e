"""The language of a page: its texts, and how it writes numbers and dates.

The texts are in `languages`, one file for each language of the model. A text is a string with
{placeholders}, or a table of plural forms for {count}, named as in the Unicode CLDR.
"""

import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

import msgspec
from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal, format_percent
from starlette.requests import Request

from services.api.dashboard.texts import refusals
from services.http.errors import Translatable
from services.model.calendar import zone
from services.model.display import LABELS, Lang
from services.model.group import GROUP_PLACE
from services.model.lines import Line

COOKIE = "luot_lang"
PARAMETER = "lang"
REPLACEMENTS = "instead_of_cldr"
"""The table of a file for what the CLDR writes differently than readers of the language do."""
_WORDS_OF = {"role": "role", "default_period": "period"}
"""Field → prefix of the texts for its values, where that is not `value`."""

Text = str | Mapping[str, str]


class Texts(NamedTuple):
    """The content of a file."""

    by_key: Mapping[str, Text]
    replacements: Mapping[str, str]


@lru_cache(maxsize=len(Lang))
def texts(lang: Lang) -> Texts:
    """Read the file of a language."""
    path = files("services.api.dashboard").joinpath("languages", f"{lang}.toml")
    by_key = tomllib.loads(path.read_text("utf-8"))
    replacements = by_key.pop(REPLACEMENTS, {})
    return Texts(by_key, replacements)


def preferred(request: Request) -> Lang:
    """Return the language from the URL, else from the cookie, else from the browser."""
    for name in (request.query_params.get(PARAMETER), request.cookies.get(COOKIE)):
        if name in tuple(Lang):
            return Lang(name)
    return _accepted(request.headers.get("accept-language", ""))


def _accepted(header: str) -> Lang:
    """Return the language with the highest weight (RFC 9110, section 12.5.4), else the default."""
    weights = dict.fromkeys(Lang, 0.0)
    for part in header.lower().split(","):
        name, _, weight = part.strip().partition(";q=")
        for lang in weights:
            if name.partition("-")[0] == lang:
                try:
                    weights[lang] = max(weights[lang], float(weight or 1))
                except ValueError:
                    continue
    return max(weights, key=lambda lang: weights[lang])


def own_name(lang: Lang) -> str:
    """Return the name of a language in itself."""
    return Locale.parse(lang).display_name or lang.value


class Language:
    """A language, as templates use it."""

    def __init__(self, lang: Lang) -> None:
        self.lang = lang
        self._texts = texts(lang)
        self._locale = Locale.parse(lang)

    def __call__(self, key: str, **values: object) -> str:
        """Return the text of a key, with values filled in; `count` chooses the plural form."""
        text = self._texts.by_key[key]
        if not isinstance(text, str):
            form = self._locale.plural_form(values["count"])  # type: ignore[arg-type]
            text = text.get(form, text["other"])
        return text.format(**values) if values else text

    def told(self, text: str) -> str:
        """Return a message in this language, if there is a translation."""
        if isinstance(text, Translatable):
            return self(text.key, **text.values)
        return refusals.translated(text, self.lang) or text

    def speaks(self, text: str) -> Lang:
        """Return the language in which `told` returns a message."""
        is_said = isinstance(text, Translatable) or refusals.translated(text, self.lang) is not None
        return self.lang if is_said else Lang.EN

    def known(self, key: str, otherwise: str) -> str:
        """Return the text of a key, or another if there is none."""
        return self(key) if key in self._texts.by_key else otherwise

    def actor(self, name: str) -> str:
        """Return who did something, in words if it was no account, such as the admin token."""
        return self.known(f"actor.{name}", name)

    def field(self, name: str) -> str:
        """Return the name of a field on pages; for one such as `hosts.0`, that of its list."""
        parts = [part for part in name.split(".") if not part.isdigit()]
        for known in (name, *reversed(parts)):
            if f"field.{known}" in self._texts.by_key:
                return self(f"field.{known}")
        return name

    def value(self, field: str, value: object) -> str:
        """Return a value of a field as text, in this language if it has words for it."""
        match value:
            case None:
                return ""
            case bool():
                return self(f"value.{str(value).lower()}")
            case str() if field == "sites" and value.startswith(GROUP_PLACE):
                return self("their_sites.group", name=value.removeprefix(GROUP_PLACE))
            case str():
                return self.known(f"{_WORDS_OF.get(field, 'value')}.{value}", value)
            case list():
                return ", ".join(self.value(field, one) for one in value)
            case dict():
                parts = (
                    (self.known(f"field.{one}", one), self.value(field, of))
                    for one, of in value.items()
                )
                return ", ".join(f"{name}: {text}" for name, text in parts)
        return msgspec.json.encode(value).decode()

    def column(self, name: str) -> str:
        """Return the heading of a column of a CSV file, such as `pageviews`; an hour unchanged."""
        return name if name.endswith(":00") else self(f"csv.{name}")

    def named(self, prefix: str) -> list[tuple[str, str]]:
        """Return the keys with a prefix such as `action.`, without it, and their texts, by text."""
        pairs = [
            (key.removeprefix(prefix), self(key))
            for key in self._texts.by_key
            if key.startswith(prefix)
        ]
        return sorted(pairs, key=lambda one: one[1])

    def countries(self) -> dict[str, str]:
        """Return the names of all countries, by two-letter code (ISO 3166)."""
        territories: Mapping[str, str] = self._locale.territories
        return {code: name for code, name in territories.items() if len(code) == 2}

    def line(self, name: str) -> str:
        """Return the block's label of one of its numbers, such as `today`."""
        return LABELS[self.lang][Line[name.upper()]]

    def language(self, lang: Lang) -> str:
        """Return the name of another language in this one."""
        name: str = self._locale.languages[lang]
        return name

    def origin(self, browser: str, system: str, country: str) -> str:
        """Return where somebody signs in from, as far as is known: Firefox · Linux · Vietnam."""
        names = (self.known(f"value.{name}", name) for name in (browser, system))
        parts = [*names, self._locale.territories.get(country, country)]
        return " · ".join(part for part in parts if part) or "–"

    def number(self, value: float | None) -> str:
        """Return a number with thousands separators; a dash for None."""
        if value is None:
            return "–"
        if isinstance(value, int):
            return format_decimal(value, locale=self._locale)
        return format_decimal(round(value, 1), "#,##0.0", self._locale)

    def percent(self, value: float, digits: int = 0) -> str:
        """Return a percentage, with at most this many decimals."""
        pattern = f"#,##0.{'#' * digits}%" if digits else None
        return format_percent(value / 100, pattern, locale=self._locale)

    def short(self, value: float) -> str:
        """Return a number for an axis: 1,2 nghìn in Vietnamese, 1.2k in English."""
        for limit, unit in ((10**9, "axis.billion"), (10**6, "axis.million"), (10**3, "axis.kilo")):
            if value >= limit:
                return format_decimal(round(value / limit, 1), "0.#", self._locale) + self(unit)
        return str(int(value))

    def duration(self, seconds: float | None) -> str:
        """Return a duration in minutes and seconds."""
        if seconds is None:
            return "–"
        minutes, rest = divmod(round(seconds), 60)
        if not minutes:
            return self("time.seconds", seconds=rest)
        return self("time.minutes", minutes=minutes, seconds=f"{rest:02}")

    def day(self, day: date) -> str:
        """Return a day in full, with its weekday."""
        return self._date(day, "date.full")

    def weekday(self, number: int) -> str:
        """Return the name of a weekday; 0 is Monday."""
        name: str = self._locale.days["stand-alone"]["wide"][number]
        return name[:1].upper() + name[1:]

    def date_of(self, day: date) -> str:
        """Return a date."""
        return self._date(day, "date")

    def tick(self, day: date) -> str:
        """Return a day without its year."""
        return self._date(day, "date.tick")

    def month(self, day: date) -> str:
        """Return a month with its year."""
        return self._date(day, "month")

    def month_tick(self, day: date) -> str:
        """Return a month for an axis."""
        return self._date(day, "month.tick")

    def moment(self, at_ms: int, zone_name: str = "UTC") -> str:
        """Return a time in a time zone, to the minute."""
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
        return self._usual(
            format_datetime(at, self("moment"), tzinfo=zone(zone_name), locale=self._locale)
        )

    def _date(self, day: date, pattern: str) -> str:
        return self._usual(format_date(day, self(pattern), locale=self._locale))

    def _usual(self, text: str) -> str:
        for cldr, usual in self._texts.replacements.items():
            text = text.replace(cldr, usual)
        return text
