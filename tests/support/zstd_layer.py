"""Layers of base images that are compressed with zstd, as buildx and podman make them when they are asked to."""

from __future__ import annotations

import gzip
import hashlib
import io
from pathlib import Path
from typing import IO

import zstandard

from tests.support.base_pair import Layer

MEDIA_TYPE = "application/vnd.oci.image.layer.v1.tar+zstd"


def zstd_layer(archive: IO[bytes] | bytes, blob: Path) -> Layer:
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
