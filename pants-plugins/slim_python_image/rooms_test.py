"""The shape of the backend: modules import each other in one direction, and each has one subject."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Iterator

PACKAGE = Path(__file__).parent
NAME = PACKAGE.name
MOST_LINES = 400


def sources() -> dict[str, Path]:
    """Return the backend's modules by name, without its tests."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = [NAME, *path.relative_to(PACKAGE).with_suffix("").parts]
        if not path.name.endswith("_test.py"):
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, modules: dict[str, Path]) -> Iterator[str]:
    """Yield the modules of the backend that one imports, also those that a function imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == NAME:
            inner = [f"{node.module}.{one.name}" for one in node.names]
            yield from (one if one in modules else str(node.module) for one in inner)
        elif isinstance(node, ast.Import):
            yield from (one.name for one in node.names if one.name in modules)


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Return modules that import each other in a circle, none where there is none."""
    done: set[str] = set()

    def visit(name: str, line: list[str]) -> list[str]:
        if name in line:
            return [*line[line.index(name) :], name]
        if name in done:
            return []
        for other in sorted(graph[name]):
            found = visit(other, [*line, name])
            if found:
                return found
        done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := visit(name, []))), [])


def graph_of(modules: dict[str, Path]) -> dict[str, set[str]]:
    # The package itself only looks at the version, before anything else is loaded.
    return {
        name: set(imports(path, modules)) - {name, NAME} for name, path in modules.items() if name != NAME
    }


def test_modules_import_each_other_in_one_direction() -> None:
    graph = graph_of(sources())
    assert len(graph) > 50
    assert " -> ".join(circle(graph)) == ""


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


def test_what_serves_a_request_stands_below_what_asks() -> None:
    """From `package_image` to the step that serves it, a reader goes through imports alone."""
    graph = graph_of(sources())
    line = ["goals.package_image", "util_rules.image", "util_rules.image_layers", "util_rules.wheels"]
    line += ["util_rules.build_wheel", "util_rules.steps", "engine"]
    names = [f"{NAME}.{one}" for one in line]
    for above, below in zip(names, names[1:]):
        assert below in graph[above], f"{above} does not import {below}"


def test_a_module_has_one_subject() -> None:
    lines = {name: len(path.read_text().splitlines()) for name, path in sources().items()}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}
