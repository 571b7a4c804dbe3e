"""A backup streamed over HTTP: length-prefixed messages; the last one marks the end."""

from collections.abc import AsyncGenerator, AsyncIterator

import msgspec

from services.backup.folder import BackupError
from services.runtime.reasons import reason
from services.store.dumps.portable import Begin, End, Piece

Message = Begin | Piece | End

PATH = "/api/admin/backup"
READ_SECONDS = 300.0
"""How long a table may take to send its first row."""

_LENGTH_BYTES = 4
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def frame(message: Message) -> bytes:
    """Return a message as a frame."""
    body = _encoder.encode(message)
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


async def messages(chunks: AsyncIterator[bytes]) -> AsyncGenerator[Message, None]:
    """Yield the messages of a body that arrives in chunks. Raises BackupError."""
    waiting = bytearray()
    async for chunk in chunks:
        waiting += chunk
        while len(waiting) >= _LENGTH_BYTES:
            end = _LENGTH_BYTES + int.from_bytes(waiting[:_LENGTH_BYTES], "big")
            if len(waiting) < end:
                break
            try:
                yield _decoder.decode(memoryview(waiting)[_LENGTH_BYTES:end])
            except msgspec.MsgspecError as error:
                raise BackupError(f"the server sends something else: {error}") from None
            del waiting[:end]


async def fetch(url: str, token: str) -> AsyncGenerator[Message, None]:
    """Fetch everything in the store of a running Luot. Raises BackupError."""
    import httpx

    headers = {"Authorization": f"Bearer {token}"}
    timeout = httpx.Timeout(30.0, read=READ_SECONDS)
    try:
        async with (
            httpx.AsyncClient(base_url=url, headers=headers, timeout=timeout) as client,
            client.stream("GET", PATH) as answer,
        ):
            if not answer.is_success:
                text = (await answer.aread()).decode(errors="replace")
                raise BackupError(f"{url} answers {answer.status_code}: {text[:500]}")
            async for message in messages(answer.aiter_bytes()):
                yield message
    except httpx.HTTPError as error:
        raise BackupError(
            f"{url} cannot be read: {reason(error)}; is Luot running there?"
        ) from None
