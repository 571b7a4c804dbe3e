"""Translates filters of version 2 into the grammar of version 1, to limit and parse them alike.

A query's filters must all hold, and each is about one property: one of some values, or none of
them. So `and` and `not` can always be expressed, and `or` if all its operands share a property.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from services.api.stats.grammar.filters import Filter, Pattern, property_of
from services.http.errors import ApiError, bad_request, shown

_FIELD = "filters"
_MAX_DEPTH = 10
_TESTS = ("is", "contains", "matches", "matches_wildcard")
_SPECIAL = re.compile(r"[\\^$.|?*+()\[\]{}]")


def text_of(filters: Sequence[Any]) -> str:
    """Return filters in the grammar of version 1. Raises ApiError for what it cannot express."""
    return ";".join(str(one) for each in filters for one in _all(each, negated=False, depth=0))


def _all(node: Any, *, negated: bool, depth: int) -> Iterator[Filter]:
    """Yield filters that must all hold."""
    if depth > _MAX_DEPTH:
        raise bad_request(_FIELD, f"more than {_MAX_DEPTH} filters within each other")
    if not isinstance(node, list) or not node or not isinstance(node[0], str):
        raise _unlike(node)
    operator, *given = node
    if operator == "not" and len(given) == 1:
        yield from _all(given[0], negated=not negated, depth=depth + 1)
    elif operator in ("and", "or"):
        if len(given) != 1 or not isinstance(given[0], list) or not given[0]:
            raise _unlike(node)
        parts = [list(_all(part, negated=negated, depth=depth + 1)) for part in given[0]]
        if (operator == "and") is not negated:
            yield from (one for part in parts for one in part)
        else:
            yield _either(parts)
    else:
        yield _one(operator, given, negated=negated)


def _either(parts: Sequence[Sequence[Filter]]) -> Filter:
    """Return the single filter that holds if one of these does."""
    ones = [part[0] for part in parts if len(part) == 1]
    if len(ones) == len(parts) and len(ones) == 1:
        return ones[0]
    if len(ones) < len(parts) or len({one.by for one in ones}) > 1 or any(o.negated for o in ones):
        raise bad_request(
            _FIELD,
            "'or' of different dimensions, or of what must not be, cannot be answered; expected"
            " values of one dimension, or a query for each",
        )
    return Filter(ones[0].by, tuple(pattern for one in ones for pattern in one.patterns))


def _one(operator: str, given: Sequence[Any], *, negated: bool) -> Filter:
    # is, is_not; contains, contains_not; matches, matches_not; matches_wildcard_not.
    test = operator.removesuffix("_not")
    if test not in _TESTS:
        expected = ", ".join((*_TESTS, "each also with _not", "and, or, not"))
        raise bad_request(_FIELD, f"{shown(operator)} cannot be answered; expected {expected}")
    if len(given) not in (2, 3):
        raise _unlike([operator, *given])
    name, values, *modifiers = given
    if not isinstance(name, str) or not isinstance(values, list) or not values:
        raise _unlike([operator, *given])
    if not all(isinstance(value, str) and value for value in values):
        raise bad_request(_FIELD, f"{shown(values)}; expected texts that are not empty")
    _modified(modifiers)
    by = property_of(name, _FIELD)
    patterns = tuple(_pattern(test, value) for value in values)
    return Filter(by, patterns, negated=operator.endswith("_not") is not negated)


def _modified(modifiers: Sequence[Any]) -> None:
    for modifier in modifiers:
        if not isinstance(modifier, dict) or modifier.keys() - {"case_sensitive"}:
            raise bad_request(_FIELD, f"{shown(modifier)}; expected {{'case_sensitive': true}}")
        if modifier.get("case_sensitive", True) is not True:
            raise bad_request(_FIELD, "values are told apart by case; expected case_sensitive true")


def _pattern(test: str, value: str) -> Pattern:
    match test:
        case "is":
            return (value,)
        case "contains":
            return ("", value, "")
        case "matches_wildcard":
            return tuple(re.split(r"\*+", value))
        case _:
            return _of_expression(value)


def _of_expression(text: str) -> Pattern:
    """Return a regular expression of plain text and `.*` as a pattern."""
    body = text if text.startswith("^") else f".*{text}"
    body = body.removeprefix("^")
    ends = body.endswith("$") and not body.endswith("\\$")
    body = body.removesuffix("$") if ends else f"{body}.*"
    pieces = []
    for piece in re.split(r"(?:(?<!\\)\.\*)+", body):
        plain = re.sub(r"\\[^\w\s]", "", piece)
        if _SPECIAL.search(plain):
            raise bad_request(
                _FIELD,
                f"{shown(text)} cannot be answered; expected an expression of text, ^, $ and .*",
            )
        pieces.append(re.sub(r"\\([^\w\s])", r"\1", piece))
    return tuple(pieces)


def _unlike(node: Any) -> ApiError:
    expected = '["is", "visit:country", ["VN"]], or ["and", […]], ["or", […]], ["not", […]]'
    return bad_request(_FIELD, f"{shown(node)}; expected {expected}")
