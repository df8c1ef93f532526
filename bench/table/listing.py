"""Reads the list of packages, ``packages.toml``, and the lock of their sdists."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Package:
    """One package of the list."""

    name: str
    smoke: str
    version: str | None = None
    needs: tuple[str, ...] = ()
    hand: str = ""
    """Why the settings below stand in the list: no message leads to them."""
    builder_packages: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    config_settings: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    constraints: tuple[str, ...] = ()
    pure: bool = False
    unlike: str = ""
    """Why its ELF files differ from those of a native build, where they do."""

    def __post_init__(self) -> None:
        given = any((self.builder_packages, self.packages, self.constraints, self.pure))
        if bool(self.hand) != bool(given or self.config_settings or self.env):
            raise ValueError(f"{self.key}: hand says why settings are given, where any are")

    @property
    def key(self) -> str:
        """Its name, with the version where the list pins one: what the lock knows it by."""
        return f"{self.name}=={self.version}" if self.version else self.name

    @property
    def settings(self) -> dict[str, Any]:
        """What ``[slim-image].builds`` would say of it."""
        return {"env": dict(self.env), "config_settings": dict(self.config_settings), "pure": self.pure}


@dataclass(frozen=True)
class Listing:
    """The whole list."""

    base: Mapping[str, Any]
    packages: tuple[Package, ...]

    @staticmethod
    def read(path: Path) -> Listing:
        """Read ``packages.toml``."""
        value = tomllib.loads(path.read_text(encoding="utf-8"))
        lists = ("needs", "builder_packages", "packages", "constraints")
        rows = []
        for row in value["package"]:
            fields: dict[str, Any] = {k: tuple(item) if k in lists else item for k, item in row.items()}
            rows.append(Package(**fields))
        return Listing(value["base"], tuple(rows))


@dataclass(frozen=True, order=True)
class Distribution:
    """One locked file of the index."""

    name: str
    version: str
    filename: str
    sha256: str

    @property
    def key(self) -> str:
        """``name==version``."""
        return f"{self.name}=={self.version}"


def read_lock(path: Path) -> dict[str, Distribution]:
    """Return the locked distributions by ``name`` and by ``name==version``; the last version has the name."""
    rows = [Distribution(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
    return {**{row.name: row for row in rows}, **{row.key: row for row in rows}}


def render_lock(rows: list[Distribution]) -> str:
    """Return the lock's text, one distribution per line."""
    lines = [json.dumps(row.__dict__, sort_keys=True) for row in sorted(rows)]
    return "[\n" + ",\n".join(lines) + "\n]\n"
