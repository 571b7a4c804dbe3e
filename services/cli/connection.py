"""The connection of commands to the admin API of a running Luot."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from services.cli.answer import Answer, decoded, not_luot
from services.cli.language import said
from services.cli.terminal import fail

TIMEOUT_SECONDS = 30.0
_PAUSE = 0.5

Data = Annotated[
    Path | None,
    typer.Option(help="Data folder of `luot up`, which holds its address and token."),
]


def at(*parts: str) -> str:
    """Return the path of something in the admin API, whatever the names among the parts hold.

    Ends the command for a name that nothing has: an API decodes a '/' in it, and would take it for
    the path of something else.
    """
    for part in parts:
        if "/" in part or not part.strip("."):
            fail(f"{part!r} is not a name; expected one without '/', and not only dots")
    return "".join(f"/{quote(part, safe='', errors='replace')}" for part in parts)


class Admin:
    """A client of /api/admin; any error ends the command with one message."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self.url = url

    def call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        *,
        has: str = "",
    ) -> Answer:
        """Send one request and return the decoded response.

        `has` is a field of every such response, for callers that pass it on without reading any.
        """
        answer = decoded(self._sent(method, path, body, query), self.url)
        if has:
            answer[has]
        return answer

    def tell(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> None:
        """Send one request to which Luot answers that it is done, and nothing else."""
        import httpx

        answer = self._sent(method, path, body, query)
        if answer.status_code != httpx.codes.NO_CONTENT:
            not_luot(answer, self.url)

    def _sent(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        query: Mapping[str, Any] | None,
    ) -> Any:
        import httpx

        try:
            answer = self.send(method, path, json=body, params=query)
        except httpx.HTTPError as error:
            fail(f"{self.url} cannot be reached: {error}; is Luot running there? (LUOT_URL)")
        if not answer.is_success:
            fail(f"{self.url} answers {answer.status_code}: {reason(answer)}")
        return answer

    def send(self, method: str, path: str, **more: Any) -> Any:
        """Send one request and return the raw response. Raises httpx.HTTPError.

        Ends the command if what was given to it does not fit into a request.
        """
        import httpx

        try:
            return self._client.request(method, f"/api/admin{path}", **more)
        except (httpx.InvalidURL, UnicodeError) as error:
            fail(f"{self.url} cannot be asked this: {error}")

    def until(
        self,
        done: Callable[[Any], bool],
        path: str,
        *,
        seconds: float,
        away: Collection[int],
        waiting: str,
        again: str,
        **more: Any,
    ) -> Any:
        """Repeat a POST until the answer says that it is done; return that answer, decoded.

        If Luot cannot be reached, or answers with a status in `away`, this keeps trying, because
        Luot may be restarting. After `seconds` the command ends with the last problem (`waiting`
        if the last answer was that it is not done yet), followed by `again`, the purpose of
        running the same command again.
        """
        import httpx

        ends = time.monotonic() + seconds
        while True:
            try:
                answer = self.send("POST", path, **more)
                problem = said(f"{self.url} answers {answer.status_code}: {reason(answer)}")
            except httpx.HTTPError as error:
                answer, problem = None, said(f"{self.url} cannot be reached: {error}")
            if answer is not None and answer.is_success:
                status = decoded(answer, self.url)
                if done(status):
                    return status
                problem = said(waiting)
            elif answer is not None and answer.status_code not in away:
                fail(problem)
            if time.monotonic() > ends:
                fail(f"{problem} Run the same command again {again}")
            time.sleep(_PAUSE)

    def stream(self, path: str, **more: Any) -> Any:
        """Open a streamed response, as a context manager. Raises httpx.HTTPError."""
        return self._client.stream("GET", f"/api/admin{path}", **more)


@contextmanager
def connected(data: Path | None, seconds: float = TIMEOUT_SECONDS) -> Iterator[Admin]:
    """Connect to the Luot of a data folder, or to that of the settings.

    `seconds` is how long an answer may take.
    """
    import httpx

    from services.cli.settings import ClientSettings
    from services.settings import SettingsError

    try:
        settings = ClientSettings.of(data)
        if settings.token is None:
            raise SettingsError(
                "LUOT_TOKEN is not set; expected a token, or --data with the folder of `luot up`"
            )
    except SettingsError as error:
        fail(str(error))
    url = settings.url.rstrip("/")
    headers = {"Authorization": f"Bearer {settings.token.get_secret_value()}"}
    with httpx.Client(base_url=url, headers=headers, timeout=seconds) as client:
        yield Admin(client, url)


def errors_of(answer: Any) -> Mapping[str, list[str]]:
    """Return the error messages of a response by field; none if it is not an API of Luot's."""
    try:
        errors = answer.json()["errors"]
        return {str(field): list(map(str, texts)) for field, texts in errors.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def reason(answer: Any) -> str:
    """Return the error messages of a response."""
    return "; ".join(
        f"{field}: {' '.join(map(said, texts))}" for field, texts in errors_of(answer).items()
    ) or str(answer.reason_phrase)
