"""`/.well-known/security.txt` (RFC 9116): whom to tell about a vulnerability here."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from services.http.errors import ApiError
from services.http.measured_route import MeasuredRoute

PATH = "/.well-known/security.txt"
VALID = timedelta(days=90)
"""From each request on: the file is as current as the setting it is made from."""


def routes(contact: str | None, public_url: str | None) -> list[MeasuredRoute]:
    """Return the route; it answers 404 if the operator has named nobody."""

    async def answer(_: Request) -> Response:
        if contact is None:
            raise ApiError(HTTPStatus.NOT_FOUND, {"contact": "LUOT_SECURITY_CONTACT names nobody"})
        expires = (datetime.now(UTC) + VALID).strftime("%Y-%m-%dT00:00:00Z")
        lines = [f"Contact: {contact}", f"Expires: {expires}", "Preferred-Languages: vi, en"]
        if public_url is not None:
            lines.append(f"Canonical: {public_url.rstrip('/')}{PATH}")
        return PlainTextResponse("".join(f"{line}\n" for line in lines))

    return [MeasuredRoute(PATH, answer)]
