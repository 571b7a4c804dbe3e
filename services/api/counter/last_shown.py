"""The last good numbers, kept in shared state: for the time after a restart, and other processes.

They are written before they are shown and read with every reading of the store, so the number
that was shown last is known to an API that has just started, even to one whose store has lost
rows. Shared state may lose them at any time: then they are written again with the next readings.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

import msgspec

from services.api.counter.reading import PageReading, Reading
from services.model.site import Metric
from services.state.errors import StateError
from services.state.last_shown import EncodedNumbers, ShownNumbers
from services.state.state import State

R = TypeVar("R", Reading, PageReading)

log = logging.getLogger(__name__)

_encoder = msgspec.msgpack.Encoder()


class Shown(NamedTuple, Generic[R]):
    """What was shown last, by site and name, and since when of each site: nothing older counts.

    The name is a measure or a path. Times are in ms; a site without one was never reset.
    """

    readings: Mapping[tuple[str, str], R]
    reset_at: Mapping[str, int]


class Kept:
    """Reads and writes what is kept. State that is away is as good as an empty one."""

    def __init__(self, state: State) -> None:
        self._state = ShownNumbers(state)
        self._site = _Decoder(Reading)
        self._page = _Decoder(PageReading)

    async def numbers(self, wanted: Sequence[tuple[str, Metric]]) -> Shown[Reading] | None:
        """Return the numbers of sites, by site and measure; None when the state is away."""
        try:
            return self._site.shown(await self._state.numbers(wanted))
        except StateError:
            return None

    async def pages(self, wanted: Sequence[tuple[str, str]]) -> Shown[PageReading] | None:
        """Return the views of pages, of those that are kept; None when the state is away."""
        try:
            return self._page.shown(await self._state.pages(wanted))
        except StateError:
            return None

    async def keep(self, readings: Mapping[tuple[str, Metric], Reading]) -> bool:
        """Write the numbers of sites; tell whether the state took them."""
        try:
            await self._state.write_numbers({name: _text(read) for name, read in readings.items()})
        except StateError as error:
            log.debug("cannot keep the numbers of %d sites: %s", len(readings), error)
            return False
        return True

    async def keep_pages(self, readings: Mapping[tuple[str, str], PageReading]) -> bool:
        """Write the views of pages; tell whether the state took them."""
        try:
            await self._state.write_pages({name: _text(read) for name, read in readings.items()})
        except StateError as error:
            log.debug("cannot keep %d pages: %s", len(readings), error)
            return False
        return True


class _Decoder(Generic[R]):
    def __init__(self, kind: type[R]) -> None:
        self._decoder: msgspec.msgpack.Decoder[R] = msgspec.msgpack.Decoder(kind)

    def shown(self, encoded: EncodedNumbers) -> Shown[R]:
        readings: dict[tuple[str, str], R] = {}
        for name, body in encoded.bodies.items():
            reading = self._decode(body)
            if reading is not None and reading.as_of > encoded.reset_at.get(name[0], 0):
                readings[name] = reading
        return Shown(readings, encoded.reset_at)

    def _decode(self, body: bytes) -> R | None:
        try:
            return self._decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
            return None  # written by another version: as good as lost


def _text(reading: Reading | PageReading) -> bytes:
    return _encoder.encode(reading)
