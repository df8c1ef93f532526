"""The files of an image as its layers leave them, and their content where it is needed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ociwheel.errors import BaseError
from ociwheel.registry.layer_tar import MOST_BYTES, LayerEntry, open_layer

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
# path_resolution(7): "the maximum number of symbolic links [...] is 40".
_MOST_LINKS = 40


@dataclass(frozen=True)
class LockedLayer:
    """One layer as a lock has it."""

    digest: str
    diff_id: str

    def blob(self, folder: Path) -> Path:
        """Return its path in a layout."""
        return folder / "blobs/sha256" / self.digest.partition(":")[2]


class Filesystem:
    """What a container of the image would see. Hard links are files of their own."""

    def __init__(self) -> None:
        self.entries: dict[str, LayerEntry] = {}
        """Files, folders and symbolic links by path."""

    def add(self, layer: Iterable[LayerEntry]) -> None:
        """Put a layer on top."""
        rows = list(layer)
        # layer.md: whiteouts apply to lower layers only, whatever their place in the archive.
        self._remove([row for row in rows if row.path.rpartition("/")[2].startswith(_WHITEOUT)])
        for row in rows:
            folder, _, name = row.path.rpartition("/")
            if name.startswith(_WHITEOUT) or row.kind == "other":
                continue
            real = self._folder(folder)
            if real is not None:  # else links in a circle: there is no such place
                self._put("/".join(part for part in (real, name) if part), row)

    def _put(self, path: str, row: LayerEntry) -> None:
        if row.kind == "hardlink":
            other = self.entries.get(self.resolve(row.target) or "")
            if other is None or other.kind != "file":
                return  # to nothing: what a runtime would refuse is not there
            row = replace(other, mode=row.mode, uid=row.uid, gid=row.gid)
        before = self.entries.get(path)
        if before is not None and before.kind == "dir" and row.kind != "dir":
            self._drop({path})
        self.entries[path] = replace(row, path=path)

    def _remove(self, whiteouts: Sequence[LayerEntry]) -> None:
        gone: set[str] = set()
        emptied: set[str] = set()
        for row in whiteouts:
            folder, _, name = row.path.rpartition("/")
            real = self._folder(folder)
            if real is None:
                continue
            if name == _OPAQUE:
                emptied.add(real)
            else:
                gone.add("/".join(part for part in (real, name.removeprefix(_WHITEOUT)) if part))
        if gone or emptied:
            self._drop(gone, emptied)

    def _drop(self, gone: set[str], emptied: frozenset[str] | set[str] = frozenset()) -> None:
        everything = "" in emptied

        def is_gone(path: str) -> bool:
            if path in gone or everything:
                return True
            at = path.rfind("/")
            while at > 0:
                if path[:at] in gone or path[:at] in emptied:
                    return True
                at = path.rfind("/", 0, at)
            return False

        self.entries = {path: row for path, row in self.entries.items() if not is_gone(path)}

    def _folder(self, path: str) -> str | None:
        """Return where a folder really is: an archive may name it through a link of a lower layer."""
        known = self.entries.get(path)
        if not path or (known is not None and known.kind == "dir"):
            return path
        return self._walk(path, missing=True)

    def resolve(self, path: str) -> str | None:
        """Return the path of what ``path`` leads to, links followed in the image; ``None`` for nothing."""
        return self._walk(path, missing=False)

    def _walk(self, path: str, *, missing: bool) -> str | None:
        todo = [part for part in reversed(path.split("/")) if part]
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
            row = self.entries.get(here)
            if row is None and not missing and not self._is_implied(here):
                return None
            if row is not None and row.kind == "symlink":
                links += 1
                if links > _MOST_LINKS:
                    return None
                if row.target.startswith("/"):
                    at = []
                todo += [part for part in reversed(row.target.split("/")) if part]
            else:
                at.append(part)
        return "/".join(at)

    def _is_implied(self, path: str) -> bool:
        """Whether a folder is there although no layer has an entry for it."""
        return any(other.startswith(path + "/") for other in self.entries)

    def file(self, path: str) -> LayerEntry | None:
        """Return the regular file that a path leads to."""
        real = self.resolve(path)
        row = self.entries.get(real) if real else None
        return row if row is not None and row.kind == "file" else None


@dataclass(frozen=True)
class ImageFiles:
    """An image whose layers are on disk."""

    filesystem: Filesystem
    blobs: tuple[Path, ...]
    unpacked: tuple[int, ...]
    """Bytes of each layer's archive."""

    def extract(self, rows: Iterable[LayerEntry], scratch: Path) -> Mapping[tuple[int, int], Path]:
        """Write the contents of some files to a folder, by layer and number of their entries.

        :param scratch: an empty folder.
        """
        wanted: dict[int, set[int]] = {}
        for row in rows:
            wanted.setdefault(row.layer, set()).add(row.number)
        found: dict[tuple[int, int], Path] = {}
        for layer, numbers in sorted(wanted.items()):
            with open_layer(self.blobs[layer], layer) as reader:
                for entry in reader:
                    if entry.number not in numbers:
                        continue
                    path = scratch / f"{layer}-{entry.number}"
                    with path.open("wb") as file:
                        shutil.copyfileobj(reader.content(), file)
                    found[layer, entry.number] = path
        return found

    def read(self, rows: Iterable[LayerEntry], scratch: Path) -> Callable[[LayerEntry], Path]:
        """Return a function from each of some files to its content on disk."""
        found = self.extract(rows, scratch)
        return lambda row: found[row.layer, row.number]


def open_image(layers: Sequence[LockedLayer], folder: Path, most: int = MOST_BYTES) -> ImageFiles:
    """Read the names of all files of an image.

    :param layers: bottom first.
    :param folder: a layout that has their blobs.
    :param most: bytes that all layers together may unpack to.
    :raises BaseError: a layer is missing, damaged, hostile, or not the one that its configuration names.
    """
    filesystem = Filesystem()
    unpacked: list[int] = []
    for number, layer in enumerate(layers):
        blob = layer.blob(folder)
        if not blob.is_file():
            raise BaseError(f"the layer {layer.digest} is not there", where=str(folder))
        with open_layer(blob, number, most - sum(unpacked)) as reader:
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
    return tuple(LockedLayer(str(row["digest"]), str(row["diff_id"])) for row in value)
