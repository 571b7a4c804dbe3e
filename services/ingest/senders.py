"""Servers that may vouch for readers: their tokens, as the API publishes them."""

import logging
from collections.abc import Iterable, Mapping
from hashlib import sha256

import msgspec

from services.ingest.commit import UnavailableError
from services.model.account import ALL_SITES, SendToken
from services.runtime.clock import Clock
from services.state.send_tokens import SendTokens
from services.state.state import State
from services.state.token_last_used import TokenTimes

_log = logging.getLogger(__name__)
_decoder = msgspec.json.Decoder(SendToken)

_NOTE_MS = 600_000
"""Resolution of the time at which a token was last used."""


class UnknownSenderError(Exception):
    """Not a token that may send hits; the message says why."""


class Senders:
    """Looks senders up by the digest of a token; keeps the last copy read while Redis is away."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._published = SendTokens(state)
        self._times = TokenTimes(state)
        self._clock = clock
        self._bodies: Mapping[bytes, bytes] | None = None
        self._tokens: dict[str, SendToken] = {}
        self._used: dict[str, int] = {}
        self._noted: dict[str, int] = {}

    async def refresh(self) -> None:
        """Read the tokens again. On StateError, keeps what it has."""
        published = await self._published.read()
        if published is None or published.bodies == self._bodies:
            return
        tokens = {}
        for digest, body in published.bodies.items():
            try:
                tokens[digest.decode()] = _decoder.decode(body)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                _log.error("a token that may send hits cannot be read, it is left out: %s", error)
        self._bodies, self._tokens = published.bodies, tokens

    def of(self, authorization: bytes | None) -> SendToken | None:
        """Return the sender of the bearer token in a header; None when it has none.

        Raises UnknownSenderError, or UnavailableError while no tokens are known yet.
        """
        if authorization is None:
            return None
        scheme, _, secret = authorization.partition(b" ")
        # Other schemes are for a proxy in front.
        if scheme.lower() != b"bearer":
            return None
        token = self._tokens.get(sha256(secret.strip()).hexdigest())
        if token is None:
            if self._bodies is None:
                raise UnavailableError("the tokens are not known yet")
            raise UnknownSenderError(
                "this is no token with the role 'send' of this server, or it was revoked"
            )
        now = self._clock()
        if token.expires_at is not None and now >= token.expires_at:
            raise UnknownSenderError(f"the token {token.id} has expired")
        self._used[token.id] = now
        return token

    async def share(self) -> None:
        """Note when tokens were used. Raises StateError."""
        known = {token.id for token in self._tokens.values()}
        for name, at in list(self._used.items()):
            if name in known and at >= self._noted.get(name, 0) + _NOTE_MS:
                await self._times.write(name, at)
                self._noted[name] = at
        self._used.clear()


def may_send(token: SendToken, slugs: Iterable[str]) -> bool:
    """Tell whether a token may send hits of a site, by its current and former slugs."""
    return ALL_SITES in token.sites or any(slug in token.sites for slug in slugs)
