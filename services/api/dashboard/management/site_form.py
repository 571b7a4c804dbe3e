"""The forms for a new site and for its settings; errors are shown above what was typed."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Any, NamedTuple
from zoneinfo import available_timezones

import msgspec
from pydantic import ValidationError
from starlette.responses import Response

from services.api.dashboard.management import embedding
from services.api.dashboard.requests.forms import Form, whole_number
from services.api.dashboard.requests.page_request import HOME, PageRequest
from services.api.sites.fields import NewSite, SiteFields
from services.api.stats.periods.spans import DEFAULT_PERIOD
from services.http.errors import ApiError, shown
from services.model.calendar import to_date
from services.model.default_period import DefaultPeriod
from services.model.display import (
    CHOICES,
    FORMATS,
    HEADINGS,
    LABELS,
    MAX_DIGITS,
    Display,
    Gap,
    Lang,
    Look,
    Theme,
)
from services.model.lines import Line
from services.model.site import ANY_HOST, Metric, Site
from services.model.time_zone import ZoneChange
from services.model.wordings import Wording

SITE = f"{HOME}/sites/"
_REFUSALS = (HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT)


class _Block(NamedTuple):
    """The fields of the form for how the block looks, as they are shown.

    chosen  the value of each choice; '' for one that is not set
    lines   every line in order, and whether it is shown
    usual   those that are shown if nobody chose any, separated by commas
    labels  the text for each line; '' for the usual one
    """

    metric: str
    digits: str
    chosen: Mapping[str, str]
    heading: str
    unit: str
    no_heading: bool
    lines: Sequence[tuple[Line, bool]]
    usual: str
    labels: Mapping[Line, str]


async def new_site(page: PageRequest) -> Response:
    """Return the form for a site."""
    return _new(page, {})


async def create(page: PageRequest) -> Response:
    """Create a site, and redirect to its page, which waits for the first view."""
    form = page.form
    try:
        new = NewSite.model_validate(
            {
                "slug": form.get("slug"),
                "name": form.get("name"),
                "hosts": form.words("hosts"),
                "timezone": form.get("timezone"),
            }
        )
        site = await page.dependencies.sites.create(page.principal, new)
    except (ValidationError, ApiError) as error:
        return _new(page, mistakes(error))
    return page.redirect(SITE + site.slug)


async def settings(page: PageRequest) -> Response:
    """Return the settings of a site."""
    return _settings(page, page.site, {})


async def change(page: PageRequest) -> Response:
    """Change the settings of a site."""
    site, form = page.site, page.form
    try:
        changes = SiteFields.model_validate(
            {
                "name": form.get("name"),
                "hosts": form.words("hosts"),
                "timezone": form.get("timezone"),
                "metric": form.get("metric"),
                "significant": form.words("significant"),
                "fold_case": form.on("fold_case"),
                "hash_routes": form.on("hash_routes"),
                "page_aliases": _aliases(form.get("page_aliases")),
                "excluded_pages": form.words("excluded_pages"),
                "download_endings": form.words("download_endings"),
                "search_parameters": form.words("search_parameters"),
                "honour_dnt": form.on("honour_dnt"),
                "views_only": form.on("views_only"),
                "public_top": form.on("public_top"),
                "top_min_visitors": form.whole("top_min_visitors"),
                "public_dashboard": form.on("public_dashboard"),
                "default_period": form.get("default_period"),
                "display": _display(form),
            }
        )
        plan = await _zone_change(page, site)
        if plan and form.get("timezone_confirmed") != plan.zone:
            return _settings(page, site, {}, plan)
        await page.dependencies.sites.edit(page.principal, site, changes)
    except (ValidationError, ApiError) as error:
        return _settings(page, site, mistakes(error))
    return page.redirect(f"{SITE}{site.slug}/settings", saved=True)


async def remove(page: PageRequest) -> Response:
    """Remove a site, or erase it, if its slug was typed to confirm."""
    site = page.site
    if page.form.get("confirm") != site.slug:
        errors = {"confirm": page.t("remove.confirm", slug=site.slug)}
        return _settings(page, site, errors, typed=False)
    if page.form.on("erase"):
        await page.dependencies.sites.erasures.erase(page.principal, site.slug, site.slug)
    else:
        await page.dependencies.sites.remove(page.principal, site)
    return page.redirect(HOME)


async def embed(page: PageRequest) -> Response:
    """Return the page with the code that the portal embeds."""
    site = page.site
    snippet = await embedding.snippet(page, site)
    return page.render(
        "embed.html",
        site=site,
        snippet=snippet.ways(),
        policy=snippet.policy(),
        late=snippet.late_source(),
        hosts=[host for host in site.hosts if ANY_HOST not in host],
    )


def mistakes(error: ValidationError | ApiError, *also: HTTPStatus) -> dict[str, str]:
    """Return the errors by field. Raises the error again if no other input would help.

    also  statuses that this form shows as well, besides those that any form does
    """
    if isinstance(error, ApiError):
        if error.status not in (*_REFUSALS, *also):
            raise error
        return error.errors
    return {
        ".".join(map(str, problem["loc"])): f"{shown(problem['input'])}: {problem['msg']}"
        for problem in error.errors()
    }


def _new(page: PageRequest, errors: Mapping[str, str]) -> Response:
    status = HTTPStatus.BAD_REQUEST if errors else HTTPStatus.OK
    return page.render("site_new.html", status, form=page.form, errors=errors, zones=_zones())


async def _zone_change(page: PageRequest, site: Site) -> ZoneChange | None:
    """Return what changing the time zone in the form would do; None if it is unchanged."""
    zone = page.form.get("timezone")
    return await page.dependencies.sites.zone_change(site, zone) if zone != site.timezone else None


def _settings(
    page: PageRequest,
    site: Site,
    errors: Mapping[str, str],
    plan: ZoneChange | None = None,
    *,
    typed: bool = True,
) -> Response:
    """Return the form; with errors or a plan, it keeps what was `typed`."""
    look = Look.of(site.display)
    form = page.form if typed and (errors or plan) else None
    # Unset is a choice of its own: for the theme, the element then follows its page, and the badge
    # is light; for the gap, it depends on the wording.
    choices: dict[str, list[str]] = {name: [*choice.values] for name, choice in CHOICES.items()}
    choices |= {"theme": ["", *Theme], "gap": ["", *Gap]}
    zone_waits = site.timezone_from > page.dependencies.clock() * 1000
    may_publish = page.principal.is_owner or page.dependencies.sites.editors_publish
    return page.render(
        "site_settings.html",
        HTTPStatus.BAD_REQUEST if errors else HTTPStatus.OK,
        frames=True,
        site=site,
        may_publish=may_publish or site.public_dashboard,
        form=form,
        errors=errors,
        erase=page.form.on("erase"),
        zone_from=page.t.moment(site.timezone_from, site.timezone) if zone_waits else "",
        plan=plan,
        plan_day=page.t.date_of(to_date(plan.day)) if plan else "",
        plan_from=page.t.moment(plan.at_ms, plan.zone) if plan else "",
        zones=_zones(),
        aliases="\n".join(f"{one.address} {one.page}" for one in site.page_aliases),
        metrics=list(Metric),
        periods=[period for period in DefaultPeriod if period],
        group_period=page.dependencies.groups.default_period(
            msgspec.structs.replace(site, default_period=DefaultPeriod.OF_GROUP)
        )
        or DEFAULT_PERIOD,
        block=_saved_block(site) if form is None else _typed_block(form),
        labels=LABELS[look.lang],
        heading=HEADINGS[look.lang],
        choices=choices,
        usual=_usual(),
        most_digits=MAX_DIGITS,
    )


def _saved_block(site: Site) -> _Block:
    """Return how the block looks, as it is saved."""
    display, look = site.display, Look.of(site.display)
    return _Block(
        site.metric,
        str(display.digits or 0),
        {name: getattr(look, name) for name in CHOICES}
        | {"theme": display.theme or "", "gap": display.gap or ""},
        display.heading or "",
        display.unit or "",
        display.heading == "",
        _ticked(look.lines),
        ",".join(_usual_lines(look.digits, look.wording)),
        {line: (display.labels or {}).get(line, "") for line in Line},
    )


def _typed_block(form: Form) -> _Block:
    """Return how the block shall look, as it was typed."""
    return _Block(
        form.get("metric"),
        form.get("digits"),
        {name: form.get(name) for name in CHOICES},
        form.get("heading"),
        form.get("unit"),
        form.on("no_heading"),
        _ticked([Line(line) for line in form.all("lines") if line in list(Line)]),
        form.get("usual_lines"),
        {line: form.get(f"label-{line}") for line in Line},
    )


def _usual_lines(digits: int, wording: Wording | None) -> tuple[Line, ...]:
    return Look.of(Display(digits=digits, wording=wording)).lines


@lru_cache(maxsize=1)
def _usual() -> dict[str, dict[str, Any]]:
    """Return what a block has by its wording and language, where nothing else is set."""
    looks = {
        f"{wording} {lang}": Look.of(Display(wording=wording, lang=lang))
        for wording in Wording
        for lang in Lang
    }
    return {
        name: {
            "heading": look.heading,
            "gap": look.gap,
            "lines": list(look.lines),
            "labels": dict(look.labels),
        }
        for name, look in looks.items()
    }


def _ticked(lines: Sequence[Line]) -> list[tuple[Line, bool]]:
    """Return every line, and whether it is shown: those that are first, in their order."""
    shown = list(dict.fromkeys(lines))
    return [(line, True) for line in shown] + [(line, False) for line in Line if line not in shown]


def _aliases(text: str) -> list[dict[str, str]]:
    """Return the aliases of a form: an address and its page on each line."""
    pairs = (line.split(None, 1) for line in text.splitlines() if line.strip())
    return [{"address": pair[0], "page": "".join(pair[1:]).strip()} for pair in pairs]


def _display(form: Form) -> dict[str, Any]:
    """Return the display options of a form; those at their defaults are left unset."""
    plain = Look.of(Display())
    chosen = {
        name: None if form.get(name) == getattr(plain, name) else form.get(name) or None
        for name in CHOICES
    } | {name: form.get(name) or None for name in ("theme", "gap")}
    lang = Lang.EN if chosen["lang"] == Lang.EN else Lang.VI
    # The default depends on the language.
    chosen["format"] = None if form.get("format") == FORMATS[lang] else form.get("format") or None
    top = whole_number(form.get("digits")) or 0
    lines = form.all("lines")
    wording = Wording(chosen["wording"]) if chosen["wording"] in list(Wording) else None
    # Whoever left the lines as they came chose none, whatever else was chosen.
    unset = (
        [*_usual_lines(min(top, MAX_DIGITS), wording)],
        form.get("usual_lines").split(",") if form.on("usual_lines") else None,
    )
    labels = {
        line.value: label
        for line in Line
        if (label := form.get(f"label-{line}")) and label != LABELS[lang][line]
    }
    heading: str | None = "" if form.on("no_heading") else form.get("heading") or None
    return {
        **chosen,
        "digits": top or None,
        "lines": None if lines in unset else lines,
        "heading": None if heading == HEADINGS[lang] else heading,
        "labels": labels or None,
        "unit": form.get("unit") or None,
    }


@lru_cache(maxsize=1)
def _zones() -> list[str]:
    return sorted(name for name in available_timezones() if "/" in name and "Etc/" not in name)
