"""`--changed-since` in a git repository: who changes a lock has changed the images that are made with it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.integration.repository import Caches, Repository, make_repository, stopped

pytestmark = pytest.mark.slow

BASE = "//3rdparty/debian:bookworm-py311"
BUILD = f"""
python_sources(name="lib")
slim_python_image(name="image", base="{BASE}", entry_point="app")
slim_python_image(name="child", base="{BASE}", entry_point="app", extends=":image")
"""
LOCK, BUILD_LOCK = "3rdparty/python/default.lock", "3rdparty/python/python-default.build.lock"
BASE_LOCK = "3rdparty/debian/bookworm-py311.lock"


def _git(repository: Repository, *arguments: str) -> None:
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], cwd=repository.root, check=True, capture_output=True)


def _images_changed_by(repository: Repository, path: str) -> set[str]:
    with (repository.root / path).open("a") as file:
        file.write("\n")
    run = repository.pants("--changed-since=HEAD", "--changed-dependents=transitive", "list", daemon=True)
    _git(repository, "checkout", "--quiet", "--", path)
    assert run.exit_code == 0, run.stderr
    return {line for line in run.stdout.splitlines() if line in {"src/app:image", "src/app:child"}}


def test_a_change_of_a_lock_is_one_of_its_images(tmp_path: Path, plugin: Path, caches: Caches) -> None:
    with stopped(make_repository(tmp_path / "repository", caches, plugin=plugin)) as repository:
        repository.write("src/app/BUILD", BUILD)
        repository.write("src/app/app.py", "")
        repository.write("src/other/BUILD", "python_sources()\n")
        repository.write("src/other/other.py", "")
        repository.write(LOCK, "")
        repository.write(BUILD_LOCK, "{}\n")
        repository.write(".gitignore", "/.pants.d/\n/.pids/\n/dist/\n")
        _git(repository, "init", "--quiet")
        _git(repository, "add", ".")
        _git(repository, "commit", "--quiet", "--message=all")
        both = {"src/app:image", "src/app:child"}
        for path in (BUILD_LOCK, BASE_LOCK, "src/app/app.py"):
            assert _images_changed_by(repository, path) == both, path
        assert _images_changed_by(repository, "src/other/other.py") == set()
