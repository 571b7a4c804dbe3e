"""What a PromQL expression says: the names in it, and the limits that it compares with."""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import promql_parser

# What Grafana puts in before it asks Prometheus; the panels use no other variables in brackets.
_RANGES = re.compile(r"\$__(?:rate_interval|interval|range)\b")

_MIRRORED = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "==", "!=": "!="}
_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "*": operator.mul,
    "/": operator.truediv,
    "+": operator.add,
    "-": operator.sub,
    "^": operator.pow,
}


@dataclass(frozen=True)
class Comparison:
    """A value of an expression that is compared with a number: `max(x) > 5`."""

    metrics: frozenset[str]
    sign: str
    number: float


def parse(expression: str) -> Any:
    """Return the tree of an expression, Grafana's ranges taken as five minutes.

    Raises ValueError, with what the parser has to say, for what is no PromQL.
    """
    try:
        return promql_parser.parse(_RANGES.sub("5m", expression))
    except ValueError as error:
        raise ValueError(f"{expression!r} is no PromQL: {error}") from error


def metrics(expression: str) -> frozenset[str]:
    """Return the names of the metrics that an expression reads."""
    return _metrics(parse(expression))


def comparisons(expression: str) -> list[Comparison]:
    """Return every comparison of something measured with a number, from left to right."""
    found = []
    for node in _nodes(parse(expression)):
        if not isinstance(node, promql_parser.BinaryExpr):
            continue
        sign = str(node.op)
        if sign not in _MIRRORED:
            continue
        if (number := _number(node.rhs)) is not None and (names := _metrics(node.lhs)):
            found.append(Comparison(names, sign, number))
        elif (number := _number(node.lhs)) is not None and (names := _metrics(node.rhs)):
            found.append(Comparison(names, _MIRRORED[sign], number))
    return found


def _nodes(tree: Any) -> list[Any]:
    found: list[Any] = []
    promql_parser.walk(tree, found.append)
    return found


def _metrics(tree: Any) -> frozenset[str]:
    return frozenset(
        node.name
        for node in _nodes(tree)
        if isinstance(node, promql_parser.VectorSelector) and node.name
    )


def _number(tree: Any) -> float | None:
    """Return the value of what holds only numbers, such as `14.4 * 0.001`; None for the rest."""
    if isinstance(tree, promql_parser.NumberLiteral):
        return float(tree.val)
    if isinstance(tree, promql_parser.ParenExpr):
        return _number(tree.expr)
    if isinstance(tree, promql_parser.UnaryExpr):
        inner = _number(tree.expr)
        return None if inner is None else -inner
    if isinstance(tree, promql_parser.BinaryExpr) and str(tree.op) in _ARITHMETIC:
        left, right = _number(tree.lhs), _number(tree.rhs)
        if left is not None and right is not None:
            return _ARITHMETIC[str(tree.op)](left, right)
    return None
