"""The JSON of a running Luot, checked while it is read: LUOT_URL may lead to something else."""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from services.cli.terminal import fail


class Answer(dict[str, Any]):
    """An object of a response; to read a field that it does not have ends the command."""

    def __init__(self, fields: Mapping[str, Any], lacks: Callable[[str], NoReturn]) -> None:
        """`lacks` ends the command, and names the field."""
        super().__init__(fields)
        self._lacks = lacks

    def __missing__(self, field: str) -> NoReturn:
        self._lacks(field)

    def part(self, field: str) -> "Answer":
        """Return a field that is an object."""
        value = self[field]
        if not isinstance(value, Answer):
            self._lacks(field)
        return value

    def rows(self, field: str) -> list[dict[str, Any]]:
        """Return a field that is a list of objects."""
        value = self[field]
        if not isinstance(value, list) or not all(isinstance(one, Answer) for one in value):
            self._lacks(field)
        return value


def decoded(answer: Any, url: str) -> Answer:
    """Return the JSON object of a response; ends the command if it is something else."""

    def lacks(field: str) -> NoReturn:
        fail(
            f"{url} answers {answer.status_code} with {_kind(answer)} without Luot's {field!r}:"
            " that is not Luot, or another version of it; see LUOT_URL"
        )

    try:
        value = answer.json(object_hook=lambda fields: Answer(fields, lacks))
    except ValueError:
        not_luot(answer, url)
    if not isinstance(value, Answer):
        not_luot(answer, url)
    return value


def not_luot(answer: Any, url: str) -> NoReturn:
    """End the command: something that is not Luot has answered, and says that all is well."""
    fail(f"{url} answers {answer.status_code} with {_kind(answer)}: that is not Luot; see LUOT_URL")


def _kind(answer: Any) -> str:
    return answer.headers.get("content-type") or "no type"
