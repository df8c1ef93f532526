from __future__ import annotations

import io
import tarfile
from argparse import Namespace
from pathlib import Path

import pytest

from ociwheel.errors import BuildError
from ociwheel.sdist.inspect_sdist_step import run


def sdist(folder: Path, **files: str) -> Path:
    path = folder / "demo-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in {"README": "", **files}.items():
            info = tarfile.TarInfo(f"demo-1.0/{name}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return path


def test_a_pure_sdist(tmp_path: Path) -> None:
    path = sdist(tmp_path, **{"setup.py": "setup(name='demo')", "tests/x.c": "", "launcher.c": ""})
    assert run(Namespace(sdist=path)) == {
        "schema": "ociwheel.sdist/1",
        "filename": "demo-1.0.tar.gz",
        "size": path.stat().st_size,
        "backend": "setuptools.build_meta:__legacy__",
        "native": False,
        "rust": False,
        "sources": 0,
    }


def test_a_native_sdist(tmp_path: Path) -> None:
    files = {"setup.py": "setup(ext_modules=[])", "src/a.c": "", "src/b.pyx": "", "tests/x.c": ""}
    found = run(Namespace(sdist=sdist(tmp_path, **files)))
    assert (found["native"], found["rust"], found["sources"]) == (True, False, 2)


def test_rust_is_native(tmp_path: Path) -> None:
    project = '[build-system]\nrequires = ["maturin>=1"]\nbuild-backend = "maturin"\n'
    found = run(Namespace(sdist=sdist(tmp_path, **{"pyproject.toml": project, "src/lib.rs": ""})))
    assert (found["native"], found["rust"], found["backend"]) == (True, True, "maturin")


def test_no_archive(tmp_path: Path) -> None:
    path = tmp_path / "demo-1.0.tar.gz"
    path.write_bytes(b"nothing")
    with pytest.raises(BuildError, match=r"^demo-1\.0\.tar\.gz: it is no tar archive"):
        run(Namespace(sdist=path))
