"""The scripts that start unpacked programs, with a loader that only tells how it was called."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ociwheel.base.programs import write_programs
from ociwheel.debian.deb import read_debs
from ociwheel.errors import BaseError
from ociwheel.platforms import platform
from tests.support.debian import Item, symlink, write_debs

ROW = platform("linux/arm64")
LIBC = [
    Item(f"./lib/{ROW.triplet}/ld.so", b'#!/bin/sh\nfor word in "$@"; do echo "$word"; done\n', 0o755),
    symlink(f".{ROW.loader}", f"/lib/{ROW.triplet}/ld.so"),
    Item("./etc/ld.so.conf", b""),
]
MAKE = [
    Item("./usr/bin/make", b"elf", 0o755),
    Item("./usr/bin/make-first-existing-target", b"#!/usr/bin/perl", 0o755),
    Item("./usr/share/doc/make/copyright", b""),
]
RUST = [Item("./usr/bin/rustc", b"elf", 0o755), Item("./usr/lib/rustlib/x/lib/libcore.rlib", b"")]


def unpack(tmp_path: Path, **packages: list[Item]) -> Path:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    output = tmp_path / "a place/tools"
    write_programs(read_debs(write_debs(tmp_path / "debs", packages, ROW.debian), scratch), ROW, output)
    return output


def test_the_tree_has_the_programs_and_what_they_load(tmp_path: Path) -> None:
    tree = unpack(tmp_path, libc6=LIBC, make=MAKE, rustc=RUST)
    names = {str(p.relative_to(tree)) for p in tree.rglob("*") if p.is_symlink() or p.is_file()}
    assert names == {
        "usr/bin/make",
        "usr/bin/rustc",
        f"usr/lib/{ROW.triplet}/ld.so",
        f"usr{ROW.loader}",
        "usr/lib/rustlib/x/lib/libcore.rlib",
        "usr/libexec/make",
        "usr/libexec/rustc",
    }


def test_a_program_runs_through_its_own_loader_wherever_it_is(tmp_path: Path) -> None:
    moved = tmp_path / "moved tools"
    shutil.move(unpack(tmp_path, libc6=LIBC, make=MAKE), moved)
    script = moved / "usr/bin/make"
    said = subprocess.run([script, "-j", "two words"], capture_output=True, text=True, check=True).stdout
    root = f"{moved}/usr/bin/../.."
    assert said.splitlines() == [
        "--inhibit-cache",
        "--library-path",
        f"{root}/usr/lib/{ROW.triplet}:{root}/usr/lib",
        # What make calls itself by, $(MAKE), is the script again.
        *("--argv0", str(script)),
        *(f"{root}/usr/libexec/make", "-j", "two words"),
    ]


def test_utilities_come_by_every_name_and_their_scripts_as_they_are(tmp_path: Path) -> None:
    grep = [Item("./bin/grep", b"elf", 0o755), Item("./bin/egrep", b"#!/bin/sh\nexec grep -E", 0o755)]
    mawk = [Item("./usr/bin/mawk", b"elf", 0o755), Item("./usr/bin/unknown", b"elf", 0o755)]
    coreutils = [Item("./usr/bin/[", b"elf", 0o755)]
    tree = unpack(tmp_path, libc6=LIBC, coreutils=coreutils, grep=grep, mawk=mawk)
    assert {path.name for path in (tree / "usr/bin").iterdir()} == {"[", "awk", "egrep", "grep", "mawk"}
    assert (tree / "usr/bin/egrep").read_bytes() == b"#!/bin/sh\nexec grep -E"
    for name in ("awk", "mawk"):
        said = subprocess.run([tree / "usr/bin" / name], capture_output=True, text=True, check=True).stdout
        assert said.splitlines()[-1].endswith("/usr/libexec/mawk")


def test_packages_without_a_program_or_a_loader(tmp_path: Path) -> None:
    with pytest.raises(BaseError, match="the packages have no program that builds call"):
        unpack(tmp_path, libc6=LIBC)
    (tmp_path / "other").mkdir()
    with pytest.raises(BaseError, match=f"the packages have no {ROW.loader}"):
        unpack(tmp_path / "other", make=MAKE)
