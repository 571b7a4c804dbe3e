"""Maps the paths that a caller asks for to those under which they are counted."""

from services.http.errors import bad_request, shown
from services.model.site import Site

MAX_PATHS = 100
MAX_LENGTH = 2048


def counted(path: str, site: Site) -> str:
    """Return the path under which a page is counted, given the path and query of its URL.

    Raises ApiError when the text cannot be the path of a page.
    """
    if not path.startswith("/") or "\0" in path or len(path) > MAX_LENGTH:
        raise bad_request(
            "path",
            f"{shown(path)} is not a path; expected at most {MAX_LENGTH} characters"
            " that begin with '/'",
        )
    page, _, query = path.partition("?")
    return site.counted_path(page, query)
