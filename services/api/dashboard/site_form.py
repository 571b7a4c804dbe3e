"""Making a site, and its settings: forms whose mistakes are said beside what was typed."""

from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from zoneinfo import available_timezones

from pydantic import ValidationError
from starlette.responses import Response

from services.api.dashboard import embedding
from services.api.dashboard.forms import Form
from services.api.dashboard.visit import HOME, Visit
from services.api.sites.service import NewSite, SiteFields
from services.http.errors import ApiError
from services.model.display import (
    HEADINGS,
    LABELS,
    MAX_DIGITS,
    Display,
    Format,
    Lang,
    Look,
    Preset,
    Theme,
)
from services.model.lines import Line
from services.model.site import Metric, Site

SITE = f"{HOME}/sites/"
_REFUSALS = (HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT)
_CHOICES = {"lang": Lang, "theme": Theme, "preset": Preset, "format": Format}


async def new_site(visit: Visit) -> Response:
    """Return the form for a site."""
    return _new(visit, {})


async def create(visit: Visit) -> Response:
    """Make a site, and lead to its page, which waits for the first view."""
    form = visit.form
    try:
        new = NewSite.model_validate(
            {
                "slug": form.get("slug"),
                "name": form.get("name"),
                "hosts": form.words("hosts"),
                "timezone": form.get("timezone"),
            }
        )
        site = await visit.parts.sites.create(visit.who, new)
    except (ValidationError, ApiError) as error:
        return _new(visit, mistakes(error))
    return visit.go(SITE + site.slug)


async def settings(visit: Visit) -> Response:
    """Return the settings of a site."""
    return _settings(visit, visit.site, {})


async def change(visit: Visit) -> Response:
    """Change the settings of a site."""
    site, form = visit.site, visit.form
    try:
        changes = SiteFields.model_validate(
            {
                "name": form.get("name"),
                "hosts": form.words("hosts"),
                "timezone": form.get("timezone"),
                "metric": form.get("metric"),
                "significant": form.words("significant"),
                "honour_dnt": form.on("honour_dnt"),
                "public_top": form.on("public_top"),
                "public_dashboard": form.on("public_dashboard"),
                "display": _display(form),
            }
        )
        await visit.parts.sites.edit(visit.who, site, changes)
    except (ValidationError, ApiError) as error:
        return _settings(visit, site, mistakes(error))
    return visit.go(f"{SITE}{site.slug}/settings", saved=True)


async def remove(visit: Visit) -> Response:
    """Remove a site, if its name was typed to say so."""
    site = visit.site
    if visit.form.get("confirm") != site.slug:
        return _settings(visit, site, {"confirm": visit.t("remove.confirm", slug=site.slug)})
    await visit.parts.sites.remove(visit.who, site)
    return visit.go(HOME)


async def embed(visit: Visit) -> Response:
    """Return what the portal puts into its pages."""
    site = visit.site
    told = await embedding.snippet(visit, site)
    return visit.page(
        "embed.html",
        site=site,
        snippet=told.ways(),
        policy=told.policy(),
        late=told.late_source(),
    )


def mistakes(error: ValidationError | ApiError) -> dict[str, str]:
    """Return what was wrong, by field. Raises what no other input would mend."""
    if isinstance(error, ApiError):
        if error.status not in _REFUSALS:
            raise error
        return error.errors
    return {
        ".".join(map(str, problem["loc"])): f"{problem['input']!r}: {problem['msg']}"
        for problem in error.errors()
    }


def _new(visit: Visit, errors: Mapping[str, str]) -> Response:
    status = HTTPStatus.BAD_REQUEST if errors else HTTPStatus.OK
    return visit.page("site_new.html", status, form=visit.form, errors=errors, zones=_zones())


def _settings(visit: Visit, site: Site, errors: Mapping[str, str]) -> Response:
    display, look = site.display, Look.of(site.display)
    rest = [line for line in Line if line not in look.lines]
    choices = {name: list(kind) for name, kind in _CHOICES.items()}
    return visit.page(
        "site_settings.html",
        HTTPStatus.BAD_REQUEST if errors else HTTPStatus.OK,
        frames=True,
        site=site,
        form=visit.form if errors else None,
        errors=errors,
        zones=_zones(),
        metrics=list(Metric),
        display=display,
        look=look,
        lines=[(line, True) for line in look.lines] + [(line, False) for line in rest],
        labels=LABELS[look.lang],
        heading=HEADINGS[look.lang],
        # A theme that nobody chose is another for the element, which follows its page, and for
        # the badge, which is light.
        choices=choices | {"theme": ["", *Theme]},
        chosen={name: getattr(look, name) for name in choices} | {"theme": display.theme or ""},
        most_digits=MAX_DIGITS,
    )


def _display(form: Form) -> dict[str, Any]:
    """Return the display as the form has it; what is at its default is not set."""
    plain = Look.of(Display())
    chosen = {
        name: None if form.get(name) == getattr(plain, name) else form.get(name) or None
        for name in _CHOICES
    } | {"theme": form.get("theme") or None}
    lang = Lang.EN if chosen["lang"] == Lang.EN else Lang.VI
    digits = form.get("digits")
    top = int(digits) if digits.isdecimal() else 0
    lines = form.all("lines")
    unset = Look.of(Display(digits=min(top, MAX_DIGITS))).lines
    labels = {
        line.value: label
        for line in Line
        if (label := form.get(f"label-{line}")) and label != LABELS[lang][line]
    }
    heading: str | None = "" if form.on("no_heading") else form.get("heading") or None
    return {
        **chosen,
        "digits": top or None,
        "lines": None if lines == [*unset] else lines,
        "heading": None if heading == HEADINGS[lang] else heading,
        "labels": labels or None,
    }


@lru_cache(maxsize=1)
def _zones() -> list[str]:
    return sorted(name for name in available_timezones() if "/" in name and "Etc/" not in name)
