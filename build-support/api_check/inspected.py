"""What a checkout of Pants has of the names that we use: asked of its modules once they are imported."""

from __future__ import annotations

import ast
import functools
import inspect
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from api_check import native_module
from api_check.checkout import Checkout, CheckoutError
from api_check.facts import Facts
from api_check.model import ANYTHING, Fact, Parameter, Use, minor_version
from api_check.options import option

_KINDS = {
    inspect.Parameter.POSITIONAL_ONLY: "positional",
    inspect.Parameter.POSITIONAL_OR_KEYWORD: "both",
    inspect.Parameter.KEYWORD_ONLY: "keyword",
    inspect.Parameter.VAR_POSITIONAL: "*",
    inspect.Parameter.VAR_KEYWORD: "**",
}
_MISSING = object()
# Their import defines the options of the backends that we and our users enable.
BACKENDS = ("pants.core.register", "pants.backend.python.register", "pants.backend.docker.register")


def dotted(one: Any) -> str:
    """Return the name under which a class or a function was defined."""
    one = getattr(one, "__wrapped__", one)
    return f"{one.__module__}.{one.__qualname__}"


def _declared_names(node: ast.ClassDef) -> set[str]:
    """Return the attributes that a class's own text gives its instances."""
    found: set[str] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(inner.name)
        elif isinstance(inner, ast.AnnAssign) and isinstance(inner.target, ast.Name):
            found.add(inner.target.id)
        elif isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store):
            found.add(inner.attr)
        elif (
            isinstance(inner, ast.Call)
            and ast.unparse(inner.func) == "object.__setattr__"
            and isinstance(inner.args[1], ast.Constant)
        ):
            found.add(str(inner.args[1].value))
    return found


class _Native:
    """The classes of the native extension, by its declarations: the stand-in's own have less."""

    def __init__(self, declared: ast.Module) -> None:
        self._classes = {node.name: node for node in declared.body if isinstance(node, ast.ClassDef)}

    def names(self, cls: type) -> set[str]:
        """Return the attributes of a class's instances."""
        node = self._classes.get(cls.__name__)
        return set() if node is None else _declared_names(node)

    def parameters(self, name: str) -> tuple[Parameter, ...]:
        """Return the parameters of a class's constructor; anything where it has none or several."""
        node = self._classes.get(name)
        constructors = [
            one
            for one in (node.body if node else [])
            if isinstance(one, ast.FunctionDef) and one.name in {"__init__", "__new__"}
        ]
        if len(constructors) == 1:
            return parameters_of(constructors[0].args)[1:]
        written = (
            [ast.unparse(base).partition("[")[0] for base in node.bases] if node and not constructors else []
        )
        above = [base for base in written if base in self._classes]
        return self.parameters(above[0]) if len(above) == 1 else ANYTHING


def parameters_of(arguments: ast.arguments) -> tuple[Parameter, ...]:
    """Return the parameters of a function by its text."""
    leading = [*arguments.posonlyargs, *arguments.args]
    required = len(leading) - len(arguments.defaults)
    found = [
        Parameter(one.arg, "positional" if number < len(arguments.posonlyargs) else "both", number < required)
        for number, one in enumerate(leading)
    ]
    if arguments.vararg:
        found.append(Parameter(arguments.vararg.arg, "*", required=False))
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    found += [Parameter(one.arg, "keyword", default is None) for one, default in pairs]
    if arguments.kwarg:
        found.append(Parameter(arguments.kwarg.arg, "**", required=False))
    return tuple(found)


def _signature(value: Any) -> tuple[Parameter, ...]:
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return ANYTHING
    return tuple(
        Parameter(one.name, _KINDS[one.kind], one.default is one.empty and _KINDS[one.kind][0] != "*")
        for one in signature.parameters.values()
    )


@functools.cache
def _text_names(cls: type) -> set[str]:
    try:
        node = ast.parse(inspect.getsource(inspect.getmodule(cls) or cls))
    except (OSError, TypeError):
        return set()
    found = (one for one in ast.walk(node) if isinstance(one, ast.ClassDef) and one.name == cls.__name__)
    return {name for one in found for name in _declared_names(one)}


