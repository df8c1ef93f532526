"""The scripts that start an unpacked Python, with a loader that only tells how it was called."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ociwheel.base.interpreter import write_interpreter
from ociwheel.base.venv import write_venv
from ociwheel.debian.deb import read_debs
from ociwheel.errors import BaseError
from ociwheel.platforms import PLATFORMS, Platform
from tests.support.debian import Item, symlink, write_debs
from tests.support.values import target_of

LOADER = b'#!/bin/sh\nfor word in "$@"; do echo "$word"; done\n'


def foreign() -> Platform:
    """A platform that this machine does not run, so that no bytecode is tried."""
    return next(row for row in PLATFORMS if row.machine != os.uname().machine and "64" in row.loader)


ROW = foreign()
TARGET = target_of(ROW.oci)
PACKAGES = {
    "libc6": [
        Item(f"./lib/{ROW.triplet}/ld.so", LOADER, 0o755),
        symlink(f".{ROW.loader}", f"/lib/{ROW.triplet}/ld.so"),
        Item("./usr/share/doc/libc6/copyright", b""),
        Item("./etc/ld.so.conf", b""),
    ],
    "python3.11-minimal": [
        Item("./usr/bin/python3.11", b"elf", 0o755),
        Item("./usr/bin/pdb3.11", b"#!/usr/bin/python3.11", 0o755),
        symlink("./usr/lib/python3.11/sitecustomize.py", "/etc/python3.11/sitecustomize.py"),
        Item("./usr/lib/python3.11/os.py", b""),
    ],
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    packages = read_debs(write_debs(tmp_path / "debs", PACKAGES, ROW.debian), scratch)
    output = tmp_path / "a place/tree"
    write_interpreter(packages, TARGET, output)
    return output


def call(program: str | Path, cwd: Path) -> list[str]:
    argv = [str(program), "-c", "two words", ""]
    done = subprocess.run(argv, env={}, cwd=cwd, capture_output=True, check=True, text=True)
    return done.stdout.split("\n")[:-1]


def expected(root: str, called: str) -> list[str]:
    return [
        "--inhibit-cache",
        "--library-path",
        f"{root}/usr/lib/{ROW.triplet}:{root}/usr/lib",
        "--argv0",
        called,
        f"{root}/usr/libexec/python3.11",
        "-c",
        "two words",
        "",
    ]


def test_the_tree_has_nothing_but_python(tree: Path) -> None:
    names = sorted(str(p.relative_to(tree)) for p in tree.rglob("*") if p.is_symlink() or p.is_file())
    loader = f"usr{ROW.loader}"
    assert names == sorted(
        [
            "usr/bin/python",
            "usr/bin/python3",
            "usr/bin/python3.11",
            f"usr/lib/{ROW.triplet}/ld.so",
            "usr/lib/python3.11/os.py",
            loader,
            "usr/libexec/python3.11",
        ]
    )
    assert not os.readlink(tree / loader).startswith("/")


def test_the_script_passes_on_how_it_was_called(tree: Path, tmp_path: Path) -> None:
    shim = tree / "usr/bin/python3"
    assert call(shim, tmp_path) == expected(f"{shim.parent}/../..", str(shim))
    assert call("a place/tree/usr/bin/python", tmp_path) == expected(
        "a place/tree/usr/bin/../..", "a place/tree/usr/bin/python"
    )


def test_the_tree_may_be_moved_and_be_behind_a_link(tree: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.move(tree, moved)
    link = tmp_path / "link"
    link.symlink_to(moved)
    shim = link / "usr/bin/python3.11"
    assert call(shim, Path("/")) == expected(f"{shim.parent}/../..", str(shim))


def test_a_virtual_environment_finds_its_way_back(tree: Path, tmp_path: Path) -> None:
    venv = tmp_path / "the venv"
    python = write_venv(tree, venv)
    assert python == venv / "bin/python"
    assert call(python, Path("/")) == expected(f"{tree}/usr/bin/../..", str(python))
    assert (venv / "pyvenv.cfg").read_text() == (
        f"home = {tree}/usr/bin\ninclude-system-site-packages = false\nversion = 3.11\n"
    )
    assert (venv / "lib/python3.11/site-packages").is_dir()


def test_an_environment_that_the_venv_module_makes_works_too(tree: Path, tmp_path: Path) -> None:
    """It has links to the script instead of a script."""
    binaries = tmp_path / "venv/bin"
    binaries.mkdir(parents=True)
    (binaries / "python").symlink_to(tree / "usr/bin/python")
    (tmp_path / "venv/pyvenv.cfg").write_text(f"home = {tree}/usr/bin\nversion = 3.11.2\n")
    called = binaries / "python"
    assert call(called, Path("/")) == expected(f"{tree}/usr/bin/../..", str(called))


def test_an_environment_needs_an_interpreter_of_ours(tmp_path: Path) -> None:
    with pytest.raises(BaseError) as e:
        write_venv(tmp_path, tmp_path / "venv")
    assert str(e.value) == (
        f"{tmp_path}/usr/bin/python3: is no interpreter that `python -m ociwheel interpreter` wrote"
    )
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("libc6", f"the packages have no {ROW.loader}"),
        ("python3.11-minimal", "the packages have no /usr/bin/python3.11"),
    ],
)
def test_packages_that_make_no_interpreter(tmp_path: Path, missing: str, message: str) -> None:
    packages = {name: items for name, items in PACKAGES.items() if name != missing}
    debs = write_debs(tmp_path / "debs", packages, ROW.debian)
    with pytest.raises(BaseError) as e:
        write_interpreter(read_debs(debs, tmp_path), TARGET, tmp_path / "out")
    (left,) = packages
    assert str(e.value) == f"{message}\n  {left} 1.0-1"
