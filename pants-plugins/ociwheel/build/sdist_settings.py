"""What the user says of the build of one sdist."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ociwheel.errors import UsageError


@dataclass(frozen=True)
class Settings:
    """What the user says of one sdist."""

    name: str
    version: str
    env: Mapping[str, str] = field(default_factory=dict)
    config_settings: Mapping[str, Any] = field(default_factory=dict)
    pure: bool = False
    compiler: str = "clang"
    """``gcc``: Debian's own, for what clang does not compile."""
    resolve: str = "<resolve>"
    """Name of the resolve, for the command in messages."""
    base: str = "the base"
    """Address of the base, for messages."""

    @staticmethod
    def from_json(value: Any, where: str) -> Settings:
        """Return the settings that a JSON object holds.

        :raises UsageError: it is no such object.
        """
        known = {f.name for f in dataclasses.fields(Settings)}
        if not isinstance(value, dict) or not {"name", "version"} <= set(value) <= known:
            raise UsageError(f"expected an object with name, version and any of {sorted(known)}", where=where)
        return Settings(**value)
