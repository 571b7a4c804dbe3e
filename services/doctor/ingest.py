"""Checks whether ingest can tell readers apart, and whether what it takes is counted."""

from collections.abc import Callable, Mapping

from services.doctor.check import Check, Findings
from services.log.interface import Log
from services.state.errors import StateError
from services.state.recent_hits import HitsOverBudget, HitsOverRoom, UntrustedForwards
from services.state.spooled_hits import SpooledHits
from services.state.state import State

_NAMED_SITES = 5


async def examine(shared: State, log: Log, clock: Callable[[], float]) -> list[Check]:
    """Check what ingest reports in the shared state; the log itself is not asked."""
    findings = Findings("ingest")
    for name, look in (
        ("proxies", lambda: _proxies(findings, shared, clock)),
        ("budgets", lambda: _budgets(findings, shared, clock)),
        ("room", lambda: _room(findings, shared, log, clock)),
        ("spooled hits", lambda: _spooled(findings, shared, log, clock)),
    ):
        await findings.attempt(name, look, StateError)
    return findings.checks


async def _proxies(findings: Findings, shared: State, clock: Callable[[], float]) -> None:
    hits = await UntrustedForwards(shared).read(int(clock() * 1000))
    findings.add(
        "proxies",
        not hits,
        f"{_counted(hits)} came with X-Forwarded-For from peers that ingest does not trust, in the"
        " last 20 minutes"
        if hits
        else "no hits with X-Forwarded-For from peers that ingest does not trust",
        "add your proxies to LUOT_TRUSTED_PROXIES of ingest: all readers behind a proxy that is"
        " not listed count as one",
    )


async def _budgets(findings: Findings, shared: State, clock: Callable[[], float]) -> None:
    hits = await HitsOverBudget(shared).read(int(clock() * 1000))
    # An attack is not a fault of this installation; an unknown proxy would be.
    findings.add(
        "budgets",
        None if hits else True,
        f"{_counted(hits)} were refused, or count for no visit, in the last 20 minutes: one"
        " address sent more than its budget; if it is a gateway of many readers, raise"
        " LUOT_ADDRESS_HITS, LUOT_ADDRESS_BYTES and LUOT_ADDRESS_VISITORS"
        if hits
        else "no address sends more than its budget",
    )


async def _room(findings: Findings, shared: State, log: Log, clock: Callable[[], float]) -> None:
    hits = await HitsOverRoom(shared).read(int(clock() * 1000))
    findings.add(
        "room",
        not hits,
        f"{_counted(hits)} were refused in the last 20 minutes: their sites took up most of a"
        " nearly full log, or more than LUOT_SITE_BYTES"
        if hits
        else "no site takes up more than its share of the log",
        log.texts.crowded,
    )


async def _spooled(findings: Findings, shared: State, log: Log, clock: Callable[[], float]) -> None:
    spooled = await SpooledHits(shared).read(int(clock() * 1000))
    findings.add(
        "spooled hits",
        not spooled.hits,
        f"{spooled.hits:,} hits are accepted but not counted, the oldest for"
        f" {spooled.waits_ms / 1000:.0f} s: they wait in the spools of ingest"
        if spooled.hits
        else "none wait in the spools of ingest",
        f"find out why {log.server_name} does not take them: /readyz of ingest, and the checks of"
        " the log below",
    )


def _counted(hits: Mapping[str, int]) -> str:
    most = sorted(hits, key=lambda slug: -hits[slug])
    more = f" and {len(most) - _NAMED_SITES} more" if len(most) > _NAMED_SITES else ""
    return f"{sum(hits.values())} hits of {', '.join(most[:_NAMED_SITES])}{more}"
