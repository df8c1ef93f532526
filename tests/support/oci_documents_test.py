"""The checker of layouts accepts what the core writes, and finds each damage done to it."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ociwheel.image.container import write_container_image
from ociwheel.layer.writer import Content, Entry, write_layer
from ociwheel.platforms import platform
from tests.support.oci_documents import MANIFEST, SpecificationError, check_layout


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """A layout with one image of one layer, as the core writes the container of an emulated build."""
    folder = tmp_path / "layout"
    entries = [Entry("hello", "file", 0o644, source=b"hello\n")]
    layer = write_layer(entries, folder, title="hello", contents=[Content("rootfs", "hello", "1")])
    (folder / "layer-facts.json").unlink()
    write_container_image(layer, platform("linux/arm/v7"), folder)
    return folder


def put(folder: Path, descriptor: Any, data: bytes) -> None:
    """Replace a blob by another, and let its descriptor say so."""
    (folder / "blobs/sha256" / descriptor["digest"].partition(":")[2]).unlink()
    digest = hashlib.sha256(data).hexdigest()
    (folder / "blobs/sha256" / digest).write_bytes(data)
    descriptor.update(digest=f"sha256:{digest}", size=len(data))


def rewrite(folder: Path, change: Callable[[Any, Any, Any], None]) -> None:
    """Change index, manifest and configuration, all digests made right again."""

    def read(descriptor: Any) -> Any:
        return json.loads((folder / "blobs/sha256" / descriptor["digest"].partition(":")[2]).read_bytes())

    index = json.loads((folder / "index.json").read_bytes())
    manifest = read(index["manifests"][0])
    config = read(manifest["config"])
    change(index, manifest, config)
    put(folder, manifest["config"], json.dumps(config).encode())
    put(folder, index["manifests"][0], json.dumps(manifest).encode())
    (folder / "index.json").write_text(json.dumps(index))


def test_what_the_core_writes_is_accepted(layout: Path) -> None:
    seen = check_layout(layout)
    assert (seen.count(MANIFEST), seen.layers) == (1, 1)


Change = Callable[[Any, Any, Any], object]
DAMAGES: list[tuple[Change, str]] = [
    (lambda i, m, c: i.pop("schemaVersion"), "'schemaVersion' is a required property"),
    (lambda i, m, c: i["manifests"][0]["platform"].pop("os"), "'os' is a required property"),
    (lambda i, m, c: i["manifests"][0]["platform"].update(variant="v8"), "'v8'"),
    (lambda i, m, c: m.update(mediaType="application/json"), "mediaType 'application/json'"),
    (lambda i, m, c: m["config"].update(mediaType="application/json"), "config is application/json"),
    (lambda i, m, c: m["layers"][0].update(size="9"), "'9' is not of type 'integer'"),
    (lambda i, m, c: m["layers"][0].update(size=9), "bytes"),
    (
        lambda i, m, c: m["layers"][0].update(
            mediaType=MANIFEST.replace("manifest.v1+json", "layer.v1.tar+zstd")
        ),
        "compressed as",
    ),
    (lambda i, m, c: m.update(annotations={"org.opencontainers.image.base": "x"}), "is reserved"),
    (lambda i, m, c: m.update(annotations={"org.opencontainers.image.created": "today"}), "created 'today'"),
    (lambda i, m, c: m.update(annotations={"a.b": 1}), "1 is not of type 'string'"),
    (lambda i, m, c: c["rootfs"].update(type="tar"), "'tar' is not one of"),
    (lambda i, m, c: c["rootfs"]["diff_ids"].append("sha256:" + "0" * 64), "differ in number"),
    (lambda i, m, c: c["rootfs"].update(diff_ids=["sha256:" + "0" * 64]), "when unpacked"),
    (lambda i, m, c: c["history"].clear() or c["history"].extend([{}, {}]), "2 rows of history, 1 layers"),
    (lambda i, m, c: c["history"][0].update(created="1970-01-01"), "created '1970-01-01'"),
    (lambda i, m, c: c["config"].update(Env=["=x"]), "'=x'"),
    (lambda i, m, c: c["config"].update(ExposedPorts={"http": {}}), "http"),
]


@pytest.mark.parametrize(("change", "said"), DAMAGES)
def test_each_damage_is_found(layout: Path, change: Callable[[Any, Any, Any], None], said: str) -> None:
    rewrite(layout, change)
    with pytest.raises(SpecificationError, match=said.replace("[", r"\[")):
        check_layout(layout)


def test_a_key_that_is_there_twice_a_damaged_blob_and_one_that_nobody_names_are_found(layout: Path) -> None:
    text = (layout / "index.json").read_text()
    (layout / "index.json").write_text(text.replace("{", '{"schemaVersion":2,', 1))
    with pytest.raises(SpecificationError, match="a key twice"):
        check_layout(layout)
    (layout / "index.json").write_text(text)

    (layout / "blobs/sha256" / hashlib.sha256(b"x").hexdigest()).write_bytes(b"x")
    with pytest.raises(SpecificationError, match="nothing names"):
        check_layout(layout)
    (layout / "blobs/sha256" / hashlib.sha256(b"x").hexdigest()).unlink()

    largest = max((layout / "blobs/sha256").iterdir(), key=lambda file: file.stat().st_size)
    largest.write_bytes(gzip.compress(b"other"))
    with pytest.raises(SpecificationError, match="is damaged"):
        check_layout(layout)
