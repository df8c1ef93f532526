from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ociwheel.cli.main import main
from ociwheel.errors import BaseError, OciwheelError, UsageError
from ociwheel.image.layout import REF_NAME
from ociwheel.registry.layout_source import LayoutName, LayoutSource
from ociwheel.registry.resolve import resolve

OCI = "application/vnd.oci.image"
PLATFORMS = ("amd64", "arm64")


class Layout:
    """A layout of documents; its layers are nowhere, as nobody asks for them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.blobs = folder / "blobs/sha256"
        self.blobs.mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def put(self, value: Any, kind: str, **more: Any) -> dict[str, Any]:
        """Write a document and return its descriptor."""
        data = json.dumps(value).encode()
        digest = hashlib.sha256(data).hexdigest()
        (self.blobs / digest).write_bytes(data)
        return {"mediaType": f"{OCI}.{kind}", "digest": f"sha256:{digest}", "size": len(data), **more}

    def manifest(self, architecture: str, text: str = "x", **more: Any) -> dict[str, Any]:
        """Write one platform's manifest and configuration."""
        digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
        platform = {"os": "linux", "architecture": architecture}
        config = self.put({**platform, "rootfs": {"type": "layers", "diff_ids": [digest]}}, "config.v1+json")
        layer = {"mediaType": f"{OCI}.layer.v1.tar+gzip", "digest": digest, "size": 1}
        value = {"schemaVersion": 2, "config": config, "layers": [layer]}
        return self.put(value, "manifest.v1+json", platform=platform, **more)

    def index(self, text: str = "x", **more: Any) -> dict[str, Any]:
        """Write an image of all platforms."""
        manifests = [self.manifest(name, text) for name in PLATFORMS]
        return self.put({"schemaVersion": 2, "manifests": manifests}, "index.v1+json", **more)

    def roots(self, *descriptors: dict[str, Any]) -> Layout:
        """Write index.json."""
        (self.folder / "index.json").write_text(
            json.dumps({"schemaVersion": 2, "manifests": list(descriptors)})
        )
        return self

    def resolve(self, tag: str | None = None, *platforms: str) -> dict[str, Any]:
        """Resolve an image of it."""
        source = LayoutSource(LayoutName("some/layout", tag), self.folder)
        return resolve(source, platforms or ("linux/amd64", "linux/arm64")).to_json()

    def refusal(self, tag: str | None = None, *platforms: str) -> str:
        """Return why an image of it is not resolved."""
        with pytest.raises(BaseError) as caught:
            self.resolve(tag, *platforms)
        return caught.value.render()


def named(tag: str) -> dict[str, Any]:
    return {"annotations": {REF_NAME: tag}}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def test_the_only_image_needs_no_reference(layout: Layout) -> None:
    root = layout.index()
    found = layout.roots(root).resolve()
    assert found["root"] == root
    assert sorted(found["platforms"]) == ["linux/amd64", "linux/arm64"]
    assert found["platforms"]["linux/arm64"]["manifest"] == {
        key: layout.manifest("arm64")[key] for key in ("mediaType", "digest", "size")
    }


def test_a_single_manifest_is_one_platform_s(layout: Layout) -> None:
    layout.roots(layout.manifest("amd64"))
    assert list(layout.resolve(None, "linux/amd64")["platforms"]) == ["linux/amd64"]
    assert "is of an image for linux/amd64" in layout.refusal(None, "linux/arm64")


def test_platforms_right_in_index_json(layout: Layout) -> None:
    layout.roots(*(layout.manifest(name) for name in PLATFORMS))
    found = layout.resolve()
    assert sorted(found["platforms"]) == ["linux/amd64", "linux/arm64"]
    data = (layout.folder / "index.json").read_bytes()
    assert found["root"]["digest"] == f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_a_reference_chooses(layout: Layout) -> None:
    old, new = layout.index("old", **named("3.10")), layout.index("new", **named("3.11"))
    layout.roots(old, new)
    assert layout.resolve("3.11")["root"]["digest"] == new["digest"]
    assert layout.refusal() == (
        "oci:some/layout: the layout has several images\n  it has 3.10, 3.11\n"
        "  -> name one: oci:some/layout:3.10"
    )
    assert layout.refusal("3.12").startswith(
        "oci:some/layout:3.12: the layout has no image '3.12'\n  it has 3.10, 3.11\n"
    )


