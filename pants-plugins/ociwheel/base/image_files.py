"""The files of an image as its layers leave them, and their content where it is needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ociwheel.base.image_layer import InLayer, open_layer
from ociwheel.digest import Digest
from ociwheel.errors import BaseError
from ociwheel.formats.entries import Entry
from ociwheel.formats.guard import Guard
from ociwheel.formats.layers import LayerStack


@dataclass(frozen=True)
class LockedLayer:
    """One layer as a lock has it."""

    digest: Digest
    diff_id: Digest

    def blob(self, folder: Path) -> Path:
        """Return its path in a layout."""
        return folder / self.digest.path


@dataclass(frozen=True)
class ImageFiles:
    """An image whose layers are on disk."""

    filesystem: LayerStack
    blobs: tuple[Path, ...]
    unpacked: tuple[int, ...]
    """Bytes of each layer's archive."""

    def extract(self, rows: Iterable[Entry], scratch: Path) -> Mapping[object, Path]:
        """Write the contents of some files to a folder.

        :param scratch: an empty folder.
        :returns: where each content is, by the ``source`` of its entries.
        """
        wanted = {row.source for row in rows if isinstance(row.source, InLayer)}
        found: dict[object, Path] = {}
        for layer in sorted({source.layer for source in wanted}):
            with open_layer(self.blobs[layer], layer) as reader:
                for entry in reader:
                    if entry.source in wanted:
                        path = scratch / str(len(found))
                        with path.open("wb") as file:
                            file.writelines(reader.chunks())
                        found[entry.source] = path
        return found


def open_image(layers: Sequence[LockedLayer], folder: Path, most: int | None = None) -> ImageFiles:
    """Read the names of all files of an image.

    :param layers: bottom first.
    :param folder: a layout that has their blobs.
    :param most: bytes that all layers together may unpack to, where the limits allow more.
    :raises BaseError: a layer is missing, damaged, hostile, or not the one that its configuration names.
    """
    guard = Guard("the image", BaseError)
    left = guard.limits.total_bytes if most is None else most
    filesystem = LayerStack(guard)
    unpacked: list[int] = []
    for number, layer in enumerate(layers):
        blob = layer.blob(folder)
        if not blob.is_file():
            raise BaseError(f"the layer {layer.digest} is not there", where=str(folder))
        with open_layer(blob, number, left - sum(unpacked)) as reader:
            filesystem.add(reader)
            diff_id, size = reader.finish()
        if diff_id != layer.diff_id:
            raise BaseError(
                f"the layer unpacks to {diff_id}, its configuration says {layer.diff_id}",
                where=layer.digest,
                hint="the image was put together wrongly: tell its makers, or choose another",
            )
        unpacked.append(size)
    return ImageFiles(filesystem, tuple(layer.blob(folder) for layer in layers), tuple(unpacked))


def parse_layers(value: object, where: str) -> tuple[LockedLayer, ...]:
    """Return the layers of a request.

    :raises BaseError: it has none.
    """
    if not isinstance(value, list) or not value:
        raise BaseError("expected a list of layers", where=where)
    try:
        return tuple(LockedLayer(Digest.parse(row["digest"]), Digest.parse(row["diff_id"])) for row in value)
    except (ValueError, KeyError, TypeError) as e:
        raise BaseError("expected layers that are objects with digest and diff_id", where=where) from e
