"""The core's code as content: each step gets the modules that it imports, and no others.

A step's key then changes when its own code changes. A better message in `plan` builds no wheel again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Iterable, Iterator, Mapping

from pants.engine.fs import Digest
from pants.util.frozendict import FrozenDict

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, rule


@dataclass(frozen=True)
class CoreSources:
    """The core's own code, as it goes into the sandbox of each step, and its lock of tools.

    :param network: the steps whose code can reach the network.
    """

    steps: FrozenDict[str, Digest]
    tools: str
    network: frozenset[str]


_PACKAGE = "ociwheel"
_MAIN = f"{_PACKAGE}.cli.main"
# The doors to the network, our own and git's: what imports neither cannot reach it.
_NETWORK = frozenset({f"{_PACKAGE}.transport.connection", f"{_PACKAGE}.fetch.git"})
_STEP = re.compile(rb'"([a-z-]+)": \(\s*"(ociwheel[\w.]+)",\s*"')
_IMPORT = re.compile(rb"^[ \t]*import (ociwheel[\w.]*)", re.MULTILINE)
_FROM = re.compile(rb"^[ \t]*from (ociwheel[\w.]*) import (\([^)]*\)|[^\n]*)", re.MULTILINE)


def core_files(package: Path) -> dict[str, bytes]:
    """Return the core's files by path in the sandbox, without its tests."""
    files: dict[str, bytes] = {}
    for path in sorted(package.rglob("*")):
        relative = path.relative_to(package)
        if path.is_dir() or "__pycache__" in relative.parts or path.name.endswith("_test.py"):
            continue
        if relative.parts[0] == "sandbox":
            files[path.name] = path.read_bytes()
        else:
            files[f"{_PACKAGE}/{relative.as_posix()}"] = path.read_bytes()
    return files


def module_name(path: str) -> str | None:
    """Return the module that a file of the core is, ``None`` for data and the sandbox's own files."""
    if not path.endswith(".py") or not path.startswith(f"{_PACKAGE}/"):
        return None
    name = path[: -len(".py")].replace("/", ".")
    return name[: -len(".__init__")] if name.endswith(".__init__") else name


def steps(main: bytes) -> dict[str, str]:
    """Return the module of each step, from the table in the core's command line."""
    found = {step.decode(): module.decode() for step, module in _STEP.findall(main)}
    if not found:
        raise AssertionError("the core's command line has no table of steps")
    return found


def _imported(source: bytes) -> Iterator[str]:
    """Yield the names of modules of the core, and of what may be modules, that some code imports.

    Pants's Python 3.9 cannot parse the core's, so this reads lines, not a syntax tree. The core's tests
    hold its imports to the two forms that are read here.
    """
    for plain in _IMPORT.findall(source):
        yield plain.decode()
    for module, names in _FROM.findall(source):
        yield module.decode()
        for name in re.findall(rb"\w+", names):
            yield f"{module.decode()}.{name.decode()}"


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[: n + 1]) for n in range(len(parts)))


def closure(modules: Mapping[str, bytes], roots: tuple[str, ...]) -> frozenset[str]:
    """Return the modules that ``roots`` import, directly or not, themselves and parents included."""
    seen: set[str] = set()
    todo = list(roots)
    while todo:
        for name in _with_parents(todo.pop()):
            if name in modules and name not in seen:
                seen.add(name)
                todo.extend(_imported(modules[name]))
    return frozenset(seen)


def used_modules(files: Mapping[str, bytes], module: str) -> frozenset[str]:
    """Return the modules that a step imports."""
    modules = {name: data for path, data in files.items() if (name := module_name(path))}
    return closure(modules, (_MAIN, module))


def network_steps(files: Mapping[str, bytes], table: Mapping[str, str]) -> frozenset[str]:
    """Return the steps whose code can reach the network."""
    return frozenset(step for step, module in table.items() if _NETWORK & used_modules(files, module))


def step_files(files: Mapping[str, bytes], module: str) -> dict[str, bytes]:
    """Return the files that a step runs from: its modules, and the data of their packages."""
    used = used_modules(files, module)
    packages = {name.split(".")[1] for name in used if name.count(".") > 1}
    kept = {}
    for path, data in files.items():
        name = module_name(path)
        parts = path.split("/")
        data_of = parts[1] if len(parts) > 2 else None
        if name in used if name else data_of is None or data_of in packages:
            kept[path] = data
    return kept


@rule(desc="Look at the core's code")
async def find_core() -> CoreSources:
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise AssertionError(f"the package `{_PACKAGE}` is not beside `slim_python_image`")
    files = core_files(Path(next(iter(spec.submodule_search_locations))))
    table = steps(files[f"{_PACKAGE}/cli/main.py"])
    digests = {step: await engine.create_files(step_files(files, table[step])) for step in sorted(table)}
    tools = files[f"{_PACKAGE}/tools.lock"].decode()
    return CoreSources(FrozenDict(digests), tools, network_steps(files, table))


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
