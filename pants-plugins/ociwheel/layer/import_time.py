"""Which libraries a distribution opens as soon as it is imported, and cannot do without.

Code is parsed, never run, and what is not certain is left out: a call in a ``try``, below an ``if``, after
a ``return``, with an argument that may allow it to fail. Followed are imports that begin a line, since these
are in no block, and calls of the distribution's own functions.
"""

from __future__ import annotations

import ast
import posixpath
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

_OPENERS = frozenset({"CDLL", "PyDLL", "LoadLibrary", "dlopen"})
"""Of ctypes and cffi; they raise OSError."""
_WRAPPERS = _OPENERS | {"_dlopen", "load_library"}
CALLS = _WRAPPERS | {"find_library"}
_NAME = re.compile(r"[\w.+-]+")
_IMPORT = re.compile(rb"^(?:import|from)\s[^\n(]*(?:\([^)]*\))?[^\n]*", re.MULTILINE)
_CTYPES_ARGUMENTS = frozenset({"mode", "handle", "use_errno", "use_last_error", "winmode", "flags"})
_MOST_MODULES = 5_000
_DEEPEST = 4

Read = Callable[[], bytes]
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, order=True)
class AtImport:
    """A place that opens a library when its distribution is imported, and raises where there is none."""

    path: str
    """Of the module."""
    names: tuple[str, ...]
    """What is tried."""


