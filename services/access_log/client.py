"""Uploads an import to the API, with retries."""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Protocol, TypeVar

import httpx
import msgspec

from services.access_log.file import LogFile
from services.access_log.parts import Imported
from services.runtime.reasons import reason

AWAY_SECONDS = 120.0
"""How long to retry while Luot does not answer; it may be restarting."""
COUNTED_SECONDS = 300.0
"""How long to wait at the end for the aggregator to count what was sent."""
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0
_AWAY = (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)


T = TypeVar("T")


class UnfinishedError(Exception):
    """An import that cannot continue; the message says why."""


class AdminApi(Protocol):
    """A client of /api/admin, and the URL it talks to."""

    url: str

    def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Send one request. Raises httpx.HTTPError."""
        ...


class UploadOptions(msgspec.Struct, frozen=True):
    """How files are imported.

    host         host name of their pages
    until        lines from this time on are left out, ms since 1970; 0 for none
    overlapping  accept files even if others of the same time were imported
    """

    host: str
    until: int = 0
    overlapping: bool = False
    dry_run: bool = False


class UploadState(msgspec.Struct, frozen=True):
    """The API's answer about an import; see `services.api.imports.schemas.Begun`."""

    done: bool
    taken: int
    hits: int
    salt: str
    warnings: list[str]


class _Known(msgspec.Struct, frozen=True):
    digest: str
    lines: int
    first_at: int
    state: str


class _Imports(msgspec.Struct, frozen=True):
    imports: list[_Known]


class _Appended(msgspec.Struct, frozen=True):
    taken: int


class _Finished(msgspec.Struct, frozen=True):
    done: bool
    hits: int


class ImportClient:
    """One site's imports over HTTP. Every call may raise UnfinishedError."""

    def __init__(
        self,
        api: AdminApi,
        site: str,
        *,
        waits: Callable[[str], None] = lambda _: None,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`waits` is called with the reason for waiting, and with '' when it resumes."""
        self._api = api
        self._path = f"/sites/{site}/imports"
        self._waits = waits
        self._sleep = sleep
        self._monotonic = monotonic

    def known(self) -> dict[str, Imported]:
        """Return the imports of the site by digest, those that were undone as well."""
        answer = self._decoded(self._sent("GET", ""), _Imports)
        return {
            one.digest: Imported(one.lines, one.first_at, one.state == "undone")
            for one in answer.imports
        }

    def begin(self, file: LogFile, options: UploadOptions) -> UploadState:
        """Begin the import of a file, or find out where to resume it."""
        body = {
            "file": file.path.name[:500],
            "host": options.host,
            "until": options.until,
            "lines": file.lines,
            "first_at": file.first_at,
            "last_at": file.last_at,
            "overlapping": options.overlapping,
            "dry_run": options.dry_run,
        }
        return self._decoded(self._sent("PUT", f"/{file.digest}", json=body), UploadState)

    def append(self, digest: str, after: int, upto: int, payload: bytes) -> int:
        """Send a chunk; return the line up to which the log has all pages."""
        answer = self._sent(
            "POST",
            f"/{digest}/chunks",
            params={"after": after, "upto": upto},
            content=payload,
            headers={"Content-Type": "application/octet-stream"},
        )
        return self._decoded(answer, _Appended).taken

    def finish(self, digest: str) -> int:
        """Wait until all pages are counted, and return their number."""
        ends = self._monotonic() + COUNTED_SECONDS
        pause = _FIRST_PAUSE
        while True:
            answer = self._decoded(self._sent("POST", f"/{digest}/done"), _Finished)
            if answer.done:
                self._waits("")
                return answer.hits
            if self._monotonic() > ends:
                raise UnfinishedError(
                    f"all {answer.hits} pages are in the log, but the aggregator has not"
                    " counted them; is it running? Run the same command again to find out"
                )
            self._waits("waiting for the aggregator")
            self._sleep(pause)
            pause = min(pause * 1.5, 1.0)

    def _decoded(self, answer: httpx.Response, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(answer.content, type=kind)
        except (msgspec.MsgspecError, UnicodeError) as error:
            # Something stands between the API and us, or has taken its place.
            raise UnfinishedError(
                f"{self._api.url} answers what no API of Luot does: {error}"
            ) from None

    def _sent(self, method: str, path: str, **more: Any) -> httpx.Response:
        gives_up: float | None = None
        pause = _FIRST_PAUSE
        waited = False
        while True:
            try:
                answer = self._api.send(method, self._path + path, **more)
            except httpx.HTTPError as error:
                problem = f"{self._api.url} cannot be reached: {reason(error)}"
            else:
                if answer.is_success:
                    if waited:
                        self._waits("")
                    return answer
                problem = f"{self._api.url} answers {answer.status_code}: {_reason(answer)}"
                if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                    # Luot is up but overloaded, which passes: retry without a limit.
                    gives_up = None
                    waited = True
                    self._waits(_reason(answer))
                    self._sleep(pause)
                    continue
                if answer.status_code not in _AWAY:
                    raise UnfinishedError(problem)
            now = self._monotonic()
            gives_up = now + AWAY_SECONDS if gives_up is None else gives_up
            if now >= gives_up:
                raise UnfinishedError(f"{problem}; run the same command again to continue")
            waited = True
            self._waits(problem)
            self._sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)


def _reason(answer: httpx.Response) -> str:
    try:
        errors = answer.json()["errors"]
        return "; ".join(f"{field}: {' '.join(texts)}" for field, texts in errors.items())
    except (ValueError, KeyError, TypeError, AttributeError):
        return answer.reason_phrase
