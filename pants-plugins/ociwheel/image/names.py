"""The files of an image by name: merged lists of layers, without their sizes and without blobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ociwheel.documents import schema
from ociwheel.elf.tree import ImageTree

_BYTECODE = "/__pycache__/"
_UNKNOWN = ""


@dataclass(frozen=True)
class Name:
    """One file, folder or link of an image."""

    kind: str
    """``f``, ``d``, ``l`` or ``h``, as in a layer-facts document."""
    mode: int
    uid: int
    gid: int
    origin: str
    sha256: str


@dataclass(frozen=True)
class Contest:
    """One path that two distributions have different files for."""

    path: str
    below: str
    above: str
    """Origin of the file that the image has."""


class NameTree:
    """What a container of the image sees. Paths have no leading slash."""

    def __init__(self, layers: Sequence[Mapping[str, Any]]) -> None:
        """Stack ``ociwheel.layer-names/1`` documents, bottom first."""
        self.names: dict[str, Name] = {}
        self.contests: list[Contest] = []
        self.shebangs: dict[str, str] = {}
        self.requires: dict[str, list[str]] = {}
        """``Requires-Dist`` of each distribution, by origin."""
        for layer in layers:
            self._add(layer)
        rows = [[[*row[:5], 0, row[5]] for row in layer["files"]] for layer in layers]
        self._tree = ImageTree(
            [{"schema": schema("layer-facts"), "files": files, "elf": []} for files in rows]
        )

    def _add(self, layer: Mapping[str, Any]) -> None:
        origins: list[str] = layer["origins"]
        for path, kind, mode, uid, gid, _target, origin, sha256 in layer["files"]:
            name = Name(kind, mode, uid, gid, origins[origin], sha256)
            other = self.names.get(path)
            if other is not None and _differ(path, other, name):
                self.contests.append(Contest(path, other.origin, name.origin))
            self.names[path] = name
            self.shebangs.pop(path, None)
        self.shebangs.update(layer["shebangs"])
        self.requires.update(layer["requires"])

    def resolve(self, path: str) -> str | None:
        """Return the path of what an absolute path leads to, links followed; ``None`` for nothing."""
        return self._tree.resolve(path)

    def find(self, path: str) -> Name | None:
        """Return what an absolute path leads to."""
        real = self.resolve(path)
        return None if real is None else self.names.get(real)


def _differ(path: str, one: Name, other: Name) -> bool:
    """Tell whether two distributions fight over a path."""
    if "d" in {one.kind, other.kind} or one.origin == other.origin or not (one.origin and other.origin):
        return False
    # Bytecode differs when its source does, which is said already.
    if _BYTECODE in path or one.sha256 == other.sha256 != _UNKNOWN:
        return False
    # Packages that share a namespace have one each. Of first-party code nobody knows what is in it here.
    return _UNKNOWN not in {one.sha256, other.sha256} or not path.endswith("/__init__.py")
