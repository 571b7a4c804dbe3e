"""What an event came with: the headers of its request, its peer, and its token."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from services.http.response import Header
from services.ingest.draft import Draft
from services.ingest.event import Event
from services.model.account import SendToken

Client = tuple[str, int] | None
"""The peer of a connection; None on a local socket."""


class EventRequest(NamedTuple):
    """A request with one or more events; the fields are those of a draft."""

    headers: Mapping[bytes, bytes]
    peer: str
    forwarded: str
    token: SendToken | None = None

    def draft(self, event: Event, at: int, *, image: bool = False) -> Draft:
        """Return a draft of one of its events, for the pipeline."""
        return Draft(
            event=event,
            headers=self.headers,
            peer=self.peer,
            forwarded=self.forwarded,
            at=at,
            token=self.token,
            image=image,
        )


def event_request(headers: Sequence[Header], client: Client) -> EventRequest:
    """Return what came with an event."""
    named = dict(headers)
    last = named.get(b"x-forwarded-for")
    forwarded = ""
    if last is not None:
        # Nearly always, no header is repeated.
        once = len(named) == len(headers)
        forwarded = last.decode("latin-1") if once else _forwarded(headers)
    return EventRequest(named, client[0] if client else "", forwarded)


def authorization_of(headers: Sequence[Header]) -> bytes | None:
    """Return the header Authorization."""
    return next((value for name, value in headers if name == b"authorization"), None)


def _forwarded(headers: Sequence[Header]) -> str:
    values = [value for name, value in headers if name == b"x-forwarded-for"]
    return b",".join(values).decode("latin-1")
