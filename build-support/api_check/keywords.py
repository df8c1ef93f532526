"""The keywords that ``**more`` passes, where the text of a dictionary says so."""

from __future__ import annotations

import ast

from api_check import guards
from api_check.model import Condition
from api_check.sources import FunctionNode, Module

Keywords = tuple[tuple[Condition, ...], tuple[str, ...]]
"""Names, and the versions of Pants on which they are passed."""


def combined(left: list[Keywords], right: list[Keywords]) -> list[Keywords]:
    """Return each of one list together with each of the other."""
    return [((*conditions, *others), (*names, *more)) for conditions, names in left for others, more in right]


def keywords_of(module: Module, function: FunctionNode | None, node: ast.expr) -> list[Keywords] | None:
    """Return what a dictionary passes, once for each version; ``None`` where the text does not say.

    :param function: where the expression stands, ``None`` for a module's own statement.
    """
    if isinstance(node, ast.Name):
        value = _assigned(node.id, function) or _assigned(node.id, module.tree)
        return None if value is None else keywords_of(module, function, value)
    if isinstance(node, ast.IfExp):
        return _of_versions(module, function, node)
    if not isinstance(node, ast.Dict):
        return None
    found: list[Keywords] = [((), ())]
    for key, value in zip(node.keys, node.values, strict=True):
        if isinstance(key, ast.Constant):
            found = combined(found, [((), (str(key.value),))])
        else:
            inner = keywords_of(module, function, value) if key is None else None
            if inner is None:
                return None
            found = combined(found, inner)
    return found


def _of_versions(module: Module, function: FunctionNode | None, node: ast.IfExp) -> list[Keywords] | None:
    condition = guards.of_test(node.test, module.flags)
    if condition is None:
        return None
    found: list[Keywords] = []
    for one, branch in ((condition, node.body), (condition.opposite(), node.orelse)):
        inner = keywords_of(module, function, branch)
        if inner is None:
            return None
        found += combined([((one,), ())], inner)
    return found


def _assigned(name: str, scope: FunctionNode | ast.Module | None) -> ast.expr | None:
    """Return what a scope assigns to a name, if it does so once."""
    values: list[ast.expr | None] = []
    for node in scope.body if scope is not None else ():
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if name in {getattr(one, "id", None) for one in targets}:
            values.append(getattr(node, "value", None))
    return values[0] if len(values) == 1 else None
