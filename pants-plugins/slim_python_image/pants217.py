"""Pants 2.17.1, taught to call rules by their names. It is loaded there only; 2.17.1 never changes any more.

Its engine knows `Get(output, inputs)`: the rule is found by the types. So a call by name becomes the `Get` of
what the rule makes from the types that it takes, at run time and in what the parser reads from the source. A
rule that is called by name must therefore be the only one that makes its output from its first inputs.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import sys
from types import ModuleType
from typing import Any, Callable, Iterator

from pants.engine import rules as pants_rules
from pants.engine.env_vars import EnvironmentVars, EnvironmentVarsRequest
from pants.engine.fs import (
    AddPrefix,
    CreateDigest,
    Digest,
    DigestContents,
    DigestEntries,
    DigestSubset,
    MergeDigests,
    PathGlobs,
    RemovePrefix,
    Snapshot,
)
from pants.engine.internals import rule_visitor
from pants.engine.internals.selectors import AwaitableConstraints, Get, MultiGet
from pants.engine.process import FallibleProcessResult, Process, ProcessExecutionEnvironment

_IMPLICITLY = "__implicitly"

concurrently = MultiGet


def implicitly(*arguments: object) -> dict[str, Any]:
    """Return the keyword argument of a call that names parameters by type: values, or types by value."""
    return {_IMPLICITLY: arguments}


class NamedRule:
    """A rule that others call by its name."""

    def __init__(
        self,
        output_type: type[Any],
        input_types: tuple[type[Any], ...],
        function: Callable[..., Any] | None = None,
    ) -> None:
        self.output_type, self.input_types = output_type, input_types
        if function is not None:
            functools.update_wrapper(self, function)

    def __call__(self, *arguments: object, **implicit: Any) -> Get[Any]:
        """Return what the engine fulfils."""
        inputs: dict[Any, type[Any]] = dict(zip(arguments, self.input_types))
        for one in implicit.pop(_IMPLICITLY, ()):
            inputs.update(one if isinstance(one, dict) else {one: type(one)})
        if implicit or len(arguments) > len(self.input_types):
            raise TypeError(f"{self}: takes positional arguments and `**implicitly()` alone")
        return Get(self.output_type, inputs) if inputs else Get(self.output_type)


def _named(function: Any) -> NamedRule:
    return NamedRule(function.rule.output_type, tuple(function.rule.input_selectors), function)


def _decorator(decorate: Callable[..., Any]) -> Callable[..., Any]:
    """Return a decorator of Pants that makes what others call by name."""

    @functools.wraps(decorate)
    def decorator(*arguments: Any, **options: Any) -> Any:
        if arguments:
            return _named(decorate(*arguments, **options))
        return lambda function: _named(decorate(**options)(function))

    return decorator


rule = _decorator(pants_rules.rule)
goal_rule = _decorator(pants_rules.goal_rule)
uncacheable_rule = _decorator(pants_rules._uncacheable_rule)


# --- Pants's own rules ------------------------------------------------------------------------------

# What the engine does by itself, under the names that it has since 2.30.
_INTRINSICS: dict[str, dict[str, tuple[type[Any], tuple[type[Any], ...]]]] = {
    "pants.engine.intrinsics": {
        "add_prefix": (Digest, (AddPrefix,)),
        "create_digest": (Digest, (CreateDigest,)),
        "digest_subset_to_digest": (Digest, (DigestSubset,)),
        "digest_to_snapshot": (Snapshot, (Digest,)),
        "execute_process": (FallibleProcessResult, (Process, ProcessExecutionEnvironment)),
        "get_digest_contents": (DigestContents, (Digest,)),
        "get_digest_entries": (DigestEntries, (Digest,)),
        "merge_digests": (Digest, (MergeDigests,)),
        "path_globs_to_digest": (Digest, (PathGlobs,)),
        "remove_prefix": (Digest, (RemovePrefix,)),
    },
    "pants.core.util_rules.env_vars": {
        "environment_vars_subset": (EnvironmentVars, (EnvironmentVarsRequest,)),
    },
}

# What 2.17 has as rules of the same name, in the same place.
_RULES = {
    "pants.backend.python.dependency_inference.module_mapper": ("map_module_to_address",),
    "pants.backend.python.util_rules.local_dists": ("isolate_local_dist_wheels",),
    "pants.backend.python.util_rules.python_sources": ("strip_python_sources",),
    "pants.core.util_rules.config_files": ("find_config_file",),
    "pants.core.util_rules.source_files": ("determine_source_files",),
    "pants.engine.internals.build_files": ("get_dependencies_rule_application",),
    "pants.engine.internals.graph": (
        "resolve_dependencies",
        "resolve_target",
        "resolve_targets",
        "resolve_unparsed_address_inputs",
        "transitive_targets",
    ),
}


def _teach_rules() -> None:
    for name, rules in _INTRINSICS.items():
        module = ModuleType(name)
        for own, (output_type, input_types) in rules.items():
            setattr(module, own, NamedRule(output_type, input_types))
        sys.modules[name] = module
        parent, _, leaf = name.rpartition(".")
        setattr(importlib.import_module(parent), leaf, module)
    for name, names in _RULES.items():
        place = importlib.import_module(name)
        for own in names:
            setattr(place, own, _named(getattr(place, own)))


# --- values of Pants --------------------------------------------------------------------------------


def _hash_of_members(self: tuple[Any, ...]) -> int:
    return tuple.__hash__(self)


def _teach_hash() -> None:
    """Let requests for files have a hash of what is in them, as newer versions do.

    `typing.Tuple.__hash__`, which 2.17 gives all its collections, is that of the name `Tuple`: one number for
    all. So the engine compares each request with every one before it. (Others have members without a hash.)
    """
    setattr(CreateDigest, "__hash__", _hash_of_members)  # noqa: B010 (no method, to mypy)


# --- the rule parser --------------------------------------------------------------------------------


class _RuleBelow:
    """A rule that stands further below in a module that is still being loaded."""

    def __init__(self, module: ModuleType, function: ast.AsyncFunctionDef) -> None:
        self._module, self._function = module, function

    def _type(self, annotation: ast.expr | None) -> Any:
        assert annotation is not None
        code = compile(ast.Expression(annotation), str(self._module.__file__), "eval")
        return eval(code, vars(self._module))  # the module's own text

    @property
    def output_type(self) -> Any:
        return self._type(self._function.returns)

    @property
    def input_types(self) -> tuple[Any, ...]:
        return tuple(self._type(one.annotation) for one in self._function.args.args)


@functools.lru_cache(maxsize=None)
def _rules_below(module: ModuleType) -> dict[str, _RuleBelow]:
    """Return the rules of a module by name, from its source."""
    return {
        node.name: _RuleBelow(module, node)
        for node in ast.parse(inspect.getsource(module)).body
        if isinstance(node, ast.AsyncFunctionDef)
        and any("rule" in ast.dump(decorator) for decorator in node.decorator_list)
    }


class _Types(rule_visitor._TypeStack):
    """What names mean in a rule: last of all, rules that are not loaded yet."""

    def __init__(self, func: Callable[..., Any]) -> None:
        super().__init__(func)
        if getattr(self.root, "implicitly", None) is implicitly:  # a module that calls by name
            self._stack.insert(0, dict(_rules_below(self.root)))


class _Collector(rule_visitor._AwaitableCollector):
    """Reads what a rule asks for, by type and by name."""

    def visit_Call(self, call_node: ast.Call) -> None:  # the parser's own name
        called = self._lookup(call_node.func)
        if not isinstance(called, (NamedRule, _RuleBelow)):
            super().visit_Call(call_node)
            return
        given = (*called.input_types[: len(call_node.args)], *self._implicit_types(call_node))
        self.awaitables.append(AwaitableConstraints(called.output_type, given, False))
        self.generic_visit(call_node)

    def _implicit_types(self, call_node: ast.Call) -> Iterator[Any]:
        for keyword in call_node.keywords:
            for one in getattr(keyword.value, "args", ()):
                if isinstance(one, ast.Dict):
                    yield from (self._lookup(node) for node in one.values)
                else:
                    yield self._lookup(one.func if isinstance(one, ast.Call) else one)


def _teach_parser() -> None:
    rule_visitor._TypeStack = _Types  # type: ignore[misc] # its own users look it up by this name
    rule_visitor._AwaitableCollector = _Collector  # type: ignore[misc] # likewise


_teach_hash()
_teach_parser()
_teach_rules()
