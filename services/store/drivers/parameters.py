"""Puts parameters into a statement as literals, so that no value can become SQL."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from clickhouse_driver.util.escape import escape_chars_map

from services.store.interface import StoreError

ESCAPES = str.maketrans(escape_chars_map)
_SEQUENCES = (list, tuple)
_QUOTED = frozenset((str, date))
_ESCAPED = re.compile(f"[{re.escape(''.join(escape_chars_map))}]")


def bind(sql: str, parameters: Mapping[str, Any] | None) -> str:
    """Return the statement with each `%(name)s` replaced by the literal of its parameter.

    Raises StoreError for a parameter that is missing, empty or of a type without a literal.
    """
    if parameters is None:
        return sql
    known = _Literals()
    literals = {name: _literal(value, name, known) for name, value in parameters.items()}
    try:
        return sql % literals
    except KeyError as error:
        raise StoreError(f"the statement needs a parameter named {error}: {sql}") from None
    except (TypeError, ValueError) as error:
        raise StoreError(f"{error}; a literal percent sign is written %%: {sql}") from None


class _Literals(dict[object, str]):
    """Literals by text or day: keys of rows repeat the same ones again and again."""

    def __missing__(self, value: str | date) -> str:
        literal = self[value] = _quoted(value)
        return literal


def _literal(value: object, name: str, known: _Literals) -> str:
    if isinstance(value, _SEQUENCES):
        if not value:
            raise StoreError(f"parameter {name} is empty; expected at least one value")
        if _QUOTED.issuperset(map(type, value)):
            return f"({', '.join(map(known.__getitem__, value))})"
        return f"({', '.join([_literal(item, name, known) for item in value])})"
    # bool is an int, and datetime a date, but the two ages of server read them differently.
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(+value)
    if isinstance(value, str) or (isinstance(value, date) and not isinstance(value, datetime)):
        return _quoted(value)
    raise StoreError(
        f"parameter {name} is {value!r} of type {type(value).__name__};"
        " expected str, int, float, date, or a list or tuple of them"
    )


def _quoted(value: str | date) -> str:
    if isinstance(value, date):
        return f"'{value.isoformat()}'"
    # Hardly any value has one of these, and checking costs a sixth of translating.
    return f"'{value.translate(ESCAPES) if _ESCAPED.search(value) else value}'"
