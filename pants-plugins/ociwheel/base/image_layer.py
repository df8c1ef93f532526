"""Reads the archive of a layer that somebody else made, as the entries that all layers here have.

Specification: OCI image-spec 1.1, layer.md. No name of the archive ever becomes a path on this machine.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ociwheel.digest import Digest
from ociwheel.errors import BaseError
from ociwheel.formats.entries import Entry
from ociwheel.formats.guard import Guard
from ociwheel.formats.names import is_text
from ociwheel.formats.streams import Unpacked, open_file
from ociwheel.formats.tar import TarReader


@dataclass(frozen=True)
class InLayer:
    """The content of a file, where it is in a layer."""

    blob: Path
    layer: int
    """The layer's number, bottom first."""
    number: int
    """The entry's number in its layer."""
    size: int
    """Bytes."""

    def open(self) -> BinaryIO:
        """Return the content; the layer is read up to it."""
        with open_layer(self.blob, self.layer) as reader:
            for entry in reader:
                if entry.source == self:
                    file = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
                    file.writelines(reader.chunks())
                    file.seek(0)
                    return file
        raise BaseError("the layer changed while it was read", where=self.blob.name)


class LayerReader:
    """An open layer: its entries in order, and the content of the current one."""

    def __init__(self, stream: Unpacked, guard: Guard, blob: Path, number: int) -> None:
        self._stream = stream
        self._tar = TarReader(stream, guard, absolute=True, leaves="leaves the image")
        self._blob = blob
        self._number = number
        self.chunks = self._tar.chunks

    def __iter__(self) -> Iterator[Entry]:
        """Yield the entries, without the root itself, devices, and those whose names are no UTF-8 text."""
        for number, entry in enumerate(self._tar):
            kind, path, target = entry.kind, entry.path, entry.target
            if kind == "other" or not path or not (is_text(path) and is_text(target)):
                continue
            source = InLayer(self._blob, self._number, number, entry.size) if kind == "file" else None
            yield Entry(path, kind, entry.mode, entry.uid, entry.gid, source, target)

    def finish(self) -> tuple[Digest, int]:
        """Read what is left, and return the layer's diff_id and the bytes of its archive."""
        self._stream.drain()
        return Digest.of_hex(self._stream.hash.hexdigest()), self._stream.count


@contextmanager
def open_layer(blob: Path, number: int = 0, most: int | None = None) -> Iterator[LayerReader]:
    """Open a layer's blob.

    :param number: the layer's number, for its entries.
    :param most: bytes that it may unpack to, beside what the limits allow.
    :raises BaseError: it is damaged or hostile.
    """
    guard = Guard(
        blob.name,
        BaseError,
        hint="the image is damaged, or made to do harm: tell its makers",
        prefix="the layer cannot be read: ",
    )
    with blob.open("rb") as file:
        yield LayerReader(open_file(file, guard, most=most).with_hash(), guard, blob, number)
