"""A stand-in for Pants's native extension, made from Pants's own declarations of it (its ``.pyi``)."""

from __future__ import annotations
import __future__

import ast
import sys
import types
from pathlib import Path

from api_check.native_classes import STAND_INS

NAME = "pants.engine.internals.native_engine"
DECLARATIONS = "pants/engine/internals/native_engine.pyi"

_HINTS_STAY_TEXT = __future__.annotations.compiler_flag
# Class attributes that subclasses define and Pants looks for: with a value here it would take that one.
_DEFINED_BY_SUBCLASSES = frozenset({"alias", "core_fields", "default", "help"})
_PRELUDE = "from typing import *\nfrom collections.abc import *\n"


def _has_a_place_here(node: ast.stmt) -> bool:
    """Tell whether a statement can run: imports of Pants's own modules would go round in a circle."""
    module = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
    return not module.startswith("pants.") and module != "__future__"


def _with_values(node: ast.ClassDef) -> ast.ClassDef:
    """Return a class whose declared class variables are there."""
    for statement in ast.walk(node):
        if isinstance(statement, ast.FunctionDef):
            statement.decorator_list = [
                one for one in statement.decorator_list if getattr(one, "id", "") not in {"overload", "final"}
            ]
        elif (
            isinstance(statement, ast.AnnAssign)
            and statement.value is None
            and "ClassVar" in ast.unparse(statement.annotation)
            and ast.unparse(statement.target) not in _DEFINED_BY_SUBCLASSES
        ):
            statement.value = ast.Constant(None)
    return ast.fix_missing_locations(node)


def _run(node: ast.stmt, path: Path, names: dict[str, object]) -> None:
    code = compile(ast.Module([node], []), str(path), "exec", flags=_HINTS_STAY_TEXT, dont_inherit=True)
    try:
        exec(code, names)  # noqa: S102  # declarations of the checkout that the user named, as importing it runs them
    except Exception as e:
        raise ValueError(f"{path}:{node.lineno}: has no stand-in: {type(e).__name__}: {e}") from e


def _is_given_a_value(node: ast.stmt, names: dict[str, object]) -> bool:
    """Tell whether a statement declares a name without a value; there it has one then."""
    if not isinstance(node, ast.AnnAssign) or node.value is not None or not isinstance(node.target, ast.Name):
        return False
    empty: object = frozenset() if "frozenset" in ast.unparse(node.annotation) else types.SimpleNamespace()
    names.setdefault(node.target.id, empty)
    return True


def install(sources: Path) -> ast.Module:
    """Make the stand-in what ``import`` finds, and return the declarations.

    :param sources: ``src/python`` of the checkout.
    :raises FileNotFoundError: there are no declarations.
    :raises ValueError: a declaration is of a kind that this module does not know.
    """
    path = sources / DECLARATIONS
    declared = ast.parse(path.read_bytes(), str(path))
    module = types.ModuleType(NAME)
    module.__file__ = str(path)
    names = module.__dict__
    _run_text(_PRELUDE, names)
    names.update(STAND_INS)
    for value in STAND_INS.values():
        if isinstance(value, type):
            value.__module__ = NAME
    for node in ast.parse(path.read_bytes(), str(path)).body:
        if (
            not _has_a_place_here(node)
            or _is_given_a_value(node, names)
            or getattr(node, "name", None) in STAND_INS
        ):
            continue
        _run(_with_values(node) if isinstance(node, ast.ClassDef) else node, path, names)
    if isinstance(marker := names.get("_NoValue"), type):
        names["NO_VALUE"] = marker()
    sys.modules[NAME] = module
    return declared


def _run_text(text: str, names: dict[str, object]) -> None:
    exec(compile(text, "prelude", "exec"), names)  # noqa: S102  # a constant of this module
