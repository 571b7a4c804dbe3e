"""The commands in the user's language: help texts and usage errors."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from services.cli.language import around_help, helped, said

_USAGE = "Usage: "


class SpokenGroup(TyperGroup):
    """The group of all commands; usage errors are in the user's language."""

    def make_context(self, *args: Any, **more: Any) -> Any:
        """See TyperGroup."""
        return _spoken(super().make_context, *args, **more)

    def invoke(self, ctx: Any) -> Any:
        """See TyperGroup; this covers the errors of all subcommands."""
        return _spoken(super().invoke, ctx)


def in_language(command: Any) -> Any:
    """Translate the help of a command and of all its subcommands, and return it."""
    words = around_help()
    if words:
        rich_utils = import_module("typer.rich_utils")
        for name, text in words.items():
            setattr(rich_utils, name, text)
        _translate(command)
    return command


def _translate(command: Any) -> None:
    kind = type(command)
    command.help = helped(command.help) if command.help else command.help
    command.get_usage = lambda ctx: kind.get_usage(command, ctx).replace(_USAGE, said(_USAGE), 1)
    command.get_help_option = lambda ctx: _helped(kind.get_help_option(command, ctx))
    for parameter in command.params:
        _helped(parameter)
    for below in getattr(command, "commands", {}).values():
        _translate(below)


def _helped(parameter: Any) -> Any:
    if parameter is not None:
        for name in ("help", "rich_help_panel"):
            if text := getattr(parameter, name, None):
                # The library's own texts are among the messages.
                setattr(parameter, name, said(text) if helped(text) == text else helped(text))
    return parameter


def _spoken(call: Any, *args: Any, **more: Any) -> Any:
    try:
        return call(*args, **more)
    except typer.TyperException as error:
        wrong: Any = error
        wrong.message = said(wrong.message)
        message = said(wrong.format_message())
        wrong.format_message = lambda: message
        raise
