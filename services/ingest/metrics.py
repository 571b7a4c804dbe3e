"""The metrics that ingest serves."""

from services import metrics as catalogue
from services.ingest.budgets import Ruling
from services.ingest.cardinality import WhyOther
from services.ingest.drops import DropReason

_hits = catalogue.HITS.create()
_drops = catalogue.DROPS.create()

ACCEPTED = _hits.labels("accepted")
"""Durable, in the log or the spool, and counted."""
TAGGED = _hits.labels("tagged")
"""Durable, tagged as a bot's, and not counted."""
DROPPED = _hits.labels("dropped")
UNREADABLE = _hits.labels("unreadable")
"""Answered 400, 401, 408 or 413."""
UNAVAILABLE = _hits.labels("unavailable")
"""Answered 503: neither the log nor the spool could take it."""

_other_paths = catalogue.OTHER_PATHS.create()

DROPS = {reason: _drops.labels(reason.value) for reason in DropReason}
OTHER_PATHS = {why: _other_paths.labels(why.value) for why in WhyOther}
UNTRUSTED_FORWARDS = catalogue.UNTRUSTED_FORWARDS.create()
_over_budget = catalogue.OVER_BUDGET.create()
OVER_BUDGET = {
    Ruling.NO_VISIT: _over_budget.labels("no_visit"),
    Ruling.NOT_WRITTEN: _over_budget.labels("not_written"),
    Ruling.REFUSED: _over_budget.labels("refused"),
    Ruling.NO_ROOM: _over_budget.labels("no_room"),
}
GROUP_COMMIT_HITS = catalogue.GROUP_COMMIT_HITS.create()
GROUP_COMMIT_SECONDS = catalogue.GROUP_COMMIT_SECONDS.create()
APPEND_RETRIES = catalogue.APPEND_RETRIES.create()
NOT_HELD = catalogue.NOT_HELD.create()
SPOOL_HITS = catalogue.SPOOL_HITS.create()
SPOOL_BYTES = catalogue.SPOOL_BYTES.create()
SPOOL_LIMIT = catalogue.SPOOL_LIMIT.create()
SPOOL_OTHER_BYTES = catalogue.SPOOL_OTHER_BYTES.create()
SPOOL_AGE = catalogue.SPOOL_AGE.create()
SPOOLED_HITS = catalogue.SPOOLED_HITS.create()
DRAINED_HITS = catalogue.DRAINED_HITS.create()
SPOOL_TORN_BYTES = catalogue.SPOOL_TORN_BYTES.create()
SPOOL_DOUBTFUL_HITS = catalogue.SPOOL_DOUBTFUL_HITS.create()
LOG_UP = catalogue.LOG_UP.create().labels("ingest")
UNCOUNTED_AGE = catalogue.UNCOUNTED_AGE.create().labels("ingest")
