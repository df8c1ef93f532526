"""Cross builds of Rust extensions: cargo and rustc of the locked tools, our compiler as linker.

cargo finds everything in variables, which the cargo book ("Environment variables cargo reads") and PyO3's
guide ("Cross compiling") list. Crates come with the sdist or from the build lock: no build has a network.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ociwheel.build.cargo_settings import cfg_flags
from ociwheel.build.crates import Crates, read_crates
from ociwheel.build.rust_version import compiler_version, too_old, wanted_version, who_has
from ociwheel.build.scripts import write_program
from ociwheel.build.target_python import library_folder
from ociwheel.build.vendor import vendor
from ociwheel.build.wrappers import Toolchain, write_host_compiler
from ociwheel.errors import BuildError
from ociwheel.platforms import Platform, of_machine
from ociwheel.remedies import Remedy

_RUSTLIB = "usr/lib/rustlib"
HOST_LINKER = "host-cc"
_USE_WHEEL = "use a version that has a wheel for this platform"


@dataclass(frozen=True)
class RustInputs:
    """What a Rust extension is built with, and who is told what to do where it is not enough.

    :param tools: what the ``build-programs`` step made.
    :param crates: what the ``fetch-crates`` step made.
    :param resolve: whose build lock names the crates.
    """

    toolchain: Toolchain
    tools: Path | None
    crates: Path | None = None
    resolve: str = "<resolve>"


def check_rust(inputs: RustInputs, source: Path, where: str) -> None:
    """Check that there is what a Rust extension is built with, before anything runs.

    :raises BuildError: there is not; it tells what to add.
    """
    tools, toolchain = inputs.tools, inputs.toolchain
    # What no lock can mend comes first: nobody is sent for a compiler that then compiles nothing.
    crates, wanted = read_crates(source), wanted_version(source)
    _check_lockable(crates, where)
    if tools is None or not (tools / "usr/bin/cargo").is_file():
        raise BuildError(
            "it is written in Rust, and its builder has no cargo",
            where=where,
            details=[who_has(wanted)] if wanted else [],
            hint=Remedy("use-wheel-or-cargo"),
        )
    triple = toolchain.target.platform.rust
    if not triple or not (toolchain.sysroot / _RUSTLIB / triple).is_dir():
        raise BuildError(
            f"the builder has no Rust library for {triple}",
            where=where,
            hint="the base's lock is older than its cargo: lock it again",
        )
    _check_locked(crates, inputs, where)
    have = compiler_version(tools / "usr/bin/rustc")
    if wanted and have and wanted > have:
        raise too_old("it", wanted, have, where, toolchain.target.libc_version)


def _check_lockable(needed: Crates, where: str) -> None:
    vendored = f"{_USE_WHEEL}, or an sdist made with `cargo vendor`"
    if not needed.lockfiles and not needed.vendored:
        raise BuildError(
            "it is written in Rust, and its sdist has no Cargo.lock: nothing says which crates it needs",
            where=where,
            hint=vendored,
        )
    if needed.others and not needed.complete:
        raise BuildError(
            "it is written in Rust, and some of its crates come from elsewhere than the crates registry: "
            "they cannot be locked",
            where=where,
            details=[", ".join(needed.others[:10])],
            hint=vendored,
        )


def _check_locked(needed: Crates, inputs: RustInputs, where: str) -> None:
    crates = inputs.crates
    missing = [one for one in needed.to_fetch if crates is None or not (crates / one.filename).is_file()]
    if missing:
        raise BuildError(
            "it is written in Rust, and its crates are neither in the sdist nor in the build lock; builds "
            "have no network",
            where=where,
            details=[str(needed), f"not locked: {', '.join(one.key for one in missing[:10])}"],
            hint=Remedy("relock-build-requirements", {"resolve": inputs.resolve}),
        )


def host_platform() -> Platform:
    """Return the row of the machine that builds."""
    machine = os.uname().machine
    row = of_machine(machine)
    if row is None:
        raise BuildError(f"this machine is a {machine}, for which no builder has cargo")
    return row


@dataclass(frozen=True)
class RustPlaces:
    """Where what is written for cargo goes, and what it is written for.

    :param source: the unpacked sdist.
    :param python: the interpreter that runs the compilers' wrappers.
    :param binaries: the folder of programs.
    :param folder: for what these need; it is made.
    :param env: the variables of the build's settings.
    """

    source: Path
    python: Path
    binaries: Path
    folder: Path
    env: Mapping[str, str] = field(default_factory=dict)


def write_rust(
    tools: Path, host_sysroot: Path, toolchain: Toolchain, places: RustPlaces, crates: Path | None = None
) -> Mapping[str, str]:
    """Write cargo, rustc and a compiler for build scripts, and return cargo's variables.

    :param host_sysroot: libc and gcc's runtime of the machine that builds.
    :param crates: what the ``fetch-crates`` step made, laid out for cargo.
    :raises BuildError: a file of ``crates`` is no crate, or the project's own configuration is none.
    """
    binaries, folder = places.binaries, places.folder
    host, target = host_platform(), toolchain.target.platform
    host_triple, triple = host.rust, target.rust
    rustlib = folder / "sysroot/lib/rustlib"
    rustlib.mkdir(parents=True)
    (rustlib / triple).symlink_to(toolchain.sysroot / _RUSTLIB / triple)
    if host_triple != triple:
        (rustlib / host_triple).symlink_to(tools / _RUSTLIB / host_triple)
    write_program(binaries, ["rustc"], [str(tools / "usr/bin/rustc"), "--sysroot", str(folder / "sysroot")])
    # What is said on its command line counts more than what the sdist's own configuration says.
    locked = ["--config", str(vendor(crates, folder))] if crates else []
    write_program(binaries, ["cargo"], [str(tools / "usr/bin/cargo"), *locked])
    # What cargo runs on this machine starts with the tools' own libc.
    libraries = tools / f"usr/lib/{host.triplet}"
    loader = (tools / f"usr{host.loader}").resolve()
    extra = [f"-Wl,--dynamic-linker={loader}", f"-Wl,-rpath,{libraries}"]
    write_host_compiler(toolchain, host, host_sysroot, places.python, binaries, name=HOST_LINKER, link=extra)
    work = binaries.parents[1]
    # cargo: flags of the environment are taken instead of those of a configuration.
    own = places.env.get("RUSTFLAGS", "").split() or cfg_flags(places.source, triple)
    maps = {folder / "sysroot": "/rust", tools: "/rust", toolchain.sysroot: "/sysroot", work: "/build"}
    return {
        **_linkers(host, target),
        **_pyo3(toolchain, library_folder(work / "cross/python", toolchain.target)),
        "CARGO": str(binaries / "cargo"),
        "CARGO_BUILD_TARGET": triple,
        # Separated by 0x1f: a path may hold spaces. It hides RUSTFLAGS; of two flags the last counts.
        "CARGO_ENCODED_RUSTFLAGS": "\x1f".join([*own, "-Cstrip=symbols", "-Cdebuginfo=0", *_remapped(maps)]),
        "CARGO_HOME": str(folder / "home"),
        "CARGO_INCREMENTAL": "0",
        "CARGO_NET_OFFLINE": "true",
        "CARGO_TARGET_DIR": str(folder / "target"),
        "PKG_CONFIG_ALLOW_CROSS": "1",
        "RUSTC": str(binaries / "rustc"),
        # Of the sdist's own configuration, such as a cache of its makers' machines; empty is none.
        "RUSTC_WORKSPACE_WRAPPER": "",
        "RUSTC_WRAPPER": "",
    }


def _linkers(host: Platform, target: Platform) -> Mapping[str, str]:
    """Return the variables that name compilers and linkers, to cargo and to the crate ``cc``."""
    host_triple, triple = host.rust, target.rust
    name, host_name = triple.replace("-", "_"), host_triple.replace("-", "_")
    return {
        f"CARGO_TARGET_{host_name.upper()}_LINKER": HOST_LINKER,
        f"CC_{host_name}": HOST_LINKER,
        "HOST_CC": HOST_LINKER,
        # After the host's: where both are one, the target's libraries are linked to.
        f"CARGO_TARGET_{name.upper()}_LINKER": f"{target.triplet}-cc",
        f"CC_{name}": f"{target.triplet}-cc",
        f"CXX_{name}": f"{target.triplet}-c++",
        f"AR_{name}": f"{target.triplet}-ar",
    }


def _pyo3(toolchain: Toolchain, sysconfig: Path) -> Mapping[str, str]:
    return {
        "PYO3_CROSS": "1",
        "PYO3_CROSS_LIB_DIR": str(sysconfig),
        "PYO3_CROSS_PYTHON_VERSION": toolchain.target.python_minor,
    }


def _remapped(folders: Mapping[Path, str]) -> Iterator[str]:
    """Yield flags that keep folders out of panics' messages; of several that fit, rustc takes the last."""
    for path, name in reversed(list(folders.items())):
        for place in dict.fromkeys((path, path.resolve())):
            yield f"--remap-path-prefix={place}={name}"
