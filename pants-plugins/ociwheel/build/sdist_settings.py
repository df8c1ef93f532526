"""What the user says of the build of one sdist."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ociwheel.documents import read_value
from ociwheel.reading import Value

COMPILERS = ("clang", "gcc")


def _compiler(value: Value) -> str:
    name = value.text()
    if name not in COMPILERS:
        raise value.error(f"expected one of {', '.join(COMPILERS)}, found {name!r}")
    return name


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
    def parse(value: Value) -> Settings:
        """Return the settings that an object holds; what is wrong with it is an error of the document's."""
        value.only(*(one.name for one in dataclasses.fields(Settings)))
        config = value.optional("config_settings", Value.members) or {}
        return Settings(
            name=value.at("name").text(empty=False),
            version=value.at("version").text(empty=False),
            env=value.optional("env", Value.text_members) or {},
            # PEP 517 leaves their types to build backends.
            config_settings={key: item.raw for key, item in config.items()},
            pure=value.optional("pure", Value.boolean) or False,
            compiler=value.optional("compiler", _compiler) or Settings.compiler,
            resolve=value.optional("resolve", Value.text) or Settings.resolve,
            base=value.optional("base", Value.text) or Settings.base,
        )

    @staticmethod
    def read(path: Path) -> Settings:
        """Read the settings that a file holds.

        :raises UsageError: it holds none.
        """
        return Settings.parse(read_value(path))
