"""Which versions of Pants a branch of our sources, a module or a line of a document is for."""

from __future__ import annotations

import ast
import re

from api_check.model import Condition

# What a module calls the version that it compares: `if PANTS_VERSION >= (2, 32):`.
VERSION_NAMES = frozenset({"PANTS_VERSION", "PANTS_SEMVER"})

_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
# A module of one version says so in its name: `pants217.py` is imported on 2.17 only.
_MODULE_OF_ONE_VERSION = re.compile(r"(?:.*\.)?pants(\d)(\d+)")
_COMMENT = re.compile(r"#.*?\b(?:(before|from) )?Pants (\d+)\.(\d+)")
_OF_A_COMMENT = {"before": "<", "from": ">=", None: "=="}


def of_module(name: str) -> tuple[Condition, ...]:
    """Return the condition of a module that is for one version, such as ``slim_python_image.pants217``."""
    found = _MODULE_OF_ONE_VERSION.fullmatch(name)
    return () if found is None else (Condition("==", (int(found[1]), int(found[2]))),)


def of_comment(line: str) -> tuple[Condition, ...]:
    """Return the condition of a line of a document.

    It is in a comment: ``# Pants 2.17``, ``# before Pants 2.23`` or ``# from Pants 2.23``.
    """
    found = _COMMENT.search(line)
    if found is None:
        return ()
    return (Condition(_OF_A_COMMENT[found[1]], (int(found[2]), int(found[3]))),)


def _compared_version(node: ast.expr) -> tuple[int, int] | None:
    if isinstance(node, ast.Call) and len(node.args) == 1:
        node = node.args[0]
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    if isinstance(value, str):
        value = tuple(int(part) for part in re.findall(r"\d+", value)[:2])
    if isinstance(value, tuple) and len(value) >= 2 and all(isinstance(part, int) for part in value[:2]):
        return value[0], value[1]
    return None


def of_test(test: ast.expr) -> Condition | None:
    """Return the condition of an ``if`` that compares the version of Pants with a constant, else ``None``."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = of_test(test.operand)
        return None if inner is None else inner.opposite()
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return None
    name = test.left.attr if isinstance(test.left, ast.Attribute) else getattr(test.left, "id", None)
    comparison = _COMPARISONS.get(type(test.ops[0]))
    version = _compared_version(test.comparators[0])
    if name not in VERSION_NAMES or comparison is None or version is None:
        return None
    return Condition(comparison, version)
