"""Examines an access log before any of it is uploaded: format, digest, length, times, readers."""

from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import msgspec

from services.access_log.compression import DAMAGED, MAGIC_BYTES, unpacked
from services.access_log.formats.format import FormatError, LogFormat
from services.access_log.formats.known import NAMES, ready, recognise
from services.access_log.line import text_of
from services.access_log.parser import HEAD_LINES, MAX_LINE, AccessLogError
from services.access_log.parts import Imported, Part, parts_of
from services.access_log.unchanged import Stamp
from services.model.hosts import fold
from services.model.site import Site
from services.runtime.reasons import reason

MAX_UNREADABLE = 0.05
"""The share of lines that may be unreadable; with more, the file has another format."""
ONE_ADDRESS = 0.9
"""An address with at least this share of the lines is probably a proxy's."""
_FEW_LINES = 10
_BLOCK = 1 << 20
_HEAD_BYTES = 1 << 18
_KEPT = 1_000_000
"""How many different addresses, and hosts, are counted; strangers choose some of them."""
_EXAMPLES = 3
_QUARTER_MS = 900_000
"""In every time zone, days begin at a multiple of a quarter of an hour."""


class FormatOptions(msgspec.Struct, frozen=True):
    """What is known about the format of files in advance.

    name        of the format, or a layout; '' to recognise it
    address     field with the reader's address; '' for the usual one
    unreadable  accept files even if many lines cannot be read
    """

    name: str = ""
    address: str = ""
    unreadable: bool = False


class LogFile(msgspec.Struct, frozen=True, kw_only=True):
    """An access log on disk.

    digest      SHA-256 of its uncompressed content, in hex: the same compressed or not
    lines       number of line feeds, plus one for a last line without one
    after       how many of its first lines are another import: the file has grown since
    first_at    earliest time of its own lines, ms since 1970; last_at is the latest
    format      name of its format, or the layout that was given
    opened      the format itself, which has seen the file
    address     field with the reader's address
    addresses   how many different ones there are
    hosts       canonical host name → lines; empty when the format has none
    days        how many of the site's days have lines
    requests    lines that are not notes of the server; `unreadable` are those of them
    warnings    what is odd about it
    stamp       of the file before it was read
    """

    path: Path
    digest: str
    lines: int
    first_at: int
    last_at: int
    after: int = 0
    format: str
    opened: LogFormat
    address: str
    addresses: int
    hosts: dict[str, int]
    days: int
    requests: int
    unreadable: int
    warnings: list[str]
    stamp: Stamp


def examine(path: Path, options: FormatOptions | None = None, site: Site | None = None) -> LogFile:
    """Examine a file as a whole; see `examine_parts`."""
    return examine_parts(path, options, site)[-1]


def examine_parts(
    path: Path,
    options: FormatOptions | None = None,
    site: Site | None = None,
    known: Mapping[str, Imported] | None = None,
) -> list[LogFile]:
    """Read a file once, from end to end.

    `known` are imports by digest: each that is the beginning of this file makes a part, and the
    rest is the last part. What an import that was undone counted alone is a part as well. Raises
    AccessLogError when the format is not recognised, too much of the file cannot be read, or it
    cannot be told what an import counted.
    """
    options = options or FormatOptions()
    seen = _Seen(site or Site(slug="log"), known or {})
    try:
        with path.open("rb") as file:
            stamp = Stamp.of(file)
            head = file.read(_HEAD_BYTES)
            file.seek(0)
            stream = unpacked(file, head[:MAGIC_BYTES])
            begin = _head(stream)
            file.seek(0)
            lines = [line.rstrip(b"\r") for line in begin if line.strip()]
            name = options.name or recognise(lines)
            if name is None:
                raise AccessLogError(_unknown(path, lines))
            log_format = ready(name, options.address or None, lines)
            _read(unpacked(file, head[:MAGIC_BYTES]), log_format, seen)
    except FormatError as error:
        raise AccessLogError(f"{path}: {error}") from None
    except DAMAGED as error:
        raise AccessLogError(
            f"{path} cannot be read: {reason(error)}; expected an access log"
        ) from None
    if max(seen.last_at, seen.newest) < 0:
        raise AccessLogError(_unknown(path, lines))
    if not options.unreadable and seen.unreadable > MAX_UNREADABLE * seen.requests:
        raise AccessLogError(
            f"{path}: {seen.unreadable:,} of {seen.requests:,} lines cannot be read as {name!r},"
            f" the first ones {_listed(seen.examples)}; expected at most"
            f" {MAX_UNREADABLE:.0%}. --format names another format, --unreadable leaves them out"
        )
    seen.end_part(seen.digest.hexdigest())
    whole = LogFile(
        path=path,
        digest="",
        lines=0,
        first_at=0,
        last_at=0,
        format=name,
        opened=log_format,
        address=log_format.address,
        addresses=len(seen.addresses),
        hosts=seen.hosts(),
        days=len(seen.days),
        requests=seen.requests,
        unreadable=seen.unreadable,
        warnings=seen.warnings(path, log_format),
        stamp=stamp,
    )
    return [
        msgspec.structs.replace(whole, **part._asdict())
        for part in parts_of(path, seen.parts, seen.known)
    ]


def _head(stream: BinaryIO) -> list[bytes]:
    return stream.read(_HEAD_BYTES).split(b"\n")[:HEAD_LINES]


