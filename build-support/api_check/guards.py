"""Which versions of Pants a branch of our sources or a line of a document is for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping

from api_check.model import Condition, Version

Flags = Mapping[str, Condition]
"""The constants that tell versions apart, by name: ``PANTS_217 = minor_version(VERSION) == (2, 17)``."""

_NUMBERS = "minor_version"
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_COMMENT = re.compile(r"# (?:(before|from) )?Pants (\d+)\.(\d+)$")
_OF_A_COMMENT = {"before": "<", "from": ">=", None: "=="}


def of_comment(line: str) -> tuple[Condition, ...]:
    """Return the condition of a line of a document.

    It is a whole comment: ``# Pants 2.17``, ``# before Pants 2.23`` or ``# from Pants 2.23``.
    """
    found = _COMMENT.search(line)
    if found is None:
        return ()
    return (Condition(_OF_A_COMMENT[found[1]], (int(found[2]), int(found[3]))),)


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _constants(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value


def _version(node: ast.expr) -> Version | None:
    if isinstance(node, ast.Tuple) and len(node.elts) == 2:
        numbers = [one.value for one in node.elts if isinstance(one, ast.Constant)]
        if len(numbers) == 2 and isinstance(numbers[0], int) and isinstance(numbers[1], int):
            return numbers[0], numbers[1]
    return None


def flags_of(trees: Iterable[ast.Module]) -> Flags:
    """Return the flags that modules define."""
    found = {}
    for tree in trees:
        constants = dict(_constants(tree))
        for name, value in constants.items():
            if not isinstance(value, ast.Compare) or not isinstance(value.left, ast.Call):
                continue
            comparison = _COMPARISONS.get(type(value.ops[0]))
            other = value.comparators[0]
            version = _version(constants.get(_last_name(other), other))
            if _last_name(value.left.func) == _NUMBERS and comparison is not None and version is not None:
                found[name] = Condition(comparison, version)
    return found


def of_test(test: ast.expr, flags: Flags) -> Condition | None:
    """Return the condition of an ``if`` that asks a flag, else ``None``."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = of_test(test.operand, flags)
        return None if inner is None else inner.opposite()
    return flags.get(_last_name(test))


def branches(node: ast.If, flags: Flags) -> Iterator[tuple[tuple[Condition, ...], list[ast.stmt]]]:
    """Yield the branches of an ``if`` that run, each with its condition; those for type checkers do not."""
    condition = of_test(node.test, flags)
    if _last_name(node.test) != "TYPE_CHECKING":
        yield (() if condition is None else (condition,)), node.body
    yield (() if condition is None else (condition.opposite(),)), node.orelse
