"""Puts parameters into a statement as literals, so that no value can become SQL."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from clickhouse_driver.util.escape import escape_chars_map

from services.store.interface import StoreError

ESCAPES = str.maketrans(escape_chars_map)
_SEQUENCES = (list, tuple)
_ESCAPED = re.compile(f"[{re.escape(''.join(escape_chars_map))}]")


def bind(sql: str, parameters: Mapping[str, Any] | None) -> str:
    """Return the statement with each `%(name)s` replaced by the literal of its parameter.

    Raises StoreError for a parameter that is missing, empty or of a type without a literal.
    """
    if parameters is None:
        return sql
    literals = {name: _literal(value, name) for name, value in parameters.items()}
    try:
        return sql % literals
    except KeyError as error:
        raise StoreError(f"the statement needs a parameter named {error}: {sql}") from None
    except (TypeError, ValueError) as error:
        raise StoreError(f"{error}; a literal percent sign is written %%: {sql}") from None


def _literal(value: object, name: str) -> str:
    if isinstance(value, str):
        # Hardly any value has one of these, and checking costs a sixth of translating.
        return f"'{value.translate(ESCAPES) if _ESCAPED.search(value) else value}'"
    if isinstance(value, _SEQUENCES):
        if not value:
            raise StoreError(f"parameter {name} is empty; expected at least one value")
        return f"({', '.join([_literal(item, name) for item in value])})"
    # bool is an int, and datetime a date, but the two ages of server read them differently.
    if isinstance(value, date) and not isinstance(value, datetime):
        return f"'{value.isoformat()}'"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(+value)
    raise StoreError(
        f"parameter {name} is {value!r} of type {type(value).__name__};"
        " expected str, int, float, date, or a list or tuple of them"
    )
