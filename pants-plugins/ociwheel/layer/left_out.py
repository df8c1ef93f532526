"""What a layer lacks of the things that went into it: every rule by name, counted for the report.

Nothing is left out but by a rule of this table. A rule tells a file by its place or its meaning, never by its
extension: pocl reads headers at run time, virtualenv installs the wheels that it carries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Mapping
from typing import Any

RULES: Mapping[str, str] = {
    "bytecode": "`__pycache__` of a wheel or a source tree: bytecode is made from the sources, or not at all",
    "debug-sections": "`.debug_*` sections of ELF files, which no program loads; `strip=False` keeps them",
    "exclude": "what the field `exclude` of the image names",
    "headers": "`<name>.data/headers` of a wheel: C headers that an installer puts outside of "
    "`site-packages`, for compiling other packages",
}
"""Name of a rule: what it leaves out."""


class LeftOut:
    """Counts what is left out, by origin and rule."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])

    def add(self, origin: str, rule: str, size: int, files: int = 1) -> None:
        """Count files.

        :param rule: a name of :data:`RULES`.
        :param size: bytes that are not in the layer.
        """
        if rule not in RULES:
            raise KeyError(rule)
        count = self._counts[origin, rule]
        count[0] += files
        count[1] += size

    def include(self, other: LeftOut) -> None:
        """Count what another has counted."""
        for (origin, rule), (files, size) in other._counts.items():
            self.add(origin, rule, size, files)

    def of(self, origins: Container[str]) -> LeftOut:
        """Return what is left out of some origins."""
        found = LeftOut()
        found._counts.update({key: count for key, count in self._counts.items() if key[0] in origins})
        return found

    def to_json(self) -> list[dict[str, Any]]:
        """Return the ``left_out`` of a layer document: origin, rule, files, bytes."""
        return [
            {"origin": origin, "rule": rule, "files": files, "bytes": size}
            for (origin, rule), (files, size) in sorted(self._counts.items())
        ]
