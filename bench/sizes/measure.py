"""Bytes of an image: as the engine says, as one flattened file system, and compressed for a registry."""

from __future__ import annotations

import json
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from tests.support.engine import Engine

# The level at which the engine compresses what it pushes.
GZIP_LEVEL = 6
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Layer:
    """One layer: content of its regular files in bytes, the part of it that is bytecode, and gzip's bytes."""

    title: str
    unpacked: int
    bytecode: int
    files: int
    gzip: int


@dataclass(frozen=True)
class Image:
    """An image.

    :param engine: ``Size`` of ``docker image inspect``, in bytes: the sum over its layers.
    :param flattened: content of the regular files that a container sees, in bytes; hard links count once.
    :param stored: bytes of its layers as the layout on disk holds them, when there is one.
    :param paths: bytes below each interesting folder of the flattened file system, largest first.
    """

    title: str
    engine: int
    flattened: int
    files: int
    bytecode: int
    layers: tuple[Layer, ...]
    paths: tuple[tuple[str, int], ...]
    stored: int | None = None

    @property
    def gzip(self) -> int:
        """Bytes of all layers, each compressed with gzip."""
        return sum(layer.gzip for layer in self.layers)


def _regular(stream: IO[bytes]) -> Iterator[tuple[str, int]]:
    with tarfile.open(fileobj=stream, mode="r|*") as tar:
        for member in tar:
            if member.isreg():
                yield member.name.removeprefix("./"), member.size


def _gzip_size(stream: IO[bytes]) -> int:
    compressor = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    # Layers may be stored compressed already: their content is what is compressed again.
    head = stream.read(2)
    stream.seek(0)
    inflate = zlib.decompressobj(_GZIP_WINDOW) if head == b"\x1f\x8b" else None
    size = 0
    while chunk := stream.read(_CHUNK_BYTES):
        size += len(compressor.compress(inflate.decompress(chunk) if inflate else chunk))
    return size + len(compressor.flush())


class Meter:
    """Measures images of one engine; layers that images share are compressed once."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self._engine = engine
        self._folder = folder
        self._layers: dict[str, Layer] = {}

    def measure(
        self, image: str, title: str, *, titles: tuple[str, ...] = (), stored: int | None = None
    ) -> Image:
        """Measure an image that the engine holds.

        :param titles: names of its layers, bottom first; by default what the engine's history says.
        """
        inspected = json.loads(self._engine.docker("image", "inspect", image))[0]
        sizes, bytecode, files = self._flattened(image)
        return Image(
            title,
            engine=inspected["Size"],
            flattened=sum(sizes.values()),
            files=files,
            bytecode=bytecode,
            layers=self._measure_layers(image, titles or self._history(image)),
            paths=tuple(sizes.most_common()),
            stored=stored,
        )

    def _history(self, image: str) -> tuple[str, ...]:
        lines = self._engine.docker("history", "--no-trunc", "--format", "{{json .}}", "--human=false", image)
        entries = [json.loads(line) for line in lines.splitlines()]
        steps = [
            (entry["CreatedBy"] or entry["Comment"] or "base").removesuffix(" # buildkit").strip()
            for entry in reversed(entries)
        ]
        # Only these steps make layers, empty ones included; the base is the first.
        return ("base", *(s for s in steps if s.startswith(("RUN", "COPY", "WORKDIR"))))

    def _measure_layers(self, image: str, titles: tuple[str, ...]) -> tuple[Layer, ...]:
        saved = self._folder / "saved.tar"
        self._engine.docker("save", "--output", str(saved), image)
        try:
            with tarfile.open(saved) as tar:
                manifest = json.load(_member(tar, "manifest.json"))[0]
                diffs = json.load(_member(tar, manifest["Config"]))["rootfs"]["diff_ids"]
                named = zip(diffs, manifest["Layers"], _padded(titles, len(diffs)), strict=True)
                return tuple(self._layer(tar, diff, member, title) for diff, member, title in named)
        finally:
            saved.unlink()

    def _layer(self, tar: tarfile.TarFile, diff: str, member: str, title: str) -> Layer:
        if diff not in self._layers:
            entries = list(_regular(_member(tar, member)))
            self._layers[diff] = Layer(
                title,
                unpacked=sum(size for _, size in entries),
                bytecode=sum(size for name, size in entries if name.endswith(".pyc")),
                files=len(entries),
                gzip=_gzip_size(_member(tar, member)),
            )
        return replace(self._layers[diff], title=title)

    def _flattened(self, image: str) -> tuple[Counter[str], int, int]:
        container = self._engine.docker("create", image).strip()
        exported = self._folder / "exported.tar"
        try:
            self._engine.docker("export", "--output", str(exported), container)
            sizes: Counter[str] = Counter()
            bytecode = files = 0
            with exported.open("rb") as stream:
                for name, size in _regular(stream):
                    sizes[folder_of(name)] += size
                    bytecode += size if name.endswith(".pyc") else 0
                    files += 1
            return sizes, bytecode, files
        finally:
            self._engine.call("rm", container)
            exported.unlink(missing_ok=True)


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    # The engine saves a layer that two images share as a link to the first.
    file = tar.extractfile(name)
    if file is None:
        raise ValueError(f"{name} is no file of the saved image")
    return file


def _padded(titles: tuple[str, ...], count: int) -> tuple[str, ...]:
    """Return exactly one title per layer: without a match, numbers say no wrong thing."""
    return titles if len(titles) == count else tuple(f"layer {number + 1}" for number in range(count))


def folder_of(path: str) -> str:
    """Return the folder, or the large file's name, under which a report counts a path.

    >>> folder_of("app/lib/python3.11/site-packages/fastapi/routing.py")
    'app/lib/python3.11/site-packages/fastapi'
    >>> folder_of("usr/lib/x86_64-linux-gnu/libcrypto.so.3")
    'usr/lib/x86_64-linux-gnu/libcrypto.so.3'
    """
    parts = path.split("/")
    depth = 3
    for marker in ("site-packages", "dist-packages", "python3.11", "x86_64-linux-gnu"):
        if marker in parts[:-1]:
            depth = parts.index(marker) + 2
            break
    if len(parts) == depth and path.endswith(".py"):
        # Single modules of the standard library: one line for all.
        return "/".join(parts[: depth - 1]) + "/*.py"
    return "/".join(parts[:depth])
