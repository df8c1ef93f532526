"""The types of expressions, as far as our annotations tell them: enough to know whose attribute is read."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from api_check.sources import FunctionNode, Module, Sources

_WRAPPERS = frozenset({"Optional", "ClassVar", "Final"})


def from_pants(dotted: str) -> bool:
    """Tell whether a dotted name is Pants's."""
    return dotted.startswith("pants.")


def annotated(sources: Sources, module: Module, node: ast.expr | None) -> str | None:
    """Return the class that an annotation names, dotted; ``X | None`` names X, a collection nothing."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        node = ast.parse(node.value, mode="eval").body
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        sides = [side for side in (node.left, node.right) if not _is_none(side)]
        return annotated(sources, module, sides[0]) if len(sides) == 1 else None
    if isinstance(node, ast.Subscript):
        wrapper = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
        return annotated(sources, module, node.slice) if wrapper in _WRAPPERS else None
    if node is None:
        return None
    found = sources.named(module, node)
    return found[0].target if len({one.target for one in found}) == 1 else None


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def bases(sources: Sources, dotted: str) -> Iterator[str]:
    """Yield a class and what it inherits from, depth first; of Pants's classes only themselves."""
    yield dotted
    found = sources.class_node(dotted)
    if found is not None:
        for base in found[1].bases:
            for one in sources.named(found[0], base):
                yield from bases(sources, one.target)


@dataclass(frozen=True)
class Member:
    """An attribute of a class: of ours with its type, or the one of Pants that a class of ours inherits."""

    type: str | None = None
    inherited: str | None = None


def member(sources: Sources, dotted: str, name: str) -> Member:
    """Return the attribute ``name`` of an instance of a class."""
    if from_pants(dotted):
        return Member(inherited=f"{dotted}.{name}")
    pants = []
    for one in bases(sources, dotted):
        found = sources.class_node(one)
        if found is not None:
            module, node = found
            own = _own_member(sources, module, node, name)
            if own is not None:
                return own
        elif from_pants(one):
            pants.append(one)
    return Member(inherited=f"{pants[0]}.{name}") if len(pants) == 1 else Member()


def _own_member(sources: Sources, module: Module, node: ast.ClassDef, name: str) -> Member | None:
    for statement in node.body:
        if isinstance(statement, FunctionNode) and statement.name == name:
            return Member(annotated(sources, module, statement.returns))
        if isinstance(statement, ast.AnnAssign) and getattr(statement.target, "id", None) == name:
            return Member(annotated(sources, module, statement.annotation))
        if isinstance(statement, ast.Assign) and name in {
            getattr(one, "id", None) for one in statement.targets
        }:
            return Member()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store) and inner.attr == name:
            return Member()
    return None


@dataclass(frozen=True)
class Scope:
    """What the names of a function are, where one statement or annotation says so and nothing else does."""

    sources: Sources
    module: Module
    types: Mapping[str, str] = field(default_factory=dict)

    def type_of(self, node: ast.expr) -> str | None:
        """Return the class of an expression's value, dotted; ``None`` where it is not told."""
        if isinstance(node, ast.Await):
            return self.type_of(node.value)
        if isinstance(node, ast.Name):
            return self.types.get(node.id)
        if isinstance(node, ast.Call):
            return self._returned(node.func)
        if isinstance(node, ast.Attribute):
            owner = self.type_of(node.value)
            return None if owner is None else member(self.sources, owner, node.attr).type
        return None

    def _returned(self, called: ast.expr) -> str | None:
        found = {one.target for one in self.sources.named(self.module, called)}
        if len(found) == 1 and getattr(called, "id", None) not in self.types:
            (target,) = found
            function = self.sources.function_node(target)
            if function is not None:
                return annotated(self.sources, function[0], function[1].returns)
            looks_like_a_class = target.rpartition(".")[2].lstrip("_")[:1].isupper()
            return target if looks_like_a_class else None
        if isinstance(called, ast.Attribute):
            owner = self.type_of(called.value)
            return None if owner is None else member(self.sources, owner, called.attr).type
        return None


def scope_of(sources: Sources, module: Module, node: FunctionNode, owner: str | None) -> Scope:
    """Return the scope of a function.

    :param owner: the class that it is a method of, dotted.
    """
    types: dict[str, str] = {}
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    if owner is not None and arguments and arguments[0].arg == "self":
        types["self"] = owner
    for one in arguments:
        its_type = annotated(sources, module, one.annotation)
        if its_type is not None:
            types[one.arg] = its_type
    bound = Counter(one.arg for one in arguments)
    bound.update(
        one.id for one in ast.walk(node) if isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load)
    )
    bound.update(
        one.arg for inner in ast.walk(node) if isinstance(inner, ast.Lambda) for one in inner.args.args
    )
    narrowed = _narrowed(node)
    types = {name: one for name, one in types.items() if bound[name] <= 1 and name not in narrowed}
    for statement in ast.walk(node):
        found = _assigned(sources, Scope(sources, module, types), statement)
        if found is not None and bound[found[0]] == 1 and found[0] not in narrowed:
            types[found[0]] = found[1]
    return Scope(sources, module, types)


def _assigned(sources: Sources, scope: Scope, statement: ast.AST) -> tuple[str, str] | None:
    """Return the name that a statement binds, with its type, where it tells one."""
    if isinstance(statement, ast.AnnAssign):
        target, its_type = statement.target, annotated(sources, scope.module, statement.annotation)
    elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, its_type = statement.targets[0], scope.type_of(statement.value)  # type: ignore[assignment]
    else:
        return None
    return (target.id, its_type) if isinstance(target, ast.Name) and its_type is not None else None


def _narrowed(node: FunctionNode) -> set[str]:
    """Return the names that ``isinstance`` asks about: they are read as other classes than those declared."""
    return {
        inner.args[0].id
        for inner in ast.walk(node)
        if isinstance(inner, ast.Call)
        and getattr(inner.func, "id", None) in {"isinstance", "issubclass", "hasattr"}
        and inner.args
        and isinstance(inner.args[0], ast.Name)
    }
