"""What is said of an image whose layers are what they are."""

from __future__ import annotations

import json

from pants.engine.fs import EMPTY_DIGEST

from slim_python_image.products import Layer
from slim_python_image.util_rules.image import too_large

MIB = 1 << 20


def layer(title: str, size: int) -> Layer:
    return Layer(
        document=json.dumps({"title": title}),
        digest="sha256:0",
        size=size,
        unpacked_size=2 * size,
        elf_files=0,
        title=title,
        blobs=EMPTY_DIGEST,
        facts=EMPTY_DIGEST,
    )


def test_a_layer_that_no_step_could_divide_is_told() -> None:
    found = [layer("python:3.11-slim, layer 1", 30 * MIB), layer("small", 20 * MIB)]
    said = (
        "the layer 'python:3.11-slim, layer 1' has 30.0 MiB, more than `max_layer_size`: it is a single file, or "
        "that of a base image or of the image that this one extends"
    )
    assert list(too_large(found, 20 * MIB)) == [said]
    assert list(too_large(found, None)) == []
