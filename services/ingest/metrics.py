"""The metrics that ingest serves."""

from services import metrics as catalogue
from services.ingest.drops import DropReason

_hits = catalogue.HITS.create()
_drops = catalogue.DROPS.create()

ACCEPTED = _hits.labels("accepted")
"""In the log, and counted."""
TAGGED = _hits.labels("tagged")
"""In the log as a bot's, and not counted."""
DROPPED = _hits.labels("dropped")
UNREADABLE = _hits.labels("unreadable")
"""Answered 400, 408 or 413."""
UNAVAILABLE = _hits.labels("unavailable")
"""Answered 503: the log could not take it."""

DROPS = {reason: _drops.labels(reason.value) for reason in DropReason}
OTHER_PATHS = catalogue.OTHER_PATHS.create()
GROUP_COMMIT_HITS = catalogue.GROUP_COMMIT_HITS.create()
GROUP_COMMIT_SECONDS = catalogue.GROUP_COMMIT_SECONDS.create()
APPEND_RETRIES = catalogue.APPEND_RETRIES.create()
REQUEST_SECONDS = catalogue.REQUEST_SECONDS.create()
