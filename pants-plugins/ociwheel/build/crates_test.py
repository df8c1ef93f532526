from __future__ import annotations

from pathlib import Path

import pytest

from ociwheel.build.crates import CHECKSUM_FILE, Crate, Crates, read_crates
from ociwheel.errors import BuildError

REGISTRY = "registry+https://github.com/x/y"
A, B = "a" * 64, "b" * 64


def package(name: str, version: str, source: str | None = REGISTRY, checksum: str | None = A) -> str:
    lines = ["[[package]]", f'name = "{name}"', f'version = "{version}"']
    lines += [f'source = "{source}"'] if source else []
    lines += [f'checksum = "{checksum}"'] if checksum else []
    return "\n".join(lines) + "\n"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_crates_that_a_lockfile_names(tmp_path: Path) -> None:
    own = package("own", "1.0.0", None, None)
    text = own + package("wasi", "0.11.0+wasi-1", checksum=B) + package("memchr", "2.7.4")
    write(tmp_path / "Cargo.lock", text)
    # Of a workspace's members.
    write(tmp_path / "crates/one/Cargo.lock", package("memchr", "2.7.4"))
    found = read_crates(tmp_path)
    assert found.to_fetch == (Crate("memchr", "2.7.4", A), Crate("wasi", "0.11.0+wasi-1", B))
    assert (found.lockfiles, found.vendored, found.complete) == (2, 0, False)
    assert found.to_fetch[1].filename == "wasi-0.11.0+wasi-1.crate"
    assert str(found) == "Cargo.lock names 2 crates, the sdist brings 0"


def test_crates_in_the_sdist_need_no_lock(tmp_path: Path) -> None:
    write(tmp_path / "Cargo.lock", package("memchr", "2.7.4"))
    write(tmp_path / "vendor/memchr" / CHECKSUM_FILE, "{}")
    # A crate's own lock is none of the project's.
    write(tmp_path / "vendor/memchr/Cargo.lock", package("other", "1.0.0"))
    found = read_crates(tmp_path)
    assert (found.complete, found.to_fetch) == (True, ())


def test_crates_from_elsewhere_are_no_crates_of_the_registry(tmp_path: Path) -> None:
    text = package("a", "1.0.0", "git+https://me:secret@host.invalid/x?branch=y#1") + package(
        "b", "1.0.0", "sparse+https://host.invalid/"
    )
    write(tmp_path / "Cargo.lock", text + package("c", "1.0.0", checksum=None))
    assert read_crates(tmp_path).others == (
        "a 1.0.0 (git+https://host.invalid/x?branch=y)",
        "b 1.0.0 (sparse+https://host.invalid/)",
        "c 1.0.0 (without a checksum)",
    )


@pytest.mark.parametrize("folder", ["fuzz", "examples/word-count", "tests", "crates/x/benches"])
def test_programs_beside_the_project_need_no_crates(tmp_path: Path, folder: str) -> None:
    write(tmp_path / f"{folder}/Cargo.lock", package("a", "1.0.0", "git+https://host.invalid/x#1"))
    assert read_crates(tmp_path).others == (
        "a 1.0.0 (git+https://host.invalid/x)",
    )  # of nothing else, it may be the project
    write(tmp_path / "Cargo.lock", package("memchr", "2.7.4"))
    found = read_crates(tmp_path)
    assert (found.to_fetch, found.others, found.lockfiles) == ((Crate("memchr", "2.7.4", A),), (), 1)


def test_checksums_of_the_first_version_of_the_format(tmp_path: Path) -> None:
    text = package("memchr", "2.7.4", checksum=None)
    write(tmp_path / "Cargo.lock", f'{text}[metadata]\n"checksum memchr 2.7.4 ({REGISTRY})" = "{B}"\n')
    assert read_crates(tmp_path).locked == (Crate("memchr", "2.7.4", B),)


def test_without_a_lockfile(tmp_path: Path) -> None:
    assert read_crates(tmp_path) == Crates()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "is not TOML"),
        ("package = 7", "package: expected a list, found a number"),
        ("package = [7]", r"package\[0\]: expected an object, found a number"),
        (package("../x", "1.0.0"), r"package\[0\]\.name: expected the name of a crate, found '../x'"),
        (package("x", "1/../2"), r"package\[0\]\.version: expected the version of a crate, found '1/../2'"),
        (package("x", "1.0.0", checksum="c"), r"package\[0\]\.checksum: expected a SHA-256"),
        ("a = " + "[" * 100_000, "is nested too deeply"),
        ("[[package]]\n" * 5001, "package: names 5001 crates; at most 5000 make sense"),
    ],
)
def test_hostile_lockfiles(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path / "Cargo.lock", text)
    with pytest.raises(BuildError, match=rf"^Cargo\.lock: {message}"):
        read_crates(tmp_path)
