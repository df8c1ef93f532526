"""The files of an image as its layers leave them, with links followed the way the kernel does."""

from __future__ import annotations

import io
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from ociwheel.documents import schema
from ociwheel.elf.facts import ElfFacts
from ociwheel.errors import UsageError
from ociwheel.formats.entries import Entry, Kind
from ociwheel.formats.guard import Guard
from ociwheel.formats.layers import LayerStack

_KINDS: Mapping[str, Kind] = {"f": "file", "d": "dir", "l": "symlink", "h": "hardlink"}


@dataclass(frozen=True)
class _File:
    """Which file of which layer an entry is, whatever its name became."""

    layer: int
    path: str
    size: int

    def open(self) -> BinaryIO:
        """Return nothing: facts of a layer do not hold its content."""
        return io.BytesIO()


class ImageTree:
    """What a container of the image sees.

    Paths are those of the image, without leading slash.
    """

    def __init__(self, layers: Sequence[Mapping[str, Any]]) -> None:
        """Stack layers.

        :param layers: ``ociwheel.layer-facts/1`` documents, bottom first.
        :raises UsageError: one is something else.
        """
        self._stack = LayerStack(Guard("the image", UsageError))
        facts: dict[object, ElfFacts] = {}
        for number, layer in enumerate(layers):
            if layer.get("schema") != schema("layer-facts"):
                raise UsageError(
                    f"expected {schema('layer-facts')}, found {layer.get('schema')!r}",
                    where=f"facts[{number}]",
                )
            self._stack.add(_entry(row, number) for row in layer["files"])
            for item in layer["elf"]:
                facts[number, item["path"]] = ElfFacts.from_json(item)
        self._facts = facts
        self.elf = self._elf()
        """Facts of ELF files by path; of several names of a file, by the one that its layer has it under."""

    def _elf(self) -> dict[str, ElfFacts]:
        found: dict[object, ElfFacts] = {}
        others = []
        for path in sorted(self._stack.entries):
            key, facts = self._of(path)
            if facts is None:
                continue
            if facts.path == path:
                found[key] = facts
            else:
                others.append((key, replace(facts, path=path)))
        for key, facts in others:
            found.setdefault(key, facts)
        self._facts = found
        return {facts.path: facts for facts in found.values()}

    def _of(self, path: str) -> tuple[object, ElfFacts | None]:
        entry = self._stack.get(path)
        if entry is None or not isinstance(entry.source, _File):
            return None, None
        key = entry.source.layer, entry.source.path
        return key, self._facts.get(key)

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Files, folders and symbolic links by path."""
        return self._stack.entries

    def resolve(self, path: str) -> str | None:
        """Return the path of what ``path`` leads to, ``None`` when it leads to nothing."""
        return self._stack.resolve(path)

    def find_elf(self, path: str) -> ElfFacts | None:
        """Return the ELF file that ``path`` leads to."""
        real = self.resolve(path)
        return self._of(real)[1] if real is not None else None

    def named(self, name: str) -> list[str]:
        """Return all places where a file of this name is."""
        return sorted(p for p in self._stack.entries if posixpath.basename(p) == name)


def _entry(row: Sequence[Any], layer: int) -> Entry:
    path, letter, mode, uid, gid, size, target = row
    source = _File(layer, path, size) if letter == "f" else None
    return Entry(path, _KINDS[letter], mode, uid, gid, source, target)
