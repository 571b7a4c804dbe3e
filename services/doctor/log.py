"""Checks whether the log is durable, and whether it is being read."""

from collections.abc import Callable

from services.doctor.check import Check, Findings
from services.log.errors import LogError
from services.log.interface import Extent, Log
from services.log.reach import reach_seconds

LATE_SECONDS = 10.0
SKEW_SECONDS = 5.0


async def examine(log: Log, clock: Callable[[], float]) -> list[Check]:
    """Check the log."""
    findings = Findings("log")
    try:
        server = await log.examine()
    except LogError as error:
        findings.add(
            log.server_name,
            False,
            f"cannot be reached: {error}",
            log.texts.unreachable,
        )
        return findings.checks
    for check in server:
        findings.add(check.name, check.ok, check.value, "" if check.ok is None else check.advice)
    for name, look in (
        ("clock", lambda: _clock(findings, log, clock)),
        ("partitions", lambda: _partitions(findings, log)),
        ("aggregator", lambda: _owners(findings, log)),
        ("lag", lambda: _lag(findings, log)),
        ("dead entries", lambda: _dead(findings, log)),
    ):
        await findings.attempt(name, look, LogError)
    return findings.checks


async def _clock(findings: Findings, log: Log, clock: Callable[[], float]) -> None:
    if not log.tells_time:
        findings.add(
            "clock",
            None,
            f"{log.server_name} does not tell its time; keep its machines on time with NTP",
        )
        return
    skew = await log.reader.now() / 1000 - clock()
    findings.add(
        "clock",
        abs(skew) <= SKEW_SECONDS,
        f"the clock of {log.server_name} is {abs(skew):.1f} s {'ahead' if skew > 0 else 'behind'}",
        "keep all machines on time with NTP: days follow the clock of ingest, visits that of"
        f" {log.server_name}",
    )
    now_ms = await log.reader.now()
    ends = await log.reader.ends()
    newest = [await log.positions.time_of(number, end - 1) for number, end in ends.items() if end]
    ahead = (max(newest, default=0) - now_ms) / 1000
    if ahead > SKEW_SECONDS:
        findings.add(
            "times of entries",
            False,
            f"the newest entry is {ahead:.0f} s ahead of {log.server_name}",
            "keep all machines on time with NTP: this clock is behind, or that of the previous"
            " master was ahead; visits end late until it has caught up",
        )


async def _partitions(findings: Findings, log: Log) -> None:
    number = await log.created_with()
    findings.add(
        "partitions",
        number in (None, log.partitions),
        f"the log has {number or 'none yet'}, LUOT_PARTITIONS={log.partitions}",
        "set LUOT_PARTITIONS to the number that the log was created with",
    )


async def _owners(findings: Findings, log: Log) -> None:
    owners = await log.positions.owners()
    findings.add(
        "aggregator",
        len(owners) == log.partitions,
        f"{len(set(owners.values()))} running, {len(owners)} of {log.partitions} partitions owned",
        "start an aggregator, and check its log: nothing is counted in the other partitions",
    )


async def _lag(findings: Findings, log: Log) -> None:
    now_ms = await log.reader.now()
    extents = await log.positions.extents()
    waits = {extent.partition: await _waits_ms(log, extent, now_ms) for extent in extents}
    late = {number: ms for number, ms in waits.items() if ms > LATE_SECONDS * 1000}
    entries = sum(extent.entries for extent in extents)
    worst = max(waits.values(), default=0) / 1000
    behind = f"; behind: {', '.join(map(str, late))}" if late else ""
    reach = await reach_seconds(log, extents, now_ms) or 0.0
    findings.add(
        "lag",
        not late,
        f"{entries:,} entries kept, over {reach / 3600:.1f} hours; the oldest that is not counted"
        f" is {worst:.1f} s old{behind}",
        "check the aggregator's log, and whether the store takes its flushes",
    )


async def _waits_ms(log: Log, extent: Extent, now_ms: int) -> int:
    committed = extent.committed or 0
    if extent.end <= committed:
        return 0
    waiting = await log.reader.read({extent.partition: committed}, limit=1)
    return max(0, now_ms - waiting[extent.partition][0].time_ms) if waiting else 0


async def _dead(findings: Findings, log: Log) -> None:
    dead = await log.dead_entries()
    findings.add(
        "dead entries",
        not dead,
        f"{dead} entries could not be decoded",
        log.texts.dead_entries,
    )