def test_one_reference_twice(layout: Layout) -> None:
    layout.roots(layout.index("a", **named("1")), layout.index("b", **named("1")))
    assert "the layout has several images '1'" in layout.refusal("1")
    same = layout.index("a", **named("1"))
    assert layout.roots(same, same).resolve("1")["root"]["digest"] == same["digest"]


def test_a_platform_that_it_lacks(layout: Layout) -> None:
    text = layout.roots(layout.index()).refusal(None, "linux/arm/v7")
    assert "the image is not for linux/arm/v7\n  it is for linux/amd64, linux/arm64" in text


def lacks_version(layout: Layout) -> None:
    (layout.folder / "oci-layout").unlink()


def is_of_another_version(layout: Layout) -> None:
    (layout.folder / "oci-layout").write_text('{"imageLayoutVersion": "2.0.0"}')


def lacks_index(layout: Layout) -> None:
    (layout.folder / "index.json").unlink()


def has_no_images(layout: Layout) -> None:
    layout.roots()


def has_text_for_an_index(layout: Layout) -> None:
    (layout.folder / "index.json").write_text("{")


def has_a_list_for_an_index(layout: Layout) -> None:
    (layout.folder / "index.json").write_text("[]")


def lacks_a_blob(layout: Layout) -> None:
    (layout.blobs / layout.index()["digest"][7:]).unlink()


def has_a_truncated_blob(layout: Layout) -> None:
    blob = layout.blobs / layout.index()["digest"][7:]
    blob.write_bytes(blob.read_bytes()[:-9])


def has_another_blob(layout: Layout) -> None:
    (layout.blobs / layout.index()["digest"][7:]).write_bytes(b"{}")


def has_a_huge_document(layout: Layout) -> None:
    with (layout.blobs / layout.index()["digest"][7:]).open("r+b") as file:
        file.truncate(5 << 20)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            lacks_version,
            "oci:some/layout: it is no OCI image layout: it has no oci-layout\n  -> copy the whole",
        ),
        (is_of_another_version, "its imageLayoutVersion is not 1.x"),
        (
            lacks_index,
            "oci:some/layout: it is no OCI image layout: it has no index.json\n  -> copy the whole",
        ),
        (has_no_images, "its index.json lists no manifests"),
        (has_text_for_an_index, "index.json: it is no JSON"),
        (has_a_list_for_an_index, "index.json: it is no JSON object"),
        (lacks_a_blob, "the layout lacks this blob\n  -> copy the whole"),
        (has_a_truncated_blob, "the blob is damaged"),
        (has_another_blob, "the blob is damaged: 2 bytes of sha256:44136fa3"),
        (has_a_huge_document, "it is too large for a document"),
    ],
)
def test_a_damaged_layout(layout: Layout, damage: Callable[[Layout], None], said: str) -> None:
    layout.roots(layout.index())
    damage(layout)
    assert said in layout.refusal()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    source = LayoutSource(LayoutName.parse("oci:nowhere"), tmp_path / "nowhere")
    with pytest.raises(BaseError, match="there is no such folder"):
        resolve(source, ["linux/amd64"])


@pytest.mark.parametrize("text", ["oci:", "oci::tag", "python:3.11"])
def test_no_name_of_a_layout(text: str) -> None:
    with pytest.raises(UsageError):
        LayoutName.parse(text)


def test_the_step(layout: Layout, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = layout.index("new", **named("3.11"))
    layout.roots(root)
    request = {
        "image": "oci:images/python:3.11",
        "platforms": ["linux/amd64"],
        "layouts": {"image": str(layout.folder)},
    }
    file = tmp_path / "request.json"
    file.write_text(json.dumps(request))
    assert main(["registry-resolve", "--request", str(file)]) == 0
    image = json.loads(capsys.readouterr().out)["image"]
    assert (image["name"], image["root"]["digest"]) == ("oci:images/python:3.11", root["digest"])
    assert list(image["platforms"]) == ["linux/amd64"]


def test_errors_are_those_that_users_read(layout: Layout) -> None:
    layout.roots(layout.index())
    with pytest.raises(OciwheelError) as caught:
        layout.resolve(None, "linux/386")
    assert caught.value.exit_code == BaseError.exit_code
