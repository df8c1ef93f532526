"""The plugin as other repositories get it: a wheel, named in ``[GLOBAL].plugins``."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.integration.repository import BASE, Caches, Repository, locked, make_repository, stopped

pytestmark = pytest.mark.slow


def write_service(repository: Repository) -> None:
    repository.write("3rdparty/python/BUILD", 'python_requirements(name="reqs")\n')
    repository.write("3rdparty/python/requirements.txt", "idna\n")
    repository.write("3rdparty/python/default.lock", locked("idna"))
    repository.write("src/app/hello.py", "import idna\n\nprint(idna.encode('ä.example'))\n")
    repository.write(
        "src/app/BUILD",
        f"""\
python_sources(name="lib")
slim_python_image(
    name="image", dependencies=[":lib"], entry_point="hello", base="{BASE}", platforms=["linux/amd64"]
)
""",
    )


@pytest.fixture(scope="module")
def wheel(plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-I", "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--wheel-dir", str(folder), str(plugin)], check=True)
    (found,) = folder.iterdir()
    return found


def test_the_wheel_has_code_and_data_and_no_tests(wheel: Path, plugin: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        (metadata,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        text = archive.read(metadata).decode()
    there = {str(path.relative_to(plugin)) for path in plugin.rglob("*") if path.is_file()}
    # The generator of the reference needs Pants and a repository around it; conftest.py is the tests'.
    left_out = {"pyproject.toml", "slim_python_image/reference.py", "ociwheel/conftest.py"}
    assert names == there - left_out
    assert {
        "ociwheel/tools.lock",
        "ociwheel/sandbox/step.sh",
        "ociwheel/elf/data/debian_libraries.json.gz",
    } <= names
    assert any(name.startswith("ociwheel/debian/keys/") for name in names)
    assert not any(name.endswith("_test.py") for name in names)
    assert "Requires-Python: >=3.9\n" in text
    assert "Requires-Dist" not in text


def test_another_repository_packages_with_the_wheel(
    wheel: Path, plugin: Path, caches: Caches, tmp_path: Path
) -> None:
    name, version = wheel.name.split("-")[:2]
    other = make_repository(
        tmp_path / "other", caches, global_options=f'plugins = ["{name.replace("_", "-")}=={version}"]'
    )
    other.write(
        "pants.toml",
        f'{(other.root / "pants.toml").read_text()}\n[python-repos]\nfind_links = ["{wheel.parent.as_uri()}"]\n',
    )
    write_service(other)
    with stopped(other):
        other.package("src/app:image")
        installed = other.layout("src.app/image").index_digest
        helped = other.pants("help", "slim_python_image")
    assert "A slim OCI image of a Python service" in helped.stdout
    # The same code from a folder has the same keys: it finds what the installed one made.
    here = make_repository(tmp_path / "here", caches, plugin=plugin)
    write_service(here)
    assert here.package("src/app:image").started == []
    assert here.layout("src.app/image").index_digest == installed
