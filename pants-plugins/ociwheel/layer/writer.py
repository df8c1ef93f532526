"""Writing a layer: one pass over the content gives the blob, both digests and the facts."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ociwheel.digest import BLOBS, Digest
from ociwheel.documents import canonical, document
from ociwheel.elf.facts import ELF_MAGIC, ElfFacts
from ociwheel.errors import LayerError
from ociwheel.formats.entries import Content, Entry, Kind, Stored, arrange
from ociwheel.layer import tar
from ociwheel.layer.compress import Compressor, compressor
from ociwheel.layer.left_out import LeftOut
from ociwheel.notes import tell

__all__ = ["Content", "Entry", "Stored", "write_layer"]

CHUNK_BYTES = 1 << 18
# execve(2): "the interpreter [...] line is limited to 255 characters"; two for #!, and the newline.
_SHEBANG_BYTES = 258
# Hexadecimal digits of a SHA-256 that tell two files apart.
_TOLD_APART = 16
FACT_LETTERS: dict[Kind, str] = {"file": "f", "dir": "d", "symlink": "l", "hardlink": "h"}


def write_layer(
    entries: Iterable[Entry],
    output: Path,
    *,
    title: str,
    contents: Sequence[Content],
    compression: str = "gzip",
    left_out: LeftOut | None = None,
    opened: Mapping[str, Any] | None = None,
    requires: Mapping[str, Sequence[str]] | None = None,
    packages: Sequence[Mapping[str, Any]] | None = None,
    accounts: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """Write ``blobs/sha256/<digest>``, ``layer-facts.json`` and ``layer-names.json`` below ``output``.

    And ``layer-packages.json``, where there are packages.

    Entries may come in any order; missing parent folders are added. Content is streamed: memory
    use does not depend on the size of a file.

    :param title: what ``docker history`` shows for the layer.
    :param contents: what the layer holds; with exactly one, entries without an origin get it.
    :param compression: ``gzip`` or ``zstd``.
    :param left_out: what went into the layer and is not in it.
    :param opened: by origin, what its Python code opens (:meth:`ociwheel.layer.opened.OpenedNames.to_json`).
    :returns: the ``ociwheel.layer/1`` document.
    :param requires: by origin, what its metadata requires.
    :param packages: what the packages in it say of themselves (:mod:`ociwheel.layer.packages`).
    :param accounts: rows of passwd and group that an image with it needs beside its own.
    :raises LayerError: entries that do not make a layer, or content that cannot be read.
    :raises UsageError: an unknown compression.
    """
    ordered = arrange(entries, contents)
    blobs = output / BLOBS
    blobs.mkdir(parents=True, exist_ok=True)
    partial = blobs / ".partial"
    try:
        with partial.open("wb") as file:
            blob = _HashingSink(file.write)
            packer, media_type = compressor(compression, blob)
            try:
                stream = _TarStream(packer)
                elf = _write(ordered, stream)
                packer.finish()
            finally:
                packer.close()
        digest = Digest.of_hex(blob.hash.hexdigest())
        os.replace(partial, blobs / digest.hex)
    finally:
        partial.unlink(missing_ok=True)
    diff_id = Digest.of_hex(stream.hash.hexdigest())
    rows = [_row(e) for e in ordered]
    facts = document(
        "layer-facts", {"diff_id": diff_id, "files": rows, "elf": elf, "opened": dict(opened or {})}
    )
    (output / "layer-facts.json").write_bytes(canonical(facts))
    told = document("layer-names", {**names(ordered, stream.shebangs), "requires": dict(requires or {})})
    (output / "layer-names.json").write_bytes(canonical(told))
    if packages is not None:
        said = document("layer-packages", {"packages": list(packages)})
        (output / "layer-packages.json").write_bytes(canonical(said))
    opening = sum(1 for one in (opened or {}).values() if one["calls"])
    return document(
        "layer",
        {
            # Distributions whose code opens libraries by name: the audit has something to say of them.
            **({"opens": opening} if opening else {}),
            **({"accounts": accounts} if accounts else {}),
            "descriptor": {"mediaType": media_type, "digest": digest, "size": blob.size},
            "diff_id": diff_id,
            "unpacked_size": stream.unpacked_size,
            "files": len(ordered),
            "elf_files": len(elf),
            "title": title,
            "contents": [
                c.to_json(size) for c, size in zip(contents, stream.sizes_of(contents), strict=True)
            ],
            "left_out": left_out.to_json() if left_out else [],
        },
    )


class _HashingSink:
    """Passes bytes on, counting and hashing them."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self.hash = hashlib.sha256()
        self.size = 0

    def __call__(self, data: bytes) -> None:
        self.hash.update(data)
        self.size += len(data)
        self._write(data)


