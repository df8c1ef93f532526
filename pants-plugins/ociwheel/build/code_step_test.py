"""What builds run is compiled by a step, since they have no cache of the machine: docs/decisions/029."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ociwheel
from ociwheel.layer.bytecode import compile_source

PACKAGE = Path(ociwheel.__file__).parent
TAG = str(sys.implementation.cache_tag)
LIBRARIES = ("elftools", "installer", "packaging", "pyproject_hooks")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a core and a toolbox, as a sandbox has them."""
    folder = tmp_path_factory.mktemp("sandbox")
    unwanted = shutil.ignore_patterns("__pycache__", "*_test.py")
    shutil.copytree(PACKAGE, folder / "core/ociwheel", ignore=unwanted)
    for name in ("__main__.py", "step.sh"):
        shutil.copy(PACKAGE / "sandbox" / name, folder / "core")
    for name in LIBRARIES:
        place = Path(str(__import__(name).__file__)).parent
        shutil.copytree(place, folder / "tools/lib" / name, ignore=unwanted)
    return folder


def python(sandbox: Path, *arguments: str, core: str = "core", tools: str = "tools") -> str:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-X", "utf8", str(sandbox / core / "__main__.py"), *arguments],
        env={"OCIWHEEL_TOOLS": str(sandbox / tools)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_all_that_a_build_loads_is_compiled_and_the_same_each_time(sandbox: Path) -> None:
    python(sandbox, "build-code", "--output", str(sandbox / "one"))
    elsewhere = sandbox / "elsewhere"
    for name in ("core", "tools"):
        shutil.copytree(sandbox / name, elsewhere / name)
    python(elsewhere, "build-code", "--output", str(sandbox / "two"))
    found = files(sandbox / "one")
    assert found == files(sandbox / "two")
    source = (PACKAGE / "build/inside.py").read_bytes()
    place = f"core/ociwheel/build/__pycache__/inside.{TAG}.pyc"
    assert found[place] == compile_source(source, "core/ociwheel/build/inside.py")
    for module in ("build/build_step", "cli/main", "elf/reader"):
        folder, _, name = module.rpartition("/")
        assert f"core/ociwheel/{folder}/__pycache__/{name}.{TAG}.pyc" in found
    assert {path.split("/")[2] for path in found if path.startswith("tools/")} == set(LIBRARIES)


def test_a_build_takes_what_was_compiled(sandbox: Path) -> None:
    python(sandbox, "build-code", "--output", str(sandbox / "made"))
    for name in ("core", "tools"):
        shutil.copytree(sandbox / name, sandbox / f"{name}-laid", dirs_exist_ok=True)
        shutil.copytree(sandbox / "made" / name, sandbox / f"{name}-laid", dirs_exist_ok=True)
    # Were it read, nothing could be imported.
    for path in (sandbox / "core-laid/ociwheel/build").glob("*.py"):
        if path.name != "__init__.py":
            path.write_text("raise SystemExit('this was compiled')")
    said = python(sandbox, "build", "--help", core="core-laid", tools="tools-laid")
    assert "--sdist FILE" in said