class Inspector:
    """Finds out what names stand for in a checkout.

    :param called: the names whose parameters are of interest.
    :param arguments: the classes that are arguments of rules, whose bases are of interest.
    """

    def __init__(self, checkout: Checkout, called: set[str], arguments: set[str]) -> None:
        self._checkout = checkout
        self._native = _Native(checkout.declared)
        self._called = called
        self._arguments = arguments
        self._task_rule = self._imported("pants.engine.rules").TaskRule
        for name in BACKENDS:
            checkout.import_module(name)
        self._options = set(self._option_names())

    def _imported(self, name: str) -> types.ModuleType:
        module = self._checkout.import_module(name)
        if module is None:
            raise CheckoutError(f"{self._checkout.folder} has no module {name}")
        return module

    def _option_names(self) -> Iterator[str]:
        infos = self._imported("pants.option.option_types").collect_options_info
        self._checkout.import_module("pants.option.global_options")
        todo: list[type] = [self._imported("pants.option.subsystem").Subsystem]
        while todo:
            cls = todo.pop()
            todo += cls.__subclasses__()
            scope = cls.__dict__.get("options_scope", cls.__dict__.get("name"))
            if isinstance(scope, str):
                environment = getattr(cls, "EnvironmentAware", None)
                for info in (*infos(cls), *(infos(environment) if environment else ())):
                    yield option(scope or "GLOBAL", info.args[0].lstrip("-").replace("-", "_"))

    def _found(self, name: str) -> tuple[Any, Any]:
        """Return what a dotted name stands for, or `_MISSING`, and what it is an attribute of."""
        parts = name.split(".")
        parent: Any = None
        value: Any = self._checkout.import_module(parts[0])
        for count, part in enumerate(parts[1:], 2):
            parent = value
            value = getattr(parent, part, _MISSING)
            if value is _MISSING and isinstance(parent, types.ModuleType):
                value = self._checkout.import_module(".".join(parts[:count])) or _MISSING
            if value is _MISSING:
                return (_MISSING, parent) if count == len(parts) else (_MISSING, None)
        return value, parent

    def _has_instance_attribute(self, cls: type, name: str) -> bool:
        return any(
            name in (self._native.names(one) if one.__module__ == native_module.NAME else _text_names(one))
            for one in cls.__mro__
            if one.__module__.startswith("pants.")
        )

    def fact(self, name: str) -> Fact | None:
        """Return what a name is, ``None`` for nothing."""
        if name.startswith("["):
            return Fact("option") if name in self._options else None
        value, parent = self._found(name)
        attribute = name.rpartition(".")[2]
        if isinstance(parent, type) and not callable(value):
            there = value is not _MISSING or self._has_instance_attribute(parent, attribute)
            return Fact("attribute") if there else None
        if value is _MISSING:
            return None
        return self._fact_of(name, value, parent)

    def _fact_of(self, name: str, value: Any, parent: Any) -> Fact:
        rule = getattr(value, "rule", None)
        if isinstance(rule, self._task_rule):
            takes = tuple(Parameter(one, type=dotted(its)) for one, its in rule.parameters.items())
            return Fact("rule", self._home(name, value), takes)
        if isinstance(value, type):
            constructor = self._constructor(value) if name in self._called else None
            above = tuple(dotted(one) for one in value.__mro__[1:] if one.__module__.startswith("pants."))
            return Fact(
                "class", self._home(name, value), constructor, above if name in self._arguments else ()
            )
        if isinstance(value, types.ModuleType):
            return Fact("module")
        if not inspect.isroutine(value):
            return Fact("value")
        parameters = _signature(value) if name in self._called else None
        is_method = isinstance(parent, type) and inspect.isfunction(
            inspect.getattr_static(parent, name.rpartition(".")[2])
        )
        if is_method:
            return Fact("function", parameters=parameters and parameters[1:])
        return Fact("function", None if isinstance(parent, type) else self._home(name, value), parameters)

    def _constructor(self, cls: type) -> tuple[Parameter, ...]:
        """Return the parameters of a class; where it inherits a native constructor, as that is declared."""
        for one in cls.__mro__:
            if one.__module__ == native_module.NAME:
                return self._native.parameters(one.__name__)
            if "__init__" in one.__dict__ or "__new__" in one.__dict__:
                break
        return _signature(cls)

    @staticmethod
    def _home(name: str, value: Any) -> str | None:
        home = dotted(value)
        return None if home == name else home


def inspected(
    checkout: Checkout, uses: Iterable[Use], overrides: Iterable[Use], own: Mapping[str, Fact]
) -> Facts:
    """Return what a checkout has of all that we use of Pants.

    :param overrides: what we may override; of these only those that are there are in the answer.
    :param own: what is ours.
    :raises CheckoutError: a module of Pants cannot be imported here.
    """
    version = minor_version(checkout.version)
    uses = [use for use in uses if use.name not in own and use.applies(version)]
    called = {use.name for use in uses if use.call is not None}
    arguments = {one for use in uses if use.call for one in use.call.positional if one is not None}
    inspector = Inspector(checkout, called, arguments)
    otherwise = {use.otherwise for use in uses if use.otherwise and use.otherwise.startswith("pants.")}
    names = {use.name for use in uses} | otherwise
    found = {use.name: inspector.fact(use.name) for use in overrides if use.applies(version)}
    there = {name: fact for name, fact in found.items() if fact is not None}
    return Facts(checkout.version, {**there, **{name: inspector.fact(name) for name in names}})
