"""What the compiler must be told of each platform, as data: adding a platform is adding a row."""

from __future__ import annotations

from dataclasses import dataclass

from ociwheel.errors import UsageError
from ociwheel.platforms import Platform


@dataclass(frozen=True)
class CompilerTarget:
    """One row: the clang and autoconf names of a platform."""

    clang: str
    """clang's triple for glibc."""
    flags: tuple[str, ...]
    """Flags for the oldest machine that Debian's port supports."""
    build_platform: str
    """``sysconfig.get_platform()`` on the target."""
    autoconf: str
    """The host triplet of autoconf's ``--host``."""
    cpu_family: str
    """meson's ``cpu_family``."""
    rust: str = ""
    """rustc's triple; empty where Debian has no Rust."""
    endian: str = "little"


_TARGETS = {
    "linux/amd64": CompilerTarget(
        "x86_64-linux-gnu",
        ("-march=x86-64",),
        "linux-x86_64",
        "x86_64-pc-linux-gnu",
        "x86_64",
        "x86_64-unknown-linux-gnu",
    ),
    "linux/arm64": CompilerTarget(
        "aarch64-linux-gnu",
        ("-march=armv8-a",),
        "linux-aarch64",
        "aarch64-unknown-linux-gnu",
        "aarch64",
        "aarch64-unknown-linux-gnu",
    ),
    "linux/arm/v7": CompilerTarget(
        # Debian's armhf: ARMv7, VFPv3 with 16 registers, no NEON, hard-float calls.
        "arm-linux-gnueabihf",
        ("-march=armv7-a", "-mfpu=vfpv3-d16", "-mfloat-abi=hard"),
        "linux-armv7l",
        "arm-unknown-linux-gnueabihf",
        "arm",
        "armv7-unknown-linux-gnueabihf",
    ),
    "linux/386": CompilerTarget(
        "i386-linux-gnu", ("-march=i686",), "linux-i686", "i686-pc-linux-gnu", "x86", "i686-unknown-linux-gnu"
    ),
    "linux/ppc64le": CompilerTarget(
        "powerpc64le-linux-gnu",
        (),
        "linux-ppc64le",
        "powerpc64le-unknown-linux-gnu",
        "ppc64",
        "powerpc64le-unknown-linux-gnu",
    ),
    "linux/riscv64": CompilerTarget(
        "riscv64-linux-gnu",
        ("-march=rv64gc", "-mabi=lp64d"),
        "linux-riscv64",
        "riscv64-unknown-linux-gnu",
        "riscv64",
        "riscv64gc-unknown-linux-gnu",
    ),
}


def compiler_target(platform: Platform) -> CompilerTarget:
    """Return the row of a platform.

    :raises UsageError: there is none; the message lists those there are.
    """
    try:
        return _TARGETS[platform.oci]
    except KeyError:
        known = ", ".join(_TARGETS)
        raise UsageError(f"cannot compile for {platform.oci}", hint=f"use one of: {known}") from None
