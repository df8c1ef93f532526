"""Locks as people have them: of uv, with commits of git repositories and projects of the repository itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.repository import BASE, Caches, Layout, Repository, make_repository, stopped

pytestmark = pytest.mark.slow

TOOL = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "tool"
version = "1.2"
dependencies = ["idna"]
"""
PROJECT = """\
[project]
name = "everything"
version = "0"
requires-python = ">=3.11,<3.12"
dependencies = ["tool", "shared", "click"]
[tool.uv]
package = false
override-dependencies = ["idna<3.10"]
[tool.uv.sources]
tool = {{ git = "{url}", subdirectory = "py" }}
shared = {{ path = "src/shared", editable = true }}
"""
SHARED = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "shared"
version = "0.1"
dependencies = ["idna>=3.10"]
"""


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return what it said."""
    who = dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME"), "a@b")
    done = subprocess.run(
        ["/usr/bin/env", "git", *arguments],
        cwd=folder,
        env={**os.environ, **who, "GIT_COMMITTER_EMAIL": "a@b"},
        check=True,
        capture_output=True,
        encoding="utf-8",
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def repository(
    tmp_path_factory: pytest.TempPathFactory, plugin: Path, caches: Caches
) -> Iterator[Repository]:
    """Give a repository whose lock uv wrote."""
    folder = tmp_path_factory.mktemp("locks")
    tool = folder / "tool"
    (tool / "py" / "tool").mkdir(parents=True)
    (tool / "py" / "pyproject.toml").write_text(TOOL)
    (tool / "py" / "tool" / "__init__.py").write_text("import idna\n")
    git(tool, "init", "-q", ".")
    git(tool, "add", ".")
    git(tool, "commit", "-q", "-m", "one")
    with stopped(make_repository(folder / "repo", caches, plugin=plugin)) as made:
        made.write("pyproject.toml", PROJECT.format(url=tool.as_uri()))
        made.write("src/shared/pyproject.toml", SHARED)
        made.write("src/shared/shared/__init__.py", "VALUE = 1\n")
        made.write("src/shared/BUILD", 'python_sources(name="lib", sources=["shared/*.py"])\n')
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "lock", "-q", "--python", sys.executable], cwd=made.root, check=True)
        made.edit("pants.toml", "3rdparty/python/default.lock", "uv.lock")
        made.write(
            "3rdparty/python/BUILD",
            """python_requirement(name="reqs", requirements=["tool", "shared", "click", "idna"])\n""",
        )
        made.write("src/app/hello.py", "import click, idna, shared, tool\n\nprint(click, shared, tool)\n")
        fields = f'entry_point="hello", base="{BASE}", platforms=["linux/amd64"]'
        made.write(
            "src/app/BUILD",
            'python_sources(name="lib", dependencies=["3rdparty/python:reqs"])\n'
            f'slim_python_image(name="image", dependencies=[":lib", "src/shared:lib"], {fields})\n'
            f'slim_python_image(name="incomplete", dependencies=[":lib", "!!src/shared:lib"], {fields})\n',
        )
        yield made


def names(layout: Layout) -> set[str]:
    """Return the paths of an image."""
    return {name for layer in layout.layers() for name in layout.listing(layer)}


def test_uv(repository: Repository) -> None:
    locked = repository.pants("generate-lockfiles", "--resolve=python-default-build", daemon=True)
    assert locked.exit_code == 0, locked.stderr
    build_lock = json.loads((repository.root / "python-default.build.lock").read_text())
    assert [row["sdist"] for row in build_lock["environments"]] == ["tool==1.2"]
    run = repository.package("src/app:image", daemon=True)
    # The lock tells their files, and one process brings both.
    (together,) = (one for one in run.started if "click" in one or "idna" in one)
    assert together.startswith("Look up 2 distributions: click 8.")
    found = names(repository.layout("src.app/image"))
    packages = "app/lib/python3.11/site-packages"
    for path in (
        "tool/__init__.py",
        "tool-1.2.dist-info/METADATA",
        "shared/__init__.py",
        "click/__init__.py",
    ):
        assert f"{packages}/{path}" in found
    (idna,) = {path.split("/")[-2] for path in found if path.endswith("/METADATA") and "/idna-" in path}
    # What `shared` asks for was overridden when the lock was written.
    assert idna == "idna-3.9.dist-info"
    assert not any(path.startswith(f"{packages}/shared-") for path in found)


def test_a_project_of_the_repository_whose_code_is_missing(repository: Repository) -> None:
    assert repository.failure("src/app:incomplete") == (
        "SlimImageError: src/app:incomplete: the lock has projects by their path, and no code of theirs is among "
        "the dependencies\n"
        "  shared (src/shared): shared (root from 3rdparty/python:reqs)\n"
        "  -> add their `python_sources` or `python_distribution` to `dependencies`"
    )