def _unknown(path: Path, lines: list[bytes]) -> str:
    shown = _listed([(number, line) for number, line in enumerate(lines[:_EXAMPLES], 1)])
    return (
        f"{path} is in no format that is known; it begins with {shown or 'nothing'}; expected one"
        f" of {', '.join(NAMES)}; --format takes one of these, or a layout in the notation of"
        " Apache or nginx"
    )


def _listed(examples: list[tuple[int, bytes]]) -> str:
    return "; ".join(
        f"line {number}: {line[:80].decode(errors='replace')!r}" for number, line in examples
    )


class _Seen:
    """What one pass over a file has seen."""

    def __init__(self, site: Site, known: Mapping[str, Imported]) -> None:
        self.site = site
        self.known = known
        self.ends = sorted({each.lines for each in known.values()}, reverse=True)
        self.parts: list[Part] = []
        self.newest = -1
        self.digest = sha256()
        self.lines = self.requests = self.read = self.unreadable = self.agentless = 0
        self.first_at = 1 << 62
        self.last_at = -1
        self.addresses: Counter[bytes | str] = Counter()
        self.named_hosts: Counter[bytes | str] = Counter()
        self.days: set[int] = set()
        self.examples: list[tuple[int, bytes]] = []

    def end_part(self, digest: str) -> None:
        """End a part here, if it has lines of its own."""
        after = self.parts[-1].lines if self.parts else 0
        if self.lines > after and self.last_at >= 0:
            self.parts.append(Part(digest, self.lines, after, self.first_at, self.last_at))
            self.newest = max(self.newest, self.last_at)
            self.first_at, self.last_at = 1 << 62, -1

    def hosts(self) -> dict[str, int]:
        folded: Counter[str] = Counter()
        for host, lines in self.named_hosts.items():
            folded[fold(_decoded(host))] += lines
        return dict(folded.most_common())

    def warnings(self, path: Path, found: LogFormat) -> list[str]:
        """Return warnings about what the numbers would not show."""
        warnings = []
        most, lines = next(iter(self.addresses.most_common(1)), ("", 0))
        address = _decoded(most)
        if self.read >= _FEW_LINES and lines >= ONE_ADDRESS * self.read:
            warnings.append(
                f"{path.name}: {lines:,} of {self.read:,} lines have one address, {address} (field"
                f" {found.address}): all readers look like one. If it is a proxy's, and the log has"
                " the reader's address elsewhere, name that field with --address"
            )
        if self.agentless:
            warnings.append(
                f"{path.name}: {self.agentless:,} lines have no User-Agent: bots in them count as"
                " people, and readers of one address are one visitor"
            )
        if self.named_hosts and not any(self.site.allows(host) for host in self.hosts()):
            some = ", ".join(list(self.hosts())[:5])
            warnings.append(
                f"{path.name}: none of its hosts ({some}) is one of {self.site.slug}; give"
                " --host, or add it to the site"
            )
        return warnings


def _split(seen: _Seen, begin: bytes, rest: bytes) -> Iterator[bytes]:
    """Yield the complete lines of the beginning of a block."""
    seen.digest.update(begin)
    seen.lines += begin.count(b"\n")
    for piece in (rest + begin).split(b"\n")[:-1]:
        yield piece.rstrip(b"\r")


def _after_line(block: bytes, lines: int) -> int:
    """Return where this many lines of a block end."""
    at = 0
    for _ in range(lines):
        at = block.index(b"\n", at) + 1
    return at


def _decoded(text: bytes | str) -> str:
    return text if isinstance(text, str) else text_of(text)


def _read(stream: BinaryIO, found: LogFormat, seen: _Seen) -> None:
    glance, is_note, site = found.glance, found.is_note, seen.site
    addresses, hosts, quarters = seen.addresses, seen.named_hosts, set[int]()
    for number, raw in enumerate(_lines(stream, seen), 1):
        if not raw or raw.isspace() or is_note(raw):
            continue
        seen.requests += 1
        line = glance(raw) if len(raw) < MAX_LINE else None
        if line is None:
            seen.unreadable += 1
            if len(seen.examples) < _EXAMPLES:
                seen.examples.append((number, raw))
            continue
        seen.read += 1
        at, address, host, agent_logged = line
        if at >= 0:
            if at < seen.first_at:
                seen.first_at = at
            if at > seen.last_at:
                seen.last_at = at
            quarter = at // _QUARTER_MS
            if quarter not in quarters:
                quarters.add(quarter)
                seen.days.add(site.day_of(at))
        if address in addresses or len(addresses) < _KEPT:
            addresses[address] += 1
        if host is not None and (host in hosts or len(hosts) < _KEPT):
            hosts[host] += 1
        seen.agentless += not agent_logged


def _lines(stream: BinaryIO, seen: _Seen) -> Iterator[bytes]:
    rest = b""
    while block := stream.read(_BLOCK):
        while seen.ends and seen.ends[-1] <= seen.lines + block.count(b"\n"):
            # The file up to here may have been imported before it grew.
            cut = _after_line(block, seen.ends.pop() - seen.lines)
            begin, block = block[:cut], block[cut:]
            yield from _split(seen, begin, rest)
            rest = b""
            digest = seen.digest.hexdigest()
            imported = seen.known.get(digest)
            if imported is not None and imported.lines == seen.lines:
                seen.end_part(digest)
        pieces = (rest + block).split(b"\n")
        seen.digest.update(block)
        seen.lines += block.count(b"\n")
        # More than the longest line: what is cut off would not be read anyway.
        rest = pieces.pop()[: 2 * MAX_LINE]
        for piece in pieces:
            yield piece.rstrip(b"\r")
    if rest:
        seen.lines += 1
        yield rest.rstrip(b"\r")
