"""The cache, read by glibc's own ldconfig, by our program, and by a loader that has nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ociwheel_testing.elf_writer import Elf, elf_bytes

from ociwheel.base.ld_cache import (
    CACHE,
    PROGRAM,
    Library,
    _rank,
    cache_bytes,
    libraries,
)
from ociwheel.base.rootfs import rootfs_entries
from ociwheel.documents import read_document
from ociwheel.elf.tree import ImageTree
from ociwheel.formats.entries import Entry
from ociwheel.layer.writer import write_layer
from ociwheel.platforms import platform
from tests.support.values import target_of

_AMD64 = platform("linux/amd64")
_LIB = "usr/lib/x86_64-linux-gnu"
_TARGET = target_of()
_LDCONFIG = shutil.which("ldconfig", path="/sbin:/usr/sbin") or "ldconfig"


def _facts(folder: Path, files: dict[str, bytes], links: dict[str, str] | None = None) -> dict[str, Any]:
    entries = [Entry(path, "file", 0o644, source=data, origin="a 1") for path, data in files.items()]
    entries += [Entry(path, "symlink", 0, target=end) for path, end in (links or {}).items()]
    write_layer(entries, folder, title="t", contents=())
    return read_document(folder / "layer-facts.json", "layer-facts")


def _printed(cache: Path) -> dict[str, str]:
    out = subprocess.run(
        [_LDCONFIG, "-C", str(cache), "-p"], capture_output=True, text=True, check=True
    ).stdout
    rows = re.findall(r"^\t(\S+) \(libc6,x86-64\) => (\S+)$", out, re.MULTILINE)
    assert out.startswith(f"{len(rows)} libs found in cache")
    return dict(rows)


def test_ldconfig_reads_it(tmp_path: Path) -> None:
    tree = ImageTree(
        [
            _facts(
                tmp_path / "l",
                {
                    f"{_LIB}/libz.so.1.2.13": elf_bytes(Elf(soname="libz.so.1")),
                    f"{_LIB}/libz.so.10": elf_bytes(Elf(soname="libz.so.10")),
                    f"{_LIB}/libplain.so.2": elf_bytes(Elf(needed=["libz.so.1"])),
                    f"{_LIB}/libarm.so.1": elf_bytes(Elf(soname="libarm.so.1", machine=183)),
                    "usr/lib/libold.so.0": elf_bytes(Elf(soname="libold.so.0")),
                    "opt/libother.so.1": elf_bytes(Elf(soname="libother.so.1")),
                    f"{_LIB}/libnolink.so.1.5": elf_bytes(Elf(soname="libnolink.so.1")),
                },
                {f"{_LIB}/libz.so.1": "libz.so.1.2.13"},
            )
        ]
    )
    cache = cache_bytes(libraries(tree, _AMD64), _AMD64)
    assert cache is not None
    (tmp_path / "cache").write_bytes(cache)
    assert _printed(tmp_path / "cache") == {
        "libz.so.1": "/lib/x86_64-linux-gnu/libz.so.1",
        "libz.so.10": "/lib/x86_64-linux-gnu/libz.so.10",
        "libplain.so.2": "/lib/x86_64-linux-gnu/libplain.so.2",
        "libold.so.0": "/lib/libold.so.0",
    }


def test_it_is_what_ldconfig_writes_itself(tmp_path: Path) -> None:
    """Same libraries, same order: glibc searches by bisection, so that order is all."""
    folder = tmp_path / "lib"
    folder.mkdir()
    names = [
        f"libq{n}"
        for n in ("z.so.1", "z.so.10", "z.so.9", "a-2.so.3", "A.so.1", "a.so.3", "xx.so.1", "x.so.1")
    ]
    names += ["libqx1y.so.1", "libqx12.so.1"]
    for name in names:
        (folder / name).write_bytes(elf_bytes(Elf(soname=name)))
    (tmp_path / "conf").write_text(f"{folder}\n")
    command = [_LDCONFIG, "-X", "-f", str(tmp_path / "conf"), "-C", str(tmp_path / "theirs")]
    subprocess.run(command, check=True, capture_output=True)
    theirs = [name for name, path in _printed(tmp_path / "theirs").items() if path.startswith(str(folder))]
    found = tuple(Library(name, f"{folder}/{name}") for name in names)
    (tmp_path / "ours").write_bytes(cache_bytes(found, _AMD64) or b"")
    assert list(_printed(tmp_path / "ours")) == theirs
    assert len(theirs) == len(names)


@given(st.lists(st.text("ab.19-", min_size=1), min_size=2, max_size=2))
def test_ranks_are_a_total_order(names: list[str]) -> None:
    one, other = map(_rank, names)
    assert (one < other) + (one > other) + (one == other) == 1


def test_a_machine_without_known_flags_has_none() -> None:
    assert cache_bytes((), platform("linux/riscv64")) is None


def test_a_library_behind_a_link_of_alternatives(tmp_path: Path) -> None:
    middle = "etc/alternatives/libblas.so.3-x86_64-linux-gnu"
    facts = _facts(
        tmp_path / "l",
        {f"{_LIB}/blas/libblas.so.3.11.0": elf_bytes(Elf(soname="libblas.so.3"))},
        {
            f"{_LIB}/blas/libblas.so.3": "libblas.so.3.11.0",
            middle: f"/{_LIB}/blas/libblas.so.3",
            f"{_LIB}/libblas.so.3": f"/{middle}",
        },
    )
    made = {entry.path: entry for entry in rootfs_entries(_TARGET, "/app", [facts])}
    cache = made[CACHE].source
    assert isinstance(cache, bytes)
    assert b"/lib/x86_64-linux-gnu/libblas.so.3\0" in cache


def test_our_program_prints_what_ldconfig_prints(tmp_path: Path) -> None:
    facts = _facts(tmp_path / "l", {f"{_LIB}/libz.so.1": elf_bytes(Elf(soname="libz.so.1"))})
    made = {entry.path: entry for entry in rootfs_entries(_TARGET, "/app", [facts])}
    source, cache = made[PROGRAM].source, made[CACHE].source
    assert isinstance(source, bytes)
    assert isinstance(cache, bytes)
    assert source.startswith(b"#!/usr/bin/python3.11 -IS\n")
    (tmp_path / "cache").write_bytes(cache)
    script = tmp_path / "ldconfig"
    script.write_bytes(source.replace(f"/{CACHE}".encode(), str(tmp_path / "cache").encode()))
    ours = subprocess.run(
        [sys.executable, "-IS", script, "-p"], capture_output=True, text=True, check=True
    ).stdout
    theirs = subprocess.run(
        [_LDCONFIG, "-C", str(tmp_path / "cache"), "-p"], capture_output=True, text=True, check=True
    ).stdout
    assert ours.splitlines()[:2] == theirs.splitlines()[:2]
    refused = subprocess.run([sys.executable, "-IS", script], capture_output=True, text=True, check=False)
    assert (refused.returncode, "libc-bin" in refused.stderr) == (1, True)


def test_a_base_with_ldconfig_keeps_it(tmp_path: Path) -> None:
    facts = _facts(tmp_path / "l", {PROGRAM: b"theirs"})
    assert PROGRAM not in {entry.path for entry in rootfs_entries(_TARGET, "/app", [facts])}
    assert CACHE not in {entry.path for entry in rootfs_entries(_TARGET, "/app")}


@pytest.mark.parametrize("name", ["linux/amd64", "linux/arm64", "linux/arm/v7"])
def test_the_platforms_of_the_example_have_one(name: str) -> None:
    assert cache_bytes((Library("liba.so.1", "/lib/liba.so.1"),), platform(name)) is not None
