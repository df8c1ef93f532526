"""What runs inside the container, run here: the compiler is this machine's."""

from __future__ import annotations

import io
import json
import sys
import tarfile
import zipfile
from dataclasses import asdict
from pathlib import Path

import pytest

from ociwheel.build import in_container
from ociwheel.errors import BuildError
from tests.support.values import value_of

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
# A backend of the sdist's own, which needs nothing installed.
BACKEND = """
import os, pathlib, subprocess, sysconfig, zipfile
def build_wheel(output, config_settings=None, metadata_directory=None):
    for source in ("one.c", "two.c"):
        subprocess.run(["arm-linux-gnueabihf-gcc", "-g", "-fPIC", "-c", source], check=True)
    subprocess.run(["cc", "-g", "-shared", "one.o", "two.o", "-o", "demo.so"], check=True)
    name = f"demo-1.0-py3-none-{sysconfig.get_platform().replace('-', '_')}.whl"
    with zipfile.ZipFile(pathlib.Path(output, name), "w") as wheel:
        wheel.write("demo.so")
        wheel.writestr("settings", f"{config_settings} {os.environ.get('DEMO')}")
        wheel.writestr("demo-1.0.dist-info/RECORD", "")
    print("made", name)
    return name
"""
PYPROJECT = '[build-system]\nrequires = [{}]\nbuild-backend = "backend"\nbackend-path = ["."]\n'
FILES = {
    "pyproject.toml": PYPROJECT.format(""),
    "backend.py": BACKEND,
    "setup.py": "ext_modules=1",
    "one.c": "const char *where(void) { return __FILE__; }\n",
    "two.c": "int two(void) { return 2; }\n",
}


def prepare(root: Path, **changed: str) -> Path:
    inputs = root / "in"
    for folder in ("sdist", "requirements"):
        (inputs / folder).mkdir(parents=True)
    (root / "out").mkdir()
    with tarfile.open(inputs / "sdist/demo-1.0.tar.gz", "w:gz") as archive:
        for name, text in {**FILES, **changed}.items():
            info = tarfile.TarInfo(f"demo-1.0/{name}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    target = {"schema": "ociwheel.target/1", "platform": "linux/arm/v7", "python": f"{MINOR}.0"}
    (inputs / "target.json").write_text(json.dumps({**target, "libc": "glibc", "libc_version": "2.36"}))
    settings = {"name": "demo", "version": "1.0", "env": {"DEMO": "yes"}, "config_settings": {"a": "b"}}
    (inputs / "settings.json").write_text(json.dumps(settings))
    return root


def test_the_backend_compiles_without_debug_information_and_paths(tmp_path: Path) -> None:
    root = prepare(tmp_path / "here")
    result = in_container.run(root)
    assert result.wheel == "demo-1.0-py3-none-linux_armv7l.whl"
    assert result.compiled == 2
    assert result.sources == ("one.c", "two.c")
    assert "made demo-1.0-py3-none-linux_armv7l.whl" in result.lines
    assert in_container.Result.read(value_of(json.loads(json.dumps(asdict(result))))) == result
    with zipfile.ZipFile(root / "out" / result.wheel) as wheel:
        library = wheel.read("demo.so")
        assert wheel.read("settings") == b"{'a': 'b'} yes"
    assert str(root).encode() not in library
    assert b".debug_info" not in library
    assert b".symtab" not in library
    again = in_container.run(prepare(tmp_path / "elsewhere"))
    with zipfile.ZipFile(tmp_path / "elsewhere/out" / str(again.wheel)) as wheel:
        assert wheel.read("demo.so") == library


def test_a_backend_that_fails_answers_with_its_output(tmp_path: Path) -> None:
    root = prepare(tmp_path, **{"one.c": "#include <nowhere.h>\n"})
    result = in_container.run(root)
    assert result.failed_hook
    assert result.wheel is None
    assert any("nowhere.h: No such file" in line for line in result.lines)


def test_what_the_container_cannot_build(tmp_path: Path) -> None:
    missing = prepare(tmp_path / "missing", **{"pyproject.toml": PYPROJECT.format('"setuptools"')})
    with pytest.raises(BuildError, match="the locked build requirements do not fit this sdist"):
        in_container.run(missing)
    rust = prepare(tmp_path / "rust", **{"pyproject.toml": PYPROJECT.format('"maturin"')})
    with pytest.raises(BuildError, match="the container of emulated builds has no cargo"):
        in_container.run(rust)
