"""The format of a batch: the hits of one group commit for one partition, column by column.

msgpack of one array: the time of the first hit, each distinct string once, then one array a
column. Small integers take one byte each, and the aggregator needs columns anyway: after ingest, no
object is made per hit.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, compress
from typing import Annotated, Any

import msgspec

from services.model.hit import Hit, Visit

SCHEMA_VERSION = 1
MAX_HITS = 500
MAX_BYTES = 4 << 20
"""More than 500 hits can take: ingest truncates every string that it writes."""


class BatchError(ValueError):
    """A log entry that does not hold a batch; the message says why."""


class Blank(list[Any]):
    """A column in which no hit has a value; never changed: columns of a batch may share it."""


def joined(columns: Sequence[list[Any]]) -> list[Any]:
    """Return columns of one name, none of them empty, concatenated."""
    if columns and all(type(column) is Blank for column in columns):
        return Blank(columns[0][:1] * sum(map(len, columns)))
    return list(chain.from_iterable(columns))


class Batch(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Decoded hits of one log entry, one list a column, all of the same length.

    The columns mean what the fields of Hit mean.
    """

    site: list[str]
    path: list[str]
    at: list[int]
    day: list[int]
    visitor: list[int]
    visit: list[int]
    bot: list[int]
    host: list[str]
    source: list[str]
    device: list[str]
    browser: list[str]
    os: list[str]
    country: list[str]
    view_id: list[int]
    own_path: list[str]
    utm_medium: list[str]
    utm_campaign: list[str]
    utm_content: list[str]
    utm_term: list[str]
    utm_source: list[str]
    region: list[str]

    def __len__(self) -> int:
        return len(self.site)

    @staticmethod
    def join(batches: Sequence["Batch"]) -> "Batch":
        """Return batches concatenated, in order."""
        if len(batches) == 1:
            return batches[0]
        return Batch(
            **{
                name: joined([getattr(batch, name) for batch in batches])
                for name in Batch.__struct_fields__
            }
        )

    def hits(self) -> Iterator[Hit]:
        """Return the hits one by one, for people and tests; the hot path reads columns."""
        for index in range(len(self)):
            yield Hit(
                site=self.site[index],
                path=self.path[index],
                at=self.at[index],
                day=self.day[index],
                visitor=self.visitor[index],
                visit=Visit(self.visit[index]),
                bot=bool(self.bot[index]),
                host=self.host[index],
                source=self.source[index],
                device=self.device[index],
                browser=self.browser[index],
                os=self.os[index],
                country=self.country[index],
                view_id=self.view_id[index],
                own_path=self.own_path[index],
                utm_medium=self.utm_medium[index],
                utm_campaign=self.utm_campaign[index],
                utm_content=self.utm_content[index],
                utm_term=self.utm_term[index],
                utm_source=self.utm_source[index],
                region=self.region[index],
            )

    def only(self, chosen: Sequence[bool]) -> "Batch":
        """Return the chosen hits; `chosen` has one bool per hit."""
        return Batch(
            **{
                name: list(compress(getattr(self, name), chosen))
                for name in Batch.__struct_fields__
            }
        )


_Index = Annotated[int, msgspec.Meta(ge=0)]
_Day = Annotated[int, msgspec.Meta(ge=0, le=(1 << 16) - 1)]
_U64 = Annotated[int, msgspec.Meta(ge=0)]
_Decided = Annotated[int, msgspec.Meta(ge=0, le=int(max(Visit)))]
_Flag = Annotated[int, msgspec.Meta(ge=0, le=1)]


