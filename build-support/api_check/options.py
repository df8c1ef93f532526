"""The options of Pants that our configuration, documents and messages name, and our own."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from api_check import guards
from api_check.model import Condition, Fact, Place, Use
from api_check.sources import Module, Sources

_FENCE = re.compile(r"^(?P<indent>[ \t]*)```toml\n(?P<text>.*?)^[ \t]*```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"\[([A-Za-z][\w-]*)\]\.([a-z]\w*)")
_BACKENDS = ("backend_packages",)


def option(scope: str, name: str) -> str:
    """Return the name of an option as our messages have it."""
    return f"[{scope}].{name}"


def _line_of(lines: list[str], scope: str, name: str) -> int:
    """Return the index of the line that sets an option: below its table's header, or a header of its own."""
    inside = False
    for number, line in enumerate(lines):
        stripped = line.strip()
        if stripped.startswith(f"[{scope}.{name}"):
            return number
        if stripped.startswith("["):
            inside = stripped.startswith(f"[{scope}]")
        elif inside and re.match(rf"{re.escape(name)}\b", stripped):
            return number
    return 0


def _of_toml(text: str, path: str, first_line: int) -> Iterator[Use]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise ValueError(f"{path}:{first_line}: {e}") from e
    lines = text.splitlines()
    for scope, values in document.items():
        for name, value in values.items() if isinstance(values, dict) else ():
            number = _line_of(lines, scope, name)
            place = Place(path, first_line + number)
            conditions = guards.of_comment(lines[number])
            yield Use(option(scope, name), place, conditions=conditions)
            if name in _BACKENDS:
                yield from _backends(value, place, conditions)


def _backends(value: object, place: Place, conditions: tuple[Condition, ...]) -> Iterator[Use]:
    packages = value.get("add", []) if isinstance(value, dict) else value
    for package in packages if isinstance(packages, list) else ():
        if package.startswith("pants."):
            yield Use(f"{package}.register", place, conditions=conditions)


def _of_document(path: Path, shown: str) -> Iterator[Use]:
    text = path.read_text()
    for block in _FENCE.finditer(text):
        yield from _of_toml(block["text"], shown, text.count("\n", 0, block.start("text")) + 1)
    for number, line in enumerate(text.splitlines(), 1):
        for found in _INLINE.finditer(line):
            yield Use(option(found[1], found[2]), Place(shown, number))


def of_repository(root: Path) -> Iterator[Use]:
    """Yield the options that ``pants.toml``, the README and the documents name.

    Decisions are left out: they say what was true when they were made.

    :raises ValueError: a block of TOML cannot be read.
    """
    configuration = root / "pants.toml"
    yield from _of_toml(configuration.read_text(), configuration.name, 1)
    for path in (root / "README.md", *sorted((root / "docs").rglob("*.md"))):
        if "decisions" not in path.relative_to(root).parts:
            yield from _of_document(path, path.relative_to(root).as_posix())


def of_messages(sources: Sources) -> Iterator[Use]:
    """Yield the options that the texts of the backend name."""
    for module in sources.modules.values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                for found in _INLINE.finditer(node.value):
                    yield Use(
                        option(found[1], found[2]), Place(module.path, node.lineno), None, module.conditions
                    )


def _own_options(module: Module) -> Iterator[str]:
    for node in module.classes.values():
        assigned = {
            statement.targets[0].id: statement.value
            for statement in node.body
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
        }
        scope = assigned.get("options_scope") or assigned.get("name")
        if isinstance(scope, ast.Constant) and isinstance(scope.value, str):
            yield from (
                option(scope.value, name) for name, value in assigned.items() if isinstance(value, ast.Call)
            )


def own_facts(sources: Sources) -> dict[str, Fact]:
    """Return the options that the backend defines."""
    return {name: Fact("option") for module in sources.modules.values() for name in _own_options(module)}
