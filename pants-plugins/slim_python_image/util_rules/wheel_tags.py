"""Which wheels a platform other than this machine takes, read from their file names (PEP 427, 600)."""

from __future__ import annotations

import re

from slim_python_image.products import TargetEnvironment

# The machine in wheel tags, by OCI platform: what the core's platform table says.
MACHINES = {
    "linux/amd64": "x86_64",
    "linux/arm64": "aarch64",
    "linux/arm/v7": "armv7l",
    "linux/386": "i686",
    "linux/ppc64le": "ppc64le",
    "linux/riscv64": "riscv64",
}
_ALIASES = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_PERENNIAL = re.compile(r"manylinux_(\d+)_(\d+)")


def fits_target(filename: str, target: TargetEnvironment) -> int | None:
    """Return how well a wheel fits a target with glibc, lower is better, ``None`` for not at all."""
    pythons, abi, platforms = filename[: -len(".whl")].rsplit("-", 3)[1:]
    digits = target.minor.replace(".", "")
    own = f"cp{digits}" in pythons.split(".")
    generic = {"py3", f"py{digits}"} & set(pythons.split("."))
    abi3 = "abi3" in abi.split(".") and any(
        p.startswith("cp3") and p[3:].isdigit() and int(p[3:]) <= int(digits[1:]) for p in pythons.split(".")
    )
    if not (own or generic or abi3):
        return None
    if "any" in platforms.split("."):
        return 2
    if not any(_runs(platform, target) for platform in platforms.split(".")):
        return None
    return 1 if abi3 else 0


def _runs(platform: str, target: TargetEnvironment) -> bool:
    end = f"_{MACHINES.get(target.platform)}"
    if not platform.endswith(end):
        return False
    name = platform[: -len(end)]
    if name == "linux":
        return True
    match = _PERENNIAL.fullmatch(name)
    needs = (int(match[1]), int(match[2])) if match else _ALIASES.get(name)
    has = tuple(int(part) for part in target.libc_version.split(".")[:2])
    return needs is not None and needs <= has
