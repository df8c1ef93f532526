"""What a layer is made for: the ``ociwheel.target/1`` document as a value, and the tags it takes."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ociwheel.documents import read_document
from ociwheel.errors import UsageError
from ociwheel.platforms import Platform, platform

if TYPE_CHECKING:
    from packaging.tags import Tag

# PEP 600: "manylinux1_x86_64 is identical to manylinux_2_5_x86_64" and so on.
_MANYLINUX_ALIASES = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}


@dataclass(frozen=True)
class Target:
    """Platform, Python and libc of an image."""

    platform: Platform
    python: tuple[int, int]
    libc: str
    libc_version: tuple[int, int]

    @staticmethod
    def read(path: Path) -> Target:
        """Read a target document.

        :raises UsageError: it is not one.
        """
        value = read_document(path, "target")
        return Target(
            platform(str(value.get("platform"))),
            _minor(value.get("python"), path),
            str(value.get("libc")),
            _minor(value.get("libc_version"), path),
        )

    @property
    def python_minor(self) -> str:
        """``3.11``."""
        return f"{self.python[0]}.{self.python[1]}"

    def site_packages(self, prefix: str) -> str:
        """Return the path in the image, without leading slash, where modules go.

        :param prefix: the virtual environment, ``/app``.
        """
        return f"{prefix.strip('/')}/lib/python{self.python_minor}/site-packages"

    def tags(self) -> frozenset[Tag]:
        """Return every wheel tag that the target takes (PEP 425, 600, 656)."""
        from packaging import tags  # noqa: PLC0415  loads slowly; only the plan and wheels ask

        platforms = list(self._platform_tags())
        return frozenset(
            [
                *tags.cpython_tags(self.python, platforms=platforms),
                *tags.compatible_tags(self.python, f"cp{self.python[0]}{self.python[1]}", platforms),
            ]
        )

    def _platform_tags(self) -> Iterator[str]:
        machine = self.platform.machine
        major, minor = self.libc_version
        if self.libc == "musl":
            yield from (f"musllinux_{major}_{m}_{machine}" for m in range(minor, -1, -1))
        else:
            floor = self.platform.manylinux_floor
            for m in range(minor, floor[1] - 1, -1):
                yield f"manylinux_{major}_{m}_{machine}"
                if (major, m) in _MANYLINUX_ALIASES:
                    yield f"{_MANYLINUX_ALIASES[major, m]}_{machine}"
        yield f"linux_{machine}"

    def require_running_python(self) -> None:
        """Check that bytecode of the running interpreter is for this target.

        :raises UsageError: it is another minor version or implementation.
        """
        running = sys.version_info[:2]
        if running != self.python or sys.implementation.name != "cpython":
            raise UsageError(
                f"bytecode for Python {self.python_minor} cannot be made by "
                f"{sys.implementation.name} {running[0]}.{running[1]}",
                hint=f"run this step under CPython {self.python_minor} (OCIWHEEL_INTERPRETER), "
                "or with --bytecode none",
            )


def _minor(value: object, path: Path) -> tuple[int, int]:
    match = re.match(r"(\d+)\.(\d+)", value) if isinstance(value, str) else None
    if match is None:
        raise UsageError(f"expected a version such as 3.11, found {value!r}", where=str(path))
    return int(match[1]), int(match[2])
