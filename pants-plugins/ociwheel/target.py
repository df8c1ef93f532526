"""What an image runs on, the ``ociwheel.target/1`` document as a value: its wheel tags and its markers.

Nothing here asks the host: all comes from the document.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ociwheel.documents import check_schema, read_value
from ociwheel.errors import UsageError
from ociwheel.platforms import Platform, read_platform
from ociwheel.reading import Value

if TYPE_CHECKING:
    from packaging.tags import Tag

# PEP 600: "each existing [legacy] tag is an alias" of a glibc version; with the machines it exists for.
_LEGACY = {
    (2, 17): (
        "manylinux2014",
        frozenset({"x86_64", "i686", "aarch64", "armv7l", "ppc64", "ppc64le", "s390x"}),
    ),
    (2, 12): ("manylinux2010", frozenset({"x86_64", "i686"})),
    (2, 5): ("manylinux1", frozenset({"x86_64", "i686"})),
}
_VERSION = re.compile(r"(\d{1,6})\.(\d{1,6})(\.\d{1,6})*", re.ASCII)


@dataclass(frozen=True)
class Target:
    """Platform, Python and libc of an image."""

    platform: Platform
    python_full: str
    """The full version of Python, ``3.11.2``."""
    libc: str
    """``glibc`` or ``musl``."""
    libc_version: tuple[int, int]

    @staticmethod
    def parse(value: Value) -> Target:
        """Return the target of a target document; other members are somebody else's."""
        libc = value.at("libc")
        if libc.raw not in ("glibc", "musl"):
            raise libc.error("is no libc that is known here: glibc or musl")
        python = value.at("python").matching(_VERSION, "a version such as 3.11.2")
        version = value.at("libc_version").matching(_VERSION, "a version such as 2.36")
        return Target(read_platform(value.at("platform")), python, libc.text(), _two(version))

    @staticmethod
    def read(path: Path) -> Target:
        """Read a target document.

        :raises UsageError: it is not one.
        """
        value = check_schema(read_value(path), "target")
        value.only("schema", "platform", "python", "libc", "libc_version")
        return Target.parse(value)

    @property
    def python(self) -> tuple[int, int]:
        """Major and minor version of Python."""
        return _two(self.python_full)

    @property
    def python_minor(self) -> str:
        """``3.11``."""
        return f"{self.python[0]}.{self.python[1]}"

    @property
    def libc_title(self) -> str:
        """``glibc 2.36``."""
        return f"{self.libc} {self.libc_version[0]}.{self.libc_version[1]}"

    @property
    def title(self) -> str:
        """The target in words, for messages."""
        return f"{self.platform.oci}, Python {self.python_full}, {self.libc_title}"

    def site_packages(self, prefix: str) -> str:
        """Return the path in the image, without leading slash, where modules go.

        :param prefix: the virtual environment, ``/app``.
        """
        return f"{prefix.strip('/')}/lib/python{self.python_minor}/site-packages"

    @cached_property
    def markers(self) -> dict[str, str]:
        """The values of the markers (dependency specifiers, "Environment Markers")."""
        full = self.python_full if self.python_full.count(".") > 1 else f"{self.python_full}.0"
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
            "python_version": self.python_minor,
            "sys_platform": "linux",
        }

    def platform_tags(self) -> Iterator[str]:
        """Yield the platform tags from the most to the least specific (PEP 600, 656)."""
        machine = self.platform.machine
        major, minor = self.libc_version
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
    def tags(self) -> tuple[Tag, ...]:
        """Every wheel tag that the target takes, the best one first (PEP 425)."""
        return wheel_tags(self.python, list(self.platform_tags()))

    @cached_property
    def tag_ranks(self) -> dict[str, int]:
        """Each supported tag as text, ``cp311-abi3-linux_armv7l``, with its rank: 0 is the best."""
        return {str(tag): rank for rank, tag in enumerate(self.tags)}

    def require_running_python(self, otherwise: str = "") -> None:
        """Check that bytecode of the running interpreter is for this target.

        :param otherwise: what to do where no such interpreter is at hand.
        :raises UsageError: it is another minor version or implementation.
        """
        running = sys.version_info[:2]
        if running != self.python or sys.implementation.name != "cpython":
            raise UsageError(
                f"bytecode for Python {self.python_minor} cannot be made by "
                f"{sys.implementation.name} {running[0]}.{running[1]}",
                hint=f"run this step under CPython {self.python_minor} (OCIWHEEL_INTERPRETER){otherwise}",
            )


def wheel_tags(python: tuple[int, int], platforms: list[str]) -> tuple[Tag, ...]:
    """Return every wheel tag that CPython takes on platforms, the best one first (PEP 425).

    :param python: major and minor version.
    """
    # They load slowly, and only plans and wheels ask.
    from packaging.tags import compatible_tags, cpython_tags  # noqa: PLC0415

    interpreter = "cp{}{}".format(*python)
    # With the ABI said: otherwise packaging asks the Python that runs this for its own.
    own = cpython_tags(python, abis=[interpreter], platforms=platforms)
    any_python = compatible_tags(python, interpreter=interpreter, platforms=platforms)
    return tuple(dict.fromkeys([*own, *any_python]))


def _two(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)
