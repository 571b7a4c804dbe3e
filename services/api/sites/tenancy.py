"""What an editor may not do, because it affects more than their site.

A host of another site, a wildcard for every host, and making data public: these need an owner.
"""

from collections.abc import Iterable
from http import HTTPStatus

from services.api.access.principal import Principal
from services.http.errors import ApiError, Translatable, shown
from services.model.site import ANY_HOST, Site


def check(
    who: Principal, before: Site, after: Site, others: Iterable[Site], editors_publish: bool
) -> None:
    """Return if somebody may make this change to a site.

    others           the other sites
    editors_publish  the operator lets editors publish the traffic of their sites

    What the site has already is not a change, and any editor may take it back. Raises ApiError:
    409 for a host of another site, 403 for what needs an owner.
    """
    if who.is_owner:
        return
    added = [host for host in after.hosts if host not in before.hosts]
    if ANY_HOST in added:
        text = f"{ANY_HOST} is every host; only an owner may let a site be counted from anywhere"
        raise ApiError(HTTPStatus.FORBIDDEN, {"hosts": Translatable(text, "error.any_host")})
    others = list(others)
    for host in added:
        if any(overlap(host, theirs) for other in others for theirs in other.hosts):
            # Without saying whose: an editor does not see others' sites.
            text = f"{shown(host)} belongs to another site; ask an owner of this server"
            raise ApiError(
                HTTPStatus.CONFLICT, {"hosts": Translatable(text, "error.host_taken", host=host)}
            )
    if after.public_dashboard and not before.public_dashboard and not editors_publish:
        text = "only an owner may publish the traffic of a site (or LUOT_EDITORS_PUBLISH)"
        raise ApiError(
            HTTPStatus.FORBIDDEN, {"public_dashboard": Translatable(text, "error.publishing")}
        )


def overlap(one: str, other: str) -> bool:
    """Tell whether any host matches both; `*`, which matches all, is ignored."""
    if ANY_HOST in (one, other):
        return False
    one, other = one.removeprefix("www."), other.removeprefix("www.")
    below_one, below_other = one.removeprefix("*"), other.removeprefix("*")
    match (one.startswith("*."), other.startswith("*.")):
        case (False, False):
            return one == other
        case (True, False):
            return other.endswith(below_one)
        case (False, True):
            return one.endswith(below_other)
    return below_one.endswith(below_other) or below_other.endswith(below_one)
