"""Options shared by several commands, from one list."""

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any, TypeVar

C = TypeVar("C", bound=Callable[..., None])


def with_options(options: Mapping[str, Any]) -> Callable[[C], C]:
    """Add options, by the names of their parameters, to a command that takes `**given`.

    An option that is not given is None. In --help they come after the command's arguments and
    before its own options.
    """
    added = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in options.items()
    ]

    def decorate(command: C) -> C:
        own = signature(command)
        plain = [p for p in own.parameters.values() if p.kind is not Parameter.VAR_KEYWORD]
        keywords = [p.replace(kind=Parameter.KEYWORD_ONLY) for p in plain]
        arguments = [p for p in keywords if p.default is p.empty]
        rest = [p for p in keywords if p.default is not p.empty]
        command.__signature__ = own.replace(  # type: ignore[attr-defined]
            parameters=[*arguments, *added, *rest]
        )
        return command

    return decorate
