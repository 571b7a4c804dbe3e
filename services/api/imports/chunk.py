"""What a chunk of an import may hold: nothing that ingest would not have written."""

from typing import Any

import msgspec

from services.http.errors import bad_request, shown
from services.log import batch
from services.log.batch import Batch, BatchError
from services.model.downloads import are_downloads, downloads_of
from services.model.hit import OTHER_PATH, Visit
from services.model.paths import MAX_BYTES
from services.model.site import Site

_TEXT_BYTES = {
    "host": 253,
    "source": 400,
    "device": 16,
    "browser": 64,
    "os": 64,
    "country": 2,
    "region": 64,
}


def checked(payload: bytes, site: Site, latest: int) -> Batch:
    """Return the hits of a chunk. Raises ApiError for one that `luot import` would not make."""
    try:
        hits = batch.decode(payload)
    except BatchError as error:
        raise bad_request("body", f"is no batch of hits: {error}") from None
    kept_as = downloads_of(site.slug)
    for index, (of_site, path, own_path, at, day, visit, bot) in enumerate(
        zip(
            *(hits.site, hits.path, hits.own_path, hits.at, hits.day, hits.visit, hits.bot),
            strict=True,
        )
    ):
        if of_site not in (site.slug, kept_as):
            wrong: Any = ("site", of_site, site.slug)
        elif not _is_counted(path, site):
            wrong = ("path", path, "the path of a page as it is counted")
        elif own_path and not (path == OTHER_PATH and _is_page(own_path, site)):
            wrong = ("own_path", own_path, f"the path of a page whose path is {OTHER_PATH}")
        elif at > latest:
            wrong = ("at", at, f"at most {latest}")
        elif day != site.day_of(at):
            wrong = ("day", day, f"the site's day of {at}")
        elif bot:
            wrong = ("bot", True, "a human")
        elif not visit:
            wrong = ("visit", Visit(visit).name, "STARTS or CONTINUES")
        else:
            continue
        name, value, expected = wrong
        raise bad_request(f"hits.{index}.{name}", f"{shown(value)}; expected {expected}")
    if any(
        visitor or visit == Visit.STARTS
        for of_site, visitor, visit in zip(hits.site, hits.visitor, hits.visit, strict=True)
        if of_site == kept_as
    ):
        raise bad_request("hits.visitor", "a download has none, and starts no visit; expected 0")
    if any(hits.view_id):
        raise bad_request("hits.view_id", "a line of a log has none; expected 0")
    if site.views_only and (any(hits.visitor) or int(Visit.STARTS) in hits.visit):
        raise bad_request("hits.visitor", "the site counts views only; expected 0, CONTINUES")
    _check_texts(hits)
    return hits


def named(payload: bytes, hits: Batch, site: Site) -> bytes:
    """Return the payload of a chunk with the slug replaced by the name the site is kept under.

    `luot import` only knows the slug.
    """
    if site.kept_as == site.slug:
        return payload
    return batch.encode(
        [
            msgspec.structs.replace(
                hit, site=downloads_of(site.kept_as) if are_downloads(hit.site) else site.kept_as
            )
            for hit in hits.hits()
        ]
    )


def _check_texts(hits: Batch) -> None:
    for name, limit in _TEXT_BYTES.items():
        for text in set(getattr(hits, name)):
            if len(text.encode()) > limit:
                raise bad_request(
                    f"hits.{name}", f"{shown(text)} is over {limit} bytes; expected less"
                )


def _is_counted(path: str, site: Site) -> bool:
    return path == OTHER_PATH or _is_page(path, site)


def _is_page(path: str, site: Site) -> bool:
    page, _, query = path.partition("?")
    return len(path.encode()) <= MAX_BYTES and path == site.counted_path(page, query)
