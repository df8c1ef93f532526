"""The target as markers and tags see it. Nothing here asks the host: all comes from the document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from packaging.tags import compatible_tags, cpython_tags

from ociwheel.errors import UsageError
from ociwheel.platforms import Platform, platform

# PEP 600: "each existing [legacy] tag is an alias" of a glibc version; with the machines it exists for.
_LEGACY = {
    (2, 17): (
        "manylinux2014",
        frozenset({"x86_64", "i686", "aarch64", "armv7l", "ppc64", "ppc64le", "s390x"}),
    ),
    (2, 12): ("manylinux2010", frozenset({"x86_64", "i686"})),
    (2, 5): ("manylinux1", frozenset({"x86_64", "i686"})),
}


def _numbers(text: str, what: str, least: int) -> tuple[int, ...]:
    parts = text.split(".")
    if len(parts) < least or not all(part.isdigit() for part in parts):
        raise UsageError(f"the target's {what} {text!r} is no version")
    return tuple(int(part) for part in parts)


@dataclass(frozen=True)
class TargetPython:
    """The Python, the machine and the libc that an image runs on."""

    platform: Platform
    python: str
    """The full version, ``3.11.2``."""
    libc: str
    """``glibc`` or ``musl``."""
    libc_version: str

    @classmethod
    def from_document(cls, value: dict[str, Any]) -> TargetPython:
        """Return the target of a target document.

        :raises UsageError: a field is missing or makes no sense.
        """
        for key in ("platform", "python", "libc", "libc_version"):
            if not isinstance(value.get(key), str):
                raise UsageError(f"the target has no {key!r}")
        if value["libc"] not in ("glibc", "musl"):
            raise UsageError(f"unknown libc {value['libc']!r}", hint="use glibc or musl")
        target = cls(platform(value["platform"]), value["python"], value["libc"], value["libc_version"])
        _numbers(target.python, "python", 2)
        _numbers(target.libc_version, "libc_version", 2)
        return target

    @property
    def minor(self) -> tuple[int, int]:
        """Major and minor version of Python."""
        numbers = _numbers(self.python, "python", 2)
        return numbers[0], numbers[1]

    @property
    def libc_numbers(self) -> tuple[int, int]:
        """Major and minor version of the libc."""
        numbers = _numbers(self.libc_version, "libc_version", 2)
        return numbers[0], numbers[1]

    @property
    def title(self) -> str:
        """The target in words, for messages."""
        return f"{self.platform.oci}, Python {self.python}, {self.libc} {self.libc_version}"

    @cached_property
    def markers(self) -> dict[str, str]:
        """The values of the markers (dependency specifiers, "Environment Markers")."""
        full = self.python if self.python.count(".") > 1 else f"{self.python}.0"
        return {
            "implementation_name": "cpython",
            "implementation_version": full,
            "os_name": "posix",
            "platform_machine": self.platform.machine,
            "platform_python_implementation": "CPython",
            # The kernel's: unknown until a container runs, so no wheel may depend on it.
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": full,
            "python_version": ".".join(map(str, self.minor)),
            "sys_platform": "linux",
        }

    def platform_tags(self) -> Iterator[str]:
        """Yield the platform tags from the most to the least specific."""
        machine = self.platform.machine
        major, minor = self.libc_numbers
        if self.libc == "musl":
            # PEP 656: "musllinux_x_y tags [are for] musl x.y or newer" of the same major version.
            yield from (f"musllinux_{major}_{n}_{machine}" for n in range(minor, -1, -1))
        else:
            floor = self.platform.manylinux_floor
            for n in range(minor, floor[1] - 1 if major == floor[0] else -1, -1):
                yield f"manylinux_{major}_{n}_{machine}"
                name, machines = _LEGACY.get((major, n), ("", frozenset()))
                if machine in machines:
                    yield f"{name}_{machine}"
        yield f"linux_{machine}"

    @cached_property
    def tag_ranks(self) -> dict[str, int]:
        """Each supported tag as text, ``cp311-abi3-linux_armv7l``, with its rank: 0 is the best."""
        platforms = list(self.platform_tags())
        interpreter = "cp{}{}".format(*self.minor)
        ranks: dict[str, int] = {}
        for tag in cpython_tags(self.minor, abis=[interpreter], platforms=platforms):
            ranks.setdefault(str(tag), len(ranks))
        for tag in compatible_tags(self.minor, interpreter=interpreter, platforms=platforms):
            ranks.setdefault(str(tag), len(ranks))
        return ranks
