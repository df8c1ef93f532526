"""The files of an image as its layers leave them, with links followed the way the kernel does."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

from ociwheel.documents import schema
from ociwheel.elf.facts import ElfFacts
from ociwheel.errors import UsageError

# path_resolution(7): "the maximum number of symbolic links [...] is 40".
MOST_LINKS = 40
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"


class ImageTree:
    """What a container of the image sees.

    Paths are those of the image, without leading slash.
    """

    def __init__(self, layers: Sequence[Mapping[str, Any]]) -> None:
        """Stack layers.

        :param layers: ``ociwheel.layer-facts/1`` documents, bottom first.
        :raises UsageError: one is something else.
        """
        self._links: dict[str, str] = {}
        self._kinds: dict[str, str] = {}
        self.elf: dict[str, ElfFacts] = {}
        for number, layer in enumerate(layers):
            if layer.get("schema") != schema("layer-facts"):
                raise UsageError(
                    f"expected {schema('layer-facts')}, found {layer.get('schema')!r}",
                    where=f"facts[{number}]",
                )
            self._add(layer)

    def _add(self, layer: Mapping[str, Any]) -> None:
        rows = layer["files"]
        # image-spec layer.md: whiteouts apply to lower layers only, whatever their place in the tar.
        for path, *_ in rows:
            folder, _, name = path.rpartition("/")
            if name == _OPAQUE:
                self._remove(folder, itself=False)
            elif name.startswith(_WHITEOUT):
                self._remove(f"{folder}/{name.removeprefix(_WHITEOUT)}".lstrip("/"), itself=True)
        for path, kind, _mode, _uid, _gid, _size, target in rows:
            if path.rpartition("/")[2].startswith(_WHITEOUT):
                continue
            if self._kinds.get(path) == "d" and kind != "d":
                self._remove(path, itself=True)
            self._kinds[path] = kind
            self._links.pop(path, None)
            self.elf.pop(path, None)
            if kind == "l":
                self._links[path] = target
            elif kind == "h":  # another name of the same file
                self._links[path] = f"/{target}"
        for item in layer["elf"]:
            self.elf[item["path"]] = ElfFacts.from_json(item)

    def _remove(self, path: str, *, itself: bool) -> None:
        gone = [p for p in self._kinds if p.startswith(f"{path}/") or (itself and p == path)]
        for name in gone:
            del self._kinds[name]
            self._links.pop(name, None)
            self.elf.pop(name, None)

    def resolve(self, path: str) -> str | None:
        """Return the path of what ``path`` leads to, ``None`` when it leads to nothing."""
        todo = [p for p in reversed(path.split("/")) if p]
        at: list[str] = []
        links = 0
        while todo:
            part = todo.pop()
            if part == ".":
                continue
            if part == "..":
                del at[-1:]
                continue
            here = "/".join((*at, part))
            target = self._links.get(here)
            if target is not None:
                links += 1
                if links > MOST_LINKS:
                    return None
                if target.startswith("/"):
                    at = []
                todo += [p for p in reversed(target.split("/")) if p]
            elif here in self._kinds:
                at.append(part)
            else:
                return None
        return "/".join(at)

    def find_elf(self, path: str) -> ElfFacts | None:
        """Return the ELF file that ``path`` leads to."""
        real = self.resolve(path)
        return self.elf.get(real) if real is not None else None

    def named(self, name: str) -> list[str]:
        """Return all places where a file of this name is."""
        return sorted(p for p in self._kinds if posixpath.basename(p) == name)
