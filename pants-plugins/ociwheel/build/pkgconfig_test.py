from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ociwheel.build.pkgconfig import (
    NotFoundError,
    Sysroot,
    compare,
    main,
    parse,
    run_pkg_config,
)

LIBPQ = """prefix=/usr
includedir=${prefix}/include
libdir=${prefix}/lib/arm-linux-gnueabihf

Name: libpq
Version: 15.8
Requires: zlib >= 1.2
Requires.private: libssl
Libs: -L${libdir} -lpq
Libs.private: -lm
Cflags: -I${includedir}/postgresql -DA="b c"
"""


@pytest.fixture
def sysroot(tmp_path: Path) -> Sysroot:
    folder = tmp_path / "usr/lib/arm-linux-gnueabihf/pkgconfig"
    folder.mkdir(parents=True)
    (folder / "libpq.pc").write_text(LIBPQ)
    (folder / "zlib.pc").write_text("Name: zlib\nVersion: 1.2.13\nLibs: -lz\n")
    (folder / "libssl.pc").write_text("Name: ssl\nVersion: 3.0.2\nLibs: -lssl\nCflags: -I/usr/include/ssl\n")
    return Sysroot(str(tmp_path), "arm-linux-gnueabihf")


def test_flags_have_the_sysroot_and_private_libraries_only_when_static(sysroot: Sysroot) -> None:
    root = sysroot.root
    assert run_pkg_config(sysroot, ["--libs", "libpq"]) == [f"-L{root}/usr/lib/arm-linux-gnueabihf -lpq -lz"]
    assert run_pkg_config(sysroot, ["--libs", "--static", "libpq"]) == [
        f"-L{root}/usr/lib/arm-linux-gnueabihf -lpq -lm -lz -lssl"
    ]
    assert run_pkg_config(sysroot, ["--cflags", "libpq"]) == [
        f"-I{root}/usr/include/postgresql '-DA=b c' -I{root}/usr/include/ssl"
    ]
    assert run_pkg_config(sysroot, ["--libs-only-l", "libpq"]) == ["-lpq -lz"]


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["--modversion", "libpq"], ["15.8"]),
        (["--exists", "libpq >= 14 zlib"], []),
        (["--atleast-version=15.8", "libpq"], []),
        (["--atleast-version", "15.8", "libpq"], []),
        (["--atleast-pkgconfig-version=0.9"], []),
        (["--print-requires", "libpq"], ["zlib >= 1.2"]),
    ],
)
def test_questions(sysroot: Sysroot, arguments: list[str], answer: list[str]) -> None:
    assert run_pkg_config(sysroot, arguments) == answer


def test_a_missing_module_and_an_old_one(sysroot: Sysroot, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["pkgconfig.py", sysroot.root, sysroot.triplet]
    assert main([*command, "--exists", "nope"]) == 1
    assert main([*command, "--exists", "libpq > 16"]) == 1
    assert capsys.readouterr().err == (
        "Package nope was not found in the pkg-config search path of the sysroot\n"
        "Requested 'libpq > 16' but version of libpq is 15.8\n"
    )
    with pytest.raises(NotFoundError, match="Must specify package names"):
        run_pkg_config(sysroot, ["--libs"])


def test_what_it_does_not_know_is_an_error(sysroot: Sysroot, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pkgconfig.py", sysroot.root, sysroot.triplet, "--print-provides", "libpq"]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err) == (
        "",
        "pkg-config of a cross build does not know the option --print-provides\n",
    )


@pytest.mark.parametrize(
    ("left", "right", "order"),
    [("1.2", "1.10", -1), ("1.0", "1.0", 0), ("1.0.1", "1.0", 1), ("2.0a", "2.0.1", -1), ("1.01", "1.1", 0)],
)
def test_versions(left: str, right: str, order: int) -> None:
    assert compare(left, right) == order
    assert compare(right, left) == -order


@given(st.text(max_size=300))
def test_any_text_parses(text: str) -> None:
    parse("x", text)


@given(st.from_regex(r"[0-9a-z.]{0,10}", fullmatch=True), st.from_regex(r"[0-9a-z.]{0,10}", fullmatch=True))
def test_order_is_antisymmetric(left: str, right: str) -> None:
    assert compare(left, right) == -compare(right, left)


def test_a_variable_that_names_itself_ends(tmp_path: Path) -> None:
    module = parse("x", "a=${a}b\nLibs: -L${a}\n")
    assert module.fields["Libs"].startswith("-L")
    assert os.sep in str(tmp_path)


def test_a_folder_that_is_a_word_of_its_own_is_in_the_sysroot_too(tmp_path: Path) -> None:
    folder = tmp_path / "usr/lib/pkgconfig"
    folder.mkdir(parents=True)
    for name in ("one", "two"):
        (folder / f"{name}.pc").write_text(
            f"Name: {name}\nVersion: 1\nCflags: -isystem /usr/include/{name}\n"
        )
    lines = run_pkg_config(Sysroot(str(tmp_path), "x"), ["--cflags", "one", "two"])
    assert lines == [f"-isystem {tmp_path}/usr/include/one -isystem {tmp_path}/usr/include/two"]
