"""Which versions of Pants a branch of our sources, a module or a line of a document is for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

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
# What is of one version says so in its name: `pants217.py` is loaded on 2.17 only, `PANTS_217` is true there.
_MODULE_OF_ONE_VERSION = re.compile(r"(?:.*\.)?pants(\d)(\d+)")
_FLAG_OF_ONE_VERSION = re.compile(r"PANTS_(\d)(\d+)")
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


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def branches(node: ast.If) -> Iterator[tuple[tuple[Condition, ...], list[ast.stmt]]]:
    """Yield the branches of an ``if`` that run, each with its condition; those for type checkers do not."""
    condition = of_test(node.test)
    if _last_name(node.test) != "TYPE_CHECKING":
        yield (() if condition is None else (condition,)), node.body
    yield (() if condition is None else (condition.opposite(),)), node.orelse


def of_test(test: ast.expr) -> Condition | None:
    """Return the condition of an ``if`` that asks for the version of Pants, else ``None``.

    It compares it with a constant, or names a flag such as ``PANTS_217``.
    """
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = of_test(test.operand)
        return None if inner is None else inner.opposite()
    flag = _FLAG_OF_ONE_VERSION.fullmatch(_last_name(test))
    if flag is not None:
        return Condition("==", (int(flag[1]), int(flag[2])))
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return None
    name = _last_name(test.left)
    comparison = _COMPARISONS.get(type(test.ops[0]))
    version = _compared_version(test.comparators[0])
    if name not in VERSION_NAMES or comparison is None or version is None:
        return None
    return Condition(comparison, version)
