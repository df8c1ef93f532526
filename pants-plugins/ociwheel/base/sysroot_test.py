from __future__ import annotations

import argparse
import json
import os
from typing import TYPE_CHECKING

import pytest

from ociwheel.base import sysroot_step
from ociwheel.base.sysroot import is_kept
from ociwheel.cli.main import main
from ociwheel.errors import BaseError
from tests.support.debian import Item, hardlink, symlink, write_debs

if TYPE_CHECKING:
    from pathlib import Path

TARGET = {
    "schema": "ociwheel.target/1",
    "platform": "linux/amd64",
    "python": "3.11.2",
    "libc": "glibc",
    "libc_version": "2.36",
}
LIB = "x86_64-linux-gnu"
PACKAGES = {
    "zlib1g": [
        Item(f"./lib/{LIB}/libz.so.1.2.13", b"elf"),
        symlink(f"./lib/{LIB}/libz.so.1", "libz.so.1.2.13"),
    ],
    "zlib1g-dev": [
        symlink(f"./usr/lib/{LIB}/libz.so", f"/lib/{LIB}/libz.so.1.2.13"),
        Item(f"./usr/lib/{LIB}/libz.a", b"archive", 0o600),
        Item(f"./usr/lib/{LIB}/pkgconfig/zlib.pc", b"pc"),
        Item("./usr/include/zlib.h", b"header", 0o666),
        hardlink("./usr/include/zlib2.h", "./usr/include/zlib.h"),
        Item("./usr/bin/zlib-config", b"#!/bin/sh", 0o755),
        symlink(f"./usr/lib/{LIB}/libgone.so", "libgone.so.1"),
        symlink(f"./usr/lib/{LIB}/liboutside.so", "../../../../../etc/passwd"),
        symlink(f"./usr/lib/{LIB}/libloop.so", "libloop.so"),
        Item("./usr/share/man/man3/zlib.3.gz", b"man"),
        Item(f"./usr/lib/gcc/{LIB}/12/libgcc.a", b"archive"),
        Item(f"./usr/lib/gcc/{LIB}/12/libasan.a", b"archive"),
        Item("./usr/include/linux/netfilter/xt_MARK.h", b"older"),
        Item("./usr/include/linux/netfilter/xt_mark.h", b"newer"),
        Item("./usr/include/linux/netfilter/xt_RATE.h", b"alone"),
    ],
    "libpython3.11-stdlib": [
        Item(f"./usr/lib/python3.11/_sysconfigdata__{LIB}.py", b"build_time_vars = {}"),
        Item("./usr/lib/python3.11/os.py", b""),
    ],
}


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "target.json"
    path.write_text(json.dumps(TARGET))
    return path


def listing(root: Path) -> list[str]:
    lines = []
    for path in sorted(p for p in root.rglob("*") if p.is_symlink() or p.is_file()):
        name = path.relative_to(root)
        mode = path.lstat().st_mode & 0o777
        lines.append(f"{name} -> {os.readlink(path)}" if path.is_symlink() else f"{name} {mode:04o}")
    return lines


def test_a_sysroot_has_what_compiling_needs(tmp_path: Path, target: Path) -> None:
    debs, output = write_debs(tmp_path / "debs", PACKAGES), tmp_path / "out"
    umask = os.umask(0o077)
    try:
        code = main(["sysroot", "--debs", str(debs), "--target", str(target), "--output", str(output)])
    finally:
        os.umask(umask)
    assert code == 0
    assert listing(output) == [
        "lib -> usr/lib",
        "usr/bin/zlib-config 0755",
        "usr/include/linux/netfilter/xt_RATE.h 0644",
        "usr/include/linux/netfilter/xt_mark.h 0644",
        "usr/include/zlib.h 0644",
        "usr/include/zlib2.h 0644",
        f"usr/lib/gcc/{LIB}/12/libgcc.a 0644",
        f"usr/lib/python3.11/_sysconfigdata__{LIB}.py 0644",
        f"usr/lib/{LIB}/libz.a 0644",
        f"usr/lib/{LIB}/libz.so -> libz.so.1.2.13",
        f"usr/lib/{LIB}/libz.so.1 -> libz.so.1.2.13",
        f"usr/lib/{LIB}/libz.so.1.2.13 0644",
        f"usr/lib/{LIB}/pkgconfig/zlib.pc 0644",
    ]
    assert {p.stat().st_mode & 0o777 for p in [output, *output.rglob("*")] if p.is_dir()} == {0o755}


def test_the_document_counts_files(
    tmp_path: Path, target: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    debs = write_debs(tmp_path / "debs", {"one": [Item("./usr/include/a.h", b"12345")]})
    main(["sysroot", "--debs", str(debs), "--target", str(target), "--output", str(tmp_path / "out")])
    assert json.loads(capfdbinary.readouterr().out) == {
        "schema": "ociwheel.tree/1",
        "files": 1,
        "size": 5,
        "runtime": False,
    }


def test_nothing_is_written_through_a_link_of_a_package(tmp_path: Path, target: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    packages = {
        "evil": [
            symlink("./usr/include/trap", f"../../../{outside.name}"),
            Item("./usr/include/trap/owned.h", b"x"),
        ]
    }
    debs = write_debs(tmp_path / "debs", packages)
    parser = sysroot_parser()
    with pytest.raises(BaseError) as e:
        sysroot_step.run(
            parser.parse_args(
                ["--debs", str(debs), "--target", str(target), "--output", str(tmp_path / "out")]
            )
        )
    assert str(e.value) == "evil 1.0-1: /usr/include/trap/owned.h is below /usr/include/trap, a symlink"
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("text", ["/", "../../..", "../.."])
def test_a_link_to_the_root_is_one_like_others(tmp_path: Path, target: Path, text: str) -> None:
    debs = write_debs(
        tmp_path / "debs", {"one": [Item("./usr/include/a.h", b"1"), symlink("./usr/include/all", text)]}
    )
    out = tmp_path / "out"
    assert main(["sysroot", "--debs", str(debs), "--target", str(target), "--output", str(out)]) == 0
    assert listing(out) == ["usr/include/a.h 0644", "usr/include/all -> ../.."]


def test_packages_of_another_architecture_are_refused(tmp_path: Path, target: Path) -> None:
    debs = write_debs(tmp_path / "debs", {"one": []}, architecture="armhf")
    with pytest.raises(BaseError, match="these packages are not for linux/amd64"):
        sysroot_step.run(
            sysroot_parser().parse_args(
                ["--debs", str(debs), "--target", str(target), "--output", str(tmp_path / "out")]
            )
        )


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("usr/lib/x86_64-linux-gnu/libpq.so", True),
        ("usr/lib/x86_64-linux-gnu/cmake/x/x.cmake", True),
        ("usr/lib/x86_64-linux-gnu/gconv/UTF-7.so", False),
        ("usr/lib/python3.11/config-3.11-x86_64-linux-gnu/Makefile", True),
        ("usr/lib/python3.11/config-3.11-x86_64-linux-gnu/libpython3.11.a", False),
        ("usr/lib/python3.11/json/__init__.py", False),
        ("usr/bin/pg_config", True),
        ("usr/bin/openssl", False),
        ("etc/ld.so.conf", False),
    ],
)
def test_what_a_sysroot_keeps(path: str, kept: bool) -> None:
    assert is_kept(path) is kept


def sysroot_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    sysroot_step.configure(parser)
    return parser
