"""Whether what ingest takes can be told apart."""

from collections.abc import Callable

from services.doctor.check import Check, Findings
from services.state.errors import StateError
from services.state.recent_hits import UntrustedForwards
from services.state.state import State

_NAMED_SITES = 5


async def examine(shared: State, clock: Callable[[], float]) -> list[Check]:
    """Look at what ingest shares."""
    findings = Findings("ingest")
    await findings.attempt("proxies", lambda: _proxies(findings, shared, clock), StateError)
    return findings.checks


async def _proxies(findings: Findings, shared: State, clock: Callable[[], float]) -> None:
    hits = await UntrustedForwards(shared).read(int(clock() * 1000))
    most = sorted(hits, key=lambda slug: -hits[slug])
    more = f" and {len(most) - _NAMED_SITES} more" if len(most) > _NAMED_SITES else ""
    findings.add(
        "proxies",
        not hits,
        f"{sum(hits.values())} hits of {', '.join(most[:_NAMED_SITES])}{more} came with"
        " X-Forwarded-For from peers that ingest does not trust, in the last 20 minutes"
        if hits
        else "no hits with X-Forwarded-For from peers that ingest does not trust",
        "add your proxies to LUOT_TRUSTED_PROXIES of ingest: all readers behind one that is not"
        " there count as one",
    )
