"""Our Python sources as syntax trees: which name of which module a name stands for."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from api_check import guards
from api_check.model import Condition

PANTS = "pants"
_FAILED_IMPORTS = frozenset({"ImportError", "ModuleNotFoundError"})
RULE_DECORATORS = frozenset({"rule", "goal_rule", "uncacheable_rule", "_uncacheable_rule"})

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Import:
    """A name that an import binds in a module.

    :param target: what it stands for, dotted.
    :param otherwise: see `Use.otherwise`.
    :param late: it stands in a function, and so may never run.
    """

    local: str
    target: str
    line: int
    conditions: tuple[Condition, ...] = ()
    otherwise: str | None = None
    late: bool = False


@dataclass(frozen=True)
class Module:
    """A module of the backend: what it imports and defines.

    :param flags: the flags of the whole backend.
    :param conditions: the versions of Pants on which it is loaded.
    """

    name: str
    path: str
    tree: ast.Module
    imports: Mapping[str, tuple[Import, ...]]
    functions: Mapping[str, FunctionNode]
    classes: Mapping[str, ast.ClassDef]
    flags: guards.Flags
    conditions: tuple[Condition, ...] = ()


@dataclass
class _ImportCollector(ast.NodeVisitor):
    flags: guards.Flags
    conditions: tuple[Condition, ...] = ()
    found: list[Import] = field(default_factory=list)
    alternatives: Mapping[str, str] | None = None
    late: bool = False

    def _add(self, local: str, target: str, line: int) -> None:
        otherwise = None if self.alternatives is None else self.alternatives.get(local, "")
        self.found.append(Import(local, target, line, self.conditions, otherwise, self.late))

    def _visit_function(self, node: FunctionNode) -> None:
        before, self.late = self.late, True
        self.generic_visit(node)
        self.late = before

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._visit_function(node)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(alias.asname or alias.name, alias.name, node.lineno)
            package = alias.name.split(".")[0]
            # `import a.b` binds `a`, and loads the module that it names.
            if alias.asname is None and package != alias.name:
                self._add(package, package, node.lineno)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            self._add(alias.asname or alias.name, f"{node.module}.{alias.name}", node.lineno)

    def visit_If(self, node: ast.If) -> None:
        before = self.conditions
        for conditions, branch in guards.branches(node, self.flags):
            self.conditions = (*before, *conditions)
            for statement in branch:
                self.visit(statement)
        self.conditions = before

    def visit_Try(self, node: ast.Try) -> None:
        handlers = [one for one in node.handlers if _names(one.type) & _FAILED_IMPORTS]
        if not handlers:
            self.generic_visit(node)
            return
        body = [ast.Module(node.body, [])]
        for branch, others in ((body, handlers), (handlers, body)):
            before, self.alternatives = self.alternatives, _bound(others)
            for part in branch:
                self.visit(part)
            self.alternatives = before
        for statement in (*node.orelse, *node.finalbody):
            self.visit(statement)


def _names(node: ast.expr | None) -> set[str]:
    return set() if node is None else {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _bound(parts: list[ast.ExceptHandler] | list[ast.Module]) -> dict[str, str]:
    collector = _ImportCollector({})
    for part in parts:
        collector.generic_visit(part)
    return {one.local: one.target for one in collector.found}


def _module(name: str, shown: str, tree: ast.Module, flags: guards.Flags) -> Module:
    collector = _ImportCollector(flags)
    collector.visit(tree)
    imports: dict[str, list[Import]] = {}
    for one in collector.found:
        imports.setdefault(one.local, []).append(one)
    return Module(
        name,
        shown,
        tree,
        {local: tuple(found) for local, found in imports.items()},
        {node.name: node for node in tree.body if isinstance(node, FunctionNode)},
        {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)},
        flags,
    )


def _loaded_on(name: str, modules: Mapping[str, Module]) -> tuple[Condition, ...]:
    """Return the condition of a module: that of its imports, if no other import runs on every start."""
    found = [
        (one.conditions, one.late)
        for module in modules.values()
        for imports in module.imports.values()
        for one in imports
        if one.target == name or one.target.startswith(f"{name}.")
    ]
    guarded = [conditions for conditions, _ in found if conditions]
    if not guarded or not all(conditions or late for conditions, late in found):
        return ()
    return tuple(one for one in guarded[0] if all(one in others for others in guarded))


@dataclass(frozen=True)
class Sources:
    """All modules of the backend but tests, by name."""

    modules: Mapping[str, Module]

    def split(self, dotted: str) -> tuple[Module, str] | None:
        """Return the module of ours that a dotted name is in, and the rest of it."""
        parts = dotted.split(".")
        for count in range(len(parts), 0, -1):
            module = self.modules.get(".".join(parts[:count]))
            if module is not None:
                return module, ".".join(parts[count:])
        return None

    def resolve(self, dotted: str) -> Iterator[Import]:
        """Yield what a dotted name stands for, through the imports of our own modules.

        Several where branches for versions of Pants bind the name; each with the conditions of its branch.
        """
        found = self.split(dotted)
        if found is None or not found[1]:
            yield Import("", dotted, 0)
            return
        module, rest = found
        head, dot, tail = rest.partition(".")
        if head in module.functions or head in module.classes or head not in module.imports:
            yield Import("", dotted, 0, module.conditions)
            return
        for one in module.imports[head]:
            for further in self.resolve(one.target + dot + tail):
                conditions = (*module.conditions, *one.conditions, *further.conditions)
                otherwise = further.otherwise if one.otherwise is None else one.otherwise
                yield Import(one.local, further.target, one.line, conditions, otherwise)

    def class_node(self, dotted: str) -> tuple[Module, ast.ClassDef] | None:
        """Return a class of ours."""
        found = self.split(dotted)
        return (
            None
            if found is None or found[1] not in found[0].classes
            else (found[0], found[0].classes[found[1]])
        )

    def function_node(self, dotted: str) -> tuple[Module, FunctionNode] | None:
        """Return a function of ours."""
        found = self.split(dotted)
        if found is None or found[1] not in found[0].functions:
            return None
        return found[0], found[0].functions[found[1]]

    def named(self, module: Module, node: ast.expr) -> tuple[Import, ...]:
        """Return what an expression of names and dots stands for in a module; nothing for others."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ()
        if node.id in module.functions or node.id in module.classes or node.id in module.imports:
            return tuple(self.resolve(".".join([module.name, node.id, *reversed(parts)])))
        return ()