def parsed(data: bytes) -> ast.Module | None:
    """Return the syntax tree of a module, ``None`` for what is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def texts(arguments: Iterable[ast.expr]) -> Iterator[str]:
    """Yield the strings among arguments that can name a library, and those in lists of names to try."""
    for argument in arguments:
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            if _NAME.fullmatch(argument.value):
                yield argument.value
        elif isinstance(argument, ast.Tuple | ast.List):
            yield from texts(argument.elts)


def callee(call: ast.Call) -> str:
    """Return the last part of the name of what is called."""
    return getattr(call.func, "attr", None) or getattr(call.func, "id", None) or ""


def at_import(modules: Mapping[str, Read], opening: frozenset[str]) -> tuple[AtImport, ...]:
    """Return what importing the top-level modules of a distribution opens.

    :param modules: its Python files, by path below site-packages.
    :param opening: paths of those that have a call which opens libraries.
    """
    distribution = _Distribution(modules, opening)
    found: set[AtImport] = set()
    for path in distribution.reached():
        if path in opening or distribution.imported_of(path) & opening:
            found.update(AtImport(place, names) for place, names in distribution.opened(path))
    return tuple(sorted(found))


@dataclass
class _Module:
    """A module that was parsed."""

    path: str
    tree: ast.Module
    functions: Mapping[str, _Function]
    names: Mapping[str, tuple[str, str]]
    """Name: module of the distribution, and the name there or nothing for the module itself."""


@dataclass
class _Distribution:
    """A distribution's modules, parsed as they are asked for.

    :param modules: its Python files, by path below site-packages.
    :param opening: paths of those that have a call which opens libraries.
    """

    modules: Mapping[str, Read]
    opening: frozenset[str]
    _imports: dict[str, Mapping[str, tuple[str, str]]] = field(default_factory=dict)
    _parsed: dict[str, _Module | None] = field(default_factory=dict)

    def reached(self) -> list[str]:
        """Return the modules that importing the top-level ones imports."""
        waiting = sorted(p for p in self.modules if "/" not in p or (p.count("/") == 1 and _is_package(p)))
        seen = dict.fromkeys(waiting)
        while waiting and len(seen) < _MOST_MODULES:
            for other in sorted(self.imported_of(waiting.pop())):
                for path in self._with_parents(other):
                    if path not in seen:
                        seen[path] = None
                        waiting.append(path)
        return list(seen)

    def imported_of(self, path: str) -> set[str]:
        """Return the distribution's modules that one imports outside of any block."""
        return {module for module, _ in self._names(path).values()}

    def opened(self, path: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield what running a module opens: the module with the call, the names."""
        module = self._module(path)
        if module is not None:
            yield from self._run(module, module.tree.body, frozenset())

    def _run(
        self, module: _Module, body: Sequence[ast.stmt], within: frozenset[int]
    ) -> Iterator[tuple[str, tuple[str, ...]]]:
        for call in _certain_calls(body):
            yield from self._call(module, call, within)

    def _call(
        self, module: _Module, call: ast.Call, within: frozenset[int]
    ) -> Iterator[tuple[str, tuple[str, ...]]]:
        own = self._resolve(module, call.func)
        names = tuple(dict.fromkeys(texts(call.args)))
        name = callee(call)
        if own is None:
            given = {keyword.arg for keyword in call.keywords}
            if name in _OPENERS and names and given <= _CTYPES_ARGUMENTS:
                yield module.path, names
            return
        home, function = own
        if name in _WRAPPERS and names:
            if not call.keywords and _raises(function.body):
                yield module.path, names
            return
        if id(function) in within or len(within) == _DEEPEST:
            return
        within |= {id(function)}
        yield from self._run(home, function.body, within)
        if _raises(function.body) and not _does_without(function):
            tried = tuple(dict.fromkeys(self._tried(home, function, within)))
            if tried:
                yield home.path, tried

    def _tried(self, module: _Module, function: _Function, within: frozenset[int]) -> Iterator[str]:
        """Yield all names that a function looks for, and those that it calls do."""
        for node in ast.walk(function):
            if not isinstance(node, ast.Call):
                continue
            if callee(node) in CALLS:
                yield from texts(node.args)
            own = self._resolve(module, node.func)
            if own and id(own[1]) not in within and len(within) < _DEEPEST:
                yield from self._tried(*own, within | {id(own[1])})

    def _resolve(self, module: _Module, func: ast.expr) -> tuple[_Module, _Function] | None:
        """Return the distribution's own function that a call is of."""
        if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name):
            path, inner = module.names.get(func.value.id, ("", ""))
            place = (path, func.attr) if path and not inner else None
        elif isinstance(func, ast.Name):
            place = (module.path, func.id) if func.id in module.functions else module.names.get(func.id)
        else:
            return None
        home = self._module(place[0]) if place else None
        function = home.functions.get(place[1]) if home and place else None
        return (home, function) if home and function else None

    def _module(self, path: str) -> _Module | None:
        if path not in self._parsed:
            tree = parsed(self.modules[path]())
            functions = {} if tree is None else {n.name: n for n in tree.body if isinstance(n, _Function)}
            self._parsed[path] = _Module(path, tree, functions, self._names(path)) if tree else None
        return self._parsed[path]

    def _names(self, path: str) -> Mapping[str, tuple[str, str]]:
        if path not in self._imports:
            found: dict[str, tuple[str, str]] = {}
            for statement in _IMPORT.findall(self.modules[path]()):
                tree = parsed(statement)
                for node in tree.body if tree else ():
                    found.update(self._bound(path, node))
            self._imports[path] = found
        return self._imports[path]

    def _bound(self, path: str, node: ast.stmt) -> Iterator[tuple[str, tuple[str, str]]]:
        """Yield the names that an import binds, where they are the distribution's."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                target = self._find(alias.name.split("."))
                if target:
                    yield alias.asname or alias.name, (target, "")
        if isinstance(node, ast.ImportFrom):
            above = posixpath.dirname(path).split("/") if "/" in path else []
            kept = len(above) - (node.level - 1)
            if kept < 0:
                return
            base = above[:kept] if node.level else []
            base += node.module.split(".") if node.module else []
            for alias in node.names:
                inner, outer = self._find([*base, alias.name]), self._find(base)
                if inner:
                    yield alias.asname or alias.name, (inner, "")
                elif outer:
                    yield alias.asname or alias.name, (outer, alias.name)

    def _find(self, parts: Sequence[str]) -> str | None:
        place = "/".join(parts)
        return next((p for p in (f"{place}/__init__.py", f"{place}.py") if p in self.modules), None)

    def _with_parents(self, path: str) -> Iterator[str]:
        """Yield a module and the packages that it is in, which are imported before it."""
        yield path
        folder = posixpath.dirname(path)
        while folder:
            if f"{folder}/__init__.py" in self.modules:
                yield f"{folder}/__init__.py"
            folder = posixpath.dirname(folder)


def _is_package(path: str) -> bool:
    folder, name = posixpath.split(path)
    return name == "__init__.py" and folder.isidentifier()


def _certain_calls(body: Sequence[ast.stmt]) -> Iterator[ast.Call]:
    """Yield the calls that running a body makes, whatever is true or false, until it may have ended."""
    for statement in body:
        if isinstance(statement, ast.Expr | ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Return):
            if statement.value is not None:
                yield from _evaluated(statement.value)
        elif isinstance(statement, ast.ClassDef):
            yield from _certain_calls(statement.body)
        elif isinstance(statement, ast.With):
            managers = [item.context_expr for item in statement.items]
            for manager in managers:
                yield from _evaluated(manager)
            if not any(_may_catch(manager) for manager in managers):
                yield from _certain_calls(statement.body)
        if _may_end(statement):
            return


def _may_end(statement: ast.stmt) -> bool:
    """Tell whether what follows a statement may not be run: it returns or raises, perhaps in a block."""
    if isinstance(statement, _Function | ast.ClassDef):
        return False
    return any(isinstance(node, ast.Return | ast.Raise) for node in ast.walk(statement))


def _may_catch(manager: ast.expr) -> bool:
    """Tell whether a context manager may pass over an exception: all do but those known not to."""
    return not (isinstance(manager, ast.Call) and callee(manager) in {"open", "catch_warnings"})


def _evaluated(node: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls of an expression that are made whatever is true or false."""
    if isinstance(node, ast.Lambda):
        return
    if isinstance(node, ast.IfExp):
        yield from _evaluated(node.test)
        return
    if isinstance(node, ast.BoolOp):
        yield from _evaluated(node.values[0])
        return
    if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
        yield from _evaluated(node.generators[0].iter)
        return
    for child in ast.iter_child_nodes(node):
        yield from _evaluated(child)
    if isinstance(node, ast.Call):
        yield node


def _does_without(function: _Function) -> bool:
    """Tell whether a function returns nothing somewhere."""
    returns = [node for node in ast.walk(function) if isinstance(node, ast.Return)]
    return any(node.value is None or isinstance(node.value, ast.Constant) for node in returns)


def _raises(body: Sequence[ast.stmt]) -> bool:
    """Tell whether a function that found nothing raises: its last statement does, or opens a library."""
    last = body[-1]
    if isinstance(last, ast.Raise):
        return True
    if isinstance(last, ast.For | ast.While) and last.orelse:
        return _raises(last.orelse)
    return isinstance(last, ast.Return) and any(callee(call) in _OPENERS for call in _certain_calls([last]))