@dataclass
class _TarStream:
    """A tar archive on its way into the compressor."""

    packer: Compressor

    def __post_init__(self) -> None:
        self.hash = hashlib.sha256()
        self.unpacked_size = 0
        self.sizes: Counter[str] = Counter()
        """Bytes of files by origin."""
        self.shebangs: dict[str, str] = {}

    def write(self, data: bytes | memoryview) -> None:
        self.hash.update(data)
        self.packer.write(data)

    def sizes_of(self, contents: Sequence[Content]) -> list[int]:
        """Return the bytes of each; what is the only one has all, whose entries need not name it."""
        if len(contents) == 1:
            return [self.unpacked_size]
        return [self.sizes[content.origin] for content in contents]


def _write(ordered: Iterable[Entry], stream: _TarStream) -> list[dict[str, Any]]:
    elf: list[dict[str, Any]] = []
    for entry in ordered:
        try:
            facts = _write_entry(entry, stream)
        except OSError as e:
            raise LayerError(
                f"cannot read the content of {entry.path}: {e.strerror or e}",
                where=entry.origin or None,
            ) from e
        if facts is not None:
            elf.append(facts.to_json())
    stream.write(tar.END)
    return elf


def _write_entry(entry: Entry, stream: _TarStream) -> ElfFacts | None:
    size = entry.size()
    stream.write(tar.header(entry, size))
    if entry.kind != "file" or not size:
        return None
    left = size
    start = b""
    buffer = memoryview(bytearray(min(CHUNK_BYTES, size)))
    with entry.open() as source:
        while left:
            count = source.readinto(buffer[: min(len(buffer), left)])  # type: ignore[attr-defined]
            if not count:
                break
            start = start or bytes(buffer[: min(count, _SHEBANG_BYTES)])
            stream.write(buffer[:count])
            left -= count
        if left or source.read(1):
            raise LayerError(f"{entry.path} changed while it was read", where=entry.origin or None)
        stream.write(tar.padding(size))
        stream.unpacked_size += size
        stream.sizes[entry.origin] += size
        if start.startswith(b"#!") and entry.mode & 0o111:
            line = start[2:].partition(b"\n")[0].decode(errors="replace")
            # The kernel passes over blanks alone: a carriage return is part of a name.
            stream.shebangs[entry.path] = line.strip(" \t")
        if not start.startswith(ELF_MAGIC):
            return None
        from ociwheel.elf.reader import read_facts  # noqa: PLC0415  most layers hold no ELF file: loads slowly

        source.seek(0)
        return read_facts(source, entry.path, entry.origin, note=tell)


def names(ordered: Sequence[Entry], shebangs: Mapping[str, str]) -> dict[str, Any]:
    """Return what a check of the whole image needs of a layer, and what an edit of a file leaves as it is.

    Of each entry: path, kind, mode, owner, group, where a link leads, the number of its origin, and the start
    of its content's SHA-256 where it matters which of two files is there. Of scripts that can be executed:
    what follows ``#!`` in the first line.
    """
    origins = sorted({entry.origin for entry in ordered})
    numbers = {origin: number for number, origin in enumerate(origins)}
    rows = [
        [
            e.path, FACT_LETTERS[e.kind], e.mode, e.uid, e.gid, e.target, numbers[e.origin],
            e.sha256[:_TOLD_APART],
        ]
        for e in ordered
    ]  # fmt: skip
    return {"origins": origins, "files": rows, "shebangs": dict(shebangs)}


def _row(entry: Entry) -> list[str | int]:
    return [
        entry.path, FACT_LETTERS[entry.kind], entry.mode, entry.uid, entry.gid, entry.size(),
        entry.target,
    ]  # fmt: skip
