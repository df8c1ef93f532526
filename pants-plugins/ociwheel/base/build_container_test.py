"""The image that emulated builds run in, from packages made up for the test."""

from __future__ import annotations

import argparse
import json
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from ociwheel.base import build_container_step
from ociwheel.errors import BaseError, UsageError
from ociwheel.image.layout import Descriptor, Layout
from tests.support.debian import Item, folder, write_debs

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
PACKAGES = {
    "gcc": [folder("./usr/"), folder("./usr/bin/"), Item("./usr/bin/gcc", b"gcc", 0o755)],
    "dash": [Item("./bin/dash", b"sh", 0o755), Item("./usr/share/doc/dash/copyright", b"all")],
    "mawk": [Item("./usr/bin/mawk", b"awk", 0o755)],
    "zlib1g-dev": [Item("./usr/include/zlib.h", b"int z;"), Item("./usr/lib/libz.a", b"!<arch>\n")],
    f"libpython{MINOR}-stdlib": [Item(f"./usr/lib/python{MINOR}/os.py", b"x = 1\n")],
}


def make(tmp_path: Path, packages: dict[str, Any], output: str = "out", python: str = f"{MINOR}.2") -> Layout:
    debs = write_debs(tmp_path / f"debs-{output}", packages, "armhf")
    target = {"schema": "ociwheel.target/1", "platform": "linux/arm/v7", "python": python}
    (tmp_path / "target.json").write_text(json.dumps({**target, "libc": "glibc", "libc_version": "2.36"}))
    build_container_step.run(
        argparse.Namespace(debs=debs, target=tmp_path / "target.json", output=tmp_path / output)
    )
    return Layout(tmp_path / output)


def config_of(layout: Layout) -> dict[str, Any]:
    (manifest,) = layout.manifests()
    assert manifest.platform == {"os": "linux", "architecture": "arm", "variant": "v7"}
    return layout.read(Descriptor.parse(layout.read(manifest)["config"], "config"))


def files_of(layout: Layout) -> dict[str, tuple[str, int, int, str]]:
    (manifest,) = layout.manifests()
    (layer,) = layout.read(manifest)["layers"]
    with tarfile.open(layout.blob(Descriptor.parse(layer, "layer"))) as tar:
        return {m.name: (m.type.decode(), m.mode, m.uid, m.linkname) for m in tar}


def test_headers_and_archives_are_there_with_the_links_of_maintainer_scripts(tmp_path: Path) -> None:
    layout = make(tmp_path, PACKAGES)
    config = config_of(layout)
    assert (config["os"], config["architecture"], config["variant"]) == ("linux", "arm", "v7")
    assert config["config"] == {"User": "65532:65532", "WorkingDir": "/build"}
    files = files_of(layout)
    assert {"usr/include/zlib.h", "usr/lib/libz.a", "usr/bin/dash", "tmp", "etc/passwd"} <= set(files)
    assert f"usr/lib/python{MINOR}/__pycache__/os.cpython-{MINOR.replace('.', '')}.pyc" in files
    links = {name: row[3] for name, row in files.items() if row[0] == "2"}
    assert (links["bin"], links["usr/bin/sh"], links["usr/bin/cc"]) == ("usr/bin", "dash", "gcc")
    assert links["usr/bin/awk"] == "mawk"
    assert "usr/bin/c++" not in files
    assert not [name for name in files if name.startswith(("app", "usr/share/doc"))]
    assert files["build/out"] == ("5", 0o755, 65532, "")
    again = make(tmp_path, PACKAGES, "again")
    assert again.manifests() == layout.manifests()


def test_an_image_without_a_compiler_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BaseError, match="no C compiler"):
        make(tmp_path, {name: items for name, items in PACKAGES.items() if name != "gcc"})


def test_another_python_cannot_make_the_bytecode(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"bytecode for Python 2\.7 cannot be made"):
        make(tmp_path, PACKAGES, python="2.7.18")
