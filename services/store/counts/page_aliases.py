"""The page that a path counts as, in a statement."""

from collections.abc import Sequence

from services.model.page_aliases import BELOW, PageAlias, PageAliases


def page_column(
    aliases: Sequence[PageAlias], column: str = "path"
) -> tuple[str, dict[str, object]]:
    """Return the SQL expression for the page of a path, and its parameters."""
    ready = PageAliases(aliases).ordered
    single = [one for one in ready if not one.address.endswith(BELOW)]
    below = [one for one in ready if one.address.endswith(BELOW)]
    page, parameters = column, dict[str, object]()
    for place, one in reversed(list(enumerate(below))):
        stem, to = f"alias_{place}", f"page_{place}"
        parameters |= {stem: one.address[:-1], to: one.page[:-1]}
        rest = f"substring({column}, length(%({stem})s) + 1)"
        begins = f"startsWith({column}, %({stem})s) AND {column} != %({stem})s"
        page = f"if({begins}, concat(%({to})s, {rest}), {page})"
    if single:
        parameters["addresses"] = [one.address for one in single]
        parameters["pages"] = [one.page for one in single]
        page = f"transform({column}, array%(addresses)s, array%(pages)s, {page})"
    return page, parameters
