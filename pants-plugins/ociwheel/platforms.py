"""What is known of each platform, as data: adding a platform is adding a row.

A platform is parsed once, by :func:`platform` or :func:`read_platform`; inside it is a row of this table.

The OCI names follow the image specification ("GOOS/GOARCH/variant" of Go), Debian's the port's
name, the wheel names PEP 425/600, the zig targets LLVM's triples, the ELF numbers the ``e_machine``
values of the System V ABI.
"""

from __future__ import annotations

from dataclasses import dataclass

from ociwheel.errors import UsageError
from ociwheel.reading import Value
from ociwheel.wording import quoted


@dataclass(frozen=True)
class Platform:
    """One row: every name that the world has for a platform."""

    oci: str
    """``os/architecture[/variant]``, as in ``docker --platform``."""
    debian: str
    """Debian's architecture."""
    triplet: str
    """Debian's multiarch triplet, the folder below ``/usr/lib``; also clang's for glibc."""
    machine: str
    """``platform.machine()`` of the target, also the end of its wheel platform tags."""
    zig_cpu: str
    """zig's ``-mcpu`` for the oldest machine that Debian's port supports."""
    zig_arch: str
    """The architecture in zig's target."""
    zig_abi: str
    """The ABI in zig's target for glibc; musl's is ``musl`` with the same suffix."""
    elf_machine: int
    """``e_machine`` of the platform's ELF files."""
    elf_class: int
    """32 or 64."""
    loader: str
    """Path of glibc's dynamic loader."""
    qemu: str
    """The suffix of ``qemu-*-static``."""
    long_double: str
    """meson's ``longdouble_format``."""
    manylinux_floor: tuple[int, int]
    """The oldest glibc that a manylinux tag for this machine may name (PEP 600 and its aliases)."""
    clang_flags: tuple[str, ...]
    """clang's flags for the oldest machine that Debian's port supports."""
    autoconf: str
    """The host triplet of autoconf's ``--host``."""
    cpu_family: str
    """meson's ``cpu_family``."""
    ld_cache_flag: int | None
    """``FLAG_X8664_LIB64`` and its like in glibc's ``dl-cache.h``; without one, no cache is made."""
    rust: str = ""
    """rustc's triple; empty where Debian has no Rust."""
    endian: str = "little"
    """The order of a number's bytes, in meson's words."""

    @property
    def loader_folders(self) -> tuple[str, ...]:
        """Where glibc's loader looks for libraries, ld.so(8), below the root, in its order."""
        return f"lib/{self.triplet}", f"usr/lib/{self.triplet}", "lib64", "usr/lib64", "lib", "usr/lib"

    @property
    def os(self) -> str:
        """The OCI operating system."""
        return self.oci.split("/")[0]

    @property
    def architecture(self) -> str:
        """The OCI architecture."""
        return self.oci.split("/")[1]

    @property
    def variant(self) -> str | None:
        """The OCI variant, where the platform has one."""
        parts = self.oci.split("/")
        return parts[2] if len(parts) == 3 else None

    @property
    def sysconfig(self) -> str:
        """``sysconfig.get_platform()`` on the target."""
        return f"linux-{self.machine}"

    @property
    def slug(self) -> str:
        """The platform as one path component, ``linux-arm-v7``."""
        return self.oci.replace("/", "-")

    def oci_dict(self) -> dict[str, str]:
        """Return the ``platform`` object of an OCI descriptor."""
        result = {"architecture": self.architecture, "os": self.os}
        if self.variant:
            result["variant"] = self.variant
        return result


PLATFORMS: tuple[Platform, ...] = (
    Platform(
        "linux/amd64", "amd64", "x86_64-linux-gnu", "x86_64", "baseline", "x86_64", "gnu",
        62, 64, "/lib64/ld-linux-x86-64.so.2", "x86_64", "INTEL_EXTENDED_16_BYTES_LE", (2, 5),
        ("-march=x86-64",),
        "x86_64-pc-linux-gnu", "x86_64", 0x0300, "x86_64-unknown-linux-gnu",
    ),
    Platform(
        "linux/arm64", "arm64", "aarch64-linux-gnu", "aarch64", "baseline", "aarch64", "gnu",
        183, 64, "/lib/ld-linux-aarch64.so.1", "aarch64", "IEEE_QUAD_LE", (2, 17),
        ("-march=armv8-a",),
        "aarch64-unknown-linux-gnu", "aarch64", 0x0A00, "aarch64-unknown-linux-gnu",
    ),
    Platform(
        # Debian's armhf: ARMv7 with Thumb 2, VFPv3 with 16 registers, hard-float calls, and no NEON, which
        # the compilers' default CPUs for arm have: hence the explicit features.
        "linux/arm/v7", "armhf", "arm-linux-gnueabihf", "armv7l", "generic+v7a-neon-d32", "arm",
        "gnueabihf", 40, 32, "/lib/ld-linux-armhf.so.3", "arm", "IEEE_DOUBLE_LE", (2, 17),
        ("-march=armv7-a", "-mfpu=vfpv3-d16", "-mfloat-abi=hard", "-mthumb"),
        "arm-unknown-linux-gnueabihf", "arm", 0x0900, "armv7-unknown-linux-gnueabihf",
    ),
    Platform(
        "linux/386", "i386", "i386-linux-gnu", "i686", "i686", "x86", "gnu",
        3, 32, "/lib/ld-linux.so.2", "i386", "INTEL_EXTENDED_12_BYTES_LE", (2, 5),
        ("-march=i686",),
        "i686-pc-linux-gnu", "x86", 0x0000, "i686-unknown-linux-gnu",
    ),
    Platform(
        "linux/ppc64le", "ppc64el", "powerpc64le-linux-gnu", "ppc64le", "ppc64le", "powerpc64le",
        "gnu", 21, 64, "/lib64/ld64.so.2", "ppc64le", "IBM_DOUBLE_DOUBLE_LE", (2, 17),
        (),
        "powerpc64le-unknown-linux-gnu", "ppc64", 0x0500, "powerpc64le-unknown-linux-gnu",
    ),
    Platform(
        "linux/riscv64", "riscv64", "riscv64-linux-gnu", "riscv64", "baseline_rv64", "riscv64",
        "gnu", 243, 64, "/lib/ld-linux-riscv64-lp64d.so.1", "riscv64", "IEEE_QUAD_LE", (2, 31),
        ("-march=rv64gc", "-mabi=lp64d"),
        "riscv64-unknown-linux-gnu", "riscv64", None, "riscv64gc-unknown-linux-gnu",
    ),
)  # fmt: skip

_BY_OCI = {row.oci: row for row in PLATFORMS}


def platform(oci: str) -> Platform:
    """Return the row of an OCI platform name.

    :raises UsageError: no such row; the message lists those there are.
    """
    try:
        return _BY_OCI[oci]
    except KeyError:
        known = ", ".join(_BY_OCI)
        raise UsageError(f"unknown platform {oci!r}", hint=f"use one of: {known}") from None


def of_machine(machine: str) -> Platform | None:
    """Return the row of a machine, by what ``platform.machine()`` says there, on Linux or elsewhere."""
    names = {"amd64": "x86_64", "arm64": "aarch64"}
    name = names.get(machine.lower(), machine.lower())
    return next((row for row in PLATFORMS if row.machine == name), None)


def read_platform(value: Value) -> Platform:
    """Return the row that a document names."""
    row = _BY_OCI.get(value.text())
    if row is None:
        raise value.error(f"unknown platform {quoted(value.raw)}; known are {', '.join(_BY_OCI)}")
    return row
