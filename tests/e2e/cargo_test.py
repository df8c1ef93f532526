"""What an sdist in Rust tells Debian's cargo, and what cargo then says: small sdists, each built by the real one."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.table.bases import Bases
from bench.table.following import Choice
from bench.table.steps import StepFailedError
from bench.table.workshop import Workshop
from tests.support.builds import write_sdist
from tests.support.environments import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

MACHINE = os.uname().machine
TRIPLE = f"{MACHINE}-unknown-linux-gnu"
# The newest that Rust of bookworm compiles: one crate, without any of its own.
SHA256 = "2fd1289c04a9ea8cb22300a459a72a385d7c73d3259e2ed7dcb2af674838cfa9"
CRATE = {"name": "cfg-if", "version": "1.0.3", "sha256": SHA256}
# Stands in for maturin: it calls cargo as maturin does, and needs no requirement.
BACKEND = f"""
import glob, os, shutil, subprocess, zipfile
NAME = "probe-1.0-cp311-cp311-linux_{MACHINE}.whl"
def get_requires_for_build_wheel(config_settings=None):
    return []
def build_wheel(folder, config_settings=None, metadata_directory=None):
    subprocess.run(["cargo", "build", "--release", "--lib"], check=True)
    (made,) = glob.glob(os.environ["CARGO_TARGET_DIR"] + "/{TRIPLE}/release/libprobe.so")
    files = {{"probe-1.0.dist-info/METADATA": "Metadata-Version: 2.1\\nName: probe\\nVersion: 1.0\\n",
             "probe-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: false\\n"
             "Tag: cp311-cp311-linux_{MACHINE}\\n"}}
    with zipfile.ZipFile(os.path.join(folder, NAME), "w") as archive:
        archive.write(made, "probe.cpython-311-{MACHINE}-linux-gnu.so")
        for name, text in files.items():
            archive.writestr(name, text)
        rows = [*archive.namelist(), "probe-1.0.dist-info/RECORD"]
        archive.writestr(rows[-1], "".join(f"{{row}},,\\n" for row in rows))
    return NAME
