"""The wall: what the core may import, and what the steps before the toolbox may."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent
FORBIDDEN = frozenset({"pants", "slim_python_image"})
# What the toolbox holds (tools.lock) and no more.
TOOLBOX = frozenset({"build", "debian", "elftools", "installer", "packaging", "pyproject_hooks", "zlib_ng"})
# What one module imports when something is signed: ociwheel/signing/tools.lock.
SIGNING = frozenset({"cryptography", "nacl"})


def modules() -> dict[str, Path]:
    """Return the core's modules by name, without tests."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.name.endswith("_test.py") or path.name == "conftest.py":
            continue
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = path
    return found


def imports(name: str, path: Path) -> Iterator[str]:
    """Yield the absolute names that a module imports anywhere in it."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} has a relative import"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def chains(start: str, known: dict[str, Path]) -> Iterator[tuple[str, ...]]:
    """Yield the shortest import chain from ``start`` to each module that is not the core's."""
    seen = {start}
    todo: list[tuple[str, ...]] = [(start,)]
    while todo:
        chain = todo.pop(0)
        for name in imports(chain[-1], known[chain[-1]]):
            if name in known and name not in seen:
                seen.add(name)
                todo.append((*chain, name))
            elif name.split(".")[0] != "ociwheel" and name.split(".")[0] not in seen:
                seen.add(name.split(".")[0])
                yield (*chain, name.split(".")[0])


@pytest.mark.parametrize("module", sorted(modules()))
def test_the_core_imports_the_standard_library_and_the_toolbox_only(module: str) -> None:
    allowed = sys.stdlib_module_names | TOOLBOX | SIGNING
    # `compression` is Python 3.14's standard library.
    broken = [chain for chain in chains(module, modules()) if chain[-1] not in allowed | {"compression"}]
    assert not broken, "\n".join(" imports ".join(chain) for chain in broken)
    assert not FORBIDDEN & allowed


@pytest.mark.parametrize("step", ["fetch.toolbox_step", "fetch.fetch_step", "debian.fetch_debs_step"])
def test_steps_before_the_toolbox_import_the_standard_library_only(step: str) -> None:
    broken = [c for c in chains(f"ociwheel.{step}", modules()) if c[-1] not in sys.stdlib_module_names]
    assert not broken, "\n".join(" imports ".join(chain) for chain in broken)


# What composes and reads small documents, and values; runs on Pants's own Python: docs/decisions/018.
CALLED = {
    *("ociwheel", "ociwheel.errors", "ociwheel.image.compose", "ociwheel.sbom.compose"),
    *("ociwheel.digest", "ociwheel.image_name", "ociwheel.platforms", "ociwheel.reading", "ociwheel.schemas"),
    *("ociwheel.layer.exclude", "ociwheel.debian.makers"),
}


def test_the_backend_imports_of_the_core_what_it_may_call() -> None:
    backend = PACKAGE.parent / "slim_python_image"
    for path in backend.rglob("*.py"):
        names = {name for name in imports(path.stem, path) if name.split(".")[0] == "ociwheel"}
        own = {
            name
            for name in names
            if not any(name.startswith(f"{module}.") for module in CALLED - {"ociwheel"})
        }
        assert own <= CALLED, f"{path.relative_to(backend)} imports {sorted(own - CALLED)}"


# What the core must not know: who runs its steps, and by which names of targets and options.
_WORDS = re.compile(r"pants|pex_binary|slim[-_](?:python[-_])?image", re.IGNORECASE)


def test_the_core_speaks_no_word_of_pants() -> None:
    spoken = [
        f"{path.relative_to(PACKAGE)}:{number}: {line.strip()}"
        for path in sorted(PACKAGE.rglob("*"))
        if path.suffix in {".py", ".sh", ".json", ".tsv", ".toml", ".lock"}
        and not path.name.endswith("_test.py")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if _WORDS.search(line)
    ]
    assert not spoken, "\n".join(spoken)


def test_a_broken_wall_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import b\n")
    (tmp_path / "b.py").write_text("from pants.engine import rules\n")
    known = {"a": tmp_path / "a.py", "b": tmp_path / "b.py"}
    assert ("a", "b", "pants") in set(chains("a", known))


def test_imports_have_the_form_that_the_backend_reads() -> None:
    """The backend finds a step's modules line by line (`slim_python_image/util_rules/core.py`)."""
    plain = re.compile(rb"^[ \t]*import (ociwheel[\w.]*)", re.MULTILINE)
    listed = re.compile(rb"^[ \t]*from (ociwheel[\w.]*) import (\([^)]*\)|[^\n]*)", re.MULTILINE)
    for name, path in modules().items():
        source = path.read_bytes()
        read = {m.decode() for m in plain.findall(source)}
        for module, names in listed.findall(source):
            read |= {
                module.decode(),
                *(f"{module.decode()}.{n.decode()}" for n in re.findall(rb"\w+", names)),
            }
        wanted = {found for found in imports(name, path) if found.split(".")[0] == "ociwheel"}
        assert wanted <= read, f"{name}: {sorted(wanted - read)}"
