"""Whether an image can start what it is told to: looked up by name and by syntax, never by importing it."""

from __future__ import annotations

import ast
import posixpath
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from ociwheel.errors import ImageError
from ociwheel.image.names import NameTree
from ociwheel.remedies import Remedy

_EXTENSION = re.compile(r"(\.cpython-[\w-]+|\.abi3)?\.so")
_INTERPRETERS: Mapping[str, str] = {
    "bash": "bash", "dash": "dash", "env": "coreutils", "node": "nodejs", "perl": "perl-base", "ruby": "ruby",
    "sh": "dash", "zsh": "zsh",
}  # fmt: skip
"""Debian package of an interpreter that scripts name."""
_SHOWN = 12
_CORRECT = Remedy.text("correct that line")
_LINE_ENDS = Remedy.text("write the script with line ends of Unix, LF instead of CRLF")
_DYNAMIC = frozenset({"exec", "globals", "locals", "setattr", "vars"})


@dataclass(frozen=True)
class Image:
    """What the look-up needs of an image."""

    tree: NameTree
    prefix: str
    site: str
    """Absolute path of site-packages."""
    path: str
    """The variable ``PATH``."""
    whole: bool
    """Whether the files of all layers are known; of a registry's base they may not be."""


def check_module(image: Image, module: str) -> None:
    """Check that ``python -m module`` finds something to run.

    :raises ImageError: it does not.
    """
    found = _find_module(image, module)
    if found is None:
        return
    if found.is_package and not _modules(image, f"{found.path}/__main__"):
        raise ImageError(
            f"the entry point {module!r} is a package without a module `__main__`: `python -m` cannot run it",
            where="the field `entry_point`",
            hint=f'add {module.replace(".", "/")}/__main__.py, or name a function: "{module}:main"',
        )


def check_function(image: Image, module: str, function: str, source: bytes | None) -> None:
    """Check that a module has the function that an entry point names.

    :param source: the module's text where it is first-party code, else ``None``: then the module alone is
        looked for.
    :raises ImageError: it does not.
    """
    if _find_module(image, module) is None or source is None:
        return
    try:
        names = bound_names(ast.parse(source))
    except (SyntaxError, ValueError):
        return  # perhaps of a newer Python than this step's
    first = function.partition(".")[0]
    if names is None or first in names:
        return
    raise ImageError(
        f"the module {module!r} has no {first!r}, which the entry point {module}:{function} calls",
        where="the field `entry_point`",
        hint=_instead(first, names, "it has") or f"define {first} in {module.replace('.', '/')}.py",
    )


def check_script(image: Image, name: str) -> None:
    """Check that a script is there, and its interpreter.

    :raises ImageError: it is not.
    """
    path = f"{image.prefix}/bin/{name}"
    if image.tree.find(path) is None:
        folder = f"{image.prefix.strip('/')}/bin/"
        scripts = [p.removeprefix(folder) for p in image.tree.names if p.startswith(folder)]
        others = [s for s in scripts if not re.fullmatch(r"python[\d.]*", s)]
        raise ImageError(
            f"no distribution of the image installs the script {name!r}",
            where="the field `script`",
            hint=_instead(name, others, "there are")
            or "add the distribution that has it to the dependencies",
        )
    problem = interpreter_problem(image, image.tree.resolve(path) or "")
    if problem:
        raise ImageError(problem.text, where="the field `script`", hint=problem.hint)


@dataclass(frozen=True)
class Problem:
    """Why a script cannot run, and what to do."""

    text: str
    hint: Remedy


def interpreter_problem(image: Image, path: str) -> Problem | None:
    """Return why a script's first line leads nowhere; ``None`` when it does not, or when there is none."""
    line = image.tree.shebangs.get(path)
    return None if line is None else _problem(image, path, line)


