"""What our sources use of Pants: names that they import, calls with arguments, attributes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from api_check import guards
from api_check.inference import Scope, annotated, bases, from_pants, member, scope_of
from api_check.keywords import Keywords, combined, keywords_of
from api_check.model import Call, Condition, Fact, Parameter, Place, Use
from api_check.sources import FunctionNode, Import, Module, Sources, is_rule


@dataclass
class _UseCollector(ast.NodeVisitor):
    sources: Sources
    module: Module
    scope: Scope
    conditions: tuple[Condition, ...]
    owner: str | None = None
    function: FunctionNode | None = None
    found: list[Use] = field(default_factory=list)

    def _use(self, one: Import, node: ast.expr, call: Call | None = None) -> None:
        conditions = tuple(dict.fromkeys((*self.conditions, *one.conditions)))
        place = Place(self.module.path, node.lineno)
        self.found.append(Use(one.target, place, call, conditions, one.otherwise))

    def _referenced(self, node: ast.expr) -> tuple[Import, ...]:
        """Return what an expression stands for: a name, or an attribute of a value of known type."""
        root = node
        while isinstance(root, ast.Attribute):
            root = root.value
        if isinstance(root, ast.Name) and root.id not in self.scope.types:
            return self.sources.named(self.module, node)
        if isinstance(node, ast.Attribute) and not node.attr.startswith("__"):
            owner = self.scope.type_of(node.value)
            inherited = None if owner is None else member(self.sources, owner, node.attr).inherited
            return () if inherited is None else (Import("", inherited, node.lineno),)
        return ()

    def visit_Attribute(self, node: ast.Attribute) -> None:
        for one in self._referenced(node):
            if from_pants(one.target) and isinstance(node.ctx, ast.Load):
                self._use(one, node)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        for one in self._referenced(node.func):
            replaced = self.scope.type_of(node.args[0]) if node.args else None
            for conditions, call in self._calls(node):
                if one.target == "dataclasses.replace" and replaced is not None and from_pants(replaced):
                    fields = Call(keywords=call.keywords, more=call.more, replaces=True)
                    self._use(Import("", replaced, node.lineno, conditions), node, fields)
                elif from_pants(one.target) or self._is_own_rule(one.target):
                    self._use(replace(one, conditions=(*one.conditions, *conditions)), node, call)
        self.generic_visit(node)

    def _is_own_rule(self, dotted: str) -> bool:
        found = self.sources.function_node(dotted)
        return found is not None and is_rule(found[1])

    def _calls(self, node: ast.Call) -> Iterator[tuple[tuple[Condition, ...], Call]]:
        """Yield the arguments of a call; several where ``**more`` depends on the version of Pants."""
        implicitly = False
        opened = any(isinstance(one, ast.Starred) for one in node.args)
        named = [one.arg for one in node.keywords if one.arg is not None]
        variants: list[Keywords] = [((), ())]
        for keyword in node.keywords:
            if keyword.arg is not None:
                continue
            if self._is_implicitly(keyword.value):
                implicitly = True
                continue
            told = keywords_of(self.module, self.function, keyword.value)
            opened = opened or told is None
            variants = combined(variants, told or [((), ())])
        types = tuple(self.scope.type_of(one) for one in node.args if not isinstance(one, ast.Starred))
        for conditions, more in variants:
            yield conditions, Call(types, (*named, *more), opened, implicitly)

    def _is_implicitly(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Call) and any(
            one.target.endswith(".implicitly") for one in self._referenced(node.func)
        )

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        before = self.conditions
        for conditions, branch in guards.branches(node, self.module.flags):
            self.conditions = (*before, *conditions)
            for statement in branch:
                self.visit(statement)
        self.conditions = before

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        before, self.owner = self.owner, f"{self.module.name}.{node.name}"
        self.generic_visit(node)
        self.owner = before

    def _visit_function(self, node: FunctionNode) -> None:
        before = self.scope, self.owner, self.function
        inner = scope_of(self.sources, self.module, node, self.owner)
        self.scope = Scope(self.sources, self.module, {**self.scope.types, **inner.types})
        self.owner, self.function = None, node
        self.generic_visit(node)
        self.scope, self.owner, self.function = before

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._visit_function(node)


def of_module(sources: Sources, module: Module) -> Iterator[Use]:
    """Yield what one module uses, in any order."""
    for imports in module.imports.values():
        for one in imports:
            if from_pants(one.target):
                conditions = (*module.conditions, *one.conditions)
                yield Use(one.target, Place(module.path, one.line), None, conditions, one.otherwise)
    collector = _UseCollector(sources, module, Scope(sources, module), module.conditions)
    collector.visit(module.tree)
    yield from collector.found


def of_sources(sources: Sources) -> list[Use]:
    """Return what the backend uses, sorted by name and place."""
    found = {use for module in sources.modules.values() for use in of_module(sources, module)}
    return sorted(found, key=lambda use: (use.name, use.place, repr(use)))


def _defined(node: ast.ClassDef) -> Iterator[tuple[str, int]]:
    """Yield the attributes that the body of a class defines, with their lines."""
    for statement in node.body:
        if isinstance(statement, FunctionNode):
            yield statement.name, statement.lineno
        targets = (
            statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        )
        yield from ((one.id, statement.lineno) for one in targets if isinstance(one, ast.Name))


def overrides(sources: Sources) -> list[Use]:
    """Return what Pants may look for in our classes: each attribute that they define, as of their base.

    Which of them that base has, only Pants tells.
    """
    found = set()
    for module in sources.modules.values():
        for node in module.classes.values():
            above = [one for one in bases(sources, f"{module.name}.{node.name}") if from_pants(one)]
            for name, line in _defined(node):
                if not name.startswith("__"):
                    place = Place(module.path, line)
                    found |= {Use(f"{base}.{name}", place, conditions=module.conditions) for base in above}
    return sorted(found, key=lambda use: (use.name, use.place))


def own_facts(sources: Sources) -> dict[str, Fact]:
    """Return what the backend itself has: its rules, and the classes that are arguments of rules."""
    found: dict[str, Fact] = {}
    for module in sources.modules.values():
        for name, node in module.functions.items():
            if is_rule(node):
                arguments = [*node.args.posonlyargs, *node.args.args]
                found[f"{module.name}.{name}"] = Fact(
                    "rule",
                    parameters=tuple(
                        Parameter(one.arg, type=annotated(sources, module, one.annotation))
                        for one in arguments
                    ),
                )
        for name in module.classes:
            dotted = f"{module.name}.{name}"
            above = tuple(one for one in bases(sources, dotted) if one != dotted)
            found[dotted] = Fact("class", bases=above)
    return found