def is_rule(node: FunctionNode) -> bool:
    """Tell whether a function is a rule."""
    for decorator in node.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if name in RULE_DECORATORS:
            return True
    return False


def of_trees(trees: Mapping[str, tuple[str, ast.Module]]) -> Sources:
    """Return sources.

    :param trees: of each module its path as messages have it, and its syntax tree.
    """
    flags = guards.flags_of(tree for _, tree in trees.values())
    modules = {name: _module(name, path, tree, flags) for name, (path, tree) in trees.items()}
    return Sources(
        {name: replace(one, conditions=_loaded_on(name, modules)) for name, one in modules.items()}
    )


def read_trees(folder: Path, package: str) -> dict[str, tuple[str, ast.Module]]:
    """Return the path and the syntax tree of each module of a package but tests.

    :param folder: the package's parent.
    :raises FileNotFoundError: there is no such package.
    """
    root = folder / package
    if not (root / "__init__.py").is_file():
        raise FileNotFoundError(f"{folder} has no package {package}")
    trees = {}
    for path in sorted(root.rglob("*.py")):
        if path.name.endswith("_test.py") or path.name == "conftest.py":
            continue
        parts = path.relative_to(folder).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        trees[name] = path.relative_to(folder).as_posix(), ast.parse(path.read_bytes(), str(path))
    return trees


def read_sources(folder: Path, package: str) -> Sources:
    """Return the sources of a package; see `read_trees`."""
    return of_trees(read_trees(folder, package))
