from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from ociwheel.build.cargo_settings import cfg_flags
from ociwheel.build.compiler import _read_settings, rewrite
from ociwheel.build.rust import RustInputs, RustPlaces, check_rust, host_platform, write_rust
from ociwheel.build.wrappers import Toolchain
from ociwheel.errors import BuildError
from ociwheel.platforms import Platform, platform
from ociwheel.target import Target

ARM = platform("linux/arm/v7")
TRIPLE = "armv7-unknown-linux-gnueabihf"
LOCK = (
    '[[package]]\nname = "own"\n[[package]]\nname = "memchr"\nsource = "registry+https://github.com/x/y"\nversion = "2.7.4"\n'
    f'checksum = "{"a" * 64}"\n'
)


def write(path: Path, text: str = "", mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.fixture
def toolchain(tmp_path: Path) -> Toolchain:
    root = tmp_path / "in"
    (root / f"sysroot/usr/lib/rustlib/{TRIPLE}/lib").mkdir(parents=True)
    return Toolchain(root / "zig", root / "sysroot", target(tmp_path, ARM))


def target(folder: Path, row: Platform) -> Target:
    fields = {"platform": row.oci, "python": "3.11.2", "libc": "glibc", "libc_version": "2.36"}
    return Target.read(write(folder / "t.json", json.dumps({"schema": "ociwheel.target/1", **fields})))


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    folder = tmp_path / "in/tools"
    for name in ("cargo", "rustc"):
        write(folder / "usr/bin" / name, f'#!/bin/sh\necho {name} "$@"\n', 0o755)
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    write(tmp_path / "src/Cargo.lock", LOCK)
    return tmp_path / "src"


def message(tools: Path | None, toolchain: Toolchain, source: Path, crates: Path | None = None) -> str:
    with pytest.raises(BuildError) as e:
        check_rust(RustInputs(toolchain, tools, crates), source, "demo 1 for linux/arm/v7")
    return e.value.render()


def vendor(source: Path) -> None:
    write(source / "vendor/memchr/.cargo-checksum.json", "{}")
    # A crate's own lock is none of the project's.
    write(source / "vendor/memchr/Cargo.lock", LOCK * 3)


def test_without_cargo_the_message_says_what_to_add(toolchain: Toolchain, source: Path) -> None:
    assert message(None, toolchain, source) == (
        "demo 1 for linux/arm/v7: it is written in Rust, and its builder has no cargo\n"
        '  -> use a version that has a wheel for this platform, or add "cargo-web" (Debian 12; "cargo" on '
        "Debian 13) to `builder_packages` of its build settings and lock the base"
    )


def test_without_cargo_the_compiler_that_is_asked_for_is_told_at_once(
    toolchain: Toolchain, source: Path
) -> None:
    write(source / "Cargo.toml", '[package]\nrust-version = "1.83"')
    assert message(None, toolchain, source).splitlines()[1] == (
        "  it asks for rustc 1.83 or later: bookworm has 1.85 (cargo-web), trixie has 1.85 (cargo), "
        "bookworm-security has 1.96 (cargo-web)"
    )
    write(source / "Cargo.toml", '[package]\nrust-version = "1.88"')
    assert message(None, toolchain, source).splitlines()[1] == (
        "  it asks for rustc 1.88 or later: bookworm-security has 1.96 (cargo-web)"
    )
    write(source / "Cargo.toml", '[package]\nrust-version = "2.0"')
    assert message(None, toolchain, source).splitlines()[1] == (
        "  it asks for rustc 2.0 or later: no suite of Debian that is known here has it"
    )


def test_crates_are_in_the_sdist_or_locked(
    toolchain: Toolchain, tools: Path, source: Path, tmp_path: Path
) -> None:
    crates = tmp_path / "crates"
    assert message(tools, toolchain, source, crates) == (
        "demo 1 for linux/arm/v7: it is written in Rust, and its crates are neither in the sdist nor in the "
        "build lock; builds have no network\n"
        "  Cargo.lock names 1 crates, the sdist brings 0\n"
        "  not locked: memchr 2.7.4\n"
        "  -> lock the build requirements of <resolve> anew"
    )
    write(crates / "memchr-2.7.4.crate")
    check_rust(RustInputs(toolchain, tools, crates), source, "")
    vendor(source)
    check_rust(RustInputs(toolchain, tools), source, "")


def test_crates_that_cannot_be_locked(toolchain: Toolchain, tools: Path, source: Path) -> None:
    git = '[[package]]\nname = "a"\nversion = "1.0.0"\nsource = "git+https://host.invalid/x"\n'
    write(source / "Cargo.lock", LOCK + git)
    assert "some of its crates come from elsewhere than the crates registry" in message(
        tools, toolchain, source
    )
    (source / "Cargo.lock").unlink()
    assert "its sdist has no Cargo.lock" in message(tools, toolchain, source)
    # Nobody is sent for cargo first.
    assert "its sdist has no Cargo.lock" in message(None, toolchain, source)


@pytest.mark.parametrize(
    ("manifest", "asked"),
    [
        ('[package]\nrust-version = "1.95"', "1.95"),
        ('[workspace.package]\nrust-version = "1.90.1"\n[package]\nrust-version.workspace = true', "1.90.1"),
    ],
)
def test_a_newer_compiler_is_asked_for(
    toolchain: Toolchain, tools: Path, source: Path, manifest: str, asked: str
) -> None:
    vendor(source)
    write(source / "Cargo.toml", manifest)
    write(tools / "usr/bin/rustc", "#!/bin/sh\necho 'rustc 1.85.0 (4d91de4e4 2025-02-17)'\n", 0o755)
    assert message(tools, toolchain, source) == (
        f"demo 1 for linux/arm/v7: it asks for rustc {asked} or later, and its builder has 1.85.0\n"
        '  -> add the suite "bookworm-security", whose cargo-web has rustc 1.96, to the suites of the base and '
        "lock it again, or use a version that has a wheel for this platform"
    )
    write(source / "Cargo.toml", '[package]\nrust-version = "1.85"')
    check_rust(RustInputs(toolchain, tools), source, "")
    write(source / "Cargo.toml", '[package]\nrust-version = "2.0"')
    assert "no suite of Debian that is known here has rustc 2.0" in message(tools, toolchain, source)


@pytest.mark.parametrize(
    "case",
    [
        # A suite of another Debian is none for this base.
        (
            "1.88",
            (2, 41),
            "no suite of this base's Debian that is known here has it (bookworm-security has 1.96 (cargo-web))",
        ),
        # One with the same compiler is of no use.
        ("1.85.1", (2, 36), 'add the suite "bookworm-security", whose cargo-web has rustc 1.96'),
    ],
)
def test_only_a_newer_compiler_for_this_base_is_proposed(
    toolchain: Toolchain, tools: Path, source: Path, case: tuple[str, tuple[int, int], str]
) -> None:
    asked, libc, hint = case
    vendor(source)
    write(source / "Cargo.toml", f'[package]\nrust-version = "{asked}"')
    write(tools / "usr/bin/rustc", "#!/bin/sh\necho 'rustc 1.85.0 (4d91de4e4 2025-02-17)'\n", 0o755)
    base = replace(toolchain, target=replace(toolchain.target, libc_version=libc))
    assert hint in message(tools, base, source)


def test_a_sysroot_without_the_targets_library(toolchain: Toolchain, tools: Path, source: Path) -> None:
    (toolchain.sysroot / f"usr/lib/rustlib/{TRIPLE}/lib").rmdir()
    (toolchain.sysroot / f"usr/lib/rustlib/{TRIPLE}").rmdir()
    assert message(tools, toolchain, source).splitlines()[0] == (
        f"demo 1 for linux/arm/v7: the builder has no Rust library for {TRIPLE}"
    )


@pytest.fixture
def places(toolchain: Toolchain, source: Path, tmp_path: Path) -> RustPlaces:
    """Where cargo is written, with the packages of the machine that builds."""
    triplet = host_platform().triplet
    for name in (f"gcc/{triplet}/12/crtbeginS.o", f"gcc/{triplet}/12/libstdc++.so", f"{triplet}/crti.o"):
        write(tmp_path / "host/usr/lib" / name)
    binaries = tmp_path / "work/cross/bin"
    binaries.mkdir(parents=True)
    return RustPlaces(source, Path("/python"), binaries, tmp_path / "work/rust")


def test_cargo_links_for_the_target_and_build_scripts_for_this_machine(
    toolchain: Toolchain, tools: Path, places: RustPlaces, tmp_path: Path
) -> None:
    host, binaries = host_platform(), places.binaries
    found = write_rust(tools, tmp_path / "host", toolchain, places)
    assert found["CARGO_BUILD_TARGET"] == TRIPLE
    assert found[f"CARGO_TARGET_{TRIPLE.upper().replace('-', '_')}_LINKER"] == "arm-linux-gnueabihf-cc"
    assert f"--remap-path-prefix={tmp_path}/work=/build" in found["CARGO_ENCODED_RUSTFLAGS"].split("\x1f")
    said = subprocess.run([binaries / "rustc", "-V"], capture_output=True, text=True, check=True).stdout
    assert said == f"rustc --sysroot {tmp_path}/work/rust/sysroot -V\n"
    lib = tmp_path / "work/rust/sysroot/lib/rustlib"
    assert os.readlink(lib / TRIPLE) == f"{toolchain.sysroot}/usr/lib/rustlib/{TRIPLE}"
    assert len(list(lib.iterdir())) == 2
    config = _read_settings(str(binaries.parent / "host-cc.settings"))
    link = rewrite(["main.o", "-o", "main"], False, config)
    assert f"--gcc-install-dir={tmp_path}/host/usr/lib/gcc/{host.triplet}/12" in link
    assert [w for w in link if "dynamic-linker" in w] == [f"-Wl,--dynamic-linker={tools}/usr{host.loader}"]


def test_what_the_sdist_tells_cargo_of_its_makers_machines_does_not_count(
    toolchain: Toolchain, tools: Path, places: RustPlaces, tmp_path: Path
) -> None:
    write(
        places.source / ".cargo/config.toml",
        f"""\
[source.crates-io]
replace-with = "mirror"
[source.mirror]
registry = "sparse+https://mirror.invalid/"
[build]
rustc-wrapper = "sccache"
rustflags = ["--cfg", "tokio_unstable", "-Ctarget-cpu=native", "--cfg=own"]
[target.{TRIPLE}]
linker = "mold"
""",
    )
    (tmp_path / "crates").mkdir()
    found = write_rust(tools, tmp_path / "host", toolchain, places, tmp_path / "crates")
    said = subprocess.run([places.binaries / "cargo", "rustc"], capture_output=True, text=True, check=True)
    config = places.folder / "home/config.toml"
    assert said.stdout == f"cargo --config {config} rustc\n"
    assert 'replace-with = "locked"' in config.read_text()
    # Flags of the user's are taken instead of the project's, before ours, of which the last counts.
    places = replace(places, env={"RUSTFLAGS": "-Ctarget-cpu=x86-64-v2"}, folder=tmp_path / "work/again")
    again = write_rust(tools, tmp_path / "host", toolchain, places)["CARGO_ENCODED_RUSTFLAGS"].split("\x1f")
    assert again[:2] == ["-Ctarget-cpu=x86-64-v2", "-Cstrip=symbols"]
    # cargo: a variable counts more than a file, and an empty wrapper is none.
    assert found["RUSTC_WRAPPER"] == found["RUSTC_WORKSPACE_WRAPPER"] == ""
    assert found[f"CARGO_TARGET_{TRIPLE.upper().replace('-', '_')}_LINKER"] == "arm-linux-gnueabihf-cc"
    flags = found["CARGO_ENCODED_RUSTFLAGS"].split("\x1f")
    assert flags[:4] == ["--cfg", "tokio_unstable", "--cfg", "own"]
    assert not [flag for flag in flags if "native" in flag]


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("[build]\nrustflags = '--cfg a -Copt-level=1'\n", ("--cfg", "a")),
        # Those of the target are taken instead of the build's.
        (
            f"[build]\nrustflags = ['--cfg', 'a']\n[target.{TRIPLE}]\nrustflags = ['--cfg=b']\n",
            ("--cfg", "b"),
        ),
        (f"[build]\nrustflags = ['--cfg=a']\n[target.{TRIPLE}]\nrustflags = []\n", ("--cfg", "a")),
        ("[target.x86_64-apple-darwin]\nrustflags = ['--cfg', 'a']\n", ()),
        ("[build]\nrustflags = ['--cfg']\n", ()),
        ("[build]\nrustflags = []\n", ()),
        ("[net]\noffline = false\n", ()),
        (None, ()),
    ],
)
def test_names_that_a_project_is_compiled_under(
    tmp_path: Path, text: str | None, flags: tuple[str, ...]
) -> None:
    if text is not None:
        write(tmp_path / ".cargo/config.toml", text)
    assert cfg_flags(tmp_path, TRIPLE) == flags


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "is not TOML"),
        ("build = 7", "build: expected an object, found a number"),
        ("[build]\nrustflags = 7", "build.rustflags: expected a list, found a number"),
        ("[build]\nrustflags = [7]", r"build.rustflags\[0\]: expected a text, found a number"),
    ],
)
def test_hostile_configurations_of_cargo(tmp_path: Path, text: str, said: str) -> None:
    write(tmp_path / ".cargo/config", text)
    with pytest.raises(BuildError, match=rf"^\.cargo/config: {said}"):
        cfg_flags(tmp_path, TRIPLE)
