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
    builder: tuple[str, ...] = ()
    runtime: tuple[str, ...] = ()
    config_settings: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    constraints: tuple[str, ...] = ()
    pure: bool = False

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
        lists = ("needs", "builder", "runtime", "constraints")
        rows = []
        for row in value["package"]:
            fields: dict[str, Any] = {k: tuple(item) if k in lists else item for k, item in row.items()}
            rows.append(Package(**fields))
        return Listing(value["base"], tuple(rows))

    def base_request(self) -> dict[str, Any]:
        """Return the request of ``debian-lock``: a base with what all packages need."""
        packages = {p for row in self.packages for p in row.runtime}
        builder = {p for row in self.packages for p in row.builder}
        return {
            **self.base,
            "name": "table",
            "packages": sorted({*self.base["packages"], *packages}),
            "builder_packages": sorted({*self.base["builder_packages"], *builder}),
        }


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
