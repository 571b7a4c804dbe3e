"""The form for a new group of sites, or for changing one; for owners."""

from collections.abc import Mapping
from http import HTTPStatus

from pydantic import ValidationError
from starlette.responses import Response

from services.api.dashboard.management.site_form import mistakes
from services.api.dashboard.requests.page_request import HOME, PageRequest
from services.api.dashboard.sites.groups_page import GROUPS
from services.api.dashboard.sites.sites_page import choices
from services.api.sites.groups.routes import GroupFields, NewGroup
from services.http.errors import ApiError
from services.model.default_period import DefaultPeriod
from services.model.group import Group

NEW_GROUP = f"{HOME}/new-group"


async def new_group(page: PageRequest) -> Response:
    """Return the form for a group."""
    return await _form(page, None, {})


async def create(page: PageRequest) -> Response:
    """Create a group, and redirect to its page."""
    try:
        new = NewGroup.model_validate({"slug": page.form.get("slug"), **_given(page)})
        made = await page.dependencies.groups.add(
            page.principal,
            new.slug,
            new.name,
            new.parent,
            new.sites,
            public=new.public,
            default_period=new.default_period,
        )
    except (ValidationError, ApiError) as error:
        return await _form(page, None, mistakes(error))
    return page.redirect(f"{GROUPS}/{made.slug}")


async def edit(page: PageRequest) -> Response:
    """Return the form of a group."""
    return await _form(page, await _group(page), {})


async def change(page: PageRequest) -> Response:
    """Change a group."""
    group = await _group(page)
    try:
        fields = GroupFields.model_validate(_given(page))
        await page.dependencies.groups.edit(
            page.principal,
            group.slug,
            fields.name,
            fields.parent,
            fields.sites,
            public=fields.public,
            default_period=fields.default_period,
        )
    except (ValidationError, ApiError) as error:
        return await _form(page, group, mistakes(error))
    return page.redirect(f"{GROUPS}/{group.slug}/edit", saved=True)


async def remove(page: PageRequest) -> Response:
    """Remove a group that has no groups below it."""
    group = await _group(page)
    try:
        await page.dependencies.groups.remove(page.principal, group.slug)
    except ApiError as error:
        return await _form(page, group, mistakes(error), typed=False)
    return page.redirect(GROUPS)


def _given(page: PageRequest) -> dict[str, object]:
    """Return the fields of the form, except for the slug."""
    form = page.form
    return {
        "name": form.get("name"),
        "parent": form.get("parent"),
        "sites": form.all("sites"),
        "public": form.on("public"),
        "default_period": form.get("default_period"),
    }


async def _group(page: PageRequest) -> Group:
    return await page.dependencies.groups.group(page.request.path_params["group"])


async def _form(
    page: PageRequest, group: Group | None, errors: Mapping[str, str], *, typed: bool = True
) -> Response:
    """Return the form; with errors, it keeps what was `typed`."""
    groups, form = page.dependencies.groups, page.form
    tree = await groups.tree()
    below = {one.slug for one in tree.below(group)} if group else set()
    others = [one for one in tree.by_slug.values() if one.slug not in below]
    if group is None or (errors and typed):
        name, parent = form.get("name"), form.get("parent") or page.parameter("parent")
        public, chosen = form.on("public"), form.all("sites")
        period = form.get("default_period")
    else:
        name, parent, public = group.name, group.parent, group.public
        period = group.default_period
        chosen = [site.slug for site in groups.sites(group.sites)]
    return page.render(
        "group_form.html",
        HTTPStatus.BAD_REQUEST if errors else HTTPStatus.OK,
        group=group,
        errors=errors,
        name=name,
        slug=form.get("slug"),
        parent=parent,
        public=public,
        default_period=period,
        periods=[(one.value, page.t(f"period.{one}")) for one in DefaultPeriod if one],
        chosen=chosen,
        parents=choices(tree, others),
        sites=page.dependencies.registry.all(),
        action=f"{GROUPS}/{group.slug}/edit" if group else NEW_GROUP,
    )
