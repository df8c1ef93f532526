"""Layers on top of each other: what a container of an image sees.

Specification: OCI image-spec 1.1, layer.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ociwheel.formats.entries import WHITEOUT_PREFIX, Entry
from ociwheel.formats.filetree import FileTree
from ociwheel.formats.guard import Guard

_OPAQUE = ".wh..wh..opq"


class LayerStack:
    """The files of an image, links followed inside it. Hard links are files of their own.

    :param guard: tells of links that lead through too many others.
    """

    def __init__(self, guard: Guard) -> None:
        self._tree: FileTree[Entry] = FileTree(
            lambda entry: entry.target if entry.kind == "symlink" else None, guard
        )
        self._entries: dict[str, Entry] | None = None

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Files, folders and symbolic links by path."""
        if self._entries is None:
            self._entries = {path: _at(path, entry) for path, entry in self._tree.items()}
        return self._entries

    def add(self, layer: Iterable[Entry]) -> None:
        """Put a layer on top."""
        self._entries = None
        rows = list(layer)
        # "Whiteout files MUST only apply to resources in lower/parent layers": whatever their place here.
        self._remove([row for row in rows if row.path.rpartition("/")[2].startswith(WHITEOUT_PREFIX)])
        for row in rows:
            folder, _, name = row.path.rpartition("/")
            # An archive may name a folder through a link of a lower layer.
            real = self._tree.folder(folder)
            if real is None or name.startswith(WHITEOUT_PREFIX):
                continue  # links in a circle: there is no such place
            path = f"{real}/{name}" if real else name
            if row.kind == "hardlink":
                other = self._tree.get(self.resolve(row.target) or "")
                if other is None or other.kind != "file":
                    continue  # to nothing: what a runtime would refuse is not there
                self._tree.put(path, replace(other, mode=row.mode, uid=row.uid, gid=row.gid), folder=False)
            else:
                self._tree.put(path, row, folder=row.kind == "dir")

    def _remove(self, whiteouts: Sequence[Entry]) -> None:
        found = []
        for row in whiteouts:
            folder, _, name = row.path.rpartition("/")
            found.append((self._tree.folder(folder), name))
        for real, name in found:
            if real is not None and name == _OPAQUE:
                self._tree.empty(real)
            elif real is not None:
                hidden = name.removeprefix(WHITEOUT_PREFIX)
                self._tree.remove(f"{real}/{hidden}" if real else hidden)

    def resolve(self, path: str) -> str | None:
        """Return the path of what ``path`` leads to, links followed in the image; ``None`` for nothing."""
        return self._tree.resolve(path)

    def get(self, path: str) -> Entry | None:
        """Return what is at a path, no link followed."""
        return self._tree.get(path)

    def file(self, path: str) -> Entry | None:
        """Return the regular file that a path leads to."""
        real = self.resolve(path)
        row = self._tree.get(real) if real else None
        return _at(real, row) if real and row is not None and row.kind == "file" else None


def _at(path: str, entry: Entry) -> Entry:
    return entry if entry.path == path else replace(entry, path=path)
