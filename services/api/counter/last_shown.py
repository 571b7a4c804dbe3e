"""The numbers shown last, in shared state, for other processes and for after a restart.

Readings are saved before they are shown, and fetched whenever the store is read, so an API that has
just started knows the number shown last, even if its store has lost rows. Shared state may lose
them at any time: then they are written again with the next readings.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar, cast

import msgspec

from services.api.counter.reading import PageReading, Reading
from services.model.site import Metric
from services.state.errors import StateError
from services.state.last_shown import SECONDS, EncodedNumbers, ShownNumbers
from services.state.state import State

R = TypeVar("R", Reading, PageReading)
N = TypeVar("N", bound=str)

Name = tuple[str, str]
"""A site's slug, and a measure or a path."""

log = logging.getLogger(__name__)

_encoder = msgspec.msgpack.Encoder()


class Shown(NamedTuple, Generic[R]):
    """The readings shown last, and the last reset of each site; older readings do not count.

    readings  by site and measure or path
    reset_at  ms since 1970, by site; a site without one was never reset
    is_known  whether shared state could be read
    """

    readings: Mapping[Name, R]
    reset_at: Mapping[str, int]
    is_known: bool = True


class LastShown(ABC, Generic[R]):
    """Readings as they were last shown. Shared state that is down counts as empty."""

    def __init__(self, kind: type[R]) -> None:
        self._decoder: msgspec.msgpack.Decoder[R] = msgspec.msgpack.Decoder(kind)

    async def read(self, names: Sequence[tuple[str, N]], seconds: float = SECONDS) -> Shown[R]:
        """Return the last readings of those names that have one."""
        try:
            encoded = await self._read(names, seconds)
        except StateError:
            return Shown({}, {}, is_known=False)
        readings = {}
        for name, body in encoded.bodies.items():
            reading = self._decode(body)
            if reading is not None and reading.as_of > encoded.reset_at.get(name[0], 0):
                readings[name] = reading
        return Shown(readings, encoded.reset_at)

    async def write(self, readings: Mapping[tuple[str, N], R]) -> bool:
        """Save readings; tell whether that worked."""
        try:
            await self._write({name: _encoder.encode(read) for name, read in readings.items()})
        except StateError as error:
            log.debug("cannot keep %d readings: %s", len(readings), error)
            return False
        return True

    @abstractmethod
    async def _read(self, names: Sequence[tuple[str, N]], seconds: float) -> EncodedNumbers:
        """Return the encoded readings. Raises StateError."""

    @abstractmethod
    async def _write(self, bodies: Mapping[tuple[str, N], bytes]) -> None:
        """Write encoded readings. Raises StateError."""

    def _decode(self, body: bytes) -> R | None:
        try:
            return self._decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
            return None  # written by another version: counts as lost


class LastShownSites(LastShown[Reading]):
    """The numbers of sites, by slug and measure."""

    def __init__(self, state: State) -> None:
        super().__init__(Reading)
        self._numbers = ShownNumbers(state)

    async def _read(self, names: Sequence[tuple[str, N]], seconds: float) -> EncodedNumbers:
        return await self._numbers.numbers(cast("Sequence[tuple[str, Metric]]", names), seconds)

    async def _write(self, bodies: Mapping[tuple[str, N], bytes]) -> None:
        await self._numbers.write_numbers(cast("Mapping[tuple[str, Metric], bytes]", bodies))


class LastShownPages(LastShown[PageReading]):
    """The views of pages, by slug and path."""

    def __init__(self, state: State) -> None:
        super().__init__(PageReading)
        self._numbers = ShownNumbers(state)

    async def _read(self, names: Sequence[tuple[str, N]], seconds: float) -> EncodedNumbers:
        return await self._numbers.pages(names, seconds)

    async def _write(self, bodies: Mapping[tuple[str, N], bytes]) -> None:
        await self._numbers.write_pages(cast("Mapping[Name, bytes]", bodies))