class _Wire(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Field `b` of an entry: strings are indices into `strings`, `at` counts from `base`.

    The decoder checks every number it reads, at no cost that could be measured.
    """

    base: int
    strings: list[str]
    site: list[_Index]
    path: list[_Index]
    at: list[int]
    day: list[_Day]
    visitor: list[_U64]
    visit: list[_Decided]
    bot: list[_Flag]
    host: list[_Index]
    source: list[_Index]
    device: list[_Index]
    browser: list[_Index]
    os: list[_Index]
    country: list[_Index]


class _WireWithMore(_Wire, frozen=True, gc=False):
    """With columns that are left out, or empty, where no hit has a value.

    They come last, in the order of their introduction: older readers skip what they do not know.
    """

    view_id: list[_U64] = []
    own_path: list[_Index] = []
    utm_medium: list[_Index] = []
    utm_campaign: list[_Index] = []
    utm_content: list[_Index] = []
    utm_term: list[_Index] = []
    utm_source: list[_Index] = []
    region: list[_Index] = []


_COLUMNS = _Wire.__struct_fields__[2:]
_MORE = _WireWithMore.__struct_fields__[len(_Wire.__struct_fields__) :]

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_WireWithMore)

_MAX_AT = (1 << 42) - 1


def encode(hits: Sequence[Hit]) -> bytes:
    """Return the payload of an entry that holds these hits, 1 to MAX_HITS of one partition."""
    if not 1 <= len(hits) <= MAX_HITS:
        raise ValueError(f"a batch holds 1 to {MAX_HITS} hits, not {len(hits)}")
    index: dict[str, int] = {}

    def at(text: str) -> int:
        return index.setdefault(text, len(index))

    base = hits[0].at
    wire = _Wire(
        base=base,
        strings=[],
        site=[at(hit.site) for hit in hits],
        path=[at(hit.path) for hit in hits],
        at=[hit.at - base for hit in hits],
        day=[hit.day for hit in hits],
        visitor=[hit.visitor for hit in hits],
        visit=[int(hit.visit) for hit in hits],
        bot=[int(hit.bot) for hit in hits],
        host=[at(hit.host) for hit in hits],
        source=[at(hit.source) for hit in hits],
        device=[at(hit.device) for hit in hits],
        browser=[at(hit.browser) for hit in hits],
        os=[at(hit.os) for hit in hits],
        country=[at(hit.country) for hit in hits],
    )
    ids = [hit.view_id for hit in hits]
    own_paths = [hit.own_path for hit in hits]
    tagged = any(
        hit.utm_medium or hit.utm_campaign or hit.utm_content or hit.utm_term for hit in hits
    )
    sources = [hit.utm_source for hit in hits]
    regions = [hit.region for hit in hits]
    if any(ids) or any(own_paths) or tagged or any(sources) or any(regions):
        columns = {name: getattr(wire, name) for name in _Wire.__struct_fields__}
        wire = _WireWithMore(
            **columns,
            view_id=ids if any(ids) else [],
            own_path=list(map(at, own_paths)) if any(own_paths) else [],
            utm_medium=[at(hit.utm_medium) for hit in hits] if tagged else [],
            utm_campaign=[at(hit.utm_campaign) for hit in hits] if tagged else [],
            utm_content=[at(hit.utm_content) for hit in hits] if tagged else [],
            utm_term=[at(hit.utm_term) for hit in hits] if tagged else [],
            utm_source=list(map(at, sources)) if any(sources) else [],
            region=list(map(at, regions)) if any(regions) else [],
        )
    wire.strings.extend(index)
    return _encoder.encode(wire)


def decode(payload: bytes, *, hits: int | None = None, version: int = SCHEMA_VERSION) -> Batch:
    """Return the batch that an entry holds.

    `hits` is the number of hits that the entry announces. Raises BatchError when the version is
    unknown, the bytes are not a batch, or a column is not what it must be.
    """
    if version != SCHEMA_VERSION:
        raise BatchError(f"schema version {version}, expected {SCHEMA_VERSION}")
    if len(payload) > MAX_BYTES:
        raise BatchError(f"{len(payload)} bytes, expected at most {MAX_BYTES}")
    try:
        wire = _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BatchError(str(error)) from error
    size = len(wire.site)
    if not 1 <= size <= MAX_HITS:
        raise BatchError(f"{size} hits, expected 1 to {MAX_HITS}")
    if hits is not None and hits != size:
        raise BatchError(f"{size} hits, but the entry announces {hits}")
    for name in _COLUMNS:
        if len(column := getattr(wire, name)) != size:
            raise BatchError(f"column {name} has {len(column)} values, expected {size}")
    for name in _MORE:
        if len(column := getattr(wire, name)) not in (0, size):
            raise BatchError(f"column {name} has {len(column)} values, expected {size}")
    at = [wire.base + at for at in wire.at]
    if min(at) < 0 or max(at) > _MAX_AT:
        raise BatchError(f"column at has a value outside 0..{_MAX_AT}")
    blank = Blank([""] * size)
    batch = Batch(
        site=_strings(wire, wire.site, "site"),
        path=_strings(wire, wire.path, "path"),
        at=at,
        day=wire.day,
        visitor=wire.visitor,
        visit=wire.visit,
        bot=wire.bot,
        host=_strings(wire, wire.host, "host"),
        source=_strings(wire, wire.source, "source"),
        device=_strings(wire, wire.device, "device"),
        browser=_strings(wire, wire.browser, "browser"),
        os=_strings(wire, wire.os, "os"),
        country=_strings(wire, wire.country, "country"),
        view_id=wire.view_id or Blank([0] * size),
        own_path=_strings(wire, wire.own_path, "own_path") or blank,
        utm_medium=_strings(wire, wire.utm_medium, "utm_medium") or blank,
        utm_campaign=_strings(wire, wire.utm_campaign, "utm_campaign") or blank,
        utm_content=_strings(wire, wire.utm_content, "utm_content") or blank,
        utm_term=_strings(wire, wire.utm_term, "utm_term") or blank,
        utm_source=_strings(wire, wire.utm_source, "utm_source") or blank,
        region=_strings(wire, wire.region, "region") or blank,
    )
    if "" in batch.site or "" in batch.path:
        raise BatchError("a hit without a site or a path")
    return batch


def _strings(wire: _Wire, column: list[int], name: str) -> list[str]:
    strings = wire.strings
    try:
        return [strings[index] for index in column]
    except IndexError:
        raise BatchError(f"column {name} has a value outside 0..{len(strings) - 1}") from None