"""
LIBRARY = """
cfg_if::cfg_if! { if #[cfg(special)] { #[no_mangle] pub extern "C" fn special() -> i32 { 1 } } }
#[no_mangle] pub extern "C" fn PyInit_probe() -> *mut u8 { std::ptr::null_mut() }
"""
LOCK = f"""
version = 4
[[package]]
name = "cfg-if"
version = "{CRATE["version"]}"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "{SHA256}"
[[package]]
name = "probe"
version = "0.1.0"
dependencies = ["cfg-if"]
"""


def manifest(package: str = "", dependencies: str = "") -> str:
    return (
        f'[package]\nname = "probe"\nversion = "0.1.0"\nedition = "2021"\n{package}\n'
        f'[lib]\ncrate-type = ["cdylib"]\n[dependencies]\ncfg-if = "1"\n{dependencies}\n'
    )


FILES = {
    "pyproject.toml": (
        '[build-system]\nrequires = []\nbuild-backend = "stand_in_for_maturin"\nbackend-path = ["."]\n'
    ),
    "stand_in_for_maturin.py": BACKEND,
    "Cargo.toml": manifest(),
    "Cargo.lock": LOCK,
    "src/lib.rs": LIBRARY,
}


@dataclass(frozen=True)
class Cargo:
    """The content of builds in Rust."""

    shop: Workshop
    crates: Path

    def build(self, folder: Path, files: Mapping[str, str]) -> bytes:
        """Build an sdist for this machine and return its module.

        :raises StepFailedError: it does not build, with the message.
        """
        source, shop = write_sdist(folder, {**FILES, **files}), self.shop
        (folder / "requirements").mkdir()
        (folder / "settings.json").write_text(json.dumps({"name": "probe", "version": "1.0"}))
        done = shop.steps.step(
            *("build", "--sdist", source, "--target", shop.target(shop.host), "--zig", shop.zig),
            *("--sysroot", shop.sysroot(shop.host, "probe"), "--host-sysroot", shop.host_sysroot),
            *("--tools", shop.tools(rust=True), "--crates", self.crates, "--settings", "settings.json"),
            *("--requirements", "requirements", "--output", "out"),
            cwd=folder,
            interpreter=shop.interpreter,
        )
        with zipfile.ZipFile(folder / "out" / done["filename"]) as archive:
            (module,) = [name for name in archive.namelist() if name.endswith(".so")]
            return archive.read(module)


@pytest.fixture(scope="module")
def cargo(tmp_path_factory: pytest.TempPathFactory) -> Cargo:
    """Give Debian's cargo, locked now, and one crate from the registry."""
    work = tmp_path_factory.mktemp("cargo")
    shop = Workshop(ROOT, work)
    shop.steps.step("toolbox", "--output", work / "tools", "--with", "pip", cwd=work)
    base = {"suites": ["bookworm"], "python": "3.11", "platforms": [shop.host], "packages": ["netbase"]}
    bases = Bases(work / "bases", {**base, "builder_packages": []})
    shop = shop.of_base(bases.lock("probe", Choice(("cargo-web",))))
    (work / "crates.json").write_text(json.dumps({"crates": [CRATE]}))
    arguments = ("--request", "crates.json", "--tools", shop.tools(rust=True), "--output", work / "crates")
    shop.steps.step("fetch-crates", *arguments, cwd=work, interpreter=shop.interpreter)
    return Cargo(shop, work / "crates")


def test_what_an_sdist_says_of_its_makers_machines_does_not_count(cargo: Cargo, tmp_path: Path) -> None:
    theirs = f"""\
[source.crates-io]
replace-with = "mirror"
[source.mirror]
registry = "sparse+https://mirror.invalid/"
[build]
rustc-wrapper = "sccache"
rustflags = ["--cfg", "special", "-Ctarget-cpu=native", "-Clink-arg=-fuse-ld=mold"]
[target.{TRIPLE}]
linker = "no-such-linker"
"""
    toolchain = '[toolchain]\nchannel = "nightly-2026-01-01"\n'
    files = {".cargo/config.toml": theirs, "rust-toolchain.toml": toolchain}
    assert b"special" in cargo.build(tmp_path / "theirs", files)


def test_crates_that_an_sdist_says_it_brings_are_the_locked_ones(cargo: Cargo, tmp_path: Path) -> None:
    config = '[source.crates-io]\nreplace-with = "v"\n[source.v]\ndirectory = "vendor"\n'
    found = cargo.build(tmp_path / "vendor", {".cargo/config.toml": config})
    assert b"special" not in found
    assert found == cargo.build(tmp_path / "plain", {})


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"src/lib.rs": f"#![feature(test)]{LIBRARY}"}, "it asks for a nightly compiler of Rust"),
        (
            {"Cargo.toml": manifest(dependencies='crate-of-nobody = "1"')},
            "its Cargo.toml asks for the crate crate-of-nobody, in no version that its Cargo.lock names",
        ),
        (
            {"Cargo.toml": manifest(dependencies='cfg-if = "=1.0.0"').replace('cfg-if = "1"\n', "")},
            "its Cargo.toml asks for the crate cfg-if, in no version that its Cargo.lock names",
        ),
        (
            {"Cargo.toml": manifest(dependencies='bar = { git = "https://host.invalid/bar" }')},
            "it takes a crate from the git repository https://host.invalid/bar, and builds have no network",
        ),
        (
            {"Cargo.toml": manifest(dependencies='bar = { path = "crates/bar" }')},
            "its sdist lacks probe-1.0/crates/bar/Cargo.toml, which is the manifest of a crate",
        ),
        (
            {"Cargo.toml": manifest('rust-version = "1.88"')},
            "it asks for rustc 1.88 or later, and its builder has 1.85",
        ),
        (
            {"build.rs": 'fn main() { std::net::TcpStream::connect("host.invalid:443").unwrap(); }'},
            "the build tries to reach a host, and builds have no network",
        ),
        (
            {"build.rs": 'fn main() { std::process::Command::new("curl").status().unwrap(); }'},
            "(it may call a program that builds in Rust do not have, such as git or curl)",
        ),
        (
            {"build.rs": 'fn main() { panic!("no luck") }'},
            "the build script of its crate probe v0.1.0 failed: no luck",
        ),
        (
            {"src/lib.rs": f'fn x() -> u8 {{ "a" }}{LIBRARY}'},
            "it does not compile: error[E0308]: mismatched types",
        ),
    ],
)
def test_messages(cargo: Cargo, tmp_path: Path, files: Mapping[str, str], said: str) -> None:
    with pytest.raises(StepFailedError) as caught:
        cargo.build(tmp_path / "sdist", files)
    assert said in str(caught.value).splitlines()[0]
