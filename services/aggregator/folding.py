"""Which fold an aggregator runs: the one in C if it was compiled, otherwise the one in Python.

Both give the same rows. Neither reads state saved by the other.
"""

import logging
from abc import ABC, abstractmethod
from typing import Any, Literal

import msgspec

from services.aggregator.fold import Folded, PackedFold, PartitionFold, Read
from services.aggregator.kernel.entries import KernelEntries
from services.aggregator.kernel.fold import KernelFold, KernelFolded
from services.aggregator.kernel.library import KernelError, Library, load
from services.log import batch

log = logging.getLogger(__name__)

FoldName = Literal["auto", "c", "python"]
AnyFolded = Folded | KernelFolded
AnyFold = PartitionFold | KernelFold

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(PackedFold).decode


class Reads(list[Read]):
    """Entries of the log, decoded for the fold in Python."""

    def add(self, position: int, time_ms: int, payload: bytes, hits: int, version: int) -> None:
        """Add an entry of so many hits. Raises BatchError; see services.log.batch.decode."""
        self.append((position, time_ms, batch.decode(payload, hits=hits, version=version)))


AnyReads = Reads | KernelEntries


class Folding(ABC):
    """Makes folds of one kind."""

    name: str

    @abstractmethod
    def reads(self) -> Any:
        """Return an empty container of entries for a fold of this kind."""

    @abstractmethod
    def new(self, partition: int) -> Any:
        """Return the fold of a partition of which nothing was read."""

    @abstractmethod
    def encode(self, packed: Any) -> bytes:
        """Return the bytes of a packed fold of this kind."""

    @abstractmethod
    def decode(self, partition: int, packed: bytes) -> Any:
        """Return the fold of these bytes. Raises ValueError if they are not one."""


class PythonFolding(Folding):
    """The fold in Python."""

    name = "python"

    def reads(self) -> Reads:
        """See Folding."""
        return Reads()

    def new(self, partition: int) -> PartitionFold:
        """See Folding."""
        return PartitionFold(partition)

    def encode(self, packed: PackedFold) -> bytes:
        """See Folding."""
        return _encode(packed)

    def decode(self, partition: int, packed: bytes) -> PartitionFold:
        """See Folding."""
        try:
            return PartitionFold.unpack(partition, _decode(packed))
        except msgspec.DecodeError as error:
            raise ValueError(str(error)) from error


class KernelFolding(Folding):
    """The fold in C."""

    name = "c"

    def __init__(self, library: Library) -> None:
        self._library = library

    def reads(self) -> KernelEntries:
        """See Folding."""
        return KernelEntries(self._library)

    def new(self, partition: int) -> KernelFold:
        """See Folding."""
        return KernelFold(self._library, partition)

    def encode(self, packed: bytes) -> bytes:
        """See Folding."""
        return packed

    def decode(self, partition: int, packed: bytes) -> KernelFold:
        """See Folding."""
        return KernelFold.unpack(self._library, partition, packed)


def choose(name: FoldName) -> Folding:
    """Return the kind of that name. Raises KernelError if `c` is requested but unavailable."""
    if name == "python":
        return PythonFolding()
    try:
        return KernelFolding(load())
    except KernelError as error:
        if name == "c":
            raise
        log.info("the fold runs in Python, several times slower: %s", error)
        return PythonFolding()