def _problem(image: Image, path: str, line: str) -> Problem | None:
    parts = line.split()
    program = parts[0] if parts else ""
    where = f"/{path} starts with #!{line.rstrip()}"
    if line.endswith("\r"):
        ends = "and a carriage return, which the kernel takes as a part of the name"
        return Problem(f"{where} {ends}", _LINE_ENDS)
    if not program.startswith("/"):
        return Problem(f"{where}, which names no interpreter by its absolute path", _CORRECT)
    if not _is_there(image, program):
        return Problem(f"{where}, but the image has no {program}", _remedy(program))
    wanted = next((p for p in parts[1:] if not p.startswith("-") and "=" not in p), "/")
    if posixpath.basename(program) != "env" or "/" in wanted:
        return None
    if any(image.tree.find(f"{folder}/{wanted}") for folder in image.path.split(":") if folder):
        return None
    return Problem(f"{where}, but no folder of PATH has {wanted}", _remedy(wanted)) if image.whole else None


def _is_there(image: Image, program: str) -> bool:
    if image.tree.find(program) is not None:
        return True
    if image.whole:
        return False
    # A base that is not looked into may have what is not the image's own, and what its own links lead to.
    own = image.tree.names.get(program.lstrip("/"))
    return not program.startswith(f"{image.prefix}/") or (own is not None and own.kind == "l")


def _remedy(program: str) -> Remedy:
    package = _INTERPRETERS.get(posixpath.basename(program))
    if package:
        return Remedy("add-script-package", {"package": package})
    return Remedy.text("correct that line, or add the Debian package that has it to the packages of the base")


@dataclass(frozen=True)
class _Module:
    """A module of an image."""

    path: str
    is_package: bool


def _find_module(image: Image, module: str) -> _Module | None:
    """Return where a module is, ``None`` for one of the standard library.

    :raises ImageError: it is nowhere.
    """
    path = f"{image.site}/{module.replace('.', '/')}"
    if _modules(image, f"{path}/__init__"):
        return _Module(path, is_package=True)
    if _modules(image, path):
        return _Module(path, is_package=False)
    if module.partition(".")[0] in sys.stdlib_module_names:
        return None
    folder = image.tree.find(path)
    if folder is not None and folder.kind == "d":  # PEP 420: a package without __init__
        return _Module(path, is_package=True)
    parent, _, name = module.rpartition(".")
    place = f"{image.site}/{parent.replace('.', '/')}".rstrip("/")
    there = sorted({n for n in _names_in(image, place) if not n.startswith("_")})
    raise ImageError(
        f"the image has no module {module!r}, which the entry point names",
        where="the field `entry_point`",
        hint=_instead(name, there, f"{parent or 'site-packages'} has", only_close=not parent)
        or "add the target that owns it to the dependencies",
    )


def _modules(image: Image, path: str) -> bool:
    if image.tree.find(f"{path}.py") or image.tree.find(f"{path}.pyc"):
        return True
    folder, _, name = path.strip("/").rpartition("/")
    start = f"{folder}/{name}."
    return any(p.startswith(start) and _EXTENSION.fullmatch(p[len(start) - 1 :]) for p in image.tree.names)


def _names_in(image: Image, folder: str) -> Iterator[str]:
    start = folder.strip("/") + "/"
    for path, name in image.tree.names.items():
        if path.startswith(start) and "/" not in (rest := path[len(start) :]):
            if name.kind == "d" and rest.isidentifier():
                yield rest
            elif rest.endswith(".py"):
                yield rest.removesuffix(".py")


def _instead(wanted: str, there: object, what: str, *, only_close: bool = False) -> str | None:
    names = sorted(str(name) for name in there) if isinstance(there, (list, set, frozenset)) else []
    close = get_close_matches(wanted, names, n=3)
    if close:
        return f"did you mean {' or '.join(close)}?"
    if not names or only_close:
        return None
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{what}: {', '.join(names[:_SHOWN])}{more}"


def bound_names(module: ast.Module) -> frozenset[str] | None:
    """Return the names that a module's own code binds, ``None`` when only running it would tell.

    Names are bound by definitions, imports and assignments, also below ``if``, ``try`` and the like; a star
    import, a ``__getattr__`` of the module (PEP 562), ``globals()`` and ``exec`` make it anybody's guess.
    """
    found: set[str] = set()
    todo: list[ast.AST] = list(module.body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
            continue
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.update(a.asname or a.name.partition(".")[0] for a in node.names)
        elif isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store):
                found.add(node.id)
            elif node.id in _DYNAMIC:
                return None
        todo += ast.iter_child_nodes(node)
    return None if found & {"*", "__getattr__"} else frozenset(found)
