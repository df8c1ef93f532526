"""Layers of base images that are compressed with zstd, as buildx and podman make them when they are asked to."""

from __future__ import annotations

import gzip
import hashlib
import io
from pathlib import Path
from typing import Protocol

import zstandard
from ociwheel_testing.registry import Entry, tar

from ociwheel.platforms import platform
from tests.support.base_pair import FULL, SLIM, Kitchen, Layer, write_layout

MEDIA_TYPE = "application/vnd.oci.image.layer.v1.tar+zstd"


class Readable(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes."""
        ...


def zstd_layer(archive: Readable | bytes, blob: Path) -> Layer:
    """Write a tar archive to a file, as a layer of zstd."""
    source = io.BytesIO(archive) if isinstance(archive, bytes) else archive
    diff_id = hashlib.sha256()
    with blob.open("wb") as file, zstandard.ZstdCompressor(level=1).stream_writer(file) as sink:
        while chunk := source.read(1 << 20):
            diff_id.update(chunk)
            sink.write(chunk)
    digest = hashlib.sha256(blob.read_bytes()).hexdigest()
    return Layer(blob, f"sha256:{digest}", f"sha256:{diff_id.hexdigest()}", MEDIA_TYPE)


def repacked(layer: Layer, blob: Path) -> Layer:
    """Write a layer of gzip to a file, as one of zstd."""
    with gzip.open(layer.blob) as archive:
        return zstd_layer(archive, blob)


def zstd_pair(folder: Path) -> tuple[Path, Path]:
    """Make a pair with layers of zstd: one on top of the slim image, and all of the builder image."""
    row, kitchen = platform("linux/amd64"), Kitchen()
    top = zstd_layer(tar([Entry("srv/greeting", b"hello"), Entry("tmp/.wh.nothing")]), folder / "top.zst")
    headers = repacked(kitchen.layer(FULL, row), folder / "full.zst")
    slim = write_layout(folder / "slim", {row: [kitchen.layer(SLIM, row), top]})
    return slim, write_layout(folder / "full", {row: [headers]})
