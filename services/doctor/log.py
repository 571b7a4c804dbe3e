"""Whether Redis keeps what it is given, and whether it is read."""

from collections.abc import Callable, Sequence
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.doctor.check import Check, Findings
from services.log import keys
from services.log.reach import Reach, reach
from services.model import position
from services.settings import StoreSettings

LATE_SECONDS = 10.0
SKEW_SECONDS = 5.0
FULL = 0.7
"""Share of its memory from which a Redis that may not evict is close to refusing hits."""


async def examine(redis: Redis, settings: StoreSettings, clock: Callable[[], float]) -> list[Check]:
    """Look at the log."""
    findings = Findings("log")
    try:
        info = await redis.info()
    except (RedisError, OSError) as error:
        findings.add(
            "Redis",
            False,
            f"cannot be reached: {error}",
            "start it, or set LUOT_REDIS_URL; hits wait in the spool of ingest meanwhile",
        )
        return findings.checks
    _server(findings, info)
    for name, look in (
        ("fsync", lambda: _fsync(findings, redis)),
        ("clock", lambda: _clock(findings, redis, clock)),
        ("partitions", lambda: _partitions(findings, redis, settings.partitions)),
        ("aggregator", lambda: _owners(findings, redis, settings)),
        ("lag", lambda: _lag(findings, redis, settings)),
        ("dead entries", lambda: _dead(findings, redis)),
    ):
        await findings.attempt(name, look, RedisError, OSError)
    return findings.checks


def _server(findings: Findings, info: dict[str, Any]) -> None:
    name = info.get("server_name", "redis")
    version = info.get("valkey_version") or info.get("redis_version", "of unknown version")
    findings.add("Redis", True, f"{name} {version}")
    policy = str(info.get("maxmemory_policy"))
    findings.add(
        "eviction",
        policy == "noeviction",
        f"maxmemory-policy {policy}",
        "set maxmemory-policy noeviction: any other policy throws away hits that were accepted",
    )
    findings.add(
        "append-only file",
        bool(info.get("aof_enabled")) and info.get("aof_last_write_status", "ok") == "ok",
        f"enabled {info.get('aof_enabled')}, last write {info.get('aof_last_write_status')}",
        "set appendonly yes, and see that its disk has room: without it a restart loses hits",
    )
    used, limit = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    findings.add(
        "memory",
        not limit or used < FULL * limit,
        f"{used >> 20} MiB used of {f'{limit >> 20} MiB' if limit else 'no limit'}",
        "raise maxmemory or lower LUOT_RETENTION_SECONDS: a full Redis refuses hits",
    )


async def _fsync(findings: Findings, redis: Redis) -> None:
    said = cast("dict[str, str]", await redis.config_get("appendfsync"))
    how = said.get("appendfsync", "unknown")
    findings.add(
        "fsync",
        how == "always",
        f"appendfsync {how}",
        "set appendfsync always: with everysec a power cut takes the last second of hits",
    )


async def _clock(findings: Findings, redis: Redis, clock: Callable[[], float]) -> None:
    seconds, micros = await redis.time()
    skew = seconds + micros / 1e6 - clock()
    findings.add(
        "clock",
        abs(skew) <= SKEW_SECONDS,
        f"Redis is {abs(skew):.1f} s {'ahead' if skew > 0 else 'behind'}",
        "keep all machines on time with NTP: days turn by the clock of ingest, visits by Redis",
    )


async def _partitions(findings: Findings, redis: Redis, partitions: int) -> None:
    held = cast("bytes | None", await redis.get(keys.PARTITIONS))
    findings.add(
        "partitions",
        held is None or int(held) == partitions,
        f"the log has {held.decode() if held else 'none yet'}, LUOT_PARTITIONS={partitions}",
        "set LUOT_PARTITIONS to what the log was made for",
    )


async def _owners(findings: Findings, redis: Redis, settings: StoreSettings) -> None:
    names = [keys.owner(number, settings.group) for number in range(settings.partitions)]
    owners = [await redis.get(name) for name in names]
    free = [number for number, owner in enumerate(owners) if owner is None]
    workers = {owner for owner in owners if owner is not None}
    findings.add(
        "aggregator",
        not free,
        f"{len(workers)} at work, {settings.partitions - len(free)} of {settings.partitions}"
        " partitions owned",
        "start an aggregator, and see its log: nothing is counted in the other partitions",
    )


async def _lag(findings: Findings, redis: Redis, settings: StoreSettings) -> None:
    seconds, micros = await redis.time()
    now_ms = seconds * 1000 + micros // 1000
    parts = await reach(redis, settings.group, settings.partitions)
    waits = {part.partition: await _waits_ms(redis, part, now_ms) for part in parts}
    late = {number: ms for number, ms in waits.items() if ms > LATE_SECONDS * 1000}
    entries = sum(part.entries for part in parts)
    worst = max(waits.values(), default=0) / 1000
    behind = f"; behind: {', '.join(map(str, late))}" if late else ""
    findings.add(
        "lag",
        not late,
        f"{entries:,} entries of {_hours(parts, now_ms):.1f} hours kept,"
        f" the oldest that is not counted is {worst:.1f} s old{behind}",
        "see the aggregator's log and whether the store takes its flushes",
    )


def _hours(parts: Sequence[Reach], now_ms: int) -> float:
    """Return how far back the log reaches in all partitions, or since it began."""
    firsts = [part.first for part in parts if part.first is not None]
    trimmed = [part.first for part in parts if part.first is not None and part.trimmed]
    oldest = max(trimmed) if trimmed else min(firsts, default=None)
    return 0.0 if oldest is None else (now_ms - position.time_ms(oldest)) / 3_600_000


async def _waits_ms(redis: Redis, part: Reach, now_ms: int) -> int:
    committed = part.committed or 0
    if part.end <= committed:
        return 0
    start = f"{position.time_ms(committed)}-{position.sequence(committed)}"
    stream = keys.stream(part.partition)
    entries = cast("list[Any]", await redis.xrange(stream, min=start, count=1))
    return max(0, now_ms - position.time_ms(position.of_entry(entries[0][0]))) if entries else 0


async def _dead(findings: Findings, redis: Redis) -> None:
    dead = int(await redis.xlen(keys.DEAD))
    findings.add(
        "dead entries",
        not dead,
        f"{dead} entries could not be decoded",
        f"see why with `XRANGE {keys.DEAD} - +` (field reason); keep them, then delete the stream",
    )
