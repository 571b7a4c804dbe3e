"""The state of a partition's fold at a position, kept for whoever takes the partition over.

Correct numbers never depend on it: whoever finds none, or a doubtful one, reads the log again. One
string per partition: a digest, then, compressed, the state and what it belongs to.
"""

from hashlib import blake2b
from typing import cast

import msgspec
from backports import zstd

from services.redis_client.memory import memory_use
from services.state import keys
from services.state.errors import translated
from services.state.state import State

MOST_BYTES = 32 << 20
"""Per partition, compressed: over two million remembered visitors. A larger state is not kept."""
ALWAYS_BYTES = 4 << 20
"""A larger state is kept only while that leaves Redis half empty: the room is for hits."""
MOST_UNPACKED = 128 << 20
EXPIRY_SECONDS = 2 * 3600
"""How long it outlives its owner. An hour later nobody whom it remembers is in a visit."""

_DIGEST_BYTES = 16
_LEVEL = 1


class KeptFold(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is kept of a partition.

    maker     what folded it: the version of the code and all that the fold depends on
    log       the identity of the log
    store     the store's server at the time when the partition was last read again
    started   when that server had started, in seconds since 1970
    position  the last position that was read, as the log numbers it; committed before this is kept
    state     the fold, as its maker writes it
    """

    maker: str
    log: str
    store: str
    started: int
    position: int
    state: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(KeptFold).decode


def encode(kept: KeptFold) -> bytes | None:
    """Return it as it is stored; None when it is too large. Takes 10 ms per megabyte."""
    body = _encode(kept)
    if len(body) > MOST_UNPACKED:
        return None
    packed = zstd.compress(body, _LEVEL)
    return _digest(packed) + packed if len(packed) <= MOST_BYTES else None


def decode(written: bytes) -> KeptFold | None:
    """Return what was kept; None if it is damaged, too large or in another format."""
    digest, packed = written[:_DIGEST_BYTES], written[_DIGEST_BYTES:]
    if len(packed) > MOST_BYTES or digest != _digest(packed):
        return None
    unpacker = zstd.ZstdDecompressor()
    try:
        body = unpacker.decompress(packed, MOST_UNPACKED)
        return _decode(body) if unpacker.eof else None
    except (zstd.ZstdError, msgspec.DecodeError):
        return None


class KeptFolds:
    """One string a partition and group. All calls raise StateError."""

    def __init__(self, state: State, group: str) -> None:
        self._redis = state.redis
        self._group = group

    async def keep(self, partition: int, written: bytes) -> bool:
        """Keep what `encode` returned, in place of what was kept before; tell whether it was."""
        with translated():
            if len(written) > ALWAYS_BYTES:
                memory = await memory_use(self._redis)
                if memory.used + len(written) > memory.limit // 2:
                    return False
            await self._redis.set(
                keys.kept_fold(self._group, partition), written, ex=EXPIRY_SECONDS
            )
        return True

    async def renew(self, partition: int) -> bool:
        """Let what is kept expire later: nothing came since. Tell whether it is there."""
        with translated():
            key = keys.kept_fold(self._group, partition)
            return bool(await self._redis.expire(key, EXPIRY_SECONDS))

    async def forget(self, partition: int) -> None:
        """Forget what is kept of a partition."""
        with translated():
            await self._redis.delete(keys.kept_fold(self._group, partition))

    async def read(self, partition: int) -> bytes | None:
        """Return what is kept of a partition; None when there is nothing."""
        with translated():
            written = await self._redis.get(keys.kept_fold(self._group, partition))
        return cast("bytes | None", written)


def _digest(packed: bytes) -> bytes:
    return blake2b(packed, digest_size=_DIGEST_BYTES).digest()
