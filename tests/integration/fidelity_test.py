"""A sample of `bench/fidelity`: an image of 20 distributions beside what `uv pip install` makes of the same lock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.installed import images
from bench.installed.compare import Comparison, compare
from bench.installed.imports import import_all
from bench.installed.loads import load_all
from tests.integration.repository import ROOT, Caches, Repository, make_repository, stopped

pytestmark = pytest.mark.slow
LOCK = ROOT / "bench/installed/sample.lock"
SITE = f"lib/python{images.MINOR}/site-packages"


@pytest.fixture(scope="module")
def repository(
    tmp_path_factory: pytest.TempPathFactory, plugin: Path, caches: Caches
) -> Iterator[Repository]:
    folder = tmp_path_factory.mktemp("fidelity")
    with stopped(make_repository(folder / "repository", caches, plugin=plugin)) as made:
        images.write_resolves(made, ["sample"])
        yield made


@pytest.fixture(scope="module")
def packaged(repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> images.Packaged:
    return images.package(repository, "sample", LOCK.read_text(), tmp_path_factory.mktemp("sample") / "root")


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return images.install(LOCK, tmp_path_factory.mktemp("installed") / "venv")


def test_every_difference_is_by_a_rule(packaged: images.Packaged, venv: Path) -> None:
    found = compare(packaged.root / "app", venv)
    assert found.findings == []
    # As many as the lock has, so that nothing was compared with nothing.
    assert found.by_rule["record"] == LOCK.read_text().count("==")
    assert found.equal > 2000


def test_what_the_audit_lets_pass_is_imported(packaged: images.Packaged) -> None:
    assert packaged.refused == ""
    loaded = load_all(packaged.root, images.MINOR, packaged.audit)
    assert {one.kind for one in loaded} == {"loaded"}
    assert len(loaded) > 20
    found = import_all(packaged.root, images.MINOR)
    assert [one for one in found if one.error] == []
    assert {"lxml", "cryptography", "pydantic", "_cffi_backend"} <= {one.module for one in found}


def test_a_difference_by_no_rule_is_found(packaged: images.Packaged, venv: Path, tmp_path: Path) -> None:
    def app(folder: str, text: str, mode: int = 0o644) -> Path:
        file = tmp_path / folder / SITE / "idna/core.py"
        file.parent.mkdir(parents=True)
        file.write_text(text)
        file.chmod(mode)
        return tmp_path / folder

    assert compare(app("one", "1"), app("same", "1")) == Comparison(files=1, equal=1)
    assert compare(app("other", "2"), tmp_path / "one").findings == [f"{SITE}/idna/core.py: another content"]
    assert compare(tmp_path / "empty", tmp_path / "one").findings == [
        f"{SITE}/idna/core.py: the installer has it"
    ]
    assert compare(app("mode", "1", 0o755), tmp_path / "one").findings == [
        f"{SITE}/idna/core.py: mode 755, the installer's has 644"
    ]
    installed = (packaged.root / "app" / SITE / "idna/core.py").read_bytes()
    assert installed == (venv / SITE / "idna/core.py").read_bytes()
